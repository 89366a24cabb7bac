"""What is in the two files that a client begins with: its first cases and its golden set?

JSON Lines in UTF-8, as programs and editors write them: with a byte order mark or without, with blank lines or without.
"""

from __future__ import annotations

import argparse
import codecs
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from upkeep.cases.case import Case, Item, Source
from upkeep.commands.common import time_of
from upkeep.config import Client
from upkeep.conversations import request_of
from upkeep.errors import ConfigError
from upkeep.log.entries import canonical, facets
from upkeep.periods import localise


def first_cases(path: Path) -> list[Case]:
    """The cases that the first model learns. Raises ConfigError naming file and line."""
    return [Case(row["id"], row["text"], row["answer"], Source.LAUNCH) for row in _rows(path)]


def golden_set(path: Path, client: Client) -> list[Item]:
    """The items agreed with the client; times without an offset are the client's. Raises ConfigError as above."""
    return [
        Item(
            row["id"],
            row["text"],
            row["answer"],
            _local(row.get("valid_from"), client.zone),
            _local(row.get("valid_to"), client.zone),
            _by(path, row, client.review_by),
        )
        for row in _rows(path)
    ]


def label_notes(client: Client, cases: Iterable[Case], golden: Iterable[Item]) -> list[str]:
    """Answers that the client's config does not have: typing errors, or labels that it should have.

    No error: a golden item may be for a label that is only taught later.
    """
    if client.free_text:
        return []
    ruled = {label for rule in client.relabel for label in (rule.old, rule.new)}
    known = {*client.answers, *ruled}
    taught, agreed = (Counter(one.answer for one in rows if one.answer not in known) for rows in (cases, golden))
    return [
        f"answer {label!r}: in {taught[label]:,} cases and {agreed[label]:,} golden items, and not in labels; "
        f"new_labels is '{client.new_labels}'"
        for label in sorted(taught | agreed)
    ]


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file, expected JSON Lines with id, text and answer")
    rows: list[dict[str, Any]] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        row = _row(where, line)
        before = lines.setdefault(row["id"], number)
        if before != number:
            raise ConfigError(f"{where}: id {row['id']!r} is that of line {before} too, expected each once")
        rows.append(row)
    return rows


def _row(where: str, line: bytes) -> dict[str, Any]:
    row = _parsed(where, line)
    for key in ("id", "answer"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise ConfigError(f"{where}: {key} is missing or empty, expected a string")
        row[key] = row[key].strip()
    row["answer"] = canonical(row["answer"])
    try:
        row["text"] = request_of(row.get("text")).strip()
    except ValueError as exc:
        raise ConfigError(f"{where}: text is missing or empty, expected {exc}") from exc
    for key in ("valid_from", "valid_to"):
        if row.get(key):
            row[key] = _time(f"{where}: {key}", row[key])
    return row


def _parsed(where: str, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{where}: not UTF-8: {exc}; expected a file that was saved as UTF-8") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{where}: not JSON: {exc}") from exc
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: found {type(row).__name__}, expected an object with id, text and answer")
    return row


def _by(path: Path, row: dict[str, Any], keys: Sequence[str]) -> dict[str, str]:
    """The values by which an item's figures are broken down. Raises ConfigError naming the item."""
    given = row.get("by") or {}
    known = facets(given, keys) if isinstance(given, dict) else None
    if known is None or known.keys() != given.keys():
        wanted = f"an object with a text for some of {list(keys)}, the client's review_by"
        raise ConfigError(f"{path} item {row['id']}: by is {given!r}, expected {wanted}")
    return known


def _time(where: str, value: object) -> datetime:
    try:
        return time_of(str(value))
    except argparse.ArgumentTypeError as exc:
        raise ConfigError(f"{where}: {exc}") from exc


def _local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return localise(moment, zone) if moment else None
