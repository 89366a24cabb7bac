"""By how much do two models differ in figures that are no plain share of the items?

Macro-F1, or how close texts are to the agreed ones; the share answered automatically, how often those are right, and
how far confidence is from being right.
A verdict does not rest on them; people read them beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from upkeep.metrics.closeness import Closeness
from upkeep.statistics.rates import Interval

RESAMPLES = 1000
BINS = 10
Weights = NDArray[np.float64]
"""How often each item counts, shape (1 + RESAMPLES, items): the first row is the items themselves."""


class Answered(NamedTuple):
    """What a model did with each item: its answer, how sure, whether given without a person, and whether right.

    `close` says of texts how close each is to the agreed one; it is empty for labels.
    """

    outputs: Sequence[str]
    confidence: Sequence[float]
    automatic: Sequence[bool]
    right: Sequence[bool]
    close: Sequence[Closeness] = ()


class Sided(NamedTuple):
    """A model's answers beside the right ones, and the labels there are among these."""

    wanted: Sequence[str]
    labels: Sequence[str]
    answered: Answered


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of both models on the same `n` items; the interval (95 %) is of challenger - champion."""

    items: str
    figure: str
    n: int
    champion: float
    challenger: float
    interval: Interval

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.items}, {self.figure}: challenger {self.challenger:.3f}, champion {self.champion:.3f}, "
            f"95% CI of the difference {low:+.3f}..{high:+.3f}, n={self.n:,}"
        )


def differences(
    items: str, wanted: Sequence[str], *, champion: Answered, challenger: Answered, seed: int
) -> tuple[Difference, ...]:
    """Every figure that both models have, with the percentile interval of a paired bootstrap over the items.

    Each resample draws the same items for both (B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993,
    chapter 13). A figure that a resample does not have, precision where nothing is automatic, is left out of it.
    """
    if not wanted:
        return ()
    drawn = np.random.default_rng(seed).multinomial(len(wanted), [1 / len(wanted)] * len(wanted), size=RESAMPLES)
    weights = np.vstack([np.ones(len(wanted)), drawn]).astype(np.float64)
    labels = sorted(set(wanted))
    found = []
    for name, figure in (OF_TEXTS if champion.close else OF_LABELS).items():
        old, new = (figure(weights, Sided(wanted, labels, one)) for one in (champion, challenger))
        change = (new - old)[1:]
        change = change[np.isfinite(change)]
        if np.isfinite([old[0], new[0]]).all() and len(change):
            low, high = np.percentile(change, [2.5, 97.5])
            interval = Interval(float(low), float(high))
            found.append(Difference(items, name, len(wanted), float(old[0]), float(new[0]), interval))
    return tuple(found)


def _macro_f1(weights: Weights, one: Sided) -> Weights:
    """Mean F1 of the labels that are right for an item: 2 tp / (said + right), by resample."""
    said = np.array([[output == label for label in one.labels] for output in one.answered.outputs], dtype=np.float64)
    truth = np.array([[answer == label for label in one.labels] for answer in one.wanted], dtype=np.float64)
    right, total = weights @ (said * truth), weights @ said + weights @ truth
    there = (weights @ truth) > 0
    f1 = np.divide(2 * right, total, out=np.zeros_like(total), where=total > 0)
    mean: Weights = (f1 * there).sum(axis=1) / there.sum(axis=1)
    return mean


def _automatic_share(weights: Weights, one: Sided) -> Weights:
    share: Weights = weights @ np.array(one.answered.automatic, dtype=np.float64) / weights.sum(axis=1)
    return share


def _automatic_precision(weights: Weights, one: Sided) -> Weights:
    automatic = np.array(one.answered.automatic, dtype=np.float64)
    given = weights @ automatic
    right = weights @ (automatic * np.array(one.answered.right, dtype=np.float64))
    return np.divide(right, given, out=np.full_like(given, np.nan), where=given > 0)


def _calibration_error(weights: Weights, one: Sided) -> Weights:
    """Expected calibration error over tenths of confidence (M. P. Naeini et al., AAAI 2015)."""
    sure = np.array(one.answered.confidence, dtype=np.float64)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gap = (np.array(one.answered.right, dtype=np.float64) - sure)[:, None] * (bins[:, None] == np.arange(BINS))
    error: Weights = np.abs(weights @ gap).sum(axis=1) / weights.sum(axis=1)
    return error


def _mean_closeness(name: str) -> Figure:
    def figure(weights: Weights, one: Sided) -> Weights:
        values = np.array([getattr(close, name) for close in one.answered.close], dtype=np.float64)
        mean: Weights = weights @ values / weights.sum(axis=1)
        return mean

    return figure


Figure: TypeAlias = Callable[[Weights, Sided], Weights]
OF_BOTH: Mapping[str, Figure] = {
    "automatic_share": _automatic_share,
    "automatic_precision": _automatic_precision,
    "calibration_error": _calibration_error,
}
OF_LABELS: Mapping[str, Figure] = {"macro_f1": _macro_f1, **OF_BOTH}
OF_TEXTS: Mapping[str, Figure] = {
    **{one.name: _mean_closeness(one.name) for one in fields(Closeness)},
    **OF_BOTH,
}
