"""Which relabel rules hold for a client, and for which texts?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from upkeep.cases.case import Case
from upkeep.cases.label_history import History, label_history
from upkeep.cases.relabel_rules import about_theme
from upkeep.cases.review_batch import ReviewDecision
from upkeep.config import Relabel
from upkeep.desk import Desk
from upkeep.patterns import of_client
from upkeep.stages.request_encoder import request_encoder


def rules_in_force(
    desk: Desk, cases: Sequence[Case], decided: Mapping[str, ReviewDecision], moment: datetime
) -> tuple[Relabel, ...]:
    """The rules known at a moment, oldest first; one for a theme with those of the cases' texts that are about it.

    Raises BaseModelError where a theme asks for a model that is not there, and ConfigError naming the client's file.
    """
    found: list[Relabel] = []
    for rule in sorted(desk.rules(moment), key=lambda one: one.since):
        if rule.theme:  # for what is answered so once the rules before it have spoken
            so_far = history_in_force(desk, cases, decided, moment, rules=found).versions
            with of_client(desk.client.client):
                texts = {one.text for one in so_far if rule.may_cover(one.answer, one.text)}
            found.append(about_theme(rule, texts, request_encoder(desk).embed))
        else:
            found.append(rule)
    return tuple(found)


def history_in_force(
    desk: Desk,
    cases: Sequence[Case],
    decided: Mapping[str, ReviewDecision],
    moment: datetime,
    *,
    rules: Sequence[Relabel] | None = None,
) -> History:
    """What is known of the cases at a moment, by the rules in force then or by others. Raises what those raise."""
    if rules is None:
        rules = rules_in_force(desk, cases, decided, moment)
    with of_client(desk.client.client):
        return label_history(cases, rules=rules, decided=decided, moment=moment, zone=desk.zone)
