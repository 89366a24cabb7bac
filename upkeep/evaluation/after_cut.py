"""How do both models do on requests from after the champion's training cut?

The cut is the moment up to which a model was taught what was known. On requests from after it a champion shows what
becomes of a model in weeks that it never saw. A challenger's own cut is the comparison itself, so that no set has an
item from after that, and of weeks from between the two cuts the challenger was taught others. The verdict does not
rest on these items alone: fewer show less, and what the challenger lost of the time before would not be seen. But a
sign of a loss on them holds the challenger, whatever it gained before, and where there are as many of them as were
agreed for a verdict, they have to rule the agreed loss out by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from upkeep.evaluation.comparison import RECENT, Paired, compare, fewest_items
from upkeep.evaluation.verdict import ItemResult

BETWEEN = (
    "Asked after the champion's training cut, and before the challenger's, which is this comparison "
    "(a sign of a loss on these holds the challenger)"
)


@dataclass(frozen=True, slots=True)
class AfterCut:
    """Both models on those of the `recent` items that were first asked after the champion's training `cut`.

    `compared` is None where there is none, or no cut on record. Fewer than `fewest` could not rule out the loss that
    was agreed; None where no number could.
    """

    cut: datetime | None
    recent: int
    compared: Paired | None
    fewest: int | None

    def __str__(self) -> str:
        if self.cut is None:
            return f"{RECENT} items after the champion's training cut: unknown, as what it was taught is not on record"
        if self.compared is None:
            return f"{RECENT} items after the champion's training cut, {self.cut:%Y-%m-%d}: none of {self.recent:,}"
        line = f"{self.compared} of {self.recent:,}"
        n = self.compared.champion.n
        few = self.fewest is not None and n < self.fewest
        return f"{line}; fewer than the {self.fewest:,} that could rule out the agreed loss" if few else line


def after_cut(outcomes: Sequence[ItemResult], *, cut: datetime | None, margin: float) -> AfterCut:
    """The comparison on them; `margin` is a share."""
    recent = [one for one in outcomes if one.items == RECENT]
    late = [one for one in recent if one.after_cut]
    compared = None
    if cut is not None and late:
        compared = compare(
            f"{RECENT}, after the champion's training cut {cut:%Y-%m-%d}",
            champion=[one.champion for one in late],
            challenger=[one.challenger for one in late],
        )
    return AfterCut(cut, len(recent), compared, fewest_items(margin))
