"""What a person says to a relabel rule, as a task."""

from __future__ import annotations

from datetime import date, datetime

from prefect import get_run_logger, task

from upkeep.cases.relabel_rules import Found, Ruling
from upkeep.desk import open_desk
from upkeep.stages.rules import decide_rule


@task(task_run_name="{answer} rule {name} of {client}")
def answer(client: str, name: str, answer: Ruling, at: datetime, *, by: str, since: date | None) -> Found:
    """Write down that a proposed rule is accepted or refused."""
    found = decide_rule(open_desk(client), name, accepted=answer is Ruling.ACCEPT, by=by, at=at, since=since)
    get_run_logger().info("%s: rule %s %s: %s", client, found.id, found.state, found)
    return found
