"""How do two models do on the same items, and what follows from that?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from upkeep.cases.case import Item, normalise
from upkeep.config import Client
from upkeep.desk import Desk
from upkeep.evaluation.comparison import RECENT
from upkeep.evaluation.cost import ASKED, FEW, cost, time_answers
from upkeep.evaluation.differences import Answered, Difference, differences
from upkeep.evaluation.scores import Scores, evaluate_model, treated
from upkeep.evaluation.verdict import ItemResult, Judged, VerdictTerms, verdict
from upkeep.metrics.closeness import Duel, Judge, duel, judge_of
from upkeep.models.loading import Model
from upkeep.progress import Progress, silent
from upkeep.release import code_version
from upkeep.stages.challengers import Challenger
from upkeep.stages.comparison_runs import Scored, log_comparison
from upkeep.stages.decisions import Decision
from upkeep.stages.evaluation import save_outcomes


@dataclass(frozen=True, slots=True)
class Contest:
    """Two models by the names that they have in the record, and the items of each set that both are asked.

    `asked_since` are the normalised texts that were first asked after the champion's training cut.
    """

    champion: str
    challenger: Challenger
    models: Mapping[str, Model]
    sets: Mapping[str, Sequence[Item]]
    asked_since: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Weighed:
    """What came of it: each model's scores set by set, both on each item, the terms and what they come to."""

    champion: Sequence[Scores]
    challenger: Sequence[Scores]
    outcomes: Sequence[ItemResult]
    terms: VerdictTerms
    judged: Judged


def weigh(desk: Desk, contest: Contest, *, label: str | None = None, progress: Progress = silent) -> Weighed:
    """Score both models and judge; `label` is the new category, where the challenger was to learn that alone."""
    made = contest.challenger
    old, new = contest.models[contest.champion], contest.models[made.version]
    judge = judge_of(desk.client.writing)
    before = _score_all(desk, old, contest.sets, judge, progress)
    now = _score_all(desk, new, contest.sets, judge, progress)
    outcomes = _outcomes(desk, contest, champion=before, challenger=now)
    same_weights = old.manifest.weights_digest == new.manifest.weights_digest
    terms = _terms(desk.client, label=label, same_weights=same_weights, reload_exact=made.reload_exact)
    return Weighed(before, now, outcomes, terms, verdict(outcomes, terms))


def decided(desk: Desk, contest: Contest, weighed: Weighed, period: str, moment: datetime, *, reason: str) -> Decision:
    """The record of it; how both did, item by item, is kept first."""
    judgement = weighed.judged.judgement
    scores = {contest.champion: weighed.champion, contest.challenger.version: weighed.challenger}
    return Decision(
        period=period,
        as_of=moment,
        reason=reason,
        champion=contest.champion,
        challenger=contest.challenger.version,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        compared=weighed.judged.compared,
        metrics={version: _flat(found) for version, found in scores.items()},
        label=weighed.terms.label,
        terms=weighed.terms,
        evidence=save_outcomes(desk, period, weighed.outcomes),
        code=code_version(),
        figures=_differences(desk, contest.sets, champion=weighed.champion, challenger=weighed.challenger),
        duels=_duels(champion=weighed.champion, challenger=weighed.challenger),
    )


def log_weighed(
    desk: Desk, contest: Contest, weighed: Weighed, decision: Decision, *, sizes: Mapping[str, int]
) -> None:
    """Log both scores and the comparison to MLflow; `sizes` are the bytes of each model's release folder."""
    most = FEW if desk.client.free_text else ASKED
    seconds = time_answers(contest.models, [item.text for item in contest.sets["golden"]], seed=0, most=most)
    costs = {version: cost(seconds[version], sizes[version]) for version in contest.models}
    scores = {contest.champion: weighed.champion, contest.challenger.version: weighed.challenger}
    log_comparison(desk, decision, Scored(contest.sets, scores, weighed.outcomes, weighed.judged, costs))


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


def _score_all(
    desk: Desk, model: Model, sets: Mapping[str, Sequence[Item]], judge: Judge, progress: Progress
) -> list[Scores]:
    return [
        evaluate_model(model, items, name=name, client=desk.client, judge=judge, progress=progress)
        for name, items in sets.items()
    ]


def _outcomes(
    desk: Desk, contest: Contest, *, champion: Sequence[Scores], challenger: Sequence[Scores]
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
            after_cut=name == RECENT and normalise(item.text) in contest.asked_since,
        )
        for (name, items), old, new in zip(contest.sets.items(), champion, challenger, strict=True)
        for item, right_before, right_now, before, now in zip(
            items, old.right, new.right, old.answers, new.answers, strict=True
        )
    ]


def _differences(
    desk: Desk, sets: Mapping[str, Sequence[Item]], *, champion: Sequence[Scores], challenger: Sequence[Scores]
) -> tuple[Difference, ...]:
    """The figures that are no plain share, set by set; the items drawn are the same whenever it is asked."""
    outside = desk.client.out_of_scope_label

    def answered(scores: Scores, items: Sequence[Item]) -> Answered:
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


def _flat(scores: Sequence[Scores]) -> dict[str, float]:
    """The figures of all sets under prefixed names: golden/accuracy, recent/accuracy, golden/f1/billing."""
    return {f"{one.items}/{name}": value for one in scores for name, value in one.metrics.items()}
