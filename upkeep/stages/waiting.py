"""Which retrains wait until people have looked over their cases?

In the client's store: waiting/, by period.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from upkeep import records
from upkeep.cases.label_history import decision_on
from upkeep.config import Unreviewed
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.stages.asking import asked
from upkeep.stages.contract import undecided
from upkeep.stages.snapshot import decided_by


@dataclass(frozen=True, slots=True)
class Waiting:
    """A retrain that waits until people have looked over some cases."""

    period: str
    as_of: datetime
    reason: str
    cases: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.period} waits until {count_of(len(self.cases), 'case is', 'cases are')} reviewed"


def wait_for_review(desk: Desk, period: str, as_of: datetime, reason: str) -> Waiting | None:
    """Note that a retrain waits for people; None where it need not: by the agreement, or because all is done.

    It waits for what they had been asked about when it first did, not for what they are asked about each week since.
    """
    key = f"waiting/{period}.json"
    before = records.load_if_there(desk.store, key, Waiting)
    waiting = before or Waiting(period, desk.local(as_of), reason, tuple(asked(desk)))
    if desk.store.exists(f"claims/{period}.json") or not _undecided(desk, waiting, as_of):
        return None
    if before is None:
        records.save(desk.store, key, waiting)
    return waiting


def waiting(desk: Desk) -> list[Waiting]:
    """The retrains that wait for people, or did and have no decision yet."""
    return [records.load(desk.store, key, Waiting) for key in desk.store.keys("waiting/")]


def no_longer_waiting(desk: Desk, as_of: datetime) -> Waiting | None:
    """A retrain that waited for people and need not any more, as of when it is to be done; None where there is none.

    It is one until it, or another one since, has its decision: a run that was killed goes on as it was booked.
    """
    newest = max(waiting(desk), key=lambda one: one.as_of, default=None)
    if newest is None or _undecided(desk, newest, as_of):
        return None
    claims = desk.claims()
    since = [one for one in claims.values() if one.period == newest.period or one.as_of >= newest.as_of]
    if {one.period for one in since} - undecided(desk, claims):
        return None
    return replace(newest, as_of=max((one.as_of for one in since), default=desk.local(as_of)))


def _undecided(desk: Desk, waiting: Waiting, as_of: datetime) -> set[str]:
    if desk.client.unreviewed is not Unreviewed.WAIT:
        return set()
    questions, decided = asked(desk), decided_by(desk, desk.local(as_of))
    there = (one for one in waiting.cases if one in questions)  # a person may have been erased
    return {one for one in there if decision_on(questions[one], decided) is None}
