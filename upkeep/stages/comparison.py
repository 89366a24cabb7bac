"""Is the challenger better, and what was decided?

In the client's store: decisions/ by period, outcomes/ for how both models did on each item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from upkeep import records
from upkeep.adapters.registry import Dataset
from upkeep.beginning import require_model
from upkeep.cases import Item, digest, normalise
from upkeep.classifier import Classifier
from upkeep.comparison import LabelChange, Paired, Verdict
from upkeep.comparison_chart import Sureness, draw_comparison
from upkeep.desk import Desk
from upkeep.differences import Answered, Difference, differences
from upkeep.errors import DecisionError, LeakError, NotEnoughDataError, NotFoundError
from upkeep.evaluation import Scores, evaluate_model, treated
from upkeep.looking import eyes_of, tracked_themes
from upkeep.progress import Progress, silent
from upkeep.rates import Rate
from upkeep.release import code_version
from upkeep.stages.evaluation import evaluation_sets, load_outcomes, save_outcomes, variant_sets
from upkeep.stages.finetuning import Challenger, challengers, load_model
from upkeep.stages.release import in_service, release_log
from upkeep.stages.snapshot import taught_texts
from upkeep.themes import LEAST, nearest
from upkeep.verdict import DECIDING, Outcome, Terms, verdict


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
    """What was decided about a challenger, on which evidence, and whether it went into service.

    `label` is the new category that the challenger was to learn, where that was all it was to. `evidence` is the
    SHA-256 of the outcomes, which with the `terms` give the verdict again; `code` the release of Upkeep that judged.
    `left_out` items were not compared on, as the champion was taught them before they were agreed. Whether the decision
    was applied, and by whom, is told by the release log.
    """

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
    label: str | None = None
    terms: Terms | None = None
    evidence: str | None = None
    code: str | None = None
    left_out: int = 0
    figures: tuple[Difference, ...] = ()


def decisions(desk: Desk) -> list[Decision]:
    """All decisions about the client's models, oldest first."""
    found = [records.load(desk.store, key, Decision) for key in desk.store.keys("decisions/")]
    return sorted(_as_carried_out(desk, found), key=lambda one: one.as_of)


def decision(desk: Desk, period: str) -> Decision:
    """The decision of a period. Raises DecisionError listing those there are, NoChampionError before onboarding."""
    found = records.load_if_there(desk.store, f"decisions/{period}.json", Decision)
    if found is None:
        require_model(desk)
        there = [one.period for one in decisions(desk)]
        wanted = f"expected one of {there}" if there else "nor any other; `upkeep retrain` makes one"
        raise DecisionError(f"client {desk.client.client}: no decision {period!r}, {wanted}")
    return _as_carried_out(desk, [found])[0]


def compare_models(
    desk: Desk, period: str, as_of: datetime, *, reason: str, label: str | None = None, progress: Progress = silent
) -> Decision:
    """Score champion and challenger on the same frozen items, judge, and log the comparison.

    `label` is the new category, where the challenger was to learn that and keep the rest as it is.
    """
    key = f"decisions/{period}.json"
    done = records.load_if_there(desk.store, key, Decision)
    if done:
        return _as_carried_out(desk, [done])[0]
    moment = desk.local(as_of)
    made = records.load(desk.store, f"challengers/{period}.json", Challenger)
    champion = in_service(desk)
    if champion == made.version:
        raise DecisionError(f"client {desk.client.client}: version {champion} would be compared with itself")
    old, new = load_model(desk, champion), load_model(desk, made.version)
    # what the champion itself was chosen for getting right it has right by luck too: any other model would lose there
    served = [one.period for one in decisions(desk) if one.applied and one.challenger != champion]
    if label is None:
        sets = evaluation_sets(desk, moment, served=served)
    else:
        known = {*old.labels, desk.client.out_of_scope_label}
        sets = variant_sets(desk, moment, served=served, label=label, known=known)
    sets, left_out = _not_taught(desk, sets, champion=champion, challenger=made)
    if "golden" not in sets:
        where = f"client {desk.client.client} on {moment:%Y-%m-%d}"
        raise NotEnoughDataError(what="a comparison (golden items valid then)", have=0, need=1, where=where)
    scores = {
        version: _score_all(desk, model, sets, progress) for version, model in ((champion, old), (made.version, new))
    }
    outcomes = _outcomes(sets, champion=scores[champion], challenger=scores[made.version])
    terms = Terms(
        margin=desk.client.margin_pp / 100,
        minimum_items=desk.client.minimum_items,
        same_weights=old.manifest.weights_digest == new.manifest.weights_digest,
        reload_exact=made.reload_exact,
        label=label,
        minimum_new_recall=desk.client.minimum_new_recall,
        minimum_new_items=desk.client.minimum_new_items,
    )
    compared, labels, judged = verdict(outcomes, terms)
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
        themes=_on_themes(desk, moment, sets, champion=scores[champion], challenger=scores[made.version]),
        label=label,
        terms=terms,
        evidence=save_outcomes(desk, period, outcomes),
        code=code_version(),
        left_out=left_out,
        figures=_differences(desk, sets, champion=scores[champion], challenger=scores[made.version]),
    )
    _log_comparison(desk, decision, sets, scores, outcomes=outcomes, labels=labels)
    records.save(desk.store, key, decision)
    return decision


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
    before = next((one.period for one in challengers(desk) if one.version == champion), None)
    known = taught_texts(desk, before) if before else set()
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
    compared, _, judged = verdict(outcomes, made.terms)
    told = (
        ("SHA-256 of the outcomes", made.evidence, digest),
        ("verdict", made.verdict.value, judged.verdict.value),
        ("reasons", made.reasons, judged.reasons),
        ("comparison", made.compared, compared),
    )
    return [f"{name}: {now}, decided on {before}" for name, before, now in told if now != before]


def _as_carried_out(desk: Desk, found: Sequence[Decision]) -> list[Decision]:
    """The decisions with what the release log says of them: whether it was carried out, and on whose word."""
    entries = {one.decision: one for one in release_log(desk)} if found else {}
    return [
        replace(one, applied=True, applied_by=entries[one.period].by) if one.period in entries else one for one in found
    ]


def _on_themes(
    desk: Desk,
    moment: datetime,
    sets: dict[str, list[Item]],
    *,
    champion: Sequence[Scores],
    challenger: Sequence[Scores],
) -> tuple[OnTheme, ...]:
    """How both do on what keeps going wrong, the most frequent first; for people, the verdict does not ask."""
    tracked, items = tracked_themes(desk, moment), sets.get("recent")
    if tracked is None or not items:
        return ()
    old, new = (next(one for one in scores if one.items == "recent").right for scores in (champion, challenger))
    at = nearest(tracked.themes, eyes_of(desk).embed([item.text for item in items]))
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


def _outcomes(
    sets: dict[str, list[Item]], *, champion: Sequence[Scores], challenger: Sequence[Scores]
) -> list[Outcome]:
    return [
        Outcome(
            name,
            normalise(item.text),
            right_before,
            right_now,
            id=item.id,
            wanted=item.answer,
            champion_answer=before.output,
            challenger_answer=now.output,
        )
        for (name, items), old, new in zip(sets.items(), champion, challenger, strict=True)
        for item, right_before, right_now, before, now in zip(
            items, old.right, new.right, old.answers, new.answers, strict=True
        )
    ]


def _score_all(desk: Desk, model: Classifier, sets: dict[str, list[Item]], progress: Progress) -> list[Scores]:
    outside = desk.client.out_of_scope_label
    return [
        evaluate_model(model, items, name=name, out_of_scope=outside, progress=progress) for name, items in sets.items()
    ]


def _flat(scores: Sequence[Scores]) -> dict[str, float]:
    """The figures of all sets under prefixed names: golden/accuracy, recent/accuracy, golden/f1/billing."""
    return {f"{one.items}/{name}": value for one in scores for name, value in one.metrics.items()}


def _log_comparison(
    desk: Desk,
    decision: Decision,
    sets: dict[str, list[Item]],
    scores: dict[str, list[Scores]],
    *,
    outcomes: Sequence[Outcome],
    labels: Sequence[LabelChange],
) -> None:
    """Three flat runs with the same metric names: champion, challenger, and both in one with the verdict."""
    roles = {decision.champion: "champion", decision.challenger: "challenger"}
    tags = {"upkeep.period": decision.period, "upkeep.client": desk.client.client}
    used = [Dataset(f"{desk.client.client}/{name}", digest(items), "evaluation") for name, items in sets.items()]
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
            {
                "champion": decision.champion,
                "challenger": decision.challenger,
                "verdict": decision.verdict.value,
                "left_out": decision.left_out,
            }
        )
        champion, challenger = (_sureness(role, scores[version]) for version, role in roles.items())
        for version, role in roles.items():
            run.metrics({f"{role}/{name}": value for name, value in decision.metrics[version].items()})
        run.metrics({f"difference/{one.items}/accuracy": one.difference for one in decision.compared})
        for figure in decision.figures:
            name, (low, high) = f"difference/{figure.items}/{figure.figure}", figure.interval
            run.metrics({name: figure.challenger - figure.champion, f"{name}_low": low, f"{name}_high": high})
        run.metrics({f"fixed/{one.items}": one.fixed for one in decision.compared})
        run.metrics({f"introduced/{one.items}": one.introduced for one in decision.compared})
        for dataset in used:
            run.dataset(dataset)
        lines = [f"# {decision.verdict.value}: v{decision.challenger} against v{decision.champion}", ""]
        lines += [f"- {reason}" for reason in decision.reasons]
        lines += ["", *(f"- {one}" for one in (*decision.compared, *decision.figures))]
        lines += ["", "What kept going wrong:", "", *(f"- {one}" for one in decision.themes)] if decision.themes else []
        run.table("flips.json", _flips(outcomes))
        run.table("labels.json", _label_table(labels))
        run.picture("comparison.png", draw_comparison(labels, champion, challenger))
        run.text("decision.md", "\n".join(lines) + "\n")


def _item_table(sets: dict[str, list[Item]], scores: Sequence[Scores]) -> dict[str, list[object]]:
    rows = [
        (name, item.id, item.text, item.answer, answer.output, answer.confidence, answer.automatic, right)
        for (name, items), one in zip(sets.items(), scores, strict=True)
        for item, answer, right in zip(items, one.answers, one.right, strict=True)
    ]
    names = ("set", "id", "text", "right_answer", "answer", "confidence", "automatic", "right")
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _flips(outcomes: Sequence[Outcome]) -> dict[str, list[object]]:
    """The items on which one model is right and the other is not, what the challenger broke first."""
    flipped = sorted((one for one in outcomes if one.champion != one.challenger), key=lambda one: one.challenger)
    rows = [
        (
            "fixed" if one.challenger else "introduced",
            one.items,
            one.id,
            one.text,
            one.wanted,
            one.champion_answer,
            one.challenger_answer,
        )
        for one in flipped
    ]
    names = ("change", "set", "id", "text", "right_answer", "champion", "challenger")
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _label_table(labels: Sequence[LabelChange]) -> dict[str, list[object]]:
    """What changed for each label, the surest first."""
    rows = [(one.label, one.n, one.fixed, one.introduced, one.p_value, one.adjusted) for one in labels]
    names = ("label", "n", "fixed", "introduced", "p_value", "p_for_all_labels")
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _sureness(role: str, scores: Sequence[Scores]) -> Sureness:
    """How sure a model was of each answer on the sets that decide, and whether it was right."""
    deciding = [one for one in scores if one.items in DECIDING]
    confidence = [answer.confidence for one in deciding for answer in one.answers]
    return Sureness(role, confidence, [right for one in deciding for right in one.right])
