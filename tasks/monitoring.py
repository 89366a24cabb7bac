"""The weekly review as a task: counted, judged, logged, shown, and the next audit drawn."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from tasks.retrying import only
from upkeep.auditing import Drawn, draw_audit, sheet_key
from upkeep.charts import chart_review
from upkeep.desk import Desk, open_desk
from upkeep.errors import StoreError
from upkeep.estimate import ONLY_AN_ESTIMATE
from upkeep.generated import described
from upkeep.incidents import note_incidents, open_incidents
from upkeep.looking import Tracked
from upkeep.monitoring import Review
from upkeep.reporting import SHOWN_THEMES
from upkeep.rules import Found
from upkeep.stages.approval import waiting_for_approval
from upkeep.stages.monitoring import NoWayBack, follow_themes, go_back_if_worse, review_week
from upkeep.stages.rules import propose_rules
from upkeep.stages.variant import candidates_for
from upkeep.store import address
from upkeep.variant import Candidate


@task(task_run_name="review {client}", retries=2, retry_delay_seconds=10, retry_condition_fn=only(StoreError))
def review_last_week(client: str, as_of: datetime) -> Review:
    """Review the client's last full week before `as_of`."""
    desk = open_desk(client)
    found = review_week(desk, as_of)
    back = go_back_if_worse(desk, found)
    note_incidents(desk, found, back if isinstance(back, NoWayBack) else None)
    rules = propose_rules(desk, found)
    themes = follow_themes(desk, found)
    drawn = draw_audit(desk, as_of)
    log = get_run_logger()
    for finding in found.findings:
        log.info("%s %s: %s: %s", client, found.week, finding.status.value, finding.text)
    for change in found.changes:
        log.info("%s %s: %s: %s", client, found.week, change.kind.value, change.text)
    if back:
        log.warning("%s: %s", client, back)
    for rule in rules:
        log.info("%s %s: rule %s %s: %s", client, found.week, rule.id, "applied" if rule.accepted else "proposed", rule)
    if found.unusable:
        log.warning("%s %s: %s", client, found.week, found.unusable)
    summary = [
        _summary(found, desk, drawn, themes, rules),
        *([f"**{back}**"] if back else []),
        *_next_categories(client, candidates_for(desk, as_of)),
    ]
    create_markdown_artifact(
        key=f"review-{client}",
        markdown="\n".join(summary),
        description=f"{client} {found.week}",
    )
    return found


@task(task_run_name="chart {client}", retries=2, retry_delay_seconds=5, retry_condition_fn=only(StoreError))
def chart(client: str, found: Review) -> None:
    """Put the review's figures into MLflow."""
    chart_review(open_desk(client), found)


def _next_categories(client: str, candidates: list[Candidate]) -> list[str]:
    lines = []
    for one in candidates:
        lines += ["", f"**May be a new category**: {one.why} (`{one.command(client)}`)", ""]
        lines += [f"- “{text}”" for text in one.examples]
    return lines


def _summary(found: Review, desk: Desk, drawn: Drawn, themes: Tracked | None, rules: list[Found]) -> str:
    lines = [f"# {found.client} {found.week}", "", f"{found.figures.requests:,} requests.", ""]
    lines += [f"{found.unusable}.", ""] if found.unusable else []
    lines += [f"- **{finding.status.value}**: {finding.text}" for finding in found.findings]
    lines += [f"- **{change.kind.value}**: {change.text}. {change.action}" for change in found.changes]
    if found.probation:
        lines += [f"- **{'worse' if found.probation.worse else 'ok'}** on probation: {found.probation}"]
    for rule in rules:
        how = (
            "is applied"
            if rule.accepted
            else f"is proposed (the deployment `rules`, or `upkeep rules {found.client} {rule.id} --accept --by NAME`)"
        )
        lines += [f"- **rule** {rule.id} {how}: {rule}", *(f"    - “{text}”" for text in rule.examples)]
    going_on = [one for one in open_incidents(desk, found.as_of) if one.change and one.opened < found.as_of]
    lines += [f"- **still going on** since {one.week}: {one.text}" for one in going_on]
    if found.edges:
        lines += [f"- edge cases: {found.edges}"]
        lines += [f"    - “{one.text}”: {', '.join(one.reasons)}" for one in found.edges.cases]
    if themes:
        lines += [
            f"- keeps going wrong: {one.name}, {' '.join(map(str, one.lately.values()))} by week, {one.trend}"
            for one in themes.themes[:SHOWN_THEMES]
        ]
    if found.estimate:
        lines += [f"- accuracy by the model's own confidence: {found.estimate}. {ONLY_AN_ESTIMATE}"]
    if found.generated:
        lines += [f"- {name}: {value}" for name, value in described(found.generated).items()]
    waiting = waiting_for_approval(desk, found.as_of)
    lines += ["", *(f"**{one}**" for one in waiting)] if waiting else []
    if found.retrain_recommended:
        lines += ["", "**We recommend a retrain.**"]
    if drawn.asked:
        where = address(desk.store, sheet_key(drawn.week))
        lines += ["", f"Audit: {len(drawn.asked)} of {drawn.requests:,} requests to answer in `{where}`;"]
        lines += [f"fill it in, all or part, then `upkeep audited {found.client} FILE`."]
    return "\n".join(lines)
