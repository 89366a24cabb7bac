"""Is a client's review, report or brief there already, and where is then told what has come since?"""

from __future__ import annotations

from datetime import datetime

from upkeep import records
from upkeep.desk import Desk
from upkeep.monitoring.review import Review
from upkeep.periods import Cadence, last_full
from upkeep.stages.briefing import Brief
from upkeep.stages.reporting import Report
from upkeep.tiers import Work

LATER = {
    Work.REVIEW: (Cadence.WEEKLY, Review, "the next review counts what came since"),
    Work.REPORT: (Cadence.MONTHLY, Report, "what came since is in the reviews and in the chart of the next report"),
    Work.BRIEF: (Cadence.QUARTERLY, Brief, "the next brief counts what came since, in its column for this quarter"),
}


def written_before(desk: Desk, work: Work, as_of: datetime) -> str:
    """What is to be said where the last full period's page was written before and stands; empty where it was not."""
    cadence, kind, later = LATER[work]
    key = last_full(as_of, cadence, desk.zone).key
    done = records.load_if_there(desk.store, f"{work.value}s/{key}.json", kind)
    if done is None:
        return ""
    return f"the {work.value} of {key} stands as it was written, as of {desk.local(done.as_of):%Y-%m-%d %H:%M}; {later}"
