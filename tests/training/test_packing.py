"""Are lessons packed only where the base model lets none of them see another?"""

from __future__ import annotations

import pytest

from tests.chatty import build, chat_base, later, recipe  # noqa: F401 -- a fixture
from upkeep.base_model import Base, LocalModel, resolve_base
from upkeep.models.chat import Chat, Pack, pack, unpacked
from upkeep.models.generator import load_tokenizer
from upkeep.training.packing import NOT_PACKED
from upkeep.training.sft_processes import SftWork, Started, begin
from upkeep.training.trainer import Lessons


@pytest.fixture
def alibi(tmp_path) -> Base:
    """A chat model whose attention asks for no positions."""
    import torch
    from transformers import BloomConfig, BloomForCausalLM

    folder = build(tmp_path / "bloom")
    words = len(load_tokenizer(resolve_base(LocalModel(path=str(folder)))))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BloomConfig(vocab_size=words, hidden_size=32, n_layer=1, n_head=4, initializer_range=0.2)
        BloomForCausalLM(config).save_pretrained(folder)
    return resolve_base(LocalModel(path=str(folder)))


def begun(base: Base, lessons: list[Pack], *modules: str) -> Started:
    learner = recipe(target_modules=list(modules))
    return begin(SftWork(base, "fp32", learner, Lessons(lessons, lessons[:1]), seed=0, champion=None))


def test_lessons_that_would_see_each_other_are_not_packed_and_the_record_says_so(chat_base, alibi):  # noqa: F811
    chat = Chat(load_tokenizer(chat_base), max_tokens=32, max_new_tokens=24)
    lessons = [chat.lesson(request, answer) for request, answer in later(count=6)]
    packs = pack(lessons, capacity=100)
    assert len(packs) < 6
    apart = begun(chat_base, packs, "q_proj")
    assert (list(apart.lessons.train), apart.notes) == (packs, [])
    seen = begun(alibi, packs, "query_key_value")
    assert seen.notes == [NOT_PACKED]
    alone = [one.prompt + one.answer for one in lessons]
    assert sorted(one.tokens for one in seen.lessons.train) == sorted(alone)
    assert list(seen.lessons.held) == unpacked(packs[0])
    assert begun(alibi, list(seen.lessons.train), "query_key_value").notes == []  # none was
