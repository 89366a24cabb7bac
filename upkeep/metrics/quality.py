"""Is the model as sure as it is right, and which labels does it mix up?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from upkeep.log.tally import CONFIDENCE_BINS, SCALE, Cell, Count
from upkeep.log.truth import Truth, truth_of
from upkeep.statistics.rates import Rate


@dataclass(frozen=True, slots=True)
class Group:
    """Requests that are counted together, and what was said about them comes to."""

    cell: Cell
    count: Count
    truth: Truth | None

    @classmethod
    def of(cls, cell: Cell, count: Count, *, out_of_scope: str) -> Group:
        """Settle what was said, if anything was."""
        return cls(cell, count, truth_of(cell, cell.said, out_of_scope=out_of_scope) if cell.said else None)

    @property
    def right(self) -> bool:
        """Was the right thing done? Asked of labelled requests only."""
        return self.truth is not None and self.truth.right

    @property
    def answer(self) -> str | None:
        """The right answer, where somebody named it."""
        return self.truth.answer if self.truth else None

    @property
    def correct(self) -> bool:
        """Was the model's own answer the right one, whoever acted on it?"""
        return self.right if self.answer is None else self.answer == self.cell.output


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Requests whose confidence was in the tenth that begins at `low`: their mean confidence, and how many were right.

    Two weeks' tenths add up by their counts.
    """

    low: float
    confidence: float
    right: Rate


@dataclass(frozen=True, slots=True)
class Confusion:
    """So many requests were answered `given` where `answer` was right; `given` is empty where the model gave none."""

    given: str
    answer: str
    requests: int


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """How often a label was right where it was given, and given where it was right."""

    precision: Rate
    recall: Rate

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return 2 * self.recall.hits / (self.precision.n + self.recall.n)


def calibration(groups: Iterable[Group]) -> tuple[Calibrated, ...]:
    """The tenths that hold a request, lowest first."""
    found: dict[int, tuple[Rate, int]] = {}
    for group in groups:
        n, bin = group.count.requests, group.cell.confidence_bin
        rate, total = found.get(bin, (Rate(0, 0), 0))
        found[bin] = (rate + Rate(n if group.correct else 0, n), total + group.count.confidence)
    return tuple(
        Calibrated(bin / CONFIDENCE_BINS, total / SCALE / rate.n, rate) for bin, (rate, total) in sorted(found.items())
    )


def calibration_error(tenths: Sequence[Calibrated]) -> float | None:
    """Expected calibration error: the mean distance of confidence and share right, weighted by requests; 0..1.

    Naeini, Cooper, Hauskrecht (2015), with ten bins of equal width.
    """
    n = sum(tenth.right.n for tenth in tenths)
    return sum(abs(tenth.right.hits - tenth.confidence * tenth.right.n) for tenth in tenths) / n if n else None


def confusion(groups: Iterable[Group]) -> tuple[Confusion, ...]:
    """Answers given and right, the most frequent first; only where somebody named the right answer."""
    found: Counter[tuple[str, str]] = Counter()
    for group in groups:
        if group.answer is not None:
            found[group.cell.output or "", group.answer] += group.count.requests
    return tuple(Confusion(*pair, n) for pair, n in sorted(found.items(), key=lambda one: (-one[1], one[0])))


def by_label(cells: Sequence[Confusion]) -> dict[str, LabelQuality]:
    """The quality of every label that was the right answer at least once."""
    return {
        label: LabelQuality(
            precision=_share(cell for cell in cells if cell.given == label),
            recall=_share(cell for cell in cells if cell.answer == label),
        )
        for label in sorted({cell.answer for cell in cells})
    }


def worst_labels(cells: Sequence[Confusion], n: int) -> dict[str, LabelQuality]:
    """The `n` labels with the most errors, most first; fewer where fewer have any."""
    labels = by_label(cells)
    wrong = {name: one.recall.complement.hits + one.precision.complement.hits for name, one in labels.items()}
    worst = sorted(labels, key=lambda name: (-wrong[name], name))[:n]
    return {name: labels[name] for name in worst if wrong[name]}


def macro_f1(cells: Sequence[Confusion]) -> float | None:
    """The mean F1 of the labels that were right at least once; None where no right answer is known."""
    labels = by_label(cells).values()
    return sum(label.f1 for label in labels) / len(labels) if labels else None


def _share(cells: Iterable[Confusion]) -> Rate:
    found = list(cells)
    return Rate(sum(cell.requests for cell in found if cell.given == cell.answer), sum(cell.requests for cell in found))
