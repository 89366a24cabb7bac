"""A release is read back by a process that never trained it, which finds what was lost on the way to disk."""

from __future__ import annotations

import sys

import pytest

from tests.chatty import chat_base, client, later, lessons, recipe  # noqa: F401 -- a fixture
from tests.models.test_shared_base import TEXTS, base, release  # noqa: F401 -- a fixture
from upkeep.errors import ReleaseError
from upkeep.models.manifest import sealed
from upkeep.models.reload import Reader, answers_in_fresh_process, prepare, same_answers
from upkeep.training.sft import teach


def test_another_process_gives_the_answers_of_the_one_that_made_it(base, tmp_path):  # noqa: F811
    made = release(base, tmp_path / "release", seed=0)
    back = answers_in_fresh_process(tmp_path / "release", base, TEXTS)
    assert same_answers(made.answer(TEXTS), back)
    assert [one.automatic for one in back] == [one.automatic for one in made.answer(TEXTS)]


def test_so_does_a_model_that_writes(chat_base, tmp_path):  # noqa: F811
    made = teach(chat_base, lessons(), client=client(), recipe=recipe(epochs=2), seed=0)
    made.model.save(tmp_path / "release")
    asked = [text for text, _ in later()]
    assert same_answers(made.model.answer(asked), answers_in_fresh_process(tmp_path / "release", chat_base, asked))


def test_a_head_that_was_lost_on_the_way_to_disk_is_found(base, tmp_path):  # noqa: F811
    import torch
    from safetensors.torch import save_file

    made = release(base, tmp_path / "release", seed=0)
    head = torch.nn.Linear(made.encoder.width, 3)
    save_file(dict(head.state_dict()), tmp_path / "release" / "head.safetensors")
    weights = ("adapter/adapter_model.safetensors", "head.safetensors")
    sealed(made.manifest, tmp_path / "release", weights)  # nothing is damaged, it is another model
    assert not same_answers(made.answer(TEXTS), answers_in_fresh_process(tmp_path / "release", base, TEXTS))


def test_what_cannot_be_read_there_is_told_and_the_next_release_is_read(base, tmp_path):  # noqa: F811
    release(base, tmp_path / "release", seed=0)
    whole = (tmp_path / "release" / "head.safetensors").read_bytes()
    (tmp_path / "release" / "head.safetensors").write_bytes(whole[:-8] + bytes(8))
    with pytest.raises(ReleaseError, match=r"by another process: ReleaseError: .*head\.safetensors does not say"):
        answers_in_fresh_process(tmp_path / "release", base, TEXTS)
    (tmp_path / "release" / "head.safetensors").write_bytes(whole)
    assert len(answers_in_fresh_process(tmp_path / "release", base, TEXTS)) == len(TEXTS)


def test_a_process_that_was_killed_is_started_again(base, tmp_path):  # noqa: F811
    release(base, tmp_path / "release", seed=0)
    prepare().close()
    assert len(answers_in_fresh_process(tmp_path / "release", base, TEXTS)) == len(TEXTS)


def test_one_that_ends_without_an_answer_is_told_with_its_exit_code():
    reader = Reader([sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit(3)"])
    assert reader.ask({}) == {"error": "it ended with exit code 3"}
