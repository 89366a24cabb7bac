"""How do an adapter and a head learn together, pass by pass, with whatever happens to the run?

A run that was killed goes on from where it put something aside last, one that gets no memory takes fewer texts at a
time and accumulates, one that is out of time ends with the best there is.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from upkeep.models.classifier import Classifier
from upkeep.models.out_of_memory import LACK, free_memory, halve_if_out_of_memory, note_of_halving
from upkeep.progress import Measured, Progress, silent, unmeasured
from upkeep.recipes import HeadRecipe
from upkeep.training.budget import UNLIMITED, Budget, Clock, stopped
from upkeep.training.checkpoints import load_checkpoint, save_checkpoint
from upkeep.training.gradient_sync import Share
from upkeep.training.temperature import Scaled, fit_temperature
from upkeep.training.trainer import PATIENCE, WARM_UP, TrainingRun
from upkeep.training.whole_step import step_or_leave

if TYPE_CHECKING:
    import torch

Done = TypeVar("Done")
ALONE = Share()
ADAPTER, HEAD = "adapter.", "head."
EVERY = 20.0
"""Seconds of learning that a kill may cost, beside a step: by time, for a step may take a tenth of one or ten. To put
something aside takes some thousandths of them."""


class Labelled(NamedTuple):
    """Texts with the row of the head that is right for each, and what each counts."""

    texts: list[str]
    truth: NDArray[np.int64]
    weight: NDArray[np.float32]


def learn(
    classifier: Classifier,
    train: Labelled,
    held: Labelled,
    *,
    start: float,
    recipe: HeadRecipe,
    seed: int,
    clock: Clock,
    budget: Budget = UNLIMITED,
    folder: Path | None = None,
    share: Share = ALONE,
    progress: Progress = silent,
    measured: Measured = unmeasured,
) -> TrainingRun:
    """Train adapter and head together with one-cycle learning rates and leave the best pass by held-out loss.

    `start` is the loss before the first. It ends where several passes in a row brought none that was lower, and where
    no more than what comes after it fits into the `budget`. What was learned so far is put aside in the `folder`, if
    there is one, and a run finds its own there. With a `share` this is one of several processes that learn together.
    Raises TrainingError where there is not enough memory for a single text.
    """
    a_pass = math.ceil(len(train.texts) / recipe.batch_size)
    steps = min(recipe.epochs * a_pass, recipe.max_steps or sys.maxsize)
    if not steps:
        return TrainingRun([start], [])
    run = _Run(classifier, train, recipe, start=start, steps=steps, share=share, folder=folder)
    run.go_on(share.given(load_checkpoint(folder) if folder and share.first else None))
    run.seconds = run.kept = share.agreed(run.seconds + budget.before)
    run.a_look = share.agreed(budget.look)
    began = clock() - run.seconds

    def look() -> None:
        run.look(share.agreed(scaled(classifier, held).loss))
        measured({"held_out_loss": run.losses[-1]}, run.done)
        run.a_look = run.tick(clock() - began)
        run.heed(budget)
        run.put_aside()

    if not run.done:
        measured({"held_out_loss": start}, 0)
    unseen = not run.out_of_time and run.done > a_pass * (len(run.losses) - 1)
    run.heed(budget)
    if unseen and run.out_of_time:
        look()
    while run.done < steps and not run.out_of_time and not run.stuck:
        classifier.encoder.model.train()
        number, at = divmod(run.done, a_pass)
        for rows in _shuffled(train.texts, recipe.batch_size, np.random.default_rng([seed, number]))[at:]:
            if run.seconds - run.kept >= EVERY:
                run.put_aside()
            share.stir(seed, run.done)
            loss = run.step(rows)
            progress("fine-tuning, steps", run.done, steps)
            run.a_step = run.tick(clock() - began)
            measured(
                {
                    "training/loss": loss,
                    "training/learning_rate": float(run.schedule.get_last_lr()[0]),
                    "training/texts_per_second": len(rows) / max(run.a_step, 1e-9),
                },
                run.done,
            )
            run.heed(budget)
            if run.out_of_time or run.done >= steps:
                break
        look()
    run.end()
    return TrainingRun(run.losses, run.notes + stopped(run.done, steps, is_up=run.out_of_time))


class _Run:
    """An adapter and a head on their way, with all that the next step depends on."""

    def __init__(
        self,
        classifier: Classifier,
        train: Labelled,
        recipe: HeadRecipe,
        *,
        start: float,
        steps: int,
        share: Share,
        folder: Path | None,
    ) -> None:
        import torch

        self.classifier, self.texts, self.share, self.folder = classifier, train.texts, share, folder
        device = classifier.head.weight.device
        self.truth, self.weight = (torch.from_numpy(one).to(device) for one in (train.truth, train.weight))
        self.learned = learned_weights(classifier)
        rates = [recipe.learning_rate, recipe.head_learning_rate]
        groups = [
            {"params": [weight for name, weight in self.learned.items() if name.startswith(part)], "lr": rate}
            for part, rate in zip((ADAPTER, HEAD), rates, strict=True)
        ]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
        total = max(steps, 3)
        warm_up = max(WARM_UP, 2 / total)  # OneCycleLR divides by the steps up and the steps down: one of each at least
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, max_lr=rates, total_steps=total, pct_start=warm_up
        )
        self.best = self._copies()
        self.batch = self.size = recipe.batch_size
        self.losses, self.done, self.seconds, self.kept = [start], 0, 0.0, 0.0
        self.a_step, self.a_look, self.out_of_time = 0.0, 0.0, False
        self.notes: list[str] = []

    @property
    def stuck(self) -> bool:
        """Did too many passes in a row bring nothing better?"""
        return len(self.losses) - 1 - self.best_look >= PATIENCE

    @property
    def best_look(self) -> int:
        """Which look had the lowest loss, the newest of equal ones; the start is the first."""
        return max(at for at, loss in enumerate(self.losses) if loss == min(self.losses))

    def tick(self, seconds: float) -> float:
        """It took so long until now, by the first process's clock; returns how long that is since the last time."""
        before, self.seconds = self.seconds, self.share.agreed(seconds)
        return self.seconds - before

    def heed(self, budget: Budget) -> None:
        """Note whether its time is up. Once it is, it stays up."""
        self.out_of_time = self.out_of_time or budget.is_up(self.seconds, step=self.a_step, look=self.a_look)

    def step(self, rows: NDArray[np.int64]) -> float:
        """Learn from a batch, so many texts at a time as each process has memory for; its mean loss before that."""
        loss = self._fitting(lambda: self._accumulate(rows))
        self.share.sum_gradients(self.learned.values())
        self._fitting(lambda: step_or_leave(self.optimiser))
        self.schedule.step()
        losses, sizes = self.share.gathered([loss, self.size])
        self._take(round(min(sizes)))  # all alike, so that a run that goes on after a kill adds up the same parts
        self.done += 1
        return sum(losses)

    def _fitting(self, work: Callable[[], Done]) -> Done:
        """Do it; where memory runs out, once more with half as many texts at a time."""
        while True:
            try:
                return work()
            except LACK as exc:
                wanted = "lower max_tokens or trained_layers, or train on another machine"
                size = halve_if_out_of_memory(self.size, exc, what="text", wanted=wanted)
            self._take(size)
            free_memory()

    def _take(self, size: int) -> None:
        if size < self.size:
            self.size = size
            self.notes.append(note_of_halving(size, self.batch, what="text"))

    def _accumulate(self, rows: NDArray[np.int64]) -> float:
        """The batch's weighted mean loss and its gradients; each part adds its share of the whole batch's weight."""
        import torch

        self.optimiser.zero_grad()
        whole, mean, own = self.weight[rows].sum(), 0.0, self.share.of(rows)
        for at in range(0, len(own), self.size):
            part = own[at : at + self.size]
            logits = self.classifier.head(self.classifier.encoder.embed([self.texts[row] for row in part]))
            losses = torch.nn.functional.cross_entropy(logits, self.truth[part], reduction="none")
            loss = (losses * self.weight[part]).sum() / whole
            loss.backward()  # type: ignore[no-untyped-call]
            mean += loss.item()
        return mean

    def look(self, loss: float) -> None:
        """Keep what was learned so far, if no loss before was lower."""
        self.losses.append(loss)
        if self.best_look == len(self.losses) - 1:
            self.best = self._copies()

    def end(self) -> None:
        """Leave the model at its best."""
        set_weights(self.classifier, self.best)
        self.classifier.encoder.model.eval()

    def put_aside(self) -> None:
        """Keep what the next step depends on, where there is a folder for it; of several processes one does."""
        self.kept = self.seconds
        if self.folder and self.share.first:
            save_checkpoint(self.folder, self.state())

    def state(self) -> dict[str, Any]:
        """All that the next step depends on, as tensors and plain values."""
        import torch

        return {
            "learned": {name: weight.detach() for name, weight in self.learned.items()},
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "chance": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],
            "size": self.size,
            "losses": self.losses,
            "notes": self.notes,
            "done": self.done,
            "seconds": self.seconds,
            "out_of_time": self.out_of_time,
        }

    def go_on(self, state: dict[str, Any] | None) -> None:
        """Take up a state; without one, or with one of other parts or weights, the run begins."""
        import torch

        if state is None:
            return
        state.setdefault("out_of_time", False)  # those of before it was kept
        if state.keys() != self.state().keys() or state["learned"].keys() != self.learned.keys():
            return
        set_weights(self.classifier, state["learned"])
        self.best = state["best"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        processor, *gpus = state["chance"]
        torch.set_rng_state(processor)
        torch.cuda.set_rng_state_all(gpus[: torch.cuda.device_count()])
        self.size, self.done, self.seconds = state["size"], state["done"], state["seconds"]
        self.losses, self.notes, self.out_of_time = state["losses"], state["notes"], state["out_of_time"]

    def _copies(self) -> dict[str, torch.Tensor]:
        return {name: weight.detach().clone() for name, weight in self.learned.items()}


def learned_weights(classifier: Classifier) -> dict[str, torch.Tensor]:
    """What a classifier learns, by name: its adapter and its head."""
    parts = ((ADAPTER, classifier.encoder.model), (HEAD, classifier.head))
    return {
        f"{part}{name}": weight
        for part, model in parts
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def set_weights(classifier: Classifier, values: Mapping[str, torch.Tensor]) -> None:
    """Set what a classifier learns."""
    import torch

    with torch.no_grad():
        for name, weight in learned_weights(classifier).items():
            weight.copy_(values[name])


def scaled(classifier: Classifier, held: Labelled) -> Scaled:
    """The temperature that suits the held-out cases, and their loss with it."""
    return fit_temperature(classifier.probabilities(held.texts), held.truth)


def _shuffled(texts: Sequence[str], size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Batches of about the same length in random order: little padding, and no two passes alike."""
    lengths = np.array([len(text) for text in texts]) * rng.uniform(0.9, 1.1, len(texts))
    order = np.argsort(lengths, kind="stable")
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches
