"""What may be a client's next new category?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from upkeep.cases.relabel_rules import becomes
from upkeep.cases.variant import Candidate, candidates
from upkeep.desk import Desk
from upkeep.monitoring.changed_answers import LEAST_CASES
from upkeep.monitoring.review import Review, as_known
from upkeep.periods import Cadence, last_full
from upkeep.stages.monitoring import reviews
from upkeep.stages.request_analysis import tracked_themes
from upkeep.stages.variant import WEEKS, every_label


def candidates_for(desk: Desk, as_of: datetime) -> list[Candidate]:
    """What may be the client's next new category, by its reviews before a moment."""
    if desk.client.free_text:
        return []
    reviewed = reviews(desk, upto=last_full(as_of, Cadence.WEEKLY, desk.zone).key, newest=WEEKS)
    # as logged, for an MLflow that is down holds up no review
    version = reviewed[-1].figures.model_version if reviewed else None
    tracked = tracked_themes(desk, as_of)
    return candidates(
        tracked.themes if tracked else (),
        reviewed[-1].changes if reviewed else (),
        used=labels_in_use(desk, reviewed, as_of),
        weeks=len(reviewed),
        labels=labels_to_be(desk, version, as_of) - {desk.client.out_of_scope_label},
        out_of_scope=desk.client.out_of_scope_label,
        cases=desk.cases(),
        redaction=desk.client.redaction,
    )


def labels_to_be(desk: Desk, version: str | None, as_of: datetime) -> set[str]:
    """Every label there is, and what a relabel rule leads to that nobody has refused by a moment.

    A retrain teaches that by the rule, from the old label's cases.
    """
    moment = desk.local(as_of)
    found = [one.rule for one in desk.found_rules() if one.proposed <= moment and not one.refused(moment)]
    return every_label(desk, version) | {rule.new for rule in (*desk.client.relabel, *found)}


def labels_in_use(desk: Desk, reviewed: Sequence[Review], as_of: datetime) -> dict[str, int]:
    """What people have called requests of some weeks often enough though no such label was agreed, the commonest first.

    A relabel rule for all of a label has put an end to it, unless a later one leads back to it.
    """
    named = sum((Counter(one.unknown_labels) for _, one in as_known(reviewed, {})), Counter[str]())
    rules = desk.rules(desk.local(as_of))
    return {label: n for label, n in named.most_common() if n >= LEAST_CASES and becomes(label, rules) == label}
