"""What does a model cost to run: how long is an answer waited for, and how much is shipped?

It hangs on the machine and on what else that does, so that it is told beside a decision and never part of one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

ASKED = 30
"""Requests that each model is timed on at most."""
FEW = 5
"""The same where each answer takes seconds to write."""


class Answering(Protocol):
    """A model that is timed."""

    def answer(self, texts: Sequence[str]) -> Sequence[object]:
        """One answer a text."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds for one answer to one request, over `n` of them, and the megabytes (10^6) of the release folder."""

    median_ms: float
    p95_ms: float
    n: int
    release_mb: float

    @property
    def metrics(self) -> dict[str, float]:
        """The figures under the names that they have in MLflow."""
        return {"latency_ms/median": self.median_ms, "latency_ms/p95": self.p95_ms, "release_mb": self.release_mb}

    def __str__(self) -> str:
        return (
            f"an answer takes {self.median_ms:.1f} ms (median; 95 % of {self.n} within {self.p95_ms:.1f} ms), "
            f"the release has {self.release_mb:.2f} MB"
        )


def cost(seconds: Sequence[float], size: int) -> Cost:
    """The cost of a model from its seconds for each answer, at least one, and the bytes of its release folder."""
    median, p95 = np.percentile(seconds, [50, 95])
    return Cost(1000 * float(median), 1000 * float(p95), len(seconds), size / 1e6)


def time_answers(
    models: Mapping[str, Answering],
    texts: Sequence[str],
    *,
    seed: int,
    most: int = ASKED,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds for each answer, by model: one request at a time, of a sample of the texts, after one that warms up.

    The models take turns on every text, and in who begins, so that whatever else the machine does meets all of them.
    """
    asked = random.Random(seed).sample(list(texts), min(most, len(texts)))
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():
        model.answer(asked[:1])
    for at, text in enumerate(asked):
        for name in sorted(models, reverse=at % 2 == 1):
            begun = clock()
            models[name].answer([text])
            seconds[name].append(clock() - begun)
    return seconds
