"""How does a classifier learn one label more without changing its mind about the others?

Adapter and old rows of the head stay as they are; only a row for the new label is fitted, on the champion's own
embeddings. It is the multinomial logistic regression of all labels with the old rows held: a regression of the new
label against the rest whose offset is the log of the sum of the exponentials of the old logits, so that the new logit
is on their scale.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upkeep.base_model import Base
from upkeep.cases.snapshot import Snapshot
from upkeep.config import Client
from upkeep.errors import NotEnoughDataError
from upkeep.models.classifier import Classifier
from upkeep.models.encoder import embed_all, load_encoder
from upkeep.models.loading import Trained
from upkeep.models.threshold import NOTHING_AUTOMATIC
from upkeep.progress import Progress, silent
from upkeep.recipes import HeadRecipe, Weight
from upkeep.training.finetuning import calibrate, embedded, labelled
from upkeep.training.training_loop import Labelled

if TYPE_CHECKING:
    import torch

STRENGTH = 30.0
"""C of the regression. With ten examples of each of 15 new intents (clinc150) 95 % of the later ones are found and 0.01
points are lost on 120 old ones; from 10 to 1000 it hardly matters."""


class Row(NamedTuple):
    """A row of a head: its weights, shape (width,), and its bias."""

    weight: NDArray[np.float64]
    bias: float


def fit_row(
    embeddings: NDArray[np.float32],
    old_logits: NDArray[np.float64],
    is_new: NDArray[np.bool_],
    *,
    weight: NDArray[np.float64],
    strength: float,
) -> Row:
    """The row that a new label gets beside old ones that stay.

    `embeddings` has shape (cases, width), `old_logits` (cases, old labels); `is_new` says which cases have the new
    label, `weight` what each counts, `strength` is the C of a logistic regression. The bias is not regularised.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, logsumexp

    x = embeddings.astype(np.float64)
    rest, sign = logsumexp(old_logits, axis=1), np.where(is_new, 1.0, -1.0)

    def loss(row: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (x @ row[:-1] + row[-1] - rest)
        slope = -weight * sign * expit(-margin)
        value = 0.5 * row[:-1] @ row[:-1] / strength + weight @ np.logaddexp(0.0, -margin)
        return float(value), np.append(row[:-1] / strength + x.T @ slope, slope.sum())

    start = np.append(np.zeros(x.shape[1]), float(np.median(rest)))
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return Row(fitted[:-1], float(fitted[-1]))


def grow(
    champion: Classifier,
    label: str,
    base: Base,
    data: Snapshot,
    *,
    client: Client,
    recipe: HeadRecipe,
    progress: Progress = silent,
) -> Trained[Classifier]:
    """The champion with a row for a label and a threshold fitted anew; the champion itself stays as it is.

    A row that it has for the label already is fitted again, in its place; `data.labels` are the labels after that.
    Raises NotEnoughDataError where the label has too few cases to train on, or none is held out to fit the threshold.
    """
    place = data.labels.index(label)
    manifest = replace(
        champion.manifest,
        labels=data.labels,
        threshold=NOTHING_AUTOMATIC,
        training_digest=data.digest,
        label_set=data.label_set,
        client=client.client,
        base_settings_digest=base.settings_digest,
        blocks=_blocks(champion, grown=len(data.labels) > len(champion.labels)),
    )
    taught = labelled(data.train, data.labels, recipe.mix.weight)
    held = labelled(data.calibration, data.labels, Weight.ONCE)
    _check(label, int((taught.truth == place).sum()), len(held.texts), client=client, recipe=recipe)
    adapted = embed_all(champion.encoder, taught.texts, progress=progress)
    head = _with_row(champion.head, place, _row(champion, place, adapted, taught))
    classifier = Classifier(champion.encoder, head, manifest)
    frozen = load_encoder(base, max_tokens=manifest.max_tokens, precision=manifest.precision)
    view = embedded(frozen, taught, held, progress=progress)
    fit = calibrate(classifier, data, view, client)
    classifier.manifest = replace(manifest, threshold=fit.threshold)
    return Trained(classifier, fit, [])


def _check(label: str, examples: int, held: int, *, client: Client, recipe: HeadRecipe) -> None:
    where, need = f"client {client.client}", recipe.minimum_examples
    if examples < need:
        raise NotEnoughDataError(what=f"teaching {label!r} (cases to train on)", have=examples, need=need, where=where)
    if not held:
        raise NotEnoughDataError(what="fitting the confidence threshold", have=0, need=1, where=where)


def _blocks(champion: Classifier, *, grown: bool) -> tuple[int, ...]:
    before = champion.manifest.blocks or (len(champion.labels),)
    return (*before, 1) if grown else before


def _row(champion: Classifier, place: int, seen: NDArray[np.float32], taught: Labelled) -> Row:
    """Fit the row of the label in a place beside the champion's rows for the others.

    Its cases together count as much as those of an ordinary label: how often it will be asked, few examples do not say.
    """
    import torch

    with torch.inference_mode():
        logits = champion.logits(torch.from_numpy(seen)).double().cpu().numpy()
    others = np.delete(logits, place, axis=1) if place < logits.shape[1] else logits
    is_new, weight = taught.truth == place, taught.weight.astype(np.float64)
    counts = np.bincount(taught.truth, weights=weight, minlength=place + 1)
    usual = float(np.median(np.delete(counts, place)))
    weight[is_new] *= max(usual / counts[place], 1.0)
    return fit_row(seen, others, is_new, weight=weight, strength=STRENGTH)


def _with_row(head: torch.nn.Linear, place: int, row: Row) -> torch.nn.Linear:
    """A copy of a head with a row in its place, behind the others or instead of one."""
    import torch

    rows = max(place + 1, head.out_features)
    made = torch.nn.Linear(head.in_features, rows)
    with torch.no_grad():
        made.weight[: head.out_features] = head.weight
        made.bias[: head.out_features] = head.bias
        made.weight[place] = torch.from_numpy(row.weight)
        made.bias[place] = row.bias
    return made
