"""A base model in four bits: taught, released, and read back the same by a process that never trained it."""

from __future__ import annotations

import pytest
import torch

from tests.chatty import BEFORE, chat_base, client, later, lessons, recipe  # noqa: F401 -- a fixture
from upkeep.errors import BaseModelError
from upkeep.models import generator
from upkeep.models.generator import load_causal
from upkeep.models.manifest import read_manifest
from upkeep.models.reload import answers_in_fresh_process, same_answers
from upkeep.training.sft import teach

LINEAR = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]


def test_it_learns_on_four_bits_and_answers_the_same_elsewhere(chat_base, tmp_path):  # noqa: F811
    made = teach(
        chat_base, lessons(), client=client(),
        recipe=recipe(precision="nf4", epochs=6, target_modules=[*LINEAR, "embed_tokens"]), seed=0,
    )  # fmt: skip
    from bitsandbytes.nn import Linear4bit

    packed = [module for module in made.model.model.modules() if isinstance(module, Linear4bit)]
    assert len(packed) == 2 * 7  # every linear layer of both blocks
    assert {module.weight.dtype for module in packed} == {torch.uint8}
    assert min(made.losses) < made.losses[0] / 5
    made.model.save(tmp_path / "release")
    assert read_manifest(tmp_path / "release").precision == "nf4"
    asked = [text for text, _ in later()]
    written = made.model.answer(asked)
    assert sum(one.output in BEFORE.values() for one in written) >= 30
    assert same_answers(written, answers_in_fresh_process(tmp_path / "release", chat_base, asked))


def test_without_the_library_it_says_what_to_install(chat_base, monkeypatch):  # noqa: F811
    monkeypatch.setattr(generator.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BaseModelError, match="found nf4, which needs bitsandbytes: the extra `gpu`"):
        load_causal(chat_base, "nf4")
