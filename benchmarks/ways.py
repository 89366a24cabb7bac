"""How is a classifier trained on the same rows? Ours, beside frozen embeddings and beside all weights trained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.intents import Rows
from benchmarks.learned import Clock, Learned, Look, less, logits, loss, now, rights
from upkeep.models.classifier import Classifier
from upkeep.models.encoder import embed_all, load_encoder
from upkeep.statistics.rates import Rate
from upkeep.training.finetuning import finetune

if TYPE_CHECKING:
    import torch

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
FULL_RATES, FULL_EPOCHS, FULL_TOKENS = (5e-5, 1e-4, 3e-4), 3, 128
STEPS = "fine-tuning, steps"
"""What `finetune` says it is at while it passes over the rows."""


class Steps:
    """Notes when `finetune` has done its first step and its last; it is what that reports its progress to."""

    def __init__(self) -> None:
        self.begun = now()
        self.first = self.last = self.begun
        self.total = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        """One more is done."""
        if what == STEPS:
            self.first = now() if done == 1 else self.first
            self.last, self.total = now(), total


class Ours(NamedTuple):
    """A model trained as the product does it, and what `finetune` was seen to do when."""

    model: Classifier
    learned: Learned
    at: Steps


class Frozen(NamedTuple):
    """A logistic regression on frozen embeddings, by the weights it found."""

    learned: Learned
    fitted: Any


def train_ours(rows: Rows, *, seed: int) -> Ours:
    """Train with the client's recipe, threshold included."""
    clock, at = Clock(), Steps()
    model = finetune(rows.base, rows.taught, client=rows.client, recipe=rows.recipe, seed=seed, progress=at).model
    spent = clock.spent
    return Ours(model, Learned("ours", asked(model, rows), spent, []), at)


def head_alone(rows: Rows, *, seed: int) -> Learned:
    """The model that `train_ours` starts its passes from: the same with none, threshold included."""
    none, clock = rows.recipe.model_copy(update={"epochs": 0}), Clock()
    model = finetune(rows.base, rows.taught, client=rows.client, recipe=none, seed=seed).model
    spent = clock.spent
    return Learned("ours, before its passes", asked(model, rows), spent, [])


def looks_of(ours: Ours, start: Learned) -> list[Look]:
    """When our weights were there: the start at the end of the first step, which it was used for, or where that is
    sooner in a run of no pass; the result after everything, as losses and threshold decide what is kept."""
    began = min(less(ours.at.first, ours.at.begun), start.spent)
    return [Look(began, Rate.of(start.right)), Look(ours.learned.spent, Rate.of(ours.learned.right))]


def asked(model: Classifier, rows: Rows) -> list[bool]:
    """Is each test text answered right?"""
    return rights(model.probabilities(rows.asked).argmax(axis=1), rows.truth)


def fit_frozen(rows: Rows) -> Frozen:
    """A logistic regression on mean-pooled, normalised embeddings, as regularised as calibration rows like it best."""
    from sklearn.linear_model import LogisticRegression

    clock = Clock()
    encoder = load_encoder(rows.base, max_tokens=FULL_TOKENS, precision="fp32")
    train, held = (embed_all(encoder, [case.text for case in part]) for part in _parts(rows))
    truth, held_truth = (rows.numbers(part) for part in _parts(rows))
    tried = [LogisticRegression(C=strength, max_iter=1000).fit(train, truth) for strength in STRENGTHS]
    best = max(tried, key=lambda one: int((one.predict(held) == held_truth).sum()))
    spent = clock.spent
    found = best.predict(embed_all(encoder, rows.asked))
    return Frozen(Learned("frozen", rights(found, rows.truth), spent, []), best)


def train_all(rows: Rows, start: Any, *, seed: int) -> Learned:
    """All weights in float32 from the head of a logistic regression, with the rate that calibration rows like best.

    The pass with the lowest loss on those is kept; the other rates' runs are not counted in its seconds.
    """
    tried = [_train_all(rows, start, rate=rate, seed=seed) for rate in FULL_RATES]
    return min(tried, key=lambda one: one[0])[1]


def _train_all(rows: Rows, start: Any, *, rate: float, seed: int) -> tuple[float, Learned]:
    import torch

    torch.manual_seed(seed)
    clock = Clock()
    encoder = load_encoder(rows.base, max_tokens=FULL_TOKENS, precision="fp32")
    head = _head(start)
    texts, truth = [case.text for case in rows.taught.train], torch.from_numpy(rows.numbers(rows.taught.train))
    held, held_truth = [case.text for case in rows.taught.calibration], rows.numbers(rows.taught.calibration)
    size = rows.recipe.batch_size
    steps = FULL_EPOCHS * math.ceil(len(texts) / size)
    groups = [
        {"params": list(encoder.model.parameters()), "lr": rate},
        {"params": list(head.parameters()), "lr": rows.recipe.head_learning_rate},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=rows.recipe.weight_decay)
    rising = max(steps // 10, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / rising, (steps - step) / (steps - rising + 1))
    )
    best: tuple[float, list[bool]] = (math.inf, [])
    for number in range(FULL_EPOCHS):
        encoder.model.train()
        for at in _batches(texts, size, np.random.default_rng([seed, number])):
            found = head(encoder.embed([texts[row] for row in at]))
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(found, truth[at]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        with clock.standing():
            encoder.model.eval()
            lost = loss(logits(lambda some: head(encoder.embed(some)), held), held_truth)
            if lost < best[0]:
                right = rights(logits(lambda some: head(encoder.embed(some)), rows.asked).argmax(axis=1), rows.truth)
                best = (lost, right)
    return best[0], Learned("all weights", best[1], clock.spent, [])


def _head(fitted: Any) -> torch.nn.Linear:
    import torch

    weight, bias = torch.from_numpy(fitted.coef_).float(), torch.from_numpy(fitted.intercept_).float()
    head = torch.nn.Linear(weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": weight, "bias": bias})
    return head


def _batches(texts: list[str], size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Texts of about the same length together, in random order."""
    order = np.argsort(np.array([len(text) for text in texts]) * rng.uniform(0.9, 1.1, len(texts)), kind="stable")
    found = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(found)
    return found


def _parts(rows: Rows) -> tuple[Any, Any]:
    return rows.taught.train, rows.taught.calibration
