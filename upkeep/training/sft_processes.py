"""How does a model that writes train in processes of its own, one or several together?

On a machine with GPUs there is a process for each: it gives all of its memory back, and kernels that are fused for a
training change no answer. UPKEEP_LAUNCH starts them some other way (processes.py). What is to be learned is
put into a file, each process learns from its share of every step, and the adapter comes back.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from upkeep import records
from upkeep.adapters.store import FolderStore
from upkeep.base_model import Base
from upkeep.hardware import device
from upkeep.models.generator import load_causal
from upkeep.models.out_of_memory import LACK, is_out_of_memory
from upkeep.models.shared_base import save_adapter
from upkeep.progress import Measured, Progress
from upkeep.recipes import ChatRecipe
from upkeep.training.packing import NOT_PACKED, kept_apart
from upkeep.training.processes import launch_command, report, run_processes
from upkeep.training.trainer import Attempt, Lessons, TrainingRun, train, with_fitting_batch
from upkeep.training.warm_start import with_adapter
from upkeep.training.writing_time import Timed, budget_of

WORK, CHAMPION, LEARNED = "work.json", "champion", "learned"


@dataclass(frozen=True, slots=True)
class SftWork:
    """All that a process needs to know of a run."""

    base: Base
    precision: str
    recipe: ChatRecipe
    lessons: Lessons
    seed: int
    champion: Path | None
    timed: Timed | None = None


def launcher(environment: Mapping[str, str] = os.environ) -> list[str] | None:
    """The command that starts the processes; None where this one trains alone."""
    import torch

    given = launch_command(environment)
    if given:
        return given
    count = torch.cuda.device_count()
    if count < 2:
        return [sys.executable] if count else None
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(count)]


class Started(NamedTuple):
    """The base model with the adapter to train, the lessons as it may learn them, and what is to be said of both."""

    model: Any
    lessons: Lessons
    notes: list[str]


def begin(work: SftWork) -> Started:
    """What a training begins with. Raises BaseModelError."""
    import torch
    from peft import LoraConfig

    model, _ = load_causal(work.base, work.precision)
    lora = LoraConfig(
        r=work.recipe.lora_rank,
        lora_alpha=work.recipe.lora_alpha,
        target_modules=list(work.recipe.target_modules),
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(work.seed)
    begun = with_adapter(model, lora, work.recipe, base=work.base, champion=work.champion)
    lessons = kept_apart(begun.model, work.lessons, precision=work.precision)
    return Started(begun.model, lessons, [*begun.notes, *([] if lessons is work.lessons else [NOT_PACKED])])


class Learned(NamedTuple):
    """The folder of an adapter, as it was when its held-out loss was lowest, and how its training went."""

    adapter: Path
    ran: TrainingRun


def run_together(command: list[str], work: SftWork, *, folder: Path, progress: Progress, measured: Measured) -> Learned:
    """Train an adapter in processes that a command starts.

    Checkpoints are kept in `folder`, and a run finds those of its own there. Raises TrainingError where there is not
    enough memory for a single sequence, or the processes fail.
    """
    if work.champion:  # where all machines see it
        shutil.copytree(work.champion, folder / CHAMPION, dirs_exist_ok=True)
        work = replace(work, champion=folder / CHAMPION)
    records.save(FolderStore(folder), WORK, work)
    notes: list[str] = []

    def once(size: int) -> Attempt:
        told = run_processes(
            [*command, "-m", "upkeep.training.sft_processes", str(folder), str(size)], progress, measured
        )
        notes[:] = told.notes
        return Attempt(*told.result)

    passed, more = with_fitting_batch(once, work.recipe)
    return Learned(folder / LEARNED, TrainingRun(passed.losses, [*notes, "trained in processes of its own", *more]))


def main(folder: Path, size: int) -> None:
    """Learn a share, as one of the processes; the first of them speaks."""
    from accelerate import PartialState

    # from here on "cuda" is the GPU of this process
    speaks = PartialState(cpu=device() == "cpu").is_main_process
    work = records.load(FolderStore(folder), WORK, SftWork)
    before = time.monotonic()
    begun = begin(work)
    report("begun", begun.notes, speaks=speaks)
    budget = budget_of(work.recipe, work.timed, begun.model, loading=time.monotonic() - before)
    try:
        passed = train(
            begun.model, begun.lessons, work.recipe, size=size, seed=work.seed, folder=folder, budget=budget,
            progress=lambda *told: report("progress", told, speaks=speaks),
            measured=lambda *told: report("measured", told, speaks=speaks),
        )  # fmt: skip
    except LACK as exc:
        if is_out_of_memory(exc):
            report("lacking", str(exc))  # whichever process it is
        raise
    if speaks:
        save_adapter(begun.model, folder / LEARNED, base=work.base.reference)
        report("passed", passed)


if __name__ == "__main__":
    from upkeep.home import prepare_process

    prepare_process()
    main(Path(sys.argv[1]), int(sys.argv[2]))
