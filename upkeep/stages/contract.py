"""What is due for a client, and is a retrain included?

In the client's store: claims/2026-Q4.json for a retrain that is, change-orders/2026-11.json for one that is not, each
reason for it in change-orders/2026-11/.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TypeVar

from upkeep import records
from upkeep.beginning import require_anything, require_model
from upkeep.config import Work
from upkeep.desk import Desk
from upkeep.entitlement import Asked, ChangeOrder, Claim, Included, entitled, with_reasons
from upkeep.errors import AlreadyExistsError
from upkeep.periods import starts_on

Record = TypeVar("Record")


def due(desk: Desk, as_of: datetime) -> list[Work]:
    """The scheduled work whose period begins on the day of `as_of`, in the order it is done."""
    schedule = desk.tier.schedule
    return [work for work in Work if work in schedule and starts_on(as_of, schedule[work], desk.zone)]


def is_included(desk: Desk, as_of: datetime, reason: str) -> Included | ChangeOrder:
    """What the contract says to a retrain, without booking it. Raises NoChampionError where there is nothing yet."""
    answer = entitled(desk.tier, as_of=desk.local(as_of), zone=desk.zone, claims=desk.claims(), reason=reason)
    if isinstance(answer, Included):
        require_model(desk)
    return answer


def book_retrain(desk: Desk, as_of: datetime, reason: str) -> Included | ChangeOrder:
    """Book a retrain on the contract, or open a change order for it where it is not included.

    A period has one change order, which a further reason joins. Raises NoChampionError where there is nothing to
    retrain; that uses nothing up.
    """
    moment = desk.local(as_of)
    answer = entitled(desk.tier, as_of=moment, zone=desk.zone, claims=desk.claims(), reason=reason)
    if isinstance(answer, ChangeOrder):
        require_anything(desk)
        order = _once(desk, f"change-orders/{answer.period}.json", answer)
        # a record of its own, since no store replaces one on condition: two who ask at once would lose a reason
        name = hashlib.sha256(reason.encode()).hexdigest()[:12]
        _once(desk, f"change-orders/{order.period}/{name}.json", Asked(moment, reason))
        return _all_reasons(desk, order)
    require_model(desk)
    _once(desk, f"claims/{answer.period}.json", Claim(answer.period, moment, reason))
    return answer


def change_orders(desk: Desk) -> list[ChangeOrder]:
    """All change orders opened for the client, oldest first, each with every reason it was asked for."""
    keys = [key for key in desk.store.keys("change-orders/") if key.count("/") == 1]
    return [_all_reasons(desk, records.load(desk.store, key, ChangeOrder)) for key in keys]


def _all_reasons(desk: Desk, order: ChangeOrder) -> ChangeOrder:
    asked = [records.load(desk.store, key, Asked) for key in desk.store.keys(f"change-orders/{order.period}/")]
    return with_reasons(order, asked)


def _once(desk: Desk, key: str, record: Record) -> Record:
    """Write a record unless there is one; returns the one that stands."""
    try:
        desk.store.create(key, records.dump(record))
    except AlreadyExistsError:
        return records.load(desk.store, key, type(record))
    return record
