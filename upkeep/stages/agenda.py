"""What has to be decided with a client at the end of a quarter, the most pressing first?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from upkeep.desk import Desk
from upkeep.evaluation.comparison import Verdict
from upkeep.monitoring.review import Metric, Review, is_worse
from upkeep.monitoring.stretch import Stretch
from upkeep.monitoring.themes import Theme
from upkeep.monitoring.trouble import Kind
from upkeep.periods import Cadence, Window, period, periods_in
from upkeep.stages.approval import waiting_for_approval
from upkeep.stages.decisions import decisions
from upkeep.stages.incidents import Incident
from upkeep.stages.month_activity import missed_work, open_categories
from upkeep.stages.reporting import share

NAMED_WEEKS = 3


class Seen(NamedTuple):
    """What a quarter's reviews found: week by week, together, the incidents of it, and what kept going wrong."""

    weekly: Sequence[Review]
    whole: Stretch
    troubles: Sequence[Incident]
    themes: Sequence[Theme]


def agenda(desk: Desk, quarter: Window, as_of: datetime, seen: Seen) -> Iterator[str]:
    """Each thing in a sentence or two, as it was known at `as_of`."""
    for agreed, limit in desk.client.thresholds.agreed.items():
        metric = Metric(agreed)
        rate = seen.whole.rates[metric]
        if is_worse(metric, rate, limit):
            name = metric.words.capitalize()
            yield f"{name}: {share(rate)} over the quarter, agreed {100 * limit:.1f} %. What is to be done?"
    going_on = [one for one in seen.troubles if one.closed is None or one.closed > as_of]
    yield from (f"Since {one.week}: {one.text}. {one.action}" for one in going_on)
    yield from (f"{line}." for line in waiting_for_approval(desk, as_of))
    newest = decisions(desk, at=as_of)[-1:]
    for one in newest:
        if one.verdict is Verdict.HOLD and one.as_of >= quarter.start:
            yield f"The challenger of {one.period} was held: {'; '.join(one.reasons)}."
    for line in _undone(desk, quarter, as_of):
        yield f"{line[0].upper()}{line[1:]}."
    yield from _candidates(desk, as_of, going_on, seen.themes)
    yield from _data(seen.weekly)


def _undone(desk: Desk, quarter: Window, as_of: datetime) -> Iterator[str]:
    for month in periods_in(quarter, Cadence.MONTHLY, desk.zone):
        yield from missed_work(desk, month, as_of, included=desk.tier.retrain)
    yield from open_categories(desk, quarter, as_of)


def _candidates(desk: Desk, as_of: datetime, going_on: Sequence[Incident], themes: Sequence[Theme]) -> Iterator[str]:
    """What the new quarter's category may be, where the tier includes one that is not used yet."""
    allowance = desk.tier.new_use_case
    if allowance is None:
        return
    key = period(as_of, allowance.per, desk.zone).key
    free = allowance.count - sum(one.period == key for one in desk.use_cases())
    seen = [f"{one.change.new!r}" for one in going_on if one.change and one.change.kind is Kind.NEW_CATEGORY]
    growing = [f"what is about {one.name!r}" for one in themes if one.trend == "growing"]
    if free > 0:
        candidates = f"Candidates: {', '.join(seen + growing)}." if seen or growing else "No candidate was seen."
        yield f"The contract includes {free} new categor{'y' if free == 1 else 'ies'} in {key}. {candidates}"


def _data(weekly: Sequence[Review]) -> Iterator[str]:
    if not weekly:
        yield "No week of the quarter was reviewed."
    unknown = [one.week for one in weekly if not one.figures.accuracy.n]
    if unknown:
        weeks = f"{', '.join(unknown[:NAMED_WEEKS])}{', ...' if len(unknown) > NAMED_WEEKS else ''}"
        yield f"In {len(unknown)} of {len(weekly)} weeks nobody knows how good the answers were ({weeks}): who audits?"
    spoiled = sum(sum(one.figures.quarantined.values()) for one in weekly)
    if spoiled:
        yield f"{spoiled:,} log rows could not be used: who repairs the export?"
