"""How does one model do on frozen items?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean

from upkeep.cases.case import Item
from upkeep.config import Client
from upkeep.metrics.closeness import Closeness, Judge, closeness, judge_of
from upkeep.models.loading import Model
from upkeep.models.manifest import Answer
from upkeep.progress import Progress, silent
from upkeep.statistics.rates import Rate

CLOSENESS = tuple(one.name for one in fields(Closeness))
"""The figures that say how close a text is to the agreed one."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One model on one set of items: an answer and a right-or-wrong per item, and figures over all of them.

    `close` says of answers that a model wrote how close each is to the agreed one; it is empty for labels.
    """

    items: str
    ids: tuple[str, ...]
    answers: tuple[Answer, ...]
    right: tuple[bool, ...]
    metrics: dict[str, float]
    close: tuple[Closeness, ...] = ()

    @property
    def accuracy(self) -> Rate:
        """Share right; an item no label fits is right when it would go to a person."""
        return Rate.of(self.right)

    @property
    def automatic(self) -> Rate:
        """Share answered without a person."""
        return Rate.of(answer.automatic for answer in self.answers)

    @property
    def automatic_precision(self) -> Rate:
        """Share right of what is answered without a person."""
        return Rate.of(good for good, answer in zip(self.right, self.answers, strict=True) if answer.automatic)


def evaluate_model(
    model: Model,
    items: Sequence[Item],
    *,
    name: str,
    client: Client,
    judge: Judge | None = None,
    progress: Progress = silent,
) -> Scores:
    """Score a model on items in their order; what is compared has one `judge`, so that equal answers are as right."""
    answers = model.answer([item.text for item in items], progress=progress)
    if client.free_text:
        return score_written(answers, items, name=name, right=judge or judge_of(client.writing))
    return score(answers, items, name=name, out_of_scope=client.out_of_scope_label)


def score_written(answers: Sequence[Answer], items: Sequence[Item], *, name: str, right: Judge) -> Scores:
    """Compute the figures from texts given: share right, how close they are on average, automatic share and precision.

    `right` says so of each.
    """
    good = tuple(right(item.text, item.answer, one.output) for item, one in zip(items, answers, strict=True))
    close = tuple(closeness(one.output, item.answer) for item, one in zip(items, answers, strict=True))
    metrics = {"accuracy": sum(good) / len(good)} if good else {}
    metrics |= {figure: fmean(getattr(one, figure) for one in close) for figure in CLOSENESS if close}
    return Scores(name, _ids(items), tuple(answers), good, metrics | _automatic(answers, good), close)


def score(answers: Sequence[Answer], items: Sequence[Item], *, name: str, out_of_scope: str) -> Scores:
    """Compute the figures from answers given: accuracy, macro-F1, F1 by label, automatic share and its precision."""
    from upkeep.metrics.accuracy import Accuracy
    from upkeep.metrics.label_f1 import LabelF1
    from upkeep.metrics.macro_f1 import MacroF1

    predicted = treated(answers, items, out_of_scope=out_of_scope)
    wanted = [item.answer for item in items]
    right = tuple(output == answer for output, answer in zip(predicted, wanted, strict=True))
    metrics: dict[str, float] = {}
    if items:
        for metric in (Accuracy(), MacroF1()):
            metrics |= metric.compute(predictions=predicted, references=wanted)
        by_label = LabelF1().compute(predictions=predicted, references=wanted)
        metrics |= {f"f1/{label}": value for label, value in by_label.items()}
    return Scores(name, _ids(items), tuple(answers), right, metrics | _automatic(answers, right))


def treated(answers: Sequence[Answer], items: Sequence[Item], *, out_of_scope: str) -> list[str]:
    """What was done with each item: the answer, or a person where it is out of scope, which is then right."""
    return [
        out_of_scope if item.answer == out_of_scope and not answer.automatic else answer.output
        for item, answer in zip(items, answers, strict=True)
    ]


def _automatic(answers: Sequence[Answer], right: Sequence[bool]) -> dict[str, float]:
    """The share answered without a person and how many of those are right, where there are any."""
    share = Rate.of(answer.automatic for answer in answers)
    precision = Rate.of(good for good, answer in zip(right, answers, strict=True) if answer.automatic)
    shares = {"automatic_share": share, "automatic_precision": precision}
    return {name: rate.value for name, rate in shares.items() if rate.value is not None}


def _ids(items: Sequence[Item]) -> tuple[str, ...]:
    return tuple(item.id for item in items)
