"""What follows from a decision, of itself or on a person's word, as tasks."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from tasks.retrying import only
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.stages import approval
from upkeep.stages.approval import Answer, Approval
from upkeep.stages.decisions import Decision


@task(
    task_run_name="apply {decision.verdict} for {client}",
    retries=2,
    retry_delay_seconds=10,
    retry_condition_fn=only(StoreError),
)
def apply(client: str, decision: Decision) -> Decision:
    """Put the challenger into service where it won and promotion is automatic."""
    desk, log = open_desk(client), get_run_logger()
    applied = approval.apply_decision(desk, decision)
    state = "is in service" if applied.applied else "stays challenger"
    log.info("%s %s: version %s %s", client, applied.period, applied.challenger, state)
    for line in approval.waiting_for_approval(desk, decision.as_of):
        log.warning("%s: %s", client, line)
    return applied


@task(task_run_name="{answer} {client} {period}")
def answer(
    client: str, period: str, answer: Answer, at: datetime, *, by: str, reason: str, override: bool
) -> Decision | Approval:
    """Carry out what a person says to a decision."""
    desk, log = open_desk(client), get_run_logger()
    if answer is Answer.REFUSE:
        said = approval.refuse(desk, period, by=by, reason=reason, at=at)
        log.info("%s %s: refused by %s: %s", client, period, said.by, said.reason)
        return said
    made = approval.approve(desk, period, by=by, reason=reason, at=at, override=override)
    log.info("%s %s: version %s is in service, approved by %s", client, period, made.challenger, made.applied_by)
    return made
