"""Which requests show a trouble to people who have to do something about it?

A few of its weeks, of the newest that have some: the audit of the reviewed week itself has mostly only been drawn.
All of them are redacted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import chain, count, islice, takewhile

from upkeep.conversations import asked
from upkeep.desk import Desk
from upkeep.log.entries import Prediction, Sample, draw_order
from upkeep.log.tally import opinions
from upkeep.log.truth import Truth, truth_of
from upkeep.monitoring.edge_cases import Reason
from upkeep.monitoring.judgement import Metric
from upkeep.monitoring.review import Review
from upkeep.monitoring.risen_words import most_worded, risen_words
from upkeep.monitoring.trouble import Change, Kind
from upkeep.periods import week, weeks_before
from upkeep.redaction import shown

EXAMPLES = 3
COMPARED = 12
"""With so many weeks before it a trouble is compared, to tell which words came up."""
LOOKED_AT = 1_000
"""Requests of a week whose words are counted, chosen by chance."""
UNLIKE = {Reason.WORDS, Reason.FAR}
HANDED_OVER = "was handed to a person"


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
        self._wrong_in = cache(lambda key: list(self._find_wrong(key)))
        self._came_up = cache(self._find_words)

    def __call__(self, subject: str, change: Change | None, *, since: str, last: str | None = None) -> Examples:
        """A few requests of the weeks `since` one, until the `last` or now; wrong ones with the right answer.

        Precision is shown by automatic answers alone; auto-resolution by what a person got too, where those are few.
        Other requests than before are shown by the words that came up, and where none did by what is least like
        training texts, or by any of them where only their number has changed.
        """
        weeks = list(_newest_first(since, last or self.found.week))
        match change:
            case None:
                return _some(self._of_figure(subject, weeks))
            case Change(kind=Kind.INPUTS):
                return self._worded(since) or _unlike(self.found)
            case Change(kind=Kind.TRAFFIC):
                return self._worded(since) or self._any(weeks, change.day)
            case Change(kind=Kind.LABEL_MIX):
                return _some(self._answered(it) for it in self._drawn(weeks) if (it.output or "") == change.label)
            case Change(kind=Kind.CALIBRATION):
                surest = sorted(self._wrong(weeks), key=lambda it: -it[0].confidence)
                return _some(f"{self._wrongly(*it)} ({it[0].confidence:.0%} sure)" for it in surest)
        shows = _shows(change, self.desk.client.out_of_scope_label)
        return _some(self._wrongly(*it) for it in self._wrong(weeks) if shows and shows(*it))

    def _of_figure(self, subject: str, weeks: Iterable[str]) -> Iterator[str]:
        """What makes a figure worse: what its definition counts as a miss, an answer before a request without one."""
        automatic = (self._wrongly(*it) for it in self._wrong(weeks) if it[0].automatic)
        handed_over = (f"{self._quoted(it)} {HANDED_OVER}" for it in self._served(weeks) if not it.automatic)
        match subject:
            case Metric.ESCALATION:
                return handed_over
            case Metric.PRECISION:
                return automatic
            case Metric.AUTO_RESOLUTION:
                return chain(automatic, handed_over)
        return (self._wrongly(*it) for it in self._wrong(weeks))

    def _worded(self, since: str) -> Examples | None:
        found = self._came_up(since)
        return found if found.requests else None

    def _find_words(self, since: str) -> Examples:
        """The words that more requests of the weeks `since` one have than of those before it, and a few that have them.

        Of a conversation it is what the user has said.
        """
        now = self._texts(_newest_first(since, self.found.week))
        earlier = (self._texts([weeks_before(since, n + 1)]) for n in range(COMPARED))
        before = [texts for texts in earlier if texts]
        words = risen_words(now, [*chain(*before)], self.desk.client.redaction)
        patterns = [one.pattern for one in words]
        told = (f"“{shown(text, self.desk.client.redaction, patterns)}”" for text in most_worded(now, words)[:EXAMPLES])
        return Examples(tuple(told), tuple(map(str, words)), len(before) if words else None)

    def _texts(self, weeks: Iterable[str]) -> list[str]:
        return [asked(one.input) for key in weeks for one in islice(self._drawn([key]), LOOKED_AT)]

    def _any(self, weeks: Iterable[str], day: date | None) -> Examples:
        """Requests chosen by chance, of one day where it is named."""
        drawn = self._drawn(weeks)
        return _some(self._quoted(it) for it in drawn if day in (None, self.desk.local(it.at).date()))

    def _wrong(self, weeks: Iterable[str]) -> Iterator[tuple[Prediction, Truth]]:
        return (it for key in weeks for it in self._wrong_in(key))

    def _find_wrong(self, key: str) -> Iterator[tuple[Prediction, Truth]]:
        """What the model had wrong in a week, be it that a person got the request."""
        log, client = self._sampled(key), self.desk.client
        for prediction in log.predictions:
            counted = opinions(log.outcomes.get(prediction.id) or (), client.free_text)
            if counted:
                truth = truth_of(prediction, counted, out_of_scope=client.out_of_scope_label)
                if not truth.right:
                    yield prediction, truth

    def _served(self, weeks: Iterable[str]) -> Iterator[Prediction]:
        return (it for key in weeks for it in self._sampled(key).predictions)

    def _drawn(self, weeks: Iterable[str]) -> Iterator[Prediction]:
        """The requests week by week, each week's in an order of chance."""
        return (it for key in weeks for it in sorted(self._served([key]), key=lambda one: draw_order(one.id)))

    def _sampled(self, key: str) -> Sample:
        return self.desk.sample_log(week(key, self.desk.zone), until=self.found.as_of)

    def _quoted(self, prediction: Prediction) -> str:
        return f"“{self._shown(prediction.input)}”"

    def _answered(self, prediction: Prediction) -> str:
        given = self._shown(prediction.output)
        if prediction.automatic:
            done = f"was answered {given}" if given else "got no answer"
        else:
            done = f"{HANDED_OVER}; the model {f'would have answered {given}' if given else 'had no answer'}"
        return f"{self._quoted(prediction)} {done}"

    def _wrongly(self, prediction: Prediction, truth: Truth) -> str:
        right = self._shown(truth.answer)
        return f"{self._answered(prediction)}{f'; right: {right}' if right else ''}"

    def _shown(self, text: str | None) -> str:
        return shown(text or "", self.desk.client.redaction)


def _some(requests: Iterable[str]) -> Examples:
    return Examples(tuple(islice(requests, EXAMPLES)))


def _unlike(found: Review) -> Examples:
    odd = [one.text for one in found.edges.cases if UNLIKE & set(one.reasons)] if found.edges else []
    return _some(f"“{text}”" for text in odd)


def _newest_first(first: str, last: str) -> Iterator[str]:
    return takewhile(lambda key: key >= first, (weeks_before(last, n) for n in count()))


def _shows(change: Change, out_of_scope: str) -> Callable[[Prediction, Truth], bool] | None:
    """Does a wrong answer belong to the trouble? None where no single answer shows it."""
    right = {Kind.POLICY: change.new, Kind.NEW_CATEGORY: change.new, Kind.OUT_OF_SCOPE: out_of_scope}.get(change.kind)
    return (
        None
        if right is None
        else lambda prediction, truth: truth.answer == right and change.old in (None, prediction.output)
    )
