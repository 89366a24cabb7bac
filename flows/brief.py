"""The quarterly brief of one client."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_period
from tasks.briefing import brief_last_quarter
from upkeep.periods import Cadence
from upkeep.stages.briefing import Brief
from upkeep.tiers import Work


@flow(flow_run_name=by_period(Work.BRIEF, Cadence.QUARTERLY))
def brief(client: str, as_of: datetime | None = None) -> Brief:
    """Write the paper for the client's strategy session, of the last full quarter.

    Args:
        client: a client in configs/clients.
        as_of: act as if it were then; empty: now.
    """
    return brief_last_quarter(client, moment(as_of))
