"""A new category begun, waited for and taken up again, as tasks."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from tasks.contract import tell_order
from tasks.retrying import only
from upkeep.desk import open_desk
from upkeep.entitlement import ChangeOrder, UseCase
from upkeep.errors import StoreError
from upkeep.stages import variant
from upkeep.stages.variant import Round, begin_use_case, wait_for_cases
from upkeep.stages.waiting import Waiting


@task(task_run_name="begin {label} of {client}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def begin(client: str, label: str, seeds: list[str], as_of: datetime, *, reason: str, by: str) -> Round | ChangeOrder:
    """Book the category or open a change order, and look for past requests like its examples."""
    begun = begin_use_case(open_desk(client), label, seeds, as_of, reason=reason, by=by)
    if isinstance(begun, ChangeOrder):
        tell_order(client, begun)
    else:
        get_run_logger().info("%s %s: %s", client, begun.period, begun)
    return begun


@task(task_run_name="wait for the review of {client} {begun.period}?")
def wait_for(client: str, begun: Round, as_of: datetime) -> Waiting | None:
    """Does the category wait until people have looked over the past requests like it?"""
    waiting = wait_for_cases(open_desk(client), begun, as_of)
    if waiting:
        get_run_logger().warning("%s: %s", client, waiting)
    return waiting


@task(task_run_name="does a new category of {client} wait no more?")
def looked_over(client: str, as_of: datetime) -> list[UseCase]:
    """The categories whose past requests people have looked over and that are not decided on, or not yet in service."""
    return variant.looked_over(open_desk(client), as_of)
