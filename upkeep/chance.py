"""What may pass for chance?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

LEVEL = 0.05
"""How often chance alone may pass for a finding: over all sets together, over all labels together, over all slices
together, and for each thing that has to be ruled out."""


@lru_cache(maxsize=65536)
def mcnemar(fixed: int, introduced: int) -> float:
    """McNemar's exact p, two-sided: how often so uneven a split of what became right and wrong comes by chance."""
    from scipy.stats import binomtest

    return float(binomtest(fixed, fixed + introduced).pvalue) if fixed + introduced else 1.0


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Each p for having looked at all of them (S. Holm, Scandinavian Journal of Statistics 6, 1979).

    The smallest counts as many times as there are, the next once less, and none less than one before it. Whoever calls
    what is then under 5 % a finding calls anything wrongly in 5 % of families at most, whatever depends on what.
    """
    adjusted, so_far = [0.0] * len(p_values), 0.0
    for done, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min((len(p_values) - done) * p_values[at], 1.0))
        adjusted[at] = so_far
    return tuple(adjusted)


def told(p_value: float) -> str:
    """`p=0.012`, or `p<0.001`."""
    return f"p={p_value:.3f}" if p_value >= 0.001 else "p<0.001"
