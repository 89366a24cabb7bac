"""Is a change that was found some weeks ago over?

That it is not found again is no evidence: the weeks it is compared with fill up with it. So it is followed against the
weeks before it began. It is over when what it counts has fallen back beyond chance or a model that answers rightly is
in service; a change of requests, with which nothing may be wrong, when they are as before, in weeks that were really
compared, or have been otherwise for so long that it is the usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from itertools import takewhile
from typing import NamedTuple

from upkeep.config import Client
from upkeep.monitoring.changed_answers import LEAST_GAP, SPANS, counted, more_overconfident, overconfidence
from upkeep.monitoring.changed_requests import (
    MISSING,
    data_trouble,
    input_shift,
    label_mix,
    missing_days,
    mix_is_comparable,
    traffic,
    traffic_is_comparable,
)
from upkeep.monitoring.changes import UNSEEN, Seen
from upkeep.monitoring.figures import Figures
from upkeep.monitoring.input_shift import LEAST_TEXTS, REFERENCE, Inputs, comparable
from upkeep.monitoring.trouble import CERTAIN_BUDGET, LASTING, LEAST_EARLIER, Change, Kind
from upkeep.periods import from_to
from upkeep.statistics.significance import less_often

QUIET = 4
"""So many weeks in a row without it end a change of requests."""
USUAL = f"It has lasted {LASTING} weeks and is the usual from now on"


class Week(NamedTuple):
    """A reviewed week and what is known of it now."""

    key: str
    seen: Seen


class _Course(NamedTuple):
    """The weeks before a change, those that showed it, and those after it in which there were requests."""

    before: list[Week]
    showed: list[Week]
    after: list[Week]

    def newest(self, label: str | None = None) -> list[Week]:
        """The newest of the weeks after it: of the model in service, and of others that answered a label too."""
        figures = _figures(self.after)
        able = {figures[-1].model_version, *(one.model_version for one in figures if label in one.answered)}
        return list(takewhile(lambda one: one.seen.figures.model_version in able, reversed(self.after)))[::-1]


def why_over(change: Change, *, opened: str, weeks: Sequence[Week], client: Client) -> str | None:
    """Why a change that the week `opened` showed first is over; None while it goes on.

    `weeks` are all reviewed weeks up to the newest, oldest first.
    """
    at = next((at for at, one in enumerate(weeks) if one.key == opened), None)
    after = [] if at is None else [one for one in weeks[at + 1 :] if one.seen.figures.requests]
    if at is None or not after or after[-1].key != weeks[-1].key:
        return None
    start = max(at + 1 - change.weeks, 0)
    course = _Course(list(weeks[:start]), list(weeks[start : at + 1]), after)
    match change.kind:
        case Kind.POLICY | Kind.NEW_CATEGORY | Kind.OUT_OF_SCOPE:
            return _learned(change, course) or _fallen(change, course)
        case Kind.CALIBRATION:
            return _calibrated(course, client)
        case Kind.DATA:
            return _mended(change, course, client.zone)
        case Kind.LABEL_MIX | Kind.INPUTS | Kind.TRAFFIC:
            return _usual(change, course, client.zone)


def _learned(change: Change, course: _Course) -> str | None:
    now = course.after[-1].seen.figures
    if change.kind is Kind.NEW_CATEGORY and change.new in now.answered:
        return f"Version {now.model_version} answers {change.new!r}"
    return None


def _fallen(change: Change, course: _Course) -> str | None:
    """It is nearer to what it was before than to what opened it, and that is no chance."""
    before, then = counted(change, _figures(course.before)), counted(change, _figures(course.showed))
    halfway = ((before.value or 0.0) + (then.value or 0.0)) / 2
    newest = course.newest(change.new)
    for weeks in (newest[-SPANS[-1] :], newest):  # of what is rare all of them tell
        now = counted(change, _figures(weeks))
        if now.value is not None and now.value <= halfway and less_often(now, then) < CERTAIN_BUDGET:
            return (
                f"{now.hits} of {now.n:,} labelled requests in {_when(weeks)}; "
                f"when it was found, {then.hits} of {then.n:,}"
            )
    return None


def _calibrated(course: _Course, client: Client) -> str | None:
    """Another model is judged afresh; the same one must be as sure as before on as many checked answers."""
    opened, now = course.showed[-1].seen.figures, course.after[-1].seen.figures
    if now.model_version != opened.model_version:
        return f"Version {now.model_version} is in service now"
    spread = client.alarms.weekly_spread_pp / 100
    mine = [one for one in course.before if one.seen.figures.model_version == opened.model_version]
    same = mine if len(mine) >= LEAST_EARLIER else course.before
    weeks = course.newest()[-SPANS[-1] :]
    before, then, lately = (
        overconfidence(_figures(part), weekly_spread=spread) for part in (same, course.showed, weeks)
    )
    if before is None or then is None or lately is None or lately.right.n < then.right.n:
        return None
    if more_overconfident(lately, before) >= LEAST_GAP / 2:
        return None
    return f"{lately.sure:.0%} sure and right in {lately.right} in {_when(weeks)}"


def _mended(change: Change, course: _Course, zone: tzinfo) -> str | None:
    """The newest week's log is without the trouble, or nothing is asked any more on a day that had no requests."""
    if not _spoilt(change, course, zone):
        return f"Not so in {course.after[-1].key}"
    return USUAL if change.old == MISSING and len(course.after) >= LASTING else None


def _spoilt(change: Change, course: _Course, zone: tzinfo) -> bool:
    """Does the newest week's log still have the trouble?

    What versions were released by then, ids used again and outcomes about no request its review knows and says itself.
    """
    now, usual = course.after[-1].seen, _figures(course.before[-REFERENCE:])
    unread = change.old == UNSEEN and now.inputs is None
    found = [*data_trouble(now.figures, usual), *missing_days(now.figures, usual, zone)]
    return unread or any(one.old == change.old for one in found)


def _usual(change: Change, course: _Course, zone: tzinfo) -> str | None:
    """Requests are as before it, or have been otherwise for long."""
    if len(course.after) >= LASTING:
        return USUAL
    # a shift was found beside the newest weeks that could be looked at, however long ago those are
    before = course.before if change.kind is Kind.INPUTS else course.before[-REFERENCE:]
    since = [*course.showed, *course.after]
    compared = [at for at in range(len(since)) if _comparable(change, since[: at + 1], before, zone)]
    quiet = [since[at] for at in compared if at >= len(course.showed)][-QUIET:]
    if len(quiet) == QUIET and not _still_shown(change, before, [since[at] for at in compared], zone):
        return f"As before in {_one_by_one(quiet, course.after)}{_words_apart(change, quiet, course.before)}"
    return None


def _comparable(change: Change, since: Sequence[Week], before: Sequence[Week], zone: tzinfo) -> bool:
    """Would the newest of some weeks show the change if it went on? Else it is neither with it nor without it."""
    now, figures = since[-1].seen, _figures(before)
    if change.kind is Kind.INPUTS:
        if now.inputs is None or (change.weeks == 1 and now.inputs.n < LEAST_TEXTS):
            return False
        return bool(comparable(now.inputs, _inputs(before)))
    if change.kind is Kind.LABEL_MIX:
        return mix_is_comparable(_figures(since[-change.weeks :]), figures)
    return traffic_is_comparable(now.figures, figures, zone)


def _words_apart(change: Change, quiet: Sequence[Week], before: Sequence[Week]) -> str:
    """A model that was taught other texts knows other words: how many were unknown before is no measure then."""
    now, then = (
        {one.seen.inputs.known for one in weeks if one.seen.inputs and one.seen.inputs.words.n}
        for weeks in (quiet, before[-REFERENCE:])
    )
    apart = change.kind is Kind.INPUTS and then and now - then
    return "; their words are not compared, as the model was taught other texts" if apart else ""


def _still_shown(change: Change, before: Sequence[Week], since: Sequence[Week], zone: tzinfo) -> bool:
    """Does any of the newest weeks show the change against those before it began?

    What only several together showed is looked for in each of them together with as many before it, too.
    """
    for at in range(len(since) - QUIET, len(since)):
        with_it = since[max(at + 1 - change.weeks, 0) : at]
        looks = [before, [*before, *with_it]] if with_it else [before]
        if any(one.old == change.old for usual in looks for one in _found(change.kind, since[at].seen, usual, zone)):
            return True
    return False


def _found(kind: Kind, now: Seen, usual: Sequence[Week], zone: tzinfo) -> Iterator[Change]:
    """What the newest week, and those before it together with it, show."""
    figures = _figures(usual)
    if kind is Kind.INPUTS and now.inputs:
        yield from input_shift(now.inputs, _inputs(usual))
    elif kind is Kind.LABEL_MIX:
        yield from label_mix(now.figures, figures)
    elif kind is Kind.TRAFFIC:
        yield from traffic(now.figures, figures, zone)


def _figures(weeks: Iterable[Week]) -> list[Figures]:
    return [one.seen.figures for one in weeks]


def _inputs(weeks: Iterable[Week]) -> list[Inputs]:
    return [one.seen.inputs for one in weeks if one.seen.inputs]


def _one_by_one(weeks: Sequence[Week], among: Sequence[Week]) -> str:
    """Some weeks as people read them, each by itself where others lie between them."""
    keys = [one.key for one in weeks]
    between = [one.key for one in among if keys[0] <= one.key <= keys[-1]]
    return from_to(keys) if keys == between else ", ".join(keys)


def _when(weeks: Sequence[Week]) -> str:
    return from_to([one.key for one in weeks])
