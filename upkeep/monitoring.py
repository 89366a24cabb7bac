"""How good was the model this week, and has an agreed figure got worse beyond what chance explains?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from upkeep import alarms
from upkeep.alarms import Against, Standing, State
from upkeep.config import Client, Thresholds
from upkeep.log import LogWindow, OutcomeSource
from upkeep.quality import Calibrated, Confusion, Group, calibration, confusion
from upkeep.rates import Rate
from upkeep.tally import SCALE, Tally, latency_at, tally

POOLED_WEEKS = 4
"""So many weeks together must have the client's minimum of labels, else a metric is not judged."""
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
    """A week in figures. Quality is counted on `basis` and for `model_version`, the model in service at its end.

    So are `calibration` and `confusion`. Latency is of all requests, within 5 %; `label_delay` counts labelled requests
    by the whole days until something was said. Records written before these were counted have none of them.
    """

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
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    label_delay: dict[int, int] = field(default_factory=dict)
    calibration: tuple[Calibrated, ...] = ()
    confusion: tuple[Confusion, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement: what was observed over which weeks, the agreed floor, and where the incident stands if any."""

    status: Status
    metric: Metric
    observed: Rate
    limit: float
    weeks: tuple[str, ...]
    text: str
    standing: Standing | None = None


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
        """The agreed figures that have got worse."""
        return [finding for finding in self.findings if finding.status is Status.ALERT]


def figures(window: LogWindow, client: Client) -> Figures:
    """Count a week's log that was read row by row."""
    return figures_of(tally(window), client)


def figures_of(counted: Tally, client: Client) -> Figures:
    """What a window's counts say.

    Quality comes from the random audit sample, or from all requests where at least nine in ten are labelled; never
    from escalations and complaints alone, which are mostly the errors.
    """
    groups = [Group.of(cell, count, out_of_scope=client.out_of_scope_label) for cell, count in counted.cells.items()]
    current = [group for group in groups if group.cell.model_version == counted.newest]
    requests = sum(group.count.requests for group in current)
    coverage = _rate((group, bool(group.cell.said)) for group in current)
    basis, sample = _sample(current, coverage)
    known = {*client.labels, client.out_of_scope_label}
    return Figures(
        requests=sum(group.count.requests for group in groups),
        model_version=counted.newest,
        basis=basis,
        accuracy=_rate((group, group.right) for group in sample),
        auto_resolution=_rate((group, group.cell.automatic and group.right) for group in sample),
        precision=_rate((group, group.right) for group in sample if group.cell.automatic),
        escalation=_rate((group, not group.cell.automatic) for group in current),
        labelled=coverage,
        mean_confidence=sum(group.count.confidence for group in current) / SCALE / requests if current else None,
        label_mix=_mix((group.cell.output or "", group) for group in groups),
        unknown_labels=_mix((group.answer, group) for group in groups if group.answer and group.answer not in known),
        quarantined=dict(Counter(row.subject for row in counted.quarantined).most_common()),
        orphan_outcomes=counted.orphan_outcomes,
        latency_p50_ms=latency_at(counted, 0.5),
        latency_p95_ms=latency_at(counted, 0.95),
        label_delay=dict(sorted(counted.delay.items())),
        calibration=calibration(sample),
        confusion=confusion(sample),
    )


def review(client: Client, *, week: str, as_of: datetime, figures: Figures, earlier: Sequence[Review]) -> Review:
    """Judge a week's agreed figures against their floors and against the model's own first weeks.

    `earlier` are the reviews of previous weeks, oldest first; only the unbroken run of weeks with the same model
    counts, because a new model's record starts afresh.
    """
    run = [(one.week, one.figures) for one in _same_model(earlier, figures)] + [(week, figures)]
    findings = tuple(_judge(metric, floor, run, client) for metric, floor in _floors(client.thresholds))
    reasons = tuple(finding.text for finding in findings if finding.status is Status.ALERT)
    return Review(client.client, week, as_of, figures, findings, bool(reasons), reasons)


def _sample(current: Sequence[Group], coverage: Rate) -> tuple[Basis, list[Group]]:
    labelled = [group for group in current if group.cell.said]
    if coverage.value is not None and coverage.value >= FULL_COVERAGE:
        return Basis.ALL, labelled
    audited = [group for group in labelled if any(opinion.source is OutcomeSource.AUDIT for opinion in group.cell.said)]
    return (Basis.AUDIT, audited) if audited else (Basis.NONE, [])


def _rate(groups: Iterable[tuple[Group, bool]]) -> Rate:
    counted = [(group.count.requests, hit) for group, hit in groups]
    return Rate(sum(n for n, hit in counted if hit), sum(n for n, _ in counted))


def _mix(groups: Iterable[tuple[str, Group]]) -> dict[str, int]:
    """Requests by label, the most frequent first."""
    found: Counter[str] = Counter()
    for label, group in groups:
        found[label] += group.count.requests
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _floors(thresholds: Thresholds) -> list[tuple[Metric, float]]:
    return [(metric, limit) for metric in Metric if (limit := getattr(thresholds, metric.value)) is not None]


def _same_model(earlier: Sequence[Review], figures: Figures) -> list[Review]:
    run: list[Review] = []
    for one in reversed(earlier):
        if one.figures.model_version != figures.model_version:
            break
        run.insert(0, one)
    return run


def _judge(metric: Metric, floor: float, run: Sequence[tuple[str, Figures]], client: Client) -> Finding:
    weeks = [alarms.Week(key, getattr(figures, metric.value)) for key, figures in run]
    newest, name = weeks[-1], metric.value.replace("_", "-")
    together = sum((one.rate for one in weeks[-POOLED_WEEKS:]), Rate(0, 0))
    if together.n < client.minimum_labels:
        have = f"have {together.n}, need {client.minimum_labels} labelled requests ({run[-1][1].basis.value})"
        over = tuple(one.key for one in weeks[-POOLED_WEEKS:])
        return Finding(Status.NOT_ENOUGH_DATA, metric, together, floor, over, f"{name}: not enough data: {have}")
    standing = alarms.watch(
        weeks,
        floor=floor,
        limits=alarms.limits(client.alarms.false_alarms_a_year),
        assumed_spread=client.alarms.weekly_spread_pp / 100,
    )[-1]
    if standing.state in (State.OPENED, State.CONTINUING):
        return _alert(metric, name, floor, weeks, standing)
    back = f"; the trouble since {standing.since} is over" if standing.state is State.CLOSED else ""
    text = f"{name} {newest.rate}, agreed at least {floor:.1%}{back}"
    return Finding(Status.OK, metric, newest.rate, floor, (newest.key,), text, standing)


def _alert(metric: Metric, name: str, floor: float, weeks: Sequence[alarms.Week], standing: Standing) -> Finding:
    """The alarm in one line: what, when, compared with what, by which rule; while it goes on, the newest week."""
    over = tuple(one.key for one in weeks if standing.since is not None and one.key >= standing.since)
    agreed = standing.against is Against.AGREED
    wanted = f"the agreed {floor:.1%}" if agreed else f"the {standing.expected:.1%} of the model's first weeks"
    if standing.state is State.OPENED:
        observed = standing.observed or weeks[-1].rate
        when = over[0] if len(over) == 1 else f"{over[0]}..{over[-1]}"
        text = f"{name} {observed} in {when} is below {wanted} beyond chance ({standing.rule})"
    else:
        observed = weeks[-1].rate
        text = f"{name} {observed} in {over[-1]}, below {wanted} since {over[0]} ({standing.rule})"
    return Finding(Status.ALERT, metric, observed, floor, over, text, standing)
