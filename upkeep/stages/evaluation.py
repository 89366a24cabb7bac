"""On which items are champion and challenger compared?

The agreed golden set; `recent`, what was held out of those cases of the last months that chance drew; `reported`, the
others of those months, which came back as the model was wrong about them or unsure; `changed`, those of all three that
have another right answer than the champion was taught; `errors`, those that the model then got wrong in the last
months; `inherited`, those errors that there were when the champion was chosen; `regression`, what a model in service
before the champion had put right. Where a new category is taught, `new`
has all items of it, and the others the labels known before. All were locked when the challenger's snapshot was taken.
Of a conversation `recent`, `reported`, `changed` and `new` have one item each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from upkeep import records
from upkeep.cases.case import Case, Item, normalise, valid_at
from upkeep.cases.reviewed_answers import begins
from upkeep.config import Relabel
from upkeep.desk import Desk
from upkeep.evaluation.verdict import ItemResult
from upkeep.stages.rules_in_force import rules_in_force
from upkeep.stages.snapshot import decided_by, folded_errors, known_cases, locked_for, right_at

RECENT = timedelta(days=92)
"""How far back the recent holdout reaches."""


class Lessons(NamedTuple):
    """What the champion was taught: the answers right at a moment, by the rules and with the labels of then.

    One that writes has no labels.
    """

    moment: datetime
    labels: frozenset[str]
    rules: tuple[Relabel, ...]


class Service(NamedTuple):
    """The periods whose challenger went into service: of models `before` the champion, and those it was `chosen` in.

    More than one where a model was chosen anew; none for the first model.
    """

    before: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()


class Frozen(NamedTuple):
    """What a challenger can be evaluated on: the `golden` items and the other texts that were locked when its snapshot
    was taken, so that it was taught none of them, nor a near-duplicate. `waiting` golden lines were not.
    """

    golden: list[Item]
    held_out: frozenset[str]
    waiting: int


def frozen_items(desk: Desk, period: str) -> Frozen:
    """What the challenger of a period can be evaluated on."""
    agreed, locked = desk.golden(), locked_for(desk, period)
    golden = [item for item in agreed if normalise(item.text) in locked]
    return Frozen(golden, locked - {normalise(item.text) for item in golden}, len(agreed) - len(golden))


def evaluation_sets(
    desk: Desk, moment: datetime, frozen: Frozen, service: Service, *, taught: Lessons | None = None
) -> dict[str, list[Item]]:
    """The items of each set with the answers that are right at a moment; a set without any is left out.

    `taught` is what the champion was, where that is known.
    """
    held = _held_out(desk, moment, frozen)
    oldest = moment.astimezone(UTC) - RECENT
    late = [case for case in held if case.known_from is not None and case.known_from >= oldest]
    recent = _one_of_each([case for case in late if case.by_chance])
    reported = _one_of_each([case for case in late if not case.by_chance])
    wrong = {normalise(case.text) for case in late if case.was_error} | _erred_again(desk, moment, since=oldest)
    inherited = _errors(desk, service.chosen)
    fixed = _errors(desk, service.before, fixed=True) - wrong

    def held_of(texts: Collection[str]) -> list[Item]:
        return _items([case for case in held if normalise(case.text) in texts])

    agreed, brought = valid_at(frozen.golden, moment), [*recent, *reported]
    sets = {
        "golden": agreed,
        "recent": _items(recent),
        "reported": _items(reported),
        "changed": _changed(desk, moment, frozen, brought, taught) if taught else [],
        "errors": held_of(wrong),
        "inherited": held_of(inherited),
        "regression": held_of(fixed),
    }
    return {name: items for name, items in sets.items() if items}


def variant_sets(
    desk: Desk, moment: datetime, frozen: Frozen, service: Service, *, label: str, known: Collection[str]
) -> dict[str, list[Item]]:
    """The same for a challenger that learned a new `label`; `known` are those of the champion, and out of scope."""
    sets = evaluation_sets(desk, moment, frozen, service)
    held = _held_out(desk, moment, frozen)
    agreed = [item for item in sets.get("golden", []) if item.answer == label]
    before = {*known} - {label}
    old = {name: [item for item in items if item.answer in before] for name, items in sets.items()}
    new = agreed + _items(_one_of_each([one for one in held if one.answer == label]))
    return {name: items for name, items in {**old, "new": new}.items() if items}


def first_asked_since(desk: Desk, cut: datetime, moment: datetime) -> set[str]:
    """The normalised texts of the cases known at a moment that nobody had asked by the cut."""
    cases = known_cases(desk, moment)
    before = {normalise(one.text) for one in cases if one.valid_from is None or one.valid_from <= cut}
    return {normalise(one.text) for one in cases} - before


def save_outcomes(desk: Desk, period: str, outcomes: Iterable[ItemResult]) -> str:
    """Keep how both models did, item by item, in outcomes/<period>.jsonl; returns its SHA-256."""
    data = records.dump_rows(outcomes)
    desk.store.write(_outcomes(period), data)
    return hashlib.sha256(data).hexdigest()


def load_outcomes(desk: Desk, period: str) -> tuple[list[ItemResult], str]:
    """What was kept of a period, and the SHA-256 it has now. Raises NotFoundError."""
    digest = hashlib.sha256(desk.store.read(_outcomes(period))).hexdigest()
    return records.load_rows(desk.store, _outcomes(period), ItemResult), digest


def _changed(desk: Desk, moment: datetime, frozen: Frozen, brought: Iterable[Case], taught: Lessons) -> list[Item]:
    """The items of which the champion was taught another answer, or whose label it does not have.

    Of what production brought it is one of a conversation, whichever of them changed.

    They are chosen by what has changed since. That some came back because it was wrong about them favours nobody: it
    is wrong about nearly all of these. What was first asked since has changed where a rule says so that it was not
    taught by: no other answer of then is known, and a later correction shows no more than that one was mistaken.
    """
    since = _held_out(desk, moment, frozen, rules=_taught_by(desk, moment, taught))
    before = {normalise(case.text): case.answer for case in since}
    before |= {normalise(item.text): item.answer for item in valid_at(frozen.golden, taught.moment)}
    held = _held_out(desk, taught.moment, frozen, rules=taught.rules)
    before |= {normalise(case.text): case.answer for case in held}
    known = {*taught.labels, desk.client.out_of_scope_label}

    def differs(one: Item | Case) -> bool:
        was = before.get(normalise(one.text), one.answer)
        return was != one.answer or bool(taught.labels and one.answer not in known)

    agreed = valid_at(frozen.golden, moment)
    return [*filter(differs, agreed), *_items(_one_of_each([*filter(differs, brought)]))]


def _taught_by(desk: Desk, moment: datetime, taught: Lessons) -> list[Relabel]:
    """The rules that the champion was taught by, with those texts about a theme that are known at a moment."""
    present = rules_in_force(desk, known_cases(desk, moment), decided_by(desk, moment), moment)
    known = {_said_by(rule): rule for rule in present}
    return [known.get(_said_by(rule), rule) for rule in taught.rules if begins(rule, desk.zone) <= taught.moment]


def _said_by(rule: Relabel) -> tuple[object, ...]:
    """What a rule says, whatever the texts that are about its theme."""
    return rule.old, rule.new, rule.since, rule.text, rule.theme


def _held_out(desk: Desk, moment: datetime, frozen: Frozen, *, rules: Sequence[Relabel] | None = None) -> list[Case]:
    """The locked cases that are not agreed, with the answer right at a moment, by the rules in force or those given.

    Those known by then, whichever run locked them: of one for a past moment a later one may have locked all.
    """
    right = right_at(desk, known_cases(desk, moment), moment, rules=rules)
    return [case for case in right if normalise(case.text) in frozen.held_out]


def _errors(desk: Desk, periods: Iterable[str], *, fixed: bool = False) -> set[str]:
    """The texts of the errors that challengers of some periods were compared on, all or those that they got right."""
    return {
        one.text
        for period in periods
        for one in records.load_rows(desk.store, _outcomes(period), ItemResult)
        if one.items == "errors" and (one.challenger or not fixed)
    }


def _erred_again(desk: Desk, moment: datetime, *, since: datetime) -> set[str]:
    """The texts of cases that were known already when a request that said the same was answered wrong."""
    again = folded_errors(desk, since, moment)
    return {normalise(one.text) for one in known_cases(desk, moment) if one.id in again}


def _outcomes(period: str) -> str:
    return f"outcomes/{period}.jsonl"


def _one_of_each(cases: list[Case]) -> list[Case]:
    """One case of a conversation: what follows in it mostly comes out as the first does, and proves nothing more."""
    return list({case.conversation or case.id: case for case in reversed(cases)}.values())[::-1]


def _items(cases: list[Case]) -> list[Item]:
    return [Item(case.id, case.text, case.answer, case.valid_from, case.valid_to, case.by) for case in cases]
