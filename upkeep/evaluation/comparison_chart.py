"""Where has the challenger changed, and does either model know how sure it may be?

One picture for MLflow: by label how many answers became right and wrong, for both models how often they are right at
each confidence, and which wrong answers are given more and less often than before.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from upkeep.evaluation.breakdown import PartChange
from upkeep.evaluation.confusions import Confused
from upkeep.statistics.rates import Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 15
BINS = 10
LEAST = 5
"""A bin of fewer answers is not drawn."""
LONGEST = 36
"""Characters of a label that are drawn."""
GREEN, RED, GREY = "#2a7f62", "#c0392b", "#9aa0a6"


class Sureness(NamedTuple):
    """A model's confidence in each of its answers, in 0..1, and whether it was right."""

    name: str
    confidence: Sequence[float]
    right: Sequence[bool]


def draw_comparison(labels: Sequence[PartChange], confused: Sequence[Confused], *models: Sureness) -> bytes:
    """A PNG: the labels with most changes, a reliability diagram, and the wrong answers whose number changed most.

    `confused` comes with the largest change first.
    """
    from matplotlib.figure import Figure

    changed = sorted((one for one in labels if one.fixed or one.introduced), key=lambda one: one.fixed + one.introduced)
    shown, pairs = changed[-SHOWN:], [one for one in confused if one.change][:SHOWN]
    heights = [1.8 + 0.3 * max(len(shown), 8), 1.4 + 0.45 * max(len(pairs), 1)]
    figure = Figure(figsize=(12, sum(heights)), layout="constrained")
    # two figures, so that long names in the lower one take nothing from the panels above
    (above,), (below,) = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)
    left, right = above.subplots(1, 2)
    _draw_labels(left, shown)
    _draw_sureness(right, models)
    _draw_confused(below.subplots(), pairs[::-1])
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=100)
    return written.getvalue()


def draw_written(close: Mapping[str, Sequence[float]], *models: Sureness) -> bytes:
    """The same for answers that are texts: how close each model's are to the agreed ones (0..1, by model), and a
    reliability diagram."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.hist(list(close.values()), bins=BINS, range=(0, 1), label=list(close))
    left.set_xlabel("words in common with the agreed answer (token F1)")
    left.set_ylabel("items")
    left.set_title("How close the answers are")
    left.legend(loc="upper left")
    _draw_sureness(right, models)
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


def short(label: str) -> str:
    """A label as it is drawn: of a long one the beginning and the end, by which long ones mostly differ."""
    if len(label) <= LONGEST:
        return label
    kept = LONGEST - 1
    return f"{label[: kept - kept // 2]}…{label[-(kept // 2) :]}"


def _draw_labels(panel: Axes, shown: Sequence[PartChange]) -> None:
    at = range(len(shown))
    panel.barh(at, [one.fixed for one in shown], color=GREEN)
    panel.barh(at, [-one.introduced for one in shown], color=RED)
    panel.set_yticks(list(at), [f"{short(one.name)} (n={one.n})" for one in shown], parse_math=False)
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_title("Items whose answer changed, by label")
    _finish(panel, {"became wrong": RED, "became right": GREEN})


def _draw_sureness(panel: Axes, models: Sequence[Sureness]) -> None:
    panel.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as sure as right")
    for model in models:
        points = reliable(model)
        panel.plot(
            [sure for sure, _ in points], [rate.hits / rate.n for _, rate in points], marker="o", label=model.name
        )
    panel.set_xlabel(f"confidence (tenths with {LEAST} answers or more)")
    panel.set_ylabel("share right")
    panel.set_title("How often an answer is right")
    panel.legend(loc="best")


def _draw_confused(panel: Axes, pairs: Sequence[Confused]) -> None:
    """Two bars a pair, the champion's and under it the challenger's, each with its number."""
    at = range(len(pairs))
    worse = [RED if one.change > 0 else GREEN for one in pairs]
    panel.barh([row + 0.2 for row in at], [one.champion for one in pairs], 0.36, color=GREY)
    panel.barh([row - 0.2 for row in at], [one.challenger for one in pairs], 0.36, color=worse)
    for row, one in enumerate(pairs):
        for count, beside in ((one.champion, 0.2), (one.challenger, -0.2)):
            panel.annotate(f"{count}", (count, row + beside), (3, 0), textcoords="offset points", va="center", size=8)
    named = [f"{short(one.wanted)}\n→ {short(one.given)}" for one in pairs]
    panel.set_yticks(list(at), named, parse_math=False)
    panel.margins(x=0.05)
    panel.set_xlim(left=0)
    panel.set_title("Wrong answers that changed most: right → given")
    _finish(panel, {"champion": GREY, "challenger, fewer": GREEN, "challenger, more": RED})


def _finish(panel: Axes, meaning: Mapping[str, str]) -> None:
    """Whole counts, and what the colours mean under the panel, where no bar is."""
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    patches = [Patch(color=color, label=name) for name, color in meaning.items()]
    panel.legend(handles=patches, loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=2.2, ncols=len(patches))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not panel.get_yticklabels():
        panel.text(0.5, 0.5, "none", transform=panel.transAxes, ha="center", va="center")
        panel.set_xticks([])
