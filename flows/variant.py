"""A new category of one client's model, from its examples to a decision."""

from __future__ import annotations

from datetime import datetime

from prefect import flow, get_run_logger

from flows.moment import moment
from flows.naming import by_day
from tasks.alerting import alert
from tasks.approval import apply
from tasks.comparison import compare
from tasks.finetuning import finetune
from tasks.reviewing import offer, take_back
from tasks.variant import begin, wait_for
from upkeep.entitlement import NO_REASON, ChangeOrder, given_reason
from upkeep.stages.decisions import Decision
from upkeep.stages.sole_training import sole_training
from upkeep.stages.waiting import Waiting


@flow(flow_run_name=by_day("variant {client} {day}: {label}"))
def variant(
    client: str,
    label: str,
    seeds: list[str] | None = None,
    *,
    as_of: datetime | None = None,
    reason: str = NO_REASON,
    by: str = "",
    wait_for_review: bool = True,
) -> Decision | ChangeOrder | Waiting:
    """Teach the client's model a new category. What the tier does not include becomes a change order instead.

    Past requests like the examples go out for review; once all are answered the same category, run again or found by
    the client's next scheduled review, is taught and decided on. The deployment `review` does not do that.

    Args:
        client: a client in configs/clients.
        label: what the new category is called.
        seeds: requests that belong to it; empty to go on with one that was begun.
        as_of: act as if it were then; empty: now.
        reason: why, for the record.
        by: who gives the examples.
        wait_for_review: teach it only when people have looked over the past requests like the examples.
    """
    at, reason = moment(as_of), given_reason(reason)
    take_back(client, at)
    begun = begin(client, label, seeds or [], at, reason=reason, by=by)
    if isinstance(begun, ChangeOrder):
        return begun
    offer(client, begun.period, at)
    waiting = wait_for(client, begun, at) if wait_for_review else None
    if waiting:
        return waiting
    with sole_training(client, begun.period, waits=get_run_logger().info):
        finetune(client, begun.period, at, label=label)
        decision = compare(client, begun.period, at, reason=reason, label=label)
    applied = apply(client, decision)
    alert(client, at, return_state=True)
    return applied
