"""A client's base model becomes another one, and its versions stay on the one that they were trained on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tests.released import DECIDED, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep import records
from upkeep.adapters.registry import Registry
from upkeep.base_model import resolve_base
from upkeep.commands.readiness import served_base_notes
from upkeep.desk import Desk, open_desk
from upkeep.errors import BaseModelError
from upkeep.home import configs
from upkeep.stages.approval import approve
from upkeep.stages.contract import book_retrain, book_use_case
from upkeep.stages.finetuning import load_model
from upkeep.stages.release import CURRENT, current_release, in_service, roll_back

COMMIT = "0123456789012345678901234567890123456789"


@pytest.fixture(name="weights")
def new_weights(tmp_path) -> str:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "model.safetensors").write_bytes(b"abc")
    return str(tmp_path / "new")


def stands_on(desk: Desk) -> str:
    base = resolve_base(desk.client.base_model)
    return f"{base.reference} with the SHA-256 {base.digest}"


def agree_on(base_model: dict[str, str], **changes) -> Desk:
    """The client from now on, with another base model."""
    path = configs() / "clients" / "northwind.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"base_model": base_model, **changes}))
    return open_desk("northwind")


class RegisteredElsewhere(Registry):
    """A registry whose versions stand on a base model that is gone."""

    def base_model(self, version: str) -> dict[str, object]:
        return {"path": "models/gone"}


def test_versions_on_the_base_model_of_before_answer_and_come_back_as_they_did(desk, weights):
    texts = [item.text for item in desk.golden()]
    before = load_model(desk, "1").answer(texts)
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    now = agree_on({"path": weights})
    assert load_model(now, "1").answer(texts) == before
    roll_back(now, by="bob", reason="complaints", at=DECIDED)
    assert in_service(now) == "1"


def test_a_release_that_is_not_in_the_store_yet_is_put_there_on_its_own_base_model(desk, weights):
    for key in list(desk.store.keys("releases/models/2/")):
        desk.store.delete(key)
    approve(agree_on({"path": weights}), "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert in_service(desk) == "2"


def test_without_the_base_model_of_the_version_in_service_nothing_is_booked_and_it_is_told(desk, weights):
    now, later = agree_on({"path": weights}, tier=3), DECIDED + timedelta(days=40)
    lost = replace(now, registry=RegisteredElsewhere(now.registry.name, now.registry.uri))
    told = (
        rf"client northwind: version 1 was trained on {stands_on(desk)}, got "
        r"folder:new with ba78.* and base model folder:gone: no folder .*, expected those weights where "
        r"\{'path': 'models/gone'\} names them; see docs/training.md#another-base-model"
    )
    with pytest.raises(BaseModelError, match=told):
        book_retrain(lost, later, "scheduled")
    with pytest.raises(BaseModelError, match=told):
        book_use_case(lost, "leasing", later, reason="new", by="ada")
    assert (now.claims(), now.use_cases()) == ({}, [])
    book_retrain(now, later, "scheduled")
    book_use_case(now, "leasing", later, reason="new", by="ada")
    assert len(now.claims()) == len(now.use_cases()) == 1


def test_check_says_that_the_version_in_service_stands_on_another_base_model(desk, weights):
    own = desk.client.base_model
    assert served_base_notes(desk) == []
    assert served_base_notes(agree_on({"path": "models/nowhere"})) == []  # that is told by itself
    for other, name in (
        ({"path": weights}, "folder:new"),
        ({"path": own.path, "sha256": "0" * 64}, "folder:small-encoder"),
        ({"hub": "org/model", "revision": COMMIT}, f"org/model@{COMMIT}"),
    ):
        (note,) = served_base_notes(agree_on(other))
        stands = f"version 1 in service stands on, {stands_on(desk)}"
        assert note.startswith(f"base_model: {name} is not what {stands}")


def test_the_same_weights_behind_another_tokenizer_are_another_base_model(desk, tmp_path):
    folder = Path(shutil.copytree(desk.client.base_model.path, tmp_path / "small-encoder"))
    told = json.loads((folder / "tokenizer.json").read_text()) | {"normalizer": None}
    (folder / "tokenizer.json").write_text(json.dumps(told))
    now = agree_on({"path": str(folder)}, tier=3)
    (note,) = served_base_notes(now)
    own, other = (resolve_base(one.client.base_model) for one in (desk, now))
    assert f"{own.digest} and, of its config, tokenizer and chat template, {own.settings_digest}; a retrain" in note
    lost = replace(now, registry=RegisteredElsewhere(now.registry.name, now.registry.uri))
    differs = rf"got folder:small-encoder with {own.digest}, whose .* is {other.settings_digest}, expected"
    with pytest.raises(BaseModelError, match=differs):
        book_retrain(lost, DECIDED + timedelta(days=40), "scheduled")
    book_retrain(now, DECIDED + timedelta(days=40), "scheduled")  # where it was registered it is still what it was
    before = replace(current_release(desk), base_settings_digest="")
    records.save(desk.store, CURRENT, before)
    assert served_base_notes(now) == []  # nobody noted it then
