"""What came of one way to train, and when was it how good?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upkeep.models.batches import in_batches
from upkeep.models.encoder import SCORING_BATCH
from upkeep.statistics.rates import Rate

if TYPE_CHECKING:
    import torch


class Spent(NamedTuple):
    """Seconds by the clock, and those in which the processor worked for this process."""

    seconds: float
    processor: float


class Look(NamedTuple):
    """How many test texts were answered right after so much training, looking not counted."""

    spent: Spent
    right: Rate


class Learned(NamedTuple):
    """Whether each test text is answered right, what the training took, and the looks on the way."""

    name: str
    right: list[bool]
    spent: Spent
    looks: list[Look]


def now() -> Spent:
    """Both by now, since whenever."""
    return Spent(time.perf_counter(), time.process_time())


class Clock:
    """What was spent since it was made, without that while it stood still."""

    def __init__(self, read: Callable[[], Spent] = now) -> None:
        self.read = read
        self.begun = read()

    @property
    def spent(self) -> Spent:
        """So much by now."""
        return less(self.read(), self.begun)

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Stand still meanwhile."""
        before = self.spent
        try:
            yield
        finally:
            self.begun = less(self.read(), before)


def less(one: Spent, other: Spent) -> Spent:
    """What was spent between two moments."""
    return Spent(one.seconds - other.seconds, one.processor - other.processor)


def reached(looks: Sequence[Look], least: Rate) -> Spent | None:
    """What was spent when as many were right for the first time; None where they never were."""
    return next((one.spent for one in looks if one.right.hits * least.n >= least.hits * one.right.n), None)


def rights(answers: NDArray[np.int64], truth: NDArray[np.int64]) -> list[bool]:
    """Is each answer the right one?"""
    return [bool(one) for one in answers == truth]


def logits(logits_of: Callable[[list[str]], torch.Tensor], texts: Sequence[str]) -> NDArray[np.float64]:
    """One per text and label."""
    import torch

    found: dict[int, NDArray[np.float64]] = {}
    with torch.inference_mode():
        for rows, made in in_batches(texts, SCORING_BATCH, logits_of):
            found |= dict(zip(rows.tolist(), made.double().numpy(), strict=True))
    return np.stack([found[row] for row in range(len(texts))])


def loss(found: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Mean negative log likelihood of the right labels, of texts that have one."""
    known = truth >= 0
    if not known.any():
        return 0.0
    shifted = found[known] - found[known].max(axis=1, keepdims=True)
    likely = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-likely[np.arange(known.sum()), truth[known]].mean())
