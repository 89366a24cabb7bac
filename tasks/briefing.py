"""The quarterly brief as a task."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.retrying import only
from tasks.written import say_if_written
from upkeep import chain
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.stages.briefing import Brief
from upkeep.store import link
from upkeep.tiers import Work


@task(task_run_name="brief {client}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def brief_last_quarter(client: str, as_of: datetime) -> Brief:
    """Write the brief of the client's last full quarter."""
    desk = open_desk(client)
    say_if_written(desk, Work.BRIEF, as_of)
    brief = chain.brief(desk, as_of)
    page = link(desk.store, f"briefs/{brief.quarter}.html")
    get_run_logger().info("%s %s: %d to talk about; %s", client, brief.quarter, len(brief.agenda), page)
    if brief.extra:
        get_run_logger().warning("%s: tier %r includes no brief: this one is extra", client, desk.tier.name)
    markdown = desk.store.read(f"briefs/{brief.quarter}.md").decode()
    create_markdown_artifact(
        key=f"brief-{client}", markdown=markdown, description=f"{client} {brief.quarter}, page with chart <{page}>"
    )
    return brief
