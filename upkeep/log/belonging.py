"""Which weeks' requests are outcomes about, however late they came?

Windows are looked through in the order they are given, the newest first, until every outcome has found its request: so
this costs the days that outcomes belong to, and all windows only where some belong to none. A small log is read row by
row, of a larger one the ids that are kept of each day (`upkeep.log.daily`) are enough; both say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, Protocol

from upkeep.log.daily import KeptDay, kept_days, way_of
from upkeep.log.entries import LogMapping, as_utc, utc_days
from upkeep.log.files import outcomes_on, predictions_at
from upkeep.log.lines import OUTCOMES, PREDICTIONS, is_data
from upkeep.log.scan import database
from upkeep.log.sql_filter import READ_AT, micros, parquet_rows
from upkeep.periods import Window
from upkeep.store import Store, shown_key

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LISTED_AT_ONCE = 8
"""Folders of an S3 store are listed side by side: each takes a while, and none much of a processor."""
PLACE = ", ".join(READ_AT)


class Stray(NamedTuple):
    """An outcome about no request: the id it names, where it stands, and what ids the requests have."""

    prediction_id: str
    file: str
    line: int
    request: str | None


class Placed(NamedTuple):
    """The keys of the windows with requests that outcomes are about.

    Of the outcomes `given` in the first window `nowhere` are about no request of any window, of which `stray` is one.
    """

    windows: tuple[str, ...]
    given: int
    nowhere: int
    stray: Stray | None = None


class Requests(NamedTuple):
    """The rows of (id, day, file, line) as SQL reads them, and the days they are kept in."""

    rows: str
    days: list[KeptDay]


def outcome_files(store: Store, days: Sequence[date], *, mapping: LogMapping) -> dict[date, str]:
    """By UTC day with outcomes what stands for its files and how the log is read.

    It is another text when a file was added or has changed, or when the mapping has.
    """
    folders = [f"{OUTCOMES.folder}/{day.isoformat()}/" for day in days]
    with ThreadPoolExecutor(LISTED_AT_ONCE) as pool:
        found = zip(days, pool.map(lambda folder: _marks(store, folder), folders), strict=True)
        names = replace(mapping, by=())  # of no matter here
        way = way_of(OUTCOMES, names) + way_of(PREDICTIONS, names)
        return {day: sha256(f"{way} {marks}".encode()).hexdigest()[:16] for day, marks in found if marks}


def _marks(store: Store, folder: str) -> list[tuple[str, str]]:
    return [(shown_key(key), mark) for key, mark in store.marks(folder).items() if is_data(key, folder)]


def place_rows(
    store: Store, days: Sequence[date], windows: Sequence[Window], *, mapping: LogMapping, until: datetime
) -> Placed:
    """Where the outcomes in these UTC days' files belong that were given before `until`, read row by row."""
    return _place(_Rows(store, days, mapping, as_utc(until)), windows)


def place_kept(
    store: Store, days: Sequence[date], windows: Sequence[Window], *, mapping: LogMapping, until: datetime
) -> Placed:
    """The same from what is kept of each day; days that are not kept are read and kept."""
    with _kept(store, days, mapping, as_utc(until)) as told:
        return _place(told, windows)


class _Told(Protocol):
    """Outcomes that have not found their request yet."""

    def count(self, window: Window | None = None) -> int:
        """How many there are, of those given in a window."""
        ...

    def take(self, window: Window) -> bool:
        """Take away those about requests of a window that were not given before it began; were there any?"""
        ...

    def first(self, window: Window) -> Stray | None:
        """The first of those given in a window, in reading order."""
        ...


def _place(told: _Told, windows: Sequence[Window]) -> Placed:
    given = told.count(windows[0])
    found = tuple(one.key for one in windows if told.count() and told.take(one))
    nowhere = told.count(windows[0])
    return Placed(found, given, nowhere, told.first(windows[0]) if nowhere else None)


class _Rows:
    """Outcomes read row by row."""

    def __init__(self, store: Store, days: Sequence[date], mapping: LogMapping, until: datetime) -> None:
        self.store, self.mapping = store, mapping
        self.left = [(line, row) for line, row in outcomes_on(store, days, mapping=mapping) if row.at < until]

    def count(self, window: Window | None = None) -> int:
        return len([row for _, row in self.left if window is None or _holds(window, row.at)])

    def take(self, window: Window) -> bool:
        ids = {row.id for _, row in predictions_at(self.store, window, mapping=self.mapping)}
        before = len(self.left)
        begins = _begins(window)
        self.left = [(line, row) for line, row in self.left if row.at < begins or row.prediction_id not in ids]
        return len(self.left) < before

    def first(self, window: Window) -> Stray | None:
        line, row = next((one for one in self.left if _holds(window, one[1].at)), (None, None))
        if line is None or row is None:
            return None
        request = next((one.id for _, one in predictions_at(self.store, window, mapping=self.mapping)), None)
        return Stray(row.prediction_id, line.file, line.number, request)


def _begins(window: Window) -> datetime:
    """When the UTC day begins from which on outcomes count for a window (`upkeep.log.files.read_window`)."""
    return as_utc(window.start).replace(hour=0, minute=0, second=0, microsecond=0)


def _holds(window: Window, at: datetime) -> bool:
    return as_utc(window.start) <= at < as_utc(window.end)


@contextmanager
def _kept(store: Store, days: Sequence[date], mapping: LogMapping, until: datetime) -> Iterator[_Kept]:
    with TemporaryDirectory() as name, database(Path(name)) as made:
        scratch = Path(name)
        outcomes = list(kept_days(made, store, OUTCOMES, days, mapping=mapping, scratch=scratch))
        made.execute(f"""
            CREATE TABLE told AS SELECT prediction_id AS id, moment, {PLACE}
            FROM {_rows(outcomes, "prediction_id")} WHERE moment < {micros(until)}""")
        yield _Kept(made, store, mapping, scratch, outcomes)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Outcomes in the table `told` of a database."""

    made: DuckDBPyConnection
    store: Store
    mapping: LogMapping
    scratch: Path
    outcomes: Sequence[KeptDay]

    def count(self, window: Window | None = None) -> int:
        ((found,),) = self.made.execute(f"SELECT count(*) FROM told {_in(window)}").fetchall()
        return int(found)

    def take(self, window: Window) -> bool:
        before = self.count()
        self.made.execute(f"""
            CREATE OR REPLACE TABLE told AS
            SELECT * FROM told ANTI JOIN {self._requests(window)} AS asked
            ON told.id = asked.id AND told.moment >= {micros(_begins(window))}""")
        return self.count() < before

    def first(self, window: Window) -> Stray | None:
        asked = f"SELECT id FROM {self._requests(window)} ORDER BY {PLACE} LIMIT 1"
        request = self.made.execute(asked).fetchone()
        one = self.made.execute(f"SELECT id, {PLACE} FROM told {_in(window)} ORDER BY {PLACE} LIMIT 1").fetchone()
        if one is None:
            return None
        id, day, file, line = one
        return Stray(id, file_of(self.outcomes, day, file), line, request[0] if request else None)

    def _requests(self, window: Window) -> str:
        return requests_kept(self.made, self.store, window, mapping=self.mapping, scratch=self.scratch).rows


def requests_kept(
    made: DuckDBPyConnection, store: Store, window: Window, *, mapping: LogMapping, scratch: Path
) -> Requests:
    """The requests of a window from its kept days, those of a doubled id too."""
    asked = utc_days(as_utc(window.start), as_utc(window.end))
    days = list(kept_days(made, store, PREDICTIONS, asked, mapping=mapping, scratch=scratch))
    return Requests(f"(SELECT id, {PLACE} FROM {_rows(days, 'id')} {_in(window)})", days)


def file_of(days: Sequence[KeptDay], day: int, file: int) -> str:
    """The key of the file in which a kept row stands, by the numbers that it has for its day and file."""
    return next(list(kept.day.files)[file] for kept in days if kept.day.day.toordinal() == day)


def _rows(days: Sequence[KeptDay], id: str) -> str:
    if days:
        return parquet_rows(*(kept.path for kept in days))
    places = ", ".join(f"NULL::{type} AS {name}" for name, type in READ_AT.items())
    return f"(SELECT NULL::VARCHAR AS {id}, NULL::BIGINT AS moment, {places} WHERE false)"


def _in(window: Window | None) -> str:
    if window is None:
        return ""
    return f"WHERE moment >= {micros(as_utc(window.start))} AND moment < {micros(as_utc(window.end))}"
