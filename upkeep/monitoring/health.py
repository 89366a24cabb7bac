"""How was the model in the newest week of a month, in one word and in a few sentences?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from upkeep.monitoring.review import Metric, Review, Status, is_worse
from upkeep.statistics.rates import AnyRate


class Health(StrEnum):
    """The assessment in one word."""

    GOOD = "good"
    UNKNOWN = "unknown"
    NEEDS_ATTENTION = "needs attention"


def assess(weekly: Sequence[Review]) -> Health:
    """The month's health: the newest week decides, and weeks that could not be judged are not called good."""
    if not weekly:
        return Health.UNKNOWN
    if weekly[-1].alerts:
        return Health.NEEDS_ATTENTION
    judged = any(finding.status is Status.OK for finding in weekly[-1].findings)
    return Health.GOOD if judged else Health.UNKNOWN


def in_words(weekly: Sequence[Review], month: Mapping[Metric, AnyRate], agreed: Mapping[str, float]) -> str:
    """What the word rests on: which agreed figures could be judged, and which are worse than agreed, if by chance.

    `month` are the rates of the whole month, which the reader sees beside what was `agreed`.
    """
    if not weekly:
        return "No week of this month was reviewed."
    newest = weekly[-1]
    if newest.alerts:
        return (
            'An agreed figure has got worse, beyond what chance explains. See "What we found" for which one and when.'
        )
    if not newest.findings:
        return "No figure was agreed that the model could be held against."
    return " ".join(_sentences(newest, month, agreed))


def _sentences(newest: Review, month: Mapping[Metric, AnyRate], agreed: Mapping[str, float]) -> Iterator[str]:
    judged = [one for one in newest.findings if one.status is Status.OK]
    unjudged = [one.text for one in newest.findings if one.status is Status.NOT_ENOUGH_DATA]
    if judged:
        yield "No agreed figure that could be judged in the newest week is worse than its limit beyond chance."
    else:
        yield "No agreed figure could be judged in the newest week."
    worse = [one for one in judged if is_worse(one.metric, one.observed, one.limit)]
    if worse:
        yield f"Worse than agreed, by no more than chance may explain: {'; '.join(one.text for one in worse)}."
    limits = {metric: agreed[metric.value] for metric in Metric if metric.value in agreed}
    over = [one for one, limit in limits.items() if is_worse(one, month[one], limit)]
    if over:
        yield f"Over the whole month worse than agreed: {', '.join(one.words for one in over)}."
    late = [one.metric.words for one in judged if one.weeks != (newest.week,)]
    if late:
        yield f"Not known yet when the newest week was reviewed, and judged by the weeks before: {', '.join(late)}."
    if unjudged:
        yield f"Not judged: {'; '.join(unjudged)}."
