"""What MLflow does not have is told from an MLflow that is away, and nothing that is told holds a password."""

from __future__ import annotations

import fcntl
import logging
import re
import sqlite3
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from upkeep.adapters.addresses import shown, shown_address
from upkeep.adapters.live import watched
from upkeep.adapters.registry import Registry, metric_name, speaking
from upkeep.errors import NoChampionError, NotFoundError, StoreError

WITH_PASSWORD = "http://ada:s3cret@127.0.0.1:1"


@pytest.fixture(name="registry")
def local_registry(tmp_path) -> Registry:
    return Registry("acme", f"sqlite:///{tmp_path}/mlflow.db")


def drop(registry: Registry, table: str) -> None:
    """From now on MLflow fails where it asks for the table."""
    with sqlite3.connect(registry.uri.removeprefix("sqlite:///")) as database:
        database.execute(f"DROP TABLE {table}")


ODD = (
    "/billing",
    "Billing/",
    "A//B",
    ".",
    "..",
    "a\nb",
    "C++",
    "C#",
    "ware?",
    "ware!",
    "u\u0308ber",
    "x" * 300,
    "x" * 301,
)


def test_each_label_has_a_metric_of_its_own_that_mlflow_takes_and_an_ordinary_one_its_own_name(registry):
    ordinary = ["golden/f1/Retoure / Umtausch", "golden/f1/für_2", "recent/accuracy"]
    values = {f"golden/f1/{label}": number / 16 for number, label in enumerate(ODD)} | dict.fromkeys(ordinary, 1.0)
    with registry.run("comparison", {}) as run:
        run.metrics(values)
        found = run.client.get_run(run.run_id).data.metrics
    assert found == {metric_name(name): value for name, value in values.items()}
    assert len(found) == len(ODD) + len(ordinary)
    assert set(ordinary) < set(found)


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("http://ada:s3cret@host:5000/api", "http://host:5000/api"),
        ("https://token@host and http://a:b@c", "https://host and http://c"),
        ("http://ada:p@ss@host/x", "http://host/x"),
        ("postgresql+psycopg://ada:s3/cret@host/mlflow", "postgresql+psycopg://host/mlflow"),
        ("postgresql://ada:2024/s3cret@127.0.0.1:1/mlflow", "postgresql://127.0.0.1:1/mlflow"),
        ("http://ada:2024/s3cret@127.0.0.1:1", "http://127.0.0.1:1"),
        ("postgresql://host/mlflow?user=ada&password=s3cret fails", "postgresql://host/mlflow?... fails"),
        ("failed with url: /?token=s3cret/api (is it down?)", "failed with url: /?... (is it down?)"),
        ("postgresql://ada:my s3cret@host/mlflow", "postgresql://host/mlflow"),
        ("is http://ada:my s3cret@host:5000 up?", "is http://host:5000 up?"),
        (
            "MLflow at http://host:5000/api: no model of ada@corp",
            "MLflow at http://host:5000/api: no model of ada@corp",
        ),
        ("http://host:5000 is down, ask ada@corp", "http://host:5000 is down, ask ada@corp"),
        ("s3://bucket/x: no ada@corp", "s3://bucket/x: no ada@corp"),
        ("http://host:5000/home/ada@corp", "http://host:5000/home/ada@corp"),
        ("http://host/home/ada@corp", "http://host/home/ada@corp"),
        ("sqlite:////home/ada@corp/mlflow.db", "sqlite:////home/ada@corp/mlflow.db"),
        ("models:/acme@champion", "models:/acme@champion"),
    ],
)
def test_an_address_is_shown_without_user_and_password(text, without):
    assert shown(text) == without


@pytest.mark.parametrize("password", ["my s3cret", "my s3@cr et", "2024 s3cret", "s3cret", "2024/s3cret"])
def test_an_address_on_its_own_is_shown_without_a_password_of_any_kind(password):
    assert shown_address(f"http://ada:{password}@127.0.0.1:1") == "http://127.0.0.1:1"
    with (
        pytest.raises(StoreError, match=r"^MLflow at http://127.0.0.1:1: refused by http://127.0.0.1:1$"),
        speaking(f"http://ada:{password}@127.0.0.1:1"),
    ):
        raise OSError(f"refused by http://ada:{password}@127.0.0.1:1")


@pytest.mark.parametrize(
    "uri",
    [
        WITH_PASSWORD,
        "postgresql://ada:s3cret@127.0.0.1:1/mlflow",
        "postgresql://127.0.0.1:1/mlflow?user=ada&password=s3cret",
        "nonsense://ada:s3cret@h",
    ],
)
def test_a_server_that_cannot_be_used_is_told_without_its_password(uri):
    with pytest.raises(StoreError, match=re.escape(f"MLflow at {shown(uri)} cannot be used")) as caught:
        Registry("acme", uri).champion()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_the_warnings_of_mlflow_s_own_monitor_hold_no_password(registry, caplog):
    with registry.run("training", {}) as run, watched(run, registry.uri):
        logging.getLogger("mlflow.system_metrics.system_metrics_monitor").warning(f"no answer: {WITH_PASSWORD}/api")
    assert "no answer: http://127.0.0.1:1/api" in caplog.text
    assert "s3cret" not in caplog.text


def test_an_mlflow_without_the_client_or_the_alias_has_no_champion(registry):
    for _ in range(2):
        assert registry.version("champion") is None
        with pytest.raises(NoChampionError, match="onboard the client first"):
            registry.champion()
        if not registry.client.search_registered_models():
            registry.client.create_registered_model("acme")


def test_what_mlflow_does_not_have_is_told_with_where_it_was_looked_for(registry):
    for ask in (registry.promote, registry.tags, lambda version: registry.tag(version, {"a": "b"})):
        with pytest.raises(
            NotFoundError, match=rf"MLflow at {registry.uri}: .*acme.* not found; is MLFLOW_TRACKING_URI"
        ):
            ask("3")


def test_after_a_move_of_its_files_it_is_told_where_a_link_belongs_and_with_that_all_is_there(tmp_path, monkeypatch):
    before, now = tmp_path / "before it moved", tmp_path / "now"
    monkeypatch.setenv("UPKEEP_HOME", str(before))
    there = Registry("acme")
    with there.run("training", {}) as run:
        run.text("model/release.txt", "a model")
    there.client.create_registered_model("acme")
    source = f"{there.client.get_run(run.run_id).info.artifact_uri}/model"
    there.client.create_model_version("acme", source=source, run_id=run.run_id)
    before.rename(now)
    monkeypatch.setenv("UPKEEP_HOME", str(now))
    moved = Registry("acme")
    for ask in (moved.experiment, lambda: moved.fetch("1", tmp_path / "fetched")):
        with pytest.raises(StoreError, match=f"expects its files in {before}/mlartifacts, .*: ln -s {now} {before}$"):
            ask()
    before.symlink_to(now)
    moved.fetch("1", tmp_path / "fetched")
    assert list((tmp_path / "fetched").rglob("release.txt"))
    assert moved.experiment() == there.experiment()


def test_a_version_that_a_server_keeps_is_told_to_need_it_where_none_is_named(registry, tmp_path):
    registry.client.create_experiment("acme", artifact_location="mlflow-artifacts:/1")
    registry.client.create_registered_model("acme")
    with registry.run("training", {}) as run:
        wanted = "its files were written while an MLflow server ran, .*: start the servers .* MLFLOW_TRACKING_URI"
        with pytest.raises(StoreError, match=wanted):
            run.text("training-data.md", "cases")
    registry.client.create_model_version("acme", source="mlflow-artifacts:/1/model", run_id=run.run_id)
    for ask in (lambda: registry.fetch("1", tmp_path), lambda: registry.base_model("1")):
        with pytest.raises(StoreError, match=f"acme version 1 cannot be .*: {wanted}"):
            ask()


def test_a_bucket_of_mlflow_s_that_cannot_be_reached_is_a_store_error(registry, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    registry.client.create_registered_model("acme")
    registry.client.create_model_version("acme", source="s3://bucket/1/model")
    with pytest.raises(StoreError, match=r"acme version 1 cannot be read from .*: Unable to locate credentials"):
        registry.base_model("1")


def test_an_mlflow_that_fails_is_not_one_that_has_nothing(registry, tmp_path):
    registry.client.create_registered_model("acme")
    drop(registry, "registered_models")
    asks = (
        registry.champion,
        lambda: registry.version("champion"),
        lambda: registry.promote("1"),
        lambda: registry.fetch("1", tmp_path),
    )
    for ask in asks:
        with pytest.raises(StoreError, match="no such table: registered_models") as caught:
            ask()
        assert not isinstance(caught.value, NotFoundError)


def test_what_a_run_cannot_log_is_a_store_error_and_the_block_s_own_failure_comes_first(registry):
    def log() -> None:
        with registry.run("training", {}) as run:
            drop(registry, "metrics")
            run.metrics({"loss": 1.0})

    def fail() -> None:
        with registry.run("training", {}):
            drop(registry, "runs")
            raise KeyError

    with pytest.raises(StoreError, match="no such table: metrics"):
        log()
    with pytest.raises(KeyError):
        fail()


def test_while_one_process_lays_out_the_tables_of_mlflow_s_file_another_waits(registry, tmp_path):
    with ThreadPoolExecutor(1) as threads, (tmp_path / "mlflow.db.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        asked = threads.submit(registry.experiment)
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.5)
        fcntl.flock(other, fcntl.LOCK_UN)
        assert asked.result(timeout=120) == "1"
