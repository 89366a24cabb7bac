"""Tier 1: monitoring. A retrain is not included; a recommended one becomes a change order."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_day
from flows.report import report
from flows.review import review
from flows.variant import variant
from tasks.contract import due_work
from tasks.variant import looked_over
from upkeep.tiers import Work


@flow(flow_run_name=by_day("tier 1 {client} {day}{only}"))
def tier1(client: str, as_of: datetime | None = None, only: list[Work] | None = None) -> None:
    """Tier 1: monitoring. A retrain is not included; a recommended one becomes a change order.

    Args:
        client: a client of this tier.
        as_of: act as if it were then; empty: now.
        only: certain work whatever the day; empty: what is due on the day.
    """
    at = moment(as_of)
    work = due_work(client, at, tier=1, only=only)
    if Work.REVIEW in work:
        review(client, at)
        for one in looked_over(client, at):  # begun under another tier
            variant(client, one.label, as_of=at, reason=one.reason)
    if Work.REPORT in work:
        report(client, at)
