"""What may pass for chance?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from upkeep.statistics.rates import Rate

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


def format_p(p_value: float) -> str:
    """`p=0.012`, or `p<0.001`."""
    return f"p={p_value:.3f}" if p_value >= 0.001 else "p<0.001"


def more_often(now: Rate, before: Rate, *, times: float = 1.0) -> float:
    """Chance of so many now or more if it happened so many times as often as before (conditional test of two Poisson
    rates, Przyborowski and Wilenski, 1940); 1 where one of the two says nothing."""
    from scipy.stats import binom

    if not now.n or not before.n:
        return 1.0
    return float(binom.sf(now.hits - 1, now.hits + before.hits, times * now.n / (times * now.n + before.n)))


def less_often(now: Rate, before: Rate) -> float:
    """Chance of so few now or fewer if it happened as often as before; 1 where one of the two says nothing."""
    from scipy.stats import binom

    if not now.n or not before.n:
        return 1.0
    return float(binom.cdf(now.hits, now.hits + before.hits, now.n / (now.n + before.n)))


def times_as_often(now: Rate, before: Rate) -> float:
    """How many times as often; half a case is put to both, so that none before is not infinitely often."""
    return ((now.hits + 0.5) / (now.n + 1)) / ((before.hits + 0.5) / (before.n + 1))
