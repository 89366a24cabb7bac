"""Does a timeline come back as it was written, and does a bad file say where it is bad?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.small_client import write_timeline
from upkeep.config import Client, load_client
from upkeep.errors import TimelineError
from upkeep.log.field_map import LogMap
from upkeep.replay import client_for
from upkeep.timeline import COLUMNS, Split, TimelineRow, arrange, read_timeline

JANUARY = datetime(2026, 1, 5, 9, tzinfo=UTC)
SUMMER = timezone(timedelta(hours=2))
LAUNCH = TimelineRow("l1", "where is my parcel", "delivery", Split.LAUNCH)
GOLDEN = TimelineRow("g1", "refund please", "refund", Split.GOLDEN, valid_to=JANUARY)
STREAM = TimelineRow("s1", "cancel it", "cancel", Split.STREAM, ts=JANUARY)


def columns(**changed):
    """One good row of each split, as Parquet columns; `changed` replaces the values of the stream row, the second."""
    rows = [
        {"id": f"{split}1", "ts": JANUARY, "text": "hello", "label": "a", "split": split, "valid_from": None}
        | {"valid_to": None}
        for split in ("launch", "stream", "golden")
    ]
    rows[1] |= changed
    return {name: [row[name] for row in rows] for name in COLUMNS}


def written(folder, values):
    path = folder / "timeline.parquet"
    pq.write_table(pa.table(values), path)
    return path


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "timeline.parquet"
    write_timeline(path, [GOLDEN, STREAM, LAUNCH])
    assert read_timeline(path) == ([LAUNCH], [STREAM], [GOLDEN])


def test_times_of_any_zone_come_back_as_the_same_moment(tmp_path):
    path = tmp_path / "timeline.parquet"
    noon = datetime(2026, 7, 1, 12, tzinfo=SUMMER)
    write_timeline(path, [LAUNCH, GOLDEN, TimelineRow("s1", "hi", "a", Split.STREAM, ts=noon)])
    (row,) = read_timeline(path).stream
    assert row.ts == datetime(2026, 7, 1, 10, tzinfo=UTC)  # 12:00 at +02:00


def test_a_time_without_a_zone_is_utc(tmp_path):
    path = written(tmp_path, columns() | {"ts": pa.array([None, datetime(2026, 7, 1, 12), None], pa.timestamp("us"))})
    assert read_timeline(path).stream[0].ts == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_the_stream_is_put_in_time_order_and_ties_in_order_of_their_ids():
    later = JANUARY + timedelta(seconds=1)
    rows = [TimelineRow(name, "x", "a", Split.STREAM, ts=at) for name, at in (("c", later), ("b", JANUARY))]
    rows.append(TimelineRow("a", "x", "a", Split.STREAM, ts=datetime(2026, 1, 5, 11, tzinfo=SUMMER)))  # 9:00 in UTC
    assert [row.id for row in arrange(rows).stream] == ["a", "b", "c"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TimelineError, match=r"gone\.parquet: no such file, expected a Parquet file"):
        read_timeline(tmp_path / "gone.parquet")


def test_missing_columns_are_listed_with_those_found_and_those_expected(tmp_path):
    values = {name: column for name, column in columns().items() if name not in ("label", "valid_to")}
    with pytest.raises(TimelineError) as caught:
        read_timeline(written(tmp_path, values))
    assert "columns ['label', 'valid_to'] are missing, found ['id', 'ts', " in str(caught.value)
    assert str(list(COLUMNS)) in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": ""}, "row 1: id is '', expected a non-empty string"),
        ({"text": "  "}, "row 1: text is '  ', expected a non-empty string"),
        ({"label": None}, "row 1: label is None, expected a non-empty string"),
        ({"split": "test"}, "row 1: split is 'test', expected one of ['launch', 'stream', 'golden']"),
        ({"ts": None}, "row 1: ts is empty, expected a time on every stream row"),
    ],
)
def test_a_row_without_a_usable_value_is_named_with_what_is_wrong(tmp_path, changed, message):
    path = written(tmp_path, columns(**changed))
    with pytest.raises(TimelineError) as caught:
        read_timeline(path)
    assert str(caught.value) == f"{path} {message}"


def test_a_time_that_is_text_is_refused(tmp_path):
    path = written(tmp_path, columns() | {"valid_from": [None, None, "2026-01-05"]})
    with pytest.raises(TimelineError, match="row 2: valid_from is '2026-01-05', expected a timestamp"):
        read_timeline(path)


@pytest.mark.parametrize("absent", ["launch", "stream", "golden"])
def test_a_timeline_has_rows_of_every_split(tmp_path, absent):
    path = tmp_path / "timeline.parquet"
    write_timeline(path, [row for row in (LAUNCH, STREAM, GOLDEN) if row.split != absent])
    with pytest.raises(TimelineError, match=f"no row has split '{absent}'"):
        read_timeline(path)


def test_a_timeline_is_played_with_the_logs_and_the_words_of_timelines_whatever_the_client_it_is_like():
    raw = {"log": {"predictions": {"id": "ticket"}}, "out_of_scope_label": "unknown", "labels": ("oos", "other")}
    northwind = load_client(Path(__file__).parents[1] / "configs", "northwind")
    like = Client.model_validate(northwind.model_dump() | {"relabel": ()} | raw)
    made = client_for(arrange([LAUNCH, STREAM, GOLDEN]), name="replayed", tier=1, like=like)
    assert (made.log, made.out_of_scope_label, made.labels) == (LogMap(), "oos", ("delivery",))
    assert made.base_model == like.base_model
