"""How is an adapter taught?

The head starts from a regularised logistic regression on the frozen embeddings, then LoRA and head are trained
together for a few passes (training_loop.py); the pass with the lowest loss on held-out cases is kept, the start
counted as one. Last the temperature and the confidence threshold are fitted on the same held-out cases. The loop is
our own: batches of like length and a head that starts right are most of the speed, and transformers' Trainer offers
neither for free.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upkeep.base_model import Base
from upkeep.cases.case import Case
from upkeep.cases.snapshot import Snapshot
from upkeep.config import Client
from upkeep.errors import NotEnoughDataError
from upkeep.hardware import hardware_precision
from upkeep.models.batches import noted_halvings
from upkeep.models.classifier import Classifier
from upkeep.models.encoder import Encoder, embed_all, load_encoder
from upkeep.models.loading import Trained
from upkeep.models.manifest import Manifest
from upkeep.models.threshold import NOTHING_AUTOMATIC, Fit, fit_threshold
from upkeep.progress import Measured, Progress, silent, unmeasured
from upkeep.recipes import HeadRecipe, Weight
from upkeep.training.budget import Budget, Clock, limit_of, overrun
from upkeep.training.checkpoints import fingerprint, seconds_before
from upkeep.training.classifier_processes import ClassifierWork, Texts, learn_together
from upkeep.training.processes import launch_command
from upkeep.training.temperature import fit_temperature
from upkeep.training.training_loop import Labelled, learn, scaled
from upkeep.training.warm_start import identity_of, with_adapter

if TYPE_CHECKING:
    import torch


FOLDS = 3
"""So often some labels are left out, to see how sure a model is of what it does not know."""


class Embedded(NamedTuple):
    """What a model makes of the cases: embeddings of those trained on and of those held out."""

    train: NDArray[np.float32]
    held: NDArray[np.float32]
    taught: Labelled
    kept: Labelled


def finetune(
    base: Base,
    data: Snapshot,
    *,
    client: Client,
    recipe: HeadRecipe,
    seed: int,
    work: Path | None = None,
    champion: Path | None = None,
    clock: Clock = time.monotonic,
    progress: Progress = silent,
    measured: Measured = unmeasured,
) -> Trained[Classifier]:
    """Train an adapter and a head on `data` and fit the confidence threshold.

    Deterministic for a seed on one kind of machine. With a folder for its `work` a run that was killed goes on from
    where it put something aside last, and comes to the same, and the processes that UPKEEP_LAUNCH starts, if it is set,
    train it. `champion` is the release folder of the model in service, for a recipe that starts from it. Raises
    NotEnoughDataError where fewer than two labels or no held-out case is there to learn from, TrainingError where there
    is not enough memory for a single text, or processes fail.
    """
    import torch

    began = clock()
    _check(data, client)
    manifest = Manifest(
        labels=data.labels,
        out_of_scope_label=client.out_of_scope_label,
        threshold=NOTHING_AUTOMATIC,
        base=base.reference,
        base_digest=base.digest,
        max_tokens=recipe.max_tokens,
        precision=hardware_precision(recipe.precision),
        training_digest=data.digest,
        label_set=data.label_set,
        client=client.client,
        base_settings_digest=base.settings_digest,
    )
    folder = work / fingerprint(base, data, recipe, seed, manifest.precision, identity_of(champion)) if work else None
    earlier = seconds_before(folder) if folder and recipe.max_minutes else 0.0
    with torch.random.fork_rng(), noted_halvings() as scored:
        classifier, view, start = _begun(
            base, data, manifest, recipe=recipe, seed=seed, champion=champion, clock=clock, progress=progress
        )
        cut = _cuts(classifier.encoder, view)
        before = clock() - began
        command = launch_command()
        if command and folder:
            job = ClassifierWork(
                base, manifest, recipe, Texts.of(view.taught), Texts.of(view.kept), start.loss, seed,
                began=time.time() - before, look=start.look, after=start.after,
            )  # fmt: skip
            ran = learn_together(command, classifier, job, folder=folder, progress=progress, measured=measured)
        else:
            budget = Budget(limit_of(recipe), before, start.look, start.after)
            ran = learn(
                classifier, view.taught, view.kept, start=start.loss, recipe=recipe, seed=seed, clock=clock,
                budget=budget, folder=folder, progress=progress, measured=measured,
            )  # fmt: skip
        temperature = apply_temperature(classifier, view.kept)
        fit = calibrate(classifier, data, view, client)
    classifier.encoder.frozen = None
    classifier.manifest = replace(manifest, threshold=fit.threshold)
    notes = (*start.notes, *cut, *scored, *ran.notes, *overrun(recipe, earlier + clock() - began))
    return Trained(classifier, fit, ran.losses, notes, temperature)


def apply_temperature(classifier: Classifier, held: Labelled) -> float:
    """Divide the logits by the temperature that suits the held-out cases, in the head's own weights; returns it."""
    import torch

    temperature = scaled(classifier, held).temperature
    with torch.no_grad():
        for weight in classifier.head.parameters():
            weight.div_(temperature)
    return temperature


def calibrate(classifier: Classifier, data: Snapshot, view: Embedded, client: Client) -> Fit:
    """Fit the threshold that keeps the client's promised precision on the held-out cases.

    Requests of an unknown kind are rare or unseen when a model ships. How far they look like known ones is measured by
    leaving whole labels out of a logistic regression on the frozen embeddings: each held-out case of such a label is
    a request of an unknown kind, and its rank among the known ones is carried over to the new model's confidences.
    They are weighted to what the held-out cases lack of the share of unknown requests that the client expects.
    """
    index = {label: row for row, label in enumerate(classifier.labels)}
    real = np.array([label != client.out_of_scope_label for label in classifier.labels])
    truth = np.array([index.get(case.answer, -1) for case in data.calibration])
    probabilities = classifier.probabilities([case.text for case in data.calibration])
    confidence, right = _automatic(probabilities, truth, real)
    ranks = _unknown_ranks(view, real)
    unknown = np.quantile(confidence, ranks) if len(ranks) else np.zeros(0)
    seen = sum(case.answer == client.out_of_scope_label for case in data.calibration)
    lack = lacking(client.expected_out_of_scope, n=len(confidence), seen=seen)
    return fit_threshold(
        np.concatenate([confidence, unknown]),
        np.concatenate([right, np.zeros(len(unknown), dtype=bool)]),
        weight=np.concatenate([np.ones(len(confidence)), np.full(len(unknown), lack / max(len(unknown), 1))]),
        promised=client.promised_precision,
    )


def lacking(share: float, *, n: int, seen: int) -> float:
    """How many requests beside `n`, of which `seen` are of an unknown kind, make that the expected share of all."""
    return max(share * n - seen, 0.0) / (1 - share) if share < 1 else float(n)


def _unknown_ranks(view: Embedded, real: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of known held-out cases that are less sure than each case of a label that was left out."""
    from sklearn.linear_model import LogisticRegression

    ranks: list[NDArray[np.float64]] = []
    labels = np.flatnonzero(real)
    for fold in range(FOLDS):
        left_out = labels[fold::FOLDS]
        train = ~np.isin(view.taught.truth, left_out)
        unknown = np.isin(view.kept.truth, left_out)
        if len(set(view.taught.truth[train])) < 2 or not unknown.any() or unknown.all():
            continue
        fitted = LogisticRegression(C=3.0, max_iter=100, tol=1e-3).fit(view.train[train], view.taught.truth[train])
        confidence, _ = _automatic(fitted.predict_proba(view.held), view.kept.truth, real[fitted.classes_])
        ranks.append(np.searchsorted(np.sort(confidence[~unknown]), confidence[unknown]) / (~unknown).sum())
    return np.concatenate(ranks) if ranks else np.zeros(0)


def _automatic(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], real: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence in the answer, and whether it is right: 0 and never where the model itself says out of scope, for that
    is no answer that is sent."""
    top = probabilities.argmax(axis=1)
    confidence = np.where(real[top], probabilities.max(axis=1), 0.0)
    return confidence, (top == truth) & real[top]


def _check(data: Snapshot, client: Client) -> None:
    where = f"client {client.client}"
    if len(data.labels) < 2:
        raise NotEnoughDataError(what="fine-tuning (labels with cases)", have=len(data.labels), need=2, where=where)
    if not data.calibration:
        raise NotEnoughDataError(what="fitting the confidence threshold", have=0, need=1, where=where)


def _cuts(encoder: Encoder, view: Embedded) -> list[str]:
    texts = [*view.taught.texts, *view.kept.texts]
    cut = int((encoder.token_counts(texts) > encoder.max_tokens).sum())
    return [f"{cut:,} of {len(texts):,} requests cut to max_tokens"] if cut else []


class _Start(NamedTuple):
    """The held-out loss before the first step, and what is to be said of what the adapter starts from.

    By what that took, in seconds, so long takes a look at the held-out cases, and what comes `after` the last.
    """

    loss: float
    notes: tuple[str, ...]
    look: float
    after: float


def _begun(
    base: Base,
    data: Snapshot,
    manifest: Manifest,
    *,
    recipe: HeadRecipe,
    seed: int,
    champion: Path | None,
    clock: Clock,
    progress: Progress,
) -> tuple[Classifier, Embedded, _Start]:
    """The model before its first step, and what the base model alone makes of the cases."""
    import torch

    from upkeep.training.adapter_layers import prepare_encoder

    encoder = load_encoder(base, max_tokens=manifest.max_tokens, precision=manifest.precision)
    lora = prepare_encoder(encoder, recipe)
    train = label_weights(
        labelled(data.train, data.labels, recipe.mix.weight), least=recipe.least_weight, cases=recipe.minimum_examples
    )
    held = labelled(data.calibration, data.labels, Weight.ONCE)
    at = clock()
    view = embedded(encoder, train, held, progress=progress)
    look = (clock() - at) * _share(held, train)
    torch.manual_seed(seed)
    begun = with_adapter(encoder.model, lora, recipe, base=base, champion=champion)
    encoder.model = begun.model
    seen = embedded(encoder, train, held, progress=progress) if begun.warm else view
    at = clock()
    head, loss = _start(seen, recipe)
    a_fit = (clock() - at) / len(recipe.head_regularisation)
    after = 2 * look + FOLDS * a_fit  # the temperature looks once more, and calibrate does, which fits some regressions
    return Classifier(encoder, head, manifest), view, _Start(loss, begun.notes, look, after)


def _share(held: Labelled, train: Labelled) -> float:
    """How much of all texts, by their length, are the held-out ones."""
    of_held, of_train = (sum(map(len, some.texts)) for some in (held, train))
    return of_held / max(of_held + of_train, 1)


def embedded(encoder: Encoder, train: Labelled, held: Labelled, *, progress: Progress) -> Embedded:
    """What an encoder makes of the cases, adapted or not."""
    return Embedded(
        train=embed_all(encoder, train.texts, progress=progress),
        held=embed_all(encoder, held.texts, progress=progress),
        taught=train,
        kept=held,
    )


def labelled(cases: Sequence[Case], labels: Sequence[str], weight: Weight) -> Labelled:
    """A case that was asked n times counts once, or 1 + log2 n."""
    index = {label: row for row, label in enumerate(labels)}
    usable = [case for case in cases if case.answer in index]
    asked = np.array([1 if weight is Weight.ONCE else case.requests for case in usable], dtype=np.float32)
    truth = np.array([index[case.answer] for case in usable], dtype=np.int64)
    return Labelled([case.text for case in usable], truth, 1 + np.log2(asked))


def label_weights(taught: Labelled, *, least: float, cases: int) -> Labelled:
    """The cases of a label count together at least so much, but no more than those of the label in the middle: a new
    category's few are found among the many of others. With fewer `cases` than that they may be a slip of somebody who
    still uses a label that is given up, and count as they are."""
    whole, counts = np.bincount(taught.truth, weights=taught.weight), np.bincount(taught.truth)
    enough = min(least, float(np.median(whole[whole > 0])))
    times = np.where(counts < cases, 1, np.maximum(enough / np.maximum(whole, 1), 1))
    return taught._replace(weight=(taught.weight * times[taught.truth]).astype(np.float32))


def _start(view: Embedded, recipe: HeadRecipe) -> tuple[torch.nn.Linear, float]:
    """A linear layer with the weights of a logistic regression, regularised as the held-out cases like it best.

    With it their loss after temperature scaling, 0 where there are none.
    """
    import torch
    from sklearn.linear_model import LogisticRegression

    best, lowest = None, math.inf
    for strength in recipe.head_regularisation:
        fitted = LogisticRegression(C=strength, max_iter=100, tol=1e-3)
        fitted.fit(view.train, view.taught.truth, sample_weight=view.taught.weight)
        loss = fit_temperature(fitted.predict_proba(view.held), view.kept.truth).loss if len(view.held) else 0.0
        if loss < lowest:
            best, lowest = fitted, loss
    if best is None:
        raise NotEnoughDataError(what="choosing the head's start", have=0, need=1, where="head_regularisation")
    weight, bias = best.coef_, best.intercept_
    if len(weight) == 1:  # two labels: scikit-learn keeps only the second one's row
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    head = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
    return head, lowest
