"""Which answer of a text is right, from when until when?

Cases are facts and are never changed. What they come to is told anew each time, from the cases, what reviewers decided
and the relabel rules: a version of a case for each answer that was right for a time. Of two answers to the same text
the later one ends the earlier, but a customer's not a reviewer's, nor does it stand beside one to nearly the same text;
a rule ends an old answer on its day and begins the new one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from upkeep.cases.case import Case, Source, normalise, succession
from upkeep.cases.review_batch import Choice, Question, ReviewDecision
from upkeep.cases.reviewed_answers import ReviewedAnswers, begins
from upkeep.config import Relabel

RULED = re.compile(r"@\d{4}-\d{2}-\d{2}$")
"""What the id of a version that a rule began has behind the case's."""


class History(NamedTuple):
    """Every version of every case, the cases that a reviewer wants left out, and doubtful ones that nobody has read.

    `contested` are those that say otherwise than a reviewed answer which holds until people decide about them.
    """

    versions: list[Case]
    rejected: list[Case]
    unread: list[Case]
    contested: list[Case]


def label_history(
    cases: Iterable[Case],
    *,
    rules: Sequence[Relabel],
    decided: Mapping[str, ReviewDecision],
    moment: datetime,
    zone: ZoneInfo,
    reviews_hold: bool = True,
    later_open: bool = True,
) -> History:
    """All that is known at a moment; rules that are not in force by then change nothing.

    Without `reviews_hold` any later answer ends a reviewed one too. `later_open` is that of `decision_on`; without it
    an old answer that is given again after a rule is ended by that too.
    """
    reviewed, rejected, unread = as_reviewed(cases, decided, later_open=later_open)
    in_force = [rule for rule in sorted(rules, key=lambda rule: rule.since) if begins(rule, zone) <= moment]
    answers = ReviewedAnswers(in_force, zone)
    in_order = sorted(reviewed, key=succession)
    holding = [reviews_hold and not answers.take(case) for case in in_order]
    texts: dict[str, list[Case]] = defaultdict(list)
    contested: list[Case] = []
    for case, held in zip(in_order, holding, strict=True):
        if held or (reviews_hold and answers.wait(case)):
            contested.append(case)
        else:
            _add(texts[normalise(case.text)], case, answers if later_open else None)
    versions = [version for chain in texts.values() for version in chain]
    for rule in in_force:
        versions = [part for version in versions for part in _ruled(version, rule, begins(rule, zone))]
    return History(versions, rejected, unread, contested)


def as_appended(cases: Iterable[Case]) -> list[Case]:
    """Every answer that was ever given, as if none could be outdated: what a retrain learns that only appends."""
    return list({(normalise(case.text), case.answer): case for case in cases}.values())


def decision_on(
    asked: Case | Question, decided: Mapping[str, ReviewDecision], *, later_open: bool = True
) -> ReviewDecision | None:
    """What reviewers decided about a case. Of another answer to the request, known later, they have said nothing.

    Nor has who accepted an answer of any other. Without `later_open` a change or a rejection goes for all answers.
    """
    said = decided.get(asked.id)
    if said is None or said.answer == asked.answer:
        return said
    later = later_open and asked.known_from is not None and asked.known_from > said.at
    return None if later or said.decision is Choice.ACCEPT else said


def as_reviewed(
    cases: Iterable[Case], decided: Mapping[str, ReviewDecision], *, later_open: bool = True
) -> tuple[list[Case], list[Case], list[Case]]:
    """The cases as reviewers have decided, those they rejected, and doubtful ones that none of them has read.

    `later_open` is that of `decision_on`.
    """
    kept: list[Case] = []
    rejected: list[Case] = []
    unread: list[Case] = []
    for case in cases:
        said = decision_on(case, decided, later_open=later_open)
        if said is None:
            (unread if case.doubts else kept).append(case)
        elif said.answer is None:
            rejected.append(replace(case, reviewer=said.by))
        elif said.decision is Choice.ACCEPT:
            kept.append(replace(case, reviewer=said.by))
        else:
            kept.append(replace(case, answer=said.answer, source=Source.REVIEWER, reviewer=said.by))
    return kept, rejected, unread


def _add(chain: list[Case], case: Case, answers: ReviewedAnswers | None) -> None:
    """Let a case follow what was right for its text before, by the rules that `answers` know too."""
    if not chain:
        chain.append(case)
        return
    last = chain[-1]
    rule = answers.ruled_otherwise(last, case.valid_from) if answers and case.valid_from else None
    if last.answer == case.answer and not rule:
        chain[-1] = replace(
            last, requests=last.requests + case.requests, was_error=last.was_error or case.was_error,
            drawn=last.drawn or case.by_chance,
        )  # fmt: skip
        return
    chain[-1] = replace(last, valid_to=case.valid_from, superseded_by=case.id)
    if case.valid_from == last.valid_from and (case.valid_from is None or case.known_from == last.known_from):
        chain.pop()  # said at once with the one that follows it: nobody was ever taught it
        if chain:
            chain[-1] = replace(chain[-1], superseded_by=case.id)
    chain.append(replace(case, replaced=rule.new if rule and rule.new != case.answer else last.answer))


def _ruled(version: Case, rule: Relabel, start: datetime) -> list[Case]:
    """The version before and after a rule; itself alone where the rule says nothing of it."""
    before = version.valid_from is None or version.valid_from < start
    after = version.valid_to is None or version.valid_to > start
    if not (before and after and rule.covers(version.answer, version.text)):
        return [version]
    follower = replace(
        version, id=f"{version.id}@{rule.since}", answer=rule.new, valid_from=start, replaced=version.answer,
        like=version.like or version.id,
    )  # fmt: skip
    return [replace(version, valid_to=start, superseded_by=follower.id), follower]
