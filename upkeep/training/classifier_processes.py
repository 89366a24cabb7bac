"""How do several processes teach one classifier?

UPKEEP_LAUNCH starts them (processes.py). What the adapter and the head start from and what they are to learn is
put into files, each process learns from its share of every batch, and the learned weights come back.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from upkeep import records
from upkeep.adapters.store import FolderStore
from upkeep.base_model import Base
from upkeep.hardware import device
from upkeep.models.batches import noted_halvings
from upkeep.models.classifier import Classifier
from upkeep.models.encoder import load_encoder
from upkeep.models.manifest import Manifest
from upkeep.progress import Measured, Progress
from upkeep.recipes import HeadRecipe
from upkeep.training.budget import Budget, limit_of
from upkeep.training.gradient_sync import Share
from upkeep.training.processes import report, run_processes
from upkeep.training.trainer import TrainingRun
from upkeep.training.training_loop import Labelled, learn, learned_weights, set_weights

WORK, START, LEARNED = "work.json", "start.safetensors", "learned.safetensors"


@dataclass(frozen=True, slots=True)
class Texts:
    """`Labelled` as JSON has it."""

    texts: list[str]
    truth: list[int]
    weight: list[float]

    @classmethod
    def of(cls, taught: Labelled) -> Texts:
        """The same, to be written."""
        return cls(taught.texts, taught.truth.tolist(), taught.weight.tolist())

    def labelled(self) -> Labelled:
        """The same, to be learned from."""
        return Labelled(self.texts, np.array(self.truth, dtype=np.int64), np.array(self.weight, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class ClassifierWork:
    """All that a process needs to know of a run.

    `start` is the held-out loss before it; the fine-tuning `began` when time.time() was that, and `look` and `after`
    are its budget's.
    """

    base: Base
    manifest: Manifest
    recipe: HeadRecipe
    train: Texts
    held: Texts
    start: float
    seed: int
    began: float
    look: float
    after: float


def learn_together(
    command: list[str],
    classifier: Classifier,
    work: ClassifierWork,
    *,
    folder: Path,
    progress: Progress,
    measured: Measured,
) -> TrainingRun:
    """Train a classifier's adapter and head as `training_loop.learn` does, in processes that a command starts.

    Raises TrainingError where they fail.
    """
    from safetensors.torch import load_file, save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(learned_weights(classifier), folder / START)
    records.save(FolderStore(folder), WORK, work)
    told = run_processes([*command, "-m", "upkeep.training.classifier_processes", str(folder)], progress, measured)
    set_weights(classifier, load_file(folder / LEARNED))
    losses, notes = told.result
    return TrainingRun(losses, ["trained in processes of its own", *notes])


def begin(work: ClassifierWork) -> Classifier:
    """A classifier of the same parts, whose adapter and head have learned nothing."""
    import torch
    from peft import get_peft_model

    from upkeep.training.adapter_layers import prepare_encoder

    manifest = work.manifest
    encoder = load_encoder(work.base, max_tokens=manifest.max_tokens, precision=manifest.precision)
    lora = prepare_encoder(encoder, work.recipe)
    encoder.model = get_peft_model(encoder.model, lora)
    return Classifier(encoder, torch.nn.Linear(encoder.width, len(manifest.labels)), manifest)


def main(folder: Path) -> None:
    """Learn a share, as one of the processes; the first of them speaks."""
    from accelerate import PartialState
    from safetensors.torch import load_file, save_file

    state = PartialState(cpu=device() == "cpu")  # from here on "cuda" is the GPU of this process
    share = Share(state.process_index, state.num_processes)
    work = records.load(FolderStore(folder), WORK, ClassifierWork)
    classifier = begin(work)
    set_weights(classifier, load_file(folder / START))
    budget = Budget(limit_of(work.recipe), time.time() - work.began, work.look, work.after)
    with noted_halvings() as scored:
        ran = learn(
            classifier, work.train.labelled(), work.held.labelled(), start=work.start, recipe=work.recipe,
            seed=work.seed, clock=time.monotonic, budget=budget, folder=folder, share=share,
            progress=lambda *told: report("progress", told, speaks=share.first),
            measured=lambda *told: report("measured", told, speaks=share.first),
        )  # fmt: skip
    if share.first:
        save_file(learned_weights(classifier), folder / LEARNED)
        report("passed", (ran.losses, [*scored, *ran.notes]))


if __name__ == "__main__":
    from upkeep.home import prepare_process

    prepare_process()
    main(Path(sys.argv[1]))
