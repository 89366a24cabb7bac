"""What a person says to a relabel rule, as a task."""

from __future__ import annotations

from datetime import date, datetime

from prefect import get_run_logger, task

from upkeep.cases.relabel_rules import Found, Ruling, taken_back
from upkeep.desk import open_desk
from upkeep.stages.rules import decide_rule, rule_named


@task(task_run_name="{answer} rule {name} of {client}")
def answer(client: str, name: str, answer: Ruling, at: datetime, *, by: str, since: date | None) -> Found:
    """Write down that a proposed rule is accepted or refused."""
    desk = open_desk(client)
    before = rule_named(desk, name)
    found = decide_rule(desk, name, accepted=answer is Ruling.ACCEPT, by=by, at=at, since=since)
    get_run_logger().info("%s: rule %s %s: %s", client, found.id, found.state, found)
    if line := taken_back(before, found):
        get_run_logger().warning("%s: rule %s", client, line)
    return found
