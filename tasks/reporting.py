"""The monthly report as a task."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.retrying import only
from tasks.written import say_if_written
from upkeep import chain
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.stages.reporting import Report
from upkeep.store import link
from upkeep.tiers import Work


@task(task_run_name="report {client}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def report_last_month(client: str, as_of: datetime) -> Report:
    """Write the report of the client's last full month."""
    desk = open_desk(client)
    say_if_written(desk, Work.REPORT, as_of)
    report = chain.report(desk, as_of)
    page = link(desk.store, f"reports/{report.month}.html")
    get_run_logger().info("%s %s: model health %s; %s", client, report.month, report.health.value, page)
    markdown = desk.store.read(f"reports/{report.month}.md").decode()
    about = f"{client} {report.month}: model health {report.health.value}, page with chart <{page}>"
    create_markdown_artifact(key=f"report-{client}", markdown=markdown, description=about)
    return report
