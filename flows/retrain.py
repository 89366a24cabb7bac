"""A retrain of one client's model, from error cases to a decision."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_day
from tasks.collection import collect
from tasks.comparison import apply, compare
from tasks.contract import book
from tasks.finetuning import finetune
from upkeep.entitlement import ChangeOrder
from upkeep.stages.comparison import Decision


@flow(flow_run_name=by_day("retrain {client} {day}: {reason}"))
def retrain(client: str, as_of: datetime | None = None, reason: str = "manual") -> Decision | ChangeOrder:
    """Collect, fine-tune, compare and decide. What the tier does not include becomes a change order instead.

    Args:
        client: a client in configs/clients.
        as_of: act as if it were then; empty: now.
        reason: why, for the record.
    """
    at = moment(as_of)
    booked = book(client, at, reason)
    if isinstance(booked, ChangeOrder):
        return booked
    collect(client, booked.period, at)
    finetune(client, booked.period, at)
    decision = compare(client, booked.period, at, reason=reason)
    return apply(client, decision)
