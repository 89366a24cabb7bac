"""Which cases make up a training set, and what share of it is each kind of them?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from upkeep.cases.case import Case, Source, fraction
from upkeep.recipes import Mix


class Kind(StrEnum):
    """What a case is for a retrain: new since the model in service was taught, or taught again."""

    ERROR = "new errors"
    AUDIT = "corrected audits"
    OTHER = "other new cases"
    CHANGED = "old requests with another answer"
    REPLAYED = "old cases taught again"
    FLOOR = "old cases for their class"


class Part(NamedTuple):
    """A case of a training set, and as what it is in it."""

    case: Case
    kind: Kind


def compose(cases: Sequence[Case], mix: Mix, since: datetime | None) -> list[Part]:
    """Of what is known, what a retrain is taught: all that is new, but of errors and corrected audits no more than
    their share, and of what is old so many drawn by chance, but some of every answer.

    `since` is when the model in service was taught; where that is not known all is new, and all is taught.
    """
    parts = [Part(case, _kind(case, since)) for case in cases]
    return parts if since is None else _capped(_replayed(parts, mix), mix)


def counted(parts: Iterable[Part]) -> dict[str, int]:
    """How many cases there are of each kind, of those that there are."""
    counts = Counter(part.kind for part in parts)
    return {kind.value: counts[kind] for kind in Kind if counts[kind]}


def told(mix: Mapping[str, int]) -> str:
    """The kinds of cases in a training set with their shares, in words."""
    return ", ".join(f"{n:,} {kind} ({n / sum(mix.values()):.1%})" for kind, n in mix.items())


def _kind(case: Case, since: datetime | None) -> Kind:
    if since is not None and (case.known_from is None or case.known_from < since):
        changed = case.valid_from is not None and case.valid_from >= since
        return Kind.CHANGED if changed else Kind.REPLAYED
    if not case.was_error:
        return Kind.OTHER
    return Kind.AUDIT if case.by_chance or case.source is Source.UNSURE else Kind.ERROR


def _replayed(parts: Sequence[Part], mix: Mix) -> list[Part]:
    if mix.replayed is None:
        return list(parts)
    old = [row for row, part in enumerate(parts) if part.kind is Kind.REPLAYED]
    seen: Counter[str] = Counter()
    kept: dict[int, Kind] = {}
    for place, row in enumerate(sorted(old, key=lambda row: _drawn(parts[row].case))):
        answer = parts[row].case.answer
        seen[answer] += 1
        if place < mix.replayed:
            kept[row] = Kind.REPLAYED
        elif seen[answer] <= mix.class_floor:
            kept[row] = Kind.FLOOR
    left_out = {*old} - kept.keys()
    return [part._replace(kind=kept.get(row, part.kind)) for row, part in enumerate(parts) if row not in left_out]


def _capped(parts: Sequence[Part], mix: Mix) -> list[Part]:
    """Without errors and corrected audits that would exceed their share: those kept are of each answer in turn."""
    counts = Counter(part.kind for part in parts)
    shares = {Kind.ERROR: mix.errors, Kind.AUDIT: mix.audits}
    caps = {kind: share for kind, share in shares.items() if share is not None}
    room = {kind: counts[kind] for kind in Kind}
    before: dict[Kind, int] = {}
    while room != before:  # what one kind has less makes the share of the other a larger one
        before = dict(room)
        room |= {kind: min(counts[kind], int(share * sum(room.values()))) for kind, share in caps.items()}
    kept = {kind: {*_in_turn(parts, kind)[: room[kind]]} for kind in caps}
    return [part for row, part in enumerate(parts) if part.kind not in kept or row in kept[part.kind]]


def _in_turn(parts: Sequence[Part], kind: Kind) -> list[int]:
    """The rows of a kind by chance, first one of each answer, then another one of each."""
    rows = sorted((row for row, part in enumerate(parts) if part.kind is kind), key=lambda row: _drawn(parts[row].case))
    seen: Counter[str] = Counter()
    turns = {}
    for row in rows:
        seen[parts[row].case.answer] += 1
        turns[row] = seen[parts[row].case.answer]
    return sorted(rows, key=lambda row: turns[row])


def _drawn(case: Case) -> float:
    return fraction(f"mix {case.text}")
