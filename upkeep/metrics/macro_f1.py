"""How well is the average label recognised, however rare it is?"""

from __future__ import annotations

from upkeep.metrics.label_metric import LabelMetric


class MacroF1(LabelMetric):
    """Unweighted mean of the F1 of every label that occurs among the right answers."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        from sklearn.metrics import f1_score

        labels = sorted(set(references))
        return {"macro_f1": float(f1_score(references, predictions, labels=labels, average="macro", zero_division=0.0))}
