"""What has changed in the newest week, beyond chance and by enough to matter?

A week is compared with earlier weeks, four of them at least: what people say is right with weeks of any model, the
model's own doing with weeks of the same, where there are any. Every kind of change has its own evidence and its own
action: a policy change needs a rule, a burst of traffic needs no retrain at all. Thresholds are chances of a false
finding, divided among all that was looked at; a share that is certain but small is no finding either. When it is over,
lasting_changes.py says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from upkeep.config import Client
from upkeep.monitoring.changed_answers import (
    SPANS,
    calibration_loss,
    counted,
    new_categories,
    out_of_scope,
    policy_changes,
    spans,
)
from upkeep.monitoring.changed_requests import (
    NEWEST,
    data_trouble,
    input_shift,
    label_mix,
    missing_days,
    traffic,
    unknown_versions,
)
from upkeep.monitoring.figures import Figures
from upkeep.monitoring.input_shift import LEAST_TEXTS, REFERENCE, Inputs
from upkeep.monitoring.trouble import CERTAIN_BUDGET, LEAST_EARLIER, Change, Kind, change_of
from upkeep.periods import weeks_before
from upkeep.statistics.significance import less_often

UNSEEN = "requests"
"""What data trouble is about where nobody could look at the requests."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A week as it can be compared with others: its figures, and what its requests looked like, or why nobody knows."""

    figures: Figures
    inputs: Inputs | None = None
    unseen: str | None = None


def find_changes(
    now: Seen, earlier: Sequence[Figures], client: Client, *, history: Sequence[Seen], versions: Collection[str] = ()
) -> tuple[Change, ...]:
    """All that has changed in the newest week.

    `earlier` are the weeks before it with the same model, `history` those whatever the model, both oldest first;
    `versions` are the models that may be in service, empty where nobody knows.
    """
    before = [one.figures for one in history]
    weeks = [*before, now.figures]
    sure = _calibration(weeks, same=len(earlier) + 1, weekly_spread=client.alarms.weekly_spread_pp / 100)
    found = list(_told_once([*_answers_changed(weeks, client), *sure]))
    if len(earlier) >= LEAST_EARLIER:
        found += label_mix(now.figures, earlier[-REFERENCE:])
    before = before[-REFERENCE:]
    if len(before) >= LEAST_EARLIER:
        found += traffic(now.figures, before, client.zone)
        found += missing_days(now.figures, before, client.zone)
    found += data_trouble(now.figures, before)
    found += unknown_versions(now.figures, versions)
    if now.unseen:
        found.append(change_of(Kind.DATA, f"requests were not compared with those before: {now.unseen}", 0, old=UNSEEN))
    if now.inputs:
        found += input_shift(now.inputs, [one.inputs for one in history if one.inputs])
    return tuple(found)


def looked_for_from(week: str, *, reviewed: int, requests: int) -> str | None:
    """From when on changes are looked for, in words; None where the weeks `reviewed`, up to `week`, are enough.

    `requests` are the week's: whether those of one such week are looked at by themselves or of four together.
    """
    needed = {"what people say is right": SPANS[0] + LEAST_EARLIER}
    if requests >= LEAST_TEXTS:
        needed["requests and traffic"] = 1 + LEAST_EARLIER
    else:
        needed["traffic"] = 1 + LEAST_EARLIER
        needed[f"requests, where four weeks have {LEAST_TEXTS},"] = NEWEST[-1] + LEAST_EARLIER
    begin = [f"in {what} from {weeks_before(week, reviewed - n)} on" for what, n in needed.items() if reviewed < n]
    return f"changes are looked for {', '.join(begin)}: they need weeks to be compared with" if begin else None


def _answers_changed(weeks: Sequence[Figures], client: Client) -> Iterator[Change]:
    """What people say is right and was not before, whatever model they said it of."""
    for span, recent, before in spans(weeks):
        grown = list(new_categories(recent, before))
        likely = {one.new for one in new_categories(recent, before, unseen=CERTAIN_BUDGET)}
        policies = policy_changes(recent, before, grown=likely)
        for one in [*policies, *grown, *out_of_scope(recent, before, client)]:
            if not _fading(one, recent):
                yield replace(_with_rule(one, client), weeks=span)


def _calibration(weeks: Sequence[Figures], *, same: int, weekly_spread: float) -> Iterator[Change]:
    """Is the model, which answered in the newest `same` weeks, surer than it is right, by more than it was?

    One that is retrained every month has no weeks of its own to be compared with. Each model was fitted to be as sure
    as it is right, so the weeks of those before it do, as far as models differ.
    """
    for span, recent, before in spans(weeks):
        own = same - span
        if own < 0:
            return
        fresh = own < LEAST_EARLIER
        usual = before if fresh else before[-own:]
        between = weekly_spread if fresh else 0.0
        for one in calibration_loss(recent, usual, weekly_spread=weekly_spread, between=between):
            yield replace(one, weeks=span)


def _fading(change: Change, recent: Sequence[Figures]) -> bool:
    """Is it over already: seldom in the newest weeks, or with the newest model, and often in the weeks before those?"""
    version = recent[-1].model_version
    newest = [one for one in recent if one.model_version == version][-SPANS[0] :]
    others = recent[: len(recent) - len(newest)]
    return less_often(counted(change, newest), counted(change, others)) < CERTAIN_BUDGET


def _with_rule(change: Change, client: Client) -> Change:
    """A policy change whose rule is there already needs no other, unless a later rule led back to the old answer."""
    days = [one.since for one in client.relabel if (one.old, one.new) == (change.old, change.new)]
    back = [one.since for one in client.relabel if one.new == change.old and not one.for_a_part]
    if not days or max(days) < max(back, default=date.min):
        return change
    return replace(
        change, action=f"There is a rule for it, from {max(days)}: the next retrain unlearns the old answer."
    )


def _told_once(found: Sequence[Change]) -> Iterator[Change]:
    """Each change once, whatever the span; a new label that a policy explains is no category of its own."""
    told: set[tuple[Kind, str | None, str | None]] = set()
    explained = {one.new for one in found if one.kind is Kind.POLICY}
    for one in found:
        key = (one.kind, one.old, one.new)
        if key not in told and not (one.kind is Kind.NEW_CATEGORY and one.new in explained):
            told.add(key)
            yield one
