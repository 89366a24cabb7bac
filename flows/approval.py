"""A person's answer to a challenger that won and waits."""

from __future__ import annotations

from datetime import datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_day
from tasks.alerting import alert
from tasks.approval import answer as carry_out
from upkeep.stages.approval import Answer, Approval
from upkeep.stages.decisions import Decision


@flow(flow_run_name=by_day("{answer} {client} {period}"))
def approval(
    client: str,
    period: str,
    by: str,
    reason: str,
    *,
    answer: Answer = Answer.APPROVE,
    override: bool = False,
    as_of: datetime | None = None,
) -> Decision | Approval:
    """Put a challenger that waits into service, or write down that it is not to be.

    Args:
        client: a client in configs/clients.
        period: the decision's period, such as 2026-Q4 or 2026-11.
        by: your name, for the record.
        reason: why, for the record.
        answer: approve or refuse.
        override: approve although it did not win or its time has run out; the record says so.
        as_of: act as if it were then; empty: now.
    """
    at = moment(as_of)
    said = carry_out(client, period, answer, at, by=by, reason=reason, override=override)
    alert(client, at, return_state=True)
    return said
