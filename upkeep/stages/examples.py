"""Which requests show a trouble to people who have to do something about it?

A few of its weeks, of the newest that have some: the audit of the reviewed week itself has mostly only been drawn.
All of them are redacted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain, count, islice, takewhile

from upkeep.conversations import asked
from upkeep.desk import Desk
from upkeep.log.entries import Prediction, Sample, draw_order
from upkeep.log.tally import opinions
from upkeep.log.truth import Truth, truth_of
from upkeep.monitoring.edge_cases import Reason
from upkeep.monitoring.review import Metric, Review
from upkeep.monitoring.risen_words import most_worded, risen_words
from upkeep.monitoring.trouble import Change, Kind
from upkeep.periods import week, weeks_before
from upkeep.redaction import shown

EXAMPLES = 3
COMPARED = 12
"""With so many weeks before it a trouble is compared, to tell which words came up."""
LOOKED_AT = 1_000
"""Requests of a week whose words are counted, chosen by chance."""
OTHER_REQUESTS = {Kind.INPUTS, Kind.TRAFFIC}
UNLIKE = {Reason.WORDS, Reason.FAR}


@dataclass(frozen=True, slots=True)
class Examples:
    """A few requests that show a trouble, and the words that its weeks' requests have more often than those before.

    Those before are of so many weeks as they were `compared` with.
    """

    requests: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    compared: int | None = None


class ExamplesOf:
    """Finds examples of what a review has found; what several troubles are shown by is read once."""

    def __init__(self, desk: Desk, found: Review) -> None:
        self.desk, self.found = desk, found
        self._wrong = cache(lambda key: list(_wrong(desk, key, found.as_of)))
        self._came_up = cache(lambda since: _came_up(desk, found, since))

    def __call__(self, subject: str, change: Change | None, *, since: str) -> Examples:
        """A few requests of the weeks `since` one; those answered wrong with the right answer.

        Other requests than before are shown by the words that came up, and where none did by what is least like
        training texts.
        """
        weeks = _newest_first(since, self.found.week)
        if subject == Metric.ESCALATION:
            return _some(it for key in weeks for it in _handed_on(self.desk, key, self.found.as_of))
        if change and change.kind in OTHER_REQUESTS:
            worded = self._came_up(since)
            return worded if worded.requests or change.kind is not Kind.INPUTS else _unlike(self.found)
        shows = _shows(change, self.desk.client.out_of_scope_label)
        wrong = (it for key in weeks for it in self._wrong(key) if shows and shows(*it))
        return _some(_in_words(*it, self.desk) for it in wrong)


def _some(requests: Iterator[str]) -> Examples:
    return Examples(tuple(islice(requests, EXAMPLES)))


def _came_up(desk: Desk, found: Review, since: str) -> Examples:
    """The words that more requests of the weeks `since` one have than of those before it, and a few that have them.

    Of a conversation it is what the user has said.
    """
    now = [text for key in _newest_first(since, found.week) for text in _some_texts(desk, key, found.as_of)]
    earlier = (_some_texts(desk, weeks_before(since, n + 1), found.as_of) for n in range(COMPARED))
    before = [texts for texts in earlier if texts]
    words = risen_words(now, [*chain(*before)], desk.client.redaction)
    patterns = [one.pattern for one in words]
    told = (f"“{shown(text, desk.client.redaction, patterns)}”" for text in most_worded(now, words)[:EXAMPLES])
    return Examples(tuple(told), tuple(map(str, words)), len(before) if words else None)


def _some_texts(desk: Desk, key: str, until: datetime) -> list[str]:
    drawn = sorted(_sampled(desk, key, until).predictions, key=lambda one: draw_order(one.id))
    return [asked(one.input) for one in drawn[:LOOKED_AT]]


def _unlike(found: Review) -> Examples:
    odd = [one.text for one in found.edges.cases if UNLIKE & set(one.reasons)] if found.edges else []
    return _some(f"“{text}”" for text in odd)


def _sampled(desk: Desk, key: str, until: datetime) -> Sample:
    return desk.sample_log(week(key, desk.zone), until=until)


def _newest_first(first: str, last: str) -> Iterator[str]:
    return takewhile(lambda key: key >= first, (weeks_before(last, n) for n in count()))


def _handed_on(desk: Desk, key: str, until: datetime) -> Iterator[str]:
    """A week's requests that a person got."""
    for one in _sampled(desk, key, until).predictions:
        if not one.automatic:
            yield f"“{shown(one.input or '', desk.client.redaction)}” was handed to a person"


def _wrong(desk: Desk, key: str, until: datetime) -> Iterator[tuple[Prediction, Truth]]:
    """A week's wrong answers."""
    log = _sampled(desk, key, until)
    for prediction in log.predictions:
        counted = opinions(log.outcomes.get(prediction.id) or (), desk.client.free_text)
        if counted:
            truth = truth_of(prediction, counted, out_of_scope=desk.client.out_of_scope_label)
            if not truth.right:
                yield prediction, truth


def _in_words(prediction: Prediction, truth: Truth, desk: Desk) -> str:
    hide = desk.client.redaction
    request, given, right = (shown(one or "", hide) for one in (prediction.input, prediction.output, truth.answer))
    return f"“{request}” was answered {given}{f'; right: {right}' if right else ''}"


def _shows(change: Change | None, out_of_scope: str) -> Callable[[Prediction, Truth], bool] | None:
    """Does a wrong answer belong to the trouble? None where no single answer shows it."""
    if change is None:
        return lambda *_: True
    right = {Kind.POLICY: change.new, Kind.NEW_CATEGORY: change.new, Kind.OUT_OF_SCOPE: out_of_scope}.get(change.kind)
    return (
        None
        if right is None
        else lambda prediction, truth: truth.answer == right and change.old in (None, prediction.output)
    )
