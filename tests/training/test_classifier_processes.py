"""Two processes teach one classifier, to what one alone comes to."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from tests.training.test_finetuning import data, desk, same, train, weights  # noqa: F401 -- two are fixtures
from upkeep.errors import TrainingError
from upkeep.models.loading import Trained
from upkeep.training.gradient_sync import Share
from upkeep.training.processes import LAUNCH

TWO = f"{sys.executable} -m torch.distributed.run --standalone --nproc_per_node 2"
BATCH, A_PASS = 23, 4
"""70 texts: in the last step of a pass there is one, and nothing for the second process."""


class Both(NamedTuple):
    """What two processes came to, and the steps that were told, each with how many there are."""

    made: Trained
    steps: list[tuple[int, int]]


class KilledError(Exception):
    """Whoever waits for the processes is gone."""


def taught(desk, data, work, **changed):  # noqa: F811
    return train(
        desk, data, batches=5, batch_size=BATCH, epochs=2, learning_rate=0.002, max_minutes=10, precision="fp32",
        work=work, **changed,
    )  # fmt: skip


def together(desk, data, work, *, dies: int | None = None) -> Both:  # noqa: F811
    steps: list[tuple[int, int]] = []

    def progress(what: str, done: int, of: int) -> None:
        if what.startswith("fine"):
            steps.append((done, of))
            if done == dies:
                raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LAUNCH, TWO)
        patch.setenv("OMP_NUM_THREADS", "1")
        return Both(taught(desk, data, work, progress=progress), steps)


@pytest.fixture(scope="module")
def both(desk, data, tmp_path_factory) -> Both:  # noqa: F811
    return together(desk, data, tmp_path_factory.mktemp("two"))


def test_two_processes_come_to_what_one_comes_to(desk, data, both, tmp_path):  # noqa: F811
    import torch

    alone = taught(desk, data, tmp_path)
    assert "trained in processes of its own" in both.made.notes
    assert both.made.losses == pytest.approx(alone.losses, abs=1e-4)
    left, right = weights(alone), weights(both.made)
    assert all(torch.allclose(left[name], right[name], atol=1e-3) for name in left)
    assert not all(torch.equal(left[name], right[name]) for name in left)  # they did add up their gradients
    assert both.steps == [(done, 2 * A_PASS) for done in range(1, 2 * A_PASS + 1)]  # as many as one alone takes


def test_processes_that_were_killed_go_on_and_come_to_the_same(desk, data, both, tmp_path):  # noqa: F811
    with pytest.raises(KilledError):
        together(desk, data, tmp_path, dies=A_PASS + 2)
    after = together(desk, data, tmp_path)
    assert after.steps[0] == (A_PASS + 1, 2 * A_PASS)  # from the end of the first pass on
    assert same(both.made, after.made)


def test_each_process_leaves_out_values_of_its_own_the_same_again_after_a_kill():
    import torch

    def drawn(share: Share, step: int) -> float:
        share.stir(3, step)
        return torch.rand(1).item()

    one, other = Share(0, 2), Share(1, 2)
    assert drawn(other, 5) == drawn(other, 5)
    assert len({drawn(one, 5), drawn(other, 5), drawn(one, 6)}) == 3


def test_processes_that_fail_are_told_with_what_they_said(desk, data, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv(LAUNCH, f"{sys.executable} -c 'import sys; sys.exit(\"no such partition\")'")
    with pytest.raises(TrainingError, match="ended with exit code 1: no such partition"):
        taught(desk, data, tmp_path)
