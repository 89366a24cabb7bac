"""The weekly audit sample as a task."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.retrying import only
from upkeep import auditing
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.store import address


@task(task_run_name="draw audit {client}", retries=2, retry_delay_seconds=5, retry_condition_fn=only(StoreError))
def draw_audit(client: str, as_of: datetime) -> None:
    """Draw the sample of the client's last full week and say where its sheet is."""
    desk = open_desk(client)
    drawn = auditing.draw_audit(desk, as_of)
    if not drawn.asked:
        get_run_logger().info("%s %s: nothing to ask", client, drawn.week)
        return
    where = address(desk.store, auditing.sheet_key(drawn.week))
    asked = f"{len(drawn.asked)} of {drawn.requests:,} requests to answer in `{where}`"
    get_run_logger().info("%s %s: %s", client, drawn.week, asked)
    text = f"# Audit {drawn.week}: {client}\n\n{asked}\n\nFill it in, all or part, then `upkeep audited {client} FILE`."
    create_markdown_artifact(key=f"audit-{client}", markdown=text, description=f"{client} {drawn.week}")
