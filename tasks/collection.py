"""What production taught, collected as a task."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from tasks.progress import on_run_page
from tasks.retrying import only
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.stages.collection import Collection, collect_cases


@task(task_run_name="collect {client} {period}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def collect(client: str, period: str, as_of: datetime) -> Collection:
    """Collect what production taught since the client's last collection."""
    found = collect_cases(open_desk(client), period, as_of, progress=on_run_page())
    get_run_logger().info("%s %s: %s", client, period, found)
    return found
