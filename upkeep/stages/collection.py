"""What did production teach since the last collection?

In the client's store, by period: collections/ in counts, cases/ row by row, folded/ what said the same as a case that
is there already. What is held out for evaluation stands among the cases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from upkeep import records
from upkeep.beginning import log_begins
from upkeep.collection import LATE, Collected, collect
from upkeep.config import PersonalData
from upkeep.desk import Desk
from upkeep.doubtful import Doubt, languages_of
from upkeep.periods import Window
from upkeep.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Collection:
    """What one collection brought, in counts; its cases stand in cases/<period>.jsonl."""

    period: str
    as_of: datetime
    cases: int
    errors: int
    without_answer: int
    known: int
    quarantined: int
    conflicts: int = 0
    doubtful: int = 0
    redacted: dict[PersonalData, int] = field(default_factory=dict)

    def __str__(self) -> str:
        told = [
            (self.errors, "of them errors"), (self.conflicts, "with conflicting answers"), (self.doubtful, "doubtful"),
            (self.known, "requests said nothing new"), (self.without_answer, "without a right answer"),
            (self.quarantined, "rows quarantined"),
        ]  # fmt: skip
        hidden = ", ".join(f"{kind.value} {n}" for kind, n in self.redacted.items())
        lines = [f"{self.cases:,} new cases", *(f"{n:,} {what}" for n, what in told if n)]
        return ", ".join(lines + ([f"redacted: {hidden}"] if hidden else []))


def collect_cases(desk: Desk, period: str, as_of: datetime, *, progress: Progress = silent) -> Collection:
    """Collect what production taught since the collection before, each week and once more for a retrain."""
    key = f"collections/{period}.json"
    done = records.load_if_there(desk.store, key, Collection)
    if done:
        return done
    moment = desk.local(as_of)
    earlier = [records.load(desk.store, one, Collection) for one in desk.store.keys("collections/")]
    since = max((one.as_of for one in earlier if one.as_of < moment), default=None)
    start = since - LATE if since else log_begins(desk)
    found, quarantined = Collected(()), 0
    if start is not None:
        log = desk.read_log(Window(start, moment, period), until=moment)
        known = [
            case
            for case in desk.cases()
            if (case.known_from is None or case.known_from < moment) and Doubt.PROPOSED not in case.doubts
        ]  # what somebody says is not folded into a mere proposal
        found = collect(
            log,
            since=since,
            known=known,
            client=desk.client,
            at=moment,
            languages=languages_of(case.text for case in known if case.known_from is None),
            progress=progress,
        )
        quarantined = len(log.quarantined)
    records.save_rows(desk.store, f"cases/{period}.jsonl", found.cases)
    records.save_rows(desk.store, f"folded/{period}.jsonl", found.folds)
    counts = Collection(
        period=period,
        as_of=moment,
        cases=len(found.cases),
        errors=found.errors,
        without_answer=found.without_answer,
        known=found.known,
        quarantined=quarantined,
        conflicts=sum(case.conflict is not None for case in found.cases),
        doubtful=sum(bool(case.doubts) for case in found.cases),
        redacted=found.redacted,
    )
    records.save(desk.store, key, counts)
    return counts
