"""A training can be watched in MLflow while it goes on, and MLflow may be away meanwhile."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from upkeep.adapters.live import EVERY, PAUSE, Live, watched
from upkeep.adapters.registry import Registry, Run
from upkeep.errors import StoreError

TAGS = {"upkeep.period": "2026-03"}


@pytest.fixture(name="registry")
def local_registry(tmp_path, monkeypatch) -> Registry:
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path))
    return Registry("acme", f"sqlite:///{tmp_path}/mlflow.db")


def points(registry: Registry, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in registry.client.get_metric_history(run_id, name)]


def test_what_is_measured_is_there_before_the_training_ends(registry):
    hand = [0.0]
    with registry.run("training", TAGS) as run:
        told = Live(run, clock=lambda: hand[0])
        told({"training/loss": 3.0}, 1)
        assert points(registry, run.run_id, "training/loss") == []  # no call for every step
        hand[0] = EVERY
        told({"training/loss": 2.0, "training/learning_rate": 0.1}, 2)
        assert points(registry, run.run_id, "training/loss") == [(1, 3.0), (2, 2.0)]
        assert registry.client.get_run(run.run_id).info.status == "RUNNING"


def test_what_mlflow_did_not_take_is_given_again(registry, monkeypatch):
    hand = [0.0]
    with registry.run("training", TAGS) as run:
        told = Live(run, clock=lambda: hand[0])
        with monkeypatch.context() as away:
            away.setattr(run, "history", lambda _: (_ for _ in ()).throw(StoreError("no answer")))
            hand[0] = EVERY
            told({"training/loss": 3.0}, 1)  # training goes on
            hand[0] += PAUSE - 1
            told({"training/loss": 2.0}, 2)
            with pytest.raises(StoreError):
                told.flush()
        told.flush()
        assert points(registry, run.run_id, "training/loss") == [(1, 3.0), (2, 2.0)]


def test_what_the_machine_does_is_beside_it(registry, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with registry.run("training", TAGS) as run:
        with watched(run, registry.uri) as measured:
            measured({"training/loss": 1.0}, 1)
            time.sleep(1.0)
        found = registry.client.get_run(run.run_id).data.metrics
    assert found["training/loss"] == 1.0
    assert 0 < found["system/system_memory_usage_percentage"] < 100
    assert "system/cpu_utilization_percentage" in found


def test_a_run_that_did_not_end_is_taken_up_again_and_one_that_did_is_not(registry):
    def dies() -> Run:
        with suppress(KeyboardInterrupt), registry.run("training", TAGS, key="abc") as run:
            run.metrics({"training/loss": 3.0})
            raise KeyboardInterrupt
        return run

    killed = dies()
    with registry.run("training", TAGS, key="other") as other:
        assert other.run_id != killed.run_id
    with registry.run("training", TAGS, key="abc") as again:
        assert again.run_id == killed.run_id
        assert registry.client.get_run(again.run_id).info.status == "RUNNING"
        again.metrics({"training/loss": 2.0})
    assert points(registry, again.run_id, "training/loss") == [(0, 3.0), (0, 2.0)]
    assert registry.client.get_run(again.run_id).info.status == "FINISHED"
    with registry.run("training", TAGS, key="abc") as new:
        assert new.run_id != again.run_id
