"""A retrain of one client's model, from what production taught to a decision."""

from __future__ import annotations

from datetime import datetime

from prefect import flow, get_run_logger

from flows.moment import moment
from flows.naming import by_day
from tasks.alerting import alert
from tasks.approval import apply
from tasks.collection import collect
from tasks.comparison import compare
from tasks.contract import ask, book
from tasks.finetuning import finetune
from tasks.reviewing import offer, take_back, wait
from upkeep.entitlement import NO_REASON, ChangeOrder, given_reason
from upkeep.stages.decisions import Decision
from upkeep.stages.sole_training import sole_training
from upkeep.stages.waiting import Waiting


@flow(flow_run_name=by_day("retrain {client} {day}: {reason}"))
def retrain(client: str, as_of: datetime | None = None, reason: str = NO_REASON) -> Decision | ChangeOrder | Waiting:
    """Collect, fine-tune, compare and decide. What the tier does not include becomes a change order instead.

    Where the client wants every case reviewed first, the retrain waits for that. The client's next scheduled review
    that finds all of them answered starts it; the deployment `review` does not. One of the same period that
    never got to its decision goes on, as it was booked. Another training of the client is waited for.

    Args:
        client: a client in configs/clients.
        as_of: act as if it were then; empty: now.
        reason: why, for the record.
    """
    at, reason = moment(as_of), given_reason(reason)
    included = ask(client, at, reason)
    if isinstance(included, ChangeOrder):
        return included
    with sole_training(client, included.period, waits=get_run_logger().info):
        take_back(client, at)
        collect(client, included.period, included.as_of)
        offer(client, included.period, included.as_of)
        waiting = wait(client, included.period, included.as_of, reason)
        if waiting:
            return waiting
        booked = book(client, at, reason)
        if isinstance(booked, ChangeOrder):
            return booked
        finetune(client, booked.period, booked.as_of)
        decision = compare(client, booked.period, booked.as_of, reason=booked.reason)
    applied = apply(client, decision)
    alert(client, at, return_state=True)
    return applied
