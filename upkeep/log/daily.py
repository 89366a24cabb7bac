"""Which days of the log are kept as they were read, and which have to be read again?

A day is a UTC day, the folder of the raw files: so every raw file belongs to one day, whatever the client's zone, and
a window of local days takes from its first and last day the rows that it holds. Under `daily/<day>/` stand, for
predictions and for outcomes, what is kept of the good rows (`.parquet`) and a record (`.json`) that names the files it
was made of. Outcomes are kept on the day they were given and meet their predictions when a window is counted: a late
outcome makes no other day stale, and any `until` can be asked for. All of it can be deleted at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Generic, NamedTuple
from uuid import uuid4

from upkeep import records
from upkeep.errors import NotFoundError, StoreError
from upkeep.log.entries import LogMapping
from upkeep.log.lines import Kind, Row, is_data
from upkeep.log.scan import THREADS, BadRow, Source, is_large, scan_day
from upkeep.log.sql_filter import facets
from upkeep.store import Store, shown_key

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VERSION = 6
"""Goes up when the same raw files would be kept in another way."""


@dataclass(frozen=True, slots=True)
class Day:
    """What one half of a day's log held: `files` by key with their marks then, in reading order, and the bad rows.

    `way` stands for how they were read, `slim` is the mark of the Parquet file beside this record, which has the texts
    of the rows whose lot (`upkeep.log.entries.draw_order`) is below `texts`.
    """

    day: date
    way: str
    files: dict[str, str]
    slim: str
    bad: tuple[BadRow, ...]
    texts: str


class KeptDay(NamedTuple):
    """A day that is fresh, and where its Parquet file lies on this machine."""

    day: Day
    path: Path


def kept_days(
    made: DuckDBPyConnection, store: Store, kind: Kind[Row], days: Iterable[date], *, mapping: LogMapping, scratch: Path
) -> Iterator[KeptDay]:
    """Every day that has files; those not yet kept, or whose files have changed, are read from the raw files first."""
    keeper = _Keeper(made, store, kind, mapping, scratch)
    # of a day DuckDB reads little at a time: days side by side keep the processor busy
    with ThreadPoolExecutor(THREADS) as pool:
        yield from filter(None, pool.map(keeper.keep, days))


@dataclass(frozen=True, slots=True)
class _Keeper(Generic[Row]):
    """Keeps days of one half of a log."""

    made: DuckDBPyConnection
    store: Store
    kind: Kind[Row]
    mapping: LogMapping
    scratch: Path
    turns: Lock = field(default_factory=Lock)

    def keep(self, day: date) -> KeptDay | None:
        folder = f"{self.kind.folder}/{day.isoformat()}/"
        marks = {key: mark for key, mark in self.store.marks(folder).items() if is_data(key, folder)}
        if not marks:
            return None
        files = {shown_key(key): mark for key, mark in marks.items()}
        base = f"daily/{day.isoformat()}/{self.kind.folder.rpartition('/')[2]}"
        return self._fresh(base, files) or self._read(base, marks, files, day)

    def _fresh(self, base: str, files: dict[str, str]) -> KeptDay | None:
        try:
            found = records.load_if_there(self.store, f"{base}.json", Day)
        except StoreError:  # half-written, or not ours
            return None
        if found is None or (found.way, found.files) != (self._way(), files):
            return None
        try:
            path = self.store.fetch(f"{base}.parquet", self.scratch, own=True)
        except NotFoundError:
            return None
        # asked for after the file was, of which another review may put another in its place at any time
        return KeptDay(found, path) if self.store.marks(base).get(f"{base}.parquet") == found.slim else None

    def _read(self, base: str, keys: Iterable[str], files: dict[str, str], day: date) -> KeptDay:
        slim = self.scratch / f"{uuid4().hex}.parquet"
        with TemporaryDirectory(dir=self.scratch) as name, self.made.cursor() as made:
            own = Path(name)
            sources = [Source(key, self.store.fetch(key, own)) for key in keys]
            with self.turns if is_large(sources) else nullcontext():
                bad, texts = scan_day(made, sources, slim, kind=self.kind, day=day, mapping=self.mapping, scratch=own)
        found = Day(day, self._way(), files, self.store.put(f"{base}.parquet", slim), tuple(bad), texts)
        # the record comes last: who finds it finds the rows, or by their mark that another review has put others there
        records.save(self.store, f"{base}.json", found)
        return KeptDay(found, slim)

    def _way(self) -> str:
        return way_of(self.kind, self.mapping)


def way_of(kind: Kind[Row], mapping: LogMapping) -> str:
    """What stands for how the files are read: another mapping would keep other rows."""
    values = sorted((name, sorted(table.items(), key=str)) for name, table in mapping.values.items())
    said = repr((VERSION, kind.paths(mapping), values, facets(kind, mapping.by)))
    return sha256(said.encode()).hexdigest()[:16]
