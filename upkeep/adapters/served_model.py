"""The model MLflow loads for `models:/<client>@champion`: adapter and head from its own artifacts, base by reference.

Logged as code, so the registry holds a megabyte and not the base; logging the transformers model itself reloads
without its head. Input: a column of texts; output: label, confidence, and whether it may be answered automatically.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
from pydantic import TypeAdapter

from upkeep.base_model import resolve_base
from upkeep.classifier import Classifier
from upkeep.config import BaseModelConfig


class ServedClassifier(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """A release behind MLflow's pyfunc interface."""

    def load_context(self, context: Any) -> None:
        """Load the release once, on the base model its config names."""
        wanted: BaseModelConfig = TypeAdapter(BaseModelConfig).validate_python(dict(context.model_config["base_model"]))
        self.classifier = Classifier.load(Path(context.artifacts["release"]), resolve_base(wanted))

    # without hints, because MLflow takes them for a schema and warns about each that it cannot check
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002
        """Answer each text."""
        answers = self.classifier.answer([str(text) for text in model_input])
        return [{"label": a.output, "confidence": a.confidence, "automatic": a.automatic} for a in answers]


mlflow.models.set_model(ServedClassifier())
