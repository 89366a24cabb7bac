"""How does one model do on frozen items?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upkeep.cases import Item
from upkeep.classifier import Answer, Classifier
from upkeep.progress import Progress, silent
from upkeep.rates import Rate


@dataclass(frozen=True, slots=True)
class Scores:
    """One model on one set of items: an answer and a right-or-wrong per item, and figures over all of them."""

    items: str
    ids: tuple[str, ...]
    answers: tuple[Answer, ...]
    right: tuple[bool, ...]
    metrics: dict[str, float]

    @property
    def accuracy(self) -> Rate:
        """Share right; an item no label fits is right when it would go to a person."""
        return Rate.of(self.right)


def evaluate_model(
    model: Classifier, items: Sequence[Item], *, name: str, out_of_scope: str, progress: Progress = silent
) -> Scores:
    """Score a model on items in their order."""
    answers = model.answer([item.text for item in items], progress=progress)
    return score(answers, items, name=name, out_of_scope=out_of_scope)


def score(answers: Sequence[Answer], items: Sequence[Item], *, name: str, out_of_scope: str) -> Scores:
    """Compute the figures from answers given: accuracy, macro-F1, F1 by label, automatic share and its precision."""
    from upkeep.metrics import Accuracy, LabelF1, MacroF1

    predicted = treated(answers, items, out_of_scope=out_of_scope)
    wanted = [item.answer for item in items]
    right = tuple(output == answer for output, answer in zip(predicted, wanted, strict=True))
    metrics: dict[str, float] = {}
    if items:
        for metric in (Accuracy(), MacroF1()):
            metrics |= metric.compute(predictions=predicted, references=wanted)
        by_label = LabelF1().compute(predictions=predicted, references=wanted)
        metrics |= {f"f1/{label}": value for label, value in by_label.items()}
    automatic = [answer.automatic for answer in answers]
    precision = Rate.of(good for good, alone in zip(right, automatic, strict=True) if alone)
    metrics |= {f"automatic_{key}": rate.value for key, rate in _shares(automatic, precision) if rate.value is not None}
    return Scores(name, tuple(item.id for item in items), tuple(answers), right, metrics)


def treated(answers: Sequence[Answer], items: Sequence[Item], *, out_of_scope: str) -> list[str]:
    """What was done with each item: the answer, or a person where it is out of scope, which is then right."""
    return [
        out_of_scope if item.answer == out_of_scope and not answer.automatic else answer.output
        for item, answer in zip(items, answers, strict=True)
    ]


def _shares(automatic: Sequence[bool], precision: Rate) -> list[tuple[str, Rate]]:
    return [("share", Rate.of(automatic)), ("precision", precision)]
