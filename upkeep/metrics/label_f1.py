"""How well is each single label recognised?"""

from __future__ import annotations

from upkeep.metrics.label_metric import LabelMetric


class LabelF1(LabelMetric):
    """F1 of every label that occurs among the right answers, by label."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        from sklearn.metrics import f1_score

        labels = sorted(set(references))
        scores = f1_score(references, predictions, labels=labels, average=None, zero_division=0.0)
        return {label: float(score) for label, score in zip(labels, scores, strict=True)}
