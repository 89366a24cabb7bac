"""What is in the two files that a client begins with: its first cases and its golden set?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from upkeep.cases.case import Case, Item, Source
from upkeep.cases.given import given_rows, golden_item
from upkeep.config import Client
from upkeep.counts import count_of
from upkeep.errors import ConfigError


def first_cases(path: Path) -> list[Case]:
    """The cases that the first model learns. Raises ConfigError naming file and line."""
    return cases_in(str(path), _read(path))


def golden_set(path: Path, client: Client) -> list[Item]:
    """The items agreed with the client; times without an offset are the client's. Raises ConfigError as above."""
    return golden_in(str(path), _read(path), client)


def cases_in(file: str, data: bytes) -> list[Case]:
    """The same of what is in a file of that name."""
    return [Case(row.id, row.text, row.answer, Source.LAUNCH) for row in given_rows(file, data)]


def golden_in(file: str, data: bytes, client: Client) -> list[Item]:
    """The same of what is in a file of that name."""
    return [golden_item(row, client.zone, keys=client.review_by) for row in given_rows(file, data)]


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
        f"answer {label!r}: in {count_of(taught[label], 'case')} and {count_of(agreed[label], 'golden item')}, "
        f"and not in labels; "
        f"new_labels is '{client.new_labels}'"
        for label in sorted(taught | agreed)
    ]


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file, expected JSON Lines with id, text and answer")
    return path.read_bytes()
