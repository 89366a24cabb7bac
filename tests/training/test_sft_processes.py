"""Two processes train one model together, to what one alone comes to."""

from __future__ import annotations

import sys

import pytest

from tests.chatty import chat_base, client, lessons, recipe  # noqa: F401 -- a fixture
from tests.training.test_sft import adapter
from upkeep.errors import TrainingError
from upkeep.recipes import Start
from upkeep.training.processes import LAUNCH
from upkeep.training.sft import teach
from upkeep.training.sft_processes import launcher

TWO = f"{sys.executable} -m torch.distributed.run --standalone --nproc_per_node 2"
SHORT = recipe(epochs=2, max_minutes=10)
EVEN = lessons(train=158)
"""76 sequences, 19 steps of four: where the last step of a pass is short, accelerate fills it up with others."""


def test_two_processes_come_to_what_one_comes_to(chat_base, monkeypatch, tmp_path):  # noqa: F811
    import torch

    alone = teach(chat_base, EVEN, client=client(), recipe=SHORT, seed=0)
    monkeypatch.setenv(LAUNCH, TWO)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    seen: list[tuple[int, int]] = []
    told: list[tuple[str, int]] = []
    both = teach(
        chat_base, EVEN, client=client(), recipe=SHORT, seed=0, work=tmp_path,
        progress=lambda what, done, of: seen.append((done, of)) if what.startswith("fine") else None,
        measured=lambda values, step: told.extend((name, step) for name in values),
    )  # fmt: skip
    assert both.losses == pytest.approx(alone.losses, abs=2e-3)
    assert "trained in processes of its own" in both.notes
    left, right = adapter(alone), adapter(both)
    assert all(torch.allclose(left[name], right[name], atol=0.02) for name in left)
    steps = seen[-1][1]
    assert seen == [(done, steps) for done in range(1, steps + 1)]  # as many as one alone takes
    assert ("held_out_loss", 0) in told
    assert ("training/loss", steps) in told


def test_a_process_of_its_own_tells_how_it_began_and_leaves_a_model_that_only_got_worse(chat_base, monkeypatch):  # noqa: F811
    import torch

    never = teach(chat_base, lessons(), client=client(), recipe=recipe(epochs=0), seed=0)
    monkeypatch.setenv(LAUNCH, sys.executable)
    mad = recipe(epochs=1, learning_rate=1e30, start=Start.CHAMPION)
    made = teach(chat_base, lessons(), client=client(), recipe=mad, seed=0)
    begun, apart, ended = made.notes[-3:]
    assert (begun, apart) == ("starts from the base model: there is no champion yet", "trained in processes of its own")
    assert ended.startswith("stopped after ")  # none of its losses is a number
    assert not any(loss < made.losses[0] for loss in made.losses)
    left, right = adapter(never), adapter(made)
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_a_process_of_its_own_goes_on_from_the_champion(chat_base, monkeypatch, tmp_path):  # noqa: F811
    import torch

    first = teach(chat_base, lessons(), client=client(), recipe=recipe(epochs=1), seed=0)
    first.model.save(tmp_path / "release")
    monkeypatch.setenv(LAUNCH, sys.executable)
    begun = teach(
        chat_base, lessons(), client=client(), recipe=recipe(epochs=0, start=Start.CHAMPION), seed=1,
        champion=tmp_path / "release", work=tmp_path / "work",
    )  # fmt: skip
    assert "starts from the champion's adapter" in begun.notes
    left, right = adapter(first), adapter(begun)
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_processes_that_fail_are_told_with_what_they_said(chat_base, monkeypatch):  # noqa: F811
    monkeypatch.setenv(LAUNCH, f"{sys.executable} -c 'import sys; sys.exit(\"no such partition\")'")
    with pytest.raises(TrainingError, match=r"ended with exit code 1: no such partition"):
        teach(chat_base, lessons(), client=client(), recipe=SHORT, seed=0)


def test_without_a_command_and_a_gpu_it_trains_alone():
    assert launcher({}) is None
    assert launcher({LAUNCH: "srun torchrun --nnodes 2"}) == ["srun", "torchrun", "--nnodes", "2"]


@pytest.mark.parametrize(("gpus", "more"), [(1, []), (4, ["-m", "torch.distributed.run", "--standalone"])])
def test_each_gpu_gets_a_process(gpus, more, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    command = launcher({})
    assert command[: 1 + len(more)] == [sys.executable, *more]
    assert command[1 + len(more) :] == (["--nproc_per_node", "4"] if more else [])
