"""What is in a labelled timeline, the history that replay plays as production?

Columns: id, ts, text, label, split, valid_from, valid_to. `split` is `launch` (what the first model is trained on),
`stream` (production traffic in time order; `label` is the right answer on that day, `oos` means that no automatic
answer is right) or `golden` (the agreed acceptance set, each row right from `valid_from` until before `valid_to`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from upkeep.errors import TimelineError

OUT_OF_SCOPE = "oos"
COLUMNS = ("id", "ts", "text", "label", "split", "valid_from", "valid_to")


class Split(StrEnum):
    """Which part of the history a row belongs to."""

    LAUNCH = "launch"
    STREAM = "stream"
    GOLDEN = "golden"


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One labelled text; times are zone-aware, `ts` is set on every stream row."""

    id: str
    text: str
    label: str
    split: Split
    ts: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class Timeline(NamedTuple):
    """A client's history: what it was launched with, what came in, and the agreed acceptance set."""

    launch: list[TimelineRow]
    stream: list[TimelineRow]
    golden: list[TimelineRow]


def arrange(rows: Iterable[TimelineRow], *, until: date | None = None) -> Timeline:
    """Part the rows by split and put the stream in time order; with `until` it ends before that day, in UTC."""
    timeline = Timeline([], [], [])
    for row in rows:
        if not until or row.ts is None or row.ts.date() < until:
            getattr(timeline, row.split.value).append(row)
    timeline.stream.sort(key=lambda row: (row.ts or datetime.min.replace(tzinfo=UTC), row.id))
    return timeline


def read_timeline(path: Path) -> Timeline:
    """Read a timeline's Parquet file.

    Raises TimelineError where the file is missing, a column is missing, or a row has no usable value.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise TimelineError(f"{path}: no such file, expected a Parquet file with the columns {', '.join(COLUMNS)}")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as exc:
        raise TimelineError(f"{path}: cannot be read as Parquet: {exc}") from exc
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        found = table.column_names
        raise TimelineError(f"{path}: columns {missing} are missing, found {found}, expected {list(COLUMNS)}")
    timeline = arrange(_row(path, number, raw) for number, raw in enumerate(table.select(COLUMNS).to_pylist()))
    for name in ("launch", "stream", "golden"):
        if not getattr(timeline, name):
            raise TimelineError(f"{path}: no row has split {name!r}; a timeline needs launch, stream and golden rows")
    return timeline


def _row(path: Path, number: int, raw: dict[str, object]) -> TimelineRow:
    where = f"{path} row {number}"
    for name in ("id", "text", "label"):
        if not isinstance(raw[name], str) or not str(raw[name]).strip():
            raise TimelineError(f"{where}: {name} is {raw[name]!r}, expected a non-empty string")
    if raw["split"] not in list(Split):
        raise TimelineError(f"{where}: split is {raw['split']!r}, expected one of {[s.value for s in Split]}")
    times = {name: _time(where, name, raw[name]) for name in ("ts", "valid_from", "valid_to")}
    split = Split(str(raw["split"]))
    if split is Split.STREAM and times["ts"] is None:
        raise TimelineError(f"{where}: ts is empty, expected a time on every stream row")
    return TimelineRow(id=str(raw["id"]), text=str(raw["text"]), label=str(raw["label"]), split=split, **times)


def _time(where: str, name: str, value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise TimelineError(f"{where}: {name} is {value!r}, expected a timestamp")
    return value if value.tzinfo else value.replace(tzinfo=UTC)
