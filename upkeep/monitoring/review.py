"""How good was the model this week, and has a figure got worse beyond what chance explains?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import product
from typing import NamedTuple

from upkeep.config import Client, Thresholds
from upkeep.metrics.generated import Generated
from upkeep.monitoring import alarms
from upkeep.monitoring.alarms import Against, Direction, Standing, State
from upkeep.monitoring.changes import Seen, find_changes
from upkeep.monitoring.edge_cases import Edges
from upkeep.monitoring.estimate import Estimate, estimate_accuracy
from upkeep.monitoring.figures import ENOUGH_AUDITED, Figures
from upkeep.monitoring.input_shift import Inputs
from upkeep.monitoring.past_alarms import PastAlarm, own_weeks, untold
from upkeep.monitoring.probation import Probation, on_probation
from upkeep.monitoring.recount import lost_rows, newest
from upkeep.monitoring.trouble import Change, Kind
from upkeep.periods import Cadence, from_to
from upkeep.statistics.rates import AnyRate, Rate

POOLED_WEEKS = 4
"""So many weeks together must have the client's minimum of labels, else a metric is not judged."""
ALARMED = (State.OPENED, State.CONTINUING)
ROUNDING = 1e-9
"""Of two shares that lie nearer to each other neither is worse: weights make a share a sum of fractions."""


class Status(StrEnum):
    """How worried one should be."""

    OK = "ok"
    NOT_ENOUGH_DATA = "not enough data"
    ALERT = "alert"


class Metric(StrEnum):
    """The rates that can have an agreed limit."""

    ACCURACY = "accuracy"
    AUTO_RESOLUTION = "auto_resolution"
    PRECISION = "precision"
    ESCALATION = "escalation"

    @property
    def worse(self) -> Direction:
        """Which way it gets worse."""
        return Direction.HIGHER_IS_WORSE if self is Metric.ESCALATION else Direction.LOWER_IS_WORSE

    @property
    def words(self) -> str:
        """Its name as people read it."""
        return self.value.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement: what was observed over which weeks, the agreed limit, and where the incident stands if any.

    Where no limit is agreed, `limit` is None and the model's own first weeks are what it is held against.
    It is `new` if it is an alert and was none when it was last judged: of a week whose labels come late, that is the
    next week's review. It is `held` while it is one only with a week in which traffic had just become another: nobody
    knows then whether it is more than that, so it asks for no retrain, and is new until it does.
    """

    status: Status
    metric: Metric
    observed: Rate
    limit: float | None
    weeks: tuple[str, ...]
    text: str
    standing: Standing | None = None
    new: bool = False
    held: bool = False

    @property
    def word(self) -> str:
        """How worried one should be, for people: what is plainly worse than agreed is not called ok."""
        return "worse than agreed, no alarm yet" if self.is_doubtful else self.status.value

    @property
    def is_doubtful(self) -> bool:
        """Is its whole interval worse than the limit though it is no alarm, which takes a larger loss or more weeks?"""
        if self.limit is None or self.status is not Status.OK:
            return False
        return is_plainly_worse(self.metric, self.observed, self.limit)


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
        terms = _terms(self.metric, self.limit)
        return f"{self.metric.words} {self.observed} in {self.week} {whose} and is in no judged figure; {terms}"


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


def is_worse(metric: Metric, rate: AnyRate, limit: float) -> bool:
    """Is a rate worse than its agreed limit, be it by chance?"""
    if rate.value is None:
        return False
    over = rate.value - limit
    return over > ROUNDING if metric.worse is Direction.HIGHER_IS_WORSE else over < -ROUNDING


def is_plainly_worse(metric: Metric, rate: AnyRate, limit: float) -> bool:
    """Is all of a rate's 95 % interval worse than its agreed limit?

    The interval has the chance of the sample; that weeks vary besides, an alarm takes into account.
    """
    low, high = rate.interval()
    return low > limit if metric.worse is Direction.HIGHER_IS_WORSE else high < limit


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
    watched = [
        _watch(metric, limit, record, client, before=_agreed_before(earlier, metric))
        for metric, limit in _judged(client.thresholds)
    ]
    findings = tuple(_judge(one, figures, client, new=one.metric not in going_on, unclear=unclear) for one in watched)
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
        past_alarms=tuple(past for one in watched for past in _past_alarms(one, earlier, client)),
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


class _Watched(NamedTuple):
    """A figure over the weeks, how it is watched, and where it stood after each; `before` is what was agreed then."""

    metric: Metric
    limit: float | None
    before: Mapping[str, float | None]
    weeks: list[alarms.Week]
    watch: Callable[[Sequence[alarms.Week]], list[Standing]]
    standings: list[Standing]


def _watch(
    metric: Metric,
    limit: float | None,
    record: Sequence[tuple[str, Figures]],
    client: Client,
    *,
    before: Mapping[str, float | None],
) -> _Watched:
    watch = partial(
        alarms.watch,
        floor=limit,
        limits=alarms.limits(client.alarms.false_alarms_a_year),
        assumed_spread=client.alarms.weekly_spread_pp / 100,
        worse=metric.worse,
        before=before if limit is not None else dict.fromkeys(before),  # what is agreed no more asks for nothing
    )
    weeks = _weeks(metric, record)
    return _Watched(metric, limit, before, weeks, watch, watch(weeks))


def _weeks(metric: Metric, record: Sequence[tuple[str, Figures]]) -> list[alarms.Week]:
    return [alarms.Week(key, getattr(figures, metric.value), figures.model_version) for key, figures in record]


def _judge(of: _Watched, newest: Figures, client: Client, *, new: bool, unclear: Set[str]) -> Finding:
    """Judge the newest week, by those of the model in service."""
    metric, limit, weeks, standing = of.metric, of.limit, of.weeks, of.standings[-1]
    mine = own_weeks(weeks)
    over, together = _pooled(mine)
    if together.n < client.minimum_labels:
        counted = "requests" if metric is Metric.ESCALATION else f"labelled requests ({newest.basis.value})"
        have = f"have {together.n}, need {client.minimum_labels} {counted}"
        return Finding(Status.NOT_ENOUGH_DATA, metric, together, limit, over, f"{metric.words}: {have}")
    if standing.state in ALARMED:
        found = _alert(metric, limit, weeks, standing, new=new)
        left_out = unclear & {*found.weeks}
        without = [one._replace(rate=Rate(0, 0)) if one.key in left_out else one for one in weeks]
        return replace(found, held=new and of.watch(without)[-1].state not in ALARMED)
    if not newest.requests:
        nothing = f"{metric.words}: no request in {weeks[-1].key}"
        return Finding(Status.NOT_ENOUGH_DATA, metric, weeks[-1].rate, limit, (weeks[-1].key,), nothing, standing)
    return _no_alarm(metric, limit, mine, standing)


def _past_alarms(of: _Watched, earlier: Sequence[Review], client: Client) -> Iterator[PastAlarm]:
    """The figure's alarms that are over and that only the labels which have come in since show."""
    shown = [(one.metric.value, one.weeks) for found in earlier for one in found.alerts]
    shown += [(one.metric, one.weeks) for found in earlier for one in found.past_alarms]
    new = untold(
        of.weeks,
        of.standings,
        before=_weeks(of.metric, as_known(earlier, {})),
        watch=of.watch,
        enough=lambda weeks: _pooled(own_weeks(weeks))[1].n >= client.minimum_labels,
        told={key for metric, weeks in shown if metric == of.metric for key in weeks},
    )
    for one in new:
        opened, upto, after = of.weeks[one.opened], of.weeks[: one.last + 1], of.weeks[: one.last + 2]
        limit, end = of.before.get(opened.key, of.limit), of.standings[one.last + 1]
        alert = _alert(of.metric, limit, upto, of.standings[one.last], new=True)
        yield PastAlarm(
            metric=of.metric.value,
            weeks=one.keys(of.weeks),
            version=opened.model,
            observed=alert.observed,
            limit=limit,
            text=alert.text,
            end=f"In {end.week} {_no_alarm(of.metric, limit, own_weeks(after), end).text}"
            if end.state is State.CLOSED
            else f"Version {after[-1].model} was in service from {end.week} on",
        )


def _pooled(mine: Sequence[alarms.Week]) -> tuple[tuple[str, ...], Rate]:
    """The model's newest weeks, and what they come to together."""
    lately = mine[-POOLED_WEEKS:]
    return tuple(one.key for one in lately), sum((one.rate for one in lately), Rate(0, 0))


def _no_alarm(metric: Metric, limit: float | None, mine: Sequence[alarms.Week], standing: Standing) -> Finding:
    """What the newest of the model's weeks came to, or, where that is not known yet, the newest together."""
    over, together = _pooled(mine)
    known, compared = bool(mine[-1].rate.n), sum(bool(one.rate.n) for one in mine)
    observed, over = (mine[-1].rate, over[-1:]) if known else (together, over)
    when = "" if known else f" in {from_to(over)}, not known yet in {over[-1]}"
    text = f"{metric.words} {observed}{when}, {_terms(metric, limit)}"
    if limit is None and compared < alarms.JUDGED_FROM:
        text += f", and too few weeks of the model to compare with: have {compared}, need {alarms.JUDGED_FROM}"
        return Finding(Status.NOT_ENOUGH_DATA, metric, observed, limit, over, text, standing)
    text += ", no worse than in the model's first weeks beyond chance" if limit is None else ""
    text += f"; the trouble since {standing.since} is over" if standing.state is State.CLOSED else ""
    return Finding(Status.OK, metric, observed, limit, over, text, standing)


def _alert(
    metric: Metric, limit: float | None, weeks: Sequence[alarms.Week], standing: Standing, *, new: bool
) -> Finding:
    """The alarm in one line: what, when, compared with what, by which rule; while it goes on, the newest known week."""
    over = tuple(one.key for one in weeks if standing.since is not None and one.key >= standing.since)
    known = [one for one in weeks if one.key in over and one.rate.n]
    agreed = standing.against is Against.AGREED
    wanted = (
        f"the agreed {standing.expected:.1%}" if agreed else f"the {standing.expected:.1%} of the model's first weeks"
    )
    beyond = "above" if metric.worse is Direction.HIGHER_IS_WORSE else "below"
    if new:
        observed = standing.observed or weeks[-1].rate
        when = from_to([one.key for one in known])
        text = f"{metric.words} {observed} in {when} is {beyond} {wanted} beyond chance ({standing.rule})"
    else:
        observed = known[-1].rate if known else weeks[-1].rate
        seen = [f"{observed} in {known[-1].key}"] if known else []
        seen += [] if weeks[-1].rate.n else [f"not known yet in {over[-1]}"]
        text = f"{metric.words} {', '.join(seen)}, {beyond} {wanted} since {over[0]} ({standing.rule})"
        if known and not _worse(observed, standing, metric):
            text += f"; {known[-1].key} alone is not, which may be chance"
    text += "" if agreed else f"; {_terms(metric, limit)}"
    return Finding(Status.ALERT, metric, observed, limit, over, text, standing, new)


def _worse(rate: Rate, standing: Standing, metric: Metric) -> bool:
    """Is a rate on the wrong side of what an alarm is held against?"""
    found, expected = rate.hits / rate.n, standing.expected or 0.0
    return found > expected if metric.worse is Direction.HIGHER_IS_WORSE else found < expected


def _terms(metric: Metric, limit: float | None) -> str:
    if limit is None:
        return "no limit agreed"
    return f"agreed at {'most' if metric.worse is Direction.HIGHER_IS_WORSE else 'least'} {limit:.1%}"
