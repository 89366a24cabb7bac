"""Is a request held against what was right when it came, whatever became known in which order?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases.test_collection import AUDIT, CUSTOMER, DAY, DECLINED, MONDAY, collected, prediction, said
from tests.cases.test_collection import window as logged
from upkeep.cases.case import Case, Source, valid_at
from upkeep.cases.label_history import label_history
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.config import Relabel

RULE = Relabel(old="a", new="b", since=date(2026, 11, 1))
LAUNCH = Case("l1", DECLINED, "a", Source.LAUNCH)
BEFORE = Case("p-0", DECLINED, "a", Source.CUSTOMER, MONDAY - 60 * DAY, known_from=MONDAY - 50 * DAY)
WORD = "the rule of 2026-11-01 says 'b'"


def asked(id: str, text: str = DECLINED, *, day: float = 0):
    return replace(prediction(id, text, "other"), at=MONDAY + day * DAY)


def right(cases, rules=()) -> list[str]:
    later = MONDAY + 90 * DAY
    history = label_history(cases, rules=rules, decided={}, moment=later, zone=ZoneInfo("Europe/Berlin"))
    return [one.answer for one in valid_at(history.versions, later)]


@pytest.mark.parametrize("known", [LAUNCH, BEFORE])
@pytest.mark.parametrize("text", [DECLINED, f"why {DECLINED}"], ids=["same", "nearly"])
@pytest.mark.parametrize("source", [AUDIT, CUSTOMER])
def test_who_says_the_old_answer_again_after_a_rule_has_ended_it_is_told_and_not_folded_into_the_new_one(
    known, text, source
):
    log = logged([asked("1", text), asked("2", text, day=1)], said("1", source, "a"), said("2", source, "a", after=DAY))
    found = collected(log, known=[known], rules=[RULE])
    assert [(one.id, one.answer, one.conflict) for one in found.cases] == [("p-1", "a", WORD)]
    assert [(one.case, one.requests) for one in found.folds] == [("p-1", 1)]
    assert sorted(right([known, *found.cases], [RULE])) == (["a"] if text == DECLINED else ["a", "b"])


def test_what_a_rule_does_not_cover_or_a_later_one_leads_back_to_is_folded_as_ever():
    log = logged([asked("1")], said("1", CUSTOMER, "a"))
    back = Relabel(old="b", new="a", since=date(2026, 11, 10))
    early = log._replace(predictions=[asked("1", day=-30)])
    for rules, told in (
        ([RULE.model_copy(update={"old": "x"})], log),
        ([RULE.model_copy(update={"since": date(2026, 12, 24)})], log),
        ([back, RULE], log),
        ([RULE], early),
    ):
        found = collected(told, known=[LAUNCH], rules=rules)
        assert ([one.id for one in found.cases], found.known) == ([], 1)


def test_what_is_said_late_of_an_earlier_request_hides_nothing_that_is_said_of_a_newer_one():
    known = replace(BEFORE, answer="b", valid_from=MONDAY, known_from=MONDAY + DAY)
    late, new = asked("1", day=-9), asked("2", day=2)
    log = logged([late, new], said("1", CUSTOMER, "a", after=2 * DAY), said("2", CUSTOMER, "a", after=3 * DAY))
    found = collected(log, known=[known])
    assert [(one.id, one.answer) for one in found.cases] == [("p-1", "a"), ("p-2", "a")]
    assert right([known, *found.cases]) == ["a"]


def test_what_was_folded_into_a_text_follows_what_is_said_of_that():
    near = f"why {DECLINED}"
    texts = [DECLINED, near, DECLINED, near, near, near]
    answers = ["a", "a", "b", "b", "a", "a"]
    log = logged(
        [asked(str(n), text, day=n) for n, text in enumerate(texts)],
        *(said(str(n), CUSTOMER, answer, after=n * DAY) for n, answer in enumerate(answers)),
    )
    found = collected(log, known=[])
    assert [(one.id, one.answer) for one in found.cases] == [("p-0", "a"), ("p-2", "b"), ("p-4", "a")]
    # once something else was said of it, it has its own answers
    assert [(one.case, one.requests) for one in found.folds] == [("p-0", 1), ("p-2", 1), ("p-4", 1)]
    assert found.cases[2].conflict == "customer said 'b' of p-2"


@given(st.dictionaries(st.integers(0, 20), st.integers(0, 20), min_size=1, max_size=12))
def test_however_late_an_answer_is_known_that_of_the_newest_request_is_right(late):
    known: list[Case] = []
    for week in range(6):
        now = [day for day in sorted(late) if 7 * week <= day + late[day] < 7 * (week + 1)]
        log = logged(
            [asked(str(day), day=day) for day in now],
            *(said(str(day), CUSTOMER, f"answer {day}", after=(day + late[day]) * DAY) for day in now),
        )
        known += collected(log, known=known, at=MONDAY + 7 * (week + 1) * DAY).cases
    assert right(known) == [f"answer {max(late)}"]


CHANGED = ReviewDecision("p-1", Choice.CHANGE, "right", "ada", MONDAY + 8 * DAY, "")


@pytest.mark.parametrize("source", [CUSTOMER, AUDIT])
@pytest.mark.parametrize("choice", [Choice.CHANGE, Choice.REJECT])
def test_of_another_answer_to_the_same_request_that_comes_after_a_review_people_are_asked_again(source, choice):
    (first,) = collected(logged([asked("1")], said("1", CUSTOMER, "a")), known=[], at=MONDAY + 7 * DAY).cases
    decided = replace(CHANGED, decision=choice, answer="right" if choice is Choice.CHANGE else None)
    again = logged([asked("1")], said("1", CUSTOMER, "a"), said("1", source, "b", after=9 * DAY))
    (later,) = collected(again, known=[first], decided={"p-1": decided}, at=MONDAY + 14 * DAY).cases
    word = "ada said 'right' in review of p-1" if choice is Choice.CHANGE else "ada left p-1 out"
    assert later.conflict == f"customer said 'a'; {source.value} said 'b'; {word}"
    zone, at = ZoneInfo("Europe/Berlin"), MONDAY + 20 * DAY
    history = label_history([first, later], rules=[], decided={"p-1": decided}, moment=at, zone=zone)
    waits = choice is Choice.CHANGE and source is CUSTOMER
    assert [one.answer for one in valid_at(history.versions, at)] == ["right" if waits else "b"]
    assert len(history.contested) == waits
    before = label_history([first, later], rules=[], decided={"p-1": decided}, moment=at, zone=zone, later_open=False)
    assert [one.answer for one in valid_at(before.versions, at)] == ["right"] * (choice is Choice.CHANGE)
