"""Are a classifier's confidences as high as it is right? One number, fitted on held-out cases, sees to it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH = 0.5
"""Standard deviation of the normal prior of the temperature's logarithm: few cases say little against 1."""
WIDEST = math.log(20)
SMALLEST = 1e-300


class Scaled(NamedTuple):
    """What logits are to be divided by, and the mean negative log likelihood of the right labels after that."""

    temperature: float
    loss: float


def fit_temperature(chances: NDArray[np.float64], truth: NDArray[np.int64]) -> Scaled:
    """The likeliest temperature (C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017), 1 without cases.

    `chances` has shape (cases, labels), `truth` the column that is right for each. What loss is left is not of
    confidences that are too high or too low, which can be put right, but of what is not told apart: by that the best
    pass is chosen (E. Berta et al., Rethinking Early Stopping: Refine, Then Calibrate, 2025).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    if not len(truth):
        return Scaled(1.0, 0.0)
    logs = np.log(np.maximum(chances, SMALLEST))
    right = logs[np.arange(len(truth)), truth]

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        return float((logsumexp(logs / temperature, axis=1) - right / temperature).mean())

    def objective(log_temperature: float) -> float:
        return loss(log_temperature) + (log_temperature / WIDTH) ** 2 / (2 * len(truth))

    found = float(minimize_scalar(objective, bounds=(-WIDEST, WIDEST), method="bounded").x)
    return Scaled(math.exp(found), loss(found))
