"""How far is a week's rate from what is agreed, or from what earlier weeks lead one to expect?

A score is the normal quantile of the week's count under a binomial whose rate is itself normal from week to week,
because real weeks vary more than a binomial; their spread is learned from reference weeks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from upkeep.statistics.rates import Rate

PRIOR_WEEKS = 52
"""How many fully informative reference weeks the assumed spread weighs as much as."""
LEAST_SPREAD = 0.005
FURTHEST = 8.0
"""Scores are cut here: beyond it a tail is too small to be told from nothing."""
GRID = np.linspace(-6, 6, 73)
GRID_WEIGHTS = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()
"""Standard deviations from the expected rate, and the normal weight of each: the grid the rate is averaged over."""


def score(rate: Rate, *, expected: float, sd: float) -> float:
    """Normal quantile of the count (mid-p) when the week's true rate is normal around `expected` with `sd`."""
    from scipy.special import bdtr, ndtri  # `scipy.stats` takes a hundred times as long, for every week of the history

    shares = _possible(expected, sd)
    fewer = bdtr(rate.hits - 1, rate.n, shares) if rate.hits else 0.0
    below = (fewer + bdtr(rate.hits, rate.n, shares)) / 2
    return float(np.clip(ndtri(below @ GRID_WEIGHTS), -FURTHEST, FURTHEST))


def likelihood(rate: Rate, *, expected: float, sd: float) -> float:
    """Log likelihood of the count, up to a constant, when its true rate is normal around `expected` with `sd`."""
    shares = _possible(expected, sd)
    each = rate.hits * np.log(shares) + (rate.n - rate.hits) * np.log1p(-shares)
    return float(each.max() + np.log(np.exp(each - each.max()) @ GRID_WEIGHTS))


def _possible(expected: float, sd: float) -> NDArray[np.float64]:
    return np.clip(expected + sd * GRID, 1e-6, 1 - 1e-6)


class Reference(NamedTuple):
    """The rate to expect, the sd with which weeks scatter around it, and the sd of the expectation itself."""

    rate: float
    spread: float
    error: float


def learn(reference: Sequence[Rate], *, assumed_spread: float) -> Reference:
    """What the reference weeks lead one to expect.

    The spread beyond binomial is estimated by moments and shrunk to `assumed_spread`: a week of few labels says little
    about it and weighs little. Weeks are weighted by the inverse of their variance.
    """
    together = sum(reference, Rate(0, 0))
    rough = (together.hits + 0.5) / (together.n + 1)
    usual = assumed_spread**2
    excess, weight = usual * PRIOR_WEEKS, float(PRIOR_WEEKS)
    for rate in reference:
        noise = rough * (1 - rough) / rate.n
        tells = (usual / (usual + noise)) ** 2
        away = (rate.hits / rate.n - rough) ** 2 * len(reference) / max(len(reference) - 1, 1)
        excess += tells * (away - noise)
        weight += tells
    spread = math.sqrt(max(excess / weight, LEAST_SPREAD**2))
    weights = [1 / (spread**2 + rough * (1 - rough) / rate.n) for rate in reference]
    centre = sum(w * rate.hits / rate.n for w, rate in zip(weights, reference, strict=True)) / sum(weights)
    return Reference(min(centre, 1.0), spread, 1 / math.sqrt(sum(weights)))  # rounded it may be above
