"""What people have done for a client under the contract."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_day
from tasks.contract import book_service
from upkeep.entitlement import Booking, ChangeOrder
from upkeep.tiers import Service


@flow(flow_run_name=by_day("{service} {client} {day}"))
def book(
    client: str, service: Service, by: str, reason: str, *, as_of: datetime | None = None
) -> Booking | ChangeOrder:
    """Write down an integration update or a strategy session, or open a change order where the tier includes none.

    Args:
        client: a client in configs/clients.
        service: what was done.
        by: your name, for the record.
        reason: what exactly, for the record and the client's report.
        as_of: act as if it were then; empty: now.
    """
    return book_service(client, service, moment(as_of), by=by, reason=reason)
