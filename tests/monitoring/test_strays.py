"""Are outcomes that are about no request told, and only when they are trouble?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.weeks import CLIENT, ORDINARY
from upkeep.log.belonging import Placed, Stray
from upkeep.monitoring.review import Review, review
from upkeep.monitoring.strays import FIND, OUTCOMES, stray_outcomes, strays
from upkeep.monitoring.trouble import Kind
from upkeep.statistics.rates import Rate

MONDAY = datetime(2026, 3, 30, 6, tzinfo=UTC)
STRAY = Stray("tkt-91", "log/outcomes/2026-03-23/desk.jsonl", 4, "p-17")


def placed(nowhere: int, given: int) -> Placed:
    return Placed(("2026-W13",), given, nowhere, STRAY if nowhere else None)


def weeks(*seen: Rate | None) -> list[Review]:
    found: list[Review] = []
    for number, one in enumerate(seen, 1):
        told = tuple(stray_outcomes(placed(one.hits, one.n), found, CLIENT)) if one else ()
        key, figures = f"2026-W{number:02}", ORDINARY[number % len(ORDINARY)]
        found.append(review(CLIENT, week=key, as_of=MONDAY, figures=figures, earlier=[], strays=one, troubles=told))
    return found


def told(nowhere: int, given: int, *before: Rate | None) -> list[str]:
    return [one.text for one in stray_outcomes(placed(nowhere, given), weeks(*before), CLIENT)]


FINE = [Rate(1, 100)] * 6


def test_outcomes_of_which_none_finds_its_request_are_data_trouble_with_what_where_got_and_wanted():
    (found,) = stray_outcomes(placed(500, 500), weeks(*FINE), CLIENT)
    assert (found.kind, found.old, found.n, found.action) == (Kind.DATA, OUTCOMES, 500, FIND)
    assert found.text == (
        "500 of 500 outcomes given in the week are about no request of the 26 weeks up to it, such as prediction_id "
        "'tkt-91' (log/outcomes/2026-03-23/desk.jsonl line 4); expected one like 'p-17'; before, it was 6 of 600"
    )


@pytest.mark.parametrize(
    ("nowhere", "given", "trouble"),
    [(0, 0, False), (0, 300, False), (4, 4, False), (9, 100, False), (30, 300, True), (25, 100, True), (5, 6, True)],
)
def test_many_are_trouble_and_few_are_none(nowhere, given, trouble):
    assert bool(told(nowhere, given, *FINE)) is trouble


def test_what_was_usual_before_is_no_trouble_unless_it_is_most():
    usual = [Rate(30, 100)] * 6
    assert told(32, 100, *usual) == []
    assert told(51, 100, *usual) != []


def test_in_the_first_weeks_outcomes_may_be_about_requests_from_before_the_log():
    assert told(80, 80, *[Rate(80, 80)] * 3) == []
    assert told(80, 80, *[Rate(80, 80)] * 4) != []


def test_old_reviews_have_not_counted_them():
    assert told(20, 100, *[None] * 6) == []  # nobody knows what is usual
    assert told(60, 100, *[None] * 6) != []


def test_weeks_of_the_trouble_are_not_what_is_usual():
    assert told(30, 100, *FINE, *[Rate(30, 100)] * 30)[0].endswith("; before, it was 6 of 600")


def test_ids_are_shown_as_other_texts_are():
    mail = placed(9, 9)._replace(stray=replace_id(STRAY, "ada@example.com"))
    (found,) = stray_outcomes(mail, weeks(*FINE), CLIENT)
    assert "ada@" not in found.text


def replace_id(stray: Stray, id: str) -> Stray:
    return stray._replace(prediction_id=id)


def test_a_review_keeps_how_many_there_were():
    (one,) = weeks(strays(placed(3, 40)))
    assert one.strays == Rate(3, 40)
    assert replace(one, strays=None).strays is None
