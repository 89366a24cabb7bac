"""Is the challenger better, and what was decided?

In the client's store: decisions/ by period, outcomes/ for how both models did on each item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from upkeep import records
from upkeep.cases.case import Item, normalise
from upkeep.conversations import asked
from upkeep.desk import Desk
from upkeep.errors import DecisionError, LeakError, NotEnoughDataError, NotFoundError
from upkeep.evaluation.after_cut import after_cut
from upkeep.evaluation.scores import Scores
from upkeep.evaluation.verdict import verdict
from upkeep.models.loading import Model
from upkeep.monitoring.themes import LEAST, nearest
from upkeep.progress import Progress, silent
from upkeep.stages.challengers import Challenger
from upkeep.stages.decisions import Decision, OnTheme, as_carried_out, decisions
from upkeep.stages.evaluation import (
    Frozen,
    Lessons,
    Service,
    evaluation_sets,
    first_asked_since,
    frozen_items,
    load_outcomes,
    variant_sets,
)
from upkeep.stages.finetuning import load_model
from upkeep.stages.release import in_service
from upkeep.stages.request_analysis import tracked_themes
from upkeep.stages.request_encoder import request_encoder
from upkeep.stages.snapshot import known_texts, taught_by, taught_texts
from upkeep.stages.weighing import Contest, decided, log_weighed, weigh
from upkeep.statistics.rates import Rate

BROUGHT = ("recent", "reported")
"""The sets of what production brought, in the order in which they are scored; they share no item."""


def compare_models(
    desk: Desk, period: str, as_of: datetime, *, reason: str, label: str | None = None, progress: Progress = silent
) -> Decision:
    """Score champion and challenger on the same frozen items, judge, and log the comparison.

    `label` is the new category, where the challenger was to learn that and keep the rest as it is.
    """
    key = f"decisions/{period}.json"
    done = records.load_if_there(desk.store, key, Decision)
    if done:
        return as_carried_out(desk, [done])[0]
    moment = desk.local(as_of)
    made = records.load(desk.store, f"challengers/{period}.json", Challenger)
    champion = in_service(desk)
    if champion == made.version:
        raise DecisionError(f"client {desk.client.client}: version {champion} would be compared with itself")
    old, new = load_model(desk, champion), load_model(desk, made.version)
    models = {champion: old, made.version: new}
    frozen = frozen_items(desk, period)
    sets = _sets(desk, moment, frozen, old, champion=champion, label=label)
    sets, left_out = _not_taught(desk, sets, champion=champion, challenger=made)
    if "golden" not in sets:
        where = f"client {desk.client.client} on {moment:%Y-%m-%d}"
        what = f"a comparison (golden items valid then and locked before its training, {frozen.waiting} are not)"
        raise NotEnoughDataError(what=what, have=0, need=1, where=where)
    cut = _training_cut(desk, champion)
    contest = Contest(champion, made, models, sets, first_asked_since(desk, cut, moment) if cut else set())
    weighed = weigh(desk, contest, label=label, progress=progress)
    decision = replace(
        decided(desk, contest, weighed, period, moment, reason=reason),
        themes=_on_themes(desk, moment, sets, champion=weighed.champion, challenger=weighed.challenger),
        left_out=left_out,
        waiting=frozen.waiting,
        after_cut=after_cut(weighed.outcomes, cut=cut, margin=weighed.terms.margin),
    )
    log_weighed(desk, contest, weighed, decision, sizes={one: desk.registry.size(one) for one in models})
    return records.create(desk.store, key, decision)


def _sets(
    desk: Desk, moment: datetime, frozen: Frozen, model: Model, *, champion: str, label: str | None
) -> dict[str, list[Item]]:
    """On what a champion, whose `model` it is, and its challenger are compared."""
    # what the champion itself was chosen for getting right it has right by luck too: any other model would lose there
    applied = [one for one in decisions(desk) if one.applied]
    service = Service(
        before=tuple(one.period for one in applied if one.challenger != champion),
        chosen=tuple(one.period for one in applied if one.challenger == champion),
    )
    labels = frozenset(model.manifest.labels)
    if label is not None:
        known = {*labels, desk.client.out_of_scope_label}
        return variant_sets(desk, moment, frozen, service, label=label, known=known)
    taught = taught_by(desk, champion)
    lessons = Lessons(taught.terms.moment, labels, taught.terms.rules) if taught else None
    return evaluation_sets(desk, moment, frozen, service, taught=lessons)


def _not_taught(
    desk: Desk, sets: dict[str, list[Item]], *, champion: str, challenger: Challenger
) -> tuple[dict[str, list[Item]], int]:
    """The sets without items that the champion was taught, and how many those were.

    Raises LeakError where the challenger was taught one: its training proved that it was not.
    """
    taught = taught_texts(desk, challenger.period)
    leaked = [item for items in sets.values() for item in items if normalise(item.text) in taught]
    if leaked:
        where = f"client {desk.client.client}: version {challenger.version}"
        raise LeakError(f"{where} was taught evaluation item {leaked[0].id}, and {len(leaked) - 1} more; retrain it")
    known = known_texts(desk, champion)
    kept = {name: [item for item in items if normalise(item.text) not in known] for name, items in sets.items()}
    gone = {item.id for items in sets.values() for item in items if normalise(item.text) in known}
    return {name: items for name, items in kept.items() if items}, len(gone)


def judge_again(desk: Desk, made: Decision) -> list[str]:
    """Tell a decision again from its outcomes and terms: what comes out otherwise, empty where it is identical.

    Raises DecisionError for a decision from before outcomes and terms were kept.
    """
    if made.terms is None or made.evidence is None:
        where = f"client {desk.client.client}, decision {made.period}"
        raise DecisionError(f"{where}: made before terms were kept, it cannot be told again")
    try:
        outcomes, digest = load_outcomes(desk, made.period)
    except NotFoundError as exc:
        return [f"outcomes: {exc}"]
    again = verdict(outcomes, made.terms)
    told = (
        ("SHA-256 of the outcomes", made.evidence, digest),
        ("verdict", made.verdict.value, again.judgement.verdict.value),
        ("reasons", made.reasons, again.judgement.reasons),
        ("comparison", made.compared, again.compared),
    )
    return [f"{name}: {now}, decided on {before}" for name, before, now in told if now != before]


def _on_themes(
    desk: Desk,
    moment: datetime,
    sets: dict[str, list[Item]],
    *,
    champion: Sequence[Scores],
    challenger: Sequence[Scores],
) -> tuple[OnTheme, ...]:
    """How both do on what keeps going wrong, the most frequent first; for people, the verdict does not ask."""
    tracked, items = tracked_themes(desk, moment), [item for name in BROUGHT for item in sets.get(name, [])]
    if tracked is None or not items:
        return ()
    old, new = (
        [right for one in scores if one.items in BROUGHT for right in one.right] for scores in (champion, challenger)
    )
    at = nearest(tracked.themes, request_encoder(desk).embed([asked(item.text) for item in items]))
    return tuple(
        OnTheme(
            theme.name,
            theme.since,
            Rate.of(right for one, right in zip(at, old, strict=True) if one == number),
            Rate.of(right for one, right in zip(at, new, strict=True) if one == number),
        )
        for number, theme in enumerate(tracked.themes)
        if at.count(number) >= LEAST
    )


def _training_cut(desk: Desk, version: str) -> datetime | None:
    """Up to when a version was taught what was known; None where that is not on record."""
    taught = taught_by(desk, version)
    return desk.local(taught.terms.moment) if taught else None
