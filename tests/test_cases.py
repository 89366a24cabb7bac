"""What is trained on, what is locked away, and what a policy change does to old answers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.cases import (
    Case,
    Item,
    Source,
    TrainingSet,
    digest,
    fraction,
    normalise,
    part,
    prove_no_leak,
    supersede,
    training_set,
    valid_at,
)
from upkeep.config import NewLabels, Relabel, load_recipe
from upkeep.errors import LeakError

RECIPE = load_recipe(Path(__file__).parents[1] / "configs", "lora-encoder")
ZONE = ZoneInfo("Europe/Berlin")
JULY = datetime(2026, 7, 1, tzinfo=UTC)
RULE = Relabel(old="refund", new="self_service", since=date(2026, 6, 1))


def case(number: int, answer: str = "a", *, at: datetime | None = None, text: str | None = None) -> Case:
    return Case(str(number), text or f"ticket number {number}", answer, Source.AUDIT if at else Source.LAUNCH, at)


def chosen(cases, *, locked=(), known=("a", "b"), new=NewLabels.LEARN) -> TrainingSet:
    return training_set(cases, locked=locked, known=known, out_of_scope="oos", new_labels=new, recipe=RECIPE)


@given(st.text(min_size=1))
def test_the_same_text_falls_on_the_same_side_however_it_is_written(text):
    assert fraction(text) == fraction(f"  {text}  ")
    assert 0 <= fraction(text) < 1


@given(st.sets(st.integers(0, 400), min_size=1), st.sets(st.integers(0, 400)))
def test_no_locked_item_is_ever_trained_or_calibrated_on(numbers, locked):
    items = [Item(f"g{number}", f"Ticket  NUMBER {number}", "a") for number in locked]
    found = chosen([case(number) for number in numbers], locked=items)
    used = {int(one.id) for one in (*found.train, *found.calibration)}
    assert used == numbers - locked
    prove_no_leak(found, items)


def test_sides_have_their_shares_and_launch_cases_are_never_held_out():
    launch = part([case(number) for number in range(4000)], RECIPE)
    collected = part([case(number, at=JULY) for number in range(4000)], RECIPE)
    assert not launch.holdout
    assert len(collected.holdout) == pytest.approx(4000 * RECIPE.holdout_share, rel=0.15)
    assert len(collected.calibration) == pytest.approx(4000 * RECIPE.calibration_share, rel=0.15)
    assert {one.id for one in launch.calibration} == {one.id for one in collected.calibration}


def test_a_leak_stops_the_training_and_names_both():
    found = chosen([case(number) for number in range(50)])
    leaked = found.train[0]
    with pytest.raises(LeakError, match=f"training case {leaked.id} is evaluation item g1"):
        prove_no_leak(found, [Item("g1", leaked.text.upper(), "a")])


def test_a_rule_replaces_the_old_answer_of_cases_from_before_it():
    before, after = (
        datetime(2026, 5, 31, 21, tzinfo=UTC),
        datetime(2026, 5, 31, 23, tzinfo=UTC),
    )  # midnight in Berlin is 22
    cases = [case(1, "refund"), case(2, "refund", at=before), case(3, "refund", at=after), case(4, "other")]
    found = {one.id: (one.answer, one.replaced) for one in supersede(cases, [RULE], JULY, ZONE)}
    assert found == {
        "1": ("self_service", "refund"),
        "2": ("self_service", "refund"),
        "3": ("refund", None),  # somebody decided so after the change
        "4": ("other", None),
    }


def test_a_rule_that_is_not_in_force_yet_changes_nothing():
    found = supersede([case(1, "refund")], [RULE], datetime(2026, 5, 1, tzinfo=UTC), ZONE)
    assert (found[0].answer, found[0].replaced) == ("refund", None)


def test_of_two_answers_to_the_same_text_the_newer_counts():
    cases = [case(2, "b", at=JULY, text="Where is it?"), case(1, "a", text="where is  it?")]
    found = supersede(cases, [], JULY, ZONE)
    assert [(one.id, one.answer, one.replaced) for one in found] == [("2", "b", "a")]


def test_items_are_valid_from_and_until_before():
    items = [Item("old", "x", "a", None, JULY), Item("new", "x", "b", JULY, None), Item("always", "y", "a")]
    assert [item.id for item in valid_at(items, JULY)] == ["new", "always"]
    assert [item.id for item in valid_at(items, datetime(2026, 6, 30, tzinfo=UTC))] == ["old", "always"]


def test_a_new_label_waits_for_enough_cases_and_is_held_where_the_client_wants_it():
    known = [case(number) for number in range(100)] + [case(number, "b") for number in range(100, 200)]
    many = [case(number, "new", at=JULY) for number in range(200, 240)]
    once = next(case(n, "rare", at=JULY) for n in range(240, 300) if part([case(n, at=JULY)], RECIPE).train)
    outside = [case(number, "oos", at=JULY) for number in range(300, 340)]
    learned = chosen([*known, *many, once, *outside])
    assert learned.labels == ("a", "b", "new", "oos")
    assert learned.waiting == {"rare": 1}
    held = chosen([*known, *many, once, *outside], new=NewLabels.HOLD)
    assert held.labels == ("a", "b", "oos")
    assert held.waiting["new"] == sum(one.answer == "new" for one in learned.train)


def test_the_digest_knows_answers_but_not_the_order():
    cases = [case(1, "a"), case(2, "b")]
    assert digest(cases) == digest(cases[::-1]) != digest([case(1, "b"), case(2, "b")])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where IS\tmy\n card? ", "where is my card?"),
        ("\uff21\uff22\uff23", "abc"),  # full-width letters
        ("o\ufb03ce", "office"),  # a ligature
        ("STRASSE", "straße"),
        ("a\u00a0b", "a b"),  # a no-break space
        ("u\u0308ber", "über"),  # a letter and its dots, or both in one
    ],
)
def test_ways_to_write_the_same_are_the_same_text(one, other):
    assert normalise(one) == normalise(other)


def test_the_place_of_a_text_never_changes():
    # SHA-256 of "abc" begins with ba 78 16 bf 8f 01 cf (FIPS 180-2); another hash would let locked items into training
    assert fraction("ABC") == 0xBA7816BF8F01CF / 2**56


def test_rules_apply_in_the_order_of_their_days_whatever_order_they_are_listed_in():
    later = Relabel(old="self_service", new="chat", since=date(2026, 6, 15))
    (found,) = supersede([case(1, "refund")], [later, RULE], JULY, ZONE)
    assert (found.answer, found.replaced) == ("chat", "self_service")


def test_a_rule_is_in_force_from_midnight_in_the_clients_zone():
    midnight = datetime(2026, 5, 31, 22, tzinfo=UTC)  # 1 June in Berlin
    before = midnight - timedelta(microseconds=1)
    assert [supersede([case(1, "refund")], [RULE], at, ZONE)[0].answer for at in (before, midnight)] == [
        "refund",
        "self_service",
    ]


def test_the_same_answer_again_replaces_nothing():
    cases = [case(1, "a", text="Where is it?"), case(2, "a", at=JULY, text="where is it?")]
    assert [(one.id, one.replaced) for one in supersede(cases, [], JULY, ZONE)] == [("2", None)]


def test_a_label_without_a_case_to_train_on_is_not_taught_and_superseded_answers_are_counted():
    cases = supersede([case(number, "refund") for number in range(60)], [RULE], JULY, ZONE)
    found = chosen(cases, known=("refund", "self_service"))
    assert found.labels == ("self_service",)
    assert found.superseded == len(found.train) > 0
    assert len(found.train) + len(found.calibration) == 60
