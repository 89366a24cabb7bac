"""How good was the model this week, and is an agreed threshold broken beyond doubt?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from upkeep.config import Client, Thresholds
from upkeep.log import LogWindow, OutcomeSource, Prediction
from upkeep.rates import Rate
from upkeep.truth import Truth, settle

BEYOND_DOUBT = 0.998
"""Two-sided confidence whose upper end must lie below the limit: one-sided 99.9 %."""
POOLED_WEEKS = 4
FULL_COVERAGE = 0.9


class Status(StrEnum):
    """How worried one should be."""

    OK = "ok"
    NOT_ENOUGH_DATA = "not enough data"
    ALERT = "alert"


class Basis(StrEnum):
    """Which labelled requests a rate was counted on."""

    AUDIT = "random audit sample"
    ALL = "all requests, nearly all labelled"
    NONE = "no unbiased labels"


class Metric(StrEnum):
    """The rates that can have an agreed floor."""

    ACCURACY = "accuracy"
    AUTO_RESOLUTION = "auto_resolution"
    PRECISION = "precision"


@dataclass(frozen=True, slots=True)
class Figures:
    """A week in figures. Quality is counted on `basis` and for `model_version`, the model in service at its end."""

    requests: int
    model_version: str | None
    basis: Basis
    accuracy: Rate
    auto_resolution: Rate
    precision: Rate
    escalation: Rate
    labelled: Rate
    mean_confidence: float | None
    label_mix: dict[str, int]
    unknown_labels: dict[str, int]
    quarantined: dict[str, int]
    orphan_outcomes: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement: what was observed over which weeks, against which limit."""

    status: Status
    metric: Metric
    observed: Rate
    limit: float
    weeks: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Review:
    """What one weekly review found and recommends."""

    client: str
    week: str
    as_of: datetime
    figures: Figures
    findings: tuple[Finding, ...]
    retrain_recommended: bool
    reasons: tuple[str, ...]

    @property
    def alerts(self) -> list[Finding]:
        """The findings that broke an agreed threshold."""
        return [finding for finding in self.findings if finding.status is Status.ALERT]


def figures(window: LogWindow, client: Client) -> Figures:
    """Count a week's log.

    Quality comes from the random audit sample, or from all requests where at least nine in ten are labelled; never
    from escalations and complaints alone, which are mostly the errors.
    """
    newest = window.predictions[-1].model_version if window.predictions else None
    current = [prediction for prediction in window.predictions if prediction.model_version == newest]
    labelled = [prediction for prediction in current if window.outcomes.get(prediction.id)]
    coverage = Rate(len(labelled), len(current))
    basis, sample = _sample(labelled, window, coverage)
    truths = _truths(window, client)
    judged = [(prediction.automatic, truths[prediction.id].right) for prediction in sample]
    known = {*client.labels, client.out_of_scope_label}
    answers = Counter(truth.answer for truth in truths.values() if truth.answer and truth.answer not in known)
    return Figures(
        requests=len(window.predictions),
        model_version=newest,
        basis=basis,
        accuracy=Rate.of(right for _, right in judged),
        auto_resolution=Rate.of(automatic and right for automatic, right in judged),
        precision=Rate.of(right for automatic, right in judged if automatic),
        escalation=Rate.of(not prediction.automatic for prediction in current),
        labelled=coverage,
        mean_confidence=sum(p.confidence for p in current) / len(current) if current else None,
        label_mix=dict(Counter(prediction.output or "" for prediction in window.predictions).most_common()),
        unknown_labels=dict(answers.most_common()),
        quarantined=dict(Counter(row.subject for row in window.quarantined).most_common()),
        orphan_outcomes=window.orphan_outcomes,
    )


def review(client: Client, *, week: str, as_of: datetime, figures: Figures, earlier: Sequence[Review]) -> Review:
    """Judge a week against the agreed floors, alone and pooled with the weeks before it.

    `earlier` are the reviews of previous weeks, oldest first; only the unbroken run of weeks with the same model
    counts, because a new model's record starts afresh.
    """
    pooled = _same_model(earlier, figures)[-(POOLED_WEEKS - 1) :]
    findings = tuple(
        _judge(metric, limit, week=week, figures=figures, pooled=pooled, need=client.minimum_labels)
        for metric, limit in _floors(client.thresholds)
    )
    reasons = tuple(finding.text for finding in findings if finding.status is Status.ALERT)
    return Review(client.client, week, as_of, figures, findings, bool(reasons), reasons)


def _truths(window: LogWindow, client: Client) -> dict[str, Truth]:
    return {
        prediction.id: settle(prediction, said, out_of_scope=client.out_of_scope_label)
        for prediction in window.predictions
        if (said := window.outcomes.get(prediction.id))
    }


def _sample(labelled: list[Prediction], window: LogWindow, coverage: Rate) -> tuple[Basis, list[Prediction]]:
    if coverage.value is not None and coverage.value >= FULL_COVERAGE:
        return Basis.ALL, labelled
    audited = [
        prediction
        for prediction in labelled
        if any(outcome.source is OutcomeSource.AUDIT for outcome in window.outcomes[prediction.id])
    ]
    return (Basis.AUDIT, audited) if audited else (Basis.NONE, [])


def _floors(thresholds: Thresholds) -> list[tuple[Metric, float]]:
    return [(metric, limit) for metric in Metric if (limit := getattr(thresholds, metric.value)) is not None]


def _same_model(earlier: Sequence[Review], figures: Figures) -> list[Review]:
    run: list[Review] = []
    for one in reversed(earlier):
        if one.figures.model_version != figures.model_version:
            break
        run.insert(0, one)
    return run


def _judge(
    metric: Metric, limit: float, *, week: str, figures: Figures, pooled: Sequence[Review], need: int
) -> Finding:
    alone: Rate = getattr(figures, metric.value)
    together = sum((getattr(one.figures, metric.value) for one in pooled), alone)
    weeks = (*(one.week for one in pooled), week)
    name = metric.value.replace("_", "-")
    for observed, over in ((alone, (week,)), (together, weeks)):
        if observed.n >= need and observed.interval(BEYOND_DOUBT).high < limit:
            text = f"{name} {observed} in {over[0]}..{over[-1]} is below the agreed {limit:.1%} beyond doubt"
            return Finding(Status.ALERT, metric, observed, limit, over, text.replace(f"{week}..{week}", week))
    if together.n < need:
        text = f"{name}: not enough data: have {together.n}, need {need} labelled requests ({figures.basis.value})"
        return Finding(Status.NOT_ENOUGH_DATA, metric, together, limit, weeks, text)
    return Finding(Status.OK, metric, alone, limit, (week,), f"{name} {alone}, agreed at least {limit:.1%}")
