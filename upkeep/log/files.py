"""How is the production log read and written, row by row?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import partial
from io import BytesIO
from typing import NamedTuple

from upkeep.errors import StoreError
from upkeep.log.entries import LogMapping, LogWindow, Outcome, Prediction, Quarantined, as_utc, utc_days
from upkeep.log.lines import OUTCOMES, PREDICTIONS, Found, Kind, Line, Row, file_lines, is_data, judge_line, mapping_in
from upkeep.periods import Window
from upkeep.store import Store, shown_key, write_jsonl

IN_A_DAY = re.compile(r"log/[^/]+/\d{4}-\d\d-\d\d/")
MANY = 100
"""The files of more days than these are listed together: of a log with one old stray file most days are not there."""


def read_window(store: Store, window: Window, *, mapping: LogMapping, outcomes_until: datetime) -> LogWindow:
    """Read the predictions with start <= time < end and what was said about them before `outcomes_until`.

    Of rows with the same prediction id the first read counts, the others are quarantined. A row that breaks the
    contract is quarantined in the window that holds its time; without a usable time, in every window that touches its
    folder's day. Raises StoreError when the store fails.
    """
    start, end, until = as_utc(window.start), as_utc(window.end), as_utc(outcomes_until)
    quarantined: list[Quarantined] = []
    predictions: dict[str, Prediction] = {}
    for found in _scan(store, PREDICTIONS, utc_days(start, end), mapping):
        if found.at is not None and not start <= found.at < end:
            continue
        if found.row is None:
            quarantined.append(found.line.quarantined(found.reason))
        elif found.row.id in predictions:
            quarantined.append(found.line.quarantined("duplicate id"))
        else:
            predictions[found.row.id] = found.row
    outcomes, bad, given = _read_outcomes(store, mapping, known=predictions, start=start, end=end, until=until)
    in_order = sorted(predictions.values(), key=lambda row: row.at)
    return LogWindow(in_order, outcomes, quarantined + bad, given)


def predictions_at(store: Store, window: Window, *, mapping: LogMapping) -> Iterator[tuple[Line, Prediction]]:
    """The usable predictions with start <= time < end, each with its line, those of a doubled id too."""
    start, end = as_utc(window.start), as_utc(window.end)
    for found in _scan(store, PREDICTIONS, utc_days(start, end), mapping):
        if found.row is not None and start <= found.row.at < end:
            yield found.line, found.row


def outcomes_on(store: Store, days: Sequence[date], *, mapping: LogMapping) -> Iterator[tuple[Line, Outcome]]:
    """The usable outcomes in these UTC days' files, each with its line."""
    for found in _scan(store, OUTCOMES, days, mapping):
        if found.row is not None:
            yield found.line, found.row


def log_size(store: Store, windows: Sequence[Window], *, outcomes_until: datetime) -> int:
    """Bytes of the raw files that reading these windows would touch, each file once."""
    asked = {day for one in windows for day in utc_days(as_utc(one.start), as_utc(one.end))}
    told = utc_days(min(as_utc(one.start) for one in windows), as_utc(outcomes_until)) if windows else []
    folders = [
        f"{kind.folder}/{day.isoformat()}/" for kind, days in ((PREDICTIONS, asked), (OUTCOMES, told)) for day in days
    ]
    return sum(map(store.size, folders))


def never_read(store: Store) -> list[str]:
    """What lies in the log's folders and is not read, in words: files in no folder that is named after a day."""
    told = []
    for folder in (PREDICTIONS.folder, OUTCOMES.folder):
        files = [key for key in store.keys(f"{folder}/") if is_data(key, folder) and not IN_A_DAY.match(key)]
        if files:
            place = f"found {shown_key(files[0])}, expected {folder}/<UTC day>/, such as {folder}/2026-11-02/"
            told.append(f"{folder}: {len(files):,} of its files never read, {place}")
    return told


def write_predictions(store: Store, rows: Iterable[Prediction], *, name: str) -> None:
    """Write rows to `log/predictions/<UTC day>/<name>.jsonl`, over what an earlier call with that name wrote there."""
    _write(store, PREDICTIONS, name, rows)


def write_outcomes(store: Store, rows: Iterable[Outcome], *, name: str) -> None:
    """Write rows to `log/outcomes/<UTC day>/<name>.jsonl`, over what an earlier call with that name wrote there."""
    _write(store, OUTCOMES, name, rows)


class _Outcomes(NamedTuple):
    by_prediction: dict[str, list[Outcome]]
    quarantined: list[Quarantined]
    given: int


def _read_outcomes(
    store: Store, mapping: LogMapping, *, known: Container[str], start: datetime, end: datetime, until: datetime
) -> _Outcomes:
    in_window = {day.isoformat() for day in utc_days(start, end)}
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    quarantined: list[Quarantined] = []
    given = 0
    for found in _scan(store, OUTCOMES, utc_days(start, until), mapping):
        at, row = found.at, found.row
        if at is not None and at >= until:
            continue
        inside = start <= at < end if at is not None else _day_of(found.line.file) in in_window
        given += inside and row is not None
        if row is None:
            quarantined += [found.line.quarantined(found.reason)] if inside else []
        elif row.prediction_id in known:
            outcomes[row.prediction_id].append(row)
    for said in outcomes.values():
        said.sort(key=lambda row: row.at)
    return _Outcomes(dict(outcomes), quarantined, given)


def _scan(store: Store, kind: Kind[Row], days: Iterable[date], mapping: LogMapping) -> Iterator[Found[Row]]:
    """Every row of the days' files, one file at a time."""
    for day, keys in _listed(store, kind.folder, list(days)):
        folder = f"{kind.folder}/{day.isoformat()}/"
        for key in keys:
            if not is_data(key, folder):
                continue
            names = mapping_in(key, mapping)
            paths = kind.paths(names)
            for line in file_lines(key, partial(BytesIO, store.read(key)), paths):
                yield judge_line(line, day, kind, paths, names.values)


def _listed(store: Store, folder: str, days: Sequence[date]) -> Iterator[tuple[date, Iterable[str]]]:
    """The keys of each day's files, of few days from one listing a day, else from one of them all."""
    if len(days) <= MANY:
        yield from ((day, store.keys(f"{folder}/{day.isoformat()}/")) for day in days)
        return
    by_day: dict[str, list[str]] = defaultdict(list)
    for key in store.keys(f"{folder}/"):
        by_day[_day_of(key)].append(key)
    yield from ((day, by_day[day.isoformat()]) for day in days if day.isoformat() in by_day)


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
