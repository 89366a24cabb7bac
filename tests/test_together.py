"""Two processes train one model together, to what one alone comes to."""

from __future__ import annotations

import sys

import pytest

from tests.chatty import chat_base, client, lessons, recipe  # noqa: F401 -- a fixture
from tests.test_sft import adapter
from upkeep.errors import TrainingError
from upkeep.sft import teach
from upkeep.together import LAUNCH, launcher

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
    assert "trained by processes of its own" in both.notes
    left, right = adapter(alone), adapter(both)
    assert all(torch.allclose(left[name], right[name], atol=0.02) for name in left)
    steps = seen[-1][1]
    assert seen == [(done, steps) for done in range(1, steps + 1)]  # as many as one alone takes
    assert ("held_out_loss", 0) in told
    assert ("training/loss", steps) in told


def test_processes_that_fail_are_told_with_what_they_said(chat_base, monkeypatch):  # noqa: F811
    monkeypatch.setenv(LAUNCH, f"{sys.executable} -c 'import sys; sys.exit(\"no such partition\")'")
    with pytest.raises(TrainingError, match=r"ended with exit code 1: no such partition"):
        teach(chat_base, lessons(), client=client(), recipe=SHORT, seed=0)


def test_without_a_command_and_with_one_processor_it_trains_alone():
    assert launcher({}) is None
    assert launcher({LAUNCH: "srun torchrun --nnodes 2"}) == ["srun", "torchrun", "--nnodes", "2"]
