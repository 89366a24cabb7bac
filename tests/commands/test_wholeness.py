"""What `check` says of a store and an MLflow that were lost, or put back of two times."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.released import DECIDED, released_desk, released_template  # noqa: F401 -- fixtures
from tests.small_client import configure
from upkeep import records
from upkeep.__main__ import main
from upkeep.adapters.registry import Registry
from upkeep.home import home
from upkeep.stages.approval import approve
from upkeep.stages.challengers import Challenger
from upkeep.stages.release import CURRENT, apply_log, current_release


@pytest.fixture(name="notes")
def notes_of_check(capsys):
    """What `check` says after the clients' names, but for the channels, which have no URL here."""

    def told() -> list[str]:
        capsys.readouterr()
        assert main(["check"]) == 0
        lines = capsys.readouterr().out.splitlines()
        return [line.strip() for line in lines if " look at " in line and "look at channel" not in line]

    return told


def test_all_that_belongs_together_is_whole_and_the_version_in_service_is_named(desk, notes, capsys):
    assert notes() == []
    main(["check"])
    assert f"  northwind: tier 1, monitoring; version 1 in service; home {home()}\n" in capsys.readouterr().out


def test_a_lost_store_is_seen_by_the_model_that_mlflow_has_in_service(desk, notes):
    shutil.rmtree(desk.store.uri)
    assert notes() == [
        f"look at store: no model and no release log in {desk.store.uri}, but MLflow at {desk.registry.uri} has "
        "version 1 in service: is it the right place, was it put back?"
    ]


def test_a_lost_mlflow_is_told_and_none_is_made(desk, notes):
    database = home() / "mlflow.db"
    database.unlink()
    told = f"look at MLflow at {desk.registry.uri}: there is none, and the release log names version 1 as in service"
    assert notes() == [told]
    assert not database.exists()


def test_an_empty_mlflow_lacks_the_version_in_service(desk, notes):
    (home() / "mlflow.db").unlink()
    assert Registry("northwind").version("champion") is None  # whoever asks makes an empty one
    assert notes() == [
        f"look at the version in service: client northwind: MLflow at {desk.registry.uri} has no version 1 of "
        "'northwind', which the release log names as in service; is MLFLOW_TRACKING_URI set to the server that has it?"
    ]


def test_an_mlflow_of_before_lacks_the_newest_version_or_has_another_one_under_its_number(desk, notes):
    desk.registry.client.delete_model_version("northwind", "3")
    (note,) = notes()
    assert "has no version 3 of 'northwind', which challengers/made-3.json names; is" in note
    made = records.load(desk.store, "challengers/made-1.json", Challenger)
    records.save(desk.store, "challengers/made-1.json", replace(made, training_digest="data 7"))
    desk.store.delete("challengers/made-3.json")
    (note,) = notes()
    assert "another version 1 than the release log names as in service: taught data 0, expected data 7; is" in note


def test_a_store_and_an_mlflow_of_two_times_name_two_versions(desk, notes):
    desk.registry.promote("2")
    assert notes() == [
        f"look at MLflow at {desk.registry.uri}: version 2 is champion, by the release log it is 1; "
        "are the two of one time? the next review, retrain, approval or rollback brings it after the log"
    ]
    apply_log(desk)
    assert notes() == []


def test_files_of_a_model_that_are_gone_or_lie_where_the_home_was_are_told(desk, template, tmp_path, notes):
    keep_models_in(home(), instead_of=template / "home")
    assert notes() == []
    keep_models_in(tmp_path / "old", instead_of=home())
    (note,) = notes()
    assert note.endswith(f"which is gone; a link from the old place leads to UPKEEP_HOME as it is now: "
                         f"ln -s {home()} {tmp_path / 'old'}")  # fmt: skip
    keep_models_in(home(), instead_of=tmp_path / "old")
    for path in (home() / "mlartifacts").rglob("MLmodel"):
        path.unlink()
    (note,) = notes()
    assert note.startswith("look at the version in service: the base model of northwind version 1 cannot be read from")


def keep_models_in(now: Path, *, instead_of: Path) -> None:
    """Let MLflow look for the models' files in another home than before."""
    with sqlite3.connect(home() / "mlflow.db") as database:
        for column in ("source", "storage_location"):
            database.execute(
                f"UPDATE model_versions SET {column} = replace({column}, ?, ?)", (str(instead_of), str(now))
            )


@pytest.mark.parametrize("old", ["number", "folder", "missing"])
def test_a_pointer_that_is_behind_the_log_is_told_until_it_is_brought_after_it(desk, notes, old):
    before = desk.store.read(CURRENT)
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    whole, where = desk.store.read(CURRENT), f"{desk.store.uri}/releases"
    assert notes() == []
    if old == "number":
        desk.store.write(CURRENT, before)
        says = f"names change 1, version 1 in {where}/models/1"
    elif old == "folder":
        records.save(desk.store, CURRENT, replace(current_release(desk), folder="/old/releases/models/2"))
        says = "names change 2, version 2 in /old/releases/models/2"
    else:
        desk.store.delete(CURRENT)
        says = "is missing"
    assert notes() == [
        f"look at {where}/current.json: {says}, expected change 2, version 2 in {desk.store.uri}; "
        "the next review, retrain, approval or rollback brings it after the log"
    ]
    apply_log(desk)
    assert desk.store.read(CURRENT) == whole


def test_a_server_that_is_away_is_told_once_and_asked_no_more(desk, notes, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (note,) = notes()
    assert note.startswith(
        "look at MLflow, which cannot be asked what it has of the models in service: MLflow at http://127.0.0.1:9"
    )


def test_where_nobody_was_onboarded_there_is_nothing_to_look_at_and_no_mlflow_is_made(tmp_path, monkeypatch, notes):
    configure(tmp_path / "configs", monkeypatch)
    assert notes() == []
    assert not (Path(home()) / "mlflow.db").exists()
