"""Where do Upkeep's state and its configs live?"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

from upkeep.errors import ConfigError

QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""Telemetry of every library off."""

POLITE = {
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}
"""No tokenizer threads that warn after a fork; idle OpenMP threads sleep: two trainings at once are 7 times faster.
OpenBLAS, which NumPy and SciPy stand on but torch on a PC does not, takes one thread: more of them wait for each other
longer than our matrices take, and start the head on 5,000 cases of 77 labels in 3.6 s instead of 0.2. MLflow keeps to
itself, and gives up on a server that is down after 4 s instead of 246."""


def prepare_process() -> None:
    """Switch every library's telemetry off and share the processor well; call before the heavy imports."""
    os.environ.update(QUIET)
    for name, value in POLITE.items():
        os.environ.setdefault(name, value)
    # bitsandbytes misses a package that would fetch code from a hub; PEFT's call, transformers' deprecation
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)


def configs() -> Path:
    """The folder of YAML configs: `UPKEEP_CONFIGS`, else `configs/` of the checkout that holds this package.

    Raises ConfigError when it has no tiers.yaml.
    """
    chosen = os.environ.get("UPKEEP_CONFIGS")
    folder = Path(chosen) if chosen else _checkout() / "configs"
    if not (folder / "tiers.yaml").is_file():
        wanted = "a folder with tiers.yaml, clients/ and training/; set UPKEEP_CONFIGS to it"
        raise ConfigError(f"{folder}: no tiers.yaml here, expected {wanted}")
    return folder.resolve()


def home() -> Path:
    """The state folder: `UPKEEP_HOME`, else `.upkeep/` of the checkout, whatever a run's working directory is."""
    chosen = os.environ.get("UPKEEP_HOME")
    return Path(chosen).expanduser().resolve() if chosen else _checkout() / ".upkeep"


def _checkout() -> Path:
    """The checkout this package is run from, or the working directory when it was installed as a wheel."""
    beside = Path(__file__).resolve().parents[1]
    return beside if (beside / "configs").is_dir() else Path.cwd()
