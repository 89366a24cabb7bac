"""Where has the challenger changed, and does either model know how sure it may be?

One picture for MLflow: by label how many answers became right and wrong, and for both models how often they are right
at each confidence.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

from upkeep.comparison import LabelChange
from upkeep.rates import Rate

SHOWN = 15
BINS = 10
LEAST = 5
"""A bin of fewer answers is not drawn."""


class Sureness(NamedTuple):
    """A model's confidence in each of its answers, in 0..1, and whether it was right."""

    name: str
    confidence: Sequence[float]
    right: Sequence[bool]


def draw_comparison(labels: Sequence[LabelChange], *models: Sureness) -> bytes:
    """A PNG: the labels with most changes, and a reliability diagram."""
    from matplotlib.figure import Figure

    changed = sorted((one for one in labels if one.fixed or one.introduced), key=lambda one: one.fixed + one.introduced)
    shown = changed[-SHOWN:]
    figure = Figure(figsize=(12, 1.8 + 0.3 * max(len(shown), 8)), layout="constrained")
    changes, reliability = figure.subplots(1, 2)
    at = range(len(shown))
    changes.barh(at, [one.fixed for one in shown], color="#2a7f62", label="became right")
    changes.barh(at, [-one.introduced for one in shown], color="#c0392b", label="became wrong")
    changes.set_yticks(list(at), [f"{one.label} (n={one.n})" for one in shown])
    changes.axvline(0, color="black", linewidth=0.8)
    changes.set_title("Items whose answer changed, by label")
    changes.legend(loc="lower right")
    reliability.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as sure as right")
    for model in models:
        points = reliable(model)
        reliability.plot([sure for sure, _ in points], [rate.value for _, rate in points], marker="o", label=model.name)
    reliability.set_xlabel("confidence")
    reliability.set_ylabel("share right")
    reliability.set_title(f"How often an answer is right (tenths with {LEAST} or more)")
    reliability.legend(loc="upper left")
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=100)
    return written.getvalue()


def reliable(model: Sureness) -> list[tuple[float, Rate]]:
    """Mean confidence and share right in each tenth of confidence, without those of too few answers."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in zip(model.confidence, model.right, strict=True):
        bins.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, right))
    return [
        (sum(sure for sure, _ in found) / len(found), Rate.of(right for _, right in found))
        for _, found in sorted(bins.items())
        if len(found) >= LEAST
    ]
