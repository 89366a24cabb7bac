"""From which confidence may a model answer without a person?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOTHING_AUTOMATIC = 1.01
"""A threshold no confidence reaches."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The threshold with what it gave on the held-out cases it was fitted on (shares)."""

    threshold: float
    automatic: float
    precision: float | None
    n: int


def fit_threshold(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    *,
    weight: NDArray[np.float64],
    promised: float,
) -> Fit:
    """The lowest threshold whose automatic answers are right at least as often as was promised.

    The three arrays have one entry per held-out request: the confidence of the model's answer, whether an automatic
    answer would have been right (never, for a request no label fits), and how many real requests it stands for.
    Ties in confidence stay together; what has none is never automatic. Where no threshold keeps the promise nothing is.
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence, mass = confidence[order], np.cumsum(weight[order])
    precision = np.cumsum(weight[order] * right[order]) / mass
    last_of_tie = np.append(sorted_confidence[:-1] != sorted_confidence[1:], True)
    keeps = np.flatnonzero((precision >= promised) & last_of_tie & (sorted_confidence > 0))
    if not len(keeps):
        return Fit(threshold=NOTHING_AUTOMATIC, automatic=0.0, precision=None, n=len(confidence))
    cut = keeps[-1]
    return Fit(
        threshold=float(sorted_confidence[cut]),
        automatic=float(mass[cut] / mass[-1]),
        precision=float(precision[cut]),
        n=len(confidence),
    )
