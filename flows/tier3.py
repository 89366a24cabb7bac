"""Tier 3: monitoring, one full retrain a month, and a paper for the strategy session a quarter."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.brief import brief
from flows.moment import moment
from flows.naming import by_day
from flows.report import report
from flows.retrain import retrain
from flows.review import review
from flows.variant import variant
from tasks.contract import due_work
from tasks.reviewing import waited
from tasks.variant import looked_over
from upkeep.tiers import Work


@flow(flow_run_name=by_day("tier 3 {client} {day}{only}"))
def tier3(client: str, as_of: datetime | None = None, only: list[Work] | None = None) -> None:
    """Tier 3: monitoring, one full retrain a month, and a paper for the strategy session a quarter.

    Args:
        client: a client of this tier.
        as_of: act as if it were then; empty: now.
        only: certain work whatever the day; empty: what is due on the day.
    """
    at = moment(as_of)
    work = due_work(client, at, tier=3, only=only)
    if Work.REVIEW in work:
        review(client, at)
        held = waited(client, at)
        if held:
            retrain(client, held.as_of, reason=held.reason)
        for one in looked_over(client, at):
            variant(client, one.label, as_of=at, reason=one.reason)
    if Work.REPORT in work:
        report(client, at)
    if Work.BRIEF in work:
        brief(client, at)
    if Work.RETRAIN in work:
        retrain(client, at, reason="scheduled")
