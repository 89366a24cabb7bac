"""What share of the labels is right?"""

from __future__ import annotations

from upkeep.metrics.label_metric import LabelMetric


class Accuracy(LabelMetric):
    """Share of items whose predicted label is the right one."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        from sklearn.metrics import accuracy_score

        return {"accuracy": float(accuracy_score(references, predictions))}
