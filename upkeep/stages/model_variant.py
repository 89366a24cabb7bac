"""How does a part of a client's requests get a model of its own?

The variant is a client like any other from then on, with its config, store and log. In its store: model-variant/ for
what it began with, in counts, and for how its first model did beside the client's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from upkeep import records
from upkeep.base_model import resolve_base
from upkeep.cases.case import Case, Item, normalise, valid_at
from upkeep.cases.label_history import decision_on
from upkeep.cases.model_variant import Beginning, Part, beginning, joined, of_client, of_part
from upkeep.cases.near_duplicates import similar_pairs
from upkeep.cases.review_batch import why_asked
from upkeep.cases.split import Locked, Side, sides
from upkeep.config import Promotion, Unreviewed
from upkeep.counts import count_of
from upkeep.desk import GOLDEN, LAUNCH, LAUNCH_CASES, Desk
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
from upkeep.stages.onboarding import REDACTED, Redaction, store_first, without_personal_data
from upkeep.stages.prerequisites import require_model
from upkeep.stages.release import apply_log, in_service, launch, release_log
from upkeep.stages.rules_in_force import rules_in_force
from upkeep.stages.snapshot import decided_by, ever_taught, known_cases, right_at
from upkeep.stages.weighing import Contest, decided, log_weighed, weigh

BEGUN, DECIDED = "model-variant/begun.json", "model-variant/decision.json"
TRAINED = f"challengers/{LAUNCH}.json"
SHOWN = 5
"""Values of a key that an error names."""


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

    @property
    def told(self) -> str:
        """Of whom it is a variant."""
        return f"it is a variant of {self.client} with {self.key}={self.value}"

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
    approve: bool = False,
) -> ModelVariant | ChangeOrder:
    """Book the variant on the client's contract, or open a change order for it; store what it begins with.

    One that was begun goes on where it is. It begins anew with what is given besides, and on a later day after it did
    not win, until it is in service or somebody is to `approve` it. What it is compared on is locked at the client too.
    Raises VariantError where it cannot be a variant of the client, or nothing can be given any more, and
    NotEnoughDataError where nothing is known of the part; that uses nothing up.
    """
    name, moment = variant.client.client, client.local(as_of)
    require_variant(client, variant, part)
    begun, given = records.load_if_there(variant.store, BEGUN, ModelVariant), _given(client, variant, cases, golden)
    if begun and _goes_on(variant, begun, part, moment, more=given.more, approve=approve):
        return begun
    answer = use_case_of(client, name, as_of, reason=reason, by=by, model=True)
    if isinstance(answer, ChangeOrder):
        return open_order(client, answer, as_of)
    require_model(client)
    shut = _held_out(client, moment) | {normalise(one.text): one for one in locked_items(variant)}
    made = _beginning(client, variant, part, given=given, held_out=shut, moment=moment)
    resolve_base(variant.client.base_model)
    booked = book_use_case(client, name, as_of, reason=reason, by=by, model=True)
    if isinstance(booked, ChangeOrder):
        return booked
    records.save_rows(variant.store, f"{LOCKED}of-{client.client.client}.jsonl", shut.values())
    _lock_at(client, name, made.golden, moment)
    for key in (DECIDED, TRAINED, BEGUN):  # wherever that ends, the next run goes on, or begins with what is stored
        variant.store.delete(key)
    store_first(variant, made.cases, made.golden, given.hidden)
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


class Given(NamedTuple):
    """The examples and evaluation items that people gave a variant, now and before, without personal data.

    `hidden` is what personal data was in them, `more` how many say what was not given before.
    """

    cases: tuple[Case, ...]
    golden: tuple[Item, ...]
    hidden: Redaction
    more: int


def _given(client: Desk, variant: Desk, cases: Sequence[Case], golden: Sequence[Item]) -> Given:
    """What is stored and not the client's, with what is given now.

    What somebody wrote into the golden set meanwhile is among it.
    """
    name, store = client.client.client, variant.store
    plain, items, hidden = without_personal_data(variant, cases, golden)
    stored = records.load_rows(store, LAUNCH_CASES, Case) if store.exists(LAUNCH_CASES) else []
    agreed = variant.golden() if store.exists(GOLDEN) else []
    taught = [one for one in stored if not of_client(one, name)]
    compared = [one for one in agreed if not of_client(one, name)]
    earlier = records.load_if_there(store, REDACTED, Redaction)
    return Given(
        joined(taught, plain, client=name),
        joined(compared, items, client=name),
        earlier + hidden if earlier else hidden,
        len(_said(plain, items) - _said(taught, compared)),
    )


def _goes_on(variant: Desk, begun: ModelVariant, part: Part, moment: datetime, *, more: int, approve: bool) -> bool:
    """Does one that was begun go on where it is? Raises VariantError where it has to, and something else is asked for.

    It begins anew with `more` that is given, for another part, and with what is known by a day after its decision.
    """
    where, other = f"client {variant.client.client}", part != (begun.key, begun.value)
    if not (approve or release_log(variant)):
        later = variant.store.exists(DECIDED) and moment.date() > begun.as_of.date()
        return not (more or other or later)
    if other:
        raise VariantError(f"{where}: {begun.told}, expected an approval of that and not of {part}")
    if more:
        late = "it is in service, where audits, reviewers and outcomes teach it"
        wanted = late if release_log(variant) else "an approval is of what was compared, and more begins it anew"
        raise VariantError(f"{where}: found {count_of(more, 'example')} more, expected none: {wanted}")
    return True


def _said(cases: Iterable[Case], golden: Iterable[Item]) -> set[tuple[object, ...]]:
    """What they say, whatever their ids."""
    agreed = {(one.text, one.answer, one.valid_from, one.valid_to, *sorted(one.by.items())) for one in golden}
    return {(one.text, one.answer) for one in cases} | {("golden", *one) for one in agreed}


def _lock_at(client: Desk, variant: str, golden: Sequence[Item], moment: datetime) -> None:
    """Lock at the client what a variant of it is compared on, as the client's model is asked that too; once.

    Not what a model of the client was ever taught, nor a near-duplicate of that: it is not compared on either.
    """
    there = {normalise(one.text) for one in locked_items(client)}
    new = [Locked(one.id, one.text, moment) for one in golden if normalise(one.text) not in there]
    taught = {pair.row for pair in similar_pairs([one.text for one in new], sorted(ever_taught(client)))}
    fair = [one for row, one in enumerate(new) if row not in taught]
    if fair:
        data = records.dump_rows(fair)
        key = f"{LOCKED}of-{variant}-{hashlib.sha256(data).hexdigest()[:12]}.jsonl"
        client.store.create(key, data)


def compare_with_client(client: Desk, variant: Desk, begun: ModelVariant, *, progress: Progress = silent) -> Decision:
    """Is a model of its own better for the part than the client's model in service, by the same rules as at a retrain?

    On the variant's golden set, but for what a model of the client was ever taught, or nearly that. Raises
    NotEnoughDataError where that leaves nothing.
    """
    done = records.load_if_there(variant.store, DECIDED, Decision)
    if done:
        return done
    made, version = records.load(variant.store, TRAINED, Challenger), in_service(client)
    frozen, fair = frozen_items(variant, LAUNCH), {normalise(one.text) for one in locked_items(client)}
    right = valid_at(frozen.golden, begun.as_of)
    items = [one for one in right if normalise(one.text) in fair]
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
    log = release_log(variant)[:1]
    mine = [one for one in log if one.version == decision.challenger]
    return replace(decision, applied=True, applied_by=mine[0].by) if mine else decision


def _start(variant: Desk, decision: Decision, *, as_of: datetime, by: str, reason: str) -> None:
    write_card(variant, decision.challenger, decision)
    launch(variant, decision.challenger, at=as_of, by=by, reason=reason)


def require_variant(client: Desk, variant: Desk, part: Part) -> None:
    """Raise VariantError unless it can be a variant for that part of the client's requests, or is one."""
    begun = records.load_if_there(variant.store, BEGUN, ModelVariant)
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
    if begun and (begun.client != mine.client or (release_log(variant) and part != (begun.key, begun.value))):
        raise VariantError(f"{where}: {begun.told}, expected that and not {mine.client} with {part}")
    if not begun and (variant.store.exists(TRAINED) or release_log(variant)):
        raise VariantError(f"{where}: onboarded already, expected one that has no model yet")


def _held_out(client: Desk, moment: datetime) -> dict[str, Locked]:
    """What no model is to learn, by its normalised text: what is locked, and what the next retrain will lock."""
    cases = known_cases(client, moment)
    on = sides(cases, {case.id: case for case in cases}, client.recipe, open_hashes(client))
    held = [Locked(one.id, one.text, moment) for one in cases if on[one.id] is Side.HOLDOUT]
    agreed = [Locked(one.id, one.text, moment) for one in client.golden()]
    return {normalise(one.text): one for one in (*held, *agreed, *locked_items(client))}


def _beginning(
    client: Desk,
    variant: Desk,
    part: Part,
    *,
    given: Given,
    held_out: Container[str],
    moment: datetime,
) -> Beginning:
    known, decided = known_cases(client, moment), decided_by(client, moment)
    rules = rules_in_force(client, known, decided, moment)
    if client.client.unreviewed is not Unreviewed.USE_OUTCOMES:  # what waits for people there is taught nowhere
        known = [one for one in known if not why_asked(one) or decision_on(one, decided)]
    made = beginning(
        # what others said of the same text is no answer of the part's
        right_at(client, of_part(known, part), moment, rules=rules),
        valid_at(client.golden(), moment),
        client=client.client.client,
        part=part,
        held_out=held_out,
        labels=None if variant.client.free_text else variant.client.answers,
        given=given.cases,
        given_golden=given.golden,
    )
    where = f"client {variant.client.client}, of {client.client.client} with {part}"
    if not (given.cases or any(part.has(one) for one in made.cases)):
        values = Counter(one.by[part.key] for one in known if part.key in one.by)
        none = "none, as cases have the keys that review_by had when they were collected"
        there = ", ".join(f"{value} {n:,}" for value, n in values.most_common(SHOWN)) or none
        what = f"training (cases not held out; there are, by {part.key}: {there})"
        raise NotEnoughDataError(what=what, have=0, need=1, where=where)
    if not made.golden:
        raise NotEnoughDataError(what="a comparison (golden items, or audited ones)", have=0, need=1, where=where)
    return made
