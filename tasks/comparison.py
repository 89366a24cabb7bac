"""Champion against challenger as a task."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.progress import on_run_page
from tasks.retrying import only
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.evaluation.after_cut import BETWEEN
from upkeep.evaluation.verdict import DECIDING
from upkeep.redaction import inert
from upkeep.stages.comparison import compare_models
from upkeep.stages.decisions import Decision


@task(task_run_name="compare {client} {period}", retries=1, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def compare(client: str, period: str, as_of: datetime, *, reason: str, label: str | None = None) -> Decision:
    """Score both models on the same items and judge; with a `label` whether it knows that new category as well."""
    decision = compare_models(open_desk(client), period, as_of, reason=reason, label=label, progress=on_run_page())
    get_run_logger().info(
        "%s %s: %s: %s", client, period, decision.verdict.value, "; ".join((*decision.reasons, *decision.notes))
    )
    create_markdown_artifact(
        key=f"decision-{client}",
        markdown=inert(summary(client, decision)),
        description=f"{client} {period}: {decision.verdict.value} v{decision.challenger} against v{decision.champion}",
    )
    return decision


def summary(client: str, decision: Decision) -> str:
    """What was compared and decided, on a page."""
    title = f"# {client} {decision.period}: {decision.verdict.value}"
    rows = [
        "| items | n | champion | challenger | difference | 95 % interval |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| {one.items} | {one.champion.n:,} | {one.champion.value:.1%} | {one.challenger.value:.1%} "
        f"| {100 * one.difference:+.1f} pp | {100 * one.interval.low:+.1f} .. {100 * one.interval.high:+.1f} pp |"
        for one in decision.compared
    ]
    rows += ["", *(f"- {one}" for one in decision.figures if one.items in DECIDING)] if decision.figures else []
    rows += ["", f"{BETWEEN}:", "", f"- {decision.after_cut}"] if decision.after_cut else []
    themes = [f"- {one}" for one in decision.themes]
    rows += ["", "What kept going wrong, on the recent items about it:", "", *themes] if themes else []
    return "\n".join([title, "", *(f"- {line}" for line in (*decision.reasons, *decision.notes)), "", *rows])
