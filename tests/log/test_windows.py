"""Do the kept days say exactly what the raw rows say, and are raw rows read only once?"""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.log.test_lines import GOOD_LINES, SAID, THEIRS, ZENDESK, mangled
from tests.log_rows import (
    FIRST_DAY,
    FIRST_OUTCOMES,
    MONDAY,
    NEXT_WEEK,
    OUTCOME,
    PREDICTION,
    WEEK,
    jsonl,
    outcome,
    parquet,
    prediction,
)
from tests.s3 import new_bucket, s3_endpoint  # noqa: F401 -- fixtures are found by name
from upkeep.adapters.store import open_store
from upkeep.conversations import MARK
from upkeep.log import entries as log
from upkeep.log import scan, windows
from upkeep.log.entries import LogMapping, Outcome, OutcomeSource, Prediction, Sample, draw_order, sample
from upkeep.log.files import read_window, write_outcomes, write_predictions
from upkeep.log.lines import PREDICTIONS, own_file
from upkeep.log.sql_filter import VISIBLE, from_json, from_parquet
from upkeep.log.tally import Tally, tally
from upkeep.log.windows import sample_window, tally_windows
from upkeep.periods import Cadence, Window, period
from upkeep.store import Store


class Counting:
    """A store that notes which keys of the raw log were read."""

    def __init__(self, store: Store) -> None:
        self.store, self.raw = store, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def read(self, key: str) -> bytes:
        self._note(key)
        return self.store.read(key)

    def fetch(self, key: str, folder: Path) -> Path:
        self._note(key)
        return self.store.fetch(key, folder)

    def _note(self, key: str) -> None:
        if key.startswith("log/"):
            self.raw.append(key)

    def since(self) -> list[str]:
        """What was read since the last time this was asked."""
        found, self.raw = self.raw, []
        return found


BY_CHANNEL = LogMapping(by=("channel", "vip.since"))


@pytest.fixture(scope="module", autouse=True, params=[0, scan.SMALL], ids=["duckdb", "small days"])
def way_of_reading(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "SMALL", request.param)
        yield


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(open_store(str(tmp_path / "acme")))


def counted(
    store: Any,
    window: Window = WEEK,
    *,
    mapping: LogMapping | None = None,
    until: datetime | None = None,
    text: bool = False,
) -> Tally:
    mapping, until = mapping or LogMapping(), until or window.end
    return tally_windows(store, [window], mapping=mapping, outcomes_until=until, free_text=text)[0]


def row_by_row(
    store: Any,
    window: Window = WEEK,
    *,
    mapping: LogMapping | None = None,
    until: datetime | None = None,
    text: bool = False,
) -> Tally:
    mapping = mapping or LogMapping()
    log = read_window(store, window, mapping=mapping, outcomes_until=until or window.end)
    return tally(log, mapping.by, free_text=text)


def sampled(
    store: Any, window: Window = WEEK, *, mapping: LogMapping | None = None, until: datetime | None = None
) -> Sample:
    return sample_window(store, window, mapping=mapping or LogMapping(), outcomes_until=until or window.end)


def sampled_rows(
    store: Any, window: Window = WEEK, *, mapping: LogMapping | None = None, until: datetime | None = None
) -> Sample:
    return sample(read_window(store, window, mapping=mapping or LogMapping(), outcomes_until=until or window.end))


def requests(found: Tally) -> int:
    return sum(count.requests for count in found.cells.values())


def labelled(found: Tally) -> int:
    return sum(count.requests for cell, count in found.cells.items() if cell.said)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    lines=st.lists(mangled() | st.sampled_from(GOOD_LINES), max_size=8),
    mapping=st.sampled_from([LogMapping(), ZENDESK, BY_CHANNEL]),
)
def test_whatever_is_in_a_line_the_kept_days_say_what_the_rows_say(lines: list[bytes], mapping: LogMapping):
    with tempfile.TemporaryDirectory() as folder:
        store, data = open_store(folder), b"\n".join(lines)
        store.write(f"{FIRST_DAY}/a.jsonl", data)
        store.write(f"{FIRST_OUTCOMES}/a.jsonl", data)
        assert counted(store, mapping=mapping) == row_by_row(store, mapping=mapping)
        assert sampled(store, mapping=mapping) == sampled_rows(store, mapping=mapping)


ODD = [
    b'{"a":1,}', b"[1,]", b'{"x": NaN}', b'{"x": -Infinity}', b'{"x": 1e400}', b'{"id": "other", "id": "p1"}',
    b'{"x": "\\ud800"}', b'{"id": "\\u0000"}', b'{"id": "\\u00e4\\n"}', b'{"id": "\\n"}', b'{"id": " "}',
    b'{"input": "\\n\\t"}', b'{"input": "  x"}', b'{"input": "!?"}', b'{"input": "\xc2\xa0"}', b'{"input": 5}',
    b'{"confidence": true}', b'{"confidence": "0.5"}', b'{"confidence": 1.0000001}', b'{"confidence": -0.0}',
    b'{"confidence": 1e-3}', b'{"confidence": 1E0}', b'{"confidence": 0.1234567890123456789}', b'{"confidence": null}',
    b'{"automatic": 1}', b'{"automatic": null}', b'{"automatic": false, "output": null}', b'{"output": null}',
    b'{"automatic": false, "output": ""}', b'{"output": ""}',
    b'{"latency_ms": 0}', b'{"latency_ms": null}', b'{"latency_ms": 1e308}', b'{"latency_ms": -1}',
    b'{"latency_ms": 123456789012345678901234567890}', b'{"metadata": []}', b'{"metadata": null}',
    b'{"metadata": {}}', b'{"metadata": {"channel": null}}', b'{"metadata": {"channel": ""}}',
    b'{"metadata": {"channel": "\\u00e4"}}', b'{"metadata": {"channel": "e\\"mail"}}', b'{"metadata": {"channel": 1}}',
    b'{"metadata": {"channel": -0}}', b'{"metadata": {"channel": 007}}', b'{"metadata": {"channel": 1.0}}',
    b'{"metadata": {"channel": 1e2}}', b'{"metadata": {"channel": 12345678901234567890}}',
    b'{"metadata": {"channel": true}}', b'{"metadata": {"channel": {"name": "email"}}}',
    b'{"metadata": {"channel": ["email"]}}', b'{"metadata": {"channel": "a", "channel": "b"}}',
    b'{"metadata": {"channel": "null"}}', b'{"metadata": {"vip.since": "2020"}}',
    b'{"metadata": {"vip": {"since": 1}}}',
    b'{"timestamp": "2026-11-23T24:00:00Z"}', b'{"timestamp": "20261123T100000Z"}', b'{"timestamp": "2026-11-23"}',
    b'{"timestamp": "2026-11-23T10:00:00.123456789Z"}', b'{"timestamp": "2026-11-23T10:00:00.123Z"}',
    b'{"timestamp": "2026-11-24T10:00:00+23:59"}', b'{"timestamp": "2026-11-23 10:00:00.123456-14:00"}',
    b'{"timestamp": "2026-11-23T10:00:00"}', b'{"timestamp": 1795428000}', b'{"model_version": ""}',
    b'{"source": "AUDIT"}', b'{"correct": 1}', b'{"correct": null}', b'{"answer": null}', b'{"answer": ""}',
    b'{"answer": null, "correct": null}', b'{"prediction_id": 1}', b'{"x": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"x": ' + b"9" * 5000 + b"}", b'{"output": "a "}', b'{"output": "\xc2\xa0a"}', b'{"output": "u\xcc\x88"}',
    b'{"answer": "a\\n"}', b'{"answer": "\xe3\x80\x80a"}', b'{"answer": "\xcd\x84 x"}', b'{"answer": "\xc3\xbc x"}',
]  # fmt: skip
"""What is put over a good row; a part that is not JSON by itself is put before its end as text."""
TALK = [{"role": role, "content": said} for role, said in (("user", "a"), ("assistant", "b\n"), ("user", "c"))]
TOLD = [TALK, TALK[:2], [], f"{MARK}user: hi"]
ODD += [json.dumps({"input": one}, ensure_ascii=plain).encode() for one in TOLD for plain in (True, False)]


def odd_lines(good: dict[str, Any]) -> list[bytes]:
    """A good row with each oddity at its end, where Python takes it in place of what stands before."""
    text = json.dumps(good).encode()
    return [text[:-1] + b", " + one.removeprefix(b"{") for one in ODD] + ODD


@pytest.mark.parametrize("good", [PREDICTION, OUTCOME, THEIRS, SAID], ids=["ours", "said", "theirs", "told"])
@pytest.mark.parametrize("mapping", [LogMapping(), ZENDESK, BY_CHANNEL], ids=["plain", "mapped", "by channel"])
def test_what_duckdb_would_read_otherwise_is_read_as_python_reads_it(store, good, mapping):
    for folder in (FIRST_DAY, FIRST_OUTCOMES):
        store.write(f"{folder}/a.jsonl", b"\n".join(odd_lines(good)))
    assert counted(store, mapping=mapping) == row_by_row(store, mapping=mapping)
    assert sampled(store, mapping=mapping) == sampled_rows(store, mapping=mapping)


@pytest.mark.parametrize("mapping", [LogMapping(), BY_CHANNEL], ids=["plain", "by channel"])
@pytest.mark.parametrize("metadata", [{"channel": "email"}, {"channel": 7, "vip.since": None}])
def test_a_row_that_is_plainly_fine_is_so_to_sql_alone(mapping, metadata):
    row, day = PREDICTION | {"metadata": metadata}, MONDAY.date()
    table = pa.Table.from_pylist([row | {"file_row_number": 0, "timestamp": MONDAY}])
    with duckdb.connect() as made:
        made.register("batch", pa.table({"line": [1], "content": [json.dumps(row)]}))
        made.register("file", table)
        types = {name: type for name, type, *_ in made.execute("DESCRIBE file").fetchall()}
        for query in (from_json(PREDICTIONS, mapping, day, ""), from_parquet(PREDICTIONS, mapping, day, "", types)):
            assert made.execute(f"SELECT line, fine FROM ({query})").fetchall() == [(1, True)]


def test_what_sql_takes_for_visible_is_no_white_space_to_python():
    blank = [chr(code) for code in range(0x110000) if chr(code).isspace()]
    with duckdb.connect() as made:
        found = made.execute("SELECT x FROM unnest(?) t(x) WHERE regexp_matches(x, ?)", [[*blank, "a", "!"], VISIBLE])
        assert found.fetchall() == [("a",), ("!",)]


ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")]
minutes = st.integers(-2 * 24 * 60, 9 * 24 * 60)
ids = st.integers(0, 12).map("p{}".format)  # few, so that many are doubled
answers = st.sampled_from(["a", "b", "a ", "\u00a0b", "u\u0308", "\u00fc", "\u6771\u4eac", "oos", None])
predicted = st.builds(
    lambda id, at, version, output, automatic, sure, latency, channel: prediction(
        id,
        MONDAY + timedelta(minutes=at),
        model_version=version,
        output=output,
        automatic=automatic and output is not None,
        confidence=sure,
        latency_ms=latency,
        metadata={"channel": channel},
    ),
    ids, minutes, st.sampled_from(["v1", "v2"]), answers, st.booleans(), st.floats(0, 1),
    st.none() | st.floats(0, 1e6), st.sampled_from(["email", "chat", "", None]),
)  # fmt: skip
told = st.builds(
    lambda id, at, source, answer, correct: outcome(
        id, MONDAY + timedelta(minutes=at), source=source, answer=answer, correct=correct or (None if answer else False)
    ),
    ids, minutes, st.sampled_from(OutcomeSource), answers, st.none() | st.booleans(),
)  # fmt: skip


@st.composite
def files(draw: Callable[..., Any]) -> dict[str, bytes]:
    """A few files of good and bad rows in all three formats, by key."""
    found: dict[str, bytes] = {}
    for number in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(["a", "b", "part/c", "_d"])) + str(number)
        kind = draw(st.sampled_from([".jsonl", ".jsonl.gz", ".parquet", ".csv"]))
        rows: list[Prediction | Outcome] = draw(st.lists(predicted | told, max_size=10))
        keys = {f"{_half(row)}/{row.at.date()}" for row in rows}
        for folder in keys:
            mine = [row for row in rows if f"{_half(row)}/{row.at.date()}" == folder]
            found[f"log/{folder}/{name}{kind}"] = _packed(kind, mine, draw(st.lists(mangled(), max_size=2)))
    return found


def _half(row: Prediction | Outcome) -> str:
    return "predictions" if isinstance(row, Prediction) else "outcomes"


def _packed(kind: str, rows: list[Any], bad: list[bytes]) -> bytes:
    if kind == ".parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([_fields(row) for row in rows]), buffer)
        return buffer.getvalue()
    plain = jsonl(*(_fields(row) | {"timestamp": row.at.isoformat()} for row in rows), *bad)
    return gzip.compress(plain) if kind.endswith(".gz") else plain


def _fields(row: Prediction | Outcome) -> dict[str, Any]:
    named = {name: getattr(row, name) for name in row.__slots__ if name != "at"}
    return named | {"timestamp": row.at}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    written=st.lists(files(), min_size=1, max_size=3),
    zone=st.sampled_from(ZONES),
    waits=st.lists(st.integers(-3, 12), min_size=1, max_size=2),
)
def test_whatever_comes_when_the_kept_days_say_what_the_rows_say(written, zone, waits):
    week = period(MONDAY + timedelta(days=3), Cadence.WEEKLY, zone)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        for more in written:
            for key, data in more.items():
                store.write(key, data)
            for days in waits:
                until = week.end + timedelta(days=days)
                for text in (False, True):
                    both = [
                        way(store, week, until=until, mapping=BY_CHANNEL, text=text) for way in (counted, row_by_row)
                    ]
                    assert both[0] == both[1]
                assert sampled(store, week, until=until) == sampled_rows(store, week, until=until)


def fill(store: Store, days: int = 7) -> None:
    """Ten predictions a day, all audited a day later."""
    for day in range(days):
        rows = [prediction(f"{day}-{n}", MONDAY + timedelta(days=day, hours=n)) for n in range(10)]
        write_predictions(store, rows, name="api")
        write_outcomes(store, [outcome(row.id, row.at + timedelta(days=1)) for row in rows], name="desk")


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


def test_requests_are_told_apart_by_metadata(store):
    rows = [prediction(f"p{n}", metadata={"channel": ["email", 7, True, 2.5][n % 4], "other": n}) for n in range(8)]
    write_predictions(store, rows, name="api")
    found = counted(store, mapping=BY_CHANNEL)
    apart = {cell.facets: count.requests for cell, count in found.cells.items()}
    assert apart == {("email", None): 2, ("7", None): 2, ("true", None): 2, (None, None): 2}


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


def test_another_mapping_reads_the_days_again(store):
    store.write(f"{FIRST_DAY}/a.jsonl", jsonl(THEIRS))
    assert [requests(counted(store)), requests(counted(store, mapping=ZENDESK))] == [0, 1]


def test_what_upkeep_wrote_into_the_log_of_a_client_with_other_names_is_read_as_it_was_written(store):
    write_outcomes(store, [outcome("p1", MONDAY)], name=own_file("2026-W48", "0" * 12))
    write_outcomes(store, [outcome("p1", MONDAY)], name="theirs")
    found = counted(store, mapping=ZENDESK)
    assert (found.orphan_outcomes, [row.file for row in found.quarantined]) == (1, [f"{FIRST_OUTCOMES}/theirs.jsonl"])
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


@pytest.mark.parametrize("mapping", [LogMapping(), ZENDESK, BY_CHANNEL], ids=["plain", "mapped", "by channel"])
def test_odd_parquet_columns_are_read_as_python_reads_them(store, mapping):
    good = PREDICTION | {"timestamp": datetime(2026, 11, 23, 9, tzinfo=UTC), "metadata": {"channel": "email"}}
    theirs = THEIRS | {"ticket.id": "p1", "created": good["timestamp"]}
    changes = [
        {},
        {"timestamp": "2026-11-23T10:00:00Z"},
        {"confidence": 1},
        {"confidence": "1"},
        {"id": b"p1"},
        {"automatic": 1},
        {"ID": "other"},
        {"line": 7},
        {"metadata": {"at": good["timestamp"]}},
        {"metadata": {"channel": 3}},
        {"metadata": {"channel": 2.5}},
        {"metadata": {"channel": 2.0}},
        {"metadata": {"channel": False, "other": "x"}},
        {"metadata": {"channel": "e\\mail"}},
        {"metadata": {"channel": {"name": "email"}}},
        {"metadata": {"channel": None}},
        {"metadata": "email"},
        {"id": " "},
        {"input": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        {"input": TALK},
    ]
    for number, change in enumerate(changes):
        for name, row in (("ours", good | change), ("theirs", theirs | change)):
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pylist([row]), buffer)
            store.write(f"{FIRST_DAY}/{number}{name}.parquet", buffer.getvalue())
    assert counted(store, mapping=mapping) == row_by_row(store, mapping=mapping)


DOUBTED = [
    {"id": "\u2010"},
    {"input": "\u2010"},
    {"input": f"{MARK}user: hi"},
    {"latency_ms": 1.5e308},
    {"output": "\u3000a", "automatic": False},
]
BAD = [{"id": " "}, {"confidence": 1.5}, {"input": "\u00a0"}, {"output": None}, {"model_version": ""}]


@pytest.mark.parametrize("odd", [[], DOUBTED, BAD, BAD + DOUBTED], ids=["none", "doubted", "bad", "both"])
def test_rows_that_sql_doubts_in_a_parquet_file_are_judged_by_python(store, odd):
    rows = [PREDICTION | {"id": f"r{at}"} | change for at, change in enumerate([{}, *odd, {}])]
    store.write(f"{FIRST_DAY}/a.parquet", parquet(rows))
    assert counted(store) == row_by_row(store)
    assert sampled(store) == sampled_rows(store)
    assert requests(counted(store)) == len(rows) - sum(one in BAD for one in odd)


@pytest.mark.parametrize(
    "text", ["~", "~~", "!", "\x7f", "\x00", "\x1f", '"', "\\", "a ", " a", "\u00e4", "\U0001f600", "u\u0308", "\u0344"]
)
def test_the_shortest_texts_in_a_parquet_file_mean_what_they_mean_to_python(store, text):
    fields = ("id", "input", "output", "model_version")
    for at, name in enumerate(fields):
        store.write(f"{FIRST_DAY}/{at}.parquet", parquet([PREDICTION | {"id": f"r{at}"} | {name: text}]))
    store.write(
        "log/predictions/2026-11-24/a.parquet",
        parquet([PREDICTION | {"id": text, "timestamp": "2026-11-24T10:00:00Z"}]),
    )
    assert counted(store) == row_by_row(store)


@pytest.mark.parametrize("name", ["part-[1]", "part-?", "*", "[!x]art-1"])
def test_a_name_that_could_stand_for_several_files_stands_for_one(tmp_path, name):
    for folder in ("acme1", "acme[1]"):  # the store's own folder may have such a name too
        store = open_store(str(tmp_path / folder))
        store.write(f"{FIRST_DAY}/{name}.parquet", parquet([PREDICTION | {"id": f"{folder} odd"}]))
        store.write(f"{FIRST_DAY}/part-1.parquet", parquet([PREDICTION | {"id": f"{folder} plain"}]))
        found = counted(store)
        assert (requests(found), found.quarantined) == (2, [])
    alone = "log/predictions/2026-11-24"
    store.write(f"{alone}/{name}.parquet", parquet([PREDICTION | {"timestamp": "2026-11-24T10:00:00Z"}]))
    assert sorted(one.id for one in sampled(store).predictions) == ["acme[1] odd", "acme[1] plain", "p1"]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_file_whose_name_nobody_can_write_down_is_quarantined_and_not_read_again(store, ending):
    fill(store)
    name = os.fsdecode(b"caf\xe9")
    content = jsonl(PREDICTION) if ending == "jsonl" else parquet([PREDICTION])
    store.write(f"{FIRST_DAY}/{name}.{ending}", content)
    found = counted(store)
    (row,) = found.quarantined
    assert (row.file, row.line) == (f"{FIRST_DAY}/caf\\xe9.{ending}", 0)
    assert row.reason == "file: name is not UTF-8, expected one that is"
    assert found == row_by_row(store)
    store.since()
    assert (counted(store), store.since()) == (found, [])


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_sql_of_ours_that_is_no_sql_is_not_passed_over_in_silence(store, ending, monkeypatch):
    monkeypatch.setattr(scan, "SMALL", 0)
    monkeypatch.setattr(scan, f"from_{ending.removesuffix('l')}", lambda *_: "SELECT line FROM WHERE")
    store.write(f"{FIRST_DAY}/a.{ending}", jsonl(PREDICTION) if ending == "jsonl" else parquet([PREDICTION]))
    with pytest.raises(duckdb.ParserException):
        counted(store)


def test_a_file_that_duckdb_cannot_read_for_its_columns_is_told_once_and_a_damaged_one_is_not(
    store, monkeypatch, caplog
):
    monkeypatch.setattr(scan, "SMALL", 0)
    store.write(f"{FIRST_DAY}/a.parquet", parquet([PREDICTION | {"file_row_number": 7}]))
    store.write("log/predictions/2026-11-24/cut.parquet", parquet([PREDICTION])[:-20])
    assert counted(store) == row_by_row(store)
    (told,) = [one.getMessage() for one in caplog.records if one.name == scan.__name__]
    assert told.startswith(f"{FIRST_DAY}/a.parquet: read row by row")
    assert "file_row_number" in told


def test_it_works_on_s3(s3_endpoint):  # noqa: F811
    store = Counting(open_store(f"s3://{new_bucket(s3_endpoint)}/acme", endpoint=s3_endpoint))
    fill(store)
    store.write(f"{FIRST_DAY}/b.parquet", parquet([PREDICTION, PREDICTION]))
    first = counted(store)
    assert first == row_by_row(store)
    store.since()
    assert counted(store) == first
    assert set(store.since()) == {f"{FIRST_DAY}/b.parquet"}  # for what stands in the row that is doubled
