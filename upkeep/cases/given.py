"""How is a file of cases or golden items read that people have written, a JSON object a line?

In UTF-8, as programs and editors save it: with a byte order mark or without, with blank lines or without.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from upkeep.cases.case import Item
from upkeep.conversations import request_of
from upkeep.errors import ConfigError
from upkeep.log.entries import canonical, facets
from upkeep.periods import localise, moment_of

Line = dict[str, Any]
"""What a line holds."""


class Given(NamedTuple):
    """A line's case or item: in which file and line it stands, and what else a golden item has there."""

    where: str
    id: str
    text: str
    answer: str
    valid_from: datetime | None
    valid_to: datetime | None
    by: object


def given_rows(file: str, data: bytes, *, text_of: Callable[[object], str] = request_of) -> list[Given]:
    """What a file's lines hold, each id once. `text_of` tells what text a request is kept as.

    Raises ConfigError naming file and line.
    """
    rows: list[Given] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        row = _row(f"{file} line {number}", line, text_of)
        before = lines.setdefault(row.id, number)
        if before != number:
            raise ConfigError(f"{row.where}: id {row.id!r} is that of line {before} too, expected each once")
        rows.append(row)
    return rows


def golden_item(row: Given, zone: ZoneInfo, *, keys: Sequence[str] | None = None) -> Item:
    """The golden item of a line; a day is its midnight, and a time without an offset the client's, in its zone.

    `keys` are those of the client's `review_by` that `by` may have; None for any. Raises ConfigError as above.
    """
    begins, ends = (localise(moment, zone) if moment else None for moment in (row.valid_from, row.valid_to))
    return Item(row.id, row.text, row.answer, begins, ends, _by(row, keys))


def _row(where: str, line: bytes, text_of: Callable[[object], str]) -> Given:
    found = _parsed(where, line)
    try:
        text = text_of(found.get("text")).strip()
    except ValueError as exc:
        raise ConfigError(f"{where}: text is missing or empty, expected {exc}") from exc
    return Given(
        where,
        _string(where, found, "id"),
        text,
        canonical(_string(where, found, "answer")),
        _time(where, found, "valid_from"),
        _time(where, found, "valid_to"),
        found.get("by"),
    )


def _parsed(where: str, line: bytes) -> Line:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{where}: not UTF-8: {exc}; expected a file that was saved as UTF-8") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{where}: not JSON: {exc}") from exc
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: found {type(row).__name__}, expected an object with id, text and answer")
    return row


def _string(where: str, row: Line, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where}: {key} is missing or empty, expected a string")
    return value.strip()


def _time(where: str, row: Line, key: str) -> datetime | None:
    try:
        return moment_of(str(row[key])) if row.get(key) else None
    except ValueError as exc:
        raise ConfigError(f"{where}: {key}: {exc}") from exc


def _by(row: Given, keys: Sequence[str] | None) -> dict[str, str]:
    """The values by which an item's figures are broken down."""
    given: Any = row.by or {}
    known = facets(given, given if keys is None else keys) if isinstance(given, dict) else None
    if known is None or known.keys() != given.keys():
        some = "each key" if keys is None else f"some of {list(keys)}, the client's review_by"
        raise ConfigError(f"{row.where}: by is {row.by!r}, expected an object with a text for {some}")
    return known
