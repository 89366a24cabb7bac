"""Is every row of a log either understood or quarantined with its reason?"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from upkeep.adapters.store import open_store
from upkeep.errors import ConfigError, NotFoundError, StoreError
from upkeep.log import LogMapping, LogWindow, Outcome, OutcomeSource, Prediction, Quarantined
from upkeep.log_files import read_window, write_outcomes, write_predictions
from upkeep.periods import Window
from upkeep.store import Store
from upkeep.turns import WANTED, messages

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
WEEK = Window(MONDAY, MONDAY + timedelta(days=7), "2026-W48")
NEXT_WEEK = Window(MONDAY + timedelta(days=7), MONDAY + timedelta(days=14), "2026-W49")
FIRST_DAY = "log/predictions/2026-11-23"
FIRST_OUTCOMES = "log/outcomes/2026-11-23"

PREDICTION: dict[str, Any] = {
    "id": "p1",
    "timestamp": "2026-11-23T10:00:00+01:00",
    "input": "Where is my card?",
    "output": "card_arrival",
    "confidence": 0.93,
    "model_version": "acme-tickets-v3",
    "automatic": True,
    "latency_ms": 12.5,
    "metadata": {"channel": "email"},
}
OUTCOME: dict[str, Any] = {
    "prediction_id": "p1",
    "timestamp": "2026-11-23T12:00:00Z",
    "source": "audit",
    "answer": "card_arrival",
    "correct": True,
}


class MemoryStore:
    """A store in a dictionary."""

    uri = "memory://acme"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, key: str) -> bytes:
        if key not in self.files:
            raise NotFoundError(f"{self.uri}/{key}: not there")
        return self.files[key]

    def write(self, key: str, data: bytes) -> None:
        self.files[key] = data

    def create(self, key: str, data: bytes) -> None:
        self.files.setdefault(key, data)

    def exists(self, key: str) -> bool:
        return key in self.files

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.files if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        self.files.pop(key, None)


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def prediction(id: str = "p1", at: datetime = MONDAY, **changed: Any) -> Prediction:
    values: dict[str, Any] = {"input": "Hi", "output": "greeting", "confidence": 0.5, "model_version": "v1"}
    return Prediction(**({"id": id, "at": at, "automatic": True} | values | changed))


def outcome(id: str = "p1", at: datetime = MONDAY, **changed: Any) -> Outcome:
    return Outcome(**({"prediction_id": id, "at": at, "source": OutcomeSource.AUDIT, "answer": "x"} | changed))


def jsonl(*rows: object) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def read(
    store: Store, window: Window = WEEK, *, mapping: LogMapping | None = None, until: datetime | None = None
) -> LogWindow:
    return read_window(store, window, mapping=mapping or LogMapping(), outcomes_until=until or window.end)


def reasons(found: LogWindow) -> list[str]:
    return [row.reason for row in found.quarantined]


def test_a_row_as_documented_is_read_whole(store):
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(PREDICTION))
    store.write(f"{FIRST_OUTCOMES}/desk.jsonl", jsonl(OUTCOME))
    at = datetime(2026, 11, 23, 9, tzinfo=UTC)  # 10:00 at +01:00
    wanted = Prediction(
        id="p1",
        at=at,
        input="Where is my card?",
        output="card_arrival",
        confidence=0.93,
        model_version="acme-tickets-v3",
        automatic=True,
        latency_ms=12.5,
        metadata={"channel": "email"},
    )
    said = Outcome("p1", datetime(2026, 11, 23, 12, tzinfo=UTC), OutcomeSource.AUDIT, "card_arrival", True)
    assert read(store) == LogWindow([wanted], {"p1": [said]}, [], 0)


@pytest.mark.parametrize("pack", [jsonl, lambda row: parquet([row])], ids=["jsonl", "parquet"])
def test_a_conversation_is_read_as_one_text_and_written_as_messages(store, pack):
    talk = [{"role": "user", "content": "Hi\nthere"}, {"role": "assistant", "content": "Yes?"}]
    talk.append({"role": "user", "content": "Where is my card?"})
    store.write(f"{FIRST_DAY}/api.{'jsonl' if pack is jsonl else 'parquet'}", pack(PREDICTION | {"input": talk}))
    (found,) = read(store).predictions
    assert messages(found.input) == talk
    write_predictions(store, [replace(found, id="again")], name="again")
    assert talk == json.loads(store.read(f"{FIRST_DAY}/again.jsonl"))["input"]
    assert {row.input for row in read(store).predictions} == {found.input}


def test_what_is_written_is_read_back(store):
    rows = [
        prediction("a", MONDAY, metadata={"tags": ["ü", 1, None]}, latency_ms=3.0),
        prediction("b", MONDAY + timedelta(days=6, hours=23), automatic=False, output=None, confidence=0.0),
    ]
    said = [outcome("a", MONDAY + timedelta(hours=1), answer=None, correct=False), outcome("b", answer="späť")]
    write_predictions(store, rows, name="api")
    write_outcomes(store, said, name="desk")
    found = read(store)
    assert found == LogWindow(rows, {"a": [said[0]], "b": [said[1]]}, [], 0)


def test_rows_go_to_the_folder_of_their_utc_day(store):
    late = datetime(2026, 11, 24, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # 23:30 UTC on the day before
    write_predictions(store, [prediction("b", late), prediction("a", MONDAY + timedelta(days=1))], name="api")
    write_outcomes(store, [outcome("b", late)], name="desk")
    assert list(store.keys("")) == [
        "log/outcomes/2026-11-23/desk.jsonl",
        "log/predictions/2026-11-23/api.jsonl",
        "log/predictions/2026-11-24/api.jsonl",
    ]
    assert json.loads(store.read("log/predictions/2026-11-23/api.jsonl"))["timestamp"] == "2026-11-23T23:30:00+00:00"


def test_writing_the_same_rows_again_changes_nothing(store):
    rows = [prediction(str(number), MONDAY + timedelta(hours=number)) for number in range(30)]
    write_predictions(store, rows, name="api")
    before = dict(store.files)
    write_predictions(store, rows, name="api")
    assert store.files == before
    assert reasons(read(store)) == []


@pytest.mark.parametrize("name", ["", "_api", ".api", "a/b"])
def test_a_name_the_reader_would_pass_over_is_refused(store, name):
    with pytest.raises(StoreError, match="expected a file name"):
        write_predictions(store, [prediction()], name=name)
    assert store.files == {}


def test_a_time_without_a_zone_cannot_be_written_or_asked_for(store):
    naive = datetime(2026, 11, 23)
    with pytest.raises(ValueError, match="has no zone"):
        write_predictions(store, [prediction(at=naive)], name="api")
    with pytest.raises(ValueError, match="has no zone"):
        read(store, until=naive)


def test_a_window_holds_its_start_and_not_its_end(store):
    times = {"before": -1, "start": 0, "last": 7 * 24 * 3600 - 1, "end": 7 * 24 * 3600}
    write_predictions(store, [prediction(id, MONDAY + timedelta(seconds=at)) for id, at in times.items()], name="api")
    assert [row.id for row in read(store).predictions] == ["start", "last"]
    assert [row.id for row in read(store, NEXT_WEEK).predictions] == ["end"]


def test_a_week_in_berlin_begins_in_sundays_utc_folder(store):
    berlin = ZoneInfo("Europe/Berlin")
    window = Window(datetime(2026, 11, 23, tzinfo=berlin), datetime(2026, 11, 30, tzinfo=berlin), "2026-W48")
    hours = {"sunday 23:59": 22 * 60 + 59, "monday 00:00": 23 * 60, "monday 00:01": 23 * 60 + 1}
    sunday = datetime(2026, 11, 22, tzinfo=UTC)
    write_predictions(store, [prediction(id, sunday + timedelta(minutes=at)) for id, at in hours.items()], name="api")
    assert [row.id for row in read(store, window).predictions] == ["monday 00:00", "monday 00:01"]


def test_predictions_come_in_time_order_whatever_the_files(store):
    write_predictions(store, [prediction("c", MONDAY + timedelta(hours=3)), prediction("a", MONDAY)], name="x")
    write_predictions(store, [prediction("b", MONDAY + timedelta(hours=1))], name="y")
    assert [row.id for row in read(store).predictions] == ["a", "b", "c"]


def test_an_empty_log_is_an_empty_window(store):
    assert read(store) == LogWindow([], {}, [], 0)


def test_outcomes_come_in_time_order_and_only_until_the_moment_asked_for(store):
    write_predictions(store, [prediction("p1")], name="api")
    times = [timedelta(days=9), timedelta(hours=1), timedelta(days=8), timedelta(days=10)]
    said = [outcome("p1", MONDAY + passed, answer=str(passed.days)) for passed in times]
    write_outcomes(store, said, name="desk")
    found = read(store, until=MONDAY + timedelta(days=10))
    assert [row.answer for row in found.outcomes["p1"]] == ["0", "8", "9"]  # the one of day 10 was not known yet
    assert [row.answer for row in read(store).outcomes["p1"]] == ["0"]


def test_outcomes_of_other_predictions_are_counted_in_the_week_they_were_given(store):
    write_predictions(store, [prediction("p1"), prediction("p2", NEXT_WEEK.start)], name="api")
    said = [outcome("earlier", MONDAY), outcome("earlier", MONDAY + timedelta(days=6)), outcome("p2", NEXT_WEEK.start)]
    write_outcomes(store, said, name="desk")
    first, second = read(store, until=NEXT_WEEK.end), read(store, NEXT_WEEK)
    assert (first.orphan_outcomes, first.outcomes) == (2, {})
    assert (second.orphan_outcomes, list(second.outcomes)) == (0, ["p2"])


def test_of_a_doubled_id_the_first_counts(store):
    write_predictions(store, [prediction("p1", output="first"), prediction("p1", output="second")], name="a")
    write_predictions(store, [prediction("p1", MONDAY + timedelta(days=1), output="third")], name="a")
    write_predictions(store, [prediction("p1", output="fourth")], name="b")
    found = read(store)
    assert [row.output for row in found.predictions] == ["first"]
    assert [(row.file, row.line, row.reason) for row in found.quarantined] == [
        ("log/predictions/2026-11-23/a.jsonl", 2, "duplicate id"),
        ("log/predictions/2026-11-23/b.jsonl", 1, "duplicate id"),
        ("log/predictions/2026-11-24/a.jsonl", 1, "duplicate id"),
    ]
    assert {row.subject for row in found.quarantined} == {"duplicate id"}


NO_TEXT = "expected a non-empty string"
BAD_PREDICTIONS = [
    ({"id": None}, f"id: found None, {NO_TEXT}"),
    ({"id": 17}, f"id: found 17, {NO_TEXT}"),
    ({"id": " \t"}, rf"id: found ' \t', {NO_TEXT}"),
    ({"input": ""}, f"input: found '', expected {WANTED}"),
    ({"input": [{"role": "user"}]}, f"input: found [{{'role': 'user'}}], expected {WANTED}"),
    ({"model_version": None}, f"model_version: found None, {NO_TEXT}"),
    ({"output": ["a"]}, f"output: found ['a'], {NO_TEXT}"),
    ({"output": None}, "output: found None, expected an answer where automatic is true"),
    ({"automatic": "yes"}, "automatic: found 'yes', expected true or false"),
    ({"automatic": 1}, "automatic: found 1, expected true or false"),
    ({"confidence": 1.4}, "confidence: found 1.4, expected a number in 0..1"),
    ({"confidence": -0.1}, "confidence: found -0.1, expected a number in 0..1"),
    ({"confidence": True}, "confidence: found True, expected a number in 0..1"),
    ({"confidence": "0.9"}, "confidence: found '0.9', expected a number in 0..1"),
    ({"confidence": None}, "confidence: found None, expected a number in 0..1"),
    ({"latency_ms": -3}, "latency_ms: found -3, expected milliseconds, 0 or more, or null"),
    ({"metadata": ["a"]}, "metadata: found ['a'], expected an object or null"),
    (
        {"timestamp": "2026-11-23T10:00:00"},
        "timestamp: found '2026-11-23T10:00:00', expected an ISO 8601 time with an offset",
    ),
    ({"timestamp": "yesterday"}, "timestamp: found 'yesterday', expected an ISO 8601 time with an offset"),
    ({"timestamp": 1795428000}, "timestamp: found 1795428000, expected an ISO 8601 time with an offset"),
    (
        {"timestamp": "0001-01-01T00:00:00+05:00"},  # before the year 1 in UTC
        "timestamp: found '0001-01-01T00:00:00+05:00', expected an ISO 8601 time with an offset",
    ),
    (
        {"timestamp": "2026-11-24T00:00:00Z"},
        "timestamp: found '2026-11-24T00:00:00Z', expected a time on its folder's day, 2026-11-23 in UTC",
    ),
]
BAD_OUTCOMES = [
    ({"prediction_id": ""}, f"prediction_id: found '', {NO_TEXT}"),
    ({"source": "zendesk"}, "source: found 'zendesk', expected one of ['escalation', 'customer', 'audit', 'unsure']"),
    ({"source": []}, "source: found [], expected one of ['escalation', 'customer', 'audit', 'unsure']"),
    ({"answer": ""}, f"answer: found '', {NO_TEXT}"),
    ({"answer": None, "correct": None}, "answer: found None, expected an answer, or true or false in correct"),
    ({"correct": "no"}, "correct: found 'no', expected true or false"),
    ({"timestamp": None}, "timestamp: found None, expected an ISO 8601 time with an offset"),
]


@pytest.mark.parametrize(("changed", "reason"), BAD_PREDICTIONS)
def test_a_prediction_that_breaks_the_contract_is_quarantined(store, changed, reason):
    row = PREDICTION | changed
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(PREDICTION | {"id": "good"}, row))
    found = read(store)
    assert [kept.id for kept in found.predictions] == ["good"]
    assert found.quarantined == [Quarantined(f"{FIRST_DAY}/api.jsonl", 2, reason, json.dumps(row))]
    assert found.quarantined[0].subject == next(iter(changed))


@pytest.mark.parametrize(("changed", "reason"), BAD_OUTCOMES)
def test_an_outcome_that_breaks_the_contract_is_quarantined(store, changed, reason):
    row = OUTCOME | changed
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(PREDICTION))
    store.write(f"{FIRST_OUTCOMES}/desk.jsonl", jsonl(row))
    found = read(store)
    assert found.outcomes == {}
    assert found.quarantined == [Quarantined(f"{FIRST_OUTCOMES}/desk.jsonl", 1, reason, json.dumps(row))]


def test_optional_fields_may_be_left_out_and_unknown_ones_are_ignored(store):
    short = {name: value for name, value in PREDICTION.items() if name not in ("latency_ms", "metadata", "output")}
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(short | {"automatic": False, "shard": 7}))
    said = {"prediction_id": "p1", "timestamp": OUTCOME["timestamp"], "source": "customer", "correct": False}
    store.write(f"{FIRST_OUTCOMES}/desk.jsonl", jsonl(said))
    found = read(store)
    kept = found.predictions[0]
    assert (kept.output, kept.latency_ms, kept.metadata) == (None, None, {})
    assert (found.outcomes["p1"][0].answer, found.outcomes["p1"][0].correct) == (None, False)
    assert found.quarantined == []


BAD_LINES = [
    (b'{"id": "p1"', "line: not JSON in UTF-8: "),
    (b"[1, 2]", "line: found [1, 2], expected a JSON object"),
    (b"null", "line: found None, expected a JSON object"),
    (json.dumps(PREDICTION, ensure_ascii=False).replace("card?", "Karte für").encode("latin-1"), "line: not JSON in"),
    (json.dumps(PREDICTION).replace("card?", r"card \ud83d").encode(), "line: not JSON in UTF-8: 'utf-8' codec can't"),
    (json.dumps(PREDICTION).replace("0.93", "NaN").encode(), "line: not JSON in UTF-8: NaN is not a JSON value"),
    (b'{"id": ' + b"[" * 100_000, "line: not JSON in UTF-8: "),
    (b'{"id": ' + b"9" * 5_000 + b"}", "line: not JSON in UTF-8: "),
    (json.dumps(PREDICTION).replace("0.93", "9" * 400).encode(), "confidence: found 99999999"),
    (json.dumps(PREDICTION).replace("12.5", "1e999").encode(), "line: not JSON in UTF-8: 1e999 is out of range"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_line_that_cannot_be_read_is_quarantined_and_the_next_one_is_read(store, line, reason):
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(line, PREDICTION | {"id": "good"}))
    found = read(store)
    assert [kept.id for kept in found.predictions] == ["good"]
    assert [(row.line, row.reason.startswith(reason), len(row.raw) <= 500) for row in found.quarantined] == [
        (1, True, True)
    ]


def test_line_ends_of_windows_blank_lines_and_a_byte_order_mark_are_harmless(store):
    rows = [json.dumps(PREDICTION | {"id": id, "input": "a\u2028b"}, ensure_ascii=False).encode() for id in "ab"]
    store.write(f"{FIRST_DAY}/api.jsonl", b"\xef\xbb\xbf" + rows[0] + b"\r\n\r\n \n" + rows[1])
    found = read(store)
    assert [(row.id, row.input) for row in found.predictions] == [("a", "a\u2028b"), ("b", "a\u2028b")]
    assert found.quarantined == []


def test_a_zipped_log_is_read(store):
    store.write(f"{FIRST_DAY}/api.jsonl.gz", gzip.compress(jsonl(PREDICTION, b"broken")))
    found = read(store)
    assert len(found.predictions) == 1
    assert [(row.line, row.raw) for row in found.quarantined] == [(2, "broken")]


def parquet(rows: list[dict[str, Any]], unit: str = "us", zone: str | None = "UTC", **columns: pa.Array) -> bytes:
    table = pa.Table.from_pylist([row | {"timestamp": datetime.fromisoformat(row["timestamp"])} for row in rows])
    stamps = table["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, zone))
    table = table.set_column(table.column_names.index("timestamp"), "timestamp", stamps)
    for name, column in columns.items():
        table = table.append_column(name, column)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(("unit", "zone"), [("ms", "UTC"), ("us", "Europe/Berlin"), ("ns", "UTC")])
def test_parquet_says_the_same_as_json(store, unit, zone):
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(PREDICTION))
    store.write(f"{FIRST_OUTCOMES}/desk.jsonl", jsonl(OUTCOME))
    columnar = MemoryStore()
    columnar.write(f"{FIRST_DAY}/api.parquet", parquet([PREDICTION], unit, zone, shard=pa.array([7])))
    columnar.write(f"{FIRST_OUTCOMES}/desk.parquet", parquet([OUTCOME], unit, zone))
    assert read(columnar) == read(store)
    assert len(read(store).predictions) == 1


def test_nanoseconds_are_cut_to_microseconds(store):
    stamps = pa.array([1_795_428_000_123_456_789], pa.timestamp("ns", "UTC"))  # 2026-11-23T10:00:00 + .123456789 s
    rest = pa.Table.from_pylist([{name: value for name, value in PREDICTION.items() if name != "timestamp"}])
    buffer = io.BytesIO()
    pq.write_table(rest.append_column("timestamp", stamps), buffer)
    store.write(f"{FIRST_DAY}/api.parquet", buffer.getvalue())
    assert read(store).predictions[0].at == datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)


def test_a_parquet_row_that_breaks_the_contract_is_quarantined_by_its_number(store):
    rows = [PREDICTION, PREDICTION | {"id": "p2", "confidence": 7.0, "input": "x" * 600}]
    store.write(f"{FIRST_DAY}/api.parquet", parquet(rows))
    found = read(store)
    assert len(found.predictions) == 1
    assert [(row.line, row.subject, len(row.raw)) for row in found.quarantined] == [(2, "confidence", 500)]


def test_parquet_times_without_a_zone_are_quarantined(store):
    store.write(f"{FIRST_DAY}/api.parquet", parquet([PREDICTION], zone=None))
    assert [row.subject for row in read(store).quarantined] == ["timestamp"]


def test_parquet_with_none_of_our_columns_is_quarantined_row_by_row(store):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": [1, 2, 3]}), buffer)
    store.write(f"{FIRST_DAY}/api.parquet", buffer.getvalue())
    assert [(row.line, row.subject) for row in read(store).quarantined] == [
        (number, "timestamp") for number in (1, 2, 3)
    ]


def test_parquet_maps_are_objects(store):
    kind = pa.map_(pa.string(), pa.string())
    row = {name: value for name, value in PREDICTION.items() if name != "metadata"}
    store.write(f"{FIRST_DAY}/a.parquet", parquet([row], metadata=pa.array([[("channel", "email")]], kind)))
    doubled = pa.array([[("channel", "email"), ("channel", "chat")]], kind)
    store.write(f"{FIRST_DAY}/b.parquet", parquet([row | {"id": "p2"}], metadata=doubled))
    found = read(store)
    assert found.predictions[0].metadata == {"channel": "email"}
    assert [(bad.file, bad.line) for bad in found.quarantined] == [(f"{FIRST_DAY}/b.parquet", 0)]


def cut(data: bytes) -> bytes:
    return data[:-10]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.jsonl.gz", cut(gzip.compress(jsonl(PREDICTION), mtime=0)), "file: not readable as gzip: "),
        ("a.jsonl.gz", jsonl(PREDICTION), "file: not readable as gzip: "),
        ("a.jsonl.gz", gzip.compress(jsonl(PREDICTION), mtime=0)[:12] + b"\xff" * 20, "file: not readable as gzip: "),
        ("a.parquet", cut(parquet([PREDICTION])), "file: not readable as Parquet: "),
        ("a.parquet", b"", "file: not readable as Parquet: "),
        ("a.csv", b"id,timestamp", "file: unknown type, expected .jsonl, .jsonl.gz or .parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_quarantined_whole(store, name, data, reason):
    store.write(f"{FIRST_DAY}/{name}", data)
    store.write(f"{FIRST_DAY}/b.jsonl", jsonl(PREDICTION))
    found = read(store)
    assert len(found.predictions) == 1
    assert [(row.file, row.line, row.subject) for row in found.quarantined] == [(f"{FIRST_DAY}/{name}", 0, "file")]
    assert found.quarantined[0].reason.startswith(reason)


def test_marks_of_other_tools_are_no_logs(store):
    for name in ("_SUCCESS", ".part-0.jsonl.crc", "_temporary/0/part-0.jsonl"):
        store.write(f"{FIRST_DAY}/{name}", b"anything")
    store.write(f"{FIRST_DAY}/host-7/api.jsonl", jsonl(PREDICTION))
    assert (len(read(store).predictions), read(store).quarantined) == (1, [])


def test_a_bad_row_is_counted_in_one_week_only(store):
    for folder, good in (("predictions", PREDICTION), ("outcomes", OUTCOME)):
        for day, at in (("2026-11-23", "2026-11-23T10:00:00Z"), ("2026-11-30", "2026-11-30T10:00:00Z")):
            bad = good | {"timestamp": at, "confidence": 7, "source": "nobody"}
            store.write(f"log/{folder}/{day}/a.jsonl", jsonl(bad, b"broken"))
    first = read(store, until=NEXT_WEEK.end)
    second = read(store, NEXT_WEEK, until=NEXT_WEEK.end + timedelta(days=30))
    assert [row.file[-18:-8] for row in first.quarantined] == ["2026-11-23"] * 4
    assert [row.file[-18:-8] for row in second.quarantined] == ["2026-11-30"] * 4


def test_on_a_day_that_two_weeks_share_a_bad_row_goes_to_the_week_of_its_time(store):
    berlin = ZoneInfo("Europe/Berlin")
    edge = datetime(2026, 11, 23, tzinfo=berlin)  # Sunday 23:00 UTC
    before = Window(edge - timedelta(days=7), edge, "2026-W47")
    after = Window(edge, edge + timedelta(days=7), "2026-W48")
    rows = [PREDICTION | {"timestamp": f"2026-11-22T{hour}:30:00Z", "confidence": 7} for hour in (22, 23)]
    store.write("log/predictions/2026-11-22/a.jsonl", jsonl(*rows, b"no time at all"))
    assert [row.line for row in read(store, before).quarantined] == [1, 3]
    assert [row.line for row in read(store, after).quarantined] == [2, 3]


def test_a_bad_outcome_is_not_known_before_it_was_given(store):
    store.write(f"{FIRST_OUTCOMES}/a.jsonl", jsonl(OUTCOME | {"source": "nobody"}))
    assert reasons(read(store, until=MONDAY + timedelta(hours=12))) == []  # it was given at 12:00
    assert len(reasons(read(store, until=MONDAY + timedelta(hours=13)))) == 1


ZENDESK = LogMapping(
    predictions={"id": "ticket.id", "timestamp": "created", "output": "result.label", "automatic": "handled_by"},
    outcomes={"prediction_id": "ticket", "source": "via", "correct": "verdict"},
    values={
        "source": {"zendesk": "escalation"},
        "automatic": {"bot": True, "human": False},
        "correct": {"1": True, "0": False, "null": None},
    },
)
THEIRS = {
    "ticket": {"id": "p1"},
    "created": "2026-11-23T10:00:00Z",
    "result": {"label": "card_arrival"},
    "handled_by": "bot",
    "input": "Where is my card?",
    "confidence": 1,
    "model_version": "v3",
}
SAID = {"ticket": "p1", "timestamp": "2026-11-23T12:00:00Z", "via": "zendesk", "verdict": 0}


def test_other_names_and_values_are_mapped_to_ours(store):
    store.write(f"{FIRST_DAY}/a.jsonl", jsonl(THEIRS, THEIRS | {"ticket": {"id": "p2"}, "handled_by": "human"}))
    store.write(f"{FIRST_OUTCOMES}/a.jsonl", jsonl(SAID, SAID | {"via": "audit", "verdict": None, "answer": "x"}))
    found = read(store, mapping=ZENDESK)
    assert [(row.id, row.output, row.automatic) for row in found.predictions] == [
        ("p1", "card_arrival", True),
        ("p2", "card_arrival", False),
    ]
    assert [(row.source, row.correct) for row in found.outcomes["p1"]] == [
        (OutcomeSource.ESCALATION, False),
        (OutcomeSource.AUDIT, None),
    ]
    assert found.quarantined == []


def test_the_mapping_works_on_parquet_and_on_names_that_have_dots_themselves(store):
    flat = {name: value for name, value in THEIRS.items() if name not in ("ticket", "created")}
    row = flat | {"ticket.id": "p7", "created": datetime(2026, 11, 23, 10, tzinfo=UTC)}
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), buffer)
    store.write(f"{FIRST_DAY}/a.parquet", buffer.getvalue())
    found = read(store, mapping=ZENDESK)
    assert [(kept.id, kept.output) for kept in found.predictions] == [("p7", "card_arrival")]


def test_a_value_without_a_translation_is_judged_as_it_is(store):
    rows = [THEIRS | {"handled_by": other} for other in ("robot", ["bot"], None)]
    store.write(f"{FIRST_DAY}/a.jsonl", jsonl(*rows, THEIRS | {"ticket": "flat"}))
    assert [row.subject for row in read(store, mapping=ZENDESK).quarantined] == ["automatic"] * 3 + ["id"]


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"predictions": {"timestmp": "t"}}, "predictions"),
        ({"outcomes": {"id": "x"}}, "outcomes"),
        ({"values": {"label": {}}}, "values"),
    ],
)
def test_a_mapping_of_a_field_the_log_does_not_have_is_refused(wrong, part):
    with pytest.raises(ConfigError, match=rf"log mapping: {part} has \['"):
        LogMapping(**wrong)


def test_the_log_is_read_from_a_real_folder(tmp_path: Path):
    store = open_store(str(tmp_path))
    write_predictions(store, [prediction("p1", MONDAY + timedelta(days=day)) for day in (0, 6)], name="api")
    write_outcomes(store, [outcome("p1", MONDAY + timedelta(days=2))], name="desk")
    (tmp_path / "log" / "predictions" / "2026-11-24").mkdir()
    found = read(store)
    assert [len(found.predictions), len(found.outcomes["p1"]), reasons(found)] == [1, 1, ["duplicate id"]]


GOOD_LINES = [json.dumps(PREDICTION).encode(), json.dumps(OUTCOME).encode(), json.dumps(THEIRS).encode()]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mangled(draw: Callable[..., Any]) -> bytes:
    """A good line with bytes cut out and put in, or with fields of any JSON value, or no log line at all."""
    line = draw(st.sampled_from(GOOD_LINES))
    how = draw(st.sampled_from(["cut", "fields", "bytes", "json"]))
    if how == "cut":
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(line))] * 2)))
        line = line[:start] + draw(st.binary(max_size=4)) + line[end:]
    elif how == "fields":
        names = st.sampled_from([*PREDICTION, *OUTCOME, *THEIRS])
        line = json.dumps(json.loads(line) | draw(st.dictionaries(names, json_values, max_size=3))).encode()
    elif how == "bytes":
        line = draw(st.binary(max_size=60))
    else:
        line = json.dumps(draw(json_values)).encode()
    return line.replace(b"\n", b"")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(mangled(), max_size=6), mapping=st.sampled_from([LogMapping(), ZENDESK]))
def test_whatever_is_in_a_line_it_is_understood_or_quarantined(lines: list[bytes], mapping: LogMapping):
    store, data = MemoryStore(), b"\n".join(lines)
    store.write(f"{FIRST_DAY}/a.jsonl", data)
    store.write(f"{FIRST_OUTCOMES}/a.jsonl", data)
    found = read(store, mapping=mapping)
    rows = sum(
        not (not line or line.isspace()) for line in (b"\n".join(lines)).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    )
    bad = {part: sum(f"log/{part}/" in row.file for row in found.quarantined) for part in ("predictions", "outcomes")}
    assert len(found.predictions) + bad["predictions"] == rows
    assert sum(map(len, found.outcomes.values())) + found.orphan_outcomes + bad["outcomes"] == rows
    write_predictions(store, found.predictions, name="b")  # and what was understood can be written


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=80), at=st.integers(0, 2_000), kind=st.sampled_from(["parquet", "jsonl.gz"]))
@example(data=b"\x00\x01", at=1179, kind="parquet")  # a column says that it has no value
def test_whatever_is_wrong_in_a_file_nothing_is_lost_in_silence(data: bytes, at: int, kind: str):
    good = parquet([PREDICTION]) if kind == "parquet" else gzip.compress(jsonl(PREDICTION))
    store = MemoryStore()
    store.write(f"{FIRST_DAY}/a.{kind}", good[:at] + data + good[at + len(data) :])
    found = read(store)
    assert len(found.predictions) + len(found.quarantined) >= 1


def test_the_example_in_its_documentation_runs_as_it_says(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "log.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == re.findall(r"# (.*)", code)[0].split()
