"""For which labels was a rule settled, and do outcomes speak for another one since?

A policy may come back, and what people refused may be one later. What outcomes said before the rule was settled has had
its answer. Those of after it count, and they have to show by themselves that the label was right and is so no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from upkeep.cases.relabel_rules import Contradiction, Found, contradictions
from upkeep.cases.reviewed_answers import begins
from upkeep.config import Relabel
from upkeep.monitoring.figures import Figures
from upkeep.periods import week

Pair: TypeAlias = tuple[str, str]
Weeks: TypeAlias = Sequence[tuple[str, Figures]]


def settled(
    given: Sequence[Relabel], found: Sequence[Found], *, at: datetime, zone: ZoneInfo
) -> dict[Pair, datetime | None]:
    """The two labels of every rule for all of one, with the moment from which on outcomes may speak for another rule.

    `given` are the client's own rules. The moment is the latest of what was decided, of the days of accepted rules, and
    of those of rules in force `at` a moment that led back to the old label. None while a rule waits for an answer.
    """
    whole = [one for one in found if not one.rule.for_a_part]
    accepted = [rule for rule in given if not rule.for_a_part] + [one.rule for one in whole if one.accepted]
    moments: dict[Pair, list[datetime]] = defaultdict(list)
    for rule in accepted:
        back = [begins(one, zone) for one in accepted if one.new == rule.old]
        moments[rule.old, rule.new] += [begins(rule, zone), *(day for day in back if day <= at)]
    for one in whole:
        moments[one.rule.old, one.rule.new] += [one.decided] if one.decided else []
    waiting = {(one.rule.old, one.rule.new) for one in whole if one.accepted is None}
    return {pair: None if pair in waiting else max(days, default=None) for pair, days in moments.items()}


def contradicted_again(
    weeks: Weeks, since: Mapping[Pair, datetime | None], zone: ZoneInfo
) -> Iterator[tuple[Contradiction, Weeks]]:
    """What is certain of settled labels by the weeks alone that begin later, with these; all share one budget."""
    looked_at = {pair: moment for pair, moment in since.items() if moment}
    for pair, moment in looked_at.items():
        later = [(key, one) for key, one in weeks if week(key, zone).start >= moment]
        for found in contradictions(later, looks=len(looked_at)):
            if found.certain and (found.old, found.new) == pair:
                yield found, later
