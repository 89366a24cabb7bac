"""How does one run of training go, with whatever happens to it?

A run that was killed goes on from its last checkpoint, one that gets no memory halves its batch and accumulates, one
that is out of time ends with the best there is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from upkeep.chat import NOT_LEARNED, Pack
from upkeep.memory import free, halved, told
from upkeep.progress import Progress
from upkeep.recipes import ChatRecipe

if TYPE_CHECKING:
    import torch
    from transformers import Trainer

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""
LOOKS = 8
"""So often in a run the loss on held-out cases is taken, and what was learned so far is put aside."""
PATIENCE = 3
"""After so many looks in a row without a lower loss it stops."""


class Lessons(NamedTuple):
    """What a run learns from, and what it is looked at with."""

    train: Sequence[Pack]
    held: Sequence[Pack]


class Ran(NamedTuple):
    """The held-out loss before the first step and at each look, and what happened, in words."""

    losses: list[float]
    notes: list[str]


def run(model: Any, lessons: Lessons, recipe: ChatRecipe, *, seed: int, folder: Path, progress: Progress) -> Ran:
    """Train a model's adapter in place and leave it as it was when its held-out loss was lowest.

    Checkpoints are kept in `folder`, and a run finds those of its own there. Raises TrainingError where there is not
    enough memory for a single sequence.
    """
    start = _copies(model)
    notes: list[str] = []
    size = recipe.batch_size
    while True:
        trainer = _trainer(model, lessons, recipe, size=size, seed=seed, folder=folder, progress=progress)
        try:
            trainer.train(resume_from_checkpoint=_newest(folder))
            break
        except RuntimeError as exc:
            wanted = "lower max_tokens or max_new_tokens, or train on another machine"
            size = halved(size, exc, what="sequence", wanted=wanted)
        notes.append(told(size, recipe.batch_size, what="sequence"))
        model.zero_grad()
        free()
    losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    if losses and min(losses) == losses[0]:  # it was best before it learned anything
        _restore(model, start)
    if trainer.state.global_step < trainer.state.max_steps:
        notes.append(f"stopped after {trainer.state.global_step:,} of {trainer.state.max_steps:,} steps")
    model.eval()
    return Ran(losses, notes)


def _trainer(
    model: Any, lessons: Lessons, recipe: ChatRecipe, *, size: int, seed: int, folder: Path, progress: Progress
) -> Trainer:
    import torch
    from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments

    accumulated = -(-recipe.batch_size // size)
    steps = recipe.epochs * max(-(-len(lessons.train) // (size * accumulated)), 1)
    every = max(steps // LOOKS, 1)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=size,
        per_device_eval_batch_size=1,  # the mean over batches would hang on their size
        gradient_accumulation_steps=accumulated,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=WARM_UP,
        lr_scheduler_type="cosine",
        eval_on_start=_newest(folder) is None,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        prediction_loss_only=True,
        remove_unused_columns=False,
        label_names=["labels"],
        seed=seed,
        data_seed=seed,
        use_cpu=not torch.cuda.is_available(),
        logging_strategy="no",
        disable_tqdm=True,
        report_to="none",
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=list(lessons.train),
        eval_dataset=list(lessons.held),
        data_collator=collate,
        callbacks=[_watch(recipe, progress), EarlyStoppingCallback(PATIENCE)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def collate(packs: Sequence[Pack]) -> dict[str, torch.Tensor]:
    """A batch of packs, each of shape (packs, tokens); what fills up the shorter ones is learned from by none.

    There is no attention mask: that positions begin anew tells the model where another lesson begins.
    """
    import torch

    width = max(len(one.tokens) for one in packs)

    def filled(rows: Sequence[list[int]], value: int) -> torch.Tensor:
        return torch.tensor([row + [value] * (width - len(row)) for row in rows])

    return {
        "input_ids": filled([one.tokens for one in packs], 0),
        "position_ids": filled([one.positions for one in packs], 0),
        "labels": filled([one.labels for one in packs], NOT_LEARNED),
    }


def _watch(recipe: ChatRecipe, progress: Progress) -> Any:
    """Tells how far a run is, and ends it when its time is up."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        began = time.monotonic()

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            progress("fine-tuning, steps", state.global_step, state.max_steps)
            if recipe.max_minutes is not None and time.monotonic() - self.began > 60 * recipe.max_minutes:
                control.should_evaluate = control.should_save = control.should_training_stop = True

    return Watch()


def _newest(folder: Path) -> str | None:
    """The newest checkpoint that is whole: what is written last can be read."""
    whole = [one.parent for one in folder.glob("checkpoint-*/trainer_state.json") if _is_json(one)]
    return str(max(whole, key=lambda one: int(one.name.rpartition("-")[2]))) if whole else None


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def _copies(model: Any) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in model.parameters() if weight.requires_grad]


def _restore(model: Any, copies: Sequence[torch.Tensor]) -> None:
    import torch

    with torch.no_grad():
        for weight, kept in zip((one for one in model.parameters() if one.requires_grad), copies, strict=True):
            weight.copy_(kept)
