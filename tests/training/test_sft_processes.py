"""Two processes train one model together, to what one alone comes to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.chatty import chat_base, client, lessons, recipe  # noqa: F401 -- a fixture
from tests.training.test_sft import HERE, adapter, same
from upkeep.base_model import Base, LocalModel, resolve_base
from upkeep.errors import TrainingError
from upkeep.models.loading import Trained
from upkeep.progress import silent, unmeasured
from upkeep.recipes import Start
from upkeep.training.processes import LAUNCH, run_processes
from upkeep.training.sft import teach
from upkeep.training.sft_processes import launcher

ROOT = Path(__file__).parents[2]
TWO = f"{sys.executable} -m torch.distributed.run --standalone --nproc_per_node 2"
SHORT = recipe(epochs=2, max_minutes=10)
EVEN = lessons(train=158)
"""76 sequences, 19 steps of four: where the last step of a pass is short, accelerate fills it up with others."""


class Told(NamedTuple):
    """What processes came to, the steps that were told, each with how many there are, and what was measured when."""

    made: Trained
    steps: list[tuple[int, int]]
    measured: list[tuple[str, int]]


def together(base: Base, work: Path, *, launch: str = TWO) -> Told:
    steps: list[tuple[int, int]] = []
    told: list[tuple[str, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LAUNCH, launch)
        patch.setenv("OMP_NUM_THREADS", "1")
        made = teach(
            base, EVEN, client=client(), recipe=SHORT, seed=0, work=work,
            progress=lambda what, done, of: steps.append((done, of)) if what.startswith("fine") else None,
            measured=lambda values, step: told.extend((name, step) for name in values),
        )  # fmt: skip
    return Told(made, steps, told)


@pytest.fixture(scope="module")
def two(chat_base, tmp_path_factory) -> Told:  # noqa: F811
    """What two processes of one machine come to."""
    return together(chat_base, tmp_path_factory.mktemp("two"))


def test_two_processes_come_to_what_one_comes_to(chat_base, two):  # noqa: F811
    import torch

    alone = teach(chat_base, EVEN, client=client(), recipe=SHORT, seed=0)
    both, seen, told = two
    assert both.losses == pytest.approx(alone.losses, abs=2e-3)
    assert "trained in processes of its own" in both.notes
    left, right = adapter(alone), adapter(both)
    assert all(torch.allclose(left[name], right[name], atol=0.02) for name in left)
    steps = seen[-1][1]
    assert seen == [(done, steps) for done in range(1, steps + 1)]  # as many as one alone takes
    assert ("held_out_loss", 0) in told
    assert ("training/loss", steps) in told


def test_processes_that_were_killed_go_on_and_come_to_the_same(chat_base, two, tmp_path):  # noqa: F811
    killed = subprocess.run(
        [sys.executable, __file__, str(chat_base.folder), str(tmp_path), "23"], check=False, env=HERE
    )
    assert killed.returncode == -signal.SIGKILL
    after = together(chat_base, tmp_path)
    assert after.steps[0][0] > 10  # they did not begin anew
    assert same(two.made, after.made)
    assert two.made.losses == after.made.losses


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


def test_memory_that_any_of_the_processes_lacks_is_told_as_that():
    says = "print('upkeep: ' + '[\"lacking\", \"CUDA error: out of memory\"]'); raise SystemExit(1)"
    with pytest.raises(MemoryError, match=r"^CUDA error: out of memory$"):
        run_processes([sys.executable, "-c", says], silent, unmeasured)


@pytest.mark.parametrize("by", ["torchrun", "accelerate"])
def test_two_machines_come_to_what_two_processes_of_one_come_to(by, chat_base, two, tmp_path, monkeypatch):  # noqa: F811
    launch = as_documented(by, tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path / "home"))
    both = together(chat_base, tmp_path / "home", launch=str(launch))
    (reached,) = (tmp_path / "reached").read_text().splitlines()
    assert reached.startswith(f"gpu1 cd {ROOT} && UPKEEP_HOME={tmp_path / 'home'} ")
    assert same(two.made, both.made)
    assert (two.made.losses, two.made.notes, two.steps) == (both.made.losses, both.made.notes, both.steps)


def as_documented(by: str, folder: Path) -> Path:
    """The script and nodes.yaml of docs/training.md for machines of one process each, both of which are this one."""
    section = (ROOT / "docs" / "training.md").read_text().partition("## On several machines")[2].partition("\n## ")[0]
    script, _, agents = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    (nodes,) = re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL)
    if by == "accelerate":
        script = "\n".join([*script.splitlines()[:2], agents])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    here = {
        "cd /srv/upkeep": f"cd {ROOT}", ".venv/bin/torchrun": f"{sys.executable} -m torch.distributed.run",
        ".venv/bin/accelerate": f"{sys.executable} -m accelerate.commands.accelerate_cli",
        "nodes.yaml": str(folder / "nodes.yaml"), "--nproc-per-node 4": "--nproc-per-node 1",
        "num_processes: 8": "num_processes: 2", "gpu0": "127.0.0.1", "29500": port,
    }  # fmt: skip
    for documented, now in here.items():
        script, nodes = (text.replace(documented, now) for text in (script, nodes))
    (folder / "nodes.yaml").write_text(nodes)
    (folder / "bin").mkdir()
    clean = f'env -i PATH="$PATH" PYTHONPATH={ROOT} OMP_NUM_THREADS=1'  # ssh takes nothing else along
    ssh = f'#!/bin/sh\necho "$*" >> {folder / "reached"}\nshift\nexec {clean} sh -c "$*"\n'
    for path, text in ((folder / "bin" / "ssh", ssh), (folder / "launch.sh", script)):
        path.write_text(text)
        path.chmod(0o755)
    return folder / "launch.sh"


def test_a_command_that_cannot_be_started_is_named():
    with pytest.raises(TrainingError, match=r"^torchrun4 cannot be started: .*; UPKEEP_LAUNCH may need its whole path"):
        run_processes(["torchrun4", "--nproc-per-node", "4"], silent, unmeasured)


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


def main() -> None:
    """Teach in two processes until a step, and die there."""
    folder, work, step = sys.argv[1:]

    def dies(what: str, done: int, _: int) -> None:
        if what.startswith("fine-tuning") and done == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    os.environ[LAUNCH] = TWO
    base = resolve_base(LocalModel(path=folder))
    teach(base, EVEN, client=client(), recipe=SHORT, seed=0, work=Path(work), progress=dies)


if __name__ == "__main__":
    main()
