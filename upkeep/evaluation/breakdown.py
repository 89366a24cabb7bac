"""Which labels, and which slices of the requests, got better or worse beyond chance?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from upkeep.errors import DecisionError
from upkeep.statistics.significance import LEVEL, format_p, holm, mcnemar


class Part(StrEnum):
    """What the items of a part have in common: their right answer, or the value of a metadata key."""

    LABEL = "label"
    SLICE = "slice"


@dataclass(frozen=True, slots=True)
class PartChange:
    """What changed among the `n` items of one label or slice; a slice is called key=value.

    `p_value` is McNemar's exact one, two-sided; `adjusted` is the same for having looked at all parts of the kind
    (Holm).
    """

    part: Part
    name: str
    n: int
    fixed: int
    introduced: int
    p_value: float
    adjusted: float

    @property
    def is_worse(self) -> bool:
        """Beyond chance, however many parts were looked at."""
        return self.adjusted < LEVEL and self.introduced > self.fixed

    def __str__(self) -> str:
        return (
            f"{self.part} {self.name!r}: {self.introduced} of {self.n} became wrong, {self.fixed} right, "
            f"{format_p(self.adjusted)} for all {self.part}s looked at"
        )


def by_label(truth: Sequence[str], *, champion: Sequence[bool], challenger: Sequence[bool]) -> tuple[PartChange, ...]:
    """What changed for each label that has an item, the surest first, then the greatest loss.

    `truth` has the right answer of each item, the other two whether each model gave it, in the same order. Among 150
    labels seven would differ by chance at 5 % each, so that each p is corrected for all of them.
    Raises DecisionError where the three have not the same length.
    """
    return _by_part(Part.LABEL, [(label,) for label in truth], champion, challenger)


def by_slice(
    values: Sequence[Mapping[str, str]], *, champion: Sequence[bool], challenger: Sequence[bool]
) -> tuple[PartChange, ...]:
    """The same for each value of each metadata key. An item is in one slice for each key that it has a value of."""
    named = [[f"{key}={value}" for key, value in one.items()] for one in values]
    return _by_part(Part.SLICE, named, champion, challenger)


def _by_part(
    part: Part, names: Sequence[Iterable[str]], champion: Sequence[bool], challenger: Sequence[bool]
) -> tuple[PartChange, ...]:
    if not len(names) == len(champion) == len(challenger):
        raise DecisionError(
            f"comparison by {part}: {part}s of {len(names)} items, champion has {len(champion)}, "
            f"challenger {len(challenger)}, expected the same number"
        )
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for of_item, old, new in zip(names, champion, challenger, strict=True):
        for name in of_item:
            count = counts[name]
            count[0] += 1
            count[1] += new and not old
            count[2] += old and not new
    chances = [mcnemar(fixed, introduced) for _, fixed, introduced in counts.values()]
    found = [
        PartChange(part, name, n, fixed, introduced, chance, adjusted)
        for (name, (n, fixed, introduced)), chance, adjusted in zip(counts.items(), chances, holm(chances), strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (one.adjusted, one.fixed - one.introduced, one.name)))
