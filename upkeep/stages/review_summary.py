"""What do people read of a week's review, on its run's page and on the command line?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from upkeep.cases.relabel_rules import Found
from upkeep.config import Rules
from upkeep.desk import Desk
from upkeep.metrics.generated import described
from upkeep.monitoring.changes import looked_for_from
from upkeep.monitoring.edge_shares import crowded
from upkeep.monitoring.estimate import ONLY_AN_ESTIMATE
from upkeep.monitoring.recount import LOOK_BACK
from upkeep.monitoring.review import Review
from upkeep.periods import weeks_before
from upkeep.redaction import inert
from upkeep.release import Entry
from upkeep.stages.approval import waiting_for_approval
from upkeep.stages.auditing import Drawn, sheet_key
from upkeep.stages.candidates import candidates_for
from upkeep.stages.known_by_now import in_lines, known_by_now
from upkeep.stages.monitoring import NoWayBack, reviewed_weeks, reviews
from upkeep.stages.reporting import SHOWN_THEMES
from upkeep.stages.request_analysis import TrackedThemes
from upkeep.stages.review_figures import measured
from upkeep.stages.troubles import RETRAIN, RETRAIN_LATER, open_troubles, subject_of
from upkeep.stages.variant import Renamed, open_use_cases
from upkeep.store import address


class ReviewNotes(NamedTuple):
    """A review and what came of it."""

    review: Review
    back: Entry | NoWayBack | None
    rules: list[Found]
    themes: TrackedThemes | None
    drawn: Drawn


def summary(desk: Desk, noted: ReviewNotes) -> list[str]:
    """All that a review found, proposes and asks for, as the lines of a Markdown list."""
    lines = (*_found(desk, noted), *_rules(desk, noted), *_odd(noted), *_to_do(desk, noted))
    return [inert(line) for line in lines]


def _found(desk: Desk, noted: ReviewNotes) -> Iterator[str]:
    found = noted.review
    if found.unusable:
        yield f"- {found.unusable}"
    changed = _changed(desk, found)
    for finding in found.findings:
        yield f"- **{finding.word}**: {finding.text}"
        yield from (f"    - {line}" for line in changed.pop(finding.metric, ()))
    yield from (f"- **past alarm**: {one}" for one in found.past_alarms)
    yield from (f"- **worse than agreed**: {one}" for one in found.worse_left_out)
    known = known_by_now([*reviews(desk, upto=weeks_before(found.week, 1), newest=LOOK_BACK), found], desk.client)
    yield from in_lines(known, found.figures.model_version, desk.client) if known else ()
    yield from (f"- {line}" for line in measured(found.figures))
    yield from (f"- {line}" for lines in changed.values() for line in lines)
    reviewed = len(reviewed_weeks(desk, upto=found.week))
    young = looked_for_from(found.week, reviewed=reviewed, requests=found.figures.requests)
    if young:
        yield f"- {young}"
    if found.probation:
        yield f"- **{'worse' if found.probation.worse else 'ok'}** on probation: {found.probation}"
    if noted.back:
        yield f"- **{noted.back}**"


def _changed(desk: Desk, found: Review) -> dict[str | None, list[str]]:
    """What has changed and what of it goes on, each once, by the figure whose alarm is of the same incident."""
    there = open_troubles(desk, found.as_of)
    known = {one.subject: one for one in there if one.change}
    alarms = {one.incident: one.subject for one in reversed(there) if one.alarm}
    told: dict[str | None, list[str]] = defaultdict(list)
    for change in found.changes:
        one = known.get(subject_of(change))
        since = f", going on since {one.since}" if one and one.opened < found.as_of else ""
        of = alarms.get(one.incident) if one else None
        told[of].append(f"**{change.kind.value}**{since}: {change.text}. {change.action}")
    again = set(map(subject_of, found.changes))
    for one in known.values():
        if one.change and one.subject not in again:
            line = f"**{one.change.kind.value}**, still going on since {one.since}, first seen as: {one.text}"
            told[alarms.get(one.incident)].append(line)
    return told


def _rules(desk: Desk, noted: ReviewNotes) -> Iterator[str]:
    for rule in noted.rules:
        accept = f"`upkeep rules {noted.review.client} {rule.id} --accept --by NAME`"
        unless = ", applied if a later review shows it still," if desk.client.rules is Rules.APPLY else ""
        how = "is applied" if rule.accepted else f"is proposed{unless} (the deployment `rules`, or {accept})"
        yield f"- **rule** {rule.id} {how}: {rule}"
        yield from (f"    - “{text}”" for text in rule.examples)


def _odd(noted: ReviewNotes) -> Iterator[str]:
    """What is the matter beside the judged figures."""
    found = noted.review
    if found.edges:
        yield f"- edge cases: {found.edges}"
        yield from (f"    - much more often than elsewhere: {one}" for one in crowded(found.edges))
        yield from (f"    - {one}" for one in found.edges.cases)
    for theme in noted.themes.themes[:SHOWN_THEMES] if noted.themes else ():
        so_far = " (+: so far, hardly labelled yet)" if "+" in theme.counts else ""
        yield f"- keeps going wrong: {theme.name}, {theme.counts} by week{so_far}, {theme.trend}"
    for theme in noted.themes.unusual[:SHOWN_THEMES] if noted.themes else ():
        yield f"- unusual, not found wrong: {theme.name}, {theme.counts} by week, {theme.trend}"
    if found.estimate:
        yield f"- accuracy by the model's own confidence: {found.estimate}. {ONLY_AN_ESTIMATE}"
    if found.generated:
        yield from (f"- {name}: {value}" for name, value in described(found.generated).items())


def _to_do(desk: Desk, noted: ReviewNotes) -> Iterator[str]:
    found, drawn = noted.review, noted.drawn
    yield from (f"- **{one}**" for one in waiting_for_approval(desk, found.as_of))
    if found.retrain_recommended:
        yield f"- **{RETRAIN}**"
    elif any(one.held for one in found.alerts):
        yield f"- **{RETRAIN_LATER}**"
    if drawn.asked:
        where = address(desk.store, sheet_key(drawn.week))
        asked = f"{len(drawn.asked)} of {drawn.requests:,} requests to answer in `{where}`"
        yield f"- audit: {asked}; fill it in, all or part, then `upkeep audited {found.client} FILE`"
    waiting = (one.waiting for one in open_use_cases(desk, found.as_of))
    yield from (f"- **not taught**: {one}" for one in waiting if isinstance(one, Renamed))
    for one in candidates_for(desk, found.as_of):
        yield f"- **may be a new category**: {one.why} (`{one.command(found.client)}`)"
        yield from (f"    - “{text}”" for text in one.examples)
