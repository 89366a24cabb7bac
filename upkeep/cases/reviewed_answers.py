"""Which answers that reviewers gave still hold, whatever a customer says since?

Such an answer holds until a reviewer decides otherwise, people who were asked say otherwise, or a relabel rule ends it.
So long a customer's other answer to its text waits, and one to nearly its text that was told to contradict it. For
what anybody else said nothing waits; it is told that it is contradicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from upkeep.cases.case import ASKED, Case, Source, normalise, succession
from upkeep.config import Relabel


def begins(rule: Relabel, zone: ZoneInfo) -> datetime:
    """The midnight in a zone from which on a rule holds."""
    return datetime(rule.since.year, rule.since.month, rule.since.day, tzinfo=zone)


class ReviewedAnswers:
    """By text, the answer that a reviewer gave last: of cases as reviewed, taken in by `take` in their succession."""

    def __init__(self, rules: Sequence[Relabel], zone: ZoneInfo) -> None:
        self._begins = [(rule, begins(rule, zone)) for rule in sorted(rules, key=lambda rule: rule.since)]
        self._held: dict[str, Case] = {}
        self._reviewed: dict[str, str] = {}
        self._against: dict[str, str] = {}
        self._asked: dict[str, Case] = {}

    def take(self, case: Case) -> bool:
        """Take in the next case; may it follow what was right for its text before?"""
        text = normalise(case.text)
        held = self._held.get(text)
        if case.reviewer:
            self._held[text], self._reviewed[case.id] = case, text
        elif held and held.answer != case.answer:
            if case.source not in ASKED and not self._ended(held, case):
                return False
            del self._held[text]
        if _decided(case) or case.confirmed:
            self.confirm(case)
        if _decided(case):
            self._against.pop(text, None)
        elif case.against:
            self._against[text] = case.against
        return True

    def confirm(self, case: Case) -> None:
        """Take in that people who were asked say what a case does; what they said of a later request stands."""
        before = self._asked.get(normalise(case.text))
        if before is None or succession(before) <= succession(case):
            self._asked[normalise(case.text)] = case

    def wait(self, case: Case) -> bool:
        """Does a review of nearly its text, which it was told to contradict, still hold once all cases are taken in?"""
        return not _decided(case) and self._contradicted(case, self._near(case.against)) is not None

    def contradicted_by(self, case: Case, *, like: str | None = None) -> Case | None:
        """The reviewed case that holds and has another answer to the case's text, or to a normalised one it is like.

        Where that text's own answer waits, as a review of nearly the same text contradicts it, that review counts.
        """
        text = normalise(case.text) if like is None else like
        held = self._held.get(text)
        return self._contradicted(case, held or self._near(self._against.get(text)))

    def asked_otherwise(self, case: Case, *, like: Case) -> Case | None:
        """The case with what people who were asked last said of the text of one like it, where it says otherwise since.

        Where people were asked again, the newer word of theirs contradicts nobody.
        """
        asked = self._asked.get(normalise(like.text))
        if asked is None or case.source in ASKED or succession(case) < succession(asked):
            return None
        return self._contradicted(case, asked)

    def said_otherwise(self, case: Case, said: Case) -> bool:
        """Do two answers contradict each other, with no rule between that has ended one of them?

        The launch set's answers that no request has had since may be outdated, and contradict nobody.
        """
        agreed = said.source is Source.LAUNCH and not said.reviewer and said.requests == 1
        return not agreed and not self._ended(case, said) and self._contradicted(case, said) is not None

    def ruled_otherwise(self, said: Case, moment: datetime) -> Relabel | None:
        """The rule by which a case's answer is another one at a moment; None where it is right as it was said."""
        answer, by = said.answer, None
        for rule, start in self._begins:
            later = said.valid_from is None or said.valid_from < start
            if later and start <= moment and rule.covers(answer, said.text):
                answer, by = rule.new, rule
        return by if answer != said.answer else None

    def _near(self, name: str | None) -> Case | None:
        """What holds for the text of a reviewed case, by its id."""
        text = self._reviewed.get(name or "")
        return None if text is None else self._held.get(text)

    def _contradicted(self, case: Case, held: Case | None) -> Case | None:
        return held if held and held.answer != case.answer and not self._ended(held, case) else None

    def _ended(self, held: Case, by: Case) -> bool:
        """Had a rule ended the reviewed answer before the case was right?"""
        return any(
            (held.valid_from is None or held.valid_from < start)
            and (by.valid_from is not None and by.valid_from >= start)
            and rule.covers(held.answer, held.text)
            for rule, start in self._begins
        )


def _decided(case: Case) -> bool:
    """Did people who were asked give or confirm its answer?"""
    return bool(case.reviewer) or case.source in ASKED
