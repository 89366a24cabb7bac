"""The way back to an earlier model as a task."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from upkeep.desk import open_desk
from upkeep.release import Entry
from upkeep.stages import release


@task(task_run_name="roll back {client}")
def roll_back(client: str, at: datetime, *, by: str, reason: str, to: str | None) -> Entry:
    """Put an earlier model back into service, once it answers as it did."""
    done = release.roll_back(open_desk(client), by=by, reason=reason, at=at, to=to)
    get_run_logger().info("%s: %s", client, done)
    return done
