"""What does a window of the log come to, when its days are kept and its raw rows are not read again?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from upkeep.errors import StoreError
from upkeep.log.daily import KeptDay, kept_days
from upkeep.log.entries import (
    SAMPLED,
    LogMapping,
    Outcome,
    OutcomeSource,
    Prediction,
    Quarantined,
    Sample,
    as_utc,
    utc_days,
)
from upkeep.log.lines import OUTCOMES, PREDICTIONS, Kind, Line, Row, judge_line, mapping_in
from upkeep.log.scan import BATCH, EVERY, Source, database, pick_lines
from upkeep.log.sql_filter import READ_AT, columns, facets, is_sampled, micros, parquet_rows
from upkeep.log.tally import (
    CONFIDENCE_BINS,
    LATENCY_STEPS,
    QUARTER,
    SCALE,
    Cell,
    Count,
    Opinion,
    Tally,
    Timed,
    counts_by,
)
from upkeep.periods import Window
from upkeep.store import Store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DAY = 86_400_000_000
PLACE = ", ".join(READ_AT)
_Place: TypeAlias = tuple[int, int, int]


class _Placed(NamedTuple):
    """A row that cannot be used, with its place in the order of reading."""

    day: int
    file: int
    line: int
    row: Quarantined


def tally_windows(
    store: Store,
    windows: Sequence[Window],
    *,
    mapping: LogMapping,
    outcomes_until: datetime,
    free_text: bool = False,
) -> list[Tally]:
    """Count each window as `tally` would count what `read_window` reads; days that are not kept are read and kept.

    Raises StoreError when the store fails.
    """
    if not windows:
        return []
    until = as_utc(outcomes_until)
    with _kept_log(store, windows, mapping, until) as log:
        return [log.tally(as_utc(one.start), as_utc(one.end), until, free_text) for one in windows]


def sample_window(
    store: Store, window: Window, *, mapping: LogMapping, outcomes_until: datetime, least: int = 0
) -> Sample:
    """What `upkeep.log.entries.sample` would give for the window, from the kept days.

    Of a window with a day of more than `upkeep.log.scan.TEXTS` bytes only a share is in it: the share of which the
    largest day's texts are kept, of every day, so that each request is as likely whatever its day. Where rows are so
    long that this comes to fewer than `least`, those are in it all the same, their texts read from the raw files.
    Raises StoreError when the store fails.
    """
    until = as_utc(outcomes_until)
    with _kept_log(store, [window], mapping, until) as log:
        return log.sample(as_utc(window.start), as_utc(window.end), until, least)


@contextmanager
def _kept_log(store: Store, windows: Sequence[Window], mapping: LogMapping, until: datetime) -> Iterator[_Log]:
    asked = sorted({day for one in windows for day in utc_days(as_utc(one.start), as_utc(one.end))})
    told = utc_days(min(as_utc(one.start) for one in windows), until)
    with TemporaryDirectory() as name, database(Path(name)) as made:
        scratch = Path(name)
        predictions = list(kept_days(made, store, PREDICTIONS, asked, mapping=mapping, scratch=scratch))
        outcomes = list(kept_days(made, store, OUTCOMES, told, mapping=mapping, scratch=scratch))
        yield _Log(made, store, mapping, scratch, predictions, outcomes)


class _Log(NamedTuple):
    """The kept days of several windows, and the database in which one after the other is counted."""

    made: DuckDBPyConnection
    store: Store
    mapping: LogMapping
    scratch: Path
    predictions: Sequence[KeptDay]
    outcomes: Sequence[KeptDay]

    def sample(self, start: datetime, end: datetime, until: datetime, least: int) -> Sample:
        self._prepare(self.predictions, self.outcomes, start=micros(start), end=micros(end), until=micros(until))
        texts = min((kept.day.texts for kept in self.predictions), default=EVERY)
        # whose lot is so low has a text; to ask for one first saves the others' hashes
        self.made.execute(f"""
            CREATE TABLE chosen AS SELECT * FROM predictions WHERE input IS NOT NULL AND {is_sampled(texts)}
            ORDER BY md5(id), id LIMIT {max(SAMPLED, least)}""")
        counted = _number(self.made, "SELECT count(*) FROM predictions")
        if _number(self.made, "SELECT count(*) FROM chosen") < min(least, counted):  # the lots below are among these
            self.made.execute(f"""
                CREATE OR REPLACE TABLE chosen AS SELECT * FROM predictions ORDER BY md5(id), id LIMIT {least}""")
        missing = self.made.execute(f"SELECT {PLACE} FROM chosen WHERE input IS NULL ORDER BY {PLACE}").fetchall()
        found_again = self._texts(missing)
        by = self.mapping.by
        names = ", ".join(columns(PREDICTIONS, by))
        rows = self.made.execute(f"SELECT {PLACE}, {names} FROM chosen ORDER BY moment, {PLACE}").fetchall()
        names = ", ".join(columns(OUTCOMES))
        said = self.made.execute(f"""
            SELECT {names} FROM outcomes SEMI JOIN chosen ON prediction_id = id ORDER BY moment, {PLACE}""").fetchall()
        outcomes: dict[str, list[Outcome]] = defaultdict(list)
        for row in said:
            found = dict(zip(columns(OUTCOMES), row, strict=True))
            source = OutcomeSource(found.pop("source"))
            one = Outcome(at=_time(found.pop("moment")), source=source, **found)
            outcomes[one.prediction_id].append(one)
        return Sample(counted, [_prediction(row, found_again, by) for row in rows], dict(outcomes))

    def _texts(self, places: Sequence[_Place]) -> dict[_Place, str]:
        """The requests' texts that were not kept, from their raw files."""
        found: dict[_Place, str] = {}
        for place, line in self._raw_lines(places):
            names = mapping_in(line.file, self.mapping)
            row = judge_line(line, date.fromordinal(place[0]), PREDICTIONS, PREDICTIONS.paths(names), names.values).row
            if row is not None:
                found[place] = row.input
        gone = [place for place in places if place not in found]
        if gone:
            day, _, number = gone[0]
            where = f"{self.store.uri}/{PREDICTIONS.folder}/{date.fromordinal(day)}/ line {number}"
            raise StoreError(f"{where}: found no such request, expected the one that was read just before")
        return found

    def _raw_lines(self, places: Iterable[_Place]) -> Iterator[tuple[_Place, Line]]:
        """Requests as they stand in their raw files, of places in the order of reading."""
        files = {kept.day.day.toordinal(): list(kept.day.files) for kept in self.predictions}
        for (day, file), rows in groupby(places, key=lambda one: one[:2]):
            key = files[day][file]
            source = Source(key, self.store.fetch(key, self.scratch))
            numbers = {line for *_, line in rows}
            for line in pick_lines(source, numbers, PREDICTIONS.paths(self.mapping), self.scratch):
                yield (day, file, line.number), line

    def tally(self, start: datetime, end: datetime, until: datetime, free_text: bool) -> Tally:
        asked, told = set(utc_days(start, end)), set(utc_days(start, until))
        predictions = [kept for kept in self.predictions if kept.day.day in asked]
        outcomes = [kept for kept in self.outcomes if kept.day.day in told]
        first, end_at = micros(start), micros(end)
        self._prepare(predictions, outcomes, start=first, end=end_at, until=micros(until))
        bad = [
            _Placed(kept.day.day.toordinal(), one.file, one.row.line, one.row)
            for kept in predictions
            for one in kept.day.bad
            if one.at is None or start <= one.at < end
        ]
        doubled = self.made.execute(f"SELECT {PLACE} FROM doubled ORDER BY {PLACE}").fetchall()
        bad += [_Placed(*place, line.quarantined("duplicate id")) for place, line in self._raw_lines(doubled)]
        bad_outcomes = [
            one.row
            for kept in outcomes
            for one in kept.day.bad
            if (kept.day.day in asked if one.at is None else one.at < until and start <= one.at < end)
        ]
        self._count(free_text)
        return Tally(
            cells=_cells(self.made),
            latency=_latency(self.made),
            delay=_counts(self.made, "SELECT delay, count(*) FROM heard GROUP BY 1"),
            times=counts_by(_rows(self.made, "SELECT quarter, model_version, n FROM counted WHERE by_time")),
            quarantined=[one.row for one in sorted(bad, key=lambda one: one[:3])] + bad_outcomes,
            given=_number(self.made, f"SELECT count(*) FROM outcomes WHERE moment >= {first} AND moment < {end_at}"),
        )

    def _count(self, free_text: bool) -> None:
        """Lay out `counted`, `told` and `heard`."""
        by = facets(PREDICTIONS, self.mapping.by)
        names = {
            "output": "NULL::VARCHAR" if free_text else "output",
            "named": "NULL::VARCHAR" if free_text else "o.answer",
            "counts": "correct IS NOT NULL" if free_text else "true",
            "facets": ", ".join(by),
            "by": "".join(f", {name}" for name in by),
        }
        for query in (COUNTED, TOLD, HEARD):
            self.made.execute(query.format(**names))

    def _prepare(self, asked: Sequence[KeptDay], told: Sequence[KeptDay], *, start: int, end: int, until: int) -> None:
        """Lay out `predictions`, `outcomes` and `doubled` (places of rows whose id was read before).

        Only the hashes of ids are grouped, and of what shares one the ids: a window's ids need not fit into memory.
        """
        self.made.execute(f"""
            CREATE OR REPLACE VIEW read AS SELECT * FROM {_relation(PREDICTIONS, asked, self.mapping.by)}
                WHERE moment >= {start} AND moment < {end};
            CREATE OR REPLACE VIEW outcomes AS SELECT * FROM {_relation(OUTCOMES, told)} WHERE moment < {until};
            CREATE OR REPLACE TABLE doubled AS SELECT {PLACE} FROM read LIMIT 0;
            CREATE OR REPLACE VIEW predictions AS SELECT * FROM read;
        """)
        if _number(self.made, "SELECT count(*) - count(DISTINCT hash(id)) FROM read"):  # seldom is one read twice
            self.made.execute(f"""
                CREATE OR REPLACE TABLE alike AS SELECT hash(id) AS h FROM read GROUP BY 1 HAVING count(*) > 1;
                INSERT INTO doubled SELECT {PLACE} FROM (
                    SELECT {PLACE}, row_number() OVER (PARTITION BY id ORDER BY {PLACE}) AS nth
                    FROM read WHERE hash(id) IN (FROM alike)
                ) WHERE nth > 1;
                CREATE OR REPLACE VIEW predictions AS SELECT * FROM read ANTI JOIN doubled USING ({PLACE});
            """)


STEP = f"""
    CASE WHEN latency_ms IS NOT NULL THEN floor({LATENCY_STEPS} * log2(greatest(latency_ms, 0.001)))::INTEGER END"""
BIN = f"least(floor(confidence * {CONFIDENCE_BINS})::INTEGER, {CONFIDENCE_BINS} - 1)"
TIME = f"moment // {QUARTER // timedelta(microseconds=1)}"
SURE = f"floor(confidence * {SCALE} + 0.5)::BIGINT"
COUNTED = f"""
    CREATE OR REPLACE TABLE counted AS
    SELECT grouping(step) = 0 AS by_step, grouping(quarter) = 0 AS by_time, step, quarter,
        model_version, answer, automatic, bin, [{{facets}}]::VARCHAR[] AS facets, count(*) AS n, sum(sure) AS sure
    FROM (
        SELECT {STEP} AS step, {TIME} AS quarter, model_version, {{output}} AS answer, automatic, {BIN} AS bin{{by}},
            {SURE} AS sure
        FROM predictions)
    GROUP BY GROUPING SETS (
        (model_version, step{{by}}), (quarter, model_version), (model_version, answer, automatic, bin{{by}}))"""
"""All requests, read once and counted in three ways; most were said nothing about. To group by lists takes longer."""
TOLD = f"""
    CREATE OR REPLACE TABLE told AS
    SELECT p.day, p.file, p.line, p.moment AS asked, model_version, {{output}} AS answer, automatic, {BIN} AS bin,
        [{{facets}}]::VARCHAR[] AS facets, {SURE} AS sure,
        o.moment AS said_at, o.day AS at_day, o.file AS at_file, o.line AS at_line, source, {{named}} AS named, correct
    FROM outcomes o JOIN predictions p ON prediction_id = id WHERE {{counts}}"""
"""What was said, each beside the request it was said about.

Answers in free text cannot be named right or wrong: of them only what was called so counts."""
HEARD = f"""
    CREATE OR REPLACE TABLE heard AS
    SELECT {PLACE}, count(*) > 1 AS often, greatest(min(said_at) - min(asked), 0) // {DAY} AS delay
    FROM told GROUP BY {PLACE}"""
"""The requests something was said about, most of them once: lists of what was said are made of the others only."""
CELL = "model_version, answer, automatic, bin, facets"
ONCE = f"""
    SELECT {CELL}, source, named, correct, count(*), sum(sure)
    FROM told ANTI JOIN (FROM heard WHERE often) USING ({PLACE}) GROUP BY ALL"""
OFTEN = f"""
    SELECT {PLACE}, {CELL}, sure, source, named, correct
    FROM told SEMI JOIN (FROM heard WHERE often) USING ({PLACE}) ORDER BY {PLACE}, said_at, at_day, at_file, at_line"""


def _relation(kind: Kind[Row], days: Sequence[KeptDay], by: Sequence[str] = ()) -> str:
    if days:
        return parquet_rows(*(kept.path for kept in days))
    empty = READ_AT | columns(kind, by)
    return f"(SELECT {', '.join(f'NULL::{type} AS {name}' for name, type in empty.items())} WHERE false)"


def _prediction(row: Sequence[Any], texts: Mapping[_Place, str], by: Sequence[str]) -> Prediction:
    """A request from its place and its columns; a text that was not kept is in `texts`."""
    day, file, line, *values = row
    found = dict(zip(columns(PREDICTIONS, by), values, strict=True))
    text = texts.get((day, file, line), found.pop("input"))
    shared = {key: found.pop(name) for name, key in facets(PREDICTIONS, by).items()}
    metadata = {key: value for key, value in shared.items() if value is not None}
    return Prediction(at=_time(found.pop("moment")), input=text, metadata=metadata, **found)


def _time(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _cells(made: DuckDBPyConnection) -> dict[Cell, Count]:
    """Every request in the cell without opinions, and those something was said about taken from there into theirs."""
    query = f"SELECT {CELL}, n, sure FROM counted WHERE NOT by_step AND NOT by_time"
    found = {_cell(row): Count(n, int(sure)) for *row, n, sure in made.execute(query).fetchall()}
    for cell, (n, sure) in _heard(made):
        for one, sign in ((cell._replace(said=()), -1), (cell, 1)):
            so_far = found.get(one, Count(0, 0))
            found[one] = Count(so_far.requests + sign * n, so_far.confidence + sign * sure)
    return {cell: count for cell, count in found.items() if count.requests}


def _heard(made: DuckDBPyConnection) -> Iterator[tuple[Cell, Count]]:
    """The requests something was said about."""
    for *row, source, named, correct, n, sure in made.execute(ONCE).fetchall():
        yield _cell(row, _opinions([(source, named, correct)])), Count(n, int(sure))
    for _, rows in groupby(_rows(made, OFTEN), key=lambda row: row[:3]):
        said = list(rows)
        _, _, _, *row, sure = said[0][:-3]
        yield _cell(row, _opinions([one[-3:] for one in said])), Count(1, int(sure))


def _cell(row: Sequence[Any], said: tuple[Opinion, ...] = ()) -> Cell:
    version, answer, automatic, tenth, facets = row
    return Cell(version, answer, automatic, tenth, said, tuple(facets))


def _opinions(said: Iterable[Sequence[Any]]) -> tuple[Opinion, ...]:
    return tuple(Opinion(OutcomeSource(source), named, correct) for source, named, correct in said)


def _rows(made: DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, some at a time."""
    found = made.execute(query)
    while batch := found.fetchmany(BATCH):
        yield from batch


def _latency(made: DuckDBPyConnection) -> dict[Timed, dict[int, int]]:
    rows = _rows(made, "SELECT model_version, facets, step, n FROM counted WHERE by_step AND step IS NOT NULL")
    return counts_by((Timed(version, tuple(facets)), step, n) for version, facets, step, n in rows)


def _counts(made: DuckDBPyConnection, query: str) -> dict[int, int]:
    return {int(key): int(n) for key, n in made.execute(query).fetchall()}


def _number(made: DuckDBPyConnection, query: str) -> int:
    found = made.execute(query).fetchone()
    return int(found[0]) if found else 0
