"""How far out is a distance, where its like scatter by more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, variance

BY_CHANCE, RESTLESS = 1.25, 2.5
"""What degrees of freedom are divided by where all scatter is chance, and where hardly any is: sums of a few large
parts have longer tails than two moments say. Found on simulated clients, `benchmarks/changes.py`."""


def chance_beyond(seen: float, usual: Sequence[float], free: float) -> float:
    """Chance that one more distance like the usual ones, two at least, is as large as `seen`.

    Distances are multiples of what chance alone makes them, which is 1 on average with `free` degrees of freedom. Where
    things differ by more than chance they mostly do so in few directions. Degrees of freedom are therefore those of the
    scatter, 2 mean^2 / variance (Satterthwaite, 1946), where these are fewer.
    """
    from scipy.stats import f

    scatter, spread = variance(usual), max(fmean(usual), 1.0)
    scattered = min(free, 2 * spread**2 / scatter) if scatter else free
    few = max(scattered / (RESTLESS - (RESTLESS - BY_CHANCE) / spread), 1.0)
    return float(f.sf(seen / spread, few, few * (len(usual) - 1)))
