"""What is a labelled case, and when are two texts the same?"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import Field

from upkeep.cases.doubts import Doubt

By = Annotated[Mapping[str, str], Field(exclude_if=lambda values: not values)]
"""Values of the metadata keys that figures are broken down by; without any nothing is stored, so that what was chosen
from cases of before there were these comes to the same bytes again."""


Marked = Annotated[bool, Field(exclude_if=lambda value: not value)]
"""A mark that most cases do not have: without it nothing is stored either."""
Named = Annotated[str | None, Field(exclude_if=lambda value: value is None)]
"""The id of something that most cases do not have."""
Asked = Annotated[datetime | None, Field(exclude_if=lambda value: value is None)]
"""When a request came, where that is not when its answer is said to be right from."""
KEPT_GROUP = re.compile(r"sha256:[0-9a-f]{14}")
"""The form in which a case keeps of which conversation it is."""


class Source(StrEnum):
    """Who said what the right answer is."""

    LAUNCH = "launch"
    ESCALATION = "escalation"
    CUSTOMER = "customer"
    AUDIT = "audit"
    UNSURE = "unsure"
    REVIEWER = "reviewer"
    SEED = "seed"
    BACK_SCORING = "back-scoring"


ASKED = frozenset({Source.AUDIT, Source.UNSURE, Source.REVIEWER, Source.SEED})
"""Who gave these answers had been asked for them; the others complained or got a request handed over."""
Confirmed = Annotated[Source | None, Field(exclude_if=lambda value: value is None)]
"""Who said the same, having been asked, of a request that was folded into a case; of most nobody."""


@dataclass(frozen=True, slots=True)
class Case:
    """One text with its right answer, from when until when that is right, and where it came from.

    `was_error` says that the model, which answered `given`, did not get it right; `known_from` is when the case was
    collected. `replaced` is the answer that this one took the place of, `superseded_by` the case that took this one's.
    `requests` is how many requests said the same; `like` is the id of the first case of which this one is a
    near-duplicate, `group` what all requests of one conversation have in common: `group_of` its id, or the id itself in
    cases of before there was that. `conflict` says who said otherwise, `doubts` why it hardly teaches anything,
    `suspect` how little its answer is believed (a share), where it is likely a mistake. `by` has what the client's
    `review_by` named in the metadata of the first request that said it. Where `drawn`, chance chose a request that said
    it for an audit, whatever the model had answered; where `audited`, the first one of all, so that no model was taught
    it, and its answer was an agreed label: one of which there are others. `against` is the id of the
    reviewed case of nearly its text that it contradicted when it was collected. `asked_at` is when a request that
    is proposed for a new category came. `confirmed` is who, having been asked, said the same of a later request.
    """

    id: str
    text: str
    answer: str
    source: Source
    valid_from: datetime | None = None
    prediction_id: str | None = None
    model_version: str | None = None
    was_error: bool = False
    replaced: str | None = None
    valid_to: datetime | None = None
    superseded_by: str | None = None
    known_from: datetime | None = None
    given: str | None = None
    reviewer: str | None = None
    requests: int = 1
    like: str | None = None
    group: str | None = None
    conflict: str | None = None
    doubts: tuple[Doubt, ...] = ()
    suspect: float | None = None
    by: By = field(default_factory=dict)
    drawn: Marked = False
    audited: Marked = False
    against: Named = None
    asked_at: Asked = None
    confirmed: Confirmed = None

    @property
    def by_chance(self) -> bool:
        """Did nothing choose it but chance? Cases of before there was `drawn` say so by their source alone."""
        return self.drawn or self.source is Source.AUDIT

    @property
    def conversation(self) -> str | None:
        """`group` as it is the same in all cases of one conversation, whenever they were collected; None for none."""
        return group_of(self.group) if self.group else None

    @property
    def place(self) -> float:
        """A stable number in [0, 1): equal for cases of one conversation or, of none, for equal normalised texts."""
        of = self.conversation
        return int(of.partition(":")[2], 16) / 2**56 if of else fraction(self.text)


@dataclass(frozen=True, slots=True)
class Item:
    """An evaluation item: right from `valid_from` until before `valid_to` (None: always); `by` as of a case."""

    id: str
    text: str
    answer: str
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    by: By = field(default_factory=dict)


Answered = TypeVar("Answered", Case, Item)


def succession(case: Case) -> tuple[bool, datetime | None, bool, datetime | None, str]:
    """Sorts cases so that the newest answer is the last: of two right from the same moment, the one known later."""
    return case.valid_from is not None, case.valid_from, case.known_from is not None, case.known_from, case.id


def normalise(text: str) -> str:
    """The form in which two texts count as the same: Unicode NFKC, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def fraction(text: str) -> float:
    """A stable number in [0, 1) for a text, equal for equal normalised texts."""
    return int(_digest(text), 16) / 2**56


def group_of(conversation: str) -> str:
    """What a case keeps of a conversation's id, which may be somebody's address; once more changes nothing.

    It has the `fraction` of the id, so that a case is on the side of an earlier one that was kept with the id itself.
    """
    return conversation if KEPT_GROUP.fullmatch(conversation) else f"sha256:{_digest(conversation)}"


def valid_at(found: Iterable[Answered], moment: datetime) -> list[Answered]:
    """The cases or items whose answer is right at the moment."""
    return [
        one
        for one in found
        if (one.valid_from is None or one.valid_from <= moment) and (one.valid_to is None or moment < one.valid_to)
    ]


def digest(cases: Iterable[Case | Item]) -> str:
    """SHA-256 over texts and answers, whatever their order."""
    lines = sorted(f"{normalise(case.text)}\t{case.answer}" for case in cases)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _digest(text: str) -> str:
    """The first 56 bits of the SHA-256 of a normalised text, in hexadecimal."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:14]
