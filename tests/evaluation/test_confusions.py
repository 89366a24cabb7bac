"""Which wrong answers are given more often than before is told, the largest change first."""

from __future__ import annotations

from upkeep.evaluation.confusions import Confused, confusions
from upkeep.evaluation.verdict import ItemResult


def outcome(wanted: str, champion: str, challenger: str, *, right=()) -> ItemResult:
    return ItemResult(
        "golden", "x", champion == wanted or "champion" in right, challenger == wanted or "challenger" in right,
        wanted=wanted, champion_answer=champion, challenger_answer=challenger,
    )  # fmt: skip


def test_wrong_answers_are_counted_for_both_the_largest_change_first_and_of_equal_ones_the_worse():
    found = confusions(
        [
            *[outcome("ship", "bill", "ship")] * 3,  # 3 fewer
            *[outcome("bill", "bill", "ship")] * 2,  # 2 more
            *[outcome("cash", "card", "bill")] * 2,  # 2 fewer, 2 more
            outcome("card", "cash", "cash"),  # as before
            outcome("card", "card", "card"),
        ]
    )
    assert found == (
        Confused("ship", "bill", 3, 0),
        Confused("bill", "ship", 0, 2),
        Confused("cash", "bill", 0, 2),
        Confused("cash", "card", 2, 0),
        Confused("card", "cash", 1, 1),
    )
    assert [one.change for one in found] == [-3, 2, 2, -2, 0]


def test_an_out_of_scope_request_that_went_to_a_person_is_no_wrong_answer():
    sent, answered = outcome("oos", "bill", "bill", right=("challenger",)), outcome("oos", "bill", "bill")
    assert confusions([sent, answered]) == (Confused("oos", "bill", 2, 1),)
    assert confusions([]) == ()
