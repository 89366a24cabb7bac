"""What do the raw files of one UTC day hold? They are read once, by DuckDB, and never lie in memory as a whole.

SQL keeps the rows that are plainly fine (sql_filter.py); every other row goes to `upkeep.log.lines.judge_line`, which
alone decides what a row means and why it is quarantined. A small day goes there whole: a database takes longer to open.
"""

from __future__ import annotations

import gzip
import logging
import shutil
import zlib
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Generic, NamedTuple

from upkeep.log.entries import LogMapping, Quarantined, draw_order, facet
from upkeep.log.lines import (
    Kind,
    Line,
    RejectedError,
    Row,
    file_lines,
    is_readable,
    judge_line,
    mapping_in,
    parquet_lines,
    text_lines,
)
from upkeep.log.sql_filter import ALL, READ_AT, columns, facets, from_json, from_parquet, micros, parquet_rows, quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

LOG = logging.getLogger(__name__)
BATCH = 5_000
"""So many lines of a file are in memory at a time."""
SMALL = 1 << 18
"""Bytes of raw files below which a day is read without DuckDB, and so is a file among many of a day."""
TEXTS = 1 << 18
"""Bytes of raw files of a day of whose rows the texts are kept; of a larger day the texts of this share of its rows."""
EVERY = ALL + "f"
"""Above the lot of every row."""
DENSE = 64
"""A byte of Parquet weighs as much as so many of text: it holds more rows, and these Python reads more slowly."""
LARGE = 8 << 20
"""Bytes of a Parquet file from which on its day is read with no other such day beside it: two need more than MEMORY."""
MEMORY = "128MB"
THREADS = 2
PARQUET = "(FORMAT parquet, PARQUET_VERSION v2, ROW_GROUP_SIZE 30720)"
"""Version 2 packs ids, times and line numbers into half the bytes, in less time; small row groups take less memory."""


class Source(NamedTuple):
    """A raw file: its key in the store and where its bytes lie on this machine."""

    key: str
    path: Path

    def open(self) -> BinaryIO:
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that breaks the contract, and its time if it has one on its folder's day."""

    row: Quarantined
    file: int
    at: datetime | None


class Scanned(NamedTuple):
    """The bad rows of a day in reading order, and the lot below which the texts of its good rows are kept, of no other.

    That lot is chosen by the size of the files alone, so that it says nothing about the rows on either side of it.
    """

    bad: list[BadRow]
    texts: str


@contextmanager
def database(scratch: Path) -> Iterator[DuckDBPyConnection]:
    """A DuckDB that takes little memory and spills the rest into the scratch folder."""
    import duckdb

    with duckdb.connect() as made:
        made.execute(f"SET memory_limit = '{MEMORY}'; SET threads = {THREADS}; SET preserve_insertion_order = false")
        made.execute(f"SET temp_directory = {quoted(str(scratch / 'spill'))}")
        yield made


def scan_day(
    made: DuckDBPyConnection,
    sources: Sequence[Source],
    target: Path,
    *,
    kind: Kind[Row],
    day: date,
    mapping: LogMapping,
    scratch: Path,
) -> Scanned:
    """Write what is kept of a day's good rows to the Parquet file `target`.

    The Parquet file has, besides the kept columns, `day` (of the folder, as a number), `file` (place in `sources`) and
    `line`: in this order rows count as read.
    """
    if _is_small(sources):
        return Scanned(_scan_small(sources, target, kind, day, mapping=mapping), EVERY)
    size = sum(source.path.stat().st_size for source in sources)
    texts = EVERY if size <= TEXTS else f"{TEXTS * 16**8 // size:08x}"
    scan = _Scan(made, kind, day, mapping, texts)
    if not (len(sources) == 1 and scan.copy(sources[0], target, scratch)):
        scan.begin()
        for number, source in enumerate(sources):
            scan.read(number, source, scratch)
        scan.write(target)
    return Scanned(sorted(scan.bad, key=lambda one: (one.file, one.row.line)), texts)


def is_large(sources: Iterable[Source]) -> bool:
    """Does reading one of these files take much of the memory that there is?"""
    return any(one.key.endswith(".parquet") and one.path.stat().st_size > LARGE for one in sources)


def _is_small(sources: Iterable[Source]) -> bool:
    sizes = [source.path.stat().st_size * (DENSE if source.key.endswith(".parquet") else 1) for source in sources]
    return sum(sizes) < SMALL


def _scan_small(
    sources: Sequence[Source], target: Path, kind: Kind[Row], day: date, *, mapping: LogMapping
) -> list[BadRow]:
    import pyarrow.parquet as pq

    bad: list[BadRow] = []
    rows: list[dict[str, object]] = []
    for number, source in enumerate(sources):
        names = mapping_in(source.key, mapping)
        paths = kind.paths(names)
        for line in file_lines(source.key, source.open, paths):
            found = judge_line(line, day, kind, paths, names.values)
            if found.row is None:
                bad.append(BadRow(line.quarantined(found.reason), number, found.at))
                continue
            rows.append(_place(day, number, line.number) | _kept(found.row, kind, mapping))
    pq.write_table(_table(rows, READ_AT | columns(kind, mapping.by)), target)
    return sorted(bad, key=lambda one: (one.file, one.row.line))


def _kept(row: Row, kind: Kind[Row], mapping: LogMapping) -> dict[str, object]:
    kept = {name: micros(row.at) if name == "moment" else getattr(row, name) for name in columns(kind)}
    metadata = getattr(row, "metadata", {})
    return kept | {name: facet(metadata, key) for name, key in facets(kind, mapping.by).items()}


def pick_lines(source: Source, numbers: Container[int], paths: dict[str, str], scratch: Path) -> Iterator[Line]:
    """The lines of a file that have one of the numbers, without holding the others."""
    if source.key.endswith(".parquet"):
        yield from parquet_lines(source.key, source.open, paths, numbers=numbers)
        return
    lines = _text_lines(_unzipped(source, scratch))
    yield from (Line(source.key, number, line) for number, line in lines if number in numbers)


@dataclass(slots=True)
class _Scan(Generic[Row]):
    """A day in the making: the table `slim` and the bad rows found so far."""

    database: DuckDBPyConnection
    kind: Kind[Row]
    day: date
    mapping: LogMapping
    texts: str
    bad: list[BadRow] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    waiting: list[dict[str, object]] = field(default_factory=list)

    def begin(self) -> None:
        """Make the table; it is this connection's own, for other days are read beside this one."""
        self.waiting.clear()
        types = ", ".join(f"{name} {type}" for name, type in self._kept.items())
        self.database.execute(f"CREATE OR REPLACE TEMP TABLE slim ({types}, fine BOOLEAN)")

    def write(self, target: Path, also: Path | None = None) -> None:
        """Write the table to the target, with what another file holds already."""
        self._insert_waiting()
        names = ", ".join(self._kept)
        rows = f"SELECT {names} FROM slim WHERE fine"
        if also:
            rows = f"SELECT {names} FROM {parquet_rows(also)} UNION ALL {rows}"
        self.database.execute(f"COPY ({rows}) TO {quoted(str(target))} {PARQUET}")
        self.database.execute("DROP TABLE slim")

    def copy(self, source: Source, target: Path, scratch: Path) -> bool:
        """Take in a day that is one Parquet file, whose plainly fine rows need no table on their way to the target."""
        import duckdb

        try:
            if not (is_readable(source.key) and source.key.endswith(".parquet")):
                return False
            query = self._from_parquet(source)
            if query is None:
                return False
            aside, relation = scratch / "fine.parquet", self._placed(0, query, ", ".join(self._kept))
            copied = self.database.execute(f"COPY ({relation} WHERE fine) TO {quoted(str(aside))} {PARQUET}").fetchall()
            if copied == self.database.execute(f"SELECT count(*) FROM {parquet_rows(source.path)}").fetchall():
                aside.replace(target)
                return True
            self.begin()
            doubted = self.database.execute(f"SELECT line FROM ({query}) WHERE NOT fine").fetchall()
            self._judge(0, pick_lines(source, {line for (line,) in doubted}, self._paths, scratch))
        except (duckdb.Error, RejectedError) as exc:
            self._tell(source.key, exc)
            self.bad.clear()
            return False
        if self._any():
            self.write(target, aside)
        else:
            aside.replace(target)
        return True

    def read(self, number: int, source: Source, scratch: Path) -> None:
        """Take in one file: SQL first; a file that SQL cannot read, or cannot read as Python would, row by row.

        So is a small one, for which a query takes longer than its rows do.
        """
        import duckdb

        try:
            if not is_readable(source.key) or _is_small([source]):
                plain = False
            elif source.key.endswith(".parquet"):
                plain = self._parquet(number, source, scratch)
            elif source.key.endswith((".jsonl", ".jsonl.gz")):
                plain = self._json(number, _text_lines(_unzipped(source, scratch)), source.key)
            else:
                plain = False
        except (OSError, EOFError, zlib.error, duckdb.Error, RejectedError) as exc:  # damaged, or not UTF-8
            self._tell(source.key, exc)
            plain = False
        if not plain:
            self._forget(number)
            self._judge(number, file_lines(source.key, source.open, self._paths))

    def _tell(self, key: str, exc: Exception) -> None:
        """Raise what is wrong with our SQL, and log once for a file what may be that or a column of an odd name, and
        that memory was too short.

        What is wrong with a file's bytes DuckDB says by other errors, and Python then says which rows they spoil.
        """
        import duckdb

        if isinstance(exc, (duckdb.ParserException, duckdb.SyntaxException, duckdb.CatalogException)):
            raise exc
        if isinstance(exc, (duckdb.BinderException, duckdb.OutOfMemoryException)) and key not in self.told:
            self.told.add(key)
            LOG.warning("%s: read row by row, which is slow, for DuckDB cannot read it: %s", key, exc)

    @property
    def _columns(self) -> dict[str, str]:
        return columns(self.kind, self.mapping.by)

    @property
    def _kept(self) -> dict[str, str]:
        return READ_AT | self._columns

    @property
    def _paths(self) -> dict[str, str]:
        return self.kind.paths(self.mapping)

    def _from_parquet(self, source: Source) -> str | None:
        relation = parquet_rows(source.path, options=", file_row_number = true, hive_partitioning = false")
        described = self.database.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        types = {name: type for name, type, *_ in described if name != "file_row_number"}
        query = from_parquet(self.kind, self.mapping, self.day, self.texts, types)
        return query and f"WITH file AS (SELECT * FROM {relation}) {query}"

    def _parquet(self, number: int, source: Source, scratch: Path) -> bool:
        query = self._from_parquet(source)
        if query is None:
            return False
        self._insert(number, query)
        doubted = self._doubted(number)
        if doubted:
            self._judge(number, pick_lines(source, doubted, self._paths, scratch))
        return True

    def _json(self, number: int, lines: Iterator[tuple[int, bytes]], key: str) -> bool:
        import pyarrow as pa

        query = from_json(self.kind, mapping_in(key, self.mapping), self.day, self.texts)
        if query is None:
            return False
        while batch := list(islice(lines, BATCH)):
            texts = [_text(line) for _, line in batch]
            places = [place for place, _ in batch]
            self.database.register("batch", pa.table({"line": places, "content": pa.array(texts, pa.string())}))
            self._insert(number, query)
            doubted = self._doubted(number)
            self._judge(number, (Line(key, place, line) for place, line in batch if place in doubted))
        return True

    def _insert(self, number: int, query: str) -> None:
        names = ", ".join((*self._kept, "fine"))
        self.database.execute(f"INSERT INTO slim ({names}) {self._placed(number, query, names)}")

    def _placed(self, number: int, query: str, names: str) -> str:
        """The query's rows with the day and the number of their file; more can be said about them after it."""
        place = f"{self.day.toordinal()}::INTEGER AS day, {number}::INTEGER AS file"
        return f"SELECT {names} FROM (SELECT {place}, * FROM ({query}))"

    def _any(self) -> bool:
        self._insert_waiting()
        return self.database.execute("SELECT 1 FROM slim LIMIT 1").fetchone() is not None

    def _forget(self, number: int) -> None:
        """Take out what is there of a file."""
        self.database.execute(f"DELETE FROM slim WHERE file = {number}")
        self.waiting = [one for one in self.waiting if one["file"] != number]
        self.bad = [one for one in self.bad if one.file != number]

    def _doubted(self, number: int) -> set[int]:
        found = self.database.execute(f"SELECT line FROM slim WHERE file = {number} AND NOT fine").fetchall()
        if found:
            self.database.execute(f"DELETE FROM slim WHERE file = {number} AND NOT fine")
        return {line for (line,) in found}

    def _judge(self, number: int, lines: Iterable[Line]) -> None:
        """Let Python judge lines, and keep the good ones."""
        remaining = iter(lines)
        while batch := list(islice(remaining, BATCH)):
            names = mapping_in(batch[0].file, self.mapping)
            paths = self.kind.paths(names)
            found = [judge_line(line, self.day, self.kind, paths, names.values) for line in batch]
            self.bad += [BadRow(one.line.quarantined(one.reason), number, one.at) for one in found if one.row is None]
            self._keep(number, [(one.line.number, one.row) for one in found if one.row is not None])

    def _keep(self, number: int, rows: Iterable[tuple[int, Row]]) -> None:
        """Keep rows of a file, in the table once there are many: of small files each has few."""
        for line, row in rows:
            one = _kept(row, self.kind, self.mapping)
            if "input" in one and draw_order(str(one["id"])) >= self.texts:
                one["input"] = None
            self.waiting.append(_place(self.day, number, line) | one)
        if len(self.waiting) >= BATCH:
            self._insert_waiting()

    def _insert_waiting(self) -> None:
        if not self.waiting:
            return
        names = ", ".join(self._kept)
        self.database.register("judged", _table(self.waiting, self._kept))
        self.database.execute(f"INSERT INTO slim ({names}, fine) SELECT {names}, true FROM judged")
        self.waiting.clear()


def _place(day: date, number: int, line: int) -> dict[str, object]:
    return {"day": day.toordinal(), "file": number, "line": line}


def _table(rows: Sequence[dict[str, object]], kept: dict[str, str]) -> pa.Table:
    import pyarrow as pa

    types = {"INTEGER": pa.int32(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "DOUBLE": pa.float64()}
    schema = [(name, types.get(type, pa.bool_())) for name, type in kept.items()]
    return pa.Table.from_pylist(rows, pa.schema(schema))


def _unzipped(source: Source, scratch: Path) -> Path:
    """The file itself, or what its archive holds as a file: a damaged archive shows only at its end."""
    if not source.key.endswith(".gz"):
        return source.path
    target = scratch / "unzipped"
    with gzip.open(source.path) as packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return target


def _text_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        yield from text_lines(file)


def _text(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None
