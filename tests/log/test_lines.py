"""Is every row of a log either understood or quarantined with its reason?"""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.log_rows import FIRST_DAY, FIRST_OUTCOMES, MONDAY, OUTCOME, PREDICTION, MemoryStore, jsonl, parquet, read
from upkeep.conversations import WANTED, messages
from upkeep.errors import ConfigError
from upkeep.log.entries import LogMapping, LogWindow, Outcome, OutcomeSource, Prediction, Quarantined
from upkeep.log.files import outcomes_on, write_predictions
from upkeep.log.lines import file_lines
from upkeep.store import Store


@pytest.fixture
def store() -> Store:
    return MemoryStore()


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
    assert read(store) == LogWindow([wanted], {"p1": [said]}, [], given=1)


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


def test_an_empty_answer_that_did_not_go_out_is_none(store):
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(PREDICTION | {"output": "", "automatic": False}))
    found = read(store)
    assert [row.output for row in found.predictions] == [None]
    assert found.quarantined == []


NO_TEXT = "expected a non-empty string"
BAD_PREDICTIONS = [
    ({"id": None}, f"id: found None, {NO_TEXT}"),
    ({"id": 17}, f"id: found 17, {NO_TEXT}"),
    ({"id": " \t"}, rf"id: found ' \t', {NO_TEXT}"),
    ({"input": ""}, f"input: found '', expected {WANTED}"),
    ({"input": [{"role": "user"}]}, f"input: found [{{'role': 'user'}}], expected {WANTED}"),
    ({"model_version": None}, f"model_version: found None, {NO_TEXT}"),
    ({"output": ["a"]}, f"output: found ['a'], {NO_TEXT}"),
    ({"output": ""}, f"output: found '', {NO_TEXT}"),
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


def test_what_is_cut_in_a_reason_is_redacted_first(store):
    said = "Ada Byron, ada.byron.lovelace@example.com wants the money back, and now"
    bad = [PREDICTION | {"metadata": said}, PREDICTION | {"input": {"text": said}}]
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(*bad))
    reasons = [one.reason for one in read(store).quarantined]
    assert len(reasons) == 2
    assert not any("lovela" in reason or "example" in reason for reason in reasons)


def test_spaces_around_an_answer_and_how_its_letters_are_composed_make_it_no_other(store):
    store.write(f"{FIRST_DAY}/api.jsonl", jsonl(PREDICTION | {"output": " u\u0308ber card\n"}))
    store.write(f"{FIRST_OUTCOMES}/desk.jsonl", jsonl(OUTCOME | {"answer": "\u00fcber card "}))
    found = read(store)
    assert found.predictions[0].output == found.outcomes["p1"][0].answer == "über card"


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


def test_a_parquet_row_that_cannot_be_read_spoils_no_other(store):
    rows = [PREDICTION | {"id": f"p{number}"} for number in range(9)]
    table = pq.read_table(io.BytesIO(parquet(rows)))
    moments = table["timestamp"].cast(pa.int64()).to_pylist()
    moments[4] = 979_000_000_000_000_000  # the year 32993
    stamps = pa.array(moments).cast(pa.timestamp("us", "UTC"))
    buffer = io.BytesIO()
    pq.write_table(table.set_column(table.column_names.index("timestamp"), "timestamp", stamps), buffer)
    store.write(f"{FIRST_DAY}/api.parquet", buffer.getvalue())
    found = read(store)
    assert [row.id for row in found.predictions] == ["p0", "p1", "p2", "p3", "p5", "p6", "p7", "p8"]
    assert [(row.line, row.reason.partition(": ")[2].partition(":")[0]) for row in found.quarantined] == [
        (5, "not readable from Parquet")
    ]


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
    assert [(bad.file, bad.line) for bad in found.quarantined] == [(f"{FIRST_DAY}/b.parquet", 1)]


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


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_of_a_large_file_a_few_lines_are_in_memory_at_a_time(tmp_path, ending):
    file, plain = tmp_path / f"a.{ending}", jsonl(*[PREDICTION] * 20_000)  # 5 MB
    file.write_bytes(gzip.compress(plain) if ending.endswith("gz") else plain)
    tracemalloc.start()
    found = [line.number for line in file_lines(file.name, partial(file.open, "rb"), {})]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == list(range(1, 20_001))
    assert most < len(plain) / 3


def test_of_a_large_file_that_cannot_be_read_the_beginning_is_kept(store):
    store.write(f"{FIRST_DAY}/a.csv", "ü,".encode() * 100_000)
    (row,) = read(store).quarantined
    assert row.raw == "ü," * 250  # 500 characters


def test_a_parquet_file_of_which_only_the_end_is_damaged_is_quarantined_whole():
    table, buffer = pa.table({"id": [str(number) for number in range(70_000)]}), io.BytesIO()
    pq.write_table(table, buffer, row_group_size=35_000)
    end = pq.ParquetFile(buffer).metadata.row_group(1).column(0)
    data = bytearray(buffer.getvalue())
    data[end.data_page_offset : end.data_page_offset + 8] = b"\xff" * 8
    (line,) = file_lines("a.parquet", partial(io.BytesIO, bytes(data)), {"id": "id"})
    assert line.number == 0
    assert str(line.fault).startswith("file: not readable as Parquet: ")


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


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
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
    assert len([*outcomes_on(store, [MONDAY.date()], mapping=mapping)]) + bad["outcomes"] == rows
    write_predictions(store, found.predictions, name="b")  # and what was understood can be written


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=80), at=st.integers(0, 2_000), kind=st.sampled_from(["parquet", "jsonl.gz"]))
@example(data=b"\x00\x01", at=1179, kind="parquet")  # a column says that it has no value
def test_whatever_is_wrong_in_a_file_nothing_is_lost_in_silence(data: bytes, at: int, kind: str):
    good = parquet([PREDICTION]) if kind == "parquet" else gzip.compress(jsonl(PREDICTION))
    store = MemoryStore()
    store.write(f"{FIRST_DAY}/a.{kind}", good[:at] + data + good[at + len(data) :])
    found = read(store)
    assert len(found.predictions) + len(found.quarantined) >= 1
