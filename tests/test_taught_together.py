"""Two processes teach one classifier, to what one alone comes to."""

from __future__ import annotations

import sys

import pytest

from tests.test_finetuning import data, desk, same, train, weights  # noqa: F401 -- two are fixtures
from upkeep.errors import TrainingError
from upkeep.processes import LAUNCH

TWO = f"{sys.executable} -m torch.distributed.run --standalone --nproc_per_node 2"
BATCH, A_PASS = 23, 4
"""70 texts: in the last step of a pass there is one, and nothing for the second process."""


class KilledError(Exception):
    """Whoever waits for the processes is gone."""


def taught(desk, data, work, **changed):  # noqa: F811
    return train(desk, data, batches=5, batch_size=BATCH, epochs=2, max_minutes=10, work=work, **changed)


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setenv(LAUNCH, TWO)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_two_processes_come_to_what_one_comes_to(desk, data, tmp_path, request):  # noqa: F811
    import torch

    alone = taught(desk, data, tmp_path / "one", precision="fp32")
    request.getfixturevalue("two")
    seen: list[tuple[int, int]] = []
    both = taught(
        desk, data, tmp_path / "two", precision="fp32",
        progress=lambda what, done, of: seen.append((done, of)) if what.startswith("fine") else None,
    )  # fmt: skip
    assert "trained in processes of its own" in both.notes
    assert both.losses == pytest.approx(alone.losses, abs=1e-4)
    left, right = weights(alone), weights(both)
    assert all(torch.allclose(left[name], right[name], atol=1e-3) for name in left)
    assert not all(torch.equal(left[name], right[name]) for name in left)  # they did add up their gradients
    assert seen == [(done, 2 * A_PASS) for done in range(1, 2 * A_PASS + 1)]  # as many steps as one alone takes


@pytest.mark.usefixtures("two")
def test_processes_that_were_killed_go_on_and_come_to_the_same(desk, data, tmp_path):  # noqa: F811
    def dies(what: str, done: int, _of: int) -> None:
        if what.startswith("fine") and done == A_PASS + 2:
            raise KilledError

    whole = taught(desk, data, tmp_path / "whole", dropout=0.2)
    with pytest.raises(KilledError):
        taught(desk, data, tmp_path / "parts", dropout=0.2, progress=dies)
    seen: list[int] = []
    after = taught(
        desk, data, tmp_path / "parts", dropout=0.2,
        progress=lambda what, done, _of: seen.append(done) if what.startswith("fine") else None,
    )  # fmt: skip
    assert seen[0] == A_PASS + 1  # from the end of the first pass on
    assert same(whole, after)


def test_processes_that_fail_are_told_with_what_they_said(desk, data, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv(LAUNCH, f"{sys.executable} -c 'import sys; sys.exit(\"no such partition\")'")
    with pytest.raises(TrainingError, match="ended with exit code 1: no such partition"):
        taught(desk, data, tmp_path)
