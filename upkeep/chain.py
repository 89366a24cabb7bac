"""What is done for one client on one day, without an orchestrator?

The same stages in the same order as the flows of the client's tier; replay and the command line use it, and tasks what
is one piece of work in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from upkeep.cases.case import Case, Item
from upkeep.cases.model_variant import Part
from upkeep.desk import LAUNCH, Desk, open_desk
from upkeep.entitlement import ChangeOrder
from upkeep.periods import Cadence, last_full
from upkeep.progress import Progress, silent
from upkeep.stages.approval import apply_decision
from upkeep.stages.asking import Batch, offer_cases, to_look_over
from upkeep.stages.auditing import draw_audit
from upkeep.stages.briefing import Brief, write_brief
from upkeep.stages.collection import Collection, collect_cases
from upkeep.stages.comparison import compare_models
from upkeep.stages.contract import book_retrain, due, is_included, open_order, order_if_extra
from upkeep.stages.decisions import Decision
from upkeep.stages.finetuning import train_challenger
from upkeep.stages.model_variant import begin_model_variant, compare_with_client, require_variant, start_variant
from upkeep.stages.monitoring import NoWayBack, follow_themes, go_back_if_worse, review_week
from upkeep.stages.prerequisites import require_log
from upkeep.stages.release import apply_log
from upkeep.stages.reporting import Report, write_report
from upkeep.stages.returning import Returned, take_returns
from upkeep.stages.review_charts import chart_review
from upkeep.stages.review_summary import ReviewNotes
from upkeep.stages.rules import propose_rules
from upkeep.stages.sole_training import sole_training
from upkeep.stages.troubles import note_troubles
from upkeep.stages.variant import begin_use_case, looked_over, wait_for_cases
from upkeep.stages.waiting import Waiting, no_longer_waiting, wait_for_review
from upkeep.tiers import Work


class Watched(NamedTuple):
    """What a week's review found and what came of it, the returns it took in, the cases, their batch, the order."""

    noted: ReviewNotes
    returned: list[Returned]
    collected: Collection
    batch: Batch
    order: ChangeOrder | None


def tell_nobody(line: str) -> None:
    """Tell nobody what came back and was collected, and what people are asked to look over."""


def run_due(client: str, as_of: datetime, *, seed: int = 0, progress: Progress = silent) -> None:
    """Do all scheduled work of a client's tier whose period begins on the day of `as_of`."""
    desk = open_desk(client)
    for work in due(desk, as_of):
        if work is Work.REVIEW:
            watch(desk, as_of)
            waited = no_longer_waiting(desk, as_of)
            if waited:
                retrain(desk, waited.as_of, reason=waited.reason, seed=seed, progress=progress)
            for one in looked_over(desk, as_of):
                variant(desk, one.label, [], as_of, reason=one.reason, seed=seed, progress=progress)
        elif work is Work.REPORT:
            report(desk, as_of)
        elif work is Work.BRIEF:
            brief(desk, as_of)
        else:
            retrain(desk, as_of, reason="scheduled", seed=seed, progress=progress)


def watch(desk: Desk, as_of: datetime, *, progress: Progress = silent) -> Watched:
    """Review the week; a recommended retrain that the contract does not include becomes a change order."""
    apply_log(desk)
    returned = take_returns(desk, as_of)
    noted = review(desk, as_of)
    found = noted.review
    chart_review(desk, found)
    collected = collect_cases(desk, found.week, as_of, progress=progress)
    batch = offer_cases(desk, found.week, as_of)
    return Watched(noted, returned, collected, batch, order_if_extra(desk, found))


def review(desk: Desk, as_of: datetime) -> ReviewNotes:
    """Review the last full week, do what follows from it without anybody's word, and draw its audit."""
    found = review_week(desk, as_of)
    back = go_back_if_worse(desk, found)
    note_troubles(desk, found, back if isinstance(back, NoWayBack) else None)
    rules, themes = propose_rules(desk, found), follow_themes(desk, found)
    return ReviewNotes(found, back, rules, themes, draw_audit(desk, as_of))


def report(desk: Desk, as_of: datetime) -> Report:
    """Write the report of the last full month. Where the log began later it raises NoLogError and writes nothing."""
    require_log(desk, last_full(as_of, Cadence.MONTHLY, desk.zone))
    return write_report(desk, as_of)


def brief(desk: Desk, as_of: datetime) -> Brief:
    """Write the brief of the last full quarter. Raises NoLogError, having written nothing, as `report` does."""
    require_log(desk, last_full(as_of, Cadence.QUARTERLY, desk.zone))
    return write_brief(desk, as_of)


def retrain(
    desk: Desk,
    as_of: datetime,
    *,
    reason: str,
    seed: int = 0,
    progress: Progress = silent,
    hear: Callable[[str], None] = tell_nobody,
) -> Decision | ChangeOrder | Waiting:
    """Collect, fine-tune, compare and decide; a retrain the tier does not include becomes a change order.

    Where the client wants every case reviewed first, it waits for that and uses nothing up. One of the same period that
    was booked and never got to its decision goes on, as it was booked. `hear` is told what came back from reviewers,
    what was collected, and what they are asked to look over. Raises TrainingError at once where another process trains
    for the client.
    """
    included = is_included(desk, as_of, reason)
    if isinstance(included, ChangeOrder):
        return open_order(desk, included, as_of)
    with sole_training(desk.client.client, included.period):
        for one in take_returns(desk, as_of):
            hear(str(one))
        hear(f"{included.period}: {collect_cases(desk, included.period, included.as_of, progress=progress)}")
        for line in to_look_over(desk, offer_cases(desk, included.period, included.as_of), as_of):
            hear(line)
        waiting = wait_for_review(desk, included.period, included.as_of, reason)
        if waiting:
            return waiting
        booked = book_retrain(desk, as_of, reason)
        if isinstance(booked, ChangeOrder):
            return booked
        train_challenger(desk, booked.period, booked.as_of, seed=seed, progress=progress)
        decision = compare_models(desk, booked.period, booked.as_of, reason=booked.reason, progress=progress)
    return apply_decision(desk, decision)


def variant(
    desk: Desk,
    label: str,
    seeds: Sequence[str],
    as_of: datetime,
    *,
    reason: str,
    by: str = "",
    wait: bool = True,
    seed: int = 0,
    progress: Progress = silent,
    hear: Callable[[str], None] = tell_nobody,
) -> Decision | ChangeOrder | Waiting:
    """Book a new category, look for past requests of it, and once people have looked those over teach it and decide.

    The same label again goes on where it is. What the tier does not include becomes a change order. Raises
    TrainingError where another process trains for the client.
    """
    for one in take_returns(desk, as_of):
        hear(str(one))
    begun = begin_use_case(desk, label, seeds, as_of, reason=reason, by=by)
    if isinstance(begun, ChangeOrder):
        return begun
    hear(f"{begun.period}: {begun}")
    for line in to_look_over(desk, offer_cases(desk, begun.period, as_of), as_of):
        hear(line)
    waiting = wait_for_cases(desk, begun, as_of) if wait else None
    if waiting:
        return waiting
    with sole_training(desk.client.client, begun.period):
        train_challenger(desk, begun.period, as_of, seed=seed, label=label, progress=progress)
        decision = compare_models(desk, begun.period, as_of, reason=reason, label=label, progress=progress)
    return apply_decision(desk, decision)


def model_variant(
    client: Desk,
    variant: Desk,
    part: Part,
    as_of: datetime,
    *,
    cases: Sequence[Case] = (),
    golden: Sequence[Item] = (),
    reason: str,
    by: str = "",
    approve: bool = False,
    seed: int = 0,
    progress: Progress = silent,
    hear: Callable[[str], None] = tell_nobody,
) -> Decision | ChangeOrder:
    """Book a model of its own for a part of a client's requests, train it, and compare it with the client's.

    One that was begun goes on or begins anew as `begin_model_variant` says, which also says what is raised; with
    `approve` it goes into service whatever the verdict is. What the tier does not include becomes a change order.
    Raises TrainingError where another process trains for the client or the variant.
    """
    require_variant(client, variant, part)
    name = variant.client.client
    with sole_training(name, LAUNCH):
        with sole_training(client.client.client, name):  # what it is compared on is locked there
            begun = begin_model_variant(
                client, variant, part, cases=cases, golden=golden, as_of=as_of, reason=reason, by=by, approve=approve
            )
        if isinstance(begun, ChangeOrder):
            return begun
        hear(str(begun))
        train_challenger(variant, LAUNCH, begun.as_of, seed=seed, progress=progress)
        decision = compare_with_client(client, variant, begun, progress=progress)
        return start_variant(variant, decision, as_of=as_of, approve=approve, by=by, reason=reason)
