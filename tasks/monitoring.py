"""The weekly review as a task: counted, judged, logged, shown, and the next audit drawn."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.retrying import only
from tasks.written import say_if_written
from upkeep import chain
from upkeep.counts import count_of
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.monitoring.review import Review
from upkeep.stages.review_charts import chart_review
from upkeep.stages.review_summary import summary
from upkeep.tiers import Work


@task(task_run_name="review {client}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def review_last_week(client: str, as_of: datetime) -> Review:
    """Review the client's last full week before `as_of`."""
    desk, log = open_desk(client), get_run_logger()
    stands = say_if_written(desk, Work.REVIEW, as_of)
    noted = chain.review(desk, as_of)
    found = noted.review
    for finding in found.findings:
        log.info("%s %s: %s: %s", client, found.week, finding.word, finding.text)
    for past in found.past_alarms:
        log.warning("%s %s: past alarm: %s", client, found.week, past)
    for worse in found.worse_left_out:
        log.warning("%s %s: worse than agreed: %s", client, found.week, worse)
    for change in found.changes:
        log.info("%s %s: %s: %s", client, found.week, change.kind.value, change.text)
    if noted.back:
        log.warning("%s: %s", client, noted.back)
    for rule in noted.rules:
        log.info("%s %s: rule %s %s: %s", client, found.week, rule.id, "applied" if rule.accepted else "proposed", rule)
    if found.unusable:
        log.warning("%s %s: %s", client, found.week, found.unusable)
    page = [f"# {client} {found.week}", "", f"{count_of(found.figures.requests, 'request')}.", ""]
    page += [f"{stands[0].upper()}{stands[1:]}.", ""] if stands else []
    page += summary(desk, noted)
    create_markdown_artifact(key=f"review-{client}", markdown="\n".join(page), description=f"{client} {found.week}")
    return found


@task(task_run_name="chart {client}", retries=2, retry_delay_seconds=5, retry_condition_fn=only(StoreError))
def chart(client: str, found: Review) -> None:
    """Put the review's figures into MLflow."""
    chart_review(open_desk(client), found)
