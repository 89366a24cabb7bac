"""What follows from how champion and challenger did on each item, under the terms that were agreed?

The same items and terms give the same verdict whenever it is asked, so a decision can be told again from its record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from upkeep.evaluation.automatic_answers import Treated, automatic_losses
from upkeep.evaluation.breakdown import PartChange, by_label, by_slice
from upkeep.evaluation.comparison import CHANGED, RECENT, Judgement, Paired, compare, judge, judge_variant
from upkeep.statistics.rates import Rate

EACH_ONCE = ("golden", "recent", "new")
"""The sets on which a model's figures rest: they share no item."""
DECIDING = (*EACH_ONCE, CHANGED)
"""The sets on which a challenger has to be better; what is in two of them counts once. The others were chosen by how a
model did on them: any other does better on what was reported or wrong, and worse on what was right, by chance alone.
Reported items and errors are shown and decide nothing."""
GUARDED = ("regression",)
"""The sets on which it must not lose more than that."""
INHERITED = "inherited"
"""What the model before the champion got wrong, whether or not the champion put it right: chosen by neither model."""


class ItemResult(NamedTuple):
    """How both models did on one item of a set, and what they answered; what is right is `wanted`.

    `by` has the values of the metadata keys that the client's figures are broken down by; the two after it say whether
    a model answered without a person, where that was noted, and `after_cut` that it is a recent item that was first
    asked after the champion's training cut.
    """

    items: str
    text: str
    champion: bool
    challenger: bool
    id: str = ""
    wanted: str = ""
    champion_answer: str = ""
    challenger_answer: str = ""
    by: Mapping[str, str] = {}
    champion_automatic: bool | None = None
    challenger_automatic: bool | None = None
    after_cut: bool = False


@dataclass(frozen=True, slots=True)
class VerdictTerms:
    """What a verdict rests on besides the items: what was agreed, and what was proved of the two models.

    `margin` is a share, and so is the `promised` precision of automatic answers, None where that was not asked about;
    `label` is the new category, where the challenger was to learn that. With `free_text` no labels are looked at one by
    one.
    """

    margin: float
    minimum_items: int
    same_weights: bool
    reload_exact: bool
    label: str | None = None
    minimum_new_recall: float = 0.0
    minimum_new_items: int = 0
    free_text: bool = False
    promised: float | None = None


class Judged(NamedTuple):
    """The comparison on each set, by label and by slice, and what it comes to."""

    compared: tuple[Paired, ...]
    labels: tuple[PartChange, ...]
    slices: tuple[PartChange, ...]
    judgement: Judgement


def deciding_items(outcomes: Sequence[ItemResult]) -> list[ItemResult]:
    """The items on which a challenger has to be better, each once however many sets have it."""
    return list({one.id or one.text: one for one in outcomes if one.items in DECIDING}.values())


def verdict(outcomes: Sequence[ItemResult], terms: VerdictTerms) -> Judged:
    """Compare both models set by set and judge. Raises DecisionError without an item."""
    compared = _set_by_set(outcomes)
    rests_on = deciding_items(outcomes)
    named = [one for one in rests_on if one.wanted and not terms.free_text]
    labels = by_label([one.wanted for one in named], **_rights(named))
    slices = by_slice([one.by for one in rests_on], **_rights(rests_on))
    late = _after_cut(outcomes)
    judged = judge(
        [one for one in compared if one.items in DECIDING],
        guarded=[one for one in compared if one.items in GUARDED],
        lost=_lost_by_itself(outcomes, terms),
        parts=(*labels, *slices),
        ruled_out=[one for one in late if one.champion.n >= terms.minimum_items],
        apart=(*_unchanged(outcomes, rests_on), *late, *(one for one in compared if one.items == INHERITED)),
        items=len(rests_on),
        margin=terms.margin,
        minimum_items=terms.minimum_items,
        same_weights=terms.same_weights,
        reload_exact=terms.reload_exact,
    )
    if terms.label is not None:
        judged = judge_variant(
            judged,
            next((one.challenger for one in compared if one.items == "new"), Rate(0, 0)),
            label=terms.label,
            minimum_recall=terms.minimum_new_recall,
            minimum_items=terms.minimum_new_items,
        )
    return Judged(compared, labels, slices, judged)


def _set_by_set(outcomes: Sequence[ItemResult]) -> tuple[Paired, ...]:
    names = tuple(dict.fromkeys(one.items for one in outcomes))
    rows = {name: [one for one in outcomes if one.items == name] for name in names}
    return tuple(compare(name, **_rights(of_set)) for name, of_set in rows.items())


def _lost_by_itself(outcomes: Sequence[ItemResult], terms: VerdictTerms) -> Sequence[str]:
    """What speaks against the challenger in what it answers without a person, on the sets that stand for requests."""
    noted = [one for one in outcomes if one.items in EACH_ONCE and one.challenger_automatic is not None]
    if terms.promised is None or not noted:
        return ()
    return automatic_losses(
        champion=[Treated(bool(one.champion_automatic), one.champion) for one in noted],
        challenger=[Treated(bool(one.challenger_automatic), one.challenger) for one in noted],
        margin=terms.margin,
        promised=terms.promised,
    )


def _unchanged(outcomes: Sequence[ItemResult], rests_on: Sequence[ItemResult]) -> list[Paired]:
    """All items but those that changed: what is gained on these excuses no loss elsewhere."""
    renewed = {one.id or one.text for one in outcomes if one.items == CHANGED}
    same = [one for one in rests_on if (one.id or one.text) not in renewed]
    return [compare("what did not change", **_rights(same))] if renewed and same else []


def _after_cut(outcomes: Sequence[ItemResult]) -> list[Paired]:
    """The recent items from after the cut; not where that is none, or all of them, which are a set as it is."""
    recent = [one for one in outcomes if one.items == RECENT]
    late = [one for one in recent if one.after_cut]
    alone = 0 < len(late) < len(recent)
    return [compare(f"{RECENT}, after the champion's training cut", **_rights(late))] if alone else []


def _rights(outcomes: Sequence[ItemResult]) -> dict[str, list[bool]]:
    """Which items each model got right."""
    return {"champion": [one.champion for one in outcomes], "challenger": [one.challenger for one in outcomes]}
