"""What did production teach since the last retrain?

In the client's store, by period: collections/ in counts, cases/ row by row; what is locked away for evaluation stands
among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from upkeep import records
from upkeep.beginning import log_begins
from upkeep.cases import (
    Item,
    Side,
    Source,
    side,
    supersede,
)
from upkeep.collection import LATE, Collected, collect
from upkeep.desk import Desk
from upkeep.periods import Window


@dataclass(frozen=True, slots=True)
class Collection:
    """What one retrain's collection brought, in counts; its cases stand in cases/<period>.jsonl."""

    period: str
    as_of: datetime
    cases: int
    errors: int
    without_answer: int
    known: int
    quarantined: int


def collect_cases(desk: Desk, period: str, as_of: datetime) -> Collection:
    """Collect what production taught since the last retrain."""
    key = f"collections/{period}.json"
    done = records.load_if_there(desk.store, key, Collection)
    if done:
        return done
    moment = desk.local(as_of)
    earlier = [records.load(desk.store, one, Collection) for one in desk.store.keys("collections/")]
    since = max((one.as_of for one in earlier if one.as_of < moment), default=None)
    start = since - LATE if since else log_begins(desk)
    found, quarantined = Collected((), 0, 0, 0), 0
    if start is not None:
        log = desk.read_log(Window(start, moment, period), until=moment)
        others = [case for case in desk.cases() if case.valid_from is None or case.valid_from < moment]
        found = collect(log, since=since, known=others, out_of_scope=desk.client.out_of_scope_label)
        quarantined = len(log.quarantined)
    records.save_rows(desk.store, f"cases/{period}.jsonl", found.cases)
    counts = Collection(period, moment, len(found.cases), found.errors, found.without_answer, found.known, quarantined)
    records.save(desk.store, key, counts)
    return counts


def holdout(desk: Desk, moment: datetime) -> list[Item]:
    """Every collected case that is locked away for evaluation, with the answer that is right now."""
    known = [case for case in desk.cases() if case.valid_from is not None and case.valid_from < moment]
    current = supersede(known, desk.client.relabel, moment, desk.zone)
    return [
        Item(case.id, case.text, case.answer, case.valid_from)
        for case in current
        if case.source is not Source.LAUNCH and side(case, desk.recipe) is Side.HOLDOUT
    ]
