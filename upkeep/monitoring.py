"""How good was the model this week, and has an agreed figure got worse beyond what chance explains?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from upkeep import alarms
from upkeep.alarms import Against, Standing, State
from upkeep.changes import Change, Seen, find_changes
from upkeep.config import Client, Thresholds
from upkeep.estimate import Estimate, estimate_accuracy
from upkeep.figures import Figures
from upkeep.generated import Generated
from upkeep.inputs import Inputs
from upkeep.rates import Rate

POOLED_WEEKS = 4
"""So many weeks together must have the client's minimum of labels, else a metric is not judged."""


class Status(StrEnum):
    """How worried one should be."""

    OK = "ok"
    NOT_ENOUGH_DATA = "not enough data"
    ALERT = "alert"


class Metric(StrEnum):
    """The rates that can have an agreed floor."""

    ACCURACY = "accuracy"
    AUTO_RESOLUTION = "auto_resolution"
    PRECISION = "precision"


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
    """What one weekly review found and recommends.

    `recounted` are the weeks before it as they are known now: labels come in late. `estimate` is the accuracy that the
    model's confidence suggests; nobody has counted it.
    """

    client: str
    week: str
    as_of: datetime
    figures: Figures
    findings: tuple[Finding, ...]
    retrain_recommended: bool
    reasons: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    inputs: Inputs | None = None
    estimate: Estimate | None = None
    generated: Generated | None = None
    recounted: dict[str, Figures] = field(default_factory=dict)

    @property
    def alerts(self) -> list[Finding]:
        """The agreed figures that have got worse."""
        return [finding for finding in self.findings if finding.status is Status.ALERT]


def review(
    client: Client,
    *,
    week: str,
    as_of: datetime,
    figures: Figures,
    earlier: Sequence[Review],
    recounted: Mapping[str, Figures] | None = None,
    inputs: Inputs | None = None,
    unseen: str | None = None,
    versions: Collection[str] = (),
    generated: Generated | None = None,
) -> Review:
    """Judge a week's agreed figures against their floors and against the model's own first weeks.

    `earlier` are the reviews of previous weeks, oldest first, `recounted` some of those weeks as they are known now.
    Figures are compared within the unbroken run of weeks with the same model, because a new model's record starts
    afresh. `inputs` is what the week's requests looked like, or `unseen` why nobody could look; `versions` are the
    models that may be in service, empty where nobody knows; `generated` is how the answers read where they are texts.
    """
    newest = dict(recounted or {})
    known = _as_known_now(earlier, newest)
    run = [*_same_model(known, figures.model_version), (week, figures)]
    findings = tuple(_judge(metric, floor, run, client) for metric, floor in _floors(client.thresholds))
    reasons = tuple(finding.text for finding in findings if finding.status is Status.ALERT)
    before = [one for _, one in run[:-1]]
    looks = {one.week: one.inputs for one in earlier}
    history = [Seen(one, looks[key]) for key, one in known]
    return Review(
        client=client.client,
        week=week,
        as_of=as_of,
        figures=figures,
        findings=findings,
        retrain_recommended=bool(reasons),
        reasons=reasons,
        changes=find_changes(Seen(figures, inputs, unseen), before, client, history=history, versions=versions),
        inputs=inputs,
        estimate=estimate_accuracy(figures, before, minimum=client.minimum_labels),
        generated=generated,
        recounted=newest,
    )


def _as_known_now(earlier: Sequence[Review], newest: Mapping[str, Figures]) -> list[tuple[str, Figures]]:
    """Every reviewed week with the figures that were counted last."""
    known: dict[str, Figures] = {}
    for one in earlier:
        known |= {one.week: one.figures} | {key: figures for key, figures in one.recounted.items() if key in known}
    known |= {key: figures for key, figures in newest.items() if key in known}
    return list(known.items())


def _same_model(weeks: Sequence[tuple[str, Figures]], version: str | None) -> list[tuple[str, Figures]]:
    """The newest weeks of one model; a week in which nothing was logged is nobody's and breaks no run."""
    run: list[tuple[str, Figures]] = []
    for key, figures in reversed(weeks):
        version = version or figures.model_version
        if figures.model_version not in (None, version):
            break
        run.insert(0, (key, figures))
    return run


def _floors(thresholds: Thresholds) -> list[tuple[Metric, float]]:
    return [(metric, limit) for metric in Metric if (limit := getattr(thresholds, metric.value)) is not None]


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
    observed = newest.rate if newest.rate.n else together
    back = f"; the trouble since {standing.since} is over" if standing.state is State.CLOSED else ""
    text = f"{name} {observed}, agreed at least {floor:.1%}{back}"
    return Finding(Status.OK, metric, observed, floor, (newest.key,), text, standing)


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
        seen = f"{observed} in {over[-1]}" if observed.n else f"not known yet in {over[-1]}"
        text = f"{name} {seen}, below {wanted} since {over[0]} ({standing.rule})"
    return Finding(Status.ALERT, metric, observed, floor, over, text, standing)
