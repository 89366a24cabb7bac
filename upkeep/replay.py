"""What would have become of a client under each tier?

Plays a labelled timeline as production: the champion of the moment answers every request with its true confidence,
the client's feedback comes in as it would, and whatever is due on a day is done by the same stages as in service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from upkeep.cases.case import Case, Item, Source, fraction
from upkeep.config import Client, Thresholds
from upkeep.desk import Desk
from upkeep.evaluation.scores import evaluate_model
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.field_map import LogMap
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.models.manifest import Answer
from upkeep.periods import Cadence, days, last_full, starts_on
from upkeep.progress import Progress, silent
from upkeep.stages.comparison import judge_again
from upkeep.stages.decisions import decisions
from upkeep.stages.finetuning import load_model
from upkeep.stages.monitoring import reviews
from upkeep.stages.onboarding import onboard
from upkeep.stages.release import in_service
from upkeep.stages.troubles import troubles
from upkeep.statistics.rates import Rate
from upkeep.timeline import OUT_OF_SCOPE, Timeline, TimelineRow

Act = Callable[[str, datetime], object]
"""Does whatever is due for a client on a day."""
HOUR = 6
"""Local hour at which the day's work is done."""
ESCALATION_DELAY = timedelta(hours=4)
COMPLAINT_DELAY = timedelta(days=1)
BELOW_GO_LIVE = {"accuracy": 0.03, "auto_resolution": 0.05}
"""How far below its go-live figure (the lower 95 % end of it) a floor is set where a timeline has none; shares."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """How much the client tells: wrong automatic answers complained about (share), audited requests a week (count)."""

    complaints: float
    audit: int


@dataclass(frozen=True, slots=True)
class Played:
    """One request as it was answered."""

    row: TimelineRow
    at: datetime
    answer: Answer
    version: str

    @property
    def right(self) -> bool:
        """Was the right thing done? An out-of-scope request is right when a person got it."""
        return not self.answer.automatic if self.row.label == OUT_OF_SCOPE else self.answer.output == self.row.label


class JudgedAgain(NamedTuple):
    """How many decisions there were, how many came out identical from their records, and what differs in the others."""

    decisions: int
    identical: int
    different: dict[str, list[str]]

    def __str__(self) -> str:
        lines = [f"decisions judged again: {self.identical} of {self.decisions} identical"]
        return "\n".join(lines + [f"  {period}: {line}" for period, of in self.different.items() for line in of])


def go_live(desk: Desk, timeline: Timeline, *, seed: int, progress: Progress = silent) -> Thresholds:
    """Onboard the client with the launch cases and golden set; returns floors set from its go-live figures."""
    start = _at(timeline.stream[0])
    cases = [Case(row.id, row.text, row.label, Source.LAUNCH) for row in timeline.launch]
    golden = [Item(row.id, row.text, row.label, row.valid_from, row.valid_to) for row in timeline.golden]
    first = onboard(desk, cases=cases, golden=golden, as_of=start, seed=seed, progress=progress)
    launch_labels = {case.answer for case in cases}
    items = [
        item
        for item in golden
        if item.answer in launch_labels and (item.valid_from is None or item.valid_from <= start)
    ]
    model = load_model(desk, first.version)
    scores = evaluate_model(model, items, name="golden", client=desk.client, progress=progress)
    resolved = Rate.of(right and answer.automatic for right, answer in zip(scores.right, scores.answers, strict=True))
    return Thresholds(
        accuracy=_floor(scores.accuracy, "accuracy"),
        auto_resolution=_floor(resolved, "auto_resolution"),
    )


def play(
    desk: Desk, timeline: Timeline, *, act: Act, feedback: Feedback, seed: int, progress: Progress = silent
) -> list[Played]:
    """Play the stream to its end and act on every day on which something may be due."""
    stream = [(_at(row), row) for row in timeline.stream]
    played: list[Played] = []
    taken = 0
    for moment in _working_days(stream[0][0], stream[-1][0], desk):
        until = taken
        while until < len(stream) and stream[until][0] < moment:
            until += 1
        played += _answer(desk, stream[taken:until], feedback, seed)
        taken = until
        if starts_on(moment, Cadence.WEEKLY, desk.zone):
            _audit(desk, played, moment, feedback, seed)
        act(desk.client.client, moment)
        progress(f"{desk.client.client} {moment:%Y-%m-%d}, requests played", taken, len(stream))
    played += _answer(desk, stream[taken:], feedback, seed)
    progress(f"{desk.client.client}, requests played", len(stream), len(stream))
    return played


def answers_given(played: Iterable[Played]) -> Iterator[dict[str, Any]]:
    """Every answer with the right one: id, at, right answer, answer, confidence, automatic, model version."""
    for one in played:
        yield {
            "id": one.row.id,
            "at": one.at.isoformat(),
            "right_answer": one.row.label,
            "answer": one.answer.output,
            "confidence": one.answer.confidence,
            "automatic": one.answer.automatic,
            "version": one.version,
        }


def judged_again(desk: Desk) -> JudgedAgain:
    """Judge every decision of the time played again from its record."""
    found = {one.period: judge_again(desk, one) for one in decisions(desk)}
    different = {period: lines for period, lines in found.items() if lines}
    return JudgedAgain(len(found), len(found) - len(different), different)


def by_month(desk: Desk, played: Sequence[Played]) -> list[dict[str, Any]]:
    """The outcome by calendar month of the timeline: true shares, and what was alarmed and decided."""
    months: dict[str, list[Played]] = defaultdict(list)
    for one in played:
        months[f"{one.at:%Y-%m}"].append(one)
    alerts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    changed: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for review in reviews(desk):
        alerts[_month(review.as_of, desk)] += [
            {"week": review.week, "metric": finding.metric.value, "text": finding.text} for finding in review.alerts
        ]
        changed[_month(review.as_of, desk)] += [
            {"week": review.week, "kind": one.kind.value, "text": one.text, "old": one.old, "new": one.new}
            for one in review.changes
        ]
    ruled: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for rule in desk.found_rules():
        ruled[_month(rule.proposed, desk)].append(
            {"week": rule.week, "old": rule.rule.old, "new": rule.rule.new, "since": f"{rule.rule.since}"}
            | {"accepted": rule.accepted, "evidence": rule.evidence}
        )
    decided: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one_decision in decisions(desk):
        decided[_month(one_decision.as_of, desk)].append(
            {
                "period": one_decision.period,
                "verdict": one_decision.verdict.value,
                "applied": one_decision.applied,
                "champion": one_decision.champion,
                "challenger": one_decision.challenger,
                "reasons": list(one_decision.reasons),
            }
        )
    return [
        _summary(month, rows)
        | {"alerts": alerts[month], "changes": changed[month], "rules": ruled[month], "decisions": decided[month]}
        for month, rows in sorted(months.items())
    ]


def alarmed(desk: Desk) -> list[dict[str, Any]]:
    """What was alarmed, oldest first: the reviewed week that told it, and the one that told that it was over, if any.

    `kind` is None of a figure that got worse, which is the `subject` then. What has one cause is of one `incident`.
    """
    return [
        {
            "week": last_full(one.opened, Cadence.WEEKLY, desk.zone).key,
            "incident": one.incident,
            "subject": one.subject,
            "kind": one.change.kind.value if one.change else None,
            "old": one.change.old if one.change else None,
            "new": one.change.new if one.change else None,
            "since": one.since,
            "text": one.text,
            "over": last_full(one.closed, Cadence.WEEKLY, desk.zone).key if one.closed else None,
            "end": one.end,
        }
        for one in sorted(troubles(desk), key=lambda one: (one.opened, not one.alarm, one.key))
    ]


def _summary(month: str, rows: Sequence[Played]) -> dict[str, Any]:
    automatic = [one for one in rows if one.answer.automatic]
    resolved = sum(one.right for one in automatic)
    labels: dict[str, list[bool]] = defaultdict(list)
    for one in rows:
        labels[one.row.label].append(one.right)
    return {
        "month": month,
        "n": len(rows),
        "accuracy": sum(one.right for one in rows) / len(rows),
        "automatic": len(automatic) / len(rows),
        "auto_resolved": resolved / len(rows),
        "precision": resolved / len(automatic) if automatic else None,
        "champion": rows[-1].version,
        "by_label": {label: {"n": len(right), "right": sum(right)} for label, right in sorted(labels.items())},
    }


def _answer(desk: Desk, rows: Sequence[tuple[datetime, TimelineRow]], feedback: Feedback, seed: int) -> list[Played]:
    """Let the champion answer, and write predictions and feedback to the production log."""
    if not rows:
        return []
    version = in_service(desk)
    answers = load_model(desk, version).answer([row.text for _, row in rows])
    played = [Played(row, at, answer, version) for (at, row), answer in zip(rows, answers, strict=True)]
    name = f"played-{rows[0][1].id}"
    write_predictions(desk.store, [_prediction(one) for one in played], name=name)
    write_outcomes(desk.store, _feedback(played, feedback, seed), name=name)
    return played


def _prediction(one: Played) -> Prediction:
    return Prediction(
        id=one.row.id,
        at=one.at,
        input=one.row.text,
        output=one.answer.output,
        confidence=min(one.answer.confidence, 1.0),
        model_version=one.version,
        automatic=one.answer.automatic,
    )


def _feedback(played: Iterable[Played], feedback: Feedback, seed: int) -> list[Outcome]:
    """Everything escalated comes back with its answer, a share of the wrong automatic answers as complaints."""
    found = []
    for one in played:
        if not one.answer.automatic:
            found.append(_outcome(one, one.at + ESCALATION_DELAY, OutcomeSource.ESCALATION))
        elif not one.right and fraction(f"{seed} complaint {one.row.id}") < feedback.complaints:
            found.append(_outcome(one, one.at + COMPLAINT_DELAY, OutcomeSource.CUSTOMER))
    return found


def _audit(desk: Desk, played: Sequence[Played], moment: datetime, feedback: Feedback, seed: int) -> None:
    """Before Monday's review people label a random sample of the week."""
    week = last_full(moment, Cadence.WEEKLY, desk.zone)
    rows = [one for one in played if week.start <= one.at < week.end]
    drawn = sorted(rows, key=lambda one: fraction(f"{seed} audit {one.row.id}"))[: feedback.audit]
    at = moment - timedelta(hours=1)
    write_outcomes(desk.store, [_outcome(one, at, OutcomeSource.AUDIT) for one in drawn], name=f"audit-{week.key}")


def _outcome(one: Played, at: datetime, source: OutcomeSource) -> Outcome:
    return Outcome(prediction_id=one.row.id, at=at, source=source, answer=one.row.label)


def _working_days(start: datetime, end: datetime, desk: Desk) -> list[datetime]:
    """The days on which something is due, from the day after go-live."""
    cadences = set(desk.tier.schedule.values())
    return [
        moment
        for moment in days(start + timedelta(days=1), end, desk.zone, hour=HOUR)
        if any(starts_on(moment, cadence, desk.zone) for cadence in cadences)
    ]


def _at(row: TimelineRow) -> datetime:
    return row.ts if row.ts is not None else datetime.max.replace(tzinfo=UTC)


def _month(moment: datetime, desk: Desk) -> str:
    return f"{moment.astimezone(desk.zone):%Y-%m}"


def _floor(rate: Rate, metric: str) -> float:
    return round(max(rate.interval().low - BELOW_GO_LIVE[metric], 0.0), 4)


def client_for(timeline: Timeline, *, name: str, tier: int, like: Client) -> Client:
    """A client for a bare timeline: its labels and tier, everything else as in `like`.

    What is played is logged with our own names, and its rows that no label fits are called as timelines call them.
    """
    labels = tuple(sorted({row.label for row in timeline.launch if row.label != OUT_OF_SCOPE}))
    ours = {"log": LogMap(), "out_of_scope_label": OUT_OF_SCOPE}
    return like.model_copy(update={"client": name, "name": name, "tier": tier, "labels": labels, **ours})
