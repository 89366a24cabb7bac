"""Which labelled cases did production bring since the last collection?

What says the same as a case that is there already is folded into it and counted; what says otherwise is kept, with who
said what. Personal data is taken out before anything is kept.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import NamedTuple

from upkeep.cases.case import ASKED, Case, Confirmed, Marked, Source, group_of, normalise, succession
from upkeep.cases.doubts import Doubt, doubts_of
from upkeep.cases.label_history import as_reviewed
from upkeep.cases.near_duplicates import Pair, similar_pairs
from upkeep.cases.review_batch import ReviewDecision
from upkeep.cases.reviewed_answers import ReviewedAnswers
from upkeep.config import Client, Relabel
from upkeep.log.entries import LogWindow, Outcome, OutcomeSource, Prediction, facets
from upkeep.log.truth import truth_of
from upkeep.metrics.closeness import Judge, judge_of
from upkeep.progress import Progress, silent
from upkeep.redaction import PersonalData, redact_answer, redact_cases

LATE = timedelta(days=31)
"""How long after its prediction an outcome is still waited for."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Requests that said the same as a case, known from a moment, and how many of them were answered wrong.

    `drawn` where chance chose one of them for an audit, `confirmed` who said so last of those that had been asked.
    """

    case: str
    requests: int
    errors: int
    known_from: datetime
    drawn: Marked = False
    confirmed: Confirmed = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a collection took: by prediction, a digest of the answer that all said about it came to (None: to none)."""

    as_of: datetime
    answers: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Collected:
    """New cases, what was folded into a case, and what all of it was taken from, as `Taken` has it.

    `redacted` counts personal data in requests by its kind (nothing of a client's own redactor), `redacted_requests`
    and `redacted_answers` the requests and the answers of which some was a part.
    """

    cases: tuple[Case, ...]
    folds: tuple[Fold, ...] = ()
    taken: dict[str, str | None] = field(default_factory=dict)
    redacted: dict[PersonalData, int] = field(default_factory=dict)
    redacted_answers: int = 0
    redacted_requests: int = 0

    @property
    def without_answer(self) -> int:
        """Predictions that somebody spoke of without saying what is right."""
        return sum(answer is None for answer in self.taken.values())

    @property
    def errors(self) -> int:
        """New cases that the model got wrong."""
        return sum(case.was_error for case in self.cases)

    @property
    def known(self) -> int:
        """Requests that said nothing new."""
        return sum(fold.requests for fold in self.folds)


class _Told(NamedTuple):
    """A prediction and all that was said about it, and what that comes to, with personal data in it or not."""

    prediction: Prediction
    said: Sequence[Outcome]
    right: bool
    answer: str
    personal: bool = False

    @property
    def drawn(self) -> bool:
        """Did chance choose it for an audit, whatever else was said about it?"""
        return any(said.source is OutcomeSource.AUDIT for said in self.said)

    @property
    def source(self) -> Source:
        """Who said so."""
        return Source(self.said[-1].source.value)


class _Known(NamedTuple):
    """A case, and whether it counts: what a reviewer left out does not, nor what is doubtful and unread.

    Where it `waits`, as a review contradicts it, somebody who is asked and says the same decides that.
    """

    case: Case
    counts: bool = True
    waits: bool = False


class _Answers:
    """What was said of each text and from when on, as cases; a text that was folded into another's has its."""

    def __init__(self, reviews: ReviewedAnswers, known: Iterable[_Known]) -> None:
        self.reviews = reviews
        self._said: defaultdict[str, list[_Known]] = defaultdict(list)
        self._folded: dict[str, str] = {}
        for one in known:
            self.add(one)

    def texts(self) -> list[str]:
        """The normalised texts of which something was said."""
        return [*self._said]

    def add(self, one: _Known) -> None:
        """Take in a case."""
        insort(self._said[normalise(one.case.text)], one, key=lambda known: succession(known.case))

    def before(self, text: str, like: str | None, moment: datetime) -> _Known | None:
        """What was said last of a text by a moment, or of the one that it is like; else what was said first."""
        named = (one if one in self._said else self._folded.get(one) for one in (text, like) if one is not None)
        said = next((self._said[one] for one in named if one is not None), [])
        by_then = [one for one in said if one.case.valid_from is None or one.case.valid_from <= moment]
        return by_then[-1] if by_then else next(iter(said), None)

    def fold(self, text: str, before: _Known) -> None:
        """Take in a request that said nothing new; a text that nothing else was said of has that one's answers."""
        root = normalise(before.case.text)
        again = replace(before.case, requests=before.case.requests + 1)
        self._said[root] = [one._replace(case=again) if one is before else one for one in self._said[root]]
        if text not in self._said:
            self._folded[text] = root

    def has(self, before: _Known, one: _Told) -> bool:
        """Does a request say nothing but what was right already when it came?"""
        if before.case.answer != one.answer or (before.waits and one.source in ASKED):
            return False
        return self.reviews.ruled_otherwise(before.case, one.prediction.at) is None


class _Earlier(NamedTuple):
    """What earlier collections have dealt with: the newest of what they `took`, the newest answers of their `cases`.

    Some have not kept what they took; they took all that was said before `since`. What is in `later` was dealt with by
    a collection of the same moment or a later one: where there is more to say of it, the next one will.
    """

    later: Collection[str]
    took: Mapping[str, str | None]
    cases: Mapping[str, str]
    since: datetime | None

    def may_lack(self, prediction: Prediction, said: Sequence[Outcome], answer: str | None) -> bool:
        """Is it something new, as far as is known? That nobody knows the answer is told once, and takes none back."""
        if prediction.id in self.later:
            return False
        if prediction.id in self.took:
            return answer is not None and self.took[prediction.id] != _digest(answer)
        return self.since is None or said[-1].at >= self.since

    def has(self, one: _Told) -> bool:
        """Is it a case already, of a collection that has not kept what it took?"""
        return self.took.get(one.prediction.id) is None and self.cases.get(_id(one.prediction)) == one.answer


def collect(
    window: LogWindow,
    *,
    since: datetime | None,
    taken: Iterable[Taken] = (),
    known: Iterable[Case],
    decided: Mapping[str, ReviewDecision] | None = None,
    rules: Sequence[Relabel] = (),
    client: Client,
    at: datetime,
    languages: Collection[str] = (),
    progress: Progress = silent,
) -> Collected:
    """Turn outcomes that no other collection took into cases known from `at`.

    `taken` is what others took; those that have not kept it took all that was said before `since`. Errors come with
    the right answer a person gave; answers confirmed as right are kept too, they hold the old ground and carry the
    present mix. The newest answer counts. Other ones are told as the case's conflict: to the same request, the last one
    to nearly the same text, what reviewers have `decided` about that, and what others last said of it who had been
    asked, unless one of the `rules` has ended that since. A text that is nearly that of a case with the same newest
    answer is folded into that, but for one that waits for people, where they say the same; with another answer it is
    a case of its own, on the same side.
    """
    there = sorted(known, key=succession)
    read, *others = as_reviewed(there, decided or {})
    reviews = ReviewedAnswers(rules, client.zone)
    for case in read:
        reviews.take(case)
    in_order = sorted(taken, key=lambda one: one.as_of)
    earlier = _Earlier(
        later={prediction for one in in_order if one.as_of >= at for prediction in one.answers},
        took={prediction: answer for one in in_order for prediction, answer in one.answers.items()},
        cases={case.id: case.answer for case in there},
        since=since,
    )
    told, took = _told(window, earlier, client)
    redacted = redact_cases((one.prediction.input for one in told), client.redaction)
    texts = [normalise(text) for text in redacted.texts]
    said = _Answers(reviews, (_Known(case, waits=reviews.contradicted_by(case) is not None) for case in read))
    for case in chain(*others):
        said.add(_Known(case, counts=False))
    like = earlier_like(texts, said.texts(), progress=progress)
    judge = judge_of(client.writing) if client.free_text else None
    cases: list[Case] = []
    folds: dict[str, Fold] = {}
    for row, (one, text) in enumerate(zip(told, redacted.texts, strict=True)):
        before = said.before(texts[row], like.get(row), one.prediction.at)
        if before and said.has(before, one):
            name = before.case.id
            folds[name] = _with(folds.get(name, Fold(name, 0, 0, at)), one)
            if one.source in ASKED:
                reviews.confirm(replace(before.case, confirmed=one.source))
            said.fold(texts[row], before)
            continue
        case = _case(one, text, before, client=client, at=at, languages=languages, judge=judge)
        held = reviews.contradicted_by(case) or reviews.contradicted_by(case, like=like.get(row))
        if before:
            case = _against(case, _otherwise(reviews, case, before, held, judge), _ended(reviews, case, before))
        reviews.take(case)
        said.add(_Known(case, waits=held is not None and case.source not in ASKED))
        cases.append(case)
    answers = sum(one.personal for one in told)
    return Collected(tuple(cases), tuple(folds.values()), took, redacted.found, answers, redacted.changed)


def first_day(keys: Iterable[str]) -> datetime | None:
    """Midnight UTC of the log's first day, from the keys of its files; None for an empty log."""
    days = [day for key in keys if (day := _day(key)) is not None]
    return min(days, default=None)


def _day(key: str) -> datetime | None:
    try:
        return datetime.fromisoformat(key.split("/")[2]).replace(tzinfo=UTC)
    except (IndexError, ValueError):
        return None  # not a day's file; the reader of the log says so


def _told(window: LogWindow, earlier: _Earlier, client: Client) -> tuple[list[_Told], dict[str, str | None]]:
    """What was said that is new, and of which predictions that was taken."""
    judge = judge_of(client.writing)
    given = (one.output for one in window.predictions if one.output)
    labels = {*client.answers, *earlier.cases.values(), *given}
    told: list[_Told] = []
    took: dict[str, str | None] = {}
    for prediction in window.predictions:
        said = window.outcomes.get(prediction.id)
        if not said:
            continue
        right, answer = truth_of(prediction, said, out_of_scope=client.out_of_scope_label)
        if not earlier.may_lack(prediction, said, answer):
            continue
        if answer is not None:
            one = _Told(prediction, said, right, answer)
            one = _written(one, client, judge) if client.free_text else one
            if earlier.has(one):
                continue
            told.append(one if client.free_text else _typed(one, client, labels))
        took[prediction.id] = _digest(answer)
    return told, took


def _digest(answer: str | None) -> str | None:
    return None if answer is None else hashlib.sha256(answer.encode()).hexdigest()[:12]


def _written(one: _Told, client: Client, judge: Judge) -> _Told:
    """The same of answers that are texts: without personal data or space around them, and right where somebody said so.

    A better wording makes no wrong answer of the given one: where nobody said so, it is right by the agreed measure.
    """
    output, wanted = one.prediction.output, one.answer.strip()
    texts = (one.prediction.input, output or "", wanted, *(said.answer or "" for said in one.said))
    request, given, answer, *answers = redact_cases(texts, client.redaction).texts
    judged = [said.correct for said in one.said if said.correct is not None]
    right = judged[-1] if judged else one.right if output is None else judge(request, answer, given)
    prediction = replace(one.prediction, output=None if output is None else given)
    said = [
        replace(said, answer=None if said.answer is None else text)
        for said, text in zip(one.said, answers, strict=True)
    ]
    return _Told(prediction, said, right, answer, personal=answer != wanted)


def _typed(one: _Told, client: Client, labels: Collection[str]) -> _Told:
    """The same of answers that are labels: without personal data where somebody typed something else."""

    def kept(answer: str | None) -> str | None:
        return None if answer is None else redact_answer(answer, client.redaction, labels=labels)

    answer = redact_answer(one.answer, client.redaction, labels=labels)
    said = [replace(said, answer=kept(said.answer)) for said in one.said]
    return one._replace(said=said, answer=answer, personal=answer != one.answer)


def earlier_like(texts: Sequence[str], known: Sequence[str], *, progress: Progress = silent) -> dict[int, str]:
    """For each text that is nearly another one, known or earlier among the texts, the most alike of those."""
    best: dict[int, Pair] = {}
    both = [*known, *texts]
    for pair in similar_pairs(texts, both, progress=progress):
        earlier = pair.other < len(known) + pair.row
        if earlier and (pair.row not in best or pair.similarity > best[pair.row].similarity):
            best[pair.row] = pair
    return {row: both[pair.other] for row, pair in best.items()}


def _with(fold: Fold, one: _Told) -> Fold:
    """The fold with one request more."""
    return replace(
        fold,
        requests=fold.requests + 1,
        errors=fold.errors + (not one.right),
        drawn=fold.drawn or one.drawn,
        confirmed=one.source if one.source in ASKED else fold.confirmed,
    )


def _case(
    one: _Told,
    text: str,
    before: _Known | None,
    *,
    client: Client,
    at: datetime,
    languages: Collection[str],
    judge: Judge | None,
) -> Case:
    prediction = one.prediction
    typed = [Doubt.ANSWER] if one.personal and not client.free_text else []
    group = prediction.metadata.get(client.conversation) if client.conversation else None
    return Case(
        id=_id(prediction),
        text=text,
        answer=one.answer,
        source=one.source,
        valid_from=prediction.at,
        prediction_id=prediction.id,
        model_version=prediction.model_version,
        was_error=not one.right,
        known_from=at,
        given=prediction.output,
        like=before.case.like or before.case.id if before else None,
        group=None if group in (None, "") else group_of(str(group)),
        conflict=_conflict(one, judge),
        doubts=(*doubts_of(text, languages=languages), *typed),
        by=facets(prediction.metadata, client.review_by),
        drawn=one.drawn,
        audited=one.drawn and (client.free_text or one.answer in client.labels),
    )


def _conflict(one: _Told, judge: Judge | None) -> str | None:
    """Who said what of the same request, where not all of it goes together. Of texts as answers the `judge` says so."""
    output, request = one.prediction.output, one.prediction.input

    def together(answer: str, other: str) -> bool:
        return answer == other or (judge is not None and judge(request, answer, other))

    all_said = [(said.source, said.answer or (output if said.correct else None)) for said in one.said]
    named = dict.fromkeys((source, answer) for source, answer in all_said if answer is not None)
    denied = dict.fromkeys(said.source for said in one.said if said.correct is False and not said.answer)
    last = [answer for _, answer in named][-1:]
    doubted = output is not None and bool(denied) and any(together(answer, output) for answer in last)
    if not doubted and all(together(final, answer) for final in last for _, answer in named):
        return None
    words = [f"{source.value} said {answer!r}" for source, answer in named]
    return "; ".join([*words, *(f"{source.value} said not {output!r}" for source in denied if doubted)])


def _otherwise(
    reviews: ReviewedAnswers, case: Case, before: _Known, held: Case | None, judge: Judge | None
) -> list[Case]:
    """Which cases say otherwise of a case's text: the one with the newest answer, and what people who were asked said.

    Where a review is `held` that one, and not what others said who had been asked. Of texts as answers the `judge` says
    which say the same.
    """
    newest = before.case if before.counts and reviews.said_otherwise(case, before.case) else None
    newest = None if newest and judge and judge(case.text, newest.answer, case.answer) else newest
    asked = held or reviews.asked_otherwise(case, like=before.case)
    told = {one.id: one for one in (newest, asked) if one}
    return [one for one in told.values() if one.id != case.id or one.reviewer or not case.conflict]


def _ended(reviews: ReviewedAnswers, case: Case, before: _Known) -> Iterator[str]:
    """What has ended an answer that a case gives again: a rule, or a reviewer who left the case itself out."""
    said = before.case
    rule = reviews.ruled_otherwise(said, case.valid_from) if case.valid_from else None
    if rule and said.answer == case.answer:
        yield f"the rule of {rule.since} says {rule.new!r}"
    if said.id == case.id and said.reviewer and not before.counts:
        yield f"{said.reviewer} left {said.id} out"


def _against(case: Case, others: Sequence[Case], ended: Iterable[str]) -> Case:
    """The case with what others said otherwise of its text or nearly that, and which review of nearly that does."""
    reviewed = (one.id for one in others if one.reviewer and normalise(one.text) != normalise(case.text))
    conflict = "; ".join([*([case.conflict] if case.conflict else []), *map(_word, others), *ended])
    return replace(case, conflict=conflict or None, against=next(reviewed, None))


def _word(other: Case) -> str:
    who = f"{other.reviewer or other.confirmed or other.source} said {other.answer!r}"
    return f"{who} in review of {other.id}" if other.reviewer else f"{who} of {other.id}"


def _id(prediction: Prediction) -> str:
    return f"p-{prediction.id}"
