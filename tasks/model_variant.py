"""A model of its own for a part of a client's requests: begun, compared with the client's and started, as tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.comparison import summary
from tasks.contract import tell_order
from tasks.progress import on_run_page
from tasks.retrying import only
from upkeep.cases.case import Case, Item
from upkeep.cases.model_variant import Part
from upkeep.desk import open_desk
from upkeep.entitlement import ChangeOrder
from upkeep.errors import StoreError
from upkeep.redaction import inert
from upkeep.stages.decisions import Decision
from upkeep.stages.model_variant import ModelVariant, begin_model_variant, compare_with_client, start_variant


@task(
    task_run_name="begin {variant} for {client}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError)
)
def begin(
    client: str,
    variant: str,
    part: Part,
    at: datetime,
    *,
    cases: Sequence[Case],
    golden: Sequence[Item],
    reason: str,
    by: str,
) -> ModelVariant | ChangeOrder:
    """Book the variant or open a change order, and store what it begins with."""
    begun = begin_model_variant(
        open_desk(client), open_desk(variant), part, cases=cases, golden=golden, as_of=at, reason=reason, by=by
    )
    if isinstance(begun, ChangeOrder):
        tell_order(client, begun)
    else:
        get_run_logger().info("%s: %s", variant, begun)
    return begun


@task(
    task_run_name="compare {variant} with {client}",
    retries=1,
    retry_delay_seconds=10,
    retry_condition_fn=only(StoreError),
)
def compare_both(client: str, variant: str, begun: ModelVariant) -> Decision:
    """Is it better for the part than the client's model in service?"""
    decision = compare_with_client(open_desk(client), open_desk(variant), begun, progress=on_run_page())
    told = "; ".join((*decision.reasons, *decision.notes))
    get_run_logger().info("%s: %s: %s", variant, decision.verdict.value, told)
    create_markdown_artifact(
        key=f"decision-{variant}",
        markdown=inert(summary(variant, decision)),
        description=f"{variant}: {decision.verdict.value} v{decision.challenger} against {decision.champion}",
    )
    return decision


@task(task_run_name="start {variant}?", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def start(variant: str, decision: Decision, at: datetime, *, approve: bool, by: str, reason: str) -> Decision:
    """Put it into service where it won, or where somebody approves that it goes."""
    made = start_variant(open_desk(variant), decision, as_of=at, approve=approve, by=by, reason=reason)
    get_run_logger().info(
        "%s: version %s %s", variant, made.challenger, "is in service" if made.applied else "is not in service"
    )
    return made
