"""Which row does a line of the log's files hold, or why none?

The contract with the system that writes the log is in docs/log.md. A row that breaks it is quarantined with the reason:
it is never dropped in silence and never stops a review.
"""

from __future__ import annotations

import codecs
import gzip
import json
import math
import re
import reprlib
import sys
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BufferedReader
from itertools import groupby
from operator import attrgetter
from typing import Any, BinaryIO, Generic, NamedTuple, NoReturn, TypeVar

from upkeep.conversations import messages, request_of
from upkeep.errors import UpkeepError
from upkeep.log.entries import (
    OUTCOME_FIELDS,
    PREDICTION_FIELDS,
    LogMapping,
    Outcome,
    OutcomeSource,
    Prediction,
    Quarantined,
    as_utc,
    canonical,
)
from upkeep.redaction import redact
from upkeep.store import shown_key

RAW_LIMIT = 500
"""Characters of a quarantined row that are kept."""
RAW_BYTES = 4 * RAW_LIMIT
"""Bytes that have as many, whatever they are."""

OWN = re.compile(r"/audit-\d{4}-W\d{2}-[0-9a-f]{12}\.jsonl$")
"""How a file of the log ends that Upkeep itself wrote, from a returned audit sheet (`own_file`)."""


class RejectedError(UpkeepError):
    """Why a row or a file is quarantined; never leaves what reads the log."""


Row = TypeVar("Row", Prediction, Outcome)
_Values = Mapping[str, Mapping[str, object]]
Opened = Callable[[], BinaryIO]
"""Opens a file, at its beginning each time."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Row]):
    """One half of the log: where it lies, its fields on disk, and how a row is made of a time and their values."""

    folder: str
    fields: tuple[str, ...]
    make: Callable[[datetime, Mapping[str, object]], Row]
    theirs: Callable[[LogMapping], Mapping[str, str]]

    def paths(self, mapping: LogMapping) -> dict[str, str]:
        """Our field -> where it stands in the client's rows."""
        theirs = self.theirs(mapping)
        return {name: theirs.get(name, name) for name in self.fields}

    def on_disk(self, row: Row) -> dict[str, object]:
        written: dict[str, object] = {"timestamp": as_utc(row.at)}
        if isinstance(row, Prediction):
            written["input"] = messages(row.input)
        return {name: written[name] if name in written else getattr(row, name) for name in self.fields}


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it was found; `fault` says why it cannot even be parsed."""

    file: str
    number: int
    content: bytes | Mapping[str, object]
    fault: str | None = None

    def quarantined(self, reason: str) -> Quarantined:
        return Quarantined(self.file, self.number, reason, _raw(self.content))


class Found(NamedTuple, Generic[Row]):
    """A line, its time if it has one on the folder's day, and the row or the reason why there is none."""

    line: Line
    at: datetime | None
    row: Row | None
    reason: str


def own_file(week: str, digest: str) -> str:
    """The name, without its ending, of the file with a returned sheet's answers; `digest` has 12 hex digits."""
    return f"audit-{week}-{digest}"


def mapping_in(key: str, mapping: LogMapping) -> LogMapping:
    """How a file of the log is read: what Upkeep wrote has the contract's own names and values."""
    return LogMapping(by=mapping.by) if OWN.search(key) else mapping


def is_data(key: str, folder: str) -> bool:
    """Is a file in a day's folder none of the usual marks, such as Spark's _SUCCESS?"""
    return not any(part.startswith(("_", ".")) for part in key.removeprefix(folder).split("/"))


def is_readable(key: str) -> bool:
    """Can the file's name be written into records, and be given to those who read it?"""
    return shown_key(key) == key


def judge_line(line: Line, day: date, kind: Kind[Row], paths: Mapping[str, str], values: _Values) -> Found[Row]:
    """The row that a line of a day's file holds, or the reason why it breaks the contract."""
    at = None
    try:
        content = _object(line)
        fields = {name: _dig(content, path) if "." in path else content.get(path) for name, path in paths.items()}
        for name in values.keys() & fields.keys():
            fields[name] = _translate(fields[name], values[name])
        moment = _time(fields["timestamp"])
        if moment.date() != day:
            raise _rejected("timestamp", fields["timestamp"], f"a time on its folder's day, {day} in UTC")
        at = moment
        return Found(line, at, kind.make(moment, fields), "")
    except RejectedError as exc:
        return Found(line, at, None, str(exc))


def file_lines(key: str, opened: Opened, paths: Mapping[str, str]) -> Iterator[Line]:
    """The lines of a file that are not blank, or one with the number 0 that says why the file cannot be read.

    A part of it is in memory at a time: it is read to its end first, for there it may show that it is damaged.
    """
    fault = _fault(key, opened, paths)
    if fault is None:
        try:
            yield from _good_lines(key, opened, paths)
        except RejectedError as exc:  # it was cut off since
            fault = str(exc)
    if fault is not None:
        with opened() as file:
            yield Line(shown_key(key), 0, file.read(RAW_BYTES), fault=fault)


def _good_lines(key: str, opened: Opened, paths: Mapping[str, str]) -> Iterator[Line]:
    if key.endswith(".parquet"):
        return parquet_lines(key, opened, paths)
    return (Line(key, number, text) for number, text in text_lines(_unzipped(key, opened)))


def _fault(key: str, opened: Opened, paths: Mapping[str, str]) -> str | None:
    """Why nothing can be read of a file, if so."""
    if not is_readable(key):
        return "file: name is not UTF-8, expected one that is"
    try:
        if key.endswith(".parquet"):
            _exhaust(_tables(opened, paths))
        elif key.endswith(".jsonl.gz"):
            _exhaust(_unzipped(key, opened))
        elif not key.endswith(".jsonl"):
            raise RejectedError("file: unknown type, expected .jsonl, .jsonl.gz or .parquet")
    except RejectedError as exc:
        return str(exc)
    return None


def _exhaust(parts: Iterable[object]) -> None:
    for _ in parts:
        pass


def text_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line of a file that is not blank."""
    for number, line in enumerate(lines, start=1):
        text = line.removesuffix(b"\n")
        text = text.removeprefix(codecs.BOM_UTF8) if number == 1 else text
        if text and not text.isspace():
            yield number, text


def _unzipped(key: str, opened: Opened) -> Iterator[bytes]:
    with opened() as file:
        if not key.endswith(".gz"):
            yield from file
            return
        try:
            yield from BufferedReader(gzip.GzipFile(fileobj=file))
        except (OSError, EOFError, zlib.error) as exc:
            raise RejectedError(f"file: not readable as gzip: {exc}") from exc


def parquet_lines(
    key: str, opened: Opened, paths: Mapping[str, str], *, numbers: Container[int] | None = None
) -> Iterator[Line]:
    """The rows of a Parquet file with the columns that the paths begin with, a batch in memory at a time.

    With `numbers` only those rows: it is Python's objects that take long.
    """
    first = 1
    for table in _tables(opened, paths):
        places = range(first, first + table.num_rows)
        for run in [places] if numbers is None else _runs(places, numbers):
            rows = _objects(table.slice(run.start - first, len(run)))
            for number, row in zip(run, rows, strict=True):
                yield Line(key, number, {}, fault=row) if isinstance(row, str) else Line(key, number, row)
        first = places.stop


def _runs(places: range, numbers: Container[int]) -> Iterator[range]:
    """Those of some consecutive places that are wanted, as ranges."""
    wanted = enumerate(place for place in places if place in numbers)
    for _, run in groupby(wanted, key=lambda one: one[1] - one[0]):
        (_, start), *rest = run
        yield range(start, start + 1 + len(rest))


def _tables(opened: Opened, paths: Mapping[str, str]) -> Iterator[Any]:
    """The file's Arrow tables, a batch each. Raises RejectedError where it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tops = {*paths.values(), *(path.partition(".")[0] for path in paths.values())}
    try:
        with opened() as source:
            file, read = pq.ParquetFile(source), 0
            for batch in file.iter_batches(columns=[name for name in file.schema_arrow.names if name in tops]):
                yield _cut(pa.Table.from_batches([batch]))
                read += batch.num_rows
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError) as exc:
        raise RejectedError(f"file: not readable as Parquet: {exc}") from exc
    if read != file.metadata.num_rows:  # a damaged column ends early, and no error says so
        raise RejectedError(f"file: not readable as Parquet: {read} rows found, expected {file.metadata.num_rows}")


def _objects(table: Any) -> Iterator[dict[str, object] | str]:
    """Each row of an Arrow table as Python has it, or why it has it not: such a row spoils no other."""
    import pyarrow as pa

    try:
        yield from table.to_pylist(maps_as_pydicts="strict")
    except (pa.ArrowException, ValueError, OverflowError, LookupError) as exc:
        if table.num_rows == 1:
            yield f"line: not readable from Parquet: {exc}"
            return
        half = table.num_rows // 2
        yield from _objects(table.slice(0, half))
        yield from _objects(table.slice(half))


def _cut(table: Any) -> Any:
    """The Arrow table with its nanoseconds cut, because Python's times have microseconds."""
    import pyarrow as pa

    for at, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            cut = table.column(at).cast(pa.timestamp("us", column.type.tz), safe=False)
            table = table.set_column(at, column.name, cut)
    return table


def _object(line: Line) -> Mapping[str, object]:
    if line.fault is not None:
        raise RejectedError(line.fault)
    if not isinstance(line.content, bytes):
        return line.content
    try:
        value = _DECODER.decode(line.content.decode())
        if b"\\u" in line.content:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair could never be written again
    except (ValueError, RecursionError) as exc:
        raise RejectedError(f"line: not JSON in UTF-8: {exc}") from exc
    if not isinstance(value, dict):
        raise _rejected("line", value, "a JSON object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (math.inf, -math.inf):
        raise ValueError(f"{digits} is out of range")
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def _dig(row: Mapping[str, object], path: str) -> object:
    if path in row:
        return row[path]
    value: object = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _translate(value: object, table: Mapping[str, object]) -> object:
    if isinstance(value, str):
        return table.get(value, value)
    if value is None or isinstance(value, (bool, int, float)):
        return table.get(json.dumps(value), value)
    return value


def _prediction(at: datetime, fields: Mapping[str, object]) -> Prediction:
    automatic = _flag("automatic", fields["automatic"])
    given = fields["output"]
    output = None if given == "" and not automatic else _answer_or_none("output", given)  # a model may write nothing
    if automatic and output is None:
        raise _rejected("output", None, "an answer where automatic is true")
    return Prediction(
        id=_text("id", fields["id"]),
        at=at,
        input=_request(fields["input"]),
        output=output,
        confidence=_number("confidence", fields["confidence"], most=1, wanted="a number in 0..1"),
        model_version=_text("model_version", fields["model_version"]),
        automatic=automatic,
        latency_ms=_latency(fields["latency_ms"]),
        metadata=_metadata(fields["metadata"]),
    )


def _outcome(at: datetime, fields: Mapping[str, object]) -> Outcome:
    source, correct = fields["source"], fields["correct"]
    if source not in _SOURCES:
        raise _rejected("source", source, f"one of {[known.value for known in OutcomeSource]}")
    answer = _answer_or_none("answer", fields["answer"])
    if correct is not None:
        correct = _flag("correct", correct)
    if answer is None and correct is None:
        raise _rejected("answer", None, "an answer, or true or false in correct")
    return Outcome(_text("prediction_id", fields["prediction_id"]), at, OutcomeSource(str(source)), answer, correct)


_SOURCES = tuple(OutcomeSource)
PREDICTIONS = Kind("log/predictions", PREDICTION_FIELDS, _prediction, attrgetter("predictions"))
OUTCOMES = Kind("log/outcomes", OUTCOME_FIELDS, _outcome, attrgetter("outcomes"))


def _time(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # not a time at all, or outside of the years 1..9999 in UTC
    raise _rejected("timestamp", value, "an ISO 8601 time with an offset")


def _text(name: str, value: object) -> str:
    if isinstance(value, str) and value and not value.isspace():
        return value
    raise _rejected(name, value, "a non-empty string")


def _request(value: object) -> str:
    try:
        return request_of(value)
    except ValueError as exc:
        raise _rejected("input", value, str(exc)) from exc


def _answer_or_none(name: str, value: object) -> str | None:
    return None if value is None else canonical(_text(name, value))


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _rejected(name, value, "true or false")


def _number(name: str, value: object, *, most: float, wanted: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most:
        return float(value)
    raise _rejected(name, value, wanted)


def _latency(value: object) -> float | None:
    if value is None:
        return None
    return _number("latency_ms", value, most=sys.float_info.max, wanted="milliseconds, 0 or more, or null")


def _metadata(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise _rejected("metadata", value, "an object or null")


def _rejected(name: str, value: object, wanted: str) -> RejectedError:
    return RejectedError(f"{name}: found {_SHORT.repr(value)}, expected {wanted}")


class _Short(reprlib.Repr):
    """What is cut is redacted first: half an address is one that nobody would find any more."""

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(x if len(x) <= self.maxstring else redact(x[: 4 * RAW_LIMIT]), level)


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = 60


def _raw(content: bytes | Mapping[str, object]) -> str:
    if isinstance(content, bytes):
        return content[:RAW_BYTES].decode(errors="replace")[:RAW_LIMIT]
    return json.dumps(content, default=str, ensure_ascii=False)[:RAW_LIMIT]
