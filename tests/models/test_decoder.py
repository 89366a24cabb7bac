"""A classifier on a decoder: a causal language model's last layer, pooled, with a head."""

from __future__ import annotations

import pytest

from tests.chatty import TOPICS, chat_base, client, requests  # noqa: F401 -- a fixture
from upkeep.cases.case import Case, Source
from upkeep.cases.snapshot import Lesson, Snapshot
from upkeep.cases.split import Proof, Side
from upkeep.config import load_client
from upkeep.errors import BaseModelError
from upkeep.home import configs
from upkeep.models.reload import answers_in_fresh_process, same_answers
from upkeep.recipes import HeadRecipe, load_recipe
from upkeep.training.finetuning import finetune

LABELS = tuple(sorted(TOPICS))


def recipe(**changed) -> HeadRecipe:
    """The default recipe, for a model of two layers whose weights nobody trained."""
    given = load_recipe(configs(), load_client(configs(), "northwind").training)
    values = {"target_modules": ("q_proj", "v_proj"), "trained_layers": 1, "epochs": 20, "batch_size": 16, **changed}
    return given.model_copy(update=values)


def snapshot(train: int = 160, held: int = 40) -> Snapshot:
    cases = [Case(f"c{at}", text, topic, Source.LAUNCH) for at, (text, topic) in enumerate(requests()[: train + held])]
    taught = [Lesson(Side.TRAIN if at < train else Side.CALIBRATION, case) for at, case in enumerate(cases)]
    return Snapshot(tuple(taught), LABELS, {}, 0, {}, (), Proof(train, 0, 0.0, None, None))


@pytest.mark.parametrize("pad", [True, False])
def test_a_decoder_is_taught_to_classify_and_reads_back_the_same(chat_base, tmp_path, pad):  # noqa: F811
    base = chat_base if pad else without_padding(chat_base, tmp_path / "base")
    agreed = load_client(configs(), "northwind").model_copy(update={"labels": LABELS})
    made = finetune(base, snapshot(), client=agreed, recipe=recipe(), seed=0)
    begun = finetune(base, snapshot(), client=agreed, recipe=recipe(epochs=0), seed=0)
    assert min(made.losses) < made.losses[0] == begun.losses[0]
    assert right(made.model) > right(begun.model) > 100  # of 200; by chance it is 50
    made.model.save(tmp_path / "release")
    texts = [text for text, _ in requests()[-20:]]
    assert same_answers(made.model.answer(texts), answers_in_fresh_process(tmp_path / "release", base, texts))


def right(model) -> int:
    asked = requests()[-200:]
    answers = model.answer([text for text, _ in asked])
    return sum(one.output == topic for one, (_, topic) in zip(answers, asked, strict=True))


def test_modules_that_are_not_there_are_told_with_those_that_are(chat_base):  # noqa: F811
    agreed = load_client(configs(), "northwind").model_copy(update={"labels": LABELS})
    with pytest.raises(BaseModelError, match=r"found \['query'\], the base model's layers have .*'self_attn.q_proj"):
        finetune(chat_base, snapshot(), client=agreed, recipe=recipe(target_modules=("query",)), seed=0)


def without_padding(base, folder):
    """Many decoders' tokenizers have no padding token."""
    import shutil

    from transformers import AutoTokenizer

    from upkeep.base_model import LocalModel, resolve_base

    shutil.copytree(base.folder, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    return resolve_base(LocalModel(path=str(folder)))
