"""What did the model answer in production, and what was said about the answers afterwards?

The contract with the system that writes the log is in docs/log.md. A row that breaks it is quarantined with the reason:
it is never dropped in silence and never stops a review.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import json
import math
import reprlib
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from io import BytesIO
from typing import Any, BinaryIO, Generic, NamedTuple, NoReturn, TypeVar

from upkeep.errors import ConfigError, StoreError, UpkeepError
from upkeep.periods import Window
from upkeep.store import Store, write_jsonl
from upkeep.turns import messages, request_of

RAW_LIMIT = 500
"""Characters of a quarantined row that are kept."""
SAMPLED = 2000
"""So many requests of a window are looked at one by one at most."""


class OutcomeSource(StrEnum):
    """Who said what the right answer was."""

    ESCALATION = "escalation"
    CUSTOMER = "customer"
    AUDIT = "audit"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer of the model; `output` is None where it gave none, `automatic` where nobody looked before it went out.

    `confidence` is in 0..1, `at` is in UTC, `latency_ms` in milliseconds.
    """

    id: str
    at: datetime
    input: str
    output: str | None
    confidence: float
    model_version: str
    automatic: bool
    latency_ms: float | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What somebody said about a prediction: the right answer, whether the given one was correct, or both."""

    prediction_id: str
    at: datetime
    source: OutcomeSource
    answer: str | None = None
    correct: bool | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that breaks the contract; line 0 is the whole file, `raw` its first characters."""

    file: str
    line: int
    reason: str
    raw: str

    @property
    def subject(self) -> str:
        """What the reason is about, to count by: a field, `line`, `file` or `duplicate id`."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True, slots=True)
class LogMapping:
    """Where a client's log differs: our field -> theirs (dots reach into objects), and per field their value -> ours.

    `by` names keys of the metadata that requests are told apart by (`facet`). Values that are not strings are looked up
    by their JSON spelling (`true`, `1`, `null`); what is not listed stays. Raises ConfigError for a field that the log
    does not have.
    """

    predictions: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        allowed = {
            "predictions": PREDICTIONS.fields,
            "outcomes": OUTCOMES.fields,
            "values": tuple(dict.fromkeys(PREDICTIONS.fields + OUTCOMES.fields)),
        }
        for part, fields in allowed.items():
            unknown = [name for name in getattr(self, part) if name not in fields]
            if unknown:
                raise ConfigError(f"log mapping: {part} has {unknown}, expected only {list(fields)}")

    def of(self, kind: Kind[Row]) -> Mapping[str, str]:
        """Our field -> theirs for one half of the log."""
        return self.predictions if kind.folder == PREDICTIONS.folder else self.outcomes


class LogWindow(NamedTuple):
    """The predictions of a window in time order, what was said about each in time order, and what could not be used.

    `orphan_outcomes` counts outcomes from the window whose prediction is not among its predictions.
    """

    predictions: list[Prediction]
    outcomes: dict[str, list[Outcome]]
    quarantined: list[Quarantined]
    orphan_outcomes: int


class Sample(NamedTuple):
    """Requests of a window to look at one by one, in time order, with what was said about each.

    All of a small log; of a large one some by chance: which, depends on their ids alone. `requests` is how many there
    were. Their metadata are left out.
    """

    requests: int
    predictions: list[Prediction]
    outcomes: dict[str, list[Outcome]]


class RejectedError(UpkeepError):
    """Why a row or a file is quarantined; never leaves what reads the log."""


Row = TypeVar("Row", Prediction, Outcome)
_Values = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Kind(Generic[Row]):
    """One half of the log: where it lies, its fields on disk, and how a row is made of a time and their values."""

    folder: str
    fields: tuple[str, ...]
    make: Callable[[datetime, Mapping[str, object]], Row]

    def paths(self, theirs: Mapping[str, str]) -> dict[str, str]:
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


def read_window(store: Store, window: Window, *, mapping: LogMapping, outcomes_until: datetime) -> LogWindow:
    """Read the predictions with start <= time < end and what was said about them before `outcomes_until`.

    Of rows with the same prediction id the first read counts, the others are quarantined. A row that breaks the
    contract is quarantined in the window that holds its time; without a usable time, in every window that touches its
    folder's day. Raises StoreError when the store fails.
    """
    start, end, until = as_utc(window.start), as_utc(window.end), as_utc(outcomes_until)
    quarantined: list[Quarantined] = []
    predictions: dict[str, Prediction] = {}
    for found in _scan(store, PREDICTIONS, utc_days(start, end), mapping.predictions, mapping.values):
        if found.at is not None and not start <= found.at < end:
            continue
        if found.row is None:
            quarantined.append(found.line.quarantined(found.reason))
        elif found.row.id in predictions:
            quarantined.append(found.line.quarantined("duplicate id"))
        else:
            predictions[found.row.id] = found.row
    outcomes, bad, orphans = _read_outcomes(store, mapping, known=predictions, start=start, end=end, until=until)
    in_order = sorted(predictions.values(), key=lambda row: row.at)
    return LogWindow(in_order, outcomes, quarantined + bad, orphans)


def sample(window: LogWindow) -> Sample:
    """What to look at of a window that was read row by row."""
    chosen = sorted(window.predictions, key=lambda row: (lot(row.id), row.id))[:SAMPLED]
    ids = {row.id for row in chosen}
    rows = [replace(row, metadata={}) for row in window.predictions if row.id in ids]
    return Sample(len(window.predictions), rows, {key: said for key, said in window.outcomes.items() if key in ids})


def facet(metadata: Mapping[str, object], key: str) -> str | None:
    """The value of a metadata key to tell requests apart by: a text, a whole number or a flag; else None."""
    value = metadata.get(key)
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int) else None


def facets(metadata: Mapping[str, object], keys: Iterable[str]) -> dict[str, str]:
    """The values of these metadata keys to tell requests apart by; a key without one is left out."""
    return {key: value for key in keys if (value := facet(metadata, key)) is not None}


def lot(id: str) -> str:
    """What decides whether a request is looked at: those with the lowest lots are, as by chance."""
    return hashlib.md5(id.encode(), usedforsecurity=False).hexdigest()


def log_size(store: Store, windows: Sequence[Window], *, outcomes_until: datetime) -> int:
    """Bytes of the raw files that reading these windows would touch, each file once."""
    asked = {day for one in windows for day in utc_days(as_utc(one.start), as_utc(one.end))}
    told = utc_days(min(as_utc(one.start) for one in windows), as_utc(outcomes_until)) if windows else []
    folders = [
        f"{kind.folder}/{day.isoformat()}/" for kind, days in ((PREDICTIONS, asked), (OUTCOMES, told)) for day in days
    ]
    return sum(map(store.size, folders))


def write_predictions(store: Store, rows: Iterable[Prediction], *, name: str) -> None:
    """Write rows to `log/predictions/<UTC day>/<name>.jsonl`, over what an earlier call with that name wrote there."""
    _write(store, PREDICTIONS, name, rows)


def write_outcomes(store: Store, rows: Iterable[Outcome], *, name: str) -> None:
    """Write rows to `log/outcomes/<UTC day>/<name>.jsonl`, over what an earlier call with that name wrote there."""
    _write(store, OUTCOMES, name, rows)


class _Outcomes(NamedTuple):
    by_prediction: dict[str, list[Outcome]]
    quarantined: list[Quarantined]
    orphans: int


def _read_outcomes(
    store: Store, mapping: LogMapping, *, known: Container[str], start: datetime, end: datetime, until: datetime
) -> _Outcomes:
    in_window = {day.isoformat() for day in utc_days(start, end)}
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    quarantined: list[Quarantined] = []
    orphans = 0
    for found in _scan(store, OUTCOMES, utc_days(start, until), mapping.outcomes, mapping.values):
        at, row = found.at, found.row
        if at is not None and at >= until:
            continue
        if row is not None and row.prediction_id in known:
            outcomes[row.prediction_id].append(row)
        elif row is not None:
            orphans += start <= row.at < end
        elif start <= at < end if at is not None else _day_of(found.line.file) in in_window:
            quarantined.append(found.line.quarantined(found.reason))
    for said in outcomes.values():
        said.sort(key=lambda row: row.at)
    return _Outcomes(dict(outcomes), quarantined, orphans)


def _scan(
    store: Store, kind: Kind[Row], days: Iterable[date], theirs: Mapping[str, str], values: _Values
) -> Iterator[Found[Row]]:
    """Every row of the days' files, one file at a time."""
    paths = kind.paths(theirs)
    for day in days:
        folder = f"{kind.folder}/{day.isoformat()}/"
        for key in store.keys(folder):
            if not is_data(key, folder):
                continue
            for line in file_lines(key, store.read(key), paths):
                yield judge_line(line, day, kind, paths, values)


def is_data(key: str, folder: str) -> bool:
    """Is a file in a day's folder none of the usual marks, such as Spark's _SUCCESS?"""
    return not any(part.startswith(("_", ".")) for part in key.removeprefix(folder).split("/"))


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


def file_lines(key: str, data: bytes, paths: Mapping[str, str]) -> Iterator[Line]:
    """The lines of a file that are not blank, or one with the number 0 that says why the file cannot be read."""
    try:
        if key.endswith(".parquet"):
            rows = enumerate(list(parquet_rows(BytesIO(data), paths)), start=1)
            yield from (Line(key, number, row) for number, row in rows)
            return
        text = _text_of(key, data)
    except RejectedError as exc:
        yield Line(key, 0, data, fault=str(exc))
        return
    for number, line in enumerate(text.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if line and not line.isspace():
            yield Line(key, number, line)


def _text_of(key: str, data: bytes) -> bytes:
    if key.endswith(".jsonl"):
        return data
    if not key.endswith(".jsonl.gz"):
        raise RejectedError("file: unknown type, expected .jsonl, .jsonl.gz or .parquet")
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as exc:
        raise RejectedError(f"file: not readable as gzip: {exc}") from exc


def parquet_rows(source: str | BinaryIO, paths: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """The rows of a Parquet file with the columns that the paths begin with, a batch in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tops = {*paths.values(), *(path.partition(".")[0] for path in paths.values())}
    try:
        file, read = pq.ParquetFile(source), 0
        for batch in file.iter_batches(columns=[name for name in file.schema_arrow.names if name in tops]):
            yield from _cut(pa.Table.from_batches([batch])).to_pylist(maps_as_pydicts="strict")
            read += batch.num_rows
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError) as exc:
        raise RejectedError(f"file: not readable as Parquet: {exc}") from exc
    if read != file.metadata.num_rows:  # a damaged column ends early, and no error says so
        raise RejectedError(f"file: not readable as Parquet: {read} rows found, expected {file.metadata.num_rows}")


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
    output = _text_or_none("output", fields["output"])
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
    answer = _text_or_none("answer", fields["answer"])
    if correct is not None:
        correct = _flag("correct", correct)
    if answer is None and correct is None:
        raise _rejected("answer", None, "an answer, or true or false in correct")
    return Outcome(_text("prediction_id", fields["prediction_id"]), at, OutcomeSource(str(source)), answer, correct)


_SOURCES = tuple(OutcomeSource)
PREDICTIONS = Kind(
    folder="log/predictions",
    fields=("id", "timestamp", "input", "output", "confidence", "model_version", "automatic", "latency_ms", "metadata"),
    make=_prediction,
)
OUTCOMES = Kind(
    folder="log/outcomes", fields=("prediction_id", "timestamp", "source", "answer", "correct"), make=_outcome
)


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


def _text_or_none(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


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


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def _raw(content: bytes | Mapping[str, object]) -> str:
    if isinstance(content, bytes):
        return content[: 4 * RAW_LIMIT].decode(errors="replace")[:RAW_LIMIT]
    return json.dumps(content, default=str, ensure_ascii=False)[:RAW_LIMIT]


def as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no zone, expected a zone-aware time")
    return moment.astimezone(UTC)


def utc_days(start: datetime, end: datetime) -> list[date]:
    """The UTC days that hold a moment with start <= moment < end."""
    first, last = start.date(), (end - timedelta(microseconds=1)).date()
    return [first + timedelta(days=passed) for passed in range((last - first).days + 1)]


def _day_of(file: str) -> str:
    return file.split("/")[2]


def _write(store: Store, kind: Kind[Row], name: str, rows: Iterable[Row]) -> None:
    if not name or name.startswith(("_", ".")) or "/" in name:
        wanted = "a file name that begins with neither _ nor ."
        raise StoreError(f"{store.uri}/{kind.folder}: name is {name!r}, expected {wanted}")
    by_day: dict[date, list[Row]] = defaultdict(list)
    for row in rows:
        by_day[as_utc(row.at).date()].append(row)
    for day, kept in sorted(by_day.items()):
        write_jsonl(store, f"{kind.folder}/{day.isoformat()}/{name}.jsonl", map(kind.on_disk, kept))
