"""The model MLflow loads for `models:/<client>@champion` where it writes its answers; see served_model.py.

Input: a column of requests, texts or lists of chat messages; output: answer, confidence, and whether it may be given
automatically.
"""

from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
from pydantic import BaseModel, TypeAdapter

from upkeep.base_model import BaseModelConfig, resolve_base
from upkeep.conversations import request_of
from upkeep.models.generator import Generator


class ServedText(BaseModel):
    """One answer, as MLflow's server sends it: a `models.manifest.Answer` whose `output` is called `answer`."""

    answer: str
    confidence: float
    automatic: bool


class ServedGenerator(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """A release behind MLflow's pyfunc interface."""

    def load_context(self, context: Any) -> None:
        """Load the release once, on the base model its config names."""
        wanted: BaseModelConfig = TypeAdapter(BaseModelConfig).validate_python(dict(context.model_config["base_model"]))
        self.generator = Generator.load(Path(context.artifacts["release"]), resolve_base(wanted))

    def predict(self, model_input: list[str | list[dict[str, str]]]) -> list[ServedText]:
        """Answer each request. Raises ValueError for one that is neither a text nor a conversation."""
        answers = self.generator.answer([request_of(one) for one in model_input])
        return [ServedText(answer=a.output, confidence=a.confidence, automatic=a.automatic) for a in answers]


mlflow.models.set_model(ServedGenerator())
