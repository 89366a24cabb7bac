"""A model of its own for a part of a client's requests: begun, compared with the client's and started, as tasks."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.comparison import summary
from tasks.contract import tell_order
from tasks.progress import on_run_page
from tasks.retrying import only
from upkeep.cases.model_variant import Part
from upkeep.commands.first_files import cases_in, golden_in, label_notes
from upkeep.commands.separate_stores import check_apart, neighbours
from upkeep.desk import open_desk
from upkeep.entitlement import ChangeOrder
from upkeep.errors import StoreError
from upkeep.home import configs
from upkeep.redaction import inert
from upkeep.stages.decisions import Decision
from upkeep.stages.model_variant import (
    ModelVariant,
    begin_model_variant,
    compare_with_client,
    require_variant,
    start_variant,
)


@task(task_run_name="can {variant} be a variant of {client}?")
def check(client: str, variant: str, part: Part) -> None:
    """Raise where it cannot be one, or its store lies in another's."""
    desk = open_desk(variant)
    check_apart(configs(), desk, neighbours(configs(), variant))
    require_variant(open_desk(client), desk, part)


@task(
    task_run_name="begin {variant} for {client}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError)
)
def begin(
    client: str,
    variant: str,
    part: Part,
    at: datetime,
    *,
    cases: bytes,
    golden: bytes,
    reason: str,
    by: str,
    approve: bool,
) -> ModelVariant | ChangeOrder:
    """Book the variant or open a change order, and store what it begins with; `cases` and `golden` are JSON Lines."""
    desk = open_desk(variant)
    taught, agreed = cases_in("examples", cases), golden_in("golden", golden, desk.client)
    for note in label_notes(desk.client, taught, agreed):
        get_run_logger().warning("%s: look at %s", variant, note)
    begun = begin_model_variant(
        open_desk(client), desk, part, cases=taught, golden=agreed, as_of=at, reason=reason, by=by, approve=approve
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
