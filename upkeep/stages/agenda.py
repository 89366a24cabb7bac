"""What has to be decided with a client at the end of a quarter, the most pressing first?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.evaluation.comparison import Verdict
from upkeep.monitoring.judgement import Metric, is_worse
from upkeep.monitoring.review import Review
from upkeep.monitoring.stretch import Stretch
from upkeep.monitoring.themes import Theme
from upkeep.monitoring.trouble import Kind
from upkeep.periods import Cadence, Window, period, periods_in, week
from upkeep.redaction import inert
from upkeep.stages.candidates import labels_in_use, labels_to_be
from upkeep.stages.decisions import Decision
from upkeep.stages.month_activity import missed_work, open_categories
from upkeep.stages.prerequisites import log_begins
from upkeep.stages.reporting import ended_in, share
from upkeep.stages.troubles import Trouble

NAMED_WEEKS = 3


class Seen(NamedTuple):
    """What a quarter's reviews and decisions say: by week, together, what went wrong, and what was decided.

    `idle` is why a challenger that won was not in service, by period.
    """

    weekly: Sequence[Review]
    whole: Stretch
    troubles: Sequence[Trouble]
    themes: Sequence[Theme]
    decided: Sequence[Decision]
    idle: Mapping[str, str]


def agenda(desk: Desk, quarter: Window, as_of: datetime, seen: Seen) -> Iterator[str]:
    """Each thing on one line, as it was known at `as_of`."""
    yield from (inert(" ".join(line.split())) for line in _lines(desk, quarter, as_of, seen))


def _lines(desk: Desk, quarter: Window, as_of: datetime, seen: Seen) -> Iterator[str]:
    for agreed, limit in desk.client.thresholds.agreed.items():
        metric = Metric(agreed)
        rate = seen.whole.rates[metric]
        if is_worse(metric, rate, limit):
            name = metric.words.capitalize()
            yield f"{name}: {share(rate)} over the quarter, agreed {100 * limit:.1f} %. What is to be done?"
    going_on = [one for one in seen.troubles if one.closed is None or one.closed > as_of]
    yield from (f"Since {one.since}: {one.text}. {one.action}" for one in going_on)
    for one in seen.decided:
        if one.period in seen.idle:
            yield f"Version {one.challenger} won in {one.period} and is not in service: {seen.idle[one.period]}."
    for one in seen.decided[-1:]:
        if one.verdict is Verdict.HOLD and not one.applied:
            yield f"The challenger of {one.period} was held: {'; '.join(one.reasons)}."
    for line in _undone(desk, quarter, as_of, seen.weekly):
        yield f"{line[0].upper()}{line[1:]}."
    yield from _candidates(desk, as_of, going_on, seen)
    yield from _data(desk, quarter, seen.weekly)


def _undone(desk: Desk, quarter: Window, as_of: datetime, weekly: Sequence[Review]) -> Iterator[str]:
    """What was due by the contract of then, which the month's first review kept, and was not done."""
    for month in periods_in(quarter, Cadence.MONTHLY, desk.zone):
        kept = [one.contract for one in ended_in(desk, month, weekly)][:1]
        included = kept[0].retrain if kept and kept[0] else None
        yield from missed_work(desk, month, as_of, included=included)
    yield from open_categories(desk, quarter, as_of)


def _candidates(desk: Desk, as_of: datetime, going_on: Sequence[Trouble], seen: Seen) -> Iterator[str]:
    """What the new quarter's category may be, where the tier includes one that is not used yet."""
    allowance = desk.tier.new_use_case
    if allowance is None or desk.client.free_text:
        return
    key, booked = period(as_of, allowance.per, desk.zone).key, [one for one in desk.use_cases() if one.as_of <= as_of]
    free = allowance.count - sum(one.period == key for one in booked)
    new = [one.change.new for one in going_on if one.change and one.change.kind is Kind.NEW_CATEGORY]
    used = labels_in_use(desk, seen.weekly, as_of)
    known = labels_to_be(desk, seen.weekly[-1].figures.model_version if seen.weekly else None, as_of)
    named = [f"{label!r}" for label in dict.fromkeys([*new, *used]) if label not in known]
    growing = [f"what is about {one.name!r}" for one in seen.themes if one.trend == "growing"]
    if free > 0:
        candidates = f"Candidates: {', '.join(named + growing)}." if named or growing else "No candidate was seen."
        yield f"The contract includes {count_of(free, 'new category', 'new categories')} in {key}. {candidates}"


def _data(desk: Desk, quarter: Window, weekly: Sequence[Review]) -> Iterator[str]:
    """What nobody knows; the newest week's audits are not back yet."""
    begins, there = log_begins(desk), {one.week for one in weekly}
    weeks = [week(one.key, desk.zone) for one in periods_in(quarter, Cadence.WEEKLY, desk.zone)]
    whole = [one for one in weeks if begins and begins.date() <= one.start.date()]
    logged = [one for one in whole if quarter.start < one.end <= quarter.end]
    missing = [one.key for one in logged if one.key not in there]
    if missing:
        yield f"Not reviewed, and not counted here: {len(missing)} of {len(logged)} weeks ({_named(missing)})."
    unknown = [one.week for one in weekly[:-1] if one.figures.requests and not one.figures.accuracy.n]
    if unknown:
        told = f"In {len(unknown)} of {len(weekly)} weeks nobody knows how good the answers were"
        yield f"{told} ({_named(unknown)}): who audits?"
    spoiled = sum(sum(one.figures.quarantined.values()) for one in weekly)
    if spoiled:
        yield f"{count_of(spoiled, 'log row')} could not be used: who repairs the export?"


def _named(weeks: Sequence[str]) -> str:
    return f"{', '.join(weeks[:NAMED_WEEKS])}{', ...' if len(weeks) > NAMED_WEEKS else ''}"
