"""Metric modules for the `evaluate` package that need no hub: construct them, do not `evaluate.load` them."""

from upkeep.metrics.accuracy import Accuracy
from upkeep.metrics.label_f1 import LabelF1
from upkeep.metrics.macro_f1 import MacroF1

__all__ = ["Accuracy", "LabelF1", "MacroF1"]
