"""Which retrains are part of the contract, and what does a change order say?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from upkeep.entitlement import (
    NO_REASON,
    Asked,
    Booking,
    ChangeOrder,
    Claim,
    UseCase,
    entitled,
    service,
    use_case,
    with_reasons,
)
from upkeep.periods import Cadence
from upkeep.tiers import Allowance, Service, Tier, Work

BERLIN = ZoneInfo("Europe/Berlin")
NOVEMBER = datetime(2026, 11, 23, 9, tzinfo=BERLIN)
DECEMBER = datetime(2026, 12, 7, 9, tzinfo=BERLIN)
USED = {"2026-Q4": Claim("2026-Q4", NOVEMBER, "scheduled")}


def tier(retrain: Cadence | None) -> Tier:
    schedule = {Work.REVIEW: Cadence.WEEKLY} | ({Work.RETRAIN: retrain} if retrain else {})
    return Tier(name="gold", monthly_fee_usd=(1, 2), schedule=schedule, alerts=True)


def asked(cadence: Cadence | None, as_of: datetime, claims=None, undecided=()):
    return entitled(
        tier(cadence), as_of=as_of, zone=BERLIN, claims=claims or {}, reason="accuracy fell", undecided=undecided
    )


def booked(period: str, as_of: datetime) -> Claim:
    return Claim(period, as_of, "accuracy fell")


def test_without_retrains_in_the_tier_each_is_a_change_order_of_its_month():
    wanted = ChangeOrder("2026-11", NOVEMBER, "accuracy fell", "tier 'gold' includes no retrain", next_included=None)
    assert asked(None, NOVEMBER) == wanted


def test_the_first_retrain_of_a_period_is_booked_on_it():
    assert asked(Cadence.QUARTERLY, NOVEMBER) == booked("2026-Q4", NOVEMBER)
    assert asked(Cadence.MONTHLY, NOVEMBER) == booked("2026-11", NOVEMBER)


def test_asking_again_for_the_same_moment_is_the_same_retrain_in_whatever_zone_it_is_told():
    assert asked(Cadence.QUARTERLY, NOVEMBER, USED) == USED["2026-Q4"]
    assert asked(Cadence.QUARTERLY, NOVEMBER.astimezone(UTC), USED) == USED["2026-Q4"]


def test_asking_again_while_the_retrain_of_the_period_has_no_decision_goes_on_with_it():
    assert asked(Cadence.QUARTERLY, DECEMBER, USED, {"2026-Q4"}) == USED["2026-Q4"]


def test_a_second_retrain_in_a_quarter_is_a_change_order_that_says_when_the_next_is_included():
    order = asked(Cadence.QUARTERLY, DECEMBER, USED)
    assert isinstance(order, ChangeOrder)
    assert (order.period, order.as_of, order.reason) == ("2026-Q4", DECEMBER, "accuracy fell")
    assert order.why_extra == "the quarterly retrain of 2026-Q4 was used on 2026-11-23 (scheduled)"
    assert order.next_included == datetime(2027, 1, 1, tzinfo=BERLIN)


def test_a_retrain_used_last_quarter_does_not_count_in_this_one():
    january = datetime(2027, 1, 1, 8, tzinfo=BERLIN)
    assert asked(Cadence.QUARTERLY, january, USED) == booked("2027-Q1", january)
    assert asked(Cadence.QUARTERLY, january, USED, {"2026-Q4"}) == booked("2027-Q1", january)


def test_after_a_change_of_tier_a_period_is_used_by_any_retrain_in_it():
    first = datetime(2026, 10, 1, 8, tzinfo=BERLIN)
    quarter = {"2026-Q4": Claim("2026-Q4", first, "scheduled")}
    months = {f"2026-{n}": Claim(f"2026-{n}", first.replace(month=n), "scheduled") for n in (10, 11)}
    october = asked(Cadence.MONTHLY, datetime(2026, 10, 5, 9, tzinfo=BERLIN), quarter)
    assert isinstance(october, ChangeOrder)
    assert october.why_extra == "the monthly retrain of 2026-10 was used on 2026-10-01 (scheduled)"
    assert october.next_included == datetime(2026, 11, 1, tzinfo=BERLIN)
    december = asked(Cadence.QUARTERLY, DECEMBER, months)
    assert isinstance(december, ChangeOrder)
    assert december.why_extra == "the quarterly retrain of 2026-Q4 was used on 2026-10-01 (scheduled)"
    assert asked(Cadence.MONTHLY, NOVEMBER, quarter) == booked("2026-11", NOVEMBER)
    # the retrain of 1 October once more is the same one, under whichever tier
    assert asked(Cadence.MONTHLY, first, quarter) == quarter["2026-Q4"]


def test_after_a_change_of_zone_a_period_is_used_by_the_retrain_that_was_booked_on_it():
    first = datetime(2026, 10, 1, 8, tzinfo=BERLIN)  # 23:00 on 30 September in Los Angeles
    angeles, october = ZoneInfo("America/Los_Angeles"), {"2026-10": Claim("2026-10", first, "scheduled")}

    def again(as_of: datetime, undecided=()):
        return entitled(
            tier(Cadence.MONTHLY), as_of=as_of, zone=angeles, claims=october, reason="x", undecided=undecided
        )

    order = again(datetime(2026, 10, 15, 9, tzinfo=angeles))
    assert isinstance(order, ChangeOrder)
    assert order.why_extra == "the monthly retrain of 2026-10 was used on 2026-10-01 (scheduled)"
    assert again(datetime(2026, 10, 15, 9, tzinfo=angeles), {"2026-10"}) == october["2026-10"]
    assert isinstance(again(datetime(2026, 11, 1, 8, tzinfo=angeles)), Claim)


@pytest.mark.parametrize(("zone", "wanted"), [("Europe/Berlin", "2027-Q1"), ("America/New_York", "2026-Q4")])
def test_the_clients_zone_decides_which_quarter_is_booked(zone, wanted):
    moment = datetime(
        2026, 12, 31, 23, 30, tzinfo=UTC
    )  # 00:30 on 1 January in Berlin, 18:30 the day before in New York
    found = entitled(tier(Cadence.QUARTERLY), as_of=moment, zone=ZoneInfo(zone), claims={}, reason="x")
    assert found == Claim(wanted, moment, "x")


def test_a_change_order_tells_every_reason_once_in_the_order_they_came():
    order = ChangeOrder("2026-11", NOVEMBER, "accuracy fell", "tier 'gold' includes no retrain", None)
    asked = [Asked(DECEMBER, "new price list"), Asked(NOVEMBER, "accuracy fell"), Asked(DECEMBER, "accuracy fell")]
    assert with_reasons(order, asked).reason == "accuracy fell; new price list"
    assert with_reasons(order, []) == order
    assert str(order) == "change order 2026-11 (a retrain): tier 'gold' includes no retrain; for: accuracy fell"


def test_a_change_order_says_that_no_reason_was_given_until_one_is():
    order = ChangeOrder("2026-11", NOVEMBER, NO_REASON, "tier 'gold' includes no retrain", None)
    assert str(with_reasons(order, [Asked(NOVEMBER, NO_REASON)])).endswith("includes no retrain; no reason given")
    assert str(with_reasons(order, [Asked(DECEMBER, "new price list")])).endswith("; for: new price list")


def use_case_tier(count: int | None) -> Tier:
    allowed = Allowance(count=count, per=Cadence.QUARTERLY) if count else None
    return tier(Cadence.MONTHLY).model_copy(update={"new_use_case": allowed})


def asked_for(label: str, as_of: datetime, *, count: int | None, booked=()):
    return use_case(
        use_case_tier(count), label=label, as_of=as_of, zone=BERLIN, booked=booked, reason="new shop", by="ada"
    )


GIFTS = UseCase("2026-Q4", NOVEMBER, "gift_card", "new shop", "ada")


def test_as_many_new_categories_as_are_included_are_booked_and_the_next_is_a_change_order():
    assert asked_for("gift_card", NOVEMBER, count=2) == GIFTS
    second = asked_for("rental", DECEMBER, count=2, booked=[GIFTS])
    assert second == UseCase("2026-Q4", DECEMBER, "rental", "new shop", "ada")
    order = asked_for("leasing", DECEMBER, count=2, booked=[GIFTS, second])
    assert isinstance(order, ChangeOrder)
    assert order.period == "2026-Q4-variant-leasing"
    assert order.why_extra == (
        "tier 'gold' includes 2 new use cases quarterly, used in 2026-Q4: 'gift_card' on 2026-11-23, "
        "'rental' on 2026-12-07"
    )
    assert order.next_included == datetime(2027, 1, 1, tzinfo=BERLIN)
    assert order.work == "the new category 'leasing'"


def test_the_same_category_is_the_same_use_case_whenever_it_goes_on():
    assert asked_for("gift_card", NOVEMBER, count=1, booked=[GIFTS]) == GIFTS
    assert asked_for("gift_card", datetime(2027, 1, 7, tzinfo=BERLIN), count=1, booked=[GIFTS]) == GIFTS


def test_another_category_at_the_same_moment_is_another_use_case():
    assert isinstance(asked_for("rental", NOVEMBER, count=1, booked=[GIFTS]), ChangeOrder)


def test_without_new_categories_in_the_tier_each_is_a_change_order_of_its_month():
    wanted = ChangeOrder(
        "2026-11-variant-gift-card",
        NOVEMBER,
        "new shop",
        "tier 'gold' includes no new use case",
        None,
        "the new category 'gift_card'",
    )
    assert asked_for("gift_card", NOVEMBER, count=None) == wanted


def test_labels_that_differ_have_keys_that_differ():
    labels = ["gift_card", "gift-card", "Gift card", "礼品卡", "礼品", "g" * 50, "g" * 51]
    keys = [replace(GIFTS, label=label).key for label in labels]
    assert keys[0] == "2026-Q4-variant-gift-card"
    assert len(set(keys)) == len(labels)
    assert all(key.isascii() and " " not in key for key in keys)


def test_reasons_are_told_in_the_order_they_came_whatever_order_their_records_are_read_in():
    order = ChangeOrder("2026-Q4", NOVEMBER, "accuracy fell", "used", None)
    asked = [Asked(DECEMBER, "new price list"), Asked(NOVEMBER.replace(day=30), "the client asked")]
    assert with_reasons(order, asked).reason == "accuracy fell; the client asked; new price list"


def test_a_new_category_of_last_quarter_does_not_count_in_this_one():
    january = datetime(2027, 1, 7, 9, tzinfo=BERLIN)
    wanted = replace(GIFTS, period="2027-Q1", as_of=january, label="rental")
    assert asked_for("rental", january, count=1, booked=[GIFTS]) == wanted


def update(as_of: datetime, *, count: int | None, booked=(), reason="new webhook"):
    allowed = Allowance(count=count, per=Cadence.QUARTERLY) if count else None
    included = tier(None).model_copy(update={"integration_update": allowed})
    return service(
        included, Service.INTEGRATION_UPDATE, as_of=as_of, zone=BERLIN, booked=booked, reason=reason, by="ada"
    )


UPDATED = Booking("2026-Q4", NOVEMBER, Service.INTEGRATION_UPDATE, "new webhook", "ada")


def test_what_people_do_is_booked_as_often_as_it_is_included_and_then_is_a_change_order():
    assert update(NOVEMBER, count=1) == UPDATED
    session = replace(UPDATED, service=Service.STRATEGY_SESSION, as_of=NOVEMBER - timedelta(days=1))
    assert update(NOVEMBER, count=1, booked=[session]) == UPDATED  # the one does not use up the other
    assert update(DECEMBER, count=2, booked=[UPDATED]) == replace(UPDATED, as_of=DECEMBER)
    order = update(DECEMBER, count=1, booked=[UPDATED], reason="one more")
    assert order == ChangeOrder(
        order.period,
        DECEMBER,
        "one more",
        "tier 'gold' includes 1 integration update quarterly, used in 2026-Q4: on 2026-11-23 (new webhook)",
        datetime(2027, 1, 1, tzinfo=BERLIN),
        "the integration update",
    )
    assert order.period.startswith("2026-Q4-integration-update-")
    assert update(DECEMBER, count=1, booked=[UPDATED], reason="another").period != order.period
    january = datetime(2027, 1, 1, tzinfo=BERLIN)
    assert update(january, count=1, booked=[UPDATED]).period == "2027-Q1"


def test_what_is_written_down_twice_as_of_one_moment_was_done_once():
    assert update(NOVEMBER, count=1, booked=[UPDATED]) == UPDATED
    assert isinstance(update(NOVEMBER, count=1, booked=[UPDATED], reason="another one"), ChangeOrder)


def test_what_people_do_is_a_change_order_where_the_tier_has_none():
    order = update(NOVEMBER, count=None)
    assert order.period.startswith("2026-11-integration-update-")
    assert order.next_included is None
    assert order.why_extra == "tier 'gold' includes no integration update"
