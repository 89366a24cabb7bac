"""The model MLflow loads for `models:/<client>@champion`: adapter and head from its own artifacts, base by reference.

Logged as code, so the registry holds a megabyte and not the base; logging the transformers model itself reloads
without its head. Input: a column of texts; output: label, confidence, and whether it may be answered automatically.
"""

from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
from pydantic import BaseModel, TypeAdapter

from upkeep.base_model import BaseModelConfig, resolve_base
from upkeep.models.classifier import Classifier


class ServedAnswer(BaseModel):
    """One answer, as MLflow's server sends it: a `models.manifest.Answer` whose `output` is called `label`."""

    label: str
    confidence: float
    automatic: bool


class ServedClassifier(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """A release behind MLflow's pyfunc interface."""

    def load_context(self, context: Any) -> None:
        """Load the release once, on the base model its config names."""
        wanted: BaseModelConfig = TypeAdapter(BaseModelConfig).validate_python(dict(context.model_config["base_model"]))
        self.classifier = Classifier.load(Path(context.artifacts["release"]), resolve_base(wanted))

    def predict(self, model_input: list[str]) -> list[ServedAnswer]:
        """Answer each text."""
        answers = self.classifier.answer(model_input)
        return [ServedAnswer(label=a.output, confidence=a.confidence, automatic=a.automatic) for a in answers]


mlflow.models.set_model(ServedClassifier())
