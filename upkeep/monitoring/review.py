"""How good was the model this week, and has a figure got worse beyond what chance explains?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import NamedTuple

from upkeep.config import Client, Thresholds
from upkeep.metrics.generated import Generated
from upkeep.monitoring.alarms import State
from upkeep.monitoring.changes import Seen, find_changes
from upkeep.monitoring.edge_cases import Edges
from upkeep.monitoring.estimate import Estimate, estimate_accuracy
from upkeep.monitoring.figures import ENOUGH_AUDITED, Figures
from upkeep.monitoring.input_shift import Inputs
from upkeep.monitoring.judgement import (
    Finding,
    Metric,
    Status,
    Watched,
    alert,
    is_plainly_worse,
    judge,
    no_alarm,
    pooled,
    terms,
    watched,
    weeks_of,
)
from upkeep.monitoring.past_alarms import PastAlarm, own_weeks, untold
from upkeep.monitoring.probation import Probation, on_probation
from upkeep.monitoring.recount import lost_rows, newest
from upkeep.monitoring.trouble import Change, Kind
from upkeep.periods import Cadence
from upkeep.statistics.rates import Rate


@dataclass(frozen=True, slots=True)
class WorseLeftOut:
    """A version's answers that are plainly worse than agreed, in a week that is counted for another version.

    Nothing judges them, so that it is no alarm: it is for people to read.
    """

    week: str
    version: str
    metric: Metric
    observed: Rate
    limit: float
    requests: Rate

    def __str__(self) -> str:
        whose = f"of version {self.version}, which answered {self.requests.hits:,} of {self.requests.n:,} requests"
        agreed = terms(self.metric, self.limit)
        return f"{self.metric.words} {self.observed} in {self.week} {whose} and is in no judged figure; {agreed}"


class Promoted(NamedTuple):
    """The version in service and the one that it took the place of."""

    version: str
    previous: str


@dataclass(frozen=True, slots=True)
class Contract:
    """What a client's tier is called, and how often it includes a retrain; None where it includes none."""

    tier: str
    retrain: Cadence | None


@dataclass(frozen=True, slots=True)
class Review:
    """What one weekly review found and recommends.

    `recounted` are the weeks before it as they are known now: labels come in late. So are `remeasured` the `generated`
    answers of those weeks; old reviews kept none. `estimate` is the accuracy that the model's confidence suggests;
    nobody has counted it. `contract` is the one of the week's review; old ones kept none.
    `strays` is how many of the outcomes given in the week are about no request; None where nobody has counted them.
    `worse_left_out` is told once: of a week whose labels come late, by a later review. `past_alarms` are those that the
    labels which came in since the review before show, and that are over.
    """

    client: str
    week: str
    as_of: datetime
    figures: Figures
    findings: tuple[Finding, ...]
    retrain_recommended: bool
    changes: tuple[Change, ...] = ()
    inputs: Inputs | None = None
    estimate: Estimate | None = None
    generated: Generated | None = None
    edges: Edges | None = None
    recounted: dict[str, Figures] = field(default_factory=dict)
    remeasured: dict[str, Generated] = field(default_factory=dict)
    probation: Probation | None = None
    contract: Contract | None = None
    strays: Rate | None = None
    worse_left_out: tuple[WorseLeftOut, ...] = ()
    past_alarms: tuple[PastAlarm, ...] = ()

    @property
    def alerts(self) -> list[Finding]:
        """The figures that have got worse."""
        return [finding for finding in self.findings if finding.status is Status.ALERT]

    @property
    def unusable(self) -> str | None:
        """The rows of the log that cannot be used, and where they are kept; None where there are none."""
        rows = self.figures.unusable
        return f"{rows}; see quarantine/{self.week}.jsonl in the client's store" if rows else None

    @property
    def opened(self) -> list[Finding]:
        """Those of them that ask for a retrain and did so in no review before: one change order for one cause."""
        return [one for one in self.alerts if one.new and not one.held]


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
    remeasured: Mapping[str, Generated] | None = None,
    edges: Edges | None = None,
    promoted: Promoted | None = None,
    contract: Contract | None = None,
    strays: Rate | None = None,
    troubles: Sequence[Change] = (),
) -> Review:
    """Judge a week's agreed figures against their limits and against the model's own first weeks.

    Accuracy is held against those also where no limit is agreed: it is of every answer, and nobody else would tell.
    `earlier` are the reviews of previous weeks, oldest first, `recounted` some of those weeks as they are known now.
    Figures are compared within the unbroken run of weeks with the same model, because a new model's record starts
    afresh; what is agreed goes on whatever model answers. `inputs` is what the week's requests looked like, or `unseen`
    why nobody could look; `versions` are the models that may be in service, empty where nobody knows; `generated` is
    how the answers read where they are texts, `remeasured` how those of the recounted weeks do, `edges` are the week's
    edge cases, `promoted` the change that brought the model in service there, `troubles` changes that were found
    already.
    """
    spread = client.alarms.weekly_spread_pp / 100
    again = dict(recounted or {})
    known = as_known(earlier, again)
    record = [*known, (week, figures)]
    run = [*_same_model(known, figures.model_version), record[-1]]
    going_on = _going_on([one for one in earlier if one.week in dict(run)])
    before = [one for _, one in run[:-1]]
    looks = {one.week: one.inputs for one in earlier}
    history = [Seen(one, looks[key]) for key, one in known]
    changes = (
        *find_changes(Seen(figures, inputs, unseen), before, client, history=history, versions=versions),
        *lost_rows(dict(known), again),
        *troubles,
    )
    unclear = _traffic_begins([*((one.week, one.changes) for one in earlier), (week, changes)])
    stands = {key: one for key, one in known if again.get(key) == one}
    rates = [
        watched(metric, limit, record, client, before=_agreed_before(earlier, metric))
        for metric, limit in _judged(client.thresholds)
    ]
    findings = tuple(judge(one, figures, client, new=one.metric not in going_on, unclear=unclear) for one in rates)
    alarmed = any(one.status is Status.ALERT and not one.held for one in findings)
    return Review(
        client=client.client,
        week=week,
        as_of=as_of,
        figures=figures,
        findings=findings,
        retrain_recommended=alarmed and bool(figures.requests),
        changes=changes,
        inputs=inputs,
        estimate=estimate_accuracy(figures, before, minimum=client.minimum_labels, weekly_spread=spread),
        generated=generated,
        edges=edges,
        recounted=stands,
        remeasured={key: one for key, one in (remeasured or {}).items() if key in stands},
        probation=on_probation(
            record,
            version=promoted.version,
            previous=promoted.previous,
            spread=spread,
            minimum=client.minimum_labels,
        )
        if promoted
        else None,
        contract=contract,
        strays=strays,
        worse_left_out=tuple(_worse_left_out(stands | {week: figures}, earlier, client)),
        past_alarms=tuple(past for one in rates for past in _past_alarms(one, earlier, client)),
    )


def _traffic_begins(weeks: Sequence[tuple[str, Sequence[Change]]]) -> set[str]:
    """The weeks of unusual traffic, of several in a row the first."""
    unusual = [any(one.kind is Kind.TRAFFIC for one in changes) for _, changes in weeks]
    before = [False, *unusual]
    return {key for (key, _), now, was in zip(weeks, unusual, before, strict=False) if now and not was}


def as_known(earlier: Sequence[Review], recounted: Mapping[str, Figures]) -> list[tuple[str, Figures]]:
    """Every reviewed week with the figures that were counted last, of all its rows."""
    known: dict[str, Figures] = {}
    for one in earlier:
        known = newest(known | {one.week: one.figures}, one.recounted)
    return list(newest(known, recounted).items())


def answers_as_known(reviewed: Iterable[Review]) -> dict[str, Generated]:
    """How the texts of each reviewed week read, as was measured last; `reviewed` has the oldest first."""
    known: dict[str, Generated] = {}
    for one in reviewed:
        known |= ({one.week: one.generated} if one.generated else {}) | one.remeasured
    return known


def _same_model(weeks: Sequence[tuple[str, Figures]], version: str | None) -> list[tuple[str, Figures]]:
    """The newest weeks of one model; a week in which nothing was logged is nobody's and breaks no run."""
    run: list[tuple[str, Figures]] = []
    for key, figures in reversed(weeks):
        version = version or figures.model_version
        if figures.model_version not in (None, version):
            break
        run.insert(0, (key, figures))
    return run


def _going_on(earlier: Sequence[Review]) -> set[Metric]:
    """What was an alert when it was last judged: too few labels end nothing, what is held has not begun."""
    last = {
        one.metric: one.status
        for found in earlier
        for one in found.findings
        if one.status is not Status.NOT_ENOUGH_DATA and not one.held
    }
    return {metric for metric, status in last.items() if status is Status.ALERT}


def _judged(thresholds: Thresholds) -> list[tuple[Metric, float | None]]:
    agreed = [(metric, thresholds.agreed[metric]) for metric in Metric if metric in thresholds.agreed]
    return [*agreed, *((one, None) for one in (Metric.ACCURACY,) if one not in thresholds.agreed)]


def _agreed_before(earlier: Sequence[Review], metric: Metric) -> dict[str, float | None]:
    """What was agreed of a figure when each week was reviewed; None where nothing was."""
    return {
        one.week: next((finding.limit for finding in one.findings if finding.metric is metric), None) for one in earlier
    }


def _worse_left_out(
    counted: Mapping[str, Figures], earlier: Sequence[Review], client: Client
) -> Iterator[WorseLeftOut]:
    """What of the weeks that are counted now is told for the first time."""
    told = {(one.week, one.version, one.metric) for found in earlier for one in found.worse_left_out}
    before = {metric: _agreed_before(earlier, metric) for metric in Metric}
    for key, figures in counted.items():
        for version, metric in product(figures.left_out, Metric):
            one = figures.left_out[version]
            rate, limit = getattr(one, metric.value), before[metric].get(key, client.thresholds.agreed.get(metric))
            if limit is None or rate.n < ENOUGH_AUDITED * client.minimum_labels or (key, version, metric) in told:
                continue
            if is_plainly_worse(metric, rate, limit):
                requests = Rate(one.requests, figures.requests)
                yield WorseLeftOut(key, version, metric, rate, limit, requests)


def _past_alarms(of: Watched, earlier: Sequence[Review], client: Client) -> Iterator[PastAlarm]:
    """The figure's alarms that are over and that only the labels which have come in since show."""
    shown = [(one.metric.value, one.weeks) for found in earlier for one in found.alerts]
    shown += [(one.metric, one.weeks) for found in earlier for one in found.past_alarms]
    new = untold(
        of.weeks,
        of.standings,
        before=lambda: weeks_of(of.metric, as_known(earlier, {})),
        watch=of.watch,
        enough=lambda weeks: pooled(own_weeks(weeks))[1].n >= client.minimum_labels,
        told={key for metric, weeks in shown if metric == of.metric for key in weeks},
    )
    for one in new:
        opened, upto, after = of.weeks[one.opened], of.weeks[: one.last + 1], of.weeks[: one.last + 2]
        limit, end = of.before.get(opened.key, of.limit), of.standings[one.last + 1]
        told = alert(of.metric, limit, upto, of.standings[one.last], new=True)
        yield PastAlarm(
            metric=of.metric.value,
            weeks=one.keys(of.weeks),
            version=opened.model,
            observed=told.observed,
            limit=limit,
            text=told.text,
            end=f"In {end.week} {no_alarm(of.metric, limit, own_weeks(after), end).text}"
            if end.state is State.CLOSED
            else f"Version {after[-1].model} was in service from {end.week} on",
        )
