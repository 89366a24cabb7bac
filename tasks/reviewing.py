"""Cases that people look over: sent out and taken in again, as tasks."""

from __future__ import annotations

from datetime import datetime
from logging import INFO, WARNING

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.retrying import only
from upkeep.counts import count_of
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.redaction import inert
from upkeep.stages.asking import Batch, left_to_look_over, offer_cases, to_look_over
from upkeep.stages.returning import Returned, take_returns
from upkeep.stages.waiting import Waiting, no_longer_waiting, wait_for_review


@task(task_run_name="take returns of {client}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def take_back(client: str, as_of: datetime) -> list[Returned]:
    """Take in what people have dropped into the inbox or answered in MLflow."""
    found = take_returns(open_desk(client), as_of)
    log = get_run_logger()
    for one in found:
        log.log(WARNING if one.problem or one.rejected else INFO, "%s: %s", client, one)
    if found:
        lines = [f"# Returned by reviewers of {client}", "", *(f"- {inert(str(one))}" for one in found)]
        create_markdown_artifact(key=f"returned-{client}", markdown="\n".join(lines), description=f"{client}: returns")
    return found


@task(
    task_run_name="ask about {client} {period}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError)
)
def offer(client: str, period: str, as_of: datetime) -> Batch:
    """Write what people are asked to look over, as files and, where an MLflow server runs, as a review queue."""
    desk = open_desk(client)
    batch = offer_cases(desk, period, as_of)
    for line in to_look_over(desk, batch, as_of):
        get_run_logger().log(WARNING if line == batch.problem else INFO, "%s %s: %s", client, period, line)
    left = left_to_look_over(desk, batch, as_of)
    if not left:
        return batch
    cases = count_of(left, "case")
    page = f"- in MLflow: <{batch.page}>\n" if batch.page else ""
    files = "\n".join(f"- `{desk.store.uri}/{key}`" for key in batch.files.values())
    create_markdown_artifact(
        key=f"to-review-{client}",
        markdown=f"# {cases} of {client} to look over, {period}\n\n{page}{files}\n\n"
        f"Fill one of them in, all of it or part, and drop it into `{desk.store.uri}/inbox/`, or "
        f"`upkeep reviewed {client} FILE --by NAME`.",
        description=f"{client} {period}: {cases} to look over",
    )
    return batch


@task(task_run_name="wait for the review of {client} {period}?")
def wait(client: str, period: str, as_of: datetime, reason: str) -> Waiting | None:
    """Does the retrain wait for people? Only where the client's agreement says so."""
    waiting = wait_for_review(open_desk(client), period, as_of, reason)
    if waiting:
        get_run_logger().warning("%s: %s", client, waiting)
    return waiting


@task(task_run_name="does a retrain of {client} wait no more?")
def waited(client: str, as_of: datetime) -> Waiting | None:
    """A retrain that people have kept waiting and have now done their part for."""
    return no_longer_waiting(open_desk(client), as_of)
