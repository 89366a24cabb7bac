"""How does one run of training go, with whatever happens to it?

A run that was killed goes on from its last checkpoint, one that gets no memory halves its batch and accumulates, one
that is out of time ends with the best there is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from upkeep.hardware import device, dtype, fused_kernels
from upkeep.models.chat import NOT_LEARNED, Pack
from upkeep.models.out_of_memory import LACK, free_memory, halve_if_out_of_memory, note_of_halving
from upkeep.progress import Measured, Progress, unmeasured
from upkeep.recipes import ChatRecipe
from upkeep.training.budget import UNLIMITED, Budget, stopped
from upkeep.training.checkpoints import is_whole
from upkeep.training.trainer_callbacks import WATCH, meter, sealer, watch

if TYPE_CHECKING:
    import torch
    from transformers import Trainer

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""
LOOKS = 8
"""So often in a run the loss on held-out cases is taken, and what was learned so far is put aside."""
POINTS = 100
"""About so many measurements of a long run are told; a short one tells each step."""
PATIENCE = 3
"""After so many looks in a row without a lower loss it stops."""


class Lessons(NamedTuple):
    """What a run learns from, and what it is looked at with."""

    train: Sequence[Pack]
    held: Sequence[Pack]


class TrainingRun(NamedTuple):
    """The held-out loss before the first step and at each look, and what happened, in words."""

    losses: list[float]
    notes: list[str]


class Attempt(NamedTuple):
    """One try that came to its end: the losses of its looks, how many steps it did of how many, and was time up?"""

    losses: list[float]
    step: int
    steps: int
    out_of_time: bool = False

    @property
    def better(self) -> bool:
        """Was a look better than before it learned anything?"""
        return any(loss < self.losses[0] for loss in self.losses)


Try = Callable[[int], Attempt]
"""Trains with so many sequences at a time. Raises one of LACK where there is no memory for them."""


def run(
    model: Any,
    lessons: Lessons,
    recipe: ChatRecipe,
    *,
    seed: int,
    folder: Path,
    progress: Progress,
    measured: Measured = unmeasured,
    budget: Budget = UNLIMITED,
) -> TrainingRun:
    """Train a model's adapter in place and leave it as it was when its held-out loss was lowest.

    Checkpoints are kept in `folder`, and a run finds those of its own there. Raises TrainingError where there is not
    enough memory for a single sequence.
    """

    began = time.monotonic()

    def once(size: int) -> Attempt:
        model.zero_grad()
        free_memory()
        left = budget._replace(before=budget.before + time.monotonic() - began)
        return train(
            model, lessons, recipe, size=size, seed=seed, folder=folder, progress=progress, measured=measured,
            budget=left,
        )  # fmt: skip

    passed, notes = with_fitting_batch(once, recipe)
    model.eval()
    return TrainingRun(passed.losses, notes)


def with_fitting_batch(once: Try, recipe: ChatRecipe) -> tuple[Attempt, list[str]]:
    """Try with a whole batch at a time, and with half as many each time that this does not fit into memory.

    Raises TrainingError where there is not enough for a single sequence.
    """
    notes: list[str] = []
    size = recipe.batch_size
    while True:
        try:
            passed = once(size)
            break
        except LACK as exc:
            wanted = "lower max_tokens or max_new_tokens, or train on another machine"
            size = halve_if_out_of_memory(size, exc, what="sequence", wanted=wanted)
        notes.append(note_of_halving(size, recipe.batch_size, what="sequence"))
    return passed, notes + stopped(passed.step, passed.steps, is_up=passed.out_of_time)


def train(
    model: Any,
    lessons: Lessons,
    recipe: ChatRecipe,
    *,
    size: int,
    seed: int,
    folder: Path,
    progress: Progress,
    measured: Measured,
    budget: Budget,
) -> Attempt:
    """One try, in this process, which may be one of several that train together.

    Where no look is better than the first, and where it raises one of LACK, the model is left as it was.
    """
    from peft.helpers import disable_input_dtype_casting

    start = _copies(model)
    newest = _agreed_newest(folder)
    watching = watch(budget, progress)
    told = [watching, sealer(), meter(measured, tokens=sum(len(one.tokens) for one in lessons.train))]
    trainer = _trainer(model, lessons, recipe, size=size, seed=seed, folder=folder, begins=newest is None, told=told)
    try:
        with disable_input_dtype_casting(model, active=trainer.args.bf16):  # autocast does what it would
            trainer.train(resume_from_checkpoint=newest)
    except LACK:
        _restore(model, start)
        raise
    losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    # a checkpoint puts one of its own in the place of what watched
    is_up = any(one.out_of_time for one in trainer.callback_handler.callbacks if isinstance(one, type(watching)))
    passed = Attempt(losses, trainer.state.global_step, trainer.state.max_steps, is_up)
    if not passed.better:
        _restore(model, start)
    return passed


def _trainer(
    model: Any,
    lessons: Lessons,
    recipe: ChatRecipe,
    *,
    size: int,
    seed: int,
    folder: Path,
    begins: bool,
    told: list[Any],
) -> Trainer:
    import torch
    from accelerate import PartialState
    from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments

    on_gpu = device() == "cuda"
    together = PartialState(cpu=not on_gpu).num_processes
    each, accumulated = in_parts(recipe.batch_size, size, together)
    steps = recipe.epochs * max(-(-len(lessons.train) // (each * together * accumulated)), 1)
    every = max(steps // LOOKS, 1)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=each,
        per_device_eval_batch_size=1,  # the mean over batches would hang on their size
        gradient_accumulation_steps=accumulated,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=WARM_UP,
        lr_scheduler_type="cosine",
        eval_on_start=begins,
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
        restore_callback_states_from_checkpoint=True,  # patience and time begin anew otherwise
        ddp_find_unused_parameters=False,
        seed=seed,
        data_seed=seed,
        use_cpu=not on_gpu,
        bf16=dtype(recipe.precision) is torch.bfloat16,
        use_liger_kernel=fused_kernels(),
        logging_strategy="steps",
        logging_steps=max(-(-steps // POINTS), 1),  # a GPU waits for the processor at each
        logging_nan_inf_filter=False,  # and at each step for this
        disable_tqdm=True,
        report_to="none",
    )
    trainer = _by_sequence(Trainer)(
        model=model,
        args=arguments,
        train_dataset=list(lessons.train),
        eval_dataset=list(lessons.held),
        data_collator=collate,
        callbacks=[EarlyStoppingCallback(PATIENCE), *told],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _by_sequence(kind: type[Trainer]) -> type[Trainer]:
    """A trainer whose evaluation loss is a mean over sequences, whichever process has which of them."""

    class BySequence(kind):  # type: ignore[misc]
        def prediction_step(self, *given: Any, **named: Any) -> Any:
            self.args.average_tokens_across_devices = False
            try:
                return super().prediction_step(*given, **named)
            finally:
                self.args.average_tokens_across_devices = True  # a step's gradients are a mean over its tokens

    return BySequence


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


def in_parts(whole: int, size: int, together: int) -> tuple[int, int]:
    """How many sequences a process takes at a time, and how often, until all have taken a whole batch.

    No more than `size` at a time of all processes. Where the processes cannot share a batch evenly they take more.
    """
    most = max(size // together, 1)
    each = next((one for one in range(most, 0, -1) if whole % (one * together) == 0), most)
    return each, -(-whole // (each * together))


def _agreed_newest(folder: Path) -> str | None:
    """The newest that the first of the processes sees: others may see a disk that they share a little later."""
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    first = PartialState(cpu=device() != "cuda").is_main_process
    found: list[str | None] = broadcast_object_list([_newest(folder) if first else None])
    return found[0]


def _newest(folder: Path) -> str | None:
    """The newest checkpoint that is whole, as is the best one until then, which the run ends with."""
    newest_first = sorted(folder.glob("checkpoint-*"), key=lambda one: -int(one.name.rpartition("-")[2]))
    return next((str(one) for one in newest_first if is_whole(one) and _has_its_best(one)), None)


def trained_before(folder: Path) -> float:
    """So many seconds had the run taken whose checkpoint the next one goes on from; 0 where there is none."""
    newest = _newest(folder)
    if newest is None:
        return 0.0
    kept = json.loads((Path(newest) / "trainer_state.json").read_text(encoding="utf-8"))["stateful_callbacks"]
    return float(kept[WATCH]["attributes"]["before"])


def _has_its_best(checkpoint: Path) -> bool:
    best = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["best_model_checkpoint"]
    return best is None or is_whole(Path(best))


def _copies(model: Any) -> list[torch.Tensor]:
    """The weights that a model learns, as they are now."""
    return [weight.detach().clone() for weight in model.parameters() if weight.requires_grad]


def _restore(model: Any, copies: Sequence[torch.Tensor]) -> None:
    """Set the weights that a model learns."""
    import torch

    with torch.no_grad():
        for weight, kept in zip((one for one in model.parameters() if one.requires_grad), copies, strict=True):
            weight.copy_(kept)
