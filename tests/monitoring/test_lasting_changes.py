"""Does a change go on until there is evidence that it is over, and no longer?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.weeks import CLIENT, ORDINARY, turned, week
from upkeep.metrics.quality import Calibrated
from upkeep.monitoring.changed_requests import input_shift
from upkeep.monitoring.changes import Seen, find_changes
from upkeep.monitoring.figures import Figures
from upkeep.monitoring.input_shift import Inputs
from upkeep.monitoring.lasting_changes import QUIET, Week, why_over
from upkeep.monitoring.trouble import LASTING, Change, Kind
from upkeep.statistics.rates import Rate

SILENT = replace(ORDINARY[0], requests=0, model_version=None, label_mix={}, answered={}, named=(), days={}, versions={})


def opened(kind: Kind, before: Sequence[Figures], then: Sequence[Figures]) -> Change:
    """The change that the newest of some weeks shows."""
    weeks = [*before, *then]
    found = find_changes(Seen(weeks[-1]), weeks[:-1], CLIENT, history=[Seen(one) for one in weeks[:-1]])
    return next(one for one in found if one.kind is kind)


def ends(
    change: Change, before: Sequence[Figures], then: Sequence[Figures], after: Sequence[Figures]
) -> list[str | None]:
    """What is said about the change after each of the weeks that follow."""
    weeks = [Week(f"W{at:02}", Seen(one)) for at, one in enumerate([*before, *then, *after])]
    first = len(before) + len(then)
    return [
        why_over(change, opened=weeks[first - 1].key, weeks=weeks[:until], client=CLIENT)
        for until in range(first + 1, len(weeks) + 1)
    ]


FLIPPED = turned("return_item", "repairs", weeks=4)
POLICY = opened(Kind.POLICY, ORDINARY, FLIPPED)


def test_a_policy_that_nobody_unlearns_goes_on_however_used_to_it_the_weeks_become():
    assert ends(POLICY, ORDINARY, FLIPPED, turned("return_item", "repairs", weeks=40)) == [None] * 40


def test_a_policy_that_the_next_model_has_learned_is_over_once_chance_does_not_explain_it():
    mended = [replace(one, model_version="2") for one in ORDINARY[:3]]
    # 36 of 440 in the weeks that showed it; none of 110 in one week is (4/5)^36 = 0.0003
    assert ends(POLICY, ORDINARY, FLIPPED, mended)[0] == (
        "0 of 110 labelled requests in W16; when it was found, 36 of 440"
    )


def test_of_a_rare_policy_all_weeks_since_a_model_learned_it_tell_whichever_model_answers_now():
    rare = turned("return_item", "repairs", weeks=4, cases=1)
    change = replace(POLICY, n=4)
    learned = [
        replace(one, model_version=f"{number // 4 + 2}", answered={**one.answered, "repairs": 2})
        for number, one in enumerate(ORDINARY)
    ]
    *going_on, end = ends(change, ORDINARY, rare, learned[:9])
    assert going_on == [None] * 8  # 4 of 440, none of 110 a week: (4/12)^4 = 0.012 after eight
    assert end is not None  # (4/13)^4 = 0.009
    assert end.startswith("0 of 990 labelled requests in W16..W24; when it was found, 4 of 440")


def test_few_labels_are_no_evidence_that_a_policy_is_over():
    mended = [replace(one, model_version="2", labelled=Rate(5, one.requests)) for one in ORDINARY[:2]]
    assert ends(POLICY, ORDINARY, FLIPPED, mended) == [None, None]  # (440/445)^36 = 0.67


def test_a_week_without_a_request_ends_nothing():
    burst = [week(5, requests=1500)]
    change = opened(Kind.TRAFFIC, ORDINARY, burst)
    assert ends(POLICY, ORDINARY, FLIPPED, [SILENT] * 9) == [None] * 9
    assert ends(change, ORDINARY, burst, [*ORDINARY[:3], SILENT]) == [None] * 4


def test_a_new_category_is_over_when_the_model_answers_it():
    new = [replace(one, unknown_labels={"gift_card": 5}) for one in ORDINARY[:4]]
    change = opened(Kind.NEW_CATEGORY, ORDINARY, new)
    learned = replace(new[0], model_version="2", answered={**ORDINARY[0].answered, "gift_card": 4})
    assert ends(change, ORDINARY, new, [new[0], learned]) == [None, "Version 2 answers 'gift_card'"]


def test_a_burst_is_over_after_quiet_weeks_and_lasting_growth_is_the_usual_after_a_time():
    burst = [week(5, requests=1500)]
    change = opened(Kind.TRAFFIC, ORDINARY, burst)
    assert ends(change, ORDINARY, burst, ORDINARY[:5])[:QUIET] == [None] * (QUIET - 1) + ["As before in W13..W16"]
    grown = [week(50 + seed, requests=1500) for seed in range(LASTING)]
    *going_on, end = ends(change, ORDINARY, burst, grown)
    assert going_on == [None] * (LASTING - 1)
    assert end == "It has lasted 12 weeks and is the usual from now on"


def looked(*lengths: float) -> list[Seen]:
    """Weeks whose requests differ in how long they are, in log2 characters."""
    like = Inputs(100, "b", (0.1,), 20.0, Rate(5, 500), 5.0, 1.0, {"en": 100})
    return [Seen(ORDINARY[0], replace(like, length=one)) for one in lengths]


def test_what_four_weeks_together_showed_is_over_when_four_weeks_together_do_not_show_it():
    before, longer = looked(*[4.9, 5.1] * 6), looked(*[5.5] * 9)
    # of the twelve the sd is 0.104: one week is 4.6 times its standard error off, t(11) > 0.0003; four together are 8.3
    finds = [[*input_shift(one.inputs, [it.inputs for it in [*before, *longer[:at]]])] for at, one in enumerate(longer)]
    assert [[one.weeks for one in found] for found in finds[:4]] == [[], [], [], [4]]
    weeks = [Week(f"W{at:02}", one) for at, one in enumerate([*before, *longer, *looked(5.0, 5.0, 5.1, 4.9)])]
    ends = [why_over(finds[3][0], opened="W15", weeks=weeks[:upto], client=CLIENT) for upto in range(17, 26)]
    assert ends == [None] * 8 + ["As before in W21..W24"]


def after_shift(*later: Seen, unseen: int = 0) -> list[str | None]:
    """What is said of a shift of requests that W12 showed, or a week after so many `unseen` ones, after each of the
    weeks that follow."""
    before, shown = [*looked(*[4.9, 5.1] * 6), *[Seen(ORDINARY[0])] * unseen], looked(7.0)
    (change,) = input_shift(shown[0].inputs, [one.inputs for one in before if one.inputs])
    weeks = [Week(f"W{at:02}", one) for at, one in enumerate([*before, *shown, *later])]
    first = len(before) + 1
    return [
        why_over(change, opened=weeks[first - 1].key, weeks=weeks[:upto], client=CLIENT)
        for upto in range(first + 1, len(weeks) + 1)
    ]


NO_COMPARISON = [None, {"n": 29}, {"base": "another"}, {"answered": 12}]


def otherwise(one: Seen, changed: dict[str, Any] | None) -> Seen:
    """A week at whose requests nobody could look (None), or few or otherwise."""
    return replace(one, inputs=replace(one.inputs, **changed) if changed else None)


@pytest.mark.parametrize("changed", NO_COMPARISON, ids=str)
def test_weeks_that_were_compared_with_nothing_are_not_as_before(changed):
    *going_on, end = after_shift(*(otherwise(one, changed) for one in looked(*[7.0] * LASTING)))
    assert going_on == [None] * (LASTING - 1)
    assert end == "It has lasted 12 weeks and is the usual from now on"


@pytest.mark.parametrize("changed", NO_COMPARISON, ids=str)
def test_a_week_that_was_compared_with_nothing_neither_counts_nor_begins_the_count_again(changed):
    one, two, three, four = looked(5.0, 5.1, 4.9, 5.0)
    apart = otherwise(one, changed)
    assert after_shift(one, two, apart, three, apart) == [None] * 5
    assert after_shift(one, two, apart, three, four) == [None] * 4 + ["As before in W13, W14, W16, W17"]
    assert after_shift(apart, one, two, three, four) == [None] * 4 + ["As before in W14..W17"]
    shown, *_ = looked(7.0)
    assert after_shift(one, shown, apart, two, three, four) == [None] * 6


def test_weeks_are_as_before_when_they_are_as_those_that_could_be_looked_at_however_long_ago():
    assert after_shift(*looked(5.0, 5.1, 4.9, 5.0), unseen=25) == [None] * 3 + ["As before in W38..W41"]
    assert after_shift(*looked(7.0, 7.0, 7.0, 7.0), unseen=25) == [None] * 4


def test_a_few_requests_have_no_mix_of_answers_that_could_be_as_before():
    moved = [week(77, shares=(0.2, 0.25, 0.35, 0.12, 0.08))]
    change = opened(Kind.LABEL_MIX, ORDINARY, moved)
    few = [replace(one, requests=3, label_mix={"size_advice": 2, "order_status": 1}) for one in ORDINARY[:5]]
    assert ends(change, ORDINARY, moved, few) == [None] * 5
    assert ends(change, ORDINARY, moved, [*ORDINARY[:3], few[0], ORDINARY[3]])[-1] == "As before in W13, W14, W15, W17"


def test_a_mix_that_four_weeks_together_showed_is_looked_for_in_four_weeks_of_few_requests():
    change = replace(opened(Kind.LABEL_MIX, ORDINARY, [week(77, shares=(0.2, 0.25, 0.35, 0.12, 0.08))]), weeks=4)
    few = [replace(one, label_mix={"order_status": 4, "refund_status": 4, "size_advice": 2}) for one in ORDINARY]
    assert ends(change, ORDINARY[:8], few[:4], few[4:8]) == [None] * 3 + ["As before in W12..W15"]
    assert ends(replace(change, weeks=1), ORDINARY[:8], few[:1], few[1:5]) == [None] * 4


def test_a_week_with_a_lost_day_is_none_in_which_traffic_could_be_as_before():
    burst = [week(5, requests=1500)]
    change = opened(Kind.TRAFFIC, ORDINARY, burst)
    cut = [replace(one, days=dict(list(one.days.items())[:6])) for one in ORDINARY[:5]]
    assert ends(change, ORDINARY, burst, cut) == [None] * 5
    assert ends(change, ORDINARY, burst, [cut[0], *ORDINARY[:4]]) == [None] * 4 + ["As before in W14..W17"]


def test_that_the_words_of_a_model_taught_other_texts_were_not_compared_is_said():
    looked = Inputs(100, "b", (0.1,), 20.0, Rate(5, 500), 5.0, 1.0, {"en": 100}, known="one")
    weeks = [Week(f"W{at:02}", Seen(one, looked)) for at, one in enumerate([*ORDINARY, *ORDINARY[:5]])]
    change = Change(Kind.INPUTS, "other words", "read them", 100)
    assert why_over(change, opened="W12", weeks=weeks, client=CLIENT) == "As before in W13..W16"
    other = replace(looked, known="another")
    weeks[13:] = [Week(one.key, Seen(one.seen.figures, other)) for one in weeks[13:]]
    assert why_over(change, opened="W12", weeks=weeks, client=CLIENT) == (
        "As before in W13..W16; their words are not compared, as the model was taught other texts"
    )


def test_data_trouble_is_over_in_the_first_week_without_it():
    spoiled = replace(ORDINARY[0], quarantined={"confidence": 80})
    change = opened(Kind.DATA, ORDINARY, [spoiled])
    assert ends(change, ORDINARY, [spoiled], [spoiled, SILENT, ORDINARY[1]]) == [None, None, "Not so in W15"]


def test_a_day_on_which_nothing_is_asked_any_more_is_no_trouble_after_twelve_weeks():
    without = replace(ORDINARY[0], days=dict(list(ORDINARY[0].days.items())[:5]))
    change = opened(Kind.DATA, ORDINARY, [without])
    *going_on, end = ends(change, ORDINARY, [without], [without] * LASTING)
    assert going_on == [None] * (LASTING - 1)
    assert end == "It has lasted 12 weeks and is the usual from now on"
    assert ends(change, ORDINARY, [without], [without, ORDINARY[1]]) == [None, "Not so in W14"]
    spoiled = replace(ORDINARY[0], quarantined={"confidence": 80})
    assert ends(opened(Kind.DATA, ORDINARY, [spoiled]), ORDINARY, [spoiled], [spoiled] * 20) == [None] * 20


def test_lost_calibration_is_over_with_another_model_or_when_it_is_back_on_as_many_answers():
    worse = [replace(one, calibration=(Calibrated(0.9, 0.92, Rate(42, 60)),)) for one in ORDINARY[:4]]
    change = opened(Kind.CALIBRATION, ORDINARY, worse)
    assert ends(change, ORDINARY, worse, [replace(ORDINARY[0], model_version="2")]) == ["Version 2 is in service now"]
    good = [replace(one, calibration=(Calibrated(0.9, 0.92, Rate(55, 60)),)) for one in ORDINARY[:4]]
    *going_on, end = ends(change, ORDINARY, worse, good)
    assert going_on == [None] * 3
    assert end is not None
    assert end.startswith("92% sure and right in 91.7%")
    modest = [replace(one, calibration=(Calibrated(0.9, 0.92, Rate(59, 60)),)) for one in ORDINARY]
    assert ends(change, modest, worse, good)[-1] is not None  # as sure as right is enough


def test_a_week_that_was_not_reviewed_says_nothing():
    weeks = [Week(f"W{at:02}", Seen(one)) for at, one in enumerate([*ORDINARY, *FLIPPED])]
    assert why_over(POLICY, opened="W99", weeks=weeks, client=CLIENT) is None
