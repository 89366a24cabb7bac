"""What can be looked at of a comparison in MLflow?

Three flat runs with the same metric names: champion, challenger, and both in one with the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from upkeep.adapters.registry import Dataset, Run
from upkeep.cases.case import Item, digest
from upkeep.desk import Desk
from upkeep.evaluation.after_cut import BETWEEN
from upkeep.evaluation.breakdown import Part, PartChange
from upkeep.evaluation.comparison_chart import Sureness, draw_comparison, draw_written
from upkeep.evaluation.confusions import Confused, confusions
from upkeep.evaluation.cost import Cost
from upkeep.evaluation.scores import CLOSENESS, Scores
from upkeep.evaluation.verdict import EACH_ONCE, ItemResult, Judged, deciding_items

if TYPE_CHECKING:
    from upkeep.stages.decisions import Decision

Table = dict[str, list[object]]


class Scored(NamedTuple):
    """What a decision rests on, item by item, and what is told beside it; scores and costs by version."""

    sets: Mapping[str, Sequence[Item]]
    scores: Mapping[str, Sequence[Scores]]
    outcomes: Sequence[ItemResult]
    judged: Judged
    costs: Mapping[str, Cost]


def log_comparison(desk: Desk, decision: Decision, scored: Scored) -> None:
    """Log a run for each model and one for the comparison."""
    roles = {decision.champion: "champion", decision.challenger: "challenger"}
    tags = {"upkeep.period": decision.period, "upkeep.client": desk.client.client}
    used = [Dataset(f"{desk.client.client}/{name}", digest(items), "evaluation") for name, items in scored.sets.items()]
    metrics = {version: decision.metrics[version] | scored.costs[version].metrics for version in roles}
    for version, role in roles.items():
        stage = {"upkeep.stage": f"{role} score", "upkeep.version": version}
        with desk.registry.run(f"{decision.period} {role} v{version}", {**tags, **stage}) as run:
            run.params({"role": role, "version": version, "period": decision.period})
            run.metrics(metrics[version])
            for dataset in used:
                run.dataset(dataset)
            run.table("items.json", _items(scored.sets, scored.scores[version]))
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
                "waiting": decision.waiting,
            }
        )
        for version, role in roles.items():
            run.metrics({f"{role}/{name}": value for name, value in metrics[version].items()})
        _log_changes(run, decision)
        for dataset in used:
            run.dataset(dataset)
        details = _log_texts if decision.duels else _log_labels
        details(run, scored, {role: scored.scores[version] for version, role in roles.items()})
        run.text("decision.md", _told(decision, {role: scored.costs[version] for version, role in roles.items()}))


def _log_changes(run: Run, decision: Decision) -> None:
    run.metrics({f"difference/{one.items}/accuracy": one.difference for one in decision.compared})
    for figure in decision.figures:
        name, (low, high) = f"difference/{figure.items}/{figure.figure}", figure.interval
        run.metrics({name: figure.challenger - figure.champion, f"{name}_low": low, f"{name}_high": high})
    run.metrics({f"fixed/{one.items}": one.fixed for one in decision.compared})
    run.metrics({f"introduced/{one.items}": one.introduced for one in decision.compared})
    if decision.after_cut and (late := decision.after_cut.compared):
        run.metrics(
            {"difference/recent_after_cut/accuracy": late.difference, "items/recent_after_cut": late.champion.n}
        )
    for one in decision.duels:
        run.metrics({f"closer/{one.items}": one.wins, f"less_close/{one.items}": one.losses})


def _log_labels(run: Run, scored: Scored, scores: Mapping[str, Sequence[Scores]]) -> None:
    """The tables of what changed, and the picture of them."""
    _log_flips(run, scored)
    confused = confusions(deciding_items(scored.outcomes))
    run.table("labels.json", _parts(Part.LABEL, scored.judged.labels))
    run.table("confusions.json", _confused(confused))
    models = [_sureness(role, found) for role, found in scores.items()]
    run.picture("comparison.png", draw_comparison(scored.judged.labels, confused, *models))


def _log_texts(run: Run, scored: Scored, scores: Mapping[str, Sequence[Scores]]) -> None:
    """The same of answers that are texts."""
    _log_flips(run, scored)
    close = {
        role: [one.token_f1 for of_set in found if of_set.items in EACH_ONCE for one in of_set.close]
        for role, found in scores.items()
    }
    models = [_sureness(role, found) for role, found in scores.items()]
    run.picture("comparison.png", draw_written(close, *models))


def _log_flips(run: Run, scored: Scored) -> None:
    """What became right and wrong, item by item, and by slice where the items have any."""
    run.table("flips.json", _flips(scored.outcomes))
    if scored.judged.slices:
        run.table("slices.json", _parts(Part.SLICE, scored.judged.slices))


def _told(decision: Decision, costs: Mapping[str, Cost]) -> str:
    lines = [f"# {decision.verdict.value}: v{decision.challenger} against v{decision.champion}", ""]
    lines += [f"- {line}" for line in (*decision.reasons, *decision.notes)]
    lines += ["", *(f"- {one}" for one in (*decision.compared, *decision.duels, *decision.figures))]
    if decision.after_cut:
        lines += ["", f"{BETWEEN}:", "", f"- {decision.after_cut}"]
    lines += ["", "What kept going wrong:", "", *(f"- {one}" for one in decision.themes)] if decision.themes else []
    lines += ["", "What they cost to run, on the machine that compared them (decides nothing):", ""]
    lines += [f"- {role}: {one}" for role, one in costs.items()]
    return "\n".join(lines) + "\n"


def _items(sets: Mapping[str, Sequence[Item]], scores: Sequence[Scores]) -> Table:
    rows = [
        (name, item.id, item.text, item.answer, answer.output, answer.confidence, answer.automatic, right)
        for (name, items), one in zip(sets.items(), scores, strict=True)
        for item, answer, right in zip(items, one.answers, one.right, strict=True)
    ]
    table = _table(("set", "id", "text", "right_answer", "answer", "confidence", "automatic", "right"), rows)
    close = [one for of_set in scores for one in of_set.close]
    return table | {figure: [getattr(one, figure) for one in close] for figure in CLOSENESS if close}


def _flips(outcomes: Sequence[ItemResult]) -> Table:
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
    return _table(("change", "set", "id", "text", "right_answer", "champion", "challenger"), rows)


def _parts(part: Part, parts: Sequence[PartChange]) -> Table:
    """What changed for each label, or each slice, the surest first."""
    rows = [(one.name, one.n, one.fixed, one.introduced, one.p_value, one.adjusted) for one in parts]
    return _table((part.value, "n", "fixed", "introduced", "p_value", f"p_for_all_{part}s"), rows)


def _confused(found: Sequence[Confused]) -> Table:
    rows = [(one.wanted, one.given, one.champion, one.challenger) for one in found]
    return _table(("right_answer", "answer", "champion", "challenger"), rows)


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    kept = list(rows)
    return {name: [row[index] for row in kept] for index, name in enumerate(names)}


def _sureness(role: str, scores: Sequence[Scores]) -> Sureness:
    """How sure a model was of each answer on the sets that decide, and whether it was right."""
    rests_on = [one for one in scores if one.items in EACH_ONCE]
    confidence = [answer.confidence for one in rests_on for answer in one.answers]
    return Sureness(role, confidence, [right for one in rests_on for right in one.right])
