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
from upkeep.models.out_of_memory import free_memory, halve_if_out_of_memory, note_of_halving
from upkeep.progress import Measured, Progress, unmeasured
from upkeep.recipes import ChatRecipe
from upkeep.training.checkpoints import is_whole, seal

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
    """One try that came to its end: the losses of its looks, and how many steps it did of how many."""

    losses: list[float]
    step: int
    steps: int

    @property
    def better(self) -> bool:
        """Was a look better than before it learned anything?"""
        return any(loss < self.losses[0] for loss in self.losses)


Try = Callable[[int], Attempt]
"""Trains with so many sequences at a time. Raises RuntimeError where there is no memory for them."""


def run(
    model: Any,
    lessons: Lessons,
    recipe: ChatRecipe,
    *,
    seed: int,
    folder: Path,
    progress: Progress,
    measured: Measured = unmeasured,
) -> TrainingRun:
    """Train a model's adapter in place and leave it as it was when its held-out loss was lowest.

    Checkpoints are kept in `folder`, and a run finds those of its own there. Raises TrainingError where there is not
    enough memory for a single sequence.
    """

    def once(size: int) -> Attempt:
        model.zero_grad()
        free_memory()
        return train(model, lessons, recipe, size=size, seed=seed, folder=folder, progress=progress, measured=measured)

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
        except RuntimeError as exc:
            wanted = "lower max_tokens or max_new_tokens, or train on another machine"
            size = halve_if_out_of_memory(size, exc, what="sequence", wanted=wanted)
        notes.append(note_of_halving(size, recipe.batch_size, what="sequence"))
    if passed.step < passed.steps:
        notes.append(f"stopped after {passed.step:,} of {passed.steps:,} steps")
    return passed, notes


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
) -> Attempt:
    """One try, in this process, which may be one of several that train together.

    Where no look is better than the first, and where it raises RuntimeError, the model is left as it was.
    """
    from peft.helpers import disable_input_dtype_casting

    start = _copies(model)
    newest = _newest(folder)
    told = [_watch(recipe, progress), _seal(), _meter(measured, tokens=sum(len(one.tokens) for one in lessons.train))]
    trainer = _trainer(model, lessons, recipe, size=size, seed=seed, folder=folder, begins=newest is None, told=told)
    try:
        with disable_input_dtype_casting(model, active=trainer.args.bf16):  # autocast does what it would
            trainer.train(resume_from_checkpoint=newest)
    except RuntimeError:
        _restore(model, start)
        raise
    losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    passed = Attempt(losses, trainer.state.global_step, trainer.state.max_steps)
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


def _watch(recipe: ChatRecipe, progress: Progress) -> Any:
    """Tells how far a run is, and ends it when its time is up.

    The time it took and whether it was to end go into each checkpoint.
    """
    from accelerate.utils import broadcast_object_list
    from transformers import TrainerCallback
    from transformers.trainer_callback import ExportableState

    limit = float("inf") if recipe.max_minutes is None else 60 * recipe.max_minutes

    class Watch(TrainerCallback, ExportableState):  # type: ignore[misc]
        def __init__(self) -> None:
            self.before, self.ended = 0.0, False
            self.began = time.monotonic()

        @property
        def seconds(self) -> float:
            return self.before + time.monotonic() - self.began

        def state(self) -> dict[str, Any]:
            return {"args": {}, "attributes": {"before": self.seconds, "ended": self.ended}}

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            progress("fine-tuning, steps", state.global_step, state.max_steps)
            if self.ended:
                control.should_training_stop = True
            elif limit < float("inf") and broadcast_object_list([self.seconds > limit])[0]:  # for all processes alike
                self.ended = True
                control.should_evaluate = control.should_save = control.should_training_stop = True

        def on_evaluate(self, _args: Any, _state: Any, control: Any, **_: Any) -> None:
            self.ended = self.ended or control.should_training_stop

    return Watch()


def _meter(measured: Measured, *, tokens: int) -> Any:
    """Tells what is measured; a pass has so many tokens."""
    from transformers import TrainerCallback

    class Meter(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            self.logged, self.passes = time.monotonic(), state.epoch or 0.0

        def on_evaluate(self, _args: Any, state: Any, _control: Any, *, metrics: Any, **_: Any) -> None:
            measured({"held_out_loss": metrics["eval_loss"]}, state.global_step)

        def on_log(self, _args: Any, state: Any, _control: Any, *, logs: Any, **_: Any) -> None:
            if "loss" not in logs:
                return
            now, passes = time.monotonic(), state.epoch
            found = {"loss": logs["loss"], "learning_rate": logs["learning_rate"]}
            found["tokens_per_second"] = tokens * (passes - self.passes) / max(now - self.logged, 1e-9)
            self.logged, self.passes = now, passes
            measured({f"training/{name}": value for name, value in found.items()}, state.global_step)

    return Meter()


def in_parts(whole: int, size: int, together: int) -> tuple[int, int]:
    """How many sequences a process takes at a time, and how often, until all have taken a whole batch.

    No more than `size` at a time of all processes. Where the processes cannot share a batch evenly they take more.
    """
    most = max(size // together, 1)
    each = next((one for one in range(most, 0, -1) if whole % (one * together) == 0), most)
    return each, -(-whole // (each * together))


def _seal() -> Any:
    """Seals each checkpoint once every process has written its part."""
    from accelerate import PartialState
    from transformers import TrainerCallback

    class Seal(TrainerCallback):  # type: ignore[misc]
        def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
            PartialState().wait_for_everyone()
            if state.is_world_process_zero:
                seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    return Seal()


def _newest(folder: Path) -> str | None:
    """The newest checkpoint that is whole, as is the best one until then, which the run ends with."""
    newest_first = sorted(folder.glob("checkpoint-*"), key=lambda one: -int(one.name.rpartition("-")[2]))
    return next((str(one) for one in newest_first if is_whole(one) and _has_its_best(one)), None)


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
