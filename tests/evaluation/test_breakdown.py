"""A slice of the requests that got worse holds what is better on the whole; each item counts once, where it decides."""

from __future__ import annotations

import pytest

from tests.released import TERMS, changed
from upkeep.errors import DecisionError
from upkeep.evaluation.breakdown import Part, PartChange, by_slice
from upkeep.evaluation.comparison import Verdict
from upkeep.evaluation.verdict import ItemResult, verdict

MAIL, APP = {"channel": "mail"}, {"channel": "app"}


def outcomes(lost: int, *, items: str = "golden") -> list[ItemResult]:
    """300 items: of ten by mail some became wrong, of the 290 by app 40 became right; the others are right in both."""
    mail = [(True, number >= lost, MAIL) for number in range(10)]
    app = [(number >= 40, True, APP) for number in range(290)]
    return [
        ItemResult(items, f"item {number}", champion, challenger, id=f"g{number}", by=by)
        for number, (champion, challenger, by) in enumerate([*mail, *app])
    ]


def test_what_changed_is_told_by_value_of_each_key_corrected_for_all_of_them():
    german = {"country": "de"}
    values = [*[MAIL | german] * 4, *[MAIL] * 6, *[APP] * 5, {}]
    champion = [True] * 16
    challenger = [False] * 3 + [True] + [False] * 5 + [True] * 7
    # mail lost 3 + 5 of 10: 2 * 0.5 ** 8 = 0.0078, times 3; country lost 3 of 4: 0.25, times 2
    assert by_slice(values, champion=champion, challenger=challenger) == (
        PartChange(Part.SLICE, "channel=mail", 10, 0, 8, 0.0078125, 0.0234375),
        PartChange(Part.SLICE, "country=de", 4, 0, 3, 0.25, 0.5),
        PartChange(Part.SLICE, "channel=app", 5, 0, 0, 1.0, 1.0),
    )
    assert by_slice([{}], champion=[True], challenger=[False]) == ()
    with pytest.raises(DecisionError, match="slices of 1 items, champion has 2, challenger 1"):
        by_slice([{}], champion=[True, False], challenger=[True])


def test_a_slice_that_got_worse_beyond_chance_holds_what_is_better_on_the_whole():
    judged = verdict(outcomes(8), TERMS)
    assert judged.judgement.verdict is Verdict.HOLD
    # 40 to 0 is surer and comes first; 8 to 0 is 2 * 0.5 ** 8 = 0.0078, the last of two
    assert judged.judgement.reasons == (
        "worse on the slice 'channel=mail': 8 of 10 became wrong, 0 right, p=0.008 for all slices looked at",
    )
    assert [(one.name, one.n, one.fixed, one.introduced) for one in judged.slices] == [
        ("channel=app", 290, 40, 0),
        ("channel=mail", 10, 0, 8),
    ]
    assert verdict([one._replace(by={}) for one in outcomes(8)], TERMS).judgement.verdict is Verdict.PROMOTE


def test_what_chance_may_take_from_a_slice_holds_nothing():
    # 5 to 0 is 2 * 0.5 ** 5 = 0.0625
    assert verdict(outcomes(5), TERMS).judgement.verdict is Verdict.PROMOTE
    # 6 to 0 is 0.031 by itself, and 0.094 as the surest of three
    alone = [one._replace(by=one.by if one.by == MAIL else {}) for one in outcomes(6)]
    assert verdict(alone, TERMS).judgement.verdict is Verdict.HOLD
    calm = [one._replace(by={"channel": f"shop {n % 2}"}) if n >= 100 else one for n, one in enumerate(alone)]
    assert [one.name for one in verdict(calm, TERMS).slices] == ["channel=mail", "channel=shop 0", "channel=shop 1"]
    assert verdict(calm, TERMS).judgement.verdict is Verdict.PROMOTE


def test_an_item_of_two_sets_counts_once_in_its_slice_and_one_that_decides_nothing_not_at_all():
    twice = [*outcomes(8), *outcomes(8, items="recent")]
    shown = [one._replace(by={"channel": "fax"}, id="", text=f"e {one.text}") for one in outcomes(8, items="errors")]
    judged = verdict([*twice, *shown], changed(minimum_items=300))
    assert [(one.name, one.n) for one in judged.slices] == [("channel=app", 290), ("channel=mail", 10)]
    assert not any("not enough items" in reason for reason in judged.judgement.reasons)
