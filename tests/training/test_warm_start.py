"""A retrain that goes on from the champion's adapter, and what it does where it cannot."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from tests.chatty import SINCE, chat_base, client, later, lessons  # noqa: F401 -- a fixture
from tests.chatty import recipe as writing
from tests.training.test_finetuning import data, desk, train, weights  # noqa: F401 -- fixtures
from tests.training.test_sft import adapter
from upkeep.base_model import resolve_base
from upkeep.desk import open_desk
from upkeep.errors import ReleaseError
from upkeep.models.manifest import read_manifest, sealed
from upkeep.recipes import Start
from upkeep.training.sft import teach

WARM = {"start": Start.CHAMPION}
NOTE = "starts from the champion's adapter"


def alike(left: dict[str, object], right: dict[str, object]) -> bool:
    import torch

    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def lora(trained) -> dict[str, object]:
    return {name: value for name, value in weights(trained).items() if "lora" in name}


@pytest.fixture(scope="module", name="champion")
def champion_release(desk, data, tmp_path_factory):  # noqa: F811
    made = train(desk, data, batches=24, epochs=2, learning_rate=0.002)
    folder = tmp_path_factory.mktemp("champion") / "release"
    made.model.save(folder)
    return made, folder


def test_it_begins_where_the_champion_ended(desk, data, champion):  # noqa: F811
    before, folder = champion
    begun = train(desk, data, batches=12, epochs=0, champion=folder, **WARM)
    assert begun.notes == (NOTE,)
    assert alike(lora(begun), lora(before))
    cold = train(desk, data, batches=12, epochs=0)
    assert cold.notes == ()
    assert not alike(lora(cold), lora(before))
    # the head starts from what the adapted encoder sees, and fits the held-out cases better with it
    assert begun.losses[0] < cold.losses[0]


def test_it_learns_on_and_leaves_the_champion_as_it_is(desk, data, champion):  # noqa: F811
    before, folder = champion
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    gently = {"learning_rate": 0.0005, "head_learning_rate": 0.001}
    on = train(desk, data, batches=24, epochs=2, champion=folder, seed=5, **gently, **WARM)
    assert min(on.losses) < on.losses[0]
    assert not alike(lora(on), lora(before))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept


def test_after_a_kill_it_goes_on_from_the_same_champion_only(desk, data, champion, tmp_path):  # noqa: F811
    _, folder = champion
    steps: list[int] = []

    def dies(what: str, done: int, _: int) -> None:
        if what.startswith("fine-tuning") and done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(desk, data, batches=12, champion=folder, work=tmp_path, progress=dies, **WARM)
    other = tmp_path / "other"
    train(desk, data, batches=6, seed=9).model.save(other)
    for release, first in ((other, 1), (folder, 5)):
        steps.clear()
        train(
            desk, data, batches=12, champion=release, work=tmp_path, **WARM,
            progress=lambda what, done, _: steps.append(done) if what.startswith("fine-tuning") else None,
        )  # fmt: skip
        assert steps[0] == first


def test_it_goes_on_from_an_adapter_whose_modules_peft_has_put_shortly(data, tmp_path):  # noqa: F811
    whole = open_desk("northwind")  # all six layers: fewer than twenty names are not put shortly
    everywhere = {"target_modules": ("query", "key", "value", "dense"), "trained_layers": None}
    before = train(whole, data, batches=3, **everywhere)
    before.model.save(tmp_path / "release")
    named = json.loads((tmp_path / "release" / "adapter" / "adapter_config.json").read_text())["target_modules"]
    assert len(named) < 36  # six in each of six layers
    begun = train(whole, data, batches=3, epochs=0, champion=tmp_path / "release", **everywhere, **WARM)
    assert begun.notes == (NOTE,)
    assert alike(lora(begun), lora(before))


def test_of_another_shape_it_starts_from_the_base_and_says_so(desk, data, champion):  # noqa: F811
    _, folder = champion
    begun = train(desk, data, batches=12, epochs=0, champion=folder, lora_rank=4, trained_layers=2, **WARM)
    (note,) = begun.notes
    assert note.startswith(
        "starts from the base model: the champion's adapter has r 8, target_modules ['encoder.layer.1."
    )
    assert alike(lora(begun), lora(train(desk, data, batches=12, epochs=0, lora_rank=4, trained_layers=2)))


def test_without_a_champion_or_on_another_base_it_says_so(desk, data, champion, tmp_path):  # noqa: F811
    _, folder = champion
    assert train(desk, data, batches=3, epochs=0, **WARM).notes == (
        "starts from the base model: there is no champion yet",
    )
    moved = tmp_path / "release"
    manifest = replace(read_manifest(folder), base="another@1", base_digest="0" * 64)
    (moved / "adapter").mkdir(parents=True)
    for path in folder.rglob("*.*"):
        (moved / path.relative_to(folder)).write_bytes(path.read_bytes())
    sealed(manifest, moved, ("adapter/adapter_model.safetensors", "head.safetensors"))
    assert resolve_base(desk.client.base_model).digest != manifest.base_digest
    assert train(desk, data, batches=3, epochs=0, champion=moved, **WARM).notes == (
        "starts from the base model: the champion stands on another one, another@1",
    )


def test_from_a_champion_of_which_a_byte_was_changed_nothing_goes_on(desk, data, champion, tmp_path):  # noqa: F811
    damaged = shutil.copytree(champion[1], tmp_path / "release")
    adapter_file = damaged / "adapter" / "adapter_model.safetensors"
    adapter_file.write_bytes(adapter_file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(ReleaseError, match=r"adapter_model\.safetensors does not say what it said"):
        train(desk, data, batches=3, epochs=0, champion=damaged, **WARM)


def test_a_model_that_writes_goes_on_too(chat_base, tmp_path):  # noqa: F811
    first = teach(chat_base, lessons(), client=client(), recipe=writing(), seed=0)
    first.model.save(tmp_path / "release")
    begun = teach(
        chat_base, lessons(SINCE), client=client(), recipe=writing(epochs=0, start="champion"), seed=1,
        champion=tmp_path / "release",
    )  # fmt: skip
    assert NOTE in begun.notes
    assert alike(adapter(begun), adapter(first))
    on = teach(
        chat_base, lessons(SINCE), client=client(), recipe=writing(epochs=2, start="champion"), seed=1,
        champion=tmp_path / "release",
    )  # fmt: skip
    written = [one.output for one in on.model.answer([text for text, _ in later()])]
    expected = [answer for _, answer in later(SINCE)]
    assert sum(one == other for one, other in zip(written, expected, strict=True)) >= 36
