"""That a review, report or brief was written before, on the run's page."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger

from upkeep.desk import Desk
from upkeep.stages.written import written_before
from upkeep.tiers import Work


def say_if_written(desk: Desk, work: Work, as_of: datetime) -> str:
    """Log that the last full period's page stands as it was written, and return the line; empty where there is none."""
    line = written_before(desk, work, as_of)
    if line:
        get_run_logger().info("%s: %s", desk.client.client, line)
    return line
