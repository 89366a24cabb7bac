"""A challenger is compared on the same items, and only a clear gain is promoted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.comparison import Verdict, compare, judge, judge_variant
from upkeep.errors import DecisionError
from upkeep.rates import Rate

FINE = {"items": 400, "margin": 0.03, "minimum_items": 200, "same_weights": False, "reload_exact": True}


def pairs(both: int, fixed: int, introduced: int, neither: int, name: str = "golden"):
    champion = [True] * both + [False] * fixed + [True] * introduced + [False] * neither
    challenger = [True] * both + [True] * fixed + [False] * introduced + [False] * neither
    return compare(name, champion=champion, challenger=challenger)


def test_the_interval_is_newcombes_published_example():
    # Newcombe 1998, table III: 36 both, 12 and 2 discordant, 0 neither: difference 0.2000, method 10: 0.0569 to 0.3404
    found = pairs(36, 12, 2, 0)
    assert found.difference == pytest.approx(0.2)
    assert found.interval.low == pytest.approx(0.0569, abs=5e-4)
    assert found.interval.high == pytest.approx(0.3404, abs=5e-4)


def test_mcnemars_p_is_exact():
    # 3 fixed, 0 introduced: two-sided 2 * 0.5 ** 3
    assert pairs(10, 3, 0, 0).p_value == pytest.approx(0.25)
    assert pairs(10, 0, 0, 2).p_value == 1.0


@given(st.tuples(*[st.integers(0, 60)] * 4).filter(lambda cells: sum(cells) > 0))
def test_the_interval_holds_the_difference_and_turns_round_with_the_models(cells):
    both, fixed, introduced, neither = cells
    one, other = pairs(both, fixed, introduced, neither), pairs(both, introduced, fixed, neither)
    assert -1 - 1e-9 <= one.interval.low <= one.difference + 1e-9
    assert one.difference - 1e-9 <= one.interval.high <= 1 + 1e-9
    assert one.interval.low == pytest.approx(-other.interval.high, abs=1e-9)


def test_models_scored_on_different_items_are_not_compared():
    with pytest.raises(DecisionError, match="champion has 2 items, challenger 1"):
        compare("golden", champion=[True, False], challenger=[True])
    with pytest.raises(DecisionError, match="at least one"):
        compare("golden", champion=[], challenger=[])


def test_a_clear_gain_is_promoted():
    assert judge([pairs(300, 40, 5, 20)], **FINE).verdict is Verdict.PROMOTE


def test_the_same_model_is_held_for_want_of_a_gain():
    judged = judge([pairs(380, 0, 0, 20)], **FINE)
    assert judged.verdict is Verdict.HOLD
    assert "no clear gain" in judged.reasons[0]


def test_a_gain_on_one_set_does_not_excuse_a_clear_loss_on_another():
    judged = judge([pairs(300, 40, 5, 20), pairs(50, 0, 20, 5, "recent")], **FINE)
    assert judged.verdict is Verdict.REJECT
    assert "recent" in judged.reasons[0]


def test_a_gain_on_recent_items_needs_the_golden_set_to_hold():
    # 0 of 150 fixed, 6 introduced: a loss of 4 points is not clear, but one of more than 3 cannot be ruled out
    judged = judge([pairs(140, 2, 6, 2), pairs(60, 30, 0, 10, "recent")], **FINE)
    assert judged.verdict is Verdict.HOLD
    assert "cannot be ruled out" in judged.reasons[0]


def test_too_few_items_never_promote():
    judged = judge([pairs(50, 40, 0, 10)], **FINE | {"items": 100})
    assert judged.verdict is Verdict.HOLD
    assert judged.reasons == ("not enough items: have 100, need 200",)


@pytest.mark.parametrize("fault", [{"same_weights": True}, {"reload_exact": False}])
def test_a_model_that_learned_nothing_or_reads_back_differently_is_rejected(fault):
    assert judge([pairs(300, 40, 5, 20)], **(FINE | fault)).verdict is Verdict.REJECT


def test_a_positive_correlation_is_corrected_for_continuity_as_published():
    # from the tests of the R package contingencytables (Fagerland, Lydersen, Laake), chapter 8, paired tables:
    # 59 both, 6 and 16 discordant, 80 neither: -0.0621 (-0.1186 to -0.0046); without the correction -0.1174 to -0.0059
    found = pairs(59, 6, 16, 80)
    assert found.difference == pytest.approx(-0.0621, abs=5e-5)
    assert found.interval == pytest.approx((-0.1186, -0.0046), abs=5e-5)


def test_a_small_positive_correlation_counts_as_none():
    # 2 both, 1 and 1 discordant, 1 neither: 2 * 1 - 1 * 1 = 1 is less than n / 2 = 2.5, so phi is 0
    # Wilson of 3 in 5 is 0.2307 to 0.8824, and 0 -+ sqrt((0.6 - 0.2307) ** 2 + (0.8824 - 0.6) ** 2) = -+ 0.4649
    assert pairs(2, 1, 1, 1).interval == pytest.approx((-0.4649, 0.4649), abs=1e-4)


def test_the_one_sided_end_lies_inside_of_the_two_sided_interval():
    found = pairs(140, 6, 4, 10)
    assert found.interval.low < found.lowest < found.difference


def test_a_comparison_is_told_in_points_with_its_interval_and_n():
    assert str(pairs(36, 12, 2, 0)) == (
        "golden: challenger 96.0%, champion 76.0%, 95% CI +5.7..+34.0 pp, n=50"  # 38 and 48 of 50
    )


def test_a_gain_on_recent_items_promotes_where_the_golden_set_holds():
    judged = judge([pairs(900, 0, 0, 100), pairs(60, 30, 0, 10, "recent")], **FINE)
    assert judged.verdict is Verdict.PROMOTE
    assert judged.reasons[0].startswith("clearly better on recent: challenger 90.0%, champion 60.0%")
    assert judged.reasons[1].startswith("no worse than 3.0 pp on golden")


def variant_of(*sets, found: Rate, **changes):
    judged = judge(sets, **(FINE | changes))
    return judge_variant(judged, found, label="gift_card", minimum_recall=0.7, minimum_items=10)


HELD = pairs(900, 0, 0, 100)


def test_a_new_category_that_is_found_often_enough_beside_old_labels_that_hold_is_promoted():
    judged = variant_of(HELD, pairs(0, 7, 0, 3, "new"), found=Rate(7, 10))
    assert judged.verdict is Verdict.PROMOTE
    assert judged.reasons[0] == "'gift_card' is found in 70.0% (95% CI 39.7%..89.2%, n=10)"


def test_a_new_category_with_too_few_items_is_held_with_how_many_are_missing():
    judged = variant_of(HELD, pairs(0, 6, 0, 0, "new"), found=Rate(6, 6))
    assert judged.verdict is Verdict.HOLD
    assert judged.reasons == ("not enough evaluation items of 'gift_card': have 6, need 10, 4 are missing",)
    none = variant_of(HELD, found=Rate(0, 0))
    assert none.reasons[0].endswith("have 0, need 10, 10 are missing")


def test_a_new_category_that_is_seldom_found_is_held():
    judged = variant_of(HELD, pairs(0, 12, 0, 8, "new"), found=Rate(12, 20))
    assert judged.verdict is Verdict.HOLD
    assert judged.reasons[0].startswith("'gift_card' is found in 60.0%")
    assert judged.reasons[0].endswith("expected 70% or more")


def test_a_new_category_that_costs_the_old_labels_more_than_agreed_is_not_promoted():
    found = pairs(0, 20, 0, 0, "new")
    assert variant_of(pairs(140, 0, 6, 4), found, found=Rate(20, 20)).verdict is Verdict.REJECT  # clearly worse
    held = variant_of(pairs(140, 2, 6, 2), found, found=Rate(20, 20))
    assert held.verdict is Verdict.HOLD
    assert "a loss of 3.0 pp cannot be ruled out" in held.reasons[0]
