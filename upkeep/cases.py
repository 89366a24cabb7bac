"""What may a model be trained on, and what must it never see?

Every labelled text has a side, decided by a stable hash of its normalised text, so the same case always falls on the
same side in every later period: `train`, `calibration` (fits the confidence threshold) or `holdout` (evaluation only).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from upkeep.config import NewLabels, Recipe, Relabel
from upkeep.errors import LeakError


class Side(StrEnum):
    """What a case is used for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    HOLDOUT = "holdout"


class Source(StrEnum):
    """Who said what the right answer is."""

    LAUNCH = "launch"
    ESCALATION = "escalation"
    CUSTOMER = "customer"
    AUDIT = "audit"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Case:
    """One text with its right answer and where that came from; `was_error` says that the model did not get it right."""

    id: str
    text: str
    answer: str
    source: Source
    valid_from: datetime | None = None
    prediction_id: str | None = None
    model_version: str | None = None
    was_error: bool = False
    replaced: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An evaluation item: right from `valid_from` until before `valid_to` (None: always)."""

    id: str
    text: str
    answer: str
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class Sides(NamedTuple):
    """The cases by what they are used for."""

    train: list[Case]
    calibration: list[Case]
    holdout: list[Case]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """All that one retrain may use, with the counts that say how it came about."""

    train: tuple[Case, ...]
    calibration: tuple[Case, ...]
    labels: tuple[str, ...]
    superseded: int
    waiting: dict[str, int]
    digest: str


def normalise(text: str) -> str:
    """The form in which two texts count as the same: Unicode NFKC, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def fraction(text: str) -> float:
    """A stable number in [0, 1) for a text, equal for equal normalised texts."""
    return int.from_bytes(hashlib.sha256(normalise(text).encode()).digest()[:7]) / 2**56


def side(case: Case, recipe: Recipe) -> Side:
    """The side of a case; launch cases need no holdout, the golden set was agreed beside them."""
    at = fraction(case.text)
    if at < recipe.calibration_share:
        return Side.CALIBRATION
    if case.source is not Source.LAUNCH and at < recipe.calibration_share + recipe.holdout_share:
        return Side.HOLDOUT
    return Side.TRAIN


def part(cases: Iterable[Case], recipe: Recipe) -> Sides:
    """Put every case on its side."""
    sides = Sides([], [], [])
    for case in cases:
        getattr(sides, side(case, recipe).value).append(case)
    return sides


def supersede(cases: Sequence[Case], rules: Sequence[Relabel], as_of: datetime, zone: ZoneInfo) -> list[Case]:
    """Give outdated answers their new one.

    A rule that is in force at `as_of` replaces the old answer of every case from before it; of two cases with the
    same text the newer answer counts. What was replaced is kept in `replaced`.
    """
    ruled = [_follow(case, rules, as_of, zone) for case in cases]
    newest: dict[str, Case] = {}
    for case in sorted(ruled, key=lambda case: (case.valid_from is not None, case.valid_from, case.id)):
        key = normalise(case.text)
        earlier = newest.get(key)
        if earlier and earlier.answer != case.answer:
            case = replace(case, replaced=earlier.answer)  # noqa: PLW2901 -- the same case, with its history
        newest[key] = case
    return list(newest.values())


def valid_at(items: Iterable[Item], moment: datetime) -> list[Item]:
    """The items whose answer is right at the moment."""
    return [
        item
        for item in items
        if (item.valid_from is None or item.valid_from <= moment) and (item.valid_to is None or moment < item.valid_to)
    ]


def training_set(
    cases: Sequence[Case],
    *,
    locked: Iterable[Item],
    known: Sequence[str],
    out_of_scope: str,
    new_labels: NewLabels,
    recipe: Recipe,
) -> TrainingSet:
    """Choose the cases to train and to calibrate on, and the labels they teach.

    `locked` are the evaluation items; a case with the text of one is left out. A label that the client did not start
    with is taught once it has `recipe.minimum_examples` cases to train on, if the client wants new labels learned.
    """
    never = {normalise(item.text) for item in locked}
    sides = part((case for case in cases if normalise(case.text) not in never), recipe)
    counts = Counter(case.answer for case in sides.train)
    arrivals = sorted(label for label in counts if label not in known)
    taught = [
        label
        for label in arrivals
        if counts[label] >= recipe.minimum_examples and (new_labels is NewLabels.LEARN or label == out_of_scope)
    ]
    labels = tuple(label for label in known if counts[label]) + tuple(taught)
    train = tuple(case for case in sides.train if case.answer in labels)
    return TrainingSet(
        train=train,
        calibration=tuple(sides.calibration),
        labels=labels,
        superseded=sum(case.replaced is not None for case in train),
        waiting={label: counts[label] for label in arrivals if label not in taught},
        digest=digest(train),
    )


def prove_no_leak(chosen: TrainingSet, locked: Iterable[Item]) -> None:
    """Raise LeakError when an evaluation item is among the cases the model learns or is calibrated on."""
    never = {normalise(item.text): item.id for item in locked}
    for case in (*chosen.train, *chosen.calibration):
        found = never.get(normalise(case.text))
        if found:
            raise LeakError(f"training case {case.id} is evaluation item {found}; nothing was trained")


def digest(cases: Iterable[Case]) -> str:
    """SHA-256 over texts and answers, whatever their order."""
    lines = sorted(f"{normalise(case.text)}\t{case.answer}" for case in cases)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _follow(case: Case, rules: Sequence[Relabel], as_of: datetime, zone: ZoneInfo) -> Case:
    for rule in sorted(rules, key=lambda rule: rule.since):
        start = datetime(rule.since.year, rule.since.month, rule.since.day, tzinfo=zone)
        outdated = case.valid_from is None or case.valid_from < start
        if rule.old == case.answer and outdated and start <= as_of:
            case = replace(case, answer=rule.new, replaced=rule.old)
    return case
