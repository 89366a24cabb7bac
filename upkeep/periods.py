"""Which week, month or quarter does a moment belong to, in the client's zone?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from upkeep.errors import MomentError

CLOCKS = timedelta(minutes=5)
"""So far may another machine's clock be ahead of ours."""


class Cadence(StrEnum):
    """How often a piece of work is done."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` until before `end`, both zone-aware; `key` names the period (2026-W47, 2026-11, 2026-Q4)."""

    start: datetime
    end: datetime
    key: str


def moment_of(text: str) -> datetime:
    """A day, which is its midnight, or a time in ISO 8601. Raises ValueError saying what was wanted."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as exc:
        wanted = "a day or a time such as 2026-11-23, 2026-11-23T06:00 or 2026-11-23T06:00+01:00"
        raise ValueError(f"found {text!r}, expected {wanted}") from exc


def localise(moment: datetime, zone: ZoneInfo) -> datetime:
    """The moment in the client's zone; a time without a zone is taken to be the client's own."""
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def require_past(moment: datetime, zone: ZoneInfo, *, now: datetime) -> None:
    """Raise MomentError for a moment later than `now`: what is written as of it would hold back all that comes before.

    A time without a zone is taken to be in `zone`.
    """
    asked = localise(moment, zone)
    if asked.timestamp() > (now + CLOCKS).timestamp():
        told, latest = (one.astimezone(zone).isoformat(timespec="minutes") for one in (asked, now))
        raise MomentError(f"the time to act as of is {told}, expected none later than {latest}, which is now")


def period(moment: datetime, cadence: Cadence, zone: ZoneInfo) -> Window:
    """The week (ISO, Monday to Sunday), month or quarter that holds the moment."""
    day = localise(moment, zone).date()
    if cadence is Cadence.WEEKLY:
        first = day - timedelta(days=day.weekday())
        year, week, _ = first.isocalendar()
        return Window(_midnight(first, zone), _midnight(first + timedelta(days=7), zone), f"{year}-W{week:02d}")
    if cadence is Cadence.MONTHLY:
        first = day.replace(day=1)
        return Window(_midnight(first, zone), _midnight(_months_on(first, 1), zone), f"{first:%Y-%m}")
    first = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    key = f"{first.year}-Q{(first.month + 2) // 3}"
    return Window(_midnight(first, zone), _midnight(_months_on(first, 3), zone), key)


def week(key: str, zone: ZoneInfo) -> Window:
    """The week that a key such as 2026-W47 names."""
    return period(datetime.strptime(f"{key}-1", "%G-W%V-%u").replace(tzinfo=zone), Cadence.WEEKLY, zone)


def weeks_before(key: str, n: int) -> str:
    """The week that lies `n` weeks before another, after it where `n` is negative."""
    monday = date.fromisocalendar(int(key[:4]), int(key[6:]), 1)
    year, number, _ = (monday - timedelta(weeks=n)).isocalendar()
    return f"{year}-W{number:02d}"


def from_to(weeks: Sequence[str]) -> str:
    """Weeks as people read them: 2026-W13, or 2026-W13..2026-W16."""
    return weeks[0] if len(weeks) == 1 else f"{weeks[0]}..{weeks[-1]}"


def last_full(moment: datetime, cadence: Cadence, zone: ZoneInfo) -> Window:
    """The newest period that had ended by the moment."""
    current = period(moment, cadence, zone)
    return period(current.start - timedelta(hours=1), cadence, zone)


def periods_in(window: Window, cadence: Cadence, zone: ZoneInfo) -> list[Window]:
    """The weeks or months of a longer time, the first and the last as far as they lie in it."""
    found = [period(window.start, cadence, zone)]
    while found[-1].end < window.end:
        found.append(period(found[-1].end, cadence, zone))
    return [Window(max(one.start, window.start), min(one.end, window.end), one.key) for one in found]


def next_start(moment: datetime, cadence: Cadence, zone: ZoneInfo) -> datetime:
    """When the next period begins."""
    return period(moment, cadence, zone).end


def starts_on(moment: datetime, cadence: Cadence, zone: ZoneInfo) -> bool:
    """Is the moment on the first day of such a period?"""
    return localise(moment, zone).date() == period(moment, cadence, zone).start.date()


def days(start: datetime, end: datetime, zone: ZoneInfo, *, hour: int) -> Iterator[datetime]:
    """`hour` o'clock of every local day after `start` and until `end`."""
    day = localise(start, zone).date()
    while True:
        moment = datetime(day.year, day.month, day.day, hour, tzinfo=zone)
        if moment > end:
            return
        if moment > start:
            yield moment
        day += timedelta(days=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _months_on(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)
