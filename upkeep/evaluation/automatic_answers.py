"""Does a challenger lose something in what it answers without a person?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from upkeep.evaluation.comparison import compare
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import LEVEL


class Treated(NamedTuple):
    """What a model did with an item: did it answer without a person, and was what it did right?"""

    automatic: bool
    right: bool

    @property
    def resolved(self) -> bool:
        """Answered right with nobody's help."""
        return self.automatic and self.right

    @property
    def misled(self) -> bool:
        """Answered wrong, and nobody saw it."""
        return self.automatic and not self.right


def automatic_losses(
    *, champion: Sequence[Treated], challenger: Sequence[Treated], margin: float, promised: float
) -> tuple[str, ...]:
    """What speaks against the challenger, of the same items in the same order; nothing where neither shows.

    It resolves fewer by itself, by more than `margin` (a share) at either end of the 95 % interval of `compare`: where
    a threshold comes to lie is chance too, so that a few points say little. Or it sends more wrong answers, beyond
    chance, and is right less often in what it sends than was `promised`, beyond chance (binomial, one-sided, exact).
    """
    from scipy.stats import binomtest

    found = []
    resolved = compare("requests answered right without a person", **_of("resolved", champion, challenger))
    if resolved.interval.high < -margin:
        found.append(f"fewer {resolved}")
    misled = compare("wrong answers that nobody saw", **_of("misled", champion, challenger))
    kept = Rate.of(one.right for one in challenger if one.automatic)
    broken = kept.n and binomtest(kept.hits, kept.n, promised, alternative="less").pvalue < LEVEL
    if misled.interval.low > 0 and broken:
        found.append(f"more {misled}; of what it answers by itself {kept} is right, promised are {promised:.0%}")
    return tuple(found)


def _of(what: str, champion: Sequence[Treated], challenger: Sequence[Treated]) -> dict[str, list[bool]]:
    return {
        "champion": [getattr(one, what) for one in champion],
        "challenger": [getattr(one, what) for one in challenger],
    }
