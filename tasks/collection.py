"""Error cases and confirmed answers, collected as a task."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from tasks.retrying import only
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.stages.collection import Collection, collect_cases


@task(task_run_name="collect {client} {period}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def collect(client: str, period: str, as_of: datetime) -> Collection:
    """Collect what production taught since the client's last retrain."""
    found = collect_cases(open_desk(client), period, as_of)
    get_run_logger().info(
        "%s %s: %d new cases, %d of them errors; %d known already, %d without a right answer, %d rows quarantined",
        client, period, found.cases, found.errors, found.known, found.without_answer, found.quarantined,
    )  # fmt: skip
    return found
