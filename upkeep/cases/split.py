"""What may a model learn from, and what must it never see?

Every case has a side, decided by a stable hash of its conversation, or of its normalised text where it is of none: so
the same case, and whatever is nearly the same, always falls on the same side. What has once been locked away for
evaluation stays locked, whatever becomes of the recipe, and so does every near-duplicate of it. What has once been
taught is never locked, and stays open likewise.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from upkeep.cases.case import Case, Item, Source, normalise
from upkeep.cases.near_duplicates import ALIKE, nearest, similar_pairs
from upkeep.counts import count_of
from upkeep.errors import LeakError
from upkeep.progress import Progress, silent
from upkeep.recipes import Recipe


class Side(StrEnum):
    """What a case is used for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    HOLDOUT = "holdout"


class Open(NamedTuple):
    """A hash, as `fraction` gives it, whose side a recipe came to hold out after it had been taught, and since when."""

    at: float
    since: datetime


class Locked(NamedTuple):
    """An item that is for evaluation only, for ever, and since when."""

    id: str
    text: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Proof:
    """That nothing a model learned from is an evaluation item: how many were compared, and the two that came nearest.

    `similarity` is the Jaccard similarity of `upkeep.cases.near_duplicates`, 1 for the same text.
    """

    learned: int
    locked: int
    similarity: float
    case: str | None
    item: str | None

    def __str__(self) -> str:
        return (
            f"{count_of(self.learned, 'case')} against {count_of(self.locked, 'evaluation item')}: "
            f"the nearest two are {self.similarity:.4f} alike, {ALIKE} or more would be a leak"
        )


def side(case: Case, recipe: Recipe, opened: Container[float] = ()) -> Side:
    """The side of a case by itself; launch cases need no holdout, the golden set was agreed beside them.

    `opened` are the hashes that are not held out, whatever the recipe says.
    """
    at = case.place
    if at < recipe.calibration_share:
        return Side.CALIBRATION
    held_out = case.source is not Source.LAUNCH and at < recipe.calibration_share + _held_out(case, recipe)
    return Side.HOLDOUT if held_out and at not in opened else Side.TRAIN


def _held_out(case: Case, recipe: Recipe) -> float:
    """The share of cases like this one that is held out; that of a conversation's is one, so that it is on one side."""
    apart = case.audited and not case.group and recipe.audited_holdout_share
    return apart or recipe.holdout_share


def sides(
    cases: Iterable[Case], facts: Mapping[str, Case], recipe: Recipe, opened: Container[float] = ()
) -> dict[str, Side]:
    """The side of each case by id; one of no conversation is on that of the case, among `facts`, that it is like.

    So is one of a conversation that is held out, where what it is like is not: it is no fair item, and its answer would
    be lost. `opened` as of `side`.
    """
    return {case.id: _side(case, _first(case, facts), recipe, opened) for case in cases}


def _first(case: Case, facts: Mapping[str, Case]) -> Case:
    """The case that it is like, or itself."""
    return facts.get(case.like or case.id, case)


def _side(case: Case, like: Case, recipe: Recipe, opened: Container[float]) -> Side:
    own = side(case, recipe, opened) if case.group else Side.HOLDOUT
    return side(like, recipe, opened) if own is Side.HOLDOUT else own


def open_up(
    cases: Sequence[Case],
    facts: Mapping[str, Case],
    recipe: Recipe,
    *,
    opened: Container[float],
    taught: Container[str],
    locked: Iterable[Locked],
    at: datetime,
) -> list[Open]:
    """What stays open though the recipe would hold it out: the hashes of cases that have been taught, as a recipe of
    before did not.

    `opened` are those known; `taught` are normalised texts. What is locked stays so.
    """
    shut = {normalise(one.text) for one in locked}
    on = sides(cases, facts, recipe, opened)
    held = (case for case in cases if on[case.id] is Side.HOLDOUT)
    back = (case for case in held if (text := normalise(case.text)) in taught and text not in shut)
    return [Open(place, at) for place in sorted({_first(case, facts).place for case in back})]


def lock(
    cases: Sequence[Case],
    facts: Mapping[str, Case],
    recipe: Recipe,
    *,
    locked: Sequence[Locked],
    golden: Iterable[Item],
    at: datetime,
    opened: Container[float] = (),
    taught: Iterable[str] = (),
    progress: Progress = silent,
) -> list[Locked]:
    """What joins the evaluation items at a moment: the golden set, and the cases on the side that is held out.

    A case that is nearly the same as one that models learn from, or as one of the texts they were `taught` ever, is no
    fair item, and being held out it is not trained on either. `opened` as of `side`.
    """
    known = {normalise(one.text) for one in locked}
    on = sides(cases, facts, recipe, opened)
    held = [case for case in cases if on[case.id] is Side.HOLDOUT and normalise(case.text) not in known]
    learned = sorted({*taught, *(normalise(case.text) for case in cases if on[case.id] is not Side.HOLDOUT)})
    unfair = {pair.row for pair in similar_pairs([case.text for case in held], learned, progress=progress)}
    fair = [case for row, case in enumerate(held) if row not in unfair]
    agreed = {normalise(item.text): item for item in golden if normalise(item.text) not in known}
    new: list[Item | Case] = [*agreed.values(), *(case for case in fair if normalise(case.text) not in agreed)]
    return [Locked(one.id, one.text, at) for one in new]


def open_to_learn(cases: Sequence[Case], locked: Sequence[Locked], *, progress: Progress = silent) -> list[Case]:
    """The cases that are no evaluation item and no near-duplicate of one."""
    shut = {
        pair.row
        for pair in similar_pairs([case.text for case in cases], [one.text for one in locked], progress=progress)
    }
    return [case for row, case in enumerate(cases) if row not in shut]


def prove(learned: Sequence[Case], locked: Sequence[Locked], *, progress: Progress = silent) -> Proof:
    """Compare everything that is learned from with every evaluation item. Raises LeakError where two are too alike."""
    found = nearest([case.text for case in learned], [one.text for one in locked], progress=progress)
    if not len(found.similarity) or not locked:
        return Proof(len(learned), len(locked), 0.0, None, None)
    row = int(found.similarity.argmax())
    value, case, item = float(found.similarity[row]), learned[row], locked[found.other[row]]
    if value >= ALIKE:
        raise LeakError(
            f"training case {case.id} is {value:.2f} alike to evaluation item {item.id}, expected less than {ALIKE}; "
            "nothing was trained"
        )
    return Proof(len(learned), len(locked), value, case.id, item.id)
