"""How unlikely is a week's rate, beside what is agreed or what earlier weeks lead one to expect?

Real weeks vary more than a binomial: a week's true rate is normal around what is expected, with a spread that is
learned from reference weeks. What is learned has errors, and they are part of the score.
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
SHARED = 1.25
"""What is taken off several weeks' scores for the error that all of them share, in parts of a week's variance that it
is. The sum of four weeks would ask for 3; less sees more, and the rules together keep to the budget with it (tuned with
`upkeep.monitoring.alarms.SHARES`)."""
FURTHEST = 8.0
"""Scores are cut here: beyond it a tail is too small to be told from nothing."""
GRID = np.linspace(-6, 6, 73)
GRID_WEIGHTS = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()
"""Standard deviations from the expected rate, and the normal weight of each: the grid the rate is averaged over."""


class Expected(NamedTuple):
    """The rate to expect of a week and the sd with which its true rate scatters around it.

    `error` is the standard error of the rate and part of `sd`; `doubt` the variance of the estimated variance that the
    weeks scatter with. Both are 0 where nothing is learned.
    """

    rate: float
    sd: float
    error: float = 0.0
    doubt: float = 0.0

    def variance(self, n: int) -> float:
        """Of the share of right answers in a week of n labels."""
        return self.sd**2 + self.rate * (1 - self.rate) / n


class Score(NamedTuple):
    """How unlikely a week is, as a normal quantile; the lower, the worse.

    `alone` is that of the chance of its count or a lower one, so that no single week is out more often than it may be;
    `middle` of the mid-p, so that several add up, less the error that they share.
    """

    alone: float
    middle: float


def score(rate: Rate, expected: Expected) -> Score:
    """Of the count when the week's true rate is normal around what is expected.

    The quantile is that of Student's t, with degrees of freedom by Satterthwaite (Biometrics Bulletin 2, 1946).
    """
    from scipy.special import bdtr, ndtri, stdtr  # `scipy.stats` takes a hundred times as long, for every week there is

    shares = _possible(expected.rate, expected.sd)
    fewer = bdtr(rate.hits - 1, rate.n, shares) if rate.hits else np.zeros_like(shares)
    whole = bdtr(rate.hits, rate.n, shares)
    chances = np.array([whole @ GRID_WEIGHTS, (fewer + whole) / 2 @ GRID_WEIGHTS])
    found, variance = ndtri(np.clip(chances, 0, 1)), expected.variance(rate.n)
    if expected.doubt:
        found = ndtri(stdtr(2 * variance**2 / expected.doubt, found))
    alone, middle = np.clip(found, -FURTHEST, FURTHEST)
    return Score(float(alone), float(middle) / math.sqrt(1 + SHARED * expected.error**2 / variance))


def likelihood(rate: Rate, *, expected: float, sd: float) -> float:
    """Log likelihood of the count, up to a constant, when its true rate is normal around `expected` with `sd`."""
    shares = _possible(expected, sd)
    each = rate.hits * np.log(shares) + (rate.n - rate.hits) * np.log1p(-shares)
    return float(each.max() + np.log(np.exp(each - each.max()) @ GRID_WEIGHTS))


def _possible(expected: float, sd: float) -> NDArray[np.float64]:
    return np.clip(expected + sd * GRID, 1e-6, 1 - 1e-6)


class Reference(NamedTuple):
    """The rate to expect, the sd with which weeks scatter around it, the sd of the expectation itself, and the variance
    of the estimated `spread**2`."""

    rate: float
    spread: float
    error: float
    doubt: float


def learn(reference: Sequence[Rate], *, assumed_spread: float) -> Reference:
    """What the reference weeks lead one to expect.

    The spread beyond binomial is estimated by moments and shrunk to `assumed_spread`: a week of few labels says little
    about it and weighs little. Weeks are weighted by the inverse of their variance.
    """
    together = sum(reference, Rate(0, 0))
    rough = (together.hits + 0.5) / (together.n + 1)
    usual = assumed_spread**2
    noises = [rough * (1 - rough) / rate.n for rate in reference]
    tells = [(usual / (usual + noise)) ** 2 for noise in noises]
    excess, weight = usual * PRIOR_WEEKS, PRIOR_WEEKS + sum(tells)
    for rate, noise, part in zip(reference, noises, tells, strict=True):
        away = (rate.hits / rate.n - rough) ** 2 * len(reference) / max(len(reference) - 1, 1)
        excess += part * (away - noise)
    spread = math.sqrt(max(excess / weight, LEAST_SPREAD**2))
    variances = [spread**2 + noise for noise in noises]
    weights = [1 / one for one in variances]
    centre = sum(w * rate.hits / rate.n for w, rate in zip(weights, reference, strict=True)) / sum(weights)
    doubt = 2 * sum((part * one) ** 2 for part, one in zip(tells, variances, strict=True)) / weight**2
    return Reference(centre, spread, 1 / math.sqrt(sum(weights)), doubt)
