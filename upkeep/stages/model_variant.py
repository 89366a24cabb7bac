"""How does a part of a client's requests get a model of its own?

The variant is a client like any other from then on, with its config, store and log. In its store: model-variant/ for
what it began with, in counts, and for how its first model did beside the client's.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from upkeep import records
from upkeep.base_model import resolve_base
from upkeep.cases.case import Case, Item, normalise, valid_at
from upkeep.cases.model_variant import Beginning, Part, beginning
from upkeep.cases.split import Locked, Side, sides
from upkeep.config import Promotion
from upkeep.counts import count_of
from upkeep.desk import LAUNCH, Desk
from upkeep.entitlement import ChangeOrder
from upkeep.errors import DecisionError, NotEnoughDataError, VariantError, require_name
from upkeep.evaluation.comparison import Verdict
from upkeep.progress import Progress, silent
from upkeep.stages.card import write_card
from upkeep.stages.challengers import Challenger
from upkeep.stages.contract import book_use_case, open_order, use_case_of
from upkeep.stages.decisions import Decision
from upkeep.stages.evaluation import frozen_items
from upkeep.stages.finetuning import load_model
from upkeep.stages.locking import LOCKED, locked_items, open_hashes
from upkeep.stages.onboarding import store_first
from upkeep.stages.prerequisites import require_model
from upkeep.stages.release import apply_log, in_service, launch, release_log
from upkeep.stages.snapshot import known_cases, known_texts, right_at
from upkeep.stages.weighing import Contest, decided, log_weighed, weigh

BEGUN, DECIDED = "model-variant/begun.json", "model-variant/decision.json"
TRAINED = f"challengers/{LAUNCH}.json"


@dataclass(frozen=True, slots=True)
class ModelVariant:
    """A model of its own that was begun: of which client's requests, and from what, in counts.

    `taken` of its `cases` and `agreed` of its `golden` items are the client's; `left_out` of the client's cases are not
    among them, by why.
    """

    client: str
    key: str
    value: str
    as_of: datetime
    reason: str
    by: str
    cases: int
    taken: int
    golden: int
    agreed: int
    left_out: dict[str, int]

    def __str__(self) -> str:
        left_out = ", ".join(f"{n:,} {why}" for why, n in self.left_out.items())
        return (
            f"{count_of(self.cases, 'case')}, {self.taken:,} of them {self.client}'s, and "
            f"{count_of(self.golden, 'evaluation item')}, {self.agreed:,} of them {self.client}'s with "
            f"{self.key}={self.value}{f'; not taken along: {left_out}' if left_out else ''}"
        )


def begin_model_variant(
    client: Desk,
    variant: Desk,
    part: Part,
    *,
    cases: Sequence[Case],
    golden: Sequence[Item],
    as_of: datetime,
    reason: str,
    by: str,
) -> ModelVariant | ChangeOrder:
    """Book the variant on the client's contract, or open a change order for it; store what it begins with.

    One that was begun goes on where it is; what is given then begins it anew, until it is in service. Raises
    VariantError where the variant cannot be one of the client, or is in service as something else, and
    NotEnoughDataError where nothing is known of the part; that uses nothing up.
    """
    name, moment = variant.client.client, client.local(as_of)
    begun = records.load_if_there(variant.store, BEGUN, ModelVariant)
    _require_variant(client, variant, part, begun)
    if begun and (release_log(variant) or not (cases or golden)):
        return begun
    answer = use_case_of(client, name, as_of, reason=reason, by=by, model=True)
    if isinstance(answer, ChangeOrder):
        return open_order(client, answer, as_of)
    require_model(client)
    shut = _held_out(client, moment) | {normalise(one.text): one for one in locked_items(variant)}
    made = _beginning(client, variant, part, cases=cases, golden=golden, held_out=shut, moment=moment)
    resolve_base(variant.client.base_model)
    booked = book_use_case(client, name, as_of, reason=reason, by=by, model=True)
    if isinstance(booked, ChangeOrder):
        return booked
    for key in (TRAINED, DECIDED, BEGUN):
        variant.store.delete(key)
    records.save_rows(variant.store, f"{LOCKED}{client.client.client}.jsonl", shut.values())
    store_first(variant, made.cases, made.golden)
    counts = ModelVariant(
        client=client.client.client,
        key=part.key,
        value=part.value,
        as_of=moment,
        reason=reason,
        by=by,
        cases=len(made.cases),
        taken=made.taken,
        golden=len(made.golden),
        agreed=made.agreed,
        left_out=made.left_out,
    )
    records.save(variant.store, BEGUN, counts)
    return counts


def compare_with_client(client: Desk, variant: Desk, begun: ModelVariant, *, progress: Progress = silent) -> Decision:
    """Is a model of its own better for the part than the client's model in service, by the same rules as at a retrain?

    On the variant's golden set, but for what the client's model was taught. Raises NotEnoughDataError where that
    leaves nothing.
    """
    done = records.load_if_there(variant.store, DECIDED, Decision)
    if done:
        return done
    made, version = records.load(variant.store, TRAINED, Challenger), in_service(client)
    frozen, known = frozen_items(variant, LAUNCH), known_texts(client, version)
    right = valid_at(frozen.golden, begun.as_of)
    items = [one for one in right if normalise(one.text) not in known]
    if not items:
        what = f"a comparison (evaluation items that {begun.client}'s model was not taught)"
        raise NotEnoughDataError(what=what, have=0, need=1, where=f"client {variant.client.client}")
    champion = f"{begun.client}:{version}"
    models = {champion: load_model(client, version), made.version: load_model(variant, made.version)}
    contest = Contest(champion, made, models, {"golden": items})
    weighed = weigh(variant, contest, progress=progress)
    found = decided(variant, contest, weighed, LAUNCH, begun.as_of, reason=begun.reason)
    decision = replace(found, left_out=len(right) - len(items), waiting=frozen.waiting)
    sizes = {champion: client.registry.size(version), made.version: variant.registry.size(made.version)}
    log_weighed(variant, contest, weighed, decision, sizes=sizes)
    return records.create(variant.store, DECIDED, decision)


def start_variant(
    variant: Desk, decision: Decision, *, as_of: datetime, approve: bool = False, by: str = "", reason: str = ""
) -> Decision:
    """Put the variant into service where it won and nobody has to approve that, or where somebody does.

    Who approves does so whatever the verdict is, but for a model that reads back otherwise. Raises DecisionError and
    PersonError.
    """
    if release_log(variant):
        apply_log(variant)
    elif approve:
        require_name(by)
        if decision.terms and not decision.terms.reload_exact:
            raise DecisionError(f"client {variant.client.client}: {decision.reasons[0]}; train it again")
        _start(variant, decision, as_of=as_of, by=by, reason=reason)
    elif decision.verdict is Verdict.PROMOTE and variant.client.promotion is Promotion.AUTOMATIC:
        _start(variant, decision, as_of=as_of, by="the verdict", reason=decision.reasons[0])
    return _as_started(variant, decision)


def first_decision(desk: Desk) -> Decision | None:
    """How a client's first model did beside the one of the client that it is a variant of; None where it is none."""
    made = records.load_if_there(desk.store, DECIDED, Decision)
    return _as_started(desk, made) if made else None


def _as_started(variant: Desk, decision: Decision) -> Decision:
    log = release_log(variant)
    return replace(decision, applied=True, applied_by=log[0].by) if log else decision


def _start(variant: Desk, decision: Decision, *, as_of: datetime, by: str, reason: str) -> None:
    write_card(variant, decision.challenger, decision)
    launch(variant, decision.challenger, at=as_of, by=by, reason=reason)


def _require_variant(client: Desk, variant: Desk, part: Part, begun: ModelVariant | None) -> None:
    """Raise VariantError unless it can be a variant for that part of the client's requests, or is one."""
    mine, its = client.client, variant.client
    where = f"client {its.client}"
    if mine.client == its.client:
        raise VariantError(f"{where}: found the client itself, expected another one that has a config of its own")
    if mine.task is not its.task:
        raise VariantError(f"{where}: task is {its.task.value!r}, expected {mine.task.value!r} as {mine.client} has")
    if part.key not in mine.review_by:
        raise VariantError(
            f"client {mine.client}: found the key {part.key!r}, expected one of review_by {list(mine.review_by)}: "
            "cases know what requests had under no other"
        )
    was = begun and (begun.client, begun.key, begun.value)
    if was and was != (mine.client, *part):
        told = f"{begun.client} with {begun.key}={begun.value}" if begun else ""
        raise VariantError(f"{where}: begun as a variant of {told}, expected that and not {mine.client} with {part}")
    if not was and (variant.store.exists(TRAINED) or release_log(variant)):
        raise VariantError(f"{where}: onboarded already, expected one that has no model yet")


def _held_out(client: Desk, moment: datetime) -> dict[str, Locked]:
    """What no model is to learn, by its normalised text: what is locked, and what the next retrain will lock."""
    cases = known_cases(client, moment)
    on = sides(cases, {case.id: case for case in cases}, client.recipe, open_hashes(client))
    held = [Locked(case.id, case.text, moment) for case in cases if on[case.id] is Side.HOLDOUT]
    return {normalise(one.text): one for one in (*held, *locked_items(client))}


def _beginning(
    client: Desk,
    variant: Desk,
    part: Part,
    *,
    cases: Sequence[Case],
    golden: Sequence[Item],
    held_out: Container[str],
    moment: datetime,
) -> Beginning:
    made = beginning(
        right_at(client, known_cases(client, moment), moment),
        valid_at(client.golden(), moment),
        client=client.client.client,
        part=part,
        held_out=held_out,
        labels=None if variant.client.free_text else variant.client.answers,
        given=cases,
        given_golden=golden,
    )
    where = f"client {variant.client.client}, of {client.client.client} with {part}"
    if not (cases or any(part.has(one) for one in made.cases)):
        raise NotEnoughDataError(what="training (cases that are not held out)", have=0, need=1, where=where)
    if not made.golden:
        raise NotEnoughDataError(what="a comparison (golden items, or audited ones)", have=0, need=1, where=where)
    return made
