"""Is the challenger better, and what was decided?

In the client's store: decisions/ by period, outcomes/ for how both models did on each item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from upkeep import records
from upkeep.cases.case import Item, normalise
from upkeep.config import Client
from upkeep.desk import Desk
from upkeep.errors import DecisionError, LeakError, NotEnoughDataError, NotFoundError
from upkeep.evaluation.after_cut import AfterCut, after_cut
from upkeep.evaluation.cost import ASKED, FEW, Cost, cost, time_answers
from upkeep.evaluation.differences import Answered, Difference, differences
from upkeep.evaluation.scores import Scores, evaluate_model, treated
from upkeep.evaluation.verdict import ItemResult, VerdictTerms, verdict
from upkeep.metrics.closeness import Duel, Judge, duel, judge_of
from upkeep.models.loading import Model
from upkeep.monitoring.themes import LEAST, nearest
from upkeep.progress import Progress, silent
from upkeep.release import code_version
from upkeep.stages.challengers import Challenger
from upkeep.stages.comparison_runs import Scored, log_comparison
from upkeep.stages.decisions import Decision, OnTheme, as_carried_out, decisions
from upkeep.stages.evaluation import (
    Frozen,
    Lessons,
    evaluation_sets,
    first_asked_since,
    frozen_items,
    load_outcomes,
    save_outcomes,
    variant_sets,
)
from upkeep.stages.finetuning import load_model
from upkeep.stages.release import in_service
from upkeep.stages.request_analysis import tracked_themes
from upkeep.stages.request_encoder import request_encoder
from upkeep.stages.snapshot import known_texts, taught_by, taught_texts
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
    judge = judge_of(desk.client.writing)
    scores = {version: _score_all(desk, model, sets, judge, progress) for version, model in models.items()}
    before, now = scores[champion], scores[made.version]
    outcomes = _outcomes(desk, sets, champion=before, challenger=now)
    same_weights = old.manifest.weights_digest == new.manifest.weights_digest
    terms = _terms(desk.client, label=label, same_weights=same_weights, reload_exact=made.reload_exact)
    judged = verdict(outcomes, terms)
    decision = Decision(
        period=period,
        as_of=moment,
        reason=reason,
        champion=champion,
        challenger=made.version,
        verdict=judged.judgement.verdict,
        reasons=judged.judgement.reasons,
        compared=judged.compared,
        metrics={version: _flat(found) for version, found in scores.items()},
        themes=_on_themes(desk, moment, sets, champion=before, challenger=now),
        label=label,
        terms=terms,
        evidence=save_outcomes(desk, period, outcomes),
        code=code_version(),
        left_out=left_out,
        waiting=frozen.waiting,
        figures=_differences(desk, sets, champion=before, challenger=now),
        duels=_duels(champion=before, challenger=now),
        after_cut=_after_cut(desk, moment, outcomes, champion=champion, margin=terms.margin),
    )
    log_comparison(desk, decision, Scored(sets, scores, outcomes, judged, _costs(desk, models, sets["golden"])))
    return records.create(desk.store, key, decision)


def _sets(
    desk: Desk, moment: datetime, frozen: Frozen, model: Model, *, champion: str, label: str | None
) -> dict[str, list[Item]]:
    """On what a champion, whose `model` it is, and its challenger are compared."""
    # what the champion itself was chosen for getting right it has right by luck too: any other model would lose there
    served = [one.period for one in decisions(desk) if one.applied and one.challenger != champion]
    labels = frozenset(model.manifest.labels)
    if label is not None:
        known = {*labels, desk.client.out_of_scope_label}
        return variant_sets(desk, moment, frozen, served=served, label=label, known=known)
    taught = taught_by(desk, champion)
    lessons = Lessons(taught.terms.moment, labels, taught.terms.rules) if taught else None
    return evaluation_sets(desk, moment, frozen, served=served, taught=lessons)


def _terms(client: Client, *, label: str | None, same_weights: bool, reload_exact: bool) -> VerdictTerms:
    """What was agreed on a comparison, and what is proved of the two models."""
    return VerdictTerms(
        margin=client.margin_pp / 100,
        minimum_items=client.minimum_items,
        same_weights=same_weights,
        reload_exact=reload_exact,
        label=label,
        minimum_new_recall=client.minimum_new_recall,
        minimum_new_items=client.minimum_new_items,
        free_text=client.free_text,
        promised=client.promised_precision,
    )


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
    at = nearest(tracked.themes, request_encoder(desk).embed([item.text for item in items]))
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


def _after_cut(
    desk: Desk, moment: datetime, outcomes: Sequence[ItemResult], *, champion: str, margin: float
) -> AfterCut:
    """How both do on recent requests from after the champion's training cut."""
    taught = taught_by(desk, champion)
    cut = desk.local(taught.terms.moment) if taught else None
    since = first_asked_since(desk, cut, moment) if cut else set()
    return after_cut(outcomes, since, cut=cut, margin=margin)


def _differences(
    desk: Desk, sets: dict[str, list[Item]], *, champion: Sequence[Scores], challenger: Sequence[Scores]
) -> tuple[Difference, ...]:
    """The figures that are no plain share, set by set; the items drawn are the same whenever it is asked."""
    outside = desk.client.out_of_scope_label

    def answered(scores: Scores, items: list[Item]) -> Answered:
        return Answered(
            treated(scores.answers, items, out_of_scope=outside),
            [one.confidence for one in scores.answers],
            [one.automatic for one in scores.answers],
            scores.right,
            scores.close,
        )

    return tuple(
        one
        for (name, items), old, new in zip(sets.items(), champion, challenger, strict=True)
        for one in differences(
            name,
            [item.answer for item in items],
            champion=answered(old, items),
            challenger=answered(new, items),
            seed=0,
        )
    )


def _duels(*, champion: Sequence[Scores], challenger: Sequence[Scores]) -> tuple[Duel, ...]:
    """Whose texts are closer to the agreed ones, set by set; nothing where answers are labels."""
    return tuple(
        duel(old.items, champion=old.close, challenger=new.close)
        for old, new in zip(champion, challenger, strict=True)
        if old.close
    )


def _outcomes(
    desk: Desk, sets: dict[str, list[Item]], *, champion: Sequence[Scores], challenger: Sequence[Scores]
) -> list[ItemResult]:
    return [
        ItemResult(
            name,
            normalise(item.text),
            right_before,
            right_now,
            id=item.id,
            wanted=item.answer,
            champion_answer=before.output,
            challenger_answer=now.output,
            by={key: item.by[key] for key in desk.client.review_by if key in item.by},
            champion_automatic=before.automatic,
            challenger_automatic=now.automatic,
        )
        for (name, items), old, new in zip(sets.items(), champion, challenger, strict=True)
        for item, right_before, right_now, before, now in zip(
            items, old.right, new.right, old.answers, new.answers, strict=True
        )
    ]


def _score_all(desk: Desk, model: Model, sets: dict[str, list[Item]], judge: Judge, progress: Progress) -> list[Scores]:
    return [
        evaluate_model(model, items, name=name, client=desk.client, judge=judge, progress=progress)
        for name, items in sets.items()
    ]


def _costs(desk: Desk, models: Mapping[str, Model], items: Sequence[Item]) -> dict[str, Cost]:
    """What each version costs to run, on some of the items."""
    most = FEW if desk.client.free_text else ASKED
    seconds = time_answers(models, [item.text for item in items], seed=0, most=most)
    return {version: cost(seconds[version], desk.registry.size(version)) for version in models}


def _flat(scores: Sequence[Scores]) -> dict[str, float]:
    """The figures of all sets under prefixed names: golden/accuracy, recent/accuracy, golden/f1/billing."""
    return {f"{one.items}/{name}": value for one in scores for name, value in one.metrics.items()}
