"""How is the model at the end of a month, in one word and in a few sentences?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from upkeep.monitoring.judgement import Finding, Metric, Status, is_plainly_worse, is_worse
from upkeep.monitoring.review import Review
from upkeep.statistics.rates import AnyRate

NO_ALARM = "That is no alarm yet, which takes a larger loss or more weeks of it, as weeks differ besides."


class Health(StrEnum):
    """The assessment in one word."""

    GOOD = "good"
    WATCH = "to be watched"
    UNKNOWN = "unknown"
    NEEDS_ATTENTION = "needs attention"


def assess(weekly: Sequence[Review], month: Mapping[Metric, AnyRate], agreed: Mapping[str, float]) -> Health:
    """The month's health: the newest week decides, and weeks that could not be judged by what was agreed are not good.

    Nor is a newest week, or a month, of which a figure's whole interval is worse than `agreed`: that is to be watched
    where it is no alarm. `month` are the rates of the whole month.
    """
    if not weekly:
        return Health.UNKNOWN
    if weekly[-1].alerts:
        return Health.NEEDS_ATTENTION
    judged = [one for one in weekly[-1].findings if one.status is Status.OK and one.limit is not None]
    if not judged:
        return Health.UNKNOWN
    doubtful = any(finding.is_doubtful for finding in judged)
    return Health.WATCH if doubtful or _worse_in(month, agreed)[0] else Health.GOOD


def in_words(weekly: Sequence[Review], month: Mapping[Metric, AnyRate], agreed: Mapping[str, float]) -> str:
    """What the word rests on: which agreed figures could be judged, and which are worse than agreed, if by chance.

    `month` are the rates of the whole month, which the reader sees beside what was `agreed`.
    """
    if not weekly:
        return "No week of this month was reviewed."
    newest = weekly[-1]
    if newest.alerts:
        broken = any(one.limit is not None for one in newest.alerts)
        what = "An agreed figure" if broken else "A figure of which no limit is agreed"
        return f'{what} has got worse, beyond what chance explains. See "What we found" for which one and when.'
    return " ".join(_sentences(newest, month, agreed))


def _sentences(newest: Review, month: Mapping[Metric, AnyRate], agreed: Mapping[str, float]) -> Iterator[str]:
    judged = [one for one in newest.findings if one.status is Status.OK and one.limit is not None]
    own = [one.text for one in newest.findings if one.status is Status.OK and one.limit is None]
    doubtful = [one for one in judged if one.is_doubtful]
    unjudged = [one.text for one in newest.findings if one.status is Status.NOT_ENOUGH_DATA]
    if doubtful:
        told = "; ".join(one.text for one in doubtful)
        yield f"Worse than agreed, by more than the sample's chance: {told}. {NO_ALARM}"
    elif judged:
        yield "No agreed figure that could be judged in the newest week is worse than its limit beyond chance."
    elif all(one.limit is None for one in newest.findings):
        yield "No figure was agreed that the model could be held against."
    else:
        yield "No agreed figure could be judged in the newest week."
    perhaps = [one.text for one in judged if one not in doubtful and _is_worse(one)]
    if perhaps:
        yield f"Worse than agreed, by no more than chance may explain: {'; '.join(perhaps)}."
    if own:
        yield f"Held against the model's own first weeks: {'; '.join(own)}."
    plainly, others = _worse_in(month, agreed)
    if plainly:
        yield f"Over the whole month worse than agreed, by more than the sample's chance: {', '.join(plainly)}."
    if others:
        yield f"Over the whole month worse than agreed: {', '.join(others)}."
    late = [one.metric.words for one in judged if one.weeks != (newest.week,)]
    if late:
        yield f"Not known yet when the newest week was reviewed, and judged by the weeks before: {', '.join(late)}."
    if unjudged:
        yield f"Not judged: {'; '.join(unjudged)}."


def _is_worse(one: Finding) -> bool:
    return one.limit is not None and is_worse(one.metric, one.observed, one.limit)


def _worse_in(month: Mapping[Metric, AnyRate], agreed: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """The figures that are worse than agreed over a month: those whose whole interval is, and the others."""
    limits = {metric: agreed[metric.value] for metric in Metric if metric.value in agreed}
    worse = [metric for metric, limit in limits.items() if is_worse(metric, month[metric], limit)]
    plainly = [metric.words for metric in worse if is_plainly_worse(metric, month[metric], limits[metric])]
    return plainly, [metric.words for metric in worse if metric.words not in plainly]
