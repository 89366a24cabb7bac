"""Is a figure worse than agreed, or than in the model's first weeks, and how is that said?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from upkeep.config import Client
from upkeep.monitoring import alarms
from upkeep.monitoring.alarms import Against, Direction, Standing, State
from upkeep.monitoring.figures import Figures
from upkeep.monitoring.past_alarms import own_weeks
from upkeep.periods import from_to
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


class Watched(NamedTuple):
    """A figure over the weeks, how it is watched, and where it stood after each; `before` is what was agreed then."""

    metric: Metric
    limit: float | None
    before: Mapping[str, float | None]
    weeks: list[alarms.Week]
    watch: Callable[[Sequence[alarms.Week]], list[Standing]]
    standings: list[Standing]


def watched(
    metric: Metric,
    limit: float | None,
    record: Sequence[tuple[str, Figures]],
    client: Client,
    *,
    before: Mapping[str, float | None],
) -> Watched:
    """Watch a figure over all weeks on record; `before` is what was agreed of it when each was reviewed."""
    watch = partial(
        alarms.watch,
        floor=limit,
        false_alarms_a_year=client.alarms.false_alarms_a_year,
        assumed_spread=client.alarms.weekly_spread_pp / 100,
        worse=metric.worse,
        before=before if limit is not None else dict.fromkeys(before),  # what is agreed no more asks for nothing
    )
    weeks = weeks_of(metric, record)
    return Watched(metric, limit, before, weeks, watch, watch(weeks))


def weeks_of(metric: Metric, record: Sequence[tuple[str, Figures]]) -> list[alarms.Week]:
    """The figure week by week."""
    return [alarms.Week(key, getattr(figures, metric.value), figures.model_version) for key, figures in record]


def judge(of: Watched, newest: Figures, client: Client, *, new: bool, unclear: Set[str]) -> Finding:
    """Judge the newest week, by those of the model in service; of `unclear` weeks nobody knows what the traffic was."""
    metric, limit, weeks, standing = of.metric, of.limit, of.weeks, of.standings[-1]
    mine = own_weeks(weeks)
    over, together = pooled(mine)
    if together.n < client.minimum_labels:
        counted = "requests" if metric is Metric.ESCALATION else f"labelled requests ({newest.basis.value})"
        have = f"have {together.n}, need {client.minimum_labels} {counted}"
        return Finding(Status.NOT_ENOUGH_DATA, metric, together, limit, over, f"{metric.words}: {have}")
    if standing.state in ALARMED:
        found = alert(metric, limit, weeks, standing, new=new)
        left_out = unclear & {*found.weeks}
        without = [one._replace(rate=Rate(0, 0)) if one.key in left_out else one for one in weeks]
        return replace(found, held=new and of.watch(without)[-1].state not in ALARMED)
    if not newest.requests:
        nothing = f"{metric.words}: no request in {weeks[-1].key}"
        return Finding(Status.NOT_ENOUGH_DATA, metric, weeks[-1].rate, limit, (weeks[-1].key,), nothing, standing)
    return no_alarm(metric, limit, mine, standing)


def pooled(mine: Sequence[alarms.Week]) -> tuple[tuple[str, ...], Rate]:
    """The model's newest weeks, and what they come to together."""
    lately = mine[-POOLED_WEEKS:]
    return tuple(one.key for one in lately), sum((one.rate for one in lately), Rate(0, 0))


def no_alarm(metric: Metric, limit: float | None, mine: Sequence[alarms.Week], standing: Standing) -> Finding:
    """What the newest of the model's weeks came to, or, where that is not known yet, the newest together."""
    over, together = pooled(mine)
    known, compared = bool(mine[-1].rate.n), sum(bool(one.rate.n) for one in mine)
    observed, over = (mine[-1].rate, over[-1:]) if known else (together, over)
    when = "" if known else f" in {from_to(over)}, not known yet in {over[-1]}"
    text = f"{metric.words} {observed}{when}, {terms(metric, limit)}"
    if limit is None and compared < alarms.JUDGED_FROM:
        text += f", and too few weeks of the model to compare with: have {compared}, need {alarms.JUDGED_FROM}"
        return Finding(Status.NOT_ENOUGH_DATA, metric, observed, limit, over, text, standing)
    text += ", no worse than in the model's first weeks beyond chance" if limit is None else ""
    text += f"; the trouble since {standing.since} is over" if standing.state is State.CLOSED else ""
    return Finding(Status.OK, metric, observed, limit, over, text, standing)


def alert(
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
        if known and not is_worse(metric, observed, standing.expected or 0.0):
            text += f"; {known[-1].key} alone is not, which may be chance"
    text += "" if agreed else f"; {terms(metric, limit)}"
    return Finding(Status.ALERT, metric, observed, limit, over, text, standing, new)


def terms(metric: Metric, limit: float | None) -> str:
    """What was agreed, in words."""
    if limit is None:
        return "no limit agreed"
    return f"agreed at {'most' if metric.worse is Direction.HIGHER_IS_WORSE else 'least'} {limit:.1%}"
