"""What was done about a client's model in a month, and what was to be done and was not?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.periods import Cadence, Window, period
from upkeep.release import Action, Entry
from upkeep.stages.approval import GATE
from upkeep.stages.decisions import Decision, decisions
from upkeep.stages.release import release_log
from upkeep.stages.variant import rounds, wait_for_cases
from upkeep.stages.waiting import waiting


def changes_of(desk: Desk, month: Window, action: Action) -> tuple[Entry, ...]:
    """The month's changes of the model in service of one kind."""
    return tuple(one for one in release_log(desk) if one.action is action and month.start <= one.at < month.end)


def promotions(desk: Desk, month: Window, decided: Sequence[Decision]) -> tuple[Entry, ...]:
    """What came into service in a month, but for what the month's own decisions say by themselves."""
    told = {one.period for one in decided}
    found = changes_of(desk, month, Action.PROMOTE)
    return tuple(one for one in found if one.by != GATE or one.decision not in told)


def missed_work(desk: Desk, month: Window, at: datetime, *, included: Cadence | None) -> tuple[str, ...]:
    """The month's retrains that had no decision by a moment: begun, waiting for people, or due and never begun.

    `included` is how often the month's contract included one; None where it did not, or where nobody knows.
    """
    decided = {one.period for one in decisions(desk) if one.as_of <= at}
    begun = [one for one in desk.claims().values() if _within(month, one.as_of) and one.period not in decided]
    held = [one for one in waiting(desk) if _within(month, one.as_of) and one.period not in decided]
    lines = {one.period: f"the retrain of {one.period} was begun and has no decision yet" for one in begun}
    lines |= {one.period: f"the retrain of {one}" for one in held}
    missed = {key: f"the retrain of {key} was due and was not done" for key in _due(desk, month, at, included)}
    return tuple((missed | lines).values())


def open_categories(desk: Desk, month: Window, at: datetime) -> tuple[str, ...]:
    """The new categories that were booked by a month's end and had no decision by a moment, and what they wait for."""
    decided = {one.period for one in decisions(desk) if one.as_of <= at}
    lines = []
    for one in desk.new_categories():
        begun = [part for part in rounds(desk, one) if part.as_of < month.end]
        if one.as_of >= month.end or (begun and begun[-1].period in decided):
            continue
        waits = wait_for_cases(desk, begun[-1], at) if begun else None
        left = count_of(len(waits.cases), "more case is", "more cases are") if waits else None
        state = f"waits until {left} reviewed" if left else "has no decision yet"
        lines.append(f"the new category {one.label!r}, booked on {one.as_of:%Y-%m-%d}, {state}")
    return tuple(lines)


def _due(desk: Desk, month: Window, at: datetime, cadence: Cadence | None) -> Iterator[str]:
    """The period whose retrain is scheduled at the month's start, where nobody has done or begun one in it."""
    log = release_log(desk)
    if cadence is None or not log or log[0].at > month.start:
        return
    included = period(month.start, cadence, desk.zone)
    retrains = [(one.period, one.as_of) for one in decisions(desk) if one.label is None]
    known = [*retrains, *((one.period, one.as_of) for one in desk.claims().values())]
    done = [key == included.key or _within(included, moment) for key, moment in known if moment <= at]
    if included.start == month.start and not any(done):
        yield included.key


def _within(window: Window, moment: datetime) -> bool:
    return window.start <= moment < window.end
