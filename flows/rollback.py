"""The way back to the model before."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_day
from tasks.alerting import alert
from tasks.release import roll_back
from upkeep.release import Entry


@flow(flow_run_name=by_day("rollback {client} {day}"))
def rollback(client: str, by: str, reason: str, *, to: str | None = None, as_of: datetime | None = None) -> Entry:
    """Put the champion before the present one back into service.

    Args:
        client: a client in configs/clients.
        by: your name, for the record.
        reason: why, for the record.
        to: an earlier version to go back to; empty: the one that the present one took the place of.
        as_of: act as if it were then; empty: now.
    """
    at = moment(as_of)
    done = roll_back(client, at, by=by, reason=reason, to=to)
    alert(client, at, return_state=True)
    return done
