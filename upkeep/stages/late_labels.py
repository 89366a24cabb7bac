"""Which weeks have got labels since the last review?

A label can come long after its request. A review looks for the request of every outcome in a file that was not there at
the review before, or was read otherwise then, up to LOOK_BACK weeks back; the weeks that it finds are counted again. In
the client's store: daily/heard/2026-W47.json, which outcome files a review knew. Who deletes it loses nothing but time:
then the next review looks for the requests of all outcomes of these weeks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from upkeep import records
from upkeep.desk import Desk
from upkeep.errors import StoreError
from upkeep.log.belonging import Placed, outcome_files
from upkeep.log.entries import as_utc, utc_days
from upkeep.monitoring.recount import LOOK_BACK, RECOUNTED
from upkeep.periods import Cadence, Window, last_full

HEARD = "daily/heard/"
BEGUN = "begun"
"""The key of the week that has begun, as far as the review's moment."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What stood for the outcome files of each UTC day that had ended at a review."""

    days: dict[date, str]


class Late(NamedTuple):
    """The weeks with requests that new outcomes are about, what else is known of these, and which files there are."""

    weeks: frozenset[str]
    placed: Placed
    heard: Heard


def look_back(desk: Desk, last: Window, before: str | None, *, until: datetime) -> Late:
    """Place the outcomes that are new since the week `before` was reviewed, and all those given in the `last` week.

    Without a week before nothing was counted that they could change, and no others are looked at.
    """
    weeks = _back_from(last, desk)
    days = utc_days(as_utc(weeks[-1].start), as_utc(until))
    files = outcome_files(desk.store, days, mapping=desk.mapping)
    heard = _heard(desk, before) if before else {}
    lately = utc_days(as_utc(last.start), as_utc(until))
    told = [day for day, mark in files.items() if day in lately or (before and heard.get(day) != mark)]
    # what was said since the week's end is mostly about requests of that time: to look there spares the older weeks
    newest, older = weeks[: RECOUNTED + 1], weeks[RECOUNTED + 1 :]
    placed = desk.place_outcomes(told, [*newest, Window(last.end, until, BEGUN), *older], until=until)
    today = until.astimezone(UTC).date()
    return Late(frozenset(placed.windows), placed, Heard({day: mark for day, mark in files.items() if day < today}))


def forget_later(desk: Desk, week: str) -> None:
    """Forget what later reviews knew: they could count labels into weeks that had been reviewed, not into this one."""
    for key in list(desk.store.keys(HEARD)):
        if key > _key(week):
            desk.store.delete(key)


def remember(desk: Desk, week: str, late: Late) -> None:
    """Keep which outcome files the review of a week knew."""
    records.save(desk.store, _key(week), late.heard)


def _heard(desk: Desk, week: str) -> dict[date, str]:
    try:
        return records.load(desk.store, _key(week), Heard).days
    except StoreError:  # deleted, or not ours
        return {}


def _back_from(last: Window, desk: Desk) -> list[Window]:
    """The last week and those before it, newest first."""
    weeks = [last]
    while len(weeks) < LOOK_BACK:
        weeks.append(last_full(weeks[-1].start, Cadence.WEEKLY, desk.zone))
    return weeks


def _key(week: str) -> str:
    return f"{HEARD}{week}.json"
