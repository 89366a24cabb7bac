"""Which relabel rules are proposed for a client, and which hold?

In the client's store: rules/<id>.json, a rule with its evidence and what was decided about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING

from upkeep import records
from upkeep.cases.partial_change import Checked, Looked, partial_changes
from upkeep.cases.relabel_rules import Contradiction, Found, changed, contradictions, rule_of
from upkeep.config import Relabel, Rules
from upkeep.desk import Desk
from upkeep.errors import BaseModelError, RuleError
from upkeep.log.entries import Prediction, Sample
from upkeep.log.tally import opinions
from upkeep.log.truth import truth_of
from upkeep.monitoring.figures import Figures
from upkeep.monitoring.review import Review, as_known
from upkeep.periods import week
from upkeep.redaction import redact_cases, shown
from upkeep.stages.monitoring import HISTORY, reviews
from upkeep.stages.request_analysis import request_encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXAMPLES = 3
ITSELF = "Upkeep, as `rules: apply` in the client's config says"


def propose_rules(desk: Desk, found: Review) -> list[Found]:
    """Propose a rule for every contradiction that a review shows, and apply it where the client's config allows.

    One for a part of a label is for a theme, and keeps none for all of it from being proposed before somebody accepts
    it. Where nobody can look at the texts, the base model not being there, none such is proposed.
    """
    weeks = as_known(reviews(desk, upto=found.week, newest=HISTORY), found.recounted)
    there = desk.found_rules()
    settled = [*desk.client.relabel, *(one.rule for one in there if one.accepted or not one.rule.theme)]
    whole = list(contradictions(weeks, known=_pairs(settled)))
    proposed = [
        Found(
            rule=rule_of(one, weeks, desk.zone),
            week=found.week,
            proposed=found.as_of,
            evidence=str(one),
            examples=_examples(desk, one, [key for key, _ in weeks[-one.weeks :]], found.as_of),
        )
        for one in whole
    ]
    known = _pairs([*settled, *(one.rule for one in (*there, *proposed))])
    proposed += _for_parts(desk, found, weeks, known)
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


def _pairs(rules: Iterable[Relabel]) -> set[tuple[str, str]]:
    return {(rule.old, rule.new) for rule in rules}


def _for_parts(
    desk: Desk, found: Review, weeks: Sequence[tuple[str, Figures]], known: set[tuple[str, str]]
) -> list[Found]:
    """The rules for themes; none where nobody can look."""
    samples = cache(lambda key: desk.sample_log(week(key, desk.zone), until=found.as_of))

    def look(label: str, keys: Sequence[str]) -> Looked:
        return _looked(desk, label, {key: samples(key) for key in keys})

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return request_encoder(desk).embed(texts)

    try:
        parts = list(partial_changes(weeks, known=known, look=look, embed=embed))
    except BaseModelError:  # the review has said so
        return []
    return [
        Found(
            rule=Relabel(old=one.old, new=one.new, since=changed(one.by_week, desk.zone), theme=one.examples),
            week=found.week,
            proposed=found.as_of,
            evidence=str(one),
            examples=tuple(shown(text, desk.client.redaction) for text in one.examples),
        )
        for one in parts
    ]


def _looked(desk: Desk, label: str, samples: Mapping[str, Sample]) -> Looked:
    """What people said of the answers that were a label, by week, with texts as cases have them."""
    labelled, rows = 0, []
    for key, one in samples.items():
        for prediction, right in _right_answers(desk, one):
            labelled += 1
            if right is not None and prediction.output == label:
                rows.append((key, prediction.input, right))
    texts = redact_cases((text for _, text, _ in rows), desk.client.redaction).texts
    answers = [Checked(key, text, right) for (key, _, right), text in zip(rows, texts, strict=True) if text.strip()]
    return Looked(list(samples), answers, labelled)


def _right_answers(desk: Desk, sample: Sample) -> Iterator[tuple[Prediction, str | None]]:
    """The requests of which somebody said something, and the right answer where that is known."""
    for prediction in sample.predictions:
        said = opinions(sample.outcomes.get(prediction.id, []), desk.client.free_text)
        if said:
            yield prediction, truth_of(prediction, said, out_of_scope=desk.client.out_of_scope_label).answer


def _examples(desk: Desk, found: Contradiction, weeks: list[str], until: datetime) -> tuple[str, ...]:
    """A few requests that were answered with the old label and should have been the new one, redacted, newest first."""
    examples: list[str] = []
    for key in reversed(weeks):
        sample = desk.sample_log(week(key, desk.zone), until=until)
        for prediction, right in _right_answers(desk, sample):
            if prediction.output == found.old and right == found.new:
                examples.append(shown(prediction.input, desk.client.redaction))
        if len(examples) >= EXAMPLES:
            break
    return tuple(examples[:EXAMPLES])
