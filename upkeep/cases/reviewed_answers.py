"""Which answers that reviewers gave still hold, whatever a customer says since?

Such an answer holds until a reviewer decides otherwise, people who were asked say otherwise, or a relabel rule ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from upkeep.cases.case import ASKED, Case, normalise
from upkeep.config import Relabel


def begins(rule: Relabel, zone: ZoneInfo) -> datetime:
    """The midnight in a zone from which on a rule holds."""
    return datetime(rule.since.year, rule.since.month, rule.since.day, tzinfo=zone)


class ReviewedAnswers:
    """By text, the answer that a reviewer gave last: of cases as reviewed, taken in by `take` in their succession."""

    def __init__(self, rules: Sequence[Relabel], zone: ZoneInfo) -> None:
        self._begins = [(rule, begins(rule, zone)) for rule in rules]
        self._held: dict[str, Case] = {}

    def take(self, case: Case) -> bool:
        """Take in the next case; may it follow what was right for its text before?"""
        text = normalise(case.text)
        held = self._held.get(text)
        if case.reviewer:
            self._held[text] = case
        elif held and held.answer != case.answer:
            if case.source not in ASKED and not self._ended(held, case):
                return False
            del self._held[text]
        return True

    def contradicted_by(self, case: Case, *, like: str | None = None) -> Case | None:
        """The reviewed case that holds and has another answer to the case's text, or to a normalised one it is like."""
        held = self._held.get(normalise(case.text) if like is None else like)
        return held if held and held.answer != case.answer and not self._ended(held, case) else None

    def _ended(self, held: Case, by: Case) -> bool:
        """Had a rule ended the reviewed answer before the case was right?"""
        return any(
            (held.valid_from is None or held.valid_from < start)
            and (by.valid_from is not None and by.valid_from >= start)
            and rule.covers(held.answer, held.text)
            for rule, start in self._begins
        )
