"""What may be learned from, and what never?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.texts import case, text
from upkeep.cases.case import Item
from upkeep.cases.split import Locked, Side, lock, open_to_learn, open_up, prove, sides
from upkeep.errors import LeakError
from upkeep.recipes import load_recipe

RECIPE = load_recipe(Path(__file__).parents[2] / "configs", "lora-encoder")
JULY = datetime(2026, 7, 1, tzinfo=UTC)
MANY = 4000


def on(cases, recipe=RECIPE):
    return sides(cases, {one.id: one for one in cases}, recipe)


def one_on(side: Side, start: int = 0):
    """The first collected case from a number on that is on a side."""
    return next(one for n in range(start, start + 500) if on([one := case(n, at=JULY)])[str(n)] is side)


def locked(cases, *, before=(), golden=(), recipe=RECIPE):
    return lock(cases, {one.id: one for one in cases}, recipe, locked=before, golden=golden, at=JULY)


def test_sides_have_their_shares_and_launch_cases_are_never_held_out():
    launch, collected = (list(on([case(n, at=at) for n in range(MANY)]).values()) for at in (None, JULY))
    assert Side.HOLDOUT not in launch
    assert collected.count(Side.HOLDOUT) == pytest.approx(MANY * RECIPE.holdout_share, rel=0.15)
    assert collected.count(Side.CALIBRATION) == pytest.approx(MANY * RECIPE.calibration_share, rel=0.15)
    assert launch.count(Side.CALIBRATION) == collected.count(Side.CALIBRATION)


def test_of_what_chance_drew_for_an_audit_a_share_of_its_own_is_held_out_beside_the_same_calibration_rows():
    other, drawn = (on([case(n, at=JULY, audited=audited) for n in range(MANY)]) for audited in (False, True))
    assert list(drawn.values()).count(Side.HOLDOUT) == pytest.approx(MANY * RECIPE.audited_holdout_share, rel=0.1)
    assert all(drawn[key] is found for key, found in other.items() if found is not Side.TRAIN)
    none = RECIPE.model_copy(update={"audited_holdout_share": None})
    assert on([case(n, at=JULY, audited=True) for n in range(MANY)], none) == other


def test_what_is_audited_after_it_was_collected_stays_on_its_side():
    cases = [case(n, at=JULY) for n in range(MANY)]
    assert on([replace(one, drawn=True) for one in cases]) == on(cases)


def test_an_audit_holds_nothing_more_out_of_a_conversation():
    talks = [(n, f"talk {n // 2}") for n in range(MANY)]
    found = on([case(n, at=JULY, group=talk, audited=n % 2 == 0) for n, talk in talks])
    assert [found[str(n)] for n in range(0, MANY, 2)] == [found[str(n)] for n in range(1, MANY, 2)]


def test_a_near_duplicate_is_on_the_side_of_what_it_is_like():
    first = [case(n, at=JULY) for n in range(100)]
    again = [case(1000 + n, at=JULY, like=str(n)) for n in range(100)]
    found = on([*first, *again])
    assert [found[one.id] for one in again] == [found[one.id] for one in first]


def test_all_requests_of_a_conversation_are_on_one_side():
    for talk in range(20):
        assert len(set(on([case(n, at=JULY, group=f"talk {talk}") for n in range(10)]).values())) == 1


def test_a_corrected_answer_is_taught_though_its_conversation_is_held_out():
    first = next(one for n in range(100) if on([one := case(n)])[str(n)] is Side.TRAIN)
    talk = one_on(Side.HOLDOUT).text
    corrected = case(201, "b", at=JULY, text_of=first.text, like=first.id, group=talk)
    other = case(202, at=JULY, group=talk)
    assert on([first, corrected, other]) == {first.id: Side.TRAIN, "201": Side.TRAIN, "202": Side.HOLDOUT}
    assert [one.id for one in locked([first, corrected, other])] == ["202"]


def test_the_golden_set_and_what_is_held_out_are_locked_once():
    held, other = one_on(Side.HOLDOUT), one_on(Side.TRAIN)
    golden = [Item("g1", text(9000), "a", None, JULY), Item("g1b", text(9000).upper(), "b", JULY)]
    new = locked([held, other], golden=golden)
    assert [one.text for one in new] == [golden[1].text, held.text]
    assert locked([held, other], golden=golden, before=new) == []


def test_a_held_out_case_that_is_nearly_one_that_was_taught_is_no_item():
    held, other = one_on(Side.HOLDOUT), one_on(Side.TRAIN)
    nearly = case(77, at=JULY, text_of=held.text + "!", group=other.group or other.text)
    assert on([nearly])["77"] is Side.TRAIN
    assert locked([held, nearly]) == []


WIDER = RECIPE.model_copy(update={"holdout_share": 0.45})


def opened(cases, taught, *, recipe=WIDER, before=()):
    facts = {one.id: one for one in cases}
    return open_up(cases, facts, recipe, opened=(), taught={one.text for one in taught}, locked=before, at=JULY)


def test_what_was_taught_stays_open_with_all_that_is_like_it_and_nothing_else_does_when_more_is_held_out():
    cases = [case(n, at=JULY) for n in range(200)]
    was, wide = on(cases), on(cases, WIDER)
    turned = [one for one in cases if (was[one.id], wide[one.id]) == (Side.TRAIN, Side.HOLDOUT)]
    half = turned[::2]
    assert len(half) > 10
    stay = {one.at for one in opened(cases, half)}
    again = [case(1000 + n, "b", at=JULY, text_of=one.text + "!", like=one.id) for n, one in enumerate(half)]
    everything = [*cases, *again]
    now = sides(everything, {one.id: one for one in everything}, WIDER, stay)
    assert {one.id for one in cases if now[one.id] != wide[one.id]} == {one.id for one in half}
    assert {now[one.id] for one in (*half, *again)} == {Side.TRAIN}
    assert {now[one.id] for one in turned[1::2]} == {Side.HOLDOUT}
    assert opened(cases, turned, recipe=RECIPE) == []
    kept_shut = [Locked(one.id, one.text, JULY) for one in half]
    assert opened(cases, half, before=kept_shut) == []


def test_a_conversation_stays_open_when_a_case_of_it_was_taught():
    talk = next(one for n in range(500) if turns(one := case(n, at=JULY)))
    first, second = (case(n, at=JULY, group=talk.text) for n in (801, 802))
    stay = {one.at for one in opened([first], [first])}
    assert set(sides([first, second], {}, WIDER, stay).values()) == {Side.TRAIN}


def turns(one) -> bool:
    """Is it held out only where more is?"""
    return (on([one])[one.id], on([one], WIDER)[one.id]) == (Side.TRAIN, Side.HOLDOUT)


def test_what_is_nearly_a_text_that_was_taught_at_any_time_is_no_item():
    held = one_on(Side.HOLDOUT)
    facts = {held.id: held}
    for taught, items in (([held.text + "!"], []), ([text(5000)], [held.id])):
        new = lock([held], facts, RECIPE, locked=[], golden=[], at=JULY, taught=taught)
        assert [one.id for one in new] == items


def test_what_was_locked_is_not_learned_from_nor_what_is_nearly_the_same():
    shut = [Locked("g1", text(1), JULY)]
    cases = [case(1), case(2), case(3, text_of=text(1).upper() + "?")]
    assert [one.id for one in open_to_learn(cases, shut)] == ["2"]


def test_the_proof_names_the_two_that_came_nearest():
    # both of 28 letters with their marks and so of 24 shingles; the last digit and two marks are in 3 of them
    other = text(1)[:-1] + "~"
    proof = prove([case(1, text_of=other), case(2)], [Locked("g1", text(1), JULY), Locked("g2", text(5), JULY)])
    assert (proof.learned, proof.locked, proof.case, proof.item) == (2, 2, "1", "g1")
    assert proof.similarity == pytest.approx(21 / 27)
    told = str(replace(proof, similarity=0.7954))
    assert told.endswith(
        "the nearest two are 0.7954 alike, 0.8 or more would be a leak"
    )  # rounded it would read as one


def test_a_leak_stops_the_training_and_names_both():
    with pytest.raises(
        LeakError, match=r"training case 1 is 1\.00 alike to evaluation item g1, expected less than 0\.8"
    ):
        prove([case(1)], [Locked("g1", text(1).upper(), JULY)])


def test_without_a_locked_item_nothing_can_leak():
    assert prove([case(1)], []).similarity == 0


def test_what_is_like_a_held_out_case_stays_with_its_conversation_that_is_taught():
    held = one_on(Side.HOLDOUT)
    talk = one_on(Side.TRAIN).text
    first, nearly = (
        case(301, at=JULY, group=talk),
        case(302, at=JULY, text_of=held.text + "!", like=held.id, group=talk),
    )
    assert on([held, first, nearly]) == {held.id: Side.HOLDOUT, "301": Side.TRAIN, "302": Side.TRAIN}


def test_a_held_out_case_that_is_an_agreed_item_too_is_locked_once():
    held = one_on(Side.HOLDOUT)
    shouted = replace(held, text=held.text.upper())
    assert [one.id for one in locked([shouted], golden=[Item("g1", held.text, "a")])] == ["g1"]
