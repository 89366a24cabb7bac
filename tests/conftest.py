"""What every test stands on: a state folder of its own, and no network."""

from __future__ import annotations

import os

from upkeep.home import prepare_process

prepare_process()  # before Prefect or torch are imported
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the processor, wherever they run: figures are the same for a seed
os.environ.pop("MLFLOW_TRACKING_URI", None)

import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def state_folder(tmp_path, monkeypatch):
    """Every test has its own UPKEEP_HOME; what it leaves there goes with it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("UPKEEP_HOME", str(folder))
    monkeypatch.delenv("UPKEEP_CONFIGS", raising=False)
    return folder
