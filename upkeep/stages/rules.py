"""Which relabel rules are proposed for a client, and which hold?

In the client's store: rules/<id>.json, a rule with its evidence and what was decided about it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from upkeep import records
from upkeep.cases.relabel_rules import Contradiction, Found, contradictions, rule_of
from upkeep.config import Rules
from upkeep.desk import Desk
from upkeep.errors import RuleError
from upkeep.log.tally import opinions
from upkeep.log.truth import truth_of
from upkeep.monitoring.review import Review, as_known
from upkeep.periods import week
from upkeep.redaction import shown
from upkeep.stages.monitoring import HISTORY, reviews

EXAMPLES = 3
ITSELF = "Upkeep, as `rules: apply` in the client's config says"


def propose_rules(desk: Desk, found: Review) -> list[Found]:
    """Propose a rule for every contradiction that a review shows, and apply it where the client's config allows."""
    weeks = as_known(reviews(desk, upto=found.week, newest=HISTORY), found.recounted)
    pairs = {(rule.old, rule.new) for rule in (*desk.client.relabel, *(one.rule for one in desk.found_rules()))}
    proposed = [
        Found(
            rule=rule_of(one, weeks, desk.zone),
            week=found.week,
            proposed=found.as_of,
            evidence=str(one),
            examples=_examples(desk, one, [key for key, _ in weeks[-one.weeks :]], found.as_of),
        )
        for one in contradictions(weeks, known=pairs)
    ]
    if desk.client.rules is Rules.APPLY:
        proposed = [one.decide(accepted=True, by=ITSELF, at=found.as_of) for one in proposed]
    return [_save(desk, one) for one in proposed]


def decide_rule(desk: Desk, name: str, *, accepted: bool, by: str, at: datetime, since: date | None = None) -> Found:
    """Accept a proposed rule, from another day where somebody knows better, or refuse it.

    Raises RuleError listing the rules there are.
    """
    one = rule_named(desk, name)
    rule = one.rule if since is None else one.rule.model_copy(update={"since": since})
    return _save(desk, replace(one, rule=rule).decide(accepted=accepted, by=by, at=desk.local(at)))


def rule_named(desk: Desk, name: str) -> Found:
    """The rule with an id. Raises RuleError listing the rules there are."""
    there = {one.id: one for one in desk.found_rules()}
    if name not in there:
        raise RuleError(f"client {desk.client.client}: no rule {name!r}, expected one of {sorted(there)}")
    return there[name]


def _save(desk: Desk, one: Found) -> Found:
    records.save(desk.store, f"rules/{one.id}.json", one)
    return one


def _examples(desk: Desk, found: Contradiction, weeks: list[str], until: datetime) -> tuple[str, ...]:
    """A few requests that were answered with the old label and should have been the new one, redacted, newest first."""
    examples: list[str] = []
    for key in reversed(weeks):
        log = desk.sample_log(week(key, desk.zone), until=until)
        for prediction in log.predictions:
            said = opinions(log.outcomes.get(prediction.id, []), desk.client.free_text)
            if not said or prediction.output != found.old:
                continue
            if truth_of(prediction, said, out_of_scope=desk.client.out_of_scope_label).answer == found.new:
                examples.append(shown(prediction.input, desk.client.redaction))
        if len(examples) >= EXAMPLES:
            break
    return tuple(examples[:EXAMPLES])
