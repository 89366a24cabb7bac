"""The weekly metric review of one client."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_period
from tasks.alerting import alert
from tasks.collection import collect
from tasks.contract import order
from tasks.monitoring import chart, review_last_week
from tasks.reviewing import offer, take_back
from upkeep.monitoring.review import Review
from upkeep.periods import Cadence
from upkeep.tiers import Work


@flow(flow_run_name=by_period(Work.REVIEW, Cadence.WEEKLY))
def review(client: str, as_of: datetime | None = None) -> Review:
    """Review the client's last full week, and collect what it taught.

    A recommended retrain that the contract does not include becomes a change order.

    Args:
        client: a client in configs/clients.
        as_of: act as if it were then; empty: now.
    """
    at = moment(as_of)
    take_back(client, at)
    found = review_last_week(client, at)
    collect(client, found.week, at)
    offer(client, found.week, at)
    order(client, found)
    # a channel or an MLflow that is down is seen on the run's page and fails no review
    alert(client, at, return_state=True)
    chart(client, found, return_state=True)
    return found
