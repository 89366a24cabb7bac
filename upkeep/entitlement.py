"""Is this work included in the client's tier, or is it a change order?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from upkeep.config import Tier
from upkeep.periods import Cadence, next_start, period


@dataclass(frozen=True, slots=True)
class Claim:
    """One retrain that was used up: the period it belongs to, when it was asked for, and why."""

    period: str
    as_of: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Included:
    """The work is part of the contract; `period` is what it is booked on."""

    period: str


@dataclass(frozen=True, slots=True)
class ChangeOrder:
    """The work is not part of the contract: what was asked for, why it is extra, and when it is next included."""

    period: str
    as_of: datetime
    reason: str
    why_extra: str
    next_included: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One reason why a retrain that is not part of the contract was asked for."""

    as_of: datetime
    reason: str


def with_reasons(order: ChangeOrder, asked: Iterable[Asked]) -> ChangeOrder:
    """The order for all the reasons that it was asked for, first come first, the same one once."""
    later = [one.reason for one in sorted(asked, key=lambda one: one.as_of.timestamp())]
    return replace(order, reason="; ".join(dict.fromkeys([order.reason, *later])))


def entitled(
    tier: Tier, *, as_of: datetime, zone: ZoneInfo, claims: Mapping[str, Claim], reason: str
) -> Included | ChangeOrder:
    """Is a retrain at `as_of` included? `claims` are those already used, by period.

    Asking again for the same moment is the same retrain; asking for another one in a used period is a change order.
    """
    cadence = tier.retrain
    if cadence is None:
        key = period(as_of, Cadence.MONTHLY, zone).key
        return ChangeOrder(key, as_of, reason, f"tier {tier.name!r} includes no retrain", None)
    key = period(as_of, cadence, zone).key
    used = claims.get(key)
    # in UTC: a time read back has a fixed offset, and in the repeated hour Python calls no two zones' times equal
    if used and used.as_of.timestamp() != as_of.timestamp():
        why = f"the {cadence.value} retrain of {key} was used on {used.as_of:%Y-%m-%d} ({used.reason})"
        return ChangeOrder(key, as_of, reason, why, next_start(as_of, cadence, zone))
    return Included(key)
