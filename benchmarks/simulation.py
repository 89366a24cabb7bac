"""What would a client's weeks be in which nothing changes, or exactly one thing?

A client is drawn once: how often each label is right (Zipf), which labels the model mixes up, how restless traffic and
mix are, what requests look like. A week is then made request by request and counted as a log would be. Confidence is
calibrated; the true accuracy varies from week to week all the same. All labels are in when a week is judged. Models
that follow one another differ as those of retrains do (`draw_model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from upkeep.config import Client
from upkeep.log.entries import OutcomeSource, Quarantined
from upkeep.log.tally import SCALE, Cell, Count, Opinion, Tally, quarter
from upkeep.monitoring.changes import Seen
from upkeep.monitoring.figures import figures_of
from upkeep.monitoring.input_shift import Inputs
from upkeep.stages.request_analysis import LOOKED_AT
from upkeep.statistics.rates import Rate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VERSION = "1"
OUT_OF_SCOPE = "oos"
NEW = "new category"
FIRST_MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)
WEEKDAYS = np.array([1, 1, 1, 1, 1, 0.4, 0.3]) / 5.7

ACCURACY_SPREAD = 0.02
"""Standard deviation of the true accuracy from week to week."""
RESTLESS = (0.1, 0.3)
"""Coefficient of variation of an average label's share and of out of scope, from the calmest client to the most so."""
TRAFFIC_SPREAD = (0.1, 0.2)
COMPLAINTS = (0.2, 0.5)
"""Share of the wrong automatic answers that somebody complains about; half of them say what was right."""
SURE = 0.91
MIXED_UP = 0.8
"""Mean confidence of an ordinary label, and of one that the model mixes up with another."""
AUTOMATIC_FROM = 0.7
RARE = (0.001, 0.001, 0.0005, 0.0005)
"""Shares of labels that people use and the model never had."""
SPOILED = 0.004

MODEL_SURE, MODEL_LABEL, MODEL_OVERCONFIDENT = 0.01, 0.03, 0.01
"""Standard deviations, from one of a client's models to the next, of how sure it is of everything, of each label
besides, and of how much surer than right it is: about what real retrains showed at most, `benchmarks/successors.py`."""

PLANTED, ANOTHER = 2, 7
"""The label that changes, and what is right in its place after a change of policy; neither is mixed up with another."""
WIDTH = 64
OFFSET, TOPIC, WITHIN = 0.25, 0.2, 0.55
"""Parts of an embedding's squared length: what all requests share, what those of a label do, what each is alone."""


class Setting(NamedTuple):
    """A sort of client: labels, requests a week, and how many of them are audited by chance."""

    labels: int
    requests: int
    audit: int


class Shift(NamedTuple):
    """What is otherwise than before; as it stands, nothing.

    `arrived` is the new category's share of the requests, `grown` what the planted label's share is multiplied by,
    `overconfident` what confidence is too high by, `topic` the share of requests that are about something new, `harder`
    what the model is less sure and less often right by.
    """

    flipped: bool = False
    arrived: float = 0.0
    grown: float = 1.0
    out_of_scope: float = 0.05
    overconfident: float = 0.0
    traffic: float = 1.0
    topic: float = 0.0
    harder: float = 0.0


UNCHANGED = Shift()


@dataclass(frozen=True, slots=True)
class Looks:
    """What a client's requests look like: what embeddings have in common, by right answer, and their own spread."""

    offset: Floats
    topics: Floats
    within: Floats
    wander: float
    new_words: float
    length: float


@dataclass(frozen=True, slots=True)
class World:
    """All about a client that stays as it is.

    `names` are the right answers there are: the labels, out of scope, rare unknown ones, the new category. `sure` is
    the mean confidence by right answer, `instead` the answer that the model prefers where it is wrong, -1 for none.
    """

    setting: Setting
    client: Client
    names: tuple[str, ...]
    shares: Floats
    sure: Floats
    instead: Ints
    restless: float
    traffic_spread: float
    complaints: float
    looks: Looks


class Model(NamedTuple):
    """What one of a client's models does otherwise than the next: `sure` as in `World`, and what it is too sure by."""

    version: str
    sure: Floats
    overconfident: float = 0.0


class Answers(NamedTuple):
    """A week's requests, one element each: right answer, answer given, confidence."""

    truth: Ints
    given: Ints
    confidence: Floats


def draw_world(setting: Setting, rng: np.random.Generator, *, planted: float | None = None) -> World:
    """A client of this sort; `planted` is the planted label's share of the requests, its place's own if None."""
    labels = [f"label {number:03}" for number in range(setting.labels)]
    rare = [f"rare {number}" for number in range(len(RARE))]
    shares = 1 / np.arange(1, setting.labels + 1)
    shares /= shares.sum()
    shares = shares if planted is None else _with_share(shares, planted)
    names = (*labels, OUT_OF_SCOPE, *rare, NEW)
    return World(
        setting=setting,
        client=_client(labels),
        names=names,
        shares=shares,
        sure=_sure(setting.labels, len(names)),
        instead=_instead(setting.labels, len(names), rng),
        restless=float(rng.uniform(*RESTLESS)),
        traffic_spread=float(rng.uniform(*TRAFFIC_SPREAD)),
        complaints=float(rng.uniform(*COMPLAINTS)),
        looks=_looks(len(names), rng),
    )


def draw_model(world: World, version: str, rng: np.random.Generator) -> Model:
    """One of the models that this client may have had, no better and no worse than others on average."""
    sure = world.sure + rng.normal(0, MODEL_SURE) + rng.normal(0, MODEL_LABEL, len(world.sure))
    return Model(version, np.clip(sure, 0.05, 0.99), float(rng.normal(0, MODEL_OVERCONFIDENT)))


def usual_accuracy(world: World) -> float:
    """The share of requests that this client's models treat right on average; what fits no label is right in a
    person's hands."""
    from scipy.stats import beta

    labels, none = world.setting.labels, UNCHANGED.out_of_scope
    answered = (1 - none - sum(RARE)) * float(world.shares @ world.sure[:labels])
    return answered + none * float(beta.cdf(AUTOMATIC_FROM, *_beta(world.sure[labels])))


def draw_week(
    world: World, number: int, rng: np.random.Generator, shift: Shift = UNCHANGED, model: Model | None = None
) -> Seen:
    """The client's week of this number (0 is the first) with a model, as the weekly review sees it."""
    model = model or Model(VERSION, world.sure)
    usual = world.setting.requests * shift.traffic
    requests = max(int(rng.poisson(usual * rng.lognormal(0, world.traffic_spread))), 1)
    answers = _answers(world, requests, rng, shift, model)
    spoiled = int(rng.poisson(requests * SPOILED * rng.gamma(16) / 16))
    monday = FIRST_MONDAY + timedelta(weeks=number)
    days = rng.multinomial(requests, WEEKDAYS).tolist()
    counted = Tally(
        cells=_cells(world, answers, rng, shift, model.version),
        latency={},
        delay={},
        times={quarter(monday + timedelta(days=day)): {model.version: n} for day, n in enumerate(days) if n},
        quarantined=[Quarantined("log", line, "confidence: not a number", "") for line in range(spoiled)],
    )
    return Seen(figures_of(counted, world.client), _look(world, answers.truth[:LOOKED_AT], rng, shift))


def _client(labels: list[str]) -> Client:
    return Client.model_validate(
        {
            "client": "simulated",
            "name": "Simulated",
            "tier": 1,
            "time_zone": "Europe/Berlin",
            "task": "classification",
            "labels": labels,
            "out_of_scope_label": OUT_OF_SCOPE,
            "base_model": {"path": "none", "sha256": "0" * 64},
            "training": "none",
            "store": "none",
        }
    )


def _with_share(shares: Floats, planted: float) -> Floats:
    """These shares if the planted label had this one and the others shared the rest as they do."""
    found: Floats = shares * ((1 - planted) / (1 - shares[PLANTED]))
    found[PLANTED] = planted
    return found


def _sure(labels: int, answers: int) -> Floats:
    sure = np.full(answers, 0.5)
    sure[:labels] = SURE
    sure[:labels][_mixed_up(labels)] = MIXED_UP
    return sure


def _mixed_up(labels: int) -> Ints:
    """Labels that come in pairs of which the model takes one for the other: the first two of every four."""
    found = np.arange(labels)
    return found[(found % 4 < 2) & (found - found % 4 + 1 < labels)]


def _instead(labels: int, answers: int, rng: np.random.Generator) -> Ints:
    instead = np.full(answers, -1)
    pairs = _mixed_up(labels)
    instead[pairs] = pairs ^ 1
    instead[labels + 1 :] = rng.integers(0, labels, answers - labels - 1)
    return instead


def _looks(answers: int, rng: np.random.Generator) -> Looks:
    """The later directions vary less; how much less differs from client to client, and with it the dimensions."""
    falling = np.arange(1, WIDTH + 1) ** -rng.uniform(0.1, 0.6)
    offset = rng.normal(size=WIDTH)
    return Looks(
        offset=offset * (OFFSET**0.5 / np.linalg.norm(offset)),
        topics=rng.normal(size=(answers, WIDTH)) * np.sqrt(TOPIC * falling / falling.sum()),
        within=np.sqrt(WITHIN * falling / falling.sum()),
        wander=float(rng.uniform(0.0, 0.03)),
        new_words=float(rng.uniform(0.01, 0.06)),
        length=float(rng.uniform(5.5, 8.0)),
    )


def _answers(world: World, requests: int, rng: np.random.Generator, shift: Shift, model: Model) -> Answers:
    labels = world.setting.labels
    truth = rng.choice(len(world.names), requests, p=_mix(world, rng, shift))
    confidence = rng.beta(*_beta(model.sure[truth] - shift.harder))
    true_rate = confidence + rng.normal(0, ACCURACY_SPREAD) - shift.overconfident - model.overconfident
    right = (truth < labels) & (rng.random(requests) < true_rate)
    by_chance = rng.choice(labels, requests, p=world.shares)
    by_chance = np.where(by_chance == truth, (by_chance + 1) % labels, by_chance)
    preferred = world.instead[truth]
    wrong = np.where((preferred >= 0) & (rng.random(requests) < 0.7), preferred, by_chance)
    return Answers(truth, np.where(right, truth, wrong), confidence)


def _beta(mean: Floats) -> tuple[Floats, Floats]:
    """The parameters of a confidence with this mean."""
    return 5 * mean, 5 * (1 - mean)


def _mix(world: World, rng: np.random.Generator, shift: Shift) -> Floats:
    """How likely each right answer is this week."""
    shares = _with_share(world.shares, world.shares[PLANTED] * shift.grown)
    mix = rng.dirichlet(shares * world.setting.labels / world.restless**2)
    nothing = shift.out_of_scope * rng.lognormal(0, world.restless)
    others = [nothing, *RARE, shift.arrived]
    found: Floats = np.append(mix * (1 - sum(others)), others)
    return found


def _cells(world: World, answers: Answers, rng: np.random.Generator, shift: Shift, version: str) -> dict[Cell, Count]:
    """The requests by what they share, and what people said: of a sample, of all that were escalated, in complaints."""
    requests = len(answers.truth)
    truth = np.where((answers.truth == PLANTED) & shift.flipped, ANOTHER, answers.truth)
    automatic = answers.confidence >= AUTOMATIC_FROM
    audited = np.zeros(requests, dtype=bool)
    audited[rng.permutation(requests)[: world.setting.audit]] = True
    complained = automatic & (answers.given != truth) & (rng.random(requests) < world.complaints)
    named = complained & (rng.random(requests) < 0.5)
    told = np.where(~automatic | audited | named, truth, 0)
    tenth = np.minimum((answers.confidence * 10).astype(int), 9)
    columns = (answers.given, tenth, automatic, audited, complained, named, told)
    sizes = (len(world.names), 10, 2, 2, 2, 2, len(world.names))
    code = np.ravel_multi_index(tuple(column.astype(int) for column in columns), sizes)
    kinds, which, counts = np.unique(code, return_inverse=True, return_counts=True)
    sums = np.bincount(which, weights=answers.confidence)
    rows = zip(*(part.tolist() for part in np.unravel_index(kinds, sizes)), strict=True)
    cells = (_cell(world.names, version, *row) for row in rows)
    return {
        cell: Count(int(n), round(float(total) * SCALE)) for cell, n, total in zip(cells, counts, sums, strict=True)
    }


def _cell(names: Sequence[str], version: str, given: int, tenth: int, automatic: int, *said: int) -> Cell:
    """`said` is what the last four columns of `_cells` say."""
    audited, complained, named, told = said
    opinions: list[Opinion] = []
    if complained:
        opinions.append(Opinion(OutcomeSource.CUSTOMER, names[told] if named else None, False))
    if not automatic:
        opinions.append(Opinion(OutcomeSource.ESCALATION, names[told], None))
    if audited:
        opinions.append(Opinion(OutcomeSource.AUDIT, names[told], None))
    return Cell(version, names[given], bool(automatic), tenth, tuple(opinions))


def _look(world: World, truth: Ints, rng: np.random.Generator, shift: Shift) -> Inputs:
    """What these requests look like; `upkeep.monitoring.input_shift.describe_inputs` would need texts."""
    looks, n = world.looks, len(truth)
    new = rng.random(n) < shift.topic
    topics = np.where(new[:, None], looks.topics[-1], looks.topics[truth])
    centre = looks.offset + rng.normal(size=WIDTH) * looks.wander / WIDTH**0.5
    vectors = centre + topics + rng.normal(size=(n, WIDTH)) * looks.within
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths = looks.length + rng.normal(0, 0.05) + rng.normal(size=n)
    words = np.maximum(2 ** (lengths - 2.5), 1).astype(int)
    rates = np.clip(looks.new_words * rng.lognormal(0, 0.1) * rng.gamma(1, size=n), 0, 1)
    return Inputs(
        n=n,
        base="base",
        centre=tuple(vectors.mean(axis=0).tolist()),
        dimensions=_dimensions(vectors),
        words=Rate(int(rng.binomial(words, rates).sum()), int(words.sum())),
        length=float(lengths.mean()),
        length_sd=float(lengths.std(ddof=1)) if n > 1 else 0.0,
        languages=_languages(n, rng),
    )


def _dimensions(vectors: Floats) -> float:
    """As `monitoring.input_shift` counts them, from the smaller of the two matrices with the same eigenvalues."""
    n = len(vectors)
    if n <= 2:
        return 1.0
    covariance = np.cov(vectors, rowvar=False)
    trace = float(covariance.trace())
    squared = float((covariance**2).sum()) - trace**2 / (n - 1)
    return trace**2 / max(squared, trace**2 / min(n, WIDTH))


def _languages(n: int, rng: np.random.Generator) -> dict[str, int]:
    """Nearly all in one language, some in a second, and short ones that are taken for others."""
    second = 0.03 * rng.lognormal(0, 0.2)
    counts = rng.multinomial(n, [1 - second - 0.02, second, 0.01, 0.005, 0.005])
    return {code: int(hits) for code, hits in zip(("en", "de", "nl", "fr", "da"), counts, strict=True) if hits}
