"""What is due for a client, and is a retrain or a new category included?

In the client's store: claims/2026-Q4.json for a retrain that is, use-cases/claims/2026-Q4-1.json for a new category
that is, services/2026-Q4-integration-update-1.json for what people do that is; change-orders/2026-11.json for what is
not, each reason for it in change-orders/2026-11/.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from upkeep import records
from upkeep.desk import Desk
from upkeep.entitlement import Asked, Booking, ChangeOrder, Claim, UseCase, entitled, service, use_case, with_reasons
from upkeep.errors import AlreadyExistsError, StoreError, require_name
from upkeep.monitoring.review import Review
from upkeep.periods import starts_on
from upkeep.stages.prerequisites import require_anything, require_model
from upkeep.stages.release import in_service, newer_in_service, require_bases, require_no_newer
from upkeep.stages.snapshot import forget_choice
from upkeep.store import address
from upkeep.tiers import Service, Work

TRIES = 20
"""So often a booking is tried: each time that somebody else was quicker."""


def due(desk: Desk, as_of: datetime) -> list[Work]:
    """The scheduled work whose period begins on the day of `as_of`, in the order it is done."""
    schedule = desk.tier.schedule
    return [work for work in Work if work in schedule and starts_on(as_of, schedule[work], desk.zone)]


def is_included(desk: Desk, as_of: datetime, reason: str) -> Claim | ChangeOrder:
    """What the contract says to a retrain, without booking it.

    Raises NoChampionError where there is nothing yet, DecisionError where the model in service is newer than one of
    that moment would be, BaseModelError where a base model is not here, StoreError where the golden set cannot be read;
    a retrain that was decided on stands as it is.
    """
    answer = _entitled(desk, as_of, reason, desk.claims())
    if isinstance(answer, Claim):
        _require_service(desk)
        if not desk.store.exists(f"decisions/{answer.period}.json"):
            require_no_newer(desk, answer.as_of)
            require_bases(desk)
            desk.golden()
    return answer


def book_retrain(desk: Desk, as_of: datetime, reason: str) -> Claim | ChangeOrder:
    """Book a retrain on the contract, or open a change order for it where it is not included.

    One that was booked and has no decision yet, as its run was killed, goes on as it was booked. One of another day has
    nothing to go on with where it never got to what it teaches, or where a newer model has come into service since: it
    is booked anew. A period has one change order, which a further reason joins. Raises as `is_included` does, which
    uses nothing up, and StoreError where the period's place holds what is none of its bookings.
    """
    place = ""
    for _ in range(TRIES):
        answer = is_included(desk, as_of, reason)
        if isinstance(answer, ChangeOrder):
            return open_order(desk, answer, as_of)
        place, booked = f"claims/{answer.period}.json", desk.claims().get(answer.period)
        if answer == booked:
            return booked
        if booked and booked.period in _given_up(desk, as_of):
            forget_choice(desk, booked.period)
            desk.store.delete(place)
        # a period can be booked once: of two who ask at once the other one asks again
        with suppress(AlreadyExistsError):
            desk.store.create(place, records.dump(answer))
    raise _never_free(desk, place)


def undecided(desk: Desk, claims: Mapping[str, Claim]) -> set[str]:
    """The periods of retrains that were booked and have no decision yet."""
    decided = set(desk.store.keys("decisions/"))
    return {period for period in claims if f"decisions/{period}.json" not in decided}


def goes_on(desk: Desk, claim: Claim, as_of: datetime) -> str:
    """What is to be said of a retrain that was booked for another moment than is asked for; empty where it was not."""
    if claim.as_of.timestamp() == desk.local(as_of).timestamp():
        return ""
    booked = f"{claim.as_of:%Y-%m-%d %H:%M} ({claim.reason})"
    return f"goes on with the retrain of {claim.period} as booked on {booked}, which has no decision yet"


def order_if_extra(desk: Desk, found: Review) -> ChangeOrder | None:
    """Open a change order where a review recommends a retrain that the contract does not include, once for one cause.

    A retrain of after the review is no reason for another one.
    """
    if not found.opened:
        return None
    before = {key: one for key, one in desk.claims().items() if one.as_of <= found.as_of}
    answer = _entitled(desk, found.as_of, "; ".join(one.text for one in found.opened), before)
    return open_order(desk, answer, found.as_of) if isinstance(answer, ChangeOrder) else None


def use_case_of(
    desk: Desk, label: str, as_of: datetime, *, reason: str, by: str, model: bool = False
) -> UseCase | ChangeOrder:
    """What the contract says to a new category or a `model` of its own, without booking it."""
    return _use_case(desk, desk.use_cases(), label, as_of, reason=reason, by=by, model=model)


def book_use_case(
    desk: Desk, label: str, as_of: datetime, *, reason: str, by: str, model: bool = False
) -> UseCase | ChangeOrder:
    """Book a new category, or a `model` of its own, or open a change order for it where it is not included.

    Raises NoChampionError where there is no model to teach it, BaseModelError where its base model is not here, and
    StoreError where the golden set cannot be read; that uses nothing up. Raises StoreError too where the place of the
    next booking holds something else.
    """
    moment, place = desk.local(as_of), ""
    for _ in range(TRIES):
        booked = desk.use_cases()
        answer = _use_case(desk, booked, label, as_of, reason=reason, by=by, model=model)
        if isinstance(answer, ChangeOrder):
            return open_order(desk, answer, moment)
        if answer in booked:
            return answer
        _require_service(desk)
        require_bases(desk)
        desk.golden()
        number = 1 + sum(one.period == answer.period for one in booked)
        place = f"use-cases/claims/{answer.period}-{number}.json"
        # a place can be taken once: of two who ask at once the other one asks again
        with suppress(AlreadyExistsError):
            desk.store.create(place, records.dump(answer))
    raise _never_free(desk, place)


def book_service(desk: Desk, asked: Service, as_of: datetime, *, reason: str, by: str) -> Booking | ChangeOrder:
    """Book what people do for a client, or open a change order for it where it is not included.

    Raises as `require_anything` does, PersonError, and StoreError where the place of the next booking holds something
    else.
    """
    require_name(by)
    require_anything(desk)
    moment, place = desk.local(as_of), ""
    for _ in range(TRIES):
        booked = desk.bookings()
        answer = service(desk.tier, asked, as_of=moment, zone=desk.zone, booked=booked, reason=reason, by=by)
        if isinstance(answer, ChangeOrder):
            return open_order(desk, answer, moment)
        if answer in booked:
            return answer
        number = 1 + sum((one.period, one.service) == (answer.period, asked) for one in booked)
        place = f"services/{answer.period}-{asked.value}-{number}.json"
        # as with a new category
        with suppress(AlreadyExistsError):
            desk.store.create(place, records.dump(answer))
    raise _never_free(desk, place)


def change_orders(desk: Desk) -> list[ChangeOrder]:
    """All change orders opened for the client, oldest first, each with every reason it was asked for."""
    keys = [key for key in desk.store.keys("change-orders/") if key.count("/") == 1]
    found = [_all_reasons(desk, records.load(desk.store, key, ChangeOrder)) for key in keys]
    return sorted(found, key=lambda one: one.as_of.timestamp())


def open_order(desk: Desk, answer: ChangeOrder, as_of: datetime) -> ChangeOrder:
    """Open a change order, or let its reason join the one that its period has. Raises as `require_anything` does."""
    require_anything(desk)
    moment, reason = desk.local(as_of), answer.reason
    order = records.create(desk.store, f"change-orders/{answer.period}.json", answer)
    # a record of its own, since no store replaces one on condition: two who ask at once would lose a reason
    name = hashlib.sha256(reason.encode()).hexdigest()[:12]
    records.create(desk.store, f"change-orders/{order.period}/{name}.json", Asked(moment, reason))
    return _all_reasons(desk, order)


def _require_service(desk: Desk) -> None:
    """Raise NoChampionError where no model was ever trained, or the first one never came into service."""
    require_model(desk)
    in_service(desk)


def _use_case(
    desk: Desk, booked: Sequence[UseCase], label: str, as_of: datetime, *, reason: str, by: str, model: bool
) -> UseCase | ChangeOrder:
    moment = desk.local(as_of)
    return use_case(
        desk.tier, label=label, as_of=moment, zone=desk.zone, booked=booked, reason=reason, by=by, model=model
    )


def _entitled(desk: Desk, as_of: datetime, reason: str, claims: Mapping[str, Claim]) -> Claim | ChangeOrder:
    given_up = _given_up(desk, as_of)
    return entitled(
        desk.tier,
        as_of=desk.local(as_of),
        zone=desk.zone,
        claims={period: one for period, one in claims.items() if period not in given_up},
        reason=reason,
        undecided=undecided(desk, claims),
    )


def _given_up(desk: Desk, as_of: datetime) -> set[str]:
    """The periods of retrains of another day without a decision that chose nothing to teach, or were overtaken."""
    claims, day = desk.claims(), desk.local(as_of).date()
    idle = [period for period in undecided(desk, claims) if desk.local(claims[period].as_of).date() != day]
    return {
        period
        for period in idle
        if not desk.store.exists(f"snapshots/{period}.json") or newer_in_service(desk, claims[period].as_of)
    }


def _never_free(desk: Desk, place: str) -> StoreError:
    where, wanted = address(desk.store, place), "no such file, or a booking of the period that its name says"
    return StoreError(f"{where}: found another one's booking in each of {TRIES} tries, expected {wanted}")


def _all_reasons(desk: Desk, order: ChangeOrder) -> ChangeOrder:
    asked = [records.load(desk.store, key, Asked) for key in desk.store.keys(f"change-orders/{order.period}/")]
    return with_reasons(order, asked)
