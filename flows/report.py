"""The monthly report of one client."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_period
from tasks.reporting import report_last_month
from upkeep.periods import Cadence
from upkeep.stages.reporting import Report
from upkeep.tiers import Work


@flow(flow_run_name=by_period(Work.REPORT, Cadence.MONTHLY))
def report(client: str, as_of: datetime | None = None) -> Report:
    """Write the report of the client's last full month.

    Args:
        client: a client in configs/clients.
        as_of: act as if it were then; empty: now.
    """
    return report_last_month(client, moment(as_of))
