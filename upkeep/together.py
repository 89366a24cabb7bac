"""How do several processors train one model together?

On a machine with more than one GPU there is a process for each. UPKEEP_LAUNCH starts them some other way, on one or on
several machines that share UPKEEP_HOME: `torchrun --nproc_per_node 4`, or `accelerate launch --config_file nodes.yaml`.
What is to be learned is put into a file, each process learns from its share of every step, and the adapter comes back.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upkeep import records
from upkeep.adapters.store import FolderStore
from upkeep.base_model import Base
from upkeep.errors import TrainingError
from upkeep.generator import load_causal
from upkeep.hardware import device
from upkeep.progress import Measured, Progress
from upkeep.recipes import ChatRecipe
from upkeep.trainer import Lessons, Passed, Ran, train, with_memory

LAUNCH = "UPKEEP_LAUNCH"
WORK, START, LEARNED = "work.json", "start", "learned"
SIGN = "upkeep: "
"""What begins a line that a process says to the one that started it."""
TOLD = 4000
"""So many of the last characters of what went wrong are told."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that a process needs to know of a run."""

    base: Base
    precision: str
    recipe: ChatRecipe
    lessons: Lessons
    seed: int


def launcher(environment: Mapping[str, str] = os.environ) -> list[str] | None:
    """The command that starts the processes; None where this one trains alone."""
    import torch

    given = environment.get(LAUNCH)
    if given:
        return shlex.split(given)
    count = torch.cuda.device_count()
    alone = ["--standalone", "--nproc_per_node", str(count)]
    return [sys.executable, "-m", "torch.distributed.run", *alone] if count > 1 else None


def run_together(
    command: list[str], model: Any, work: Work, *, folder: Path, progress: Progress, measured: Measured
) -> Ran:
    """Train a model's adapter by several processes and leave it as it was when its held-out loss was lowest.

    Checkpoints are kept in `folder`, and a run finds those of its own there. Raises TrainingError where there is not
    enough memory for a single sequence, or the processes fail.
    """
    from peft import load_peft_weights, set_peft_model_state_dict

    records.save(FolderStore(folder), WORK, work)
    model.save_pretrained(folder / START, save_embedding_layers=False)
    shutil.rmtree(folder / LEARNED, ignore_errors=True)

    def once(size: int) -> Passed:
        return _launched([*command, "-m", "upkeep.together", str(folder), str(size)], progress, measured)

    passed, notes = with_memory(once, work.recipe)
    if passed.better:
        set_peft_model_state_dict(model, load_peft_weights(str(folder / LEARNED), device="cpu"))
    model.eval()
    return Ran(passed.losses, ["trained by processes of its own", *notes])


def _launched(command: list[str], progress: Progress, measured: Measured) -> Passed:
    """What the processes came to.

    Raises RuntimeError where one of them has no memory, TrainingError where they fail.
    """
    passed: Passed | None = None
    lacking: str | None = None
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            try:
                for line in process.stdout or ():
                    if not line.startswith(SIGN):
                        continue
                    what, told = json.loads(line.removeprefix(SIGN))
                    if what == "progress":
                        progress(*told)
                    elif what == "measured":
                        measured(*told)
                    elif what == "lacking":
                        lacking = str(told)
                    else:
                        passed = Passed(*told)
            except BaseException:
                process.terminate()
                raise
        if process.returncode == 0 and passed is not None:
            return passed
        if lacking is not None:
            raise RuntimeError(lacking)
        errors.seek(0)
        said = errors.read()[-TOLD:]
    raise TrainingError(f"{shlex.join(command)} ended with exit code {process.returncode}: {said}")


def main(folder: Path, size: int) -> None:
    """Learn a share, as one of the processes; the first of them speaks."""
    import torch
    from accelerate import PartialState
    from accelerate.utils.memory import should_reduce_batch_size
    from peft import PeftModel

    state = PartialState(cpu=device() == "cpu")  # from here on "cuda" is the GPU of this process
    work = records.load(FolderStore(folder), WORK, Work)
    model, _ = load_causal(work.base, work.precision)
    torch.manual_seed(work.seed)
    model = PeftModel.from_pretrained(model, str(folder / START), is_trainable=True)
    try:
        passed = train(
            model, work.lessons, work.recipe, size=size, seed=work.seed, folder=folder,
            progress=lambda *told: _say(state, "progress", told),
            measured=lambda *told: _say(state, "measured", told),
        )  # fmt: skip
    except RuntimeError as exc:
        if should_reduce_batch_size(exc):
            print(f"{SIGN}{json.dumps(['lacking', str(exc)])}", flush=True)  # whichever process it is
        raise
    if state.is_main_process:
        model.save_pretrained(folder / LEARNED, save_embedding_layers=False)
    _say(state, "passed", passed)


def _say(state: Any, what: str, told: Any) -> None:
    if state.is_main_process:
        print(f"{SIGN}{json.dumps([what, told])}", flush=True)


if __name__ == "__main__":
    from upkeep.home import prepare_process

    prepare_process()
    main(Path(sys.argv[1]), int(sys.argv[2]))
