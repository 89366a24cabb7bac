"""Is what a tier includes booked once, and in a place of its own?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.released import DECIDED, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep import records
from upkeep.desk import GOLDEN, desk_of
from upkeep.entitlement import ChangeOrder, Claim, UseCase
from upkeep.errors import PersonError, StoreError
from upkeep.home import configs
from upkeep.periods import Cadence, period
from upkeep.stages.contract import book_retrain, book_service, book_use_case, change_orders
from upkeep.tiers import Allowance, Service, load_tiers


def test_as_many_new_categories_as_the_tier_includes_are_booked_each_in_a_place_of_its_own(desk):
    tier = desk.tier.model_copy(update={"new_use_case": Allowance(count=2, per=Cadence.QUARTERLY)})
    desk = desk_of(desk.agreement.model_copy(update={"tier": tier}))
    labels = ("gift_card", "rental", "leasing")
    booked = [book_use_case(desk, label, DECIDED, reason="new shop", by="ada") for label in labels]
    assert [one.label for one in desk.use_cases()] == [one.label for one in booked[:2]] == ["gift_card", "rental"]
    assert isinstance(booked[2], ChangeOrder)
    assert [*desk.store.keys("use-cases/claims/")] == [f"use-cases/claims/2026-Q1-{place}.json" for place in (1, 2)]


def test_who_asks_twice_on_one_day_gets_one_retrain_and_on_the_next_day_one_that_never_began_is_booked_anew(desk):
    desk = desk_of(desk.agreement.model_copy(update={"tier": load_tiers(configs()).tiers[2]}))
    first = book_retrain(desk, DECIDED, "scheduled")
    assert book_retrain(desk, DECIDED + timedelta(hours=2), "the alarm") == first
    again = book_retrain(desk, DECIDED + timedelta(days=1), "scheduled again")
    assert (again.period, again.as_of, again.reason) == (first.period, DECIDED + timedelta(days=1), "scheduled again")
    assert desk.claims() == {first.period: again}
    desk.store.write(f"snapshots/{first.period}.json", b"{}")  # from here on there is something to go on with
    assert book_retrain(desk, DECIDED + timedelta(days=2), "once more") == again


def test_where_the_golden_set_cannot_be_read_nothing_is_booked(desk):
    desk = desk_of(desk.agreement.model_copy(update={"tier": load_tiers(configs()).tiers[3]}))
    line = b'{"id": "late", "text": "Where is my tent?", "answer": "order_status", "valid_from": "soon"}'
    desk.store.write(GOLDEN, desk.store.read(GOLDEN) + line)
    with pytest.raises(StoreError, match=r"golden\.jsonl line 41: valid_from: found 'soon'"):
        book_retrain(desk, DECIDED + timedelta(days=31), "scheduled")
    with pytest.raises(StoreError, match=r"golden\.jsonl line 41: valid_from: found 'soon'"):
        book_use_case(desk, "gift_card", DECIDED, reason="new shop", by="ada")
    assert (desk.claims(), desk.use_cases()) == ({}, [])


def test_what_somebody_books_twice_on_one_day_is_booked_once_and_opens_no_change_order(desk):
    desk = desk_of(desk.agreement.model_copy(update={"tier": load_tiers(configs()).tiers[3]}))
    said = {"reason": "the webhook", "by": "ada"}
    with pytest.raises(PersonError):
        book_service(desk, Service.INTEGRATION_UPDATE, DECIDED, **said | {"by": ""})
    first = book_service(desk, Service.INTEGRATION_UPDATE, DECIDED, **said)
    assert book_service(desk, Service.INTEGRATION_UPDATE, DECIDED + timedelta(hours=2), **said) == first
    assert (desk.bookings(), change_orders(desk)) == ([first], [])
    for hour in (24, 25):
        extra = book_service(desk, Service.INTEGRATION_UPDATE, DECIDED + timedelta(hours=hour), **said)
        assert isinstance(extra, ChangeOrder)
    assert len(change_orders(desk)) == 1


def test_what_people_did_is_booked_each_in_a_place_of_its_own_and_each_that_is_extra_has_an_order(desk):
    tier = load_tiers(configs()).tiers[3]
    tier = tier.model_copy(update={"integration_update": Allowance(count=2, per=Cadence.QUARTERLY)})
    desk = desk_of(desk.agreement.model_copy(update={"tier": tier}))
    before = DECIDED - timedelta(days=1)
    session = book_service(desk, Service.STRATEGY_SESSION, before, reason="plans", by="ada")
    done = [
        book_service(desk, Service.INTEGRATION_UPDATE, DECIDED + timedelta(days=day), reason=f"webhook {day}", by="bob")
        for day in range(4)
    ]
    assert desk.bookings() == [session, *done[:2]]
    assert [*desk.store.keys("services/")] == [
        "services/2026-Q1-integration-update-1.json",
        "services/2026-Q1-integration-update-2.json",
        "services/2026-Q1-strategy-session-1.json",
    ]
    assert change_orders(desk) == done[2:]
    again = book_service(desk, Service.INTEGRATION_UPDATE, DECIDED, reason="webhook 0", by="bob")
    assert again == done[0]


def test_a_booking_whose_place_holds_another_one_ends_and_says_where(desk):
    desk = desk_of(desk.agreement.model_copy(update={"tier": load_tiers(configs()).tiers[3]}))
    april = DECIDED + timedelta(days=31)
    month, quarter = (period(april, cadence, desk.zone).key for cadence in (Cadence.MONTHLY, Cadence.QUARTERLY))
    records.save(desk.store, f"claims/{month}.json", Claim("2025-01", desk.local(DECIDED), "copied by hand"))
    with pytest.raises(StoreError, match=rf"claims/{month}\.json: found another one's booking in each of 20 tries"):
        book_retrain(desk, april, "scheduled")
    repairs = UseCase("2025-Q1", desk.local(DECIDED), "repairs", "copied by hand", "ada")
    records.save(desk.store, f"use-cases/claims/{quarter}-1.json", repairs)
    with pytest.raises(StoreError, match=rf"use-cases/claims/{quarter}-1\.json: found another one's booking"):
        book_use_case(desk, "rental", april, reason="new", by="ada")
