"""Which kinds of trouble are there, and what should be done about each?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

WEEKLY_BUDGET = 0.01 / 52
"""Chance of a false finding of a kind in a week: one in a hundred client-years."""
CERTAIN_BUDGET = 0.01
LEAST_EARLIER = 4
LASTING = 12
"""After so many weeks what may be nobody's fault is the usual: other requests, or none on a weekday."""
TIMES = 3.0
"""How many times as often as before a thing must happen."""


class Kind(StrEnum):
    """What has changed."""

    POLICY = "label or policy change"
    NEW_CATEGORY = "new category"
    OUT_OF_SCOPE = "out-of-scope growth"
    LABEL_MIX = "label-mix shift"
    INPUTS = "input shift"
    CALIBRATION = "calibration loss"
    TRAFFIC = "traffic incident"
    DATA = "data trouble"


ACTIONS = {
    Kind.POLICY: "Ask the client since when, and accept the rule (`upkeep rules`) or add it to `relabel`: "
    "the next retrain unlearns the old answer.",
    Kind.NEW_CATEGORY: "Agree on the category with the client; a retrain learns it once it has cases enough, "
    "and under `new_labels: hold` once `labels` has it too.",
    Kind.OUT_OF_SCOPE: "Have some of them labelled, so that a retrain learns what to hand to a person.",
    Kind.LABEL_MIX: "No fault in itself: check the precision of the labels that grew, and retrain only if it fell.",
    Kind.INPUTS: "Read the week's requests, have some of the new sort labelled, retrain if they are answered wrong.",
    Kind.CALIBRATION: "Do not trust the share of automatic answers: a retrain fits the threshold again.",
    Kind.TRAFFIC: "Find out what happened; do not retrain on this week alone.",
    Kind.DATA: "Have the log repaired before its figures are trusted.",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One finding: what was seen, on how many requests, and what to do.

    `old` and `new` are the labels it is about, `weeks` how many newest weeks together showed it. `label` is the answer
    whose share has moved most, `day` a single day that showed it.
    """

    kind: Kind
    text: str
    action: str
    n: int
    old: str | None = None
    new: str | None = None
    weeks: int = 1
    label: str | None = None
    day: date | None = None


def change_of(kind: Kind, text: str, n: int, *, old: str | None = None, new: str | None = None) -> Change:
    return Change(kind, text, ACTIONS[kind], n, old, new)
