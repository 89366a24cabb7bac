"""A challenger is compared on the same items, and only a clear gain is promoted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.errors import DecisionError
from upkeep.evaluation.breakdown import Part, PartChange, by_label
from upkeep.evaluation.comparison import (
    ONE_SIDED_95,
    TWO_SIDED_95,
    Verdict,
    compare,
    fewest_items,
    from_counts,
    items_to_settle,
    judge,
    judge_variant,
)
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import holm

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
    assert judged.reasons[0] == "not enough evaluation items of 'gift_card': have 6, need 10, 4 are missing"
    # 6 fixed, 0 introduced: 2 * 0.5 ** 6 = 0.031 is no clear gain where two sets were looked at
    assert judged.reasons[1].startswith("no clear gain: golden")
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


CLEAR = pairs(300, 40, 5, 20)
CELLS = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda cells: sum(cells) > 0)


def test_the_four_counts_are_all_that_a_comparison_depends_on():
    assert from_counts("golden", both=140, fixed=2, introduced=6, neither=2) == pairs(140, 2, 6, 2)
    with pytest.raises(DecisionError, match="comparison on golden: found no items"):
        from_counts("golden", both=0, fixed=0, introduced=0, neither=0)


def test_a_p_value_counts_for_all_that_were_looked_at():
    # 3 * .01, then 2 * .03, then 1 * .04, which is not to be less than the one before it
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([]) == ()


def test_a_gain_that_one_of_three_sets_shows_by_chance_is_not_clear():
    # 10 fixed, 2 introduced: 2 * (1 + 12 + 66) / 2 ** 12 = 0.039 alone, 0.116 as the surest of three
    gain = pairs(370, 10, 2, 18)
    assert judge([gain], **FINE).verdict is Verdict.PROMOTE
    judged = judge([gain, pairs(370, 0, 0, 30, "recent"), pairs(370, 0, 0, 30, "new")], **FINE)
    assert judged.verdict is Verdict.HOLD
    assert [reason[:13] for reason in judged.reasons] == ["no clear gain"]


def test_a_gain_is_clear_only_below_five_in_a_hundred():
    # 16 to 6: 2 * (1 + 22 + 231 + 1540 + 7315 + 26334 + 74613) / 2 ** 22 = 0.0525; 17 to 6 is 0.0347
    assert judge([pairs(360, 16, 6, 18)], **FINE).reasons[0].startswith("no clear gain")
    assert judge([pairs(360, 17, 6, 17)], **FINE).verdict is Verdict.PROMOTE


def test_a_loss_is_ruled_out_on_one_side_only():
    # 24 of 300 changed, as many for the better: 1.645 * sqrt(0.08 / 300) is 2.7 points, 1.96 times it 3.2
    assert judge([pairs(250, 12, 12, 26), pairs(60, 30, 0, 10, "recent")], **FINE).verdict is Verdict.PROMOTE


def test_as_many_items_as_agreed_are_enough():
    assert judge([CLEAR], **(FINE | {"items": 200})).verdict is Verdict.PROMOTE


def test_a_gain_that_neither_half_of_the_items_shows_alone_is_clear_on_both_together():
    # 12 to 4 is 2 * (1 + 16 + 120 + 560 + 1820) / 2 ** 16 = 0.077; 24 to 8 is 0.0070, and 0.021 as the surest of three
    sets = [pairs(174, 12, 4, 10), pairs(174, 12, 4, 10, "recent")]
    judged = judge(sets, **FINE)
    assert judged.verdict is Verdict.PROMOTE
    assert judged.reasons[0].startswith("clearly better on golden and recent together: ")
    assert judged.reasons[0].endswith("n=400, p=0.021")
    assert judge(sets[:1], **FINE).verdict is Verdict.HOLD


def test_a_loss_that_neither_half_of_the_items_shows_alone_rejects():
    judged = judge([pairs(174, 4, 12, 10), pairs(174, 4, 12, 10, "recent")], **FINE)
    assert judged.verdict is Verdict.REJECT
    assert judged.reasons[0].startswith("clearly worse on golden and recent together: ")


def test_a_gain_on_what_changed_is_clear_where_it_is_lost_among_all_items():
    even = [pairs(180, 4, 4, 12), pairs(150, 3, 3, 14, "recent")]
    assert judge(even, **FINE).verdict is Verdict.HOLD
    found = judge([*even, pairs(0, 9, 0, 1, "changed")], **FINE)
    assert found.verdict is Verdict.PROMOTE
    assert found.reasons[0].startswith("clearly better on changed: challenger 90.0%, champion 0.0%")


def test_a_gain_on_what_changed_excuses_no_loss_elsewhere():
    sets = [pairs(180, 4, 12, 4), pairs(150, 3, 3, 14, "recent"), pairs(0, 9, 0, 1, "changed")]
    found = judge(sets, **FINE)
    assert found.verdict is Verdict.HOLD
    assert found.reasons[0].startswith("a loss of 3.0 pp cannot be ruled out on golden")


def test_a_sign_of_a_loss_on_what_did_not_change_holds_what_gains_where_it_did():
    sets = [pairs(340, 20, 14, 26), pairs(340, 20, 14, 26, "recent"), pairs(0, 30, 0, 10, "changed")]
    assert judge(sets, **FINE).verdict is Verdict.PROMOTE
    # without the 30: 10 fixed and 28 broken of 760
    found = judge(sets, apart=[pairs(680, 10, 28, 42, "what did not change")], **FINE)
    assert found.verdict is Verdict.HOLD
    assert found.reasons[0].startswith("perhaps worse on what did not change: challenger 90.8%, champion 93.2%")
    assert judge(sets, apart=[pairs(680, 20, 28, 32, "what did not change")], **FINE).verdict is Verdict.PROMOTE


def test_what_is_gained_elsewhere_excuses_no_sign_of_a_loss_on_what_is_looked_at_apart():
    sets = [pairs(340, 40, 10, 10), pairs(340, 40, 10, 10, "recent")]
    assert judge(sets, apart=[pairs(120, 8, 10, 12, "late")], **FINE).verdict is Verdict.PROMOTE
    found = judge(sets, apart=[pairs(130, 1, 9, 10, "late")], **FINE)
    assert found.verdict is Verdict.HOLD
    assert len(found.reasons) == 1
    assert found.reasons[0].startswith("perhaps worse on late: challenger 87.3%, champion 92.7%")


def test_the_loss_has_to_be_ruled_out_on_other_sets_too_where_that_is_asked():
    sets = [pairs(340, 40, 10, 10), pairs(340, 40, 10, 10, "recent")]
    found = judge(sets, ruled_out=[pairs(256, 16, 16, 12, "late")], **FINE)
    assert found.verdict is Verdict.HOLD
    assert found.reasons[0].startswith("a loss of 3.0 pp cannot be ruled out on late: challenger 90.7%")
    found = judge(sets, ruled_out=[pairs(270, 12, 6, 12, "late")], **FINE)
    assert found.verdict is Verdict.PROMOTE
    assert found.reasons[-1].startswith("no worse than 3.0 pp on late: challenger 94.0%, champion 92.0%")


def test_beside_what_changed_golden_and_recent_items_are_still_looked_at_together():
    halves = [pairs(370, 15, 5, 10), pairs(370, 15, 5, 10, "recent")]
    found = judge([*halves, pairs(3, 0, 0, 0, "changed")], **FINE)
    assert found.verdict is Verdict.PROMOTE
    assert found.reasons[0].startswith("clearly better on golden and recent together")


def test_with_a_set_for_a_new_category_the_gain_is_looked_for_there():
    # as the surest of four, both others together being one, 7 to 0 would be 4 * 0.0156 = 0.0625
    same = pairs(380, 0, 0, 20), pairs(380, 0, 0, 20, "recent")
    judged = judge([*same, pairs(0, 7, 0, 3, "new")], **FINE)
    assert judged.verdict is Verdict.PROMOTE
    assert judged.reasons[0].endswith("n=10, p=0.047")  # 3 * 0.0156


def test_a_loss_that_one_of_two_sets_shows_by_chance_holds_but_does_not_reject():
    # 5 introduced, 0 fixed: 2 * 0.5 ** 5 = 0.0625, although the interval of this set alone ends below 0
    judged = judge([CLEAR, pairs(52, 0, 5, 3, "recent")], **FINE)
    assert judged.verdict is Verdict.HOLD
    # the surest of three, both together being one: (2.394 * sqrt(0.08333 - 0.08333 ** 2) / 0.08333) ** 2 = 63.04
    assert len(judged.reasons) == 1
    assert judged.reasons[0].startswith("perhaps worse on recent: challenger 86.7%, champion 95.0%")
    assert judged.reasons[0].endswith("n=60; about 64 items would tell, if -8.3 pp stays")


def test_a_loss_has_to_be_ruled_out_on_recent_items_as_well():
    # 2 of 120 fixed, 6 introduced
    judged = judge([CLEAR, pairs(100, 2, 6, 12, "recent")], **FINE)
    assert judged.verdict is Verdict.HOLD
    assert len(judged.reasons) == 1
    assert judged.reasons[0].startswith("a loss of 3.0 pp cannot be ruled out on recent: ")
    assert judged.reasons[0].endswith("; no sample size would rule it out, the loss found is 3.3 pp")


def test_too_few_recent_items_to_show_it_are_judged_together_with_the_golden_ones():
    # the same shares as above, of 60
    judged = judge([CLEAR, pairs(50, 1, 3, 6, "recent")], **FINE)
    assert judged.verdict is Verdict.PROMOTE
    # of 365 + 60 items 305 + 53 were right before, 340 + 51 are after
    assert judged.reasons[2].startswith(
        "no worse than 3.0 pp on golden and recent together (60 recent ones are too few alone): "
        "challenger 92.0%, champion 84.2%"
    )


def test_whether_recent_items_are_too_few_hangs_on_their_number_alone():
    # 0.97 ** 98 = 0.0505 and 0.97 ** 99 = 0.0490
    assert fewest_items(0.03) == 99
    assert fewest_items(1.0) == 1
    assert fewest_items(0.0) is None
    for fixed, introduced in ((0, 0), (9, 0), (4, 4)):
        recent = [pairs(n - 10 - introduced, fixed, introduced, 10 - fixed, "recent") for n in (98, 99)]
        few, enough = (judge([CLEAR, one], **FINE) for one in recent)
        assert "together" in few.reasons[-1]
        assert "together" not in enough.reasons[-1]


def test_where_nothing_may_be_lost_recent_items_are_judged_together_with_the_golden_ones():
    judged = judge([CLEAR, pairs(370, 0, 0, 30, "recent")], **(FINE | {"margin": 0.0}))
    assert judged.verdict is Verdict.PROMOTE
    assert judged.reasons[-1].startswith("no worse than 0.0 pp on golden and recent together")


def test_a_hold_tells_how_many_items_would_rule_a_loss_out():
    # a tenth of 200 changed, as many for the better: (1.6449 * sqrt(0.1) / 0.03) ** 2 = 300.6
    assert items_to_settle(pairs(170, 10, 10, 10), margin=0.03, z=ONE_SIDED_95) == 301
    # 8 of 150 changed, 4 more for the worse: (1.6449 * sqrt(0.053333 - 0.000711) / 0.003333) ** 2 = 12,813.5
    judged = judge([pairs(140, 2, 6, 2)], **FINE)
    assert judged.reasons[0].endswith("n=150; about 12,814 items would, if -2.7 pp stays")


def test_models_that_agree_on_every_item_still_need_enough_of_them():
    assert items_to_settle(pairs(50, 0, 0, 10), margin=0.03, z=ONE_SIDED_95) == 99


def test_more_items_than_there_are_are_asked_for_as_those_did_not_settle_it():
    # 10 of 12 changed, all for the better: (1.96 * sqrt(0.8333 - 0.6944) / 0.8333) ** 2 = 0.8
    assert items_to_settle(pairs(1, 10, 0, 1), margin=0.0, z=TWO_SIDED_95) == 13


def test_a_hold_tells_how_many_items_would_show_a_gain():
    # a tenth of 400 changed, 8 more for the better: (1.96 * sqrt(0.1 - 0.0004) / 0.02) ** 2 = 956.6
    judged = judge([pairs(340, 24, 16, 20)], **FINE)
    assert judged.verdict is Verdict.HOLD
    assert len(judged.reasons) == 1
    assert judged.reasons[0].startswith("no clear gain: golden: challenger 91.0%, champion 89.0%")
    assert judged.reasons[0].endswith("n=400; about 957 items would show it, if +2.0 pp stays")


def test_no_sample_size_is_told_where_no_gain_or_too_great_a_loss_was_found():
    assert items_to_settle(pairs(340, 20, 20, 20), margin=0.0, z=TWO_SIDED_95) is None
    assert items_to_settle(pairs(340, 10, 22, 28), margin=0.03, z=ONE_SIDED_95) is None  # 12 of 400 are the 3 points


def test_what_an_earlier_model_put_right_is_not_given_up():
    # usual: 5 of the 305 that were right, 1.6 %, and 3 points; 6 of 40 are more, and 6 to 0 is 0.5 ** 6 = 0.016
    judged = judge([CLEAR], **FINE, guarded=[pairs(34, 0, 6, 0, "regression")])
    assert judged.verdict is Verdict.HOLD
    assert judged.reasons == (
        "worse on regression: 6 of 40 that were right became wrong, 0 right; up to 4.6% would be usual",
    )


def test_what_chance_takes_from_items_chosen_for_being_right_is_no_loss():
    # 4 to 0 is 0.5 ** 4 = 0.0625; 22 to 20 is nothing; no item at all that was right cannot be lost
    for cells in ((30, 0, 4, 6), (60, 20, 22, 10), (0, 5, 0, 5)):
        assert judge([CLEAR], **FINE, guarded=[pairs(*cells, "regression")]).verdict is Verdict.PROMOTE
    # 8 to 0 is no chance, but where 20 of 320 right answers flip elsewhere, 6.25 % and 3 points are 9.25 of 100
    flips = pairs(300, 60, 20, 20)
    assert judge([flips], **FINE, guarded=[pairs(92, 0, 8, 0, "regression")]).verdict is Verdict.PROMOTE


def test_what_the_champion_lost_itself_of_what_an_earlier_model_put_right_is_usual():
    # 8 to 0 of 40 that were right; the champion has lost 10 of 50, so that 20 % and 3 points are usual
    assert judge([CLEAR], **FINE, guarded=[pairs(32, 0, 8, 10, "regression")]).verdict is Verdict.PROMOTE
    assert judge([CLEAR], **FINE, guarded=[pairs(32, 0, 8, 0, "regression")]).verdict is Verdict.HOLD


def test_a_guarded_set_never_promotes():
    judged = judge([pairs(380, 0, 0, 20)], **FINE, guarded=[pairs(0, 40, 0, 0, "regression")])
    assert judged.verdict is Verdict.HOLD


def labelled(*labels: tuple[str, int, int, int, int]):
    """Items of each label: right in both, fixed, introduced, right in none."""
    truth, champion, challenger = [], [], []
    for label, both, fixed, introduced, neither in labels:
        truth += [label] * (both + fixed + introduced + neither)
        champion += [True] * both + [False] * fixed + [True] * introduced + [False] * neither
        challenger += [True] * both + [True] * fixed + [False] * introduced + [False] * neither
    return by_label(truth, champion=champion, challenger=challenger)


def test_what_changed_is_told_by_label_the_surest_first_then_the_greatest_loss():
    # 8 to 0: 2 * 0.5 ** 8 = 0.0078, times 4 labels; 2 to 0: 0.5
    assert labelled(("ship", 5, 0, 0, 0), ("card", 3, 2, 0, 0), ("bill", 3, 0, 2, 0), ("cash", 2, 0, 8, 1)) == (
        PartChange(Part.LABEL, "cash", 11, 0, 8, 0.0078125, 0.03125),
        PartChange(Part.LABEL, "bill", 5, 0, 2, 0.5, 1.0),
        PartChange(Part.LABEL, "ship", 5, 0, 0, 1.0, 1.0),
        PartChange(Part.LABEL, "card", 5, 2, 0, 0.5, 1.0),
    )
    assert labelled() == ()


def test_a_label_that_got_worse_holds_what_is_better_on_the_whole():
    judged = judge([CLEAR], **FINE, parts=labelled(("cash", 2, 0, 8, 0), ("ship", 300, 0, 0, 0)))
    assert judged.verdict is Verdict.HOLD
    assert judged.reasons == (
        "worse on the label 'cash': 8 of 10 became wrong, 0 right, p=0.016 for all labels looked at",
    )
    assert judge([CLEAR], **FINE, parts=labelled(("cash", 2, 8, 0, 0))).verdict is Verdict.PROMOTE  # better


def test_of_many_labels_one_is_worse_by_chance():
    # 8 to 0 as one of ten: 0.078
    many = labelled(("cash", 2, 0, 8, 0), *((f"label {number}", 10, 0, 0, 0) for number in range(9)))
    assert many[0].adjusted == pytest.approx(0.078125)
    assert judge([CLEAR], **FINE, parts=many).verdict is Verdict.PROMOTE


def test_labels_and_answers_that_do_not_belong_together_are_not_compared():
    with pytest.raises(
        DecisionError, match="labels of 1 items, champion has 2, challenger 1, expected the same number"
    ):
        by_label(["cash"], champion=[True, False], challenger=[True])


@given(st.lists(st.booleans(), min_size=1, max_size=80), st.lists(st.booleans(), min_size=1, max_size=80))
def test_the_same_model_twice_is_held_whatever_it_gets_right(golden, recent):
    sets = [
        compare("golden", champion=golden, challenger=golden),
        compare("recent", champion=recent, challenger=recent),
    ]
    judged = judge(
        sets,
        **(FINE | {"minimum_items": 1}),
        guarded=sets,
        parts=by_label(["a"] * len(golden), champion=golden, challenger=golden),
    )
    assert judged.verdict is Verdict.HOLD
    assert judged.reasons[-1].startswith("no clear gain")


@given(CELLS, CELLS)
def test_of_two_models_that_change_places_at_most_one_is_promoted_and_the_other_then_rejected(golden, recent):
    def verdict(one, other):
        return judge([pairs(*one), pairs(*other, "recent")], **(FINE | {"minimum_items": 1})).verdict

    def turned(cells):
        return cells[0], cells[2], cells[1], cells[3]

    if verdict(golden, recent) is Verdict.PROMOTE:
        assert verdict(turned(golden), turned(recent)) is Verdict.REJECT


def test_a_challenger_that_always_gives_one_answer_is_rejected_and_its_labels_told():
    truth = ["billing", "refund", "shipping"] * 100
    champion = [at % 10 > 0 for at in range(300)]  # 9 of 10 right
    challenger = [label == "billing" for label in truth]
    found = compare("golden", champion=champion, challenger=challenger)
    # of each label 10 of 100 were wrong: those of billing are right now, the 90 right ones of the others wrong
    assert (found.fixed, found.introduced) == (10, 180)
    labels = by_label(truth, champion=champion, challenger=challenger)
    assert judge([found], **FINE, parts=labels).verdict is Verdict.REJECT
    assert [(one.name, one.fixed, one.introduced, one.is_worse) for one in labels] == [
        ("refund", 0, 90, True),
        ("shipping", 0, 90, True),
        ("billing", 10, 0, False),
    ]


def test_that_the_champion_lost_some_of_what_was_put_right_excuses_no_loss_of_much_more():
    # the champion has lost 10 of 50, so that 20 % and 3 points are usual; 16 of the other 40 are 40 %
    judged = judge([CLEAR], **FINE, guarded=[pairs(24, 0, 16, 10, "regression")])
    assert judged.verdict is Verdict.HOLD
    assert judged.reasons[0].startswith("worse on regression: 16 of 40 that were right became wrong, 0 right; up to 23")


def test_a_sign_of_a_loss_that_only_both_halves_of_the_items_show_holds():
    # 10 to 19 of 400 may be chance, 20 to 38 of 800 hardly: 2.25 points lost, give or take 1.9
    halves = [pairs(370, 10, 19, 1), pairs(370, 10, 19, 1, "recent")]
    judged = judge([*halves, pairs(0, 30, 0, 10, "changed")], **(FINE | {"margin": 0.1}))
    assert judged.verdict is Verdict.HOLD
    assert [reason.partition(":")[0] for reason in judged.reasons] == ["perhaps worse on golden and recent together"]
