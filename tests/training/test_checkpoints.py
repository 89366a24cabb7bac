"""Is what was put aside found again, whole or not at all, and by nobody else?"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.chatty import lessons, recipe
from upkeep.base_model import Base
from upkeep.cases.snapshot import Lesson
from upkeep.cases.split import Side
from upkeep.training import checkpoints
from upkeep.training.checkpoints import KEY, fingerprint, load_checkpoint, save_checkpoint

STATE = {"weights": {"a": torch.arange(60.0)}, "groups": [{"betas": (0.9, 0.999)}], "notes": ["halved"], "done": 7}


def test_what_was_put_aside_last_is_found(tmp_path):
    assert load_checkpoint(tmp_path / "work") is None
    save_checkpoint(tmp_path / "work", {**STATE, "done": 6})
    save_checkpoint(tmp_path / "work", STATE)
    found = load_checkpoint(tmp_path / "work")
    assert torch.equal(found["weights"].pop("a"), torch.arange(60.0))
    assert found == {**STATE, "weights": {}}
    assert [path.name for path in (tmp_path / "work").iterdir()] == [KEY]


def test_a_kill_while_it_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    save_checkpoint(tmp_path, {**STATE, "done": 6})
    monkeypatch.setattr("os.replace", dies)  # all is written by then, under another name
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, STATE)
    assert load_checkpoint(tmp_path)["done"] == 6


def test_what_is_damaged_anywhere_is_passed_over(tmp_path):
    save_checkpoint(tmp_path, STATE)
    path = tmp_path / KEY
    whole = path.read_bytes()
    for place in range(0, len(whole), 61):
        path.write_bytes(whole[:place])
        assert load_checkpoint(tmp_path) is None
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert load_checkpoint(tmp_path) is None
    path.write_bytes(whole)
    assert load_checkpoint(tmp_path) is not None


def changed(data, **case):
    """The same data, but for its first case."""
    first = data.lessons[0]
    return replace(data, lessons=(Lesson(first.use, replace(first.case, **case)), *data.lessons[1:]))


def test_the_same_run_has_the_same_name(tmp_path):
    base = Base(tmp_path, "0123", "a base")
    assert fingerprint(base, lessons(), recipe(), 0) == fingerprint(
        replace(base, folder=tmp_path / "moved"), lessons(), recipe(), 0
    )


@pytest.mark.parametrize(
    "other",
    [
        {"base": "4567"},
        {"settings": "another tokenizer or chat template"},
        {"data": changed(lessons(), text="another text")},
        {"data": changed(lessons(), answer="another answer")},
        {"data": changed(lessons(), requests=2)},
        {"data": replace(lessons(), lessons=(Lesson(Side.CALIBRATION, lessons().train[0]), *lessons().lessons[1:]))},
        {"data": replace(lessons(), labels=("one", "other"))},
        {"recipe": recipe(max_minutes=5.0)},
        {"seed": 1},
    ],
)
def test_a_run_that_depends_on_anything_else_has_another_name(tmp_path, other):
    base = Base(tmp_path, "0123", "a base")
    asked = {"base": base.digest, "settings": "", "data": lessons(), "recipe": recipe(), "seed": 0}

    def name(values) -> str:
        other_base = replace(base, digest=values["base"], settings_digest=values["settings"])
        return fingerprint(other_base, values["data"], values["recipe"], values["seed"])

    assert name(asked) != name({**asked, **other})


def test_another_version_of_a_library_begins_anew(tmp_path, monkeypatch):
    base = Base(tmp_path, "0123", "a base")
    before = fingerprint(base, lessons(), recipe(), 0)
    monkeypatch.setattr(checkpoints, "version", lambda name: "99.0" if name == "torch" else "5.0")
    assert fingerprint(base, lessons(), recipe(), 0) != before
