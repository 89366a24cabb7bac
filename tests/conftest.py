"""What every test stands on: a state folder of its own, and no network."""

from __future__ import annotations

import os

from upkeep.home import prepare_process

prepare_process()  # before Prefect or torch are imported
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the processor, wherever they run: figures are the same for a seed
os.environ.pop("MLFLOW_TRACKING_URI", None)

import shutil  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from upkeep.adapters.registry import Registry  # noqa: E402

SQLITE = "sqlite:///"

settings.register_profile("any machine", deadline=None)  # how fast it is is not what a property says
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def empty_mlflow(tmp_path_factory):
    """Where a registry would have MLflow make its database, it finds one that MLflow has made before.

    Its migrations take 1.7 s, and a hundred tests would wait for them. What the commands do is done without this.
    """
    made = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    first_use = Registry.client.fget
    assert Registry("nobody", f"{SQLITE}{made}").client

    def client(self):
        file = Path(self.uri.removeprefix(SQLITE))
        if self._client is None and self.uri.startswith(SQLITE) and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, file)
        return first_use(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Registry, "client", property(client))
        yield


@pytest.fixture(autouse=True)
def state_folder(tmp_path, monkeypatch):
    """Every test has its own UPKEEP_HOME; what it leaves there goes with it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("UPKEEP_HOME", str(folder))
    monkeypatch.delenv("UPKEEP_CONFIGS", raising=False)
    return folder
