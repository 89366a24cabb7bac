"""A release of one client, or one that is no longer what was trained, goes into no other's service."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.released import DECIDED, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep import records
from upkeep.adapters.registry import Registry
from upkeep.errors import ReleaseError, StoreError
from upkeep.stages.approval import approve
from upkeep.stages.challengers import Challenger
from upkeep.stages.own_base import load_version
from upkeep.stages.release import fetch_trained, in_service, publish, release_log, release_of, roll_back

MANIFEST = "releases/models/1/release.json"


def said(desk, **changed: object) -> None:
    """Make the stored release of version 1 say something else."""
    told = json.loads(desk.store.read(MANIFEST)) | changed
    desk.store.write(MANIFEST, json.dumps(told).encode())


class OfAnotherClient(Registry):
    """An MLflow in which a version of the client's is another's."""

    def fetch(self, version: str, folder: Path) -> Path:
        fetched = super().fetch(version, folder)
        path = fetched / "release.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"client": "globex"}))
        return fetched


def test_a_release_says_whose_it_is_and_the_pointer_what_it_stands_on(desk):
    told = json.loads(desk.store.read(MANIFEST))
    assert told["client"] == "northwind"
    assert release_of(desk, release_log(desk)[0]).base_settings_digest == told["base_settings_digest"] != ""


def test_a_version_of_another_client_is_not_put_into_the_store(desk, tmp_path):
    for key in list(desk.store.keys("releases/models/2/")):
        desk.store.delete(key)
    other = replace(desk, registry=OfAnotherClient("northwind", desk.registry.uri))
    with pytest.raises(StoreError, match="has version 2 of another client, 'globex'"):
        publish(other, "2")
    assert not list(desk.store.keys("releases/models/2/"))
    with pytest.raises(ReleaseError, match="says client 'globex', expected 'northwind'"):
        load_version(other.registry, desk.client.base_model, "3", other.registry.fetch("3", tmp_path))


def test_another_client_s_folder_in_the_store_does_not_come_back(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    said(desk, client="globex")
    with pytest.raises(ReleaseError, match="says client 'globex', expected 'northwind'"):
        roll_back(desk, by="bob", reason="complaints", at=DECIDED)
    assert in_service(desk) == "2"


def test_one_whose_adapter_goes_on_the_base_otherwise_does_not_come_back(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    key = "releases/models/1/adapter/adapter_config.json"
    told = json.loads(desk.store.read(key))
    desk.store.write(key, json.dumps(told | {"lora_alpha": 64}).encode())
    with pytest.raises(ReleaseError, match="does not say what it said when it was written"):
        roll_back(desk, by="bob", reason="complaints", at=DECIDED)
    assert in_service(desk) == "2"


def copy_over(desk, version: str) -> str:
    """Version 3's folder lies where another version's was; what is told of it."""
    for key in list(desk.store.keys("releases/models/3/")):
        desk.store.write(key.replace("/3/", f"/{version}/"), desk.store.read(key))
    return f"releases/models/{version}: another version {version} than the client's, which was taught data"


def test_the_folder_of_another_version_that_was_copied_over_it_does_not_come_back(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    with pytest.raises(ReleaseError, match=copy_over(desk, "1")):
        roll_back(desk, by="bob", reason="complaints", at=DECIDED)
    assert in_service(desk) == "2"


def test_nor_does_it_go_into_service_in_the_place_of_the_one_that_won(desk):
    with pytest.raises(ReleaseError, match=copy_over(desk, "2")):
        approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert in_service(desk) == "1"


def test_what_was_damaged_after_a_run_that_was_killed_had_published_it_goes_into_no_service(desk):
    key = "releases/models/2/head.safetensors"
    desk.store.write(key, desk.store.read(key)[:-4] + b"\0\0\0\1")
    with pytest.raises(ReleaseError, match=r"releases/models/2: .*head\.safetensors does not say what it said"):
        approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert in_service(desk) == "1"


def test_one_from_before_releases_said_all_that_comes_back(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    trained = records.load(desk.store, "challengers/made-1.json", Challenger)
    records.save(desk.store, "challengers/made-1.json", replace(trained, content_digest=""))
    told = json.loads(desk.store.read(MANIFEST))
    new = ("client", "base_settings_digest", "file_digests", "content_digest")
    before = {key: told[key] for key in told if key not in new}
    desk.store.write(MANIFEST, json.dumps(before).encode())
    roll_back(desk, by="bob", reason="complaints", at=DECIDED)
    assert in_service(desk) == "1"


def test_a_version_with_the_weights_of_what_was_trained_but_other_terms_is_another_one(desk, tmp_path):
    key = "challengers/made-2.json"
    made = records.load(desk.store, key, Challenger)
    assert fetch_trained(desk, "2", tmp_path / "same")
    records.save(desk.store, key, replace(made, content_digest="0" * 64))
    with pytest.raises(StoreError, match=r"another version 2 than the client's, .* and the content 000"):
        fetch_trained(desk, "2", tmp_path / "other")
    records.save(desk.store, key, replace(made, content_digest=""))  # of before
    assert fetch_trained(desk, "2", tmp_path / "before")


def test_no_release_is_registered_for_another_client(desk, tmp_path):
    release = desk.registry.fetch("1", tmp_path)
    globex = Registry("globex", desk.registry.uri)
    with (
        globex.run("training", {}) as run,
        pytest.raises(ReleaseError, match="says client 'northwind', expected 'globex'"),
    ):
        globex.register(run, release, base_model={}, about="a test", tags={})
    assert globex.version("challenger") is None
