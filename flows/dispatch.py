"""Start one isolated run for every client whose tier includes the work."""

from __future__ import annotations

from datetime import datetime

from prefect import flow, get_run_logger

from flows.moment import by_hand, moment
from flows.naming import by_day
from tasks.fanout import entitled_clients, start_runs
from upkeep.periods import Cadence
from upkeep.tiers import Work


@flow(flow_run_name=by_day("{cadence} {work} {day}"))
def dispatch(work: Work, cadence: Cadence, as_of: datetime | None = None) -> None:
    """Start the work for every client whose tier includes it at this cadence; one failing client fails alone.

    Run it again to start once more what failed, crashed or was cancelled; what runs or is done is left alone. On the
    eve of a week, month or quarter that starts also what was never started in the one that ends.

    Args:
        work: review, report, brief or retrain.
        cadence: weekly, monthly or quarterly.
        as_of: act as if it were then; empty: the scheduled time.
    """
    clients = entitled_clients(work, cadence)
    if not clients:
        get_run_logger().info("no client's tier includes a %s %s: nothing is started", cadence.value, work.value)
        return
    start_runs(clients, work, cadence, moment(as_of), by_hand=by_hand())
