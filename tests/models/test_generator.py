"""A model that writes: what it learned from packs, how sure it is, and that it comes back the same."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import pytest

from tests.chatty import BEFORE, chat_base, client, later, lessons, recipe  # noqa: F401 -- a fixture
from upkeep.errors import BaseModelError, ReleaseError
from upkeep.models.chat import NOT_LEARNED, Chat, pack
from upkeep.models.generator import Generator, load_causal, load_tokenizer
from upkeep.models.loading import load_release
from upkeep.models.manifest import Manifest
from upkeep.training.sft import teach
from upkeep.training.trainer import collate


@pytest.fixture(scope="module")
def taught(chat_base):  # noqa: F811
    return teach(chat_base, lessons(), client=client(), recipe=recipe(), seed=0)


def untaught(base):
    model, tokenizer = load_causal(base, "fp32")
    return model, Chat(tokenizer, max_tokens=32, max_new_tokens=24)


def test_it_writes_what_it_was_taught_to_requests_it_never_saw(taught):
    asked = later()
    answers = taught.model.answer([request for request, _ in asked])
    right = [one.output == answer for one, (_, answer) in zip(answers, asked, strict=True)]
    assert sum(right) >= 38  # of 40
    assert all(0 < one.confidence < 1 for one in answers)
    assert sum(one.automatic for one in answers) >= 30


def test_a_base_model_s_penalties_are_not_in_force(chat_base, tmp_path):  # noqa: F811
    shutil.copytree(chat_base.folder, tmp_path / "base")
    said = {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "do_sample": True, "eos_token_id": 3}
    (tmp_path / "base" / "generation_config.json").write_text(json.dumps(said))
    model, _ = load_causal(replace(chat_base, folder=tmp_path / "base"), "fp32")
    used = model.generation_config
    assert (used.repetition_penalty, used.no_repeat_ngram_size, used.eos_token_id) == (None, None, 3)


def test_lessons_in_one_sequence_teach_what_each_would_alone(chat_base):  # noqa: F811
    """The loss over a pack is that over its lessons one by one: none attends to another."""
    import torch

    model, chat = untaught(chat_base)
    some = [chat.lesson(request, answer) for request, answer in later(count=3)]
    (together,) = pack(some, capacity=200)
    with torch.no_grad():
        packed = model(**collate([together]))
        alone = [model(**collate(pack([one], capacity=200))) for one in some]
    weights = [len(one.answer) for one in some]
    expected = sum(one.loss.item() * n for one, n in zip(alone, weights, strict=True)) / sum(weights)
    assert packed.loss.item() == pytest.approx(expected, abs=1e-5)


def test_what_fills_up_a_shorter_pack_changes_nothing(chat_base):  # noqa: F811
    import torch

    model, chat = untaught(chat_base)
    short, *others = (chat.lesson(request, answer) for request, answer in later(count=4))
    packs = [*pack([short], capacity=200), *pack(others, capacity=200)]
    batch = collate(packs)
    assert (batch["labels"] != NOT_LEARNED).sum() == sum(len(one.answer) for one in (short, *others))
    with torch.no_grad():
        alone = model(**collate(packs[:1])).logits[0]
        padded = model(**batch).logits[0, : short.size]
    assert torch.allclose(alone, padded, atol=1e-4)


def test_an_answer_is_as_sure_as_its_tokens_are_likely(taught):
    import torch

    generator = taught.model
    request = later()[0][0]
    one = generator.answer([request])[0]
    prompt = generator.chat.prompt(request).tokens
    answer = generator.chat.lesson(request, one.output).answer
    with torch.no_grad():
        logits = generator.model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
    chances = logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None])
    assert one.confidence == pytest.approx(math.exp(chances.mean().item()), abs=1e-5)


def test_who_else_is_asked_at_the_time_changes_no_answer(taught):
    asked = [request for request, _ in later(count=9)]
    alone = [taught.model.answer([request])[0] for request in asked]
    together = taught.model.answer(asked)
    assert [one.output for one in together] == [one.output for one in alone]
    assert [one.confidence for one in together] == pytest.approx([one.confidence for one in alone], abs=1e-5)


def test_an_answer_that_does_not_end_is_cut_and_nothing_else(taught):
    short = Generator(taught.model.model, taught.model.chat, replace(taught.model.manifest, max_new_tokens=2))
    request, answer = later()[0]
    written = short.answer([request])[0].output
    assert answer.startswith(written)
    assert 0 < len(written) < len(answer)


class Says:
    """A model that writes the same tokens to everybody, and is sure of each."""

    device = "cpu"

    def __init__(self, tokens: list[int], words: int) -> None:
        self.tokens, self.words = tokens, words

    def eval(self) -> None: ...

    def generate(self, *, input_ids, logits_processor, **_):
        import torch

        for token in self.tokens:
            scores = torch.full((len(input_ids), self.words), -100.0).index_fill_(1, torch.tensor([token]), 100.0)
            logits_processor(input_ids, scores)
        return torch.cat([input_ids, torch.tensor([self.tokens] * len(input_ids))], dim=1)


@pytest.mark.parametrize(("answer", "goes_out"), [("Call [phone] now.", False), ("Call us now [today].", True)])
def test_an_answer_in_which_something_stands_for_personal_data_never_goes_out_by_itself(chat_base, answer, goes_out):  # noqa: F811
    chat = Chat(load_tokenizer(chat_base), max_tokens=32, max_new_tokens=24)
    manifest = Manifest(
        labels=(), out_of_scope_label="oos", threshold=0.5, base="x", base_digest="x", max_tokens=32, precision="fp32",
        training_digest="x", max_new_tokens=24,
    )  # fmt: skip
    says = Says(chat.lesson("", answer).answer, len(chat.tokenizer))
    (one,) = Generator(says, chat, manifest).answer(["refund?"])
    assert (one.output, one.confidence, one.automatic) == (answer, pytest.approx(1), goes_out)


def test_no_requests_get_no_answers(taught):
    assert taught.model.answer([]) == []


def test_a_release_comes_back_the_same_and_holds_the_adapter_only(taught, chat_base, tmp_path):  # noqa: F811
    saved = taught.model.save(tmp_path / "release")
    back = load_release(tmp_path / "release", chat_base)
    asked = [request for request, _ in later()]
    assert back.manifest == saved
    assert isinstance(back, Generator)
    assert back.answer(asked) == taught.model.answer(asked)
    files = {path.name for path in (tmp_path / "release").rglob("*") if path.is_file()}
    assert files == {"release.json", "adapter_config.json", "adapter_model.safetensors"}
    text = (tmp_path / "release" / "adapter" / "adapter_config.json").read_text()
    assert str(chat_base.folder) not in text


def test_a_damaged_adapter_and_another_base_are_refused(taught, chat_base, tmp_path):  # noqa: F811
    taught.model.save(tmp_path / "release")
    with pytest.raises(ReleaseError, match="base digest is another, expected"):
        load_release(tmp_path / "release", replace(chat_base, digest="another"))
    manifest = json.loads((tmp_path / "release" / "release.json").read_text())
    (tmp_path / "release" / "release.json").write_text(json.dumps({**manifest, "weights_digest": "0" * 64}))
    with pytest.raises(ReleaseError, match=r"release\.json does not say what it said"):
        load_release(tmp_path / "release", chat_base)


def test_a_base_model_that_was_not_made_to_chat_is_refused(chat_base, tmp_path):  # noqa: F811
    import shutil

    folder = shutil.copytree(chat_base.folder, tmp_path / "plain")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(BaseModelError, match="its tokenizer has no chat template, expected a chat model"):
        load_causal(replace(chat_base, folder=folder), "fp32")


def test_every_answer_that_was_taught_can_be_told_apart():
    assert len(set(BEFORE.values())) == 4
