"""Is this work included in the client's tier, or is it a change order?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from upkeep.periods import Cadence, localise, next_start, period
from upkeep.slug import slug
from upkeep.tiers import Allowance, Service, Tier

RETRAIN = "a retrain"
"""What a change order is for unless it says otherwise."""
NO_REASON = "no reason given"
"""The reason of who gives none."""


def given_reason(said: str) -> str:
    """What somebody gave as the reason; a field left empty is none."""
    return said.strip() or NO_REASON


@dataclass(frozen=True, slots=True)
class Claim:
    """One retrain that is part of the contract: the period it is booked on, as of when it is done, and why."""

    period: str
    as_of: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeOrder:
    """The work is not part of the contract: what was asked for, why it is extra, and when it is next included."""

    period: str
    as_of: datetime
    reason: str
    why_extra: str
    next_included: datetime | None
    work: str = RETRAIN

    def __str__(self) -> str:
        reason = self.reason if self.reason == NO_REASON else f"for: {self.reason}"
        return f"change order {self.period} ({self.work}): {self.why_extra}; {reason}"


@dataclass(frozen=True, slots=True)
class UseCase:
    """A new category that is part of the contract, or a `model` of its own: the period it was used in, what it is
    called, who wanted it."""

    period: str
    as_of: datetime
    label: str
    reason: str
    by: str
    model: bool = False

    @property
    def key(self) -> str:
        """What everything about it is kept under: 2026-Q2-variant-gift-card."""
        return _key(self.period, self.label)

    def __str__(self) -> str:
        return f"{self.label}{' (a model of its own)' if self.model else ''} on {self.as_of:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Booking:
    """Work of people that is part of the contract: the period it was used in, what was done and why, and who did it."""

    period: str
    as_of: datetime
    service: Service
    reason: str
    by: str

    def __str__(self) -> str:
        return f"{self.service.words} of {self.period} used on {self.as_of:%Y-%m-%d} by {self.by}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One reason why a retrain that is not part of the contract was asked for."""

    as_of: datetime
    reason: str


def with_reasons(order: ChangeOrder, asked: Iterable[Asked]) -> ChangeOrder:
    """The order for all the reasons that it was asked for, first come first, the same one once."""
    later = [one.reason for one in sorted(asked, key=lambda one: one.as_of.timestamp())]
    given = dict.fromkeys(reason for reason in (order.reason, *later) if reason != NO_REASON)
    return replace(order, reason="; ".join(given) or NO_REASON)


def entitled(
    tier: Tier,
    *,
    as_of: datetime,
    zone: ZoneInfo,
    claims: Mapping[str, Claim],
    reason: str,
    undecided: Collection[str] = (),
) -> Claim | ChangeOrder:
    """Is a retrain at `as_of` included? `claims` are those already booked, by period.

    Asking again for the same moment is the same retrain, and so is asking while the period's one is `undecided`: it
    goes on as of the moment that it was booked for. Asking for another one in a used period is a change order. A period
    is used by any retrain in it, also by one of the months or the quarter that another tier included, and by the one
    that was booked on it: since then the client's zone may have become another one.
    """
    cadence = tier.retrain
    if cadence is None:
        key = period(as_of, Cadence.MONTHLY, zone).key
        return ChangeOrder(key, as_of, reason, f"tier {tier.name!r} includes no retrain", None)
    key = period(as_of, cadence, zone).key
    used = [one for one in claims.values() if key in (one.period, period(one.as_of, cadence, zone).key)]
    if not used:
        return Claim(key, as_of, reason)
    # in UTC: a time read back has a fixed offset, and in the repeated hour Python calls no two zones' times equal
    same = [one for one in used if one.period in undecided or one.as_of.timestamp() == as_of.timestamp()]
    if same:
        return same[0]
    first = min(used, key=lambda one: one.as_of.timestamp())
    why = f"the {cadence.value} retrain of {key} was used on {first.as_of:%Y-%m-%d} ({first.reason})"
    return ChangeOrder(key, as_of, reason, why, next_start(as_of, cadence, zone))


def use_case(
    tier: Tier,
    *,
    label: str,
    as_of: datetime,
    zone: ZoneInfo,
    booked: Sequence[UseCase],
    reason: str,
    by: str,
    model: bool = False,
) -> UseCase | ChangeOrder:
    """Is a new category, or a `model` of its own, at `as_of` included? `booked` are the use cases there are already.

    Asking again for the same one is the same use case, whenever that is: people review its cases in between.
    """
    before = next((one for one in booked if (one.label, one.model) == (label, model)), None)
    if before:
        return before
    allowance, work = tier.new_use_case, f"the {'model variant' if model else 'new category'} {label!r}"
    if allowance is None:
        key = _key(period(as_of, Cadence.MONTHLY, zone).key, label)
        return ChangeOrder(key, as_of, reason, f"tier {tier.name!r} includes no new use case", None, work)
    key = period(as_of, allowance.per, zone).key
    used = [f"{one.label!r} on {one.as_of:%Y-%m-%d}" for one in booked if one.period == key]
    if len(used) < allowance.count:
        return UseCase(key, as_of, label, reason, by, model)
    why = _used_up(tier, allowance, "new use case", key, used)
    return ChangeOrder(_key(key, label), as_of, reason, why, next_start(as_of, allowance.per, zone), work)


def service(
    tier: Tier, asked: Service, *, as_of: datetime, zone: ZoneInfo, booked: Sequence[Booking], reason: str, by: str
) -> Booking | ChangeOrder:
    """Is it included that people do this at `as_of`? `booked` is what they have done already.

    The same by the same person for the same reason on the same day is one thing, however often it is said.
    """
    done, said = [one for one in booked if one.service is asked], (localise(as_of, zone).date(), reason, by)
    same = [one for one in done if (localise(one.as_of, zone).date(), one.reason, one.by) == said]
    if same:
        return same[0]
    allowance, work = tier.allowance(asked), f"the {asked.words}"
    # each is an order of its own: what was done twice is paid twice
    name = f"{asked.value}-{sha256(' '.join(map(str, said)).encode()).hexdigest()[:8]}"
    if allowance is None:
        key = f"{period(as_of, Cadence.MONTHLY, zone).key}-{name}"
        return ChangeOrder(key, as_of, reason, f"tier {tier.name!r} includes no {asked.words}", None, work)
    key = period(as_of, allowance.per, zone).key
    # since it was booked the allowance may have become one of another period
    mine = [one for one in done if key in (one.period, period(one.as_of, allowance.per, zone).key)]
    used = [f"on {one.as_of:%Y-%m-%d} ({one.reason})" for one in mine]
    if len(used) < allowance.count:
        return Booking(key, as_of, asked, reason, by)
    why = _used_up(tier, allowance, asked.words, key, used)
    return ChangeOrder(f"{key}-{name}", as_of, reason, why, next_start(as_of, allowance.per, zone), work)


def _used_up(tier: Tier, allowance: Allowance, what: str, key: str, used: Sequence[str]) -> str:
    included = f"{allowance.count} {what}{'s' if allowance.count > 1 else ''} {allowance.per.value}"
    return f"tier {tier.name!r} includes {included}, used in {key}: {', '.join(used)}"


def _key(period: str, label: str) -> str:
    return f"{period}-variant-{slug(label)}"
