"""How does a client get a new category, from its examples to what people are asked?

In the client's store, under the use case's key (2026-Q2-variant-gift-card; from its second round on with .2, .3):
use-cases/rounds/ in counts, and its cases, batch, snapshot, challenger and decision where those of a retrain are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from upkeep import records
from upkeep.cases.case import Case
from upkeep.cases.collection import LATE
from upkeep.cases.doubts import Doubt
from upkeep.cases.relabel_rules import becomes
from upkeep.cases.review_batch import Question
from upkeep.cases.variant import (
    Folded,
    Past,
    check_label,
    check_seeds,
    likeliest,
    may_belong,
    proposed_cases,
    seed_cases,
)
from upkeep.config import Promotion, Relabel
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.entitlement import ChangeOrder, UseCase
from upkeep.errors import VariantError
from upkeep.log.entries import draw_order
from upkeep.log.truth import truth_of
from upkeep.periods import Cadence, period
from upkeep.redaction import PersonalData, told
from upkeep.stages.approval import Standing, standing
from upkeep.stages.challengers import Challenger, challengers
from upkeep.stages.contract import book_use_case, use_case_of
from upkeep.stages.decisions import decision
from upkeep.stages.prerequisites import require_anything
from upkeep.stages.release import in_service
from upkeep.stages.request_encoder import request_encoder
from upkeep.stages.snapshot import decided_by, known_cases, right_at
from upkeep.stages.waiting import Waiting

WEEKS = 26
"""Requests of so many weeks are looked through."""
OF_A_LABEL = 20
"""So many cases of a label, by chance, tell where it lies."""
ROUNDS = "use-cases/rounds/"


@dataclass(frozen=True, slots=True)
class Round:
    """Examples of a new category and what was found with them, in counts; `period` is what it is all kept under.

    `looked` are the past requests that might have belonged to it, `proposed` those that people are asked about.
    `redacted` counts personal data in the examples and in what is proposed by its kind (nothing of a client's own
    redactor), `redacted_texts` the texts of which some was a part.
    """

    period: str
    number: int
    label: str
    as_of: datetime
    seeds: int
    folded: int
    looked: int
    proposed: int
    redacted: dict[PersonalData, int] = field(default_factory=dict)
    redacted_texts: int = 0

    @property
    def periods(self) -> list[str]:
        """What the rounds of the category up to this one are kept under."""
        first = self.period.removesuffix(f".{self.number}")
        return [first, *(f"{first}.{number}" for number in range(2, self.number + 1))]

    def __str__(self) -> str:
        line = (
            f"{self.label!r}: {count_of(self.seeds, 'example')} ({self.folded} more said the same); "
            f"people are asked about {self.proposed} of {count_of(self.looked, 'past request')} that may belong to it"
        )
        hidden = told(self.redacted, self.redacted_texts, "text")
        return f"{line}; {hidden}" if hidden else line


@dataclass(frozen=True, slots=True)
class Renamed:
    """A new category whose cases a relabel rule gave another answer before it was taught."""

    period: str
    rule: Relabel

    def __str__(self) -> str:
        rule = self.rule
        return (
            f"{self.period}: the relabel rule {rule.old!r} -> {rule.new!r} from {rule.since} renamed its cases before "
            f"it was taught; a retrain teaches them as {rule.new!r}, or take the rule back to teach {rule.old!r}"
        )


class OpenUseCase(NamedTuple):
    """A new category that was started and goes on: its newest round, and what that waits for, if anything."""

    use_case: UseCase
    begun: Round
    waiting: Waiting | Renamed | None


def begin_use_case(
    desk: Desk, label: str, seeds: Sequence[str], as_of: datetime, *, reason: str, by: str
) -> Round | ChangeOrder:
    """Book a new category on the contract, or open a change order for it; store its examples and look for more.

    A category that was begun goes on where it is; examples that it did not have begin a new round of it, and so does
    another model that came into service before the one with the category could. Raises
    VariantError where the label is not new, was renamed by a rule or has too few examples, whatever the contract
    includes; that uses nothing up and opens no change order.
    """
    require_anything(desk)
    moment = desk.local(as_of)
    answer = use_case_of(desk, label, as_of, reason=reason, by=by)
    before = rounds(desk, answer) if isinstance(answer, UseCase) else []
    first = answer.key if isinstance(answer, UseCase) else answer.period
    key = f"{first}.{len(before) + 1}" if before else first
    cases = known_cases(desk, moment, but=_cases(key))
    read = [case for case in cases if Doubt.PROPOSED not in case.doubts]
    given = seed_cases(label, seeds, known=read, redaction=desk.client.redaction, by=by, at=moment)
    gone = None if given.cases else _renamed(desk, label, before, moment)
    if gone:
        raise VariantError(f"client {desk.client.client}: {gone}")
    if before and not given.cases and not _overtaken(desk, before[-1], moment):
        return before[-1]
    if not before:
        _require_new(desk, label, given, cases, booked=answer in desk.new_categories())
    booked = book_use_case(desk, label, as_of, reason=reason, by=by)
    if isinstance(booked, ChangeOrder):
        return booked
    return _round(desk, key, len(before) + 1, given, cases, label=label, as_of=as_of)


def rounds(desk: Desk, use_case: UseCase) -> list[Round]:
    """The rounds of a new category that were begun, in order."""
    keys = [f"{ROUNDS}{use_case.key}.json", *desk.store.keys(f"{ROUNDS}{use_case.key}.")]
    found = [records.load_if_there(desk.store, key, Round) for key in dict.fromkeys(keys)]
    return sorted((one for one in found if one), key=lambda one: one.number)


def wait_for_cases(desk: Desk, begun: Round, as_of: datetime) -> Waiting | None:
    """Does a category wait for people? Not where its newest round is decided on, or all they were asked is answered."""
    if _decided(desk, begun):
        return None
    asked = {id for key in begun.periods for id in _asked(desk, key)}
    left = tuple(sorted(asked - decided_by(desk, desk.local(as_of)).keys()))
    return Waiting(begun.period, begun.as_of, f"new category {begun.label!r}", left) if left else None


def open_use_cases(desk: Desk, as_of: datetime) -> list[OpenUseCase]:
    """The new categories begun by a moment and not decided on, or that won and are still to go into service.

    Where promotion is automatic, also those whose model another one has overtaken.
    """
    moment = desk.local(as_of)
    known = [(one, [part for part in rounds(desk, one) if part.as_of <= moment]) for one in desk.new_categories()]
    newest = [(one, begun) for one, parts in known for begun in parts[-1:]]
    still = [pair for pair in newest if not _decided(desk, pair[1]) or _to_apply(desk, pair[1], as_of)]
    return [OpenUseCase(one, begun, _waits(desk, one, begun, as_of)) for one, begun in still]


def looked_over(desk: Desk, as_of: datetime) -> list[UseCase]:
    """The open ones that go on now: all that people were asked about them is answered."""
    return [one.use_case for one in open_use_cases(desk, as_of) if one.waiting is None]


def _waits(desk: Desk, one: UseCase, begun: Round, as_of: datetime) -> Waiting | Renamed | None:
    return _renamed(desk, one.label, rounds(desk, one), desk.local(as_of)) or wait_for_cases(desk, begun, as_of)


def _renamed(desk: Desk, label: str, begun: Sequence[Round], moment: datetime) -> Renamed | None:
    """The rule, if any, from a day after the newest examples of a category that is still to be taught.

    None where a later one leads back.
    """
    given = [desk.local(one.as_of).date() for one in begun if one.seeds]
    if not given or (_decided(desk, begun[-1]) and not _overtaken(desk, begun[-1], moment)):
        return None
    found = [rule for rule in desk.rules(moment) if max(given) < rule.since <= moment.date()]
    away = [rule for rule in found if rule.old == label and not rule.for_a_part]
    return Renamed(begun[-1].period, max(away, key=lambda rule: rule.since)) if becomes(label, found) != label else None


def _require_new(desk: Desk, label: str, given: Folded, cases: Sequence[Case], *, booked: bool) -> None:
    """Raise VariantError unless a label is a new one, or `booked` by a run that was killed, and has examples enough."""
    where, recipe = f"client {desk.client.client}", desk.head_recipe
    others = every_label(desk, desk.registry.version("champion"))
    check_label(label, others - {label} if booked else others, where=where)
    check_seeds(label, given, cases, recipe, where=where)


def _round(
    desk: Desk, key: str, number: int, given: Folded, cases: Sequence[Case], *, label: str, as_of: datetime
) -> Round:
    """Look for past requests like the examples and store both; the record comes last."""
    moment = desk.local(as_of)
    past = _look_back(desk, label, moment)
    likely = [past[row] for row in _likeliest(desk, past, given, cases, label=label, moment=moment)]
    in_order = sorted(cases, key=lambda case: Doubt.PROPOSED in case.doubts)
    known = [*in_order, *given.cases]
    proposed = proposed_cases(label, likely, known=known, redaction=desk.client.redaction, at=moment)
    records.save_rows(desk.store, _cases(key), [*given.cases, *proposed.cases])
    records.save_rows(desk.store, f"folded/{key}.jsonl", ())  # likeness alone says nothing of a request's answer
    counts = Round(
        period=key,
        number=number,
        label=label,
        as_of=moment,
        seeds=len(given.cases),
        folded=given.folded,
        looked=len(past),
        proposed=len(proposed.cases),
        redacted=dict(Counter(given.redacted) + Counter(proposed.redacted)),
        redacted_texts=given.changed + proposed.changed,
    )
    records.save(desk.store, f"{ROUNDS}{key}.json", counts)
    return counts


def _look_back(desk: Desk, label: str, moment: datetime) -> list[Past]:
    """The requests of the last weeks that may belong to the new category; of a large log, some by chance."""
    labels = _taught(desk, desk.registry.version("champion")) - {desk.client.out_of_scope_label}
    found = []
    for ago in range(WEEKS):
        window = period(moment - timedelta(weeks=ago), Cadence.WEEKLY, desk.zone)
        sampled = desk.sample_log(window, until=min(moment, window.end + LATE))
        for one in sampled.predictions:
            said = sampled.outcomes.get(one.id)
            truth = truth_of(one, said, out_of_scope=desk.client.out_of_scope_label) if said else None
            if one.at < moment and may_belong(Past(one, truth), labels=labels, label=label):
                found.append(Past(one, truth))
    return found


def _likeliest(
    desk: Desk, past: Sequence[Past], given: Folded, cases: Sequence[Case], *, label: str, moment: datetime
) -> list[int]:
    """Compare them with all examples of the category and with some cases of each label that the model knows."""
    texts: dict[str, list[str]] = defaultdict(list)
    for case in right_at(desk, [*cases, *given.cases], moment):
        texts[case.answer].append(case.text)
    eyes = request_encoder(desk)
    known = _taught(desk, desk.registry.version("champion")) - {label, desk.client.out_of_scope_label}
    return likeliest(
        eyes.embed([one.prediction.input for one in past]),
        seeds=eyes.embed(texts[label]),
        taught={
            one: eyes.embed(sorted(texts[one], key=draw_order)[:OF_A_LABEL]) for one in sorted(known & texts.keys())
        },
    )


def _taught(desk: Desk, version: str | None) -> set[str]:
    """The labels of a model."""
    return set(next((one.labels for one in challengers(desk) if one.version == version), ()))


def every_label(desk: Desk, version: str | None) -> set[str]:
    """Every label there is: agreed, learned, or booked as a new category; and the one for what none fits."""
    booked = [one.label for one in desk.new_categories()]
    return {*desk.client.answers, *_taught(desk, version), *booked}


def _asked(desk: Desk, key: str) -> list[str]:
    """The cases of a round that people are asked about, or will be where its batch has not gone out."""
    if desk.store.exists(f"batches/{key}.json"):
        return [one.id for one in records.load_rows(desk.store, f"batches/{key}.jsonl", Question)]
    return [case.id for case in records.load_rows(desk.store, _cases(key), Case) if case.doubts]


def _decided(desk: Desk, begun: Round) -> bool:
    return desk.store.exists(f"decisions/{begun.period}.json")


def _to_apply(desk: Desk, begun: Round, as_of: datetime) -> bool:
    """Did it win where promotion is automatic, in a run that did not get to its end?"""
    if desk.client.promotion is not Promotion.AUTOMATIC:
        return False
    pending = standing(desk, decision(desk, begun.period), as_of) is Standing.PENDING
    return pending or _overtaken(desk, begun, as_of)


def _overtaken(desk: Desk, begun: Round, as_of: datetime) -> bool:
    """Did its model grow on one that another has replaced since, and can it no more go into service?"""
    if _decided(desk, begun):
        made = decision(desk, begun.period)
        return standing(desk, made, as_of) is Standing.SUPERSEDED and in_service(desk) != made.champion
    trained = records.load_if_there(desk.store, f"challengers/{begun.period}.json", Challenger)
    return trained is not None and trained.grown_on not in (None, in_service(desk))


def _cases(key: str) -> str:
    return f"cases/{key}.jsonl"
