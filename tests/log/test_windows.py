"""Do the kept days say exactly what the raw rows say, and are raw rows read only once?"""

from __future__ import annotations

import gzip
import time
from datetime import timedelta
from threading import Lock

import pytest

from tests.log.kept import (
    BY_CHANNEL,
    Counting,
    counted,
    fill,
    labelled,
    requests,
    row_by_row,
    sampled,
    sampled_rows,
)
from tests.log.test_lines import THEIRS, ZENDESK
from tests.log_rows import (
    FIRST_DAY,
    FIRST_OUTCOMES,
    MONDAY,
    NEXT_WEEK,
    PREDICTION,
    WEEK,
    jsonl,
    outcome,
    parquet,
    prediction,
)
from tests.s3 import new_bucket, s3_endpoint  # noqa: F401 -- fixtures are found by name
from upkeep.adapters.store import open_store
from upkeep.errors import StoreError
from upkeep.log import daily, scan, windows
from upkeep.log import entries as log
from upkeep.log.entries import LogMapping, OutcomeSource, draw_order
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.log.lines import own_file
from upkeep.log.windows import tally_windows
from upkeep.periods import Window

MONDAYS = Window(MONDAY, MONDAY + timedelta(days=1), "Monday")

pytestmark = pytest.mark.usefixtures("way_of_reading")


def test_raw_files_are_read_once(store):
    fill(store)
    first = counted(store)
    read = store.since()
    assert (
        sorted(read)
        == sorted(set(read))
        == [f"log/outcomes/2026-11-{day}/desk.jsonl" for day in range(24, 30)]
        + [f"log/predictions/2026-11-{day}/api.jsonl" for day in range(23, 30)]
    )
    assert requests(first) == 70
    assert counted(store) == first
    assert store.since() == []


@pytest.mark.parametrize(("large", "at_once"), [(1, 1), (1 << 20, scan.THREADS)])
def test_days_of_large_parquet_files_are_read_one_after_the_other(store, monkeypatch, large, at_once):
    for day in range(4):
        name = f"log/predictions/{MONDAY + timedelta(days=day):%Y-%m-%d}/a.parquet"
        store.write(name, parquet([PREDICTION | {"timestamp": f"{MONDAY + timedelta(days=day):%Y-%m-%d}T12:00:00Z"}]))
    running, most, lock = 0, 0, Lock()

    def watched(*args, **named):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.1)
        try:
            return scan.scan_day(*args, **named)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(daily, "scan_day", watched)
    monkeypatch.setattr(scan, "LARGE", large)
    counted(store)
    assert most == at_once


def test_several_weeks_counted_in_one_go_are_what_each_is_by_itself(store):
    fill(store, days=14)
    until = NEXT_WEEK.end
    found = tally_windows(store, [NEXT_WEEK, WEEK], mapping=LogMapping(), outcomes_until=until)
    assert found == [counted(store, NEXT_WEEK), counted(store, WEEK, until=until)]
    assert [requests(one) for one in found] == [70, 70]
    assert labelled(found[1]) > labelled(counted(store))  # what was said in the week after is in it
    assert tally_windows(store, [], mapping=LogMapping(), outcomes_until=until) == []


def test_a_week_later_only_the_new_days_are_read(store):
    fill(store, days=14)
    counted(store)
    store.since()
    counted(store, NEXT_WEEK, until=NEXT_WEEK.end + timedelta(days=2))
    assert {key.split("/")[2] for key in store.since()} == {f"2026-11-{30}", *(f"2026-12-0{n}" for n in range(1, 8))}


def test_a_late_outcome_is_counted_with_its_prediction_and_only_its_own_file_is_read(store):
    write_predictions(store, [prediction("p1"), prediction("p2")], name="api")
    until = WEEK.end + timedelta(days=3)
    assert labelled(counted(store, until=until)) == 0
    store.since()
    write_outcomes(store, [outcome("p1", WEEK.end + timedelta(days=2, hours=1))], name="late")
    found = counted(store, until=until)
    assert labelled(found) == 1
    assert found.delay == {9: 1}  # Monday 00:00 to Wednesday of the next week, 01:00
    assert store.since() == ["log/outcomes/2026-12-02/late.jsonl"]


@pytest.mark.parametrize("way", [counted, row_by_row])
def test_of_free_text_labels_are_as_late_as_what_says_right_or_wrong(store, way):
    write_predictions(store, [prediction(f"p{n}") for n in range(5)], name="api")
    at_once, late = MONDAY + timedelta(hours=2), MONDAY + timedelta(days=6, hours=2)
    text = {"source": OutcomeSource.ESCALATION, "answer": "What the person wrote."}
    said = [outcome(f"p{n}", at_once, **text) for n in range(4)]
    said += [outcome(f"p{n}", late, answer=None, correct=True) for n in (2, 3)]
    said += [outcome("p4", late - timedelta(days=1), correct=False, **text)]
    write_outcomes(store, said, name="desk")
    found = way(store, text=True)
    assert labelled(found) == 3  # p2 and p3 after six whole days, p4 after five
    assert found.delay == {6: 2, 5: 1}
    found = way(store)  # of labels every answer says what is right
    assert (labelled(found), found.delay) == (5, {0: 4, 5: 1})


def test_an_earlier_until_is_told_what_was_known_then(store):
    fill(store)
    late = counted(store, until=NEXT_WEEK.end)
    early = counted(store, until=MONDAY + timedelta(days=2))
    assert (labelled(late), labelled(early)) == (70, 10)  # only Monday's ten were audited by Wednesday
    assert early == row_by_row(store, until=MONDAY + timedelta(days=2))
    assert counted(store, until=NEXT_WEEK.end) == late


def test_a_day_whose_files_have_changed_is_read_again(store):
    fill(store)
    counted(store)
    store.since()
    write_predictions(store, [prediction("late")], name="more")
    assert requests(counted(store)) == 71
    write_predictions(store, [prediction("late"), prediction("later")], name="more")
    assert requests(counted(store)) == 72
    store.delete(f"{FIRST_DAY}/more.jsonl")
    assert requests(counted(store)) == 70
    monday = [f"{FIRST_DAY}/api.jsonl", f"{FIRST_DAY}/more.jsonl"]
    assert store.since() == [*monday, *monday, monday[0]]


@pytest.mark.parametrize("name", ["api.jsonl", "api.parquet"])
def test_of_a_large_day_the_texts_of_some_requests_are_kept_as_by_chance(store, name, monkeypatch):
    monkeypatch.setattr(scan, "SMALL", 0)
    rows = [PREDICTION | {"id": f"p{n}", "input": f"Text {n}"} for n in range(1000)]
    data = jsonl(*rows) if name.endswith("jsonl") else parquet(rows)
    store.write(f"{FIRST_DAY}/{name}", data)
    monkeypatch.setattr(scan, "TEXTS", len(data) // 10)
    found = sampled(store)
    assert found.requests == 1000
    assert 70 < len(found.predictions) < 130  # a tenth; the standard deviation is 9.5
    lots = sorted(draw_order(f"p{n}") for n in range(1000))
    assert sorted(draw_order(one.id) for one in found.predictions) == lots[: len(found.predictions)]
    assert all(one.input == f"Text {one.id[1:]}" for one in found.predictions)


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet"])
def test_where_the_kept_texts_are_too_few_the_next_by_lot_are_read_from_the_raw_files(store, kind, monkeypatch):
    monkeypatch.setattr(scan, "SMALL", 0)
    for day in range(2):
        at = MONDAY + timedelta(days=day)
        rows = [
            PREDICTION | {"id": f"{day}-{n}", "input": f'Text {n} "of" {day}', "timestamp": at.isoformat()}
            for n in range(100)
        ]
        plain = jsonl(*rows)
        data = {"jsonl": plain, "jsonl.gz": gzip.compress(plain), "parquet": parquet(rows)}[kind]
        store.write(f"log/predictions/{at.date()}/api.{kind}", data)
        monkeypatch.setattr(scan, "TEXTS", len(data) // 20)
    write_outcomes(store, [outcome(f"{day}-{n}") for day in range(2) for n in range(100)], name="desk")
    assert len(sampled(store).predictions) < 25  # a twentieth of 200; the standard deviation is 3
    store.since()
    found = sampled(store, least=50)
    assert set(store.since()) == {f"log/predictions/2026-11-{day}/api.{kind}" for day in (23, 24)}
    assert found.requests == 200
    lots = sorted(draw_order(f"{day}-{n}") for day in range(2) for n in range(100))
    assert sorted(draw_order(one.id) for one in found.predictions) == lots[:50]
    assert all(one.input == 'Text {1} "of" {0}'.format(*one.id.split("-")) for one in found.predictions)
    assert found.outcomes.keys() == {one.id for one in found.predictions}
    assert sampled(store, least=1000) == sampled_rows(store, least=1000)  # there are no more than all


def test_where_more_are_asked_for_than_the_limit_that_many_are_looked_at(store, monkeypatch):
    for module in (windows, log):
        monkeypatch.setattr(module, "SAMPLED", 20)
    fill(store)
    assert len(sampled(store, least=30).predictions) == 30
    assert sampled(store, least=30) == sampled_rows(store, least=30)


def test_a_raw_row_that_has_gone_since_its_day_was_read_is_named(store, monkeypatch):
    monkeypatch.setattr(scan, "SMALL", 0)
    monkeypatch.setattr(scan, "TEXTS", 1)
    write_predictions(store, [prediction(f"p{n}") for n in range(3)], name="api")
    sampled(store)

    class Emptied(Counting):
        def fetch(self, key, folder, *, own=False):
            if key.startswith("log/"):
                self.store.write(key, b"")
            return self.store.fetch(key, folder, own=own)

    with pytest.raises(StoreError, match=r"2026-11-23/ line \d: found no such request, expected the one"):
        sampled(Emptied(store.store), least=3)


def test_a_request_of_a_busy_day_is_as_likely_to_be_looked_at_as_one_of_a_quiet_day(store, monkeypatch):
    weekend = {}
    for day in range(7):
        at = MONDAY + timedelta(days=day)
        rows = [prediction(f"{day}-{n}", at, input="Where is it?") for n in range(30 if day > 4 else 300)]
        write_predictions(store, rows, name="api")
        weekend |= {one.id: day > 4 for one in rows}
    size = store.size("log/predictions/2026-11-28/")
    for name in ("SMALL", "TEXTS"):  # a Saturday is small, and of a Monday the texts of a tenth are kept
        monkeypatch.setattr(scan, name, size + 1)
    found = sampled(store)
    assert (found.requests, len(weekend)) == (1560, 1560)
    assert 110 < len(found.predictions) < 200  # a tenth; the standard deviation is 12
    lots = {draw_order(id): odd for id, odd in weekend.items()}
    assert sorted(draw_order(one.id) for one in found.predictions) == sorted(lots)[: len(found.predictions)]
    assert sum(weekend[one.id] for one in found.predictions) < 15  # 60 of 1,560 requests, so 6 of 156


def test_no_more_requests_are_looked_at_than_the_limit(store, monkeypatch):
    for module in (windows, log):
        monkeypatch.setattr(module, "SAMPLED", 20)
    fill(store)
    assert sampled(store, until=NEXT_WEEK.end) == sampled_rows(store, until=NEXT_WEEK.end)
    found = sampled(store, until=NEXT_WEEK.end)
    assert (found.requests, len(found.predictions), len(found.outcomes)) == (70, 20, 20)


@pytest.mark.parametrize("way", [sampled, sampled_rows])
def test_a_request_that_is_looked_at_has_what_requests_are_told_apart_by_and_no_other_metadata(store, way):
    rows = [prediction(f"p{n}", metadata={"channel": ["email", 7, None][n], "other": n}) for n in range(3)]
    write_predictions(store, rows, name="api")
    assert [one.metadata for one in way(store, mapping=BY_CHANNEL).predictions] == [
        {"channel": "email"}, {"channel": "7"}, {},
    ]  # fmt: skip
    assert [one.metadata for one in way(store).predictions] == [{}] * 3


def test_requests_are_told_apart_by_metadata(store):
    rows = [prediction(f"p{n}", metadata={"channel": ["email", 7, True, 2.5][n % 4], "other": n}) for n in range(8)]
    rows += [prediction(f"f{n}", metadata={"channel": [7.0, [7], {"name": 7}][n % 3]}) for n in range(3)]
    write_predictions(store, rows, name="api")
    found = counted(store, mapping=BY_CHANNEL)
    apart = {cell.facets: count.requests for cell, count in found.cells.items()}
    assert apart == {("email", None): 2, ("7", None): 3, ("true", None): 2, (None, None): 4}


def test_latencies_are_told_apart_by_model_and_metadata_and_add_up_over_days(store):
    asked = [
        ("v1", "email", 10.0),
        ("v1", "email", 10.5),
        ("v1", "chat", 40.0),
        ("v2", "email", 10.0),
        ("v2", "x", None),
    ]
    for day in range(2):
        at = MONDAY + timedelta(days=day)
        rows = [
            prediction(f"{day}-{n}", at, model_version=version, metadata={"channel": channel}, latency_ms=ms)
            for n, (version, channel, ms) in enumerate(asked)
        ]
        write_predictions(store, rows, name="api")
    # 8 * log2 of 10, 10.5 and 40: 26.6, 27.1 and 42.6
    one_day = {("v1", "email"): {26: 1, 27: 1}, ("v1", "chat"): {42: 1}, ("v2", "email"): {26: 1}}
    first, both = counted(store, MONDAYS, mapping=BY_CHANNEL), counted(store, mapping=BY_CHANNEL)
    for found, days in ((first, 1), (both, 2)):
        assert {(one.model_version, one.facets[0]): steps for one, steps in found.latency.items()} == {
            whose: {step: n * days for step, n in steps.items()} for whose, steps in one_day.items()
        }
    assert both == row_by_row(store, mapping=BY_CHANNEL)
    for key in list(store.keys("daily/")):
        store.delete(key)
    assert counted(store, mapping=BY_CHANNEL) == both


def test_sums_of_confidences_are_the_same_to_the_last_digit(store):
    # times 10^12 both end in a half, which Python rounds to the even neighbour and DuckDB up
    sure = [0.1234567890125, 0.1234567890135]
    write_predictions(store, [prediction(f"p{n}", confidence=one) for n, one in enumerate(sure)], name="api")
    assert [count.confidence for count in counted(store).cells.values()] == [123456789013 + 123456789014]
    assert counted(store) == row_by_row(store)


def test_what_is_kept_can_be_deleted_and_is_made_again(store):
    fill(store)
    first = counted(store)
    for key in list(store.keys("daily/")):
        store.delete(key)
    assert counted(store) == first


@pytest.mark.parametrize("data", [b"", b'{"day": ', b'{"day": "2026-11-23", "of": "somebody else"}', b"PAR1"])
@pytest.mark.parametrize("name", ["predictions.json", "predictions.parquet"])
def test_what_is_half_written_or_foreign_is_made_again(store, name, data):
    fill(store)
    first = counted(store)
    store.write(f"daily/2026-11-23/{name}", data)
    assert counted(store) == first


def test_what_somebody_else_kept_of_fewer_files_at_the_same_moment_is_not_taken_for_ours(store):
    fill(store)
    counted(store)
    old = store.read("daily/2026-11-23/predictions.parquet")
    write_predictions(store, [prediction("more")], name="late")

    class Crowded(Counting):
        def write(self, key: str, data: bytes) -> None:
            self.store.write(key, data)
            if key == "daily/2026-11-23/predictions.parquet":
                self.store.write(key, old)

    assert [requests(counted(one)) for one in (Crowded(store), store)] == [71, 71]


@pytest.mark.parametrize("when", ["before it is fetched", "afterwards"])
def test_a_kept_day_that_somebody_else_keeps_anew_meanwhile_is_read_as_its_record_says(store, when):
    again = PREDICTION | {"timestamp": "2026-11-25T10:00:00Z"}  # which is looked up by the number of its file
    store.write("log/predictions/2026-11-25/b.jsonl", jsonl(again, again))
    first, kept = counted(store), "daily/2026-11-25/predictions.parquet"
    other = open_store(f"{store.uri}-other")
    for name in "abc":
        other.write(f"log/predictions/2026-11-25/{name}.jsonl", jsonl(again))
    counted(other)

    class Crowded(Counting):
        def fetch(self, key, folder, *, own=False):
            replaced = key == kept
            if replaced and when == "before it is fetched":
                self.store.write(kept, other.read(kept))
            found = self.store.fetch(key, folder, own=own)
            if replaced and when == "afterwards":
                self.store.write(kept, other.read(kept))
            return found

    assert [counted(one) for one in (Crowded(store), store)] == [first, first]


def test_a_kept_day_that_is_deleted_while_it_is_fetched_is_made_again(store):
    fill(store)
    first = counted(store)

    class Cleared(Counting):
        def fetch(self, key, folder, *, own=False):
            if key.startswith("daily/"):
                self.store.delete(key)
            return self.store.fetch(key, folder, own=own)

    assert [counted(one) for one in (Cleared(store), store)] == [first, first]


def test_another_mapping_reads_the_days_again(store):
    store.write(f"{FIRST_DAY}/a.jsonl", jsonl(THEIRS))
    assert [requests(counted(store)), requests(counted(store, mapping=ZENDESK))] == [0, 1]


def test_what_upkeep_wrote_into_the_log_of_a_client_with_other_names_is_read_as_it_was_written(store):
    write_outcomes(store, [outcome("p1", MONDAY)], name=own_file("2026-W48", "0" * 12))
    write_outcomes(store, [outcome("p1", MONDAY)], name="theirs")
    store.write(f"{FIRST_DAY}/a.jsonl", jsonl(THEIRS))
    found = counted(store, mapping=ZENDESK)
    assert (labelled(found), [row.file for row in found.quarantined]) == (1, [f"{FIRST_OUTCOMES}/theirs.jsonl"])
    assert found == row_by_row(store, mapping=ZENDESK)


def test_an_id_doubled_across_days_is_quarantined_as_it_stands_in_its_file(store):
    again = PREDICTION | {"timestamp": "2026-11-25T10:00:00Z", "input": "again"}
    store.write(f"{FIRST_DAY}/a.jsonl", jsonl(PREDICTION))
    store.write("log/predictions/2026-11-25/b.jsonl", jsonl(b"", again, PREDICTION | {"id": "p2"}))
    store.write("log/predictions/2026-11-26/c.parquet", parquet([again | {"timestamp": "2026-11-26T10:00:00Z"}]))
    found = counted(store)
    assert [(row.file[16:], row.line, row.subject) for row in found.quarantined] == [
        ("2026-11-25/b.jsonl", 2, "duplicate id"),
        ("2026-11-25/b.jsonl", 3, "timestamp"),
        ("2026-11-26/c.parquet", 1, "duplicate id"),
    ]
    assert found == row_by_row(store)


def test_a_doubled_id_whose_first_row_is_in_the_week_before_is_none(store):
    sunday, berlin = "log/predictions/2026-11-22", Window(*(MONDAY + timedelta(days=n, hours=-1) for n in (0, 7)), "W")
    rows = [PREDICTION | {"timestamp": f"2026-11-22T{hour}:30:00Z"} for hour in (22, 23)]
    store.write(f"{sunday}/a.jsonl", jsonl(*rows))
    assert requests(counted(store, berlin)) == 1
    assert counted(store, berlin).quarantined == []


def test_it_works_on_s3(s3_endpoint):  # noqa: F811
    store = Counting(open_store(f"s3://{new_bucket(s3_endpoint)}/acme", endpoint=s3_endpoint))
    fill(store)
    store.write(f"{FIRST_DAY}/b.parquet", parquet([PREDICTION, PREDICTION]))
    first = counted(store)
    assert first == row_by_row(store)
    store.since()
    assert counted(store) == first
    assert set(store.since()) == {f"{FIRST_DAY}/b.parquet"}  # for what stands in the row that is doubled
