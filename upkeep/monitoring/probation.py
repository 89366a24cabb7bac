"""Does the model that was promoted last do worse than the one before it did?

For its first weeks a promoted model is on probation: what people say of its answers is compared with what they said of
the model before in as many weeks. Weeks differ by more than chance, so the comparison allows for their spread; a worse
model and a harder time look alike, so that going back is recommended and not done, unless that was agreed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from upkeep.monitoring.alarms import LEAST_REFERENCE, REFERENCE_WEEKS
from upkeep.monitoring.figures import Figures
from upkeep.monitoring.scores import learn
from upkeep.periods import from_to
from upkeep.statistics.rates import Rate

WEEKS = 8
"""How long probation lasts, and how many weeks of the model before it is compared with at most."""
CHANCE = 0.01
"""Chance that a model which is no worse is found to be, over all weeks of its probation and both figures."""
SUBJECT = "worse than the model before"


@dataclass(frozen=True, slots=True)
class Probation:
    """A promoted model's figure in its weeks so far beside the model before; the figure that is more in doubt.

    `chance` is that of such a loss where the two do equally well (one-sided).
    """

    version: str
    previous: str
    weeks: tuple[str, ...]
    figure: str
    now: Rate
    before: Rate
    chance: float

    @property
    def worse(self) -> bool:
        """Is it worse beyond chance?"""
        return self.chance < CHANCE / WEEKS / 2

    def __str__(self) -> str:
        mine = f"version {self.version}: {self.figure} {self.now} in {from_to(self.weeks)}"
        return f"{mine}, version {self.previous} had {self.before}"


def on_probation(
    weeks: Sequence[tuple[str, Figures]], *, version: str, previous: str, spread: float, minimum: int
) -> Probation | None:
    """The promoted `version` beside `previous`, by the figures of weeks, oldest first.

    `spread` is the standard deviation from week to week that chance does not explain, as a share, or what the weeks of
    `previous` tell where that is more. None before both have `minimum` labelled requests, after the last week of
    probation, and where another model answers again.
    """
    mine = [(key, figures) for key, figures in weeks if figures.model_version == version]
    theirs = [figures for key, figures in weeks if figures.model_version == previous and mine and key < mine[0][0]]
    answers_now = bool(mine) and weeks[-1][1].model_version in (version, None)
    if not answers_now or len(mine) > WEEKS or not theirs:
        return None
    found = []
    for name in ("accuracy", "auto_resolution"):
        now = [rate for _, figures in mine if (rate := getattr(figures, name)).n]
        record = [rate for figures in theirs if (rate := getattr(figures, name)).n]
        before, restless = record[-WEEKS:], _restless(record, spread)
        ours, others = sum(now, Rate(0, 0)), sum(before, Rate(0, 0))
        if min(ours.n, others.n) >= minimum:
            chance = _chance_of_loss(ours, others, spread=restless * math.sqrt(1 / len(now) + 1 / len(before)))
            figure = name.replace("_", "-")
            found.append(Probation(version, previous, tuple(key for key, _ in mine), figure, ours, others, chance))
    return min(found, key=lambda one: one.chance, default=None)


def _restless(record: Sequence[Rate], spread: float) -> float:
    """The spread assumed, or the one learned from a model's weeks where those are enough and tell of a larger one."""
    if len(record) < LEAST_REFERENCE:
        return spread
    return max(spread, learn(record[-REFERENCE_WEEKS:], assumed_spread=spread).spread)


def _chance_of_loss(now: Rate, before: Rate, *, spread: float) -> float:
    """One-sided chance by the normal approximation of two pooled proportions, their spread added to the variance."""
    from scipy.special import ndtr

    pooled = (now.hits + before.hits) / (now.n + before.n)
    variance = pooled * (1 - pooled) * (1 / now.n + 1 / before.n) + spread**2
    loss = before.hits / before.n - now.hits / now.n
    return float(ndtr(-loss / math.sqrt(variance))) if variance else 1.0
