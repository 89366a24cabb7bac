"""What is taken for what, and how has that changed from champion to challenger?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from upkeep.evaluation.verdict import ItemResult


@dataclass(frozen=True, slots=True)
class Confused:
    """How many items whose right answer is `wanted` each model answered with `given`."""

    wanted: str
    given: str
    champion: int
    challenger: int

    @property
    def change(self) -> int:
        """How many more they are now."""
        return self.challenger - self.champion


def confusions(outcomes: Sequence[ItemResult]) -> tuple[Confused, ...]:
    """Every wrong answer that either model gave, the largest change first, of equal ones the worse.

    An out-of-scope request that went to a person was treated right, whatever the answer beside it.
    """
    old = Counter((one.wanted, one.champion_answer) for one in outcomes if not one.champion)
    new = Counter((one.wanted, one.challenger_answer) for one in outcomes if not one.challenger)
    found = [Confused(*pair, old[pair], new[pair]) for pair in old | new]
    return tuple(sorted(found, key=lambda one: (-abs(one.change), -one.change, one.wanted, one.given)))
