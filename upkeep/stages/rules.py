"""Which relabel rules are proposed for a client, and which hold?

In the client's store: rules/<id>.json, a rule with its evidence and all that was ever decided about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from upkeep import records
from upkeep.cases.other_requests import are_others
from upkeep.cases.partial_change import BEFORE, Checked, Look, Looked, partial_changes, rest_of
from upkeep.cases.relabel_rules import Contradiction, Found, about_theme, changed, contradictions, rule_of
from upkeep.cases.settled_rules import contradicted_again, settled
from upkeep.config import Relabel, Rules
from upkeep.desk import Desk
from upkeep.errors import BaseModelError, RuleError, require_name
from upkeep.log.entries import Prediction, Sample, draw_order
from upkeep.log.tally import opinions
from upkeep.log.truth import truth_of
from upkeep.monitoring.changed_answers import SPANS
from upkeep.monitoring.figures import Figures
from upkeep.monitoring.review import Review, as_known
from upkeep.patterns import of_client
from upkeep.periods import week
from upkeep.redaction import redact_cases, shown
from upkeep.stages.monitoring import HISTORY, reviews
from upkeep.stages.request_encoder import request_encoder
from upkeep.stages.snapshot import known_cases

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Weeks: TypeAlias = Sequence[tuple[str, Figures]]
EXAMPLES = 3
OWN = 1_000
"""So many of a label's own requests tell what it is for."""
ITSELF = "Upkeep, as `rules: apply` in the client's config says"


def propose_rules(desk: Desk, found: Review) -> list[Found]:
    """Propose a rule for every contradiction that a review shows, and apply it where the client's config allows.

    Where one for the same labels was settled before, only outcomes of after that speak for another: nobody is asked
    about the same evidence twice. Where people refused that one, they are asked about the other, whatever the config
    allows.
    One that is likely only as others are certain is applied when a later review shows it still: a few may be false,
    which people who look at the evidence tell, and nobody else. Once it is certain they are told again.
    One for a part of a label keeps none for all of it from being proposed, but once somebody has accepted it what it
    covers speaks for none. None is proposed for a label of which what people correct is other requests than its own.
    Where nobody can look at the texts, the base model not being there, none is proposed for which one must.
    """
    weeks = as_known(reviews(desk, upto=found.week, newest=HISTORY), found.recounted)
    there = desk.found_rules()
    look = _looking(desk, found.as_of)
    proposed = _for_labels(desk, found, weeks, there, look)
    known = _pairs([*desk.client.relabel, *(one.rule for one in (*there, *proposed))])
    proposed += _for_parts(desk, found, weeks, known, look)
    again = [one for one in there if one.accepted is None and not one.certain and one.week < found.week]
    stand = list(_standing(again, weeks))
    if desk.client.rules is Rules.APPLY:
        last = {(one.rule.old, one.rule.new): one.accepted for one in there if not one.rule.for_a_part}
        sure = [one for one in proposed if one.certain and last.get((one.rule.old, one.rule.new)) is not False]
        applied = [one.decide(accepted=True, by=ITSELF, at=found.as_of) for one in (*sure, *stand)]
        proposed = [*applied, *(one for one in proposed if one not in sure)]
    else:
        proposed += [one for one in stand if one.certain]
    return [_propose(desk, one) for one in proposed]


def decide_rule(desk: Desk, name: str, *, accepted: bool, by: str, at: datetime, since: date | None = None) -> Found:
    """Accept a proposed rule, from another day where somebody knows better, or refuse it.

    Raises RuleError listing the rules there are, and PersonError.
    """
    require_name(by)
    return _save(desk, rule_named(desk, name).decide(accepted=accepted, by=by, at=desk.local(at), since=since))


def rule_named(desk: Desk, name: str) -> Found:
    """The rule with an id. Raises RuleError listing the rules there are."""
    there = {one.id: one for one in desk.found_rules()}
    if name not in there:
        wanted = f"expected one of {sorted(there)}" if there else "none was proposed"
        raise RuleError(f"client {desk.client.client}: no rule {name!r}, {wanted}")
    return there[name]


def _standing(likely: Iterable[Found], weeks: Weeks) -> Iterator[Found]:
    """The rules that these weeks show too, with what speaks for them now."""
    shown = {(one.old, one.new): one for one in contradictions(weeks)}
    for one in likely:
        now = shown.get((one.rule.old, one.rule.new))
        if now:
            yield replace(one, evidence=str(now), certain=now.certain)


def _propose(desk: Desk, one: Found) -> Found:
    """Keep what a review found, unless somebody has answered it while that was looked into."""
    now = records.load_if_there(desk.store, _key(one), Found)
    return now if now and now.answers else _save(desk, one)


def _save(desk: Desk, one: Found) -> Found:
    records.save(desk.store, _key(one), one)
    return one


def _key(one: Found) -> str:
    return f"rules/{one.id}.json"


def _pairs(rules: Iterable[Relabel]) -> set[tuple[str, str]]:
    return {(rule.old, rule.new) for rule in rules}


def _for_labels(desk: Desk, found: Review, weeks: Weeks, there: Sequence[Found], look: Look) -> list[Found]:
    """The rules for all of a label."""
    given, proposed = desk.client.relabel, []
    for shows in _contradicted(desk, found, weeks, there):
        one = shows.what
        accepted = [*given, *(other.rule for other in there if other.accepted)]
        parts = [rule for rule in accepted if rule.for_a_part and (rule.old, rule.new) == (one.old, one.new)]
        try:
            rest = _of_the_rest(desk, shows, parts, look) if parts else shows
        except BaseModelError:  # the review has said so
            continue
        if rest:
            texts = _corrected(rest, look)
            if not _about_others(desk, one.old, texts, at=found.as_of):
                proposed.append(_proposal(desk, found, rest, texts, turn=_turn(one, there)))
    return proposed


class _Shows(NamedTuple):
    """A contradiction, the weeks that show it, and the texts that were not counted as rules for a part cover them.

    `again` where these are the weeks after a rule for its labels was settled.
    """

    what: Contradiction
    weeks: Weeks
    covered: frozenset[str] = frozenset()
    again: bool = False


def _contradicted(desk: Desk, found: Review, weeks: Weeks, there: Sequence[Found]) -> Iterator[_Shows]:
    """What contradicts a label of which no rule was settled, or contradicts it since."""
    since = settled(desk.client.relabel, there, at=found.as_of, zone=desk.zone)
    yield from (_Shows(one, weeks) for one in contradictions(weeks, known=since))
    yield from (_Shows(one, later, again=True) for one, later in contradicted_again(weeks, since, desk.zone))


def _turn(one: Contradiction, there: Iterable[Found]) -> int:
    """Of the rules for all of a label that lead to the same other one, which one is the next?"""
    same = [other for other in there if (other.rule.old, other.rule.new) == (one.old, one.new)]
    return 1 + sum(not other.rule.for_a_part for other in same)


def _of_the_rest(desk: Desk, shows: _Shows, parts: Iterable[Relabel], look: Look) -> _Shows | None:
    """What contradicts a label even without what rules for its parts cover, if anything does."""
    one, lately = shows.what, shows.weeks[-max(SPANS) - BEFORE :]
    looked = look(one.old, [key for key, _ in lately])
    covered = _covered(desk, parts, {answer.text for answer in looked.answers})
    rest = rest_of(lately, one.old, looked, covered)
    still = (now for now in contradictions(rest) if (now.old, now.new) == (one.old, one.new))
    return next(
        (shows._replace(what=now, weeks=rest, covered=covered) for now in still if now.certain or not shows.again), None
    )


def _corrected(shows: _Shows, look: Look) -> list[str]:
    """The requests that are corrected, the newest first."""
    one, weeks, covered, _ = shows
    recent = look(one.old, [key for key, _ in weeks[-one.weeks :]]).answers
    return [each.text for each in reversed(recent) if each.right == one.new and each.text not in covered]


def _about_others(desk: Desk, label: str, texts: Sequence[str], *, at: datetime) -> bool:
    """Are requests others than the known ones of a label? No, where the base model is not there to tell."""
    own = sorted({case.text for case in known_cases(desk, at) if case.answer == label}, key=draw_order)[:OWN]
    try:
        embed = request_encoder(desk).embed
        return are_others(embed(texts), embed(own))
    except BaseModelError:  # the review has said so
        return False


def _proposal(desk: Desk, found: Review, shows: _Shows, texts: Sequence[str], *, turn: int) -> Found:
    one, weeks, covered, again = shows
    evidence = f"{one}; without requests that a rule for a part of it covers" if covered else str(one)
    if again:
        evidence += f"; all from {week(weeks[0][0], desk.zone).start.date()} on, as there was a rule for it before"
    return Found(
        rule=rule_of(one, weeks, desk.zone),
        week=found.week,
        proposed=found.as_of,
        evidence=evidence,
        examples=tuple(shown(text, desk.client.redaction) for text in texts[:EXAMPLES]),
        certain=one.certain,
        turn=turn,
    )


def _covered(desk: Desk, rules: Iterable[Relabel], texts: Collection[str]) -> frozenset[str]:
    """The texts that some rules cover. Raises BaseModelError, and ConfigError naming the client's file."""
    about = [about_theme(rule, texts, request_encoder(desk).embed) if rule.theme else rule for rule in rules]
    with of_client(desk.client.client):
        return frozenset(text for text in texts for rule in about if rule.covers(rule.old, text))


def _looking(desk: Desk, until: datetime) -> Look:
    """What looks at answers of the log as known at a moment, and reads each week once."""
    samples = cache(lambda key: desk.sample_log(week(key, desk.zone), until=until))

    def look(label: str, keys: Sequence[str]) -> Looked:
        return _looked(desk, label, {key: samples(key) for key in keys})

    return look


def _for_parts(desk: Desk, found: Review, weeks: Weeks, known: set[tuple[str, str]], look: Look) -> list[Found]:
    """The rules for themes; none where nobody can look."""

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
