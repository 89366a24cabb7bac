"""What does each stage of the chain read, decide and leave behind for one client?

Every stage is safe to run again: it writes its record last and, where the record is there, returns it.
Records stand in the client's store: reviews/2026-W47.json, claims/2026-Q4.json, collections/, challengers/,
decisions/ by period, change-orders/ by period, each reason for one in change-orders/<period>/, edge-cases/ and themes/
by week. What was read of the log stands in daily/ (`upkeep.daily`).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from upkeep import records
from upkeep.adapters.registry import Dataset, Registry
from upkeep.base_model import resolve_base
from upkeep.beginning import log_begins, require_anything, require_log, require_model
from upkeep.cases import (
    Case,
    Item,
    Side,
    Source,
    TrainingSet,
    prove_no_leak,
    side,
    supersede,
    training_set,
    valid_at,
)
from upkeep.classifier import Classifier
from upkeep.collection import LATE, Collected, collect
from upkeep.comparison import Judgement, Paired, Verdict, compare, judge
from upkeep.config import BaseModelConfig, Promotion, Work
from upkeep.desk import GOLDEN, LAUNCH_CASES, Desk
from upkeep.edges import SHOWN
from upkeep.entitlement import Asked, ChangeOrder, Claim, Included, entitled, with_reasons
from upkeep.errors import AlreadyExistsError, BaseModelError, DecisionError, NotEnoughDataError
from upkeep.evaluation import Scores, evaluate_model
from upkeep.figures import figures_of
from upkeep.finetuning import Trained, finetune
from upkeep.generated import look_at_answers
from upkeep.looking import Tracked, eyes_of, look_at_week, track_themes, tracked_themes
from upkeep.monitoring import Review, review
from upkeep.periods import Cadence, Window, last_full, starts_on, week
from upkeep.progress import Progress, silent
from upkeep.rates import Rate
from upkeep.themes import LEAST, nearest

RECENT = timedelta(days=92)
"""How far back the recent holdout reaches."""
THEME_WEEKS = 8
"""Themes are found in what went wrong in so many newest weeks."""
HISTORY = 104
"""A week is judged by so many before it: what a review costs does not grow with a client's years."""
RECOUNTED = 3
"""So many weeks before the reviewed one are counted again: labels come in late."""
PROOF_TEXTS = 20
LAUNCH = "launch"

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Collection:
    """What one retrain's collection brought, in counts; its cases stand in cases/<period>.jsonl."""

    period: str
    as_of: datetime
    cases: int
    errors: int
    without_answer: int
    known: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Challenger:
    """A trained version: what it was taught, how sure its threshold is, and that it reads back the same."""

    period: str
    as_of: datetime
    version: str
    labels: tuple[str, ...]
    new_labels: tuple[str, ...]
    waiting_labels: dict[str, int]
    trained_on: int
    superseded: int
    training_digest: str
    weights_digest: str
    threshold: float
    expected_automatic: float
    reload_exact: bool


@dataclass(frozen=True, slots=True)
class OnTheme:
    """Both models on the recent items that are about something that kept going wrong."""

    theme: str
    since: str
    champion: Rate
    challenger: Rate

    def __str__(self) -> str:
        old, new = self.champion, self.challenger
        return f"{self.theme} (since {self.since}): {new.hits} of {new.n} right, before {old.hits}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a challenger, on which evidence, and whether it went into service."""

    period: str
    as_of: datetime
    reason: str
    champion: str
    challenger: str
    verdict: Verdict
    reasons: tuple[str, ...]
    compared: tuple[Paired, ...]
    metrics: dict[str, dict[str, float]]
    applied: bool = False
    applied_by: str | None = None
    themes: tuple[OnTheme, ...] = ()


def due(desk: Desk, as_of: datetime) -> list[Work]:
    """The scheduled work whose period begins on the day of `as_of`, in the order it is done."""
    schedule = desk.tier.schedule
    return [work for work in Work if work in schedule and starts_on(as_of, schedule[work], desk.zone)]


def review_week(desk: Desk, as_of: datetime) -> Review:
    """Review the last full week before `as_of`. Where the log began later it raises NoLogError and writes nothing."""
    last = last_full(as_of, Cadence.WEEKLY, desk.zone)
    key = _review_key(last.key)
    done = records.load_if_there(desk.store, key, Review)
    if done:
        return done
    require_log(desk, last)
    moment = desk.local(as_of)
    earlier = reviews(desk, upto=last.key, newest=HISTORY)  # this week's own is not there yet
    again = [week(one.week, desk.zone) for one in earlier[-RECOUNTED:]]
    counted, *late = desk.count_log(last, *again, until=moment)
    if counted.quarantined:
        records.save_rows(desk.store, f"quarantine/{last.key}.jsonl", counted.quarantined)
    try:
        seen, unseen = look_at_week(desk, last, until=moment), None
    except BaseModelError as exc:  # the figures need no model
        seen, unseen = None, str(exc)
    if seen:
        records.save_rows(desk.store, f"edge-cases/{last.key}.jsonl", seen.edges.cases)
    found = review(
        desk.client,
        week=last.key,
        as_of=moment,
        figures=figures_of(counted, desk.client),
        earlier=earlier,
        recounted={one.key: figures_of(tally, desk.client) for one, tally in zip(again, late, strict=True)},
        inputs=seen.inputs if seen else None,
        unseen=unseen,
        versions={one.version for one in challengers(desk)},
        generated=look_at_answers(desk.sample_log(last, until=moment), refusals=desk.client.refusals)
        if desk.client.free_text
        else None,
        edges=replace(seen.edges, cases=seen.edges.cases[:SHOWN]) if seen else None,
    )
    records.save(desk.store, key, found)
    return found


def follow_themes(desk: Desk, found: Review) -> Tracked | None:
    """Track what keeps going wrong over the weeks up to a review; None where nobody can look."""
    weeks = reviewed_weeks(desk, upto=found.week)[-THEME_WEEKS:]
    try:
        return track_themes(desk, [week(key, desk.zone) for key in weeks], until=found.as_of)
    except BaseModelError:  # the review has said so
        return None


def reviews(desk: Desk, *, upto: str | None = None, newest: int | None = None) -> list[Review]:
    """The client's reviews, oldest first: all, those up to a week, the newest of them only."""
    keys = [_review_key(one) for one in reviewed_weeks(desk, upto=upto)]
    return [records.load(desk.store, key, Review) for key in keys[-newest if newest else 0 :]]


def reviewed_weeks(desk: Desk, *, upto: str | None = None) -> list[str]:
    """The weeks that were reviewed, oldest first."""
    found = (key.removeprefix("reviews/").removesuffix(".json") for key in desk.store.keys("reviews/"))
    return [week for week in found if upto is None or week <= upto]


def challengers(desk: Desk) -> list[Challenger]:
    """Every version that was trained for the client."""
    return [records.load(desk.store, key, Challenger) for key in desk.store.keys("challengers/")]


def decisions(desk: Desk) -> list[Decision]:
    """All decisions about the client's models, oldest first."""
    found = [records.load(desk.store, key, Decision) for key in desk.store.keys("decisions/")]
    return sorted(found, key=lambda one: one.as_of)


def decision(desk: Desk, period: str) -> Decision:
    """The decision of a period. Raises DecisionError listing those there are, NoChampionError before onboarding."""
    found = records.load_if_there(desk.store, f"decisions/{period}.json", Decision)
    if found is None:
        require_model(desk)
        there = [one.period for one in decisions(desk)]
        wanted = f"expected one of {there}" if there else "nor any other; `upkeep retrain` makes one"
        raise DecisionError(f"client {desk.client.client}: no decision {period!r}, {wanted}")
    return found


def change_orders(desk: Desk) -> list[ChangeOrder]:
    """All change orders opened for the client, oldest first, each with every reason it was asked for."""
    keys = [key for key in desk.store.keys("change-orders/") if key.count("/") == 1]
    return [_all_reasons(desk, records.load(desk.store, key, ChangeOrder)) for key in keys]


def book_retrain(desk: Desk, as_of: datetime, reason: str) -> Included | ChangeOrder:
    """Book a retrain on the contract, or open a change order for it where it is not included.

    A period has one change order, which a further reason joins. Raises NoChampionError where there is nothing to
    retrain; that uses nothing up.
    """
    moment = desk.local(as_of)
    answer = entitled(desk.tier, as_of=moment, zone=desk.zone, claims=desk.claims(), reason=reason)
    if isinstance(answer, ChangeOrder):
        require_anything(desk)
        order = _once(desk, f"change-orders/{answer.period}.json", answer)
        # a record of its own, since no store replaces one on condition: two who ask at once would lose a reason
        name = hashlib.sha256(reason.encode()).hexdigest()[:12]
        _once(desk, f"change-orders/{order.period}/{name}.json", Asked(moment, reason))
        return _all_reasons(desk, order)
    require_model(desk)
    _once(desk, f"claims/{answer.period}.json", Claim(answer.period, moment, reason))
    return answer


def collect_cases(desk: Desk, period: str, as_of: datetime) -> Collection:
    """Collect what production taught since the last retrain."""
    key = f"collections/{period}.json"
    done = records.load_if_there(desk.store, key, Collection)
    if done:
        return done
    moment = desk.local(as_of)
    earlier = [records.load(desk.store, one, Collection) for one in desk.store.keys("collections/")]
    since = max((one.as_of for one in earlier if one.as_of < moment), default=None)
    start = since - LATE if since else log_begins(desk)
    found, quarantined = Collected((), 0, 0, 0), 0
    if start is not None:
        log = desk.read_log(Window(start, moment, period), until=moment)
        others = [case for case in desk.cases() if case.valid_from is None or case.valid_from < moment]
        found = collect(log, since=since, known=others, out_of_scope=desk.client.out_of_scope_label)
        quarantined = len(log.quarantined)
    records.save_rows(desk.store, f"cases/{period}.jsonl", found.cases)
    counts = Collection(period, moment, len(found.cases), found.errors, found.without_answer, found.known, quarantined)
    records.save(desk.store, key, counts)
    return counts


def onboard(
    desk: Desk,
    *,
    cases: Sequence[Case],
    golden: Sequence[Item],
    as_of: datetime,
    seed: int,
    progress: Progress = silent,
) -> Challenger:
    """Store a client's first cases and golden set, train the first model and put it into service."""
    if not golden:
        raise NotEnoughDataError(what="a golden set", have=0, need=1, where=f"client {desk.client.client}")
    records.save_rows(desk.store, LAUNCH_CASES, cases)
    records.save_rows(desk.store, GOLDEN, golden)
    first = train_challenger(desk, LAUNCH, as_of, seed=seed, progress=progress)
    if desk.registry.version("champion") is None:
        desk.registry.promote(first.version)
    return first


def train_challenger(desk: Desk, period: str, as_of: datetime, *, seed: int, progress: Progress = silent) -> Challenger:
    """Train on all that is known by `as_of`, register the adapter, and prove that it reads back the same."""
    key = f"challengers/{period}.json"
    done = records.load_if_there(desk.store, key, Challenger)
    if done:
        return done
    moment = desk.local(as_of)
    data = prepare_training(desk, moment)
    base = resolve_base(desk.client.base_model)
    trained = finetune(base, data, client=desk.client, recipe=desk.recipe, seed=seed, progress=progress)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "release"
        trained.classifier.save(folder)
        version = _register(desk, period, data, trained, folder=folder, seed=seed)
        back = Classifier.load(desk.registry.fetch(version, Path(scratch) / "back"), base)
        texts = [case.text for case in data.calibration[:PROOF_TEXTS]]
        exact = np.allclose(trained.classifier.probabilities(texts), back.probabilities(texts), rtol=0, atol=1e-6)
    manifest = trained.classifier.manifest
    made = Challenger(
        period=period,
        as_of=moment,
        version=version,
        labels=manifest.labels,
        new_labels=tuple(label for label in manifest.labels if label not in desk.client.labels),
        waiting_labels=data.waiting,
        trained_on=len(data.train),
        superseded=data.superseded,
        training_digest=data.digest,
        weights_digest=manifest.weights_digest,
        threshold=manifest.threshold,
        expected_automatic=trained.fit.automatic,
        reload_exact=bool(exact),
    )
    records.save(desk.store, key, made)
    return made


def prepare_training(desk: Desk, moment: datetime) -> TrainingSet:
    """All cases known by the moment, outdated answers superseded, without any evaluation item."""
    known = [case for case in desk.cases() if case.valid_from is None or case.valid_from < moment]
    current = supersede(known, desk.client.relabel, moment, desk.zone)
    golden = desk.golden()
    data = training_set(
        current,
        locked=golden,
        known=desk.client.labels,
        out_of_scope=desk.client.out_of_scope_label,
        new_labels=desk.client.new_labels,
        recipe=desk.recipe,
    )
    prove_no_leak(data, [*golden, *_holdout(desk, moment)])
    return data


def compare_models(desk: Desk, period: str, as_of: datetime, *, reason: str, progress: Progress = silent) -> Decision:
    """Score champion and challenger on the same frozen items, judge, and log the comparison."""
    key = f"decisions/{period}.json"
    done = records.load_if_there(desk.store, key, Decision)
    if done:
        return done
    moment = desk.local(as_of)
    made = records.load(desk.store, f"challengers/{period}.json", Challenger)
    champion = desk.registry.champion()
    if champion == made.version:
        raise DecisionError(f"client {desk.client.client}: version {champion} would be compared with itself")
    sets = {"golden": valid_at(desk.golden(), moment), "recent": _recent(desk, moment)}
    if not sets["golden"]:
        where = f"client {desk.client.client} on {moment:%Y-%m-%d}"
        raise NotEnoughDataError(what="a comparison (golden items valid then)", have=0, need=1, where=where)
    old, new = load_model(desk, champion), load_model(desk, made.version)
    scores = {
        version: _score_all(desk, model, sets, progress) for version, model in ((champion, old), (made.version, new))
    }
    compared = tuple(
        compare(name, champion=before.right, challenger=after.right)
        for name, before, after in zip(sets, scores[champion], scores[made.version], strict=True)
        if before.ids
    )
    judged = judge(
        compared,
        margin=desk.client.margin_pp / 100,
        minimum_items=desk.client.minimum_items,
        same_weights=old.manifest.weights_digest == new.manifest.weights_digest,
        reload_exact=made.reload_exact,
    )
    decision = Decision(
        period=period,
        as_of=moment,
        reason=reason,
        champion=champion,
        challenger=made.version,
        verdict=judged.verdict,
        reasons=judged.reasons,
        compared=compared,
        metrics={version: _flat(found) for version, found in scores.items()},
        themes=_on_themes(
            desk, moment, sets["recent"], champion=scores[champion][1], challenger=scores[made.version][1]
        ),
    )
    _log_comparison(desk, decision, sets, scores, judged)
    records.save(desk.store, key, decision)
    return decision


def apply_decision(desk: Desk, decision: Decision, *, by: str | None = None) -> Decision:
    """Put a challenger that won into service: at once where promotion is automatic, else when a person (`by`) says so.

    Raises DecisionError when somebody asks to promote what did not win or what the champion has since overtaken.
    """
    if decision.applied:
        return decision
    if by is None and (decision.verdict is not Verdict.PROMOTE or desk.client.promotion is not Promotion.AUTOMATIC):
        return decision
    champion = desk.registry.champion()
    where = f"client {desk.client.client}, decision {decision.period}"
    if decision.verdict is not Verdict.PROMOTE:
        raise DecisionError(f"{where}: the verdict is {decision.verdict.value}, expected promote")
    if champion not in (decision.champion, decision.challenger):
        raise DecisionError(f"{where}: it compared with version {decision.champion}, but {champion} is in service now")
    desk.registry.promote(decision.challenger)
    desk.registry.tag(
        decision.challenger, {"upkeep.promoted_from": decision.champion, "upkeep.promoted_by": by or "gate"}
    )
    applied = replace(decision, applied=True, applied_by=by or "gate")
    records.save(desk.store, f"decisions/{decision.period}.json", applied)
    return applied


def roll_back(desk: Desk, *, by: str, reason: str, at: datetime) -> str:
    """Put the champion before the present one back into service; returns its version.

    Raises DecisionError when the present champion replaced nothing.
    """
    require_model(desk)
    champion = desk.registry.champion()
    made = next((one for one in reversed(decisions(desk)) if one.challenger == champion and one.applied), None)
    if made is None:
        raise DecisionError(f"client {desk.client.client}: version {champion} replaced no other, nothing to go back to")
    desk.registry.promote(made.champion)
    desk.registry.tag(champion, {"upkeep.rolled_back": f"{at.isoformat()} by {by}: {reason}"})
    return made.champion


def load_model(desk: Desk, version: str) -> Classifier:
    """A registered version, ready to answer."""
    return _loaded(desk.registry.uri, desk.client.client, version, desk.client.base_model)


@lru_cache(maxsize=2)  # a version never changes, and a retrain needs two
def _loaded(uri: str, client: str, version: str, base: BaseModelConfig) -> Classifier:
    with tempfile.TemporaryDirectory() as scratch:
        return Classifier.load(Registry(client, uri).fetch(version, Path(scratch)), resolve_base(base))


def _review_key(week: str) -> str:
    return f"reviews/{week}.json"


def _all_reasons(desk: Desk, order: ChangeOrder) -> ChangeOrder:
    asked = [records.load(desk.store, key, Asked) for key in desk.store.keys(f"change-orders/{order.period}/")]
    return with_reasons(order, asked)


def _once(desk: Desk, key: str, record: Record) -> Record:
    """Write a record unless there is one; returns the one that stands."""
    try:
        desk.store.create(key, records.dump(record))
    except AlreadyExistsError:
        return records.load(desk.store, key, type(record))
    return record


def _holdout(desk: Desk, moment: datetime) -> list[Item]:
    """Every collected case that is locked away for evaluation, with the answer that is right now."""
    known = [case for case in desk.cases() if case.valid_from is not None and case.valid_from < moment]
    current = supersede(known, desk.client.relabel, moment, desk.zone)
    return [
        Item(case.id, case.text, case.answer, case.valid_from)
        for case in current
        if case.source is not Source.LAUNCH and side(case, desk.recipe) is Side.HOLDOUT
    ]


def _recent(desk: Desk, moment: datetime) -> list[Item]:
    oldest = moment.astimezone(UTC) - RECENT
    return [item for item in _holdout(desk, moment) if item.valid_from is not None and item.valid_from >= oldest]


def _on_themes(
    desk: Desk, moment: datetime, items: Sequence[Item], *, champion: Scores, challenger: Scores
) -> tuple[OnTheme, ...]:
    """How both do on what keeps going wrong, the most frequent first; for people, the verdict does not ask."""
    tracked = tracked_themes(desk, moment)
    if tracked is None or not items:
        return ()
    at = nearest(tracked.themes, eyes_of(desk).embed([item.text for item in items]))
    return tuple(
        OnTheme(
            theme.name,
            theme.since,
            Rate.of(right for one, right in zip(at, champion.right, strict=True) if one == number),
            Rate.of(right for one, right in zip(at, challenger.right, strict=True) if one == number),
        )
        for number, theme in enumerate(tracked.themes)
        if at.count(number) >= LEAST
    )


def _score_all(desk: Desk, model: Classifier, sets: dict[str, list[Item]], progress: Progress) -> list[Scores]:
    outside = desk.client.out_of_scope_label
    return [
        evaluate_model(model, items, name=name, out_of_scope=outside, progress=progress) for name, items in sets.items()
    ]


def _flat(scores: Sequence[Scores]) -> dict[str, float]:
    """The figures of all sets under prefixed names: golden/accuracy, recent/accuracy, golden/f1/billing."""
    return {f"{one.items}/{name}": value for one in scores for name, value in one.metrics.items()}


def _register(desk: Desk, period: str, data: TrainingSet, trained: Trained, *, folder: Path, seed: int) -> str:
    tags = {"upkeep.period": period, "upkeep.stage": "training", "upkeep.client": desk.client.client}
    about = (
        f"{period}: trained on {len(data.train):,} cases with {len(data.labels)} labels, "
        f"{data.superseded} answers superseded"
    )
    with desk.registry.run(f"{period} training", tags) as run:
        run.params({**desk.recipe.model_dump(), "seed": seed, "cases": len(data.train), "labels": len(data.labels)})
        run.params({"base": trained.classifier.manifest.base, "base_digest": trained.classifier.manifest.base_digest})
        run.dataset(Dataset(f"{desk.client.client}/cases", data.digest, "training"))
        for step, loss in enumerate(trained.losses):
            run.metrics({"held_out_loss": loss}, step=step)
        run.metrics({"threshold": trained.fit.threshold, "expected_automatic_share": trained.fit.automatic})
        return desk.registry.register(
            run,
            folder,
            base_model=desk.client.base_model.model_dump(),
            about=about,
            tags={**tags, "upkeep.digest": data.digest},
        )


def _log_comparison(
    desk: Desk, decision: Decision, sets: dict[str, list[Item]], scores: dict[str, list[Scores]], judged: Judgement
) -> None:
    """Three flat runs with the same metric names: champion, challenger, and both in one with the verdict."""
    roles = {decision.champion: "champion", decision.challenger: "challenger"}
    tags = {"upkeep.period": decision.period, "upkeep.client": desk.client.client}
    used = [Dataset(f"{desk.client.client}/{name}", _items_digest(items), "evaluation") for name, items in sets.items()]
    for version, role in roles.items():
        stage = {"upkeep.stage": f"{role} score", "upkeep.version": version}
        with desk.registry.run(f"{decision.period} {role} v{version}", {**tags, **stage}) as run:
            run.params({"role": role, "version": version, "period": decision.period})
            run.metrics(decision.metrics[version])
            for dataset in used:
                run.dataset(dataset)
            run.table("items.json", _item_table(sets, scores[version]))
    with desk.registry.run(
        f"{decision.period} comparison: {decision.verdict.value}",
        {**tags, "upkeep.stage": "comparison", "upkeep.verdict": decision.verdict.value},
    ) as run:
        run.params(
            {"champion": decision.champion, "challenger": decision.challenger, "verdict": decision.verdict.value}
        )
        for version, role in roles.items():
            run.metrics({f"{role}/{name}": value for name, value in decision.metrics[version].items()})
        run.metrics({f"difference/{one.items}/accuracy": one.difference for one in decision.compared})
        run.metrics({f"fixed/{one.items}": one.fixed for one in decision.compared})
        run.metrics({f"introduced/{one.items}": one.introduced for one in decision.compared})
        for dataset in used:
            run.dataset(dataset)
        lines = [f"# {decision.verdict.value}: v{decision.challenger} against v{decision.champion}", ""]
        lines += [f"- {reason}" for reason in judged.reasons] + ["", *(f"- {one}" for one in decision.compared)]
        lines += ["", "What kept going wrong:", "", *(f"- {one}" for one in decision.themes)] if decision.themes else []
        run.text("decision.md", "\n".join(lines) + "\n")


def _item_table(sets: dict[str, list[Item]], scores: Sequence[Scores]) -> dict[str, list[object]]:
    rows = [
        (name, item.id, item.text, item.answer, answer.output, answer.confidence, answer.automatic, right)
        for (name, items), one in zip(sets.items(), scores, strict=True)
        for item, answer, right in zip(items, one.answers, one.right, strict=True)
    ]
    names = ("set", "id", "text", "right_answer", "answer", "confidence", "automatic", "right")
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _items_digest(items: Sequence[Item]) -> str:
    from upkeep.cases import digest

    return digest(Case(item.id, item.text, item.answer, Source.AUDIT) for item in items)
