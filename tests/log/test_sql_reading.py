"""Does SQL read a line or a column as Python reads it, whatever stands in it?"""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.log.kept import (
    BY_CHANNEL,
    counted,
    fill,
    requests,
    row_by_row,
    sampled,
    sampled_rows,
)
from tests.log.test_lines import GOOD_LINES, SAID, THEIRS, ZENDESK, mangled
from tests.log_rows import (
    FIRST_DAY,
    FIRST_OUTCOMES,
    MONDAY,
    OUTCOME,
    PREDICTION,
    jsonl,
    outcome,
    parquet,
    prediction,
)
from tests.s3 import new_bucket, s3_endpoint  # noqa: F401 -- fixtures are found by name
from upkeep.adapters.store import open_store
from upkeep.conversations import MARK
from upkeep.log import scan
from upkeep.log.entries import LogMapping, Outcome, OutcomeSource, Prediction
from upkeep.log.lines import PREDICTIONS
from upkeep.log.sql_filter import VISIBLE, from_json, from_parquet
from upkeep.periods import Cadence, period

pytestmark = pytest.mark.usefixtures("way_of_reading")


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
    b'{"metadata": {"channel": 0.0}}', b'{"metadata": {"channel": -0.0}}', b'{"metadata": {"channel": -7.0}}',
    b'{"metadata": {"channel": 1.00}}', b'{"metadata": {"channel": 01.0}}', b'{"metadata": {"channel": 1.5}}',
    b'{"metadata": {"channel": 1e300}}', b'{"metadata": {"channel": 123456789.0}}', b'{"metadata": {"channel": 1.0e0}}',
    b'{"metadata": {"channel": "1.0"}}', b'{"metadata": {"channel": NaN}}',
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
@pytest.mark.parametrize("metadata", [{"channel": "email"}, {"channel": 7, "vip.since": None}, {"channel": 7.0}])
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
    text=st.booleans(),
)
def test_whatever_comes_when_the_kept_days_say_what_the_rows_say(written, zone, waits, text):
    week = period(MONDAY + timedelta(days=3), Cadence.WEEKLY, zone)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        for more in written:
            for key, data in more.items():
                store.write(key, data)
            for days in waits:
                until = week.end + timedelta(days=days)
                both = [way(store, week, until=until, mapping=BY_CHANNEL, text=text) for way in (counted, row_by_row)]
                assert both[0] == both[1]
                both = [way(store, week, until=until, mapping=BY_CHANNEL) for way in (sampled, sampled_rows)]
                assert both[0] == both[1]


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
        {"metadata": {"channel": -0.0}},
        {"metadata": {"channel": 1e22}},
        {"metadata": {"channel": float("nan")}},
        {"metadata": {"channel": float("inf")}},
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


WHOLE = [0, 1, -1, 7, 9999999, 12345678, 16777217, 123456789, 10**15, 2**53, 10**22, -(10**16), 0.5, -2.5, 1e-7]


@pytest.mark.parametrize("type", [pa.float32(), pa.float64()], ids=str)
def test_whole_numbers_in_a_column_of_floats_are_what_python_reads_of_them(store, type):
    values = [None, *map(float, WHOLE), float("nan"), float("inf")]
    rows = [PREDICTION | {"id": f"r{at}"} for at in range(len(values))]
    table = pa.Table.from_pylist(rows)
    column = pa.StructArray.from_arrays([pa.array(values, type)], ["channel"])
    buffer = io.BytesIO()
    pq.write_table(table.set_column(table.schema.get_field_index("metadata"), "metadata", column), buffer)
    store.write(f"{FIRST_DAY}/a.parquet", buffer.getvalue())
    found = counted(store, mapping=BY_CHANNEL)
    assert found == row_by_row(store, mapping=BY_CHANNEL)
    assert {cell.facets[0] for cell in found.cells} >= {None, "0", "1", "-1", "7", "9999999"}
    assert sampled(store, mapping=BY_CHANNEL) == sampled_rows(store, mapping=BY_CHANNEL)


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


@pytest.mark.parametrize("batch", [1, 2, 5_000])
def test_small_files_of_a_day_are_read_without_duckdb_beside_a_large_one(store, batch, monkeypatch):
    monkeypatch.setattr(scan, "BATCH", batch)
    odd = [{}, *BAD, *DOUBTED[1:], {}]
    few, many = ([PREDICTION | {"id": f"{name}{at}"} | one for at, one in enumerate(odd)] for name in "fm")
    for at, row in enumerate(few):
        store.write(f"{FIRST_DAY}/{at:02}.jsonl", jsonl(row))
    store.write(f"{FIRST_DAY}/large.jsonl", jsonl(*many))
    store.write(f"{FIRST_DAY}/damaged.jsonl.gz", gzip.compress(jsonl(*many))[:-9])
    monkeypatch.setattr(scan, "SMALL", 1_000)
    assert counted(store) == row_by_row(store)
    assert sampled(store) == sampled_rows(store)
    assert requests(counted(store)) == 2 * (len(odd) - len(BAD))


@pytest.mark.parametrize("batch", [1, 2])
def test_however_many_doubted_rows_of_a_parquet_file_are_kept_at_a_time(store, batch, monkeypatch):
    monkeypatch.setattr(scan, "BATCH", batch)
    rows = [PREDICTION | {"id": f"r{at}"} | change for at, change in enumerate([{}, *DOUBTED[1:], {}])]
    store.write(f"{FIRST_DAY}/a.parquet", parquet(rows))
    assert counted(store) == row_by_row(store)
    assert requests(counted(store)) == len(rows)


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
