"""Does what a reviewer answered hold until people or a rule say otherwise, and is it told who does?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.cases.test_collection import AUDIT, CUSTOMER, DECLINED, MONDAY, collected, prediction, said, window
from tests.texts import case
from upkeep.cases.case import Case, Source, valid_at
from upkeep.cases.label_history import History, label_history
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.config import Relabel

MAY, JULY = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULE = Relabel(old="a", new="b", since=date(2026, 6, 1))
CHANGED = ReviewDecision("1", Choice.CHANGE, "a", "ada", MAY, "")
ASKED = case(1, "wrong", at=MAY)


def customer(number: int, answer: str, *, at: datetime = JULY) -> Case:
    """What a customer says of the text of case 1."""
    return replace(case(number, answer, at=at, text_of=ASKED.text), source=Source.CUSTOMER)


def told(*cases: Case, decided=(CHANGED,), rules=(), **how) -> History:
    said = {one.id: one for one in decided}
    return label_history(cases, rules=rules, decided=said, moment=JULY, zone=ZoneInfo("Europe/Berlin"), **how)


def right(history: History) -> list[str]:
    return [one.answer for one in valid_at(history.versions, JULY)]


def test_a_customer_does_not_end_what_a_reviewer_answered_whenever_that_was():
    late = customer(2, "b")
    for cases in ([ASKED, late], [late, ASKED]):
        history = told(*cases)
        assert (right(history), history.contested) == (["a"], [late])
        assert history.versions[0].valid_to is None
    accepted = replace(CHANGED, decision=Choice.ACCEPT, answer="wrong")
    assert right(told(ASKED, late, decided=[accepted])) == ["wrong"]


def test_as_it_was_before_reviewed_answers_held_any_later_answer_ended_one():
    assert right(told(ASKED, customer(2, "b"), reviews_hold=False)) == ["b"]


def test_a_later_review_and_people_who_were_asked_end_it():
    late = customer(2, "b")
    accepted = replace(CHANGED, id="2", decision=Choice.ACCEPT, answer="b", at=JULY)
    assert right(told(ASKED, late, decided=[CHANGED, accepted])) == ["b"]
    audited = replace(late, source=Source.AUDIT)
    history = told(ASKED, audited, replace(customer(3, "c"), known_from=JULY + DAY))
    assert (right(history), history.contested) == (["c"], [])  # of the audited answer nobody has read anything


def test_a_review_that_only_confirms_what_was_said_before_holds_too():
    before = customer(3, "a", at=MAY - DAY)
    assert right(told(before, ASKED, customer(2, "b"))) == ["a"]


def test_what_agrees_with_the_reviewer_contests_nothing_and_leaves_the_answer_as_firm_as_it_was():
    history = told(ASKED, customer(2, "a", at=MAY + DAY), customer(3, "b"))
    assert (right(history), [one.id for one in history.contested], history.versions[0].requests) == (["a"], ["3"], 2)


@pytest.mark.parametrize("answer", ["b", "c"])
def test_after_a_rule_has_ended_it_a_customer_counts_again_and_before_the_rule_he_does_not(answer):
    assert right(told(ASKED, customer(2, answer), rules=[RULE])) == [answer]
    early = told(ASKED, customer(2, "c", at=MAY + DAY), rules=[RULE])
    assert (right(early), [one.id for one in early.contested]) == (["b"], ["2"])


def test_a_rule_of_before_the_review_or_for_another_answer_ends_nothing():
    for rule in (RULE.model_copy(update={"since": date(2026, 4, 1)}), RULE.model_copy(update={"old": "other"})):
        assert right(told(ASKED, customer(2, "c"), rules=[rule])) == ["a"]


def near(number: int, answer: str, *, at: datetime = JULY, **more) -> Case:
    """What a customer says of nearly the text of case 1, told that the review of it is otherwise."""
    alike = replace(customer(number, answer, at=at), text=f"{ASKED.text}?", like="1")
    return replace(alike, **{"against": "1", **more})


def test_a_customer_s_answer_to_nearly_the_reviewed_text_waits_too_and_ends_nothing():
    for cases in ([ASKED, near(2, "b")], [near(2, "b"), ASKED], [ASKED, near(2, "b", at=MAY - DAY)]):
        history = told(*cases)
        assert (right(history), [one.id for one in history.contested]) == (["a"], ["2"])
    assert right(told(ASKED, near(2, "b"), reviews_hold=False)) == ["a", "b"]
    untold = near(2, "b", against=None)  # of before it was kept what a case contradicts
    assert right(told(ASKED, untold)) == ["a", "b"]


def test_it_waits_no_more_once_people_have_decided_about_it_or_the_review():
    accepted = replace(CHANGED, id="2", decision=Choice.ACCEPT, answer="b", at=JULY)
    otherwise = replace(CHANGED, answer="b", at=JULY)
    rejected = replace(CHANGED, decision=Choice.REJECT, answer=None, at=JULY)
    audit = replace(customer(3, "c", at=JULY + DAY), source=Source.AUDIT)  # of the reviewed text
    for cases, decided, now in (
        ([ASKED, near(2, "b")], [CHANGED, accepted], ["a", "b"]),
        ([ASKED, near(2, "b")], [otherwise], ["b", "b"]),
        ([ASKED, near(2, "b")], [rejected], ["b"]),
        ([ASKED, near(2, "b", source=Source.AUDIT)], [CHANGED], ["a", "b"]),
        ([ASKED, near(2, "b"), audit], [CHANGED], ["a", "b"]),  # that is right from the day after
    ):
        history = told(*cases, decided=decided)
        assert (sorted(right(history)), history.contested) == (now, [])


def test_a_rule_that_has_ended_the_review_ends_the_wait_for_what_comes_after_its_day():
    assert right(told(ASKED, near(2, "c"), rules=[RULE])) == ["b", "c"]
    early = told(ASKED, near(2, "c", at=MAY + DAY), rules=[RULE])
    assert (right(early), [one.id for one in early.contested]) == (["b"], ["2"])


READ = Case("p-0", DECLINED, "wrong", Source.CUSTOMER, MONDAY - 60 * DAY, known_from=MONDAY - 50 * DAY)
REVIEW = {"p-0": replace(CHANGED, id="p-0", at=MONDAY - 40 * DAY)}


def conflicts(*outcomes, text=DECLINED, **how):
    log = window([prediction(one.prediction_id, text, "other") for one in outcomes], *outcomes)
    found = collected(log, known=[READ], decided=REVIEW, **how)
    return [(one.answer, one.conflict) for one in found.cases], found.known


def test_who_contradicts_a_reviewer_of_an_earlier_period_is_told():
    word = "ada said 'a' in review of p-0"
    assert conflicts(said("1", CUSTOMER, "b")) == ([("b", word)], 0)
    assert conflicts(said("1", AUDIT, "b")) == ([("b", word)], 0)
    assert conflicts(said("1", CUSTOMER, "b"), text=f"why {DECLINED}") == ([("b", word)], 0)
    assert conflicts(said("1", CUSTOMER, "b"), text="something else altogether") == ([("b", None)], 0)


def test_the_answer_that_a_reviewer_had_changed_is_no_more_folded_into_his_but_his_own_is():
    assert conflicts(said("1", CUSTOMER, "wrong")) == ([("wrong", "ada said 'a' in review of p-0")], 0)
    assert conflicts(said("1", CUSTOMER, "a")) == ([], 1)


def test_a_second_customer_contradicts_the_reviewer_too_and_the_first_one():
    (_, (_, conflict)), _ = conflicts(said("1", CUSTOMER, "b"), said("2", CUSTOMER, "c"))
    assert conflict == "customer said 'b' of p-1; ada said 'a' in review of p-0"


def test_who_contradicts_an_answer_that_waits_itself_contradicts_the_review_and_waits_too():
    waits = Case(
        "p-8",
        f"why {DECLINED}",
        "b",
        Source.CUSTOMER,
        MONDAY - 9 * DAY,
        known_from=MONDAY - 8 * DAY,
        like="p-0",
        against="p-0",
    )
    log = window([prediction("1", f"why {DECLINED}?", "other")], said("1", CUSTOMER, "c"))
    (found,) = collected(log, known=[READ, waits], decided=REVIEW).cases
    assert (found.conflict, found.against) == ("customer said 'b' of p-8; ada said 'a' in review of p-0", "p-0")
    asked = replace(waits, source=Source.AUDIT)
    (found,) = collected(log, known=[READ, asked], decided=REVIEW).cases
    assert (found.conflict, found.against) == ("audit said 'b' of p-8", None)  # the review has ended


def test_of_the_reviewed_text_itself_it_is_not_kept_apart_which_review_is_contradicted():
    log = window([prediction("1", DECLINED.upper(), "other")], said("1", CUSTOMER, "b"))
    assert [one.against for one in collected(log, known=[READ], decided=REVIEW).cases] == [None]


def test_what_a_rule_has_ended_contradicts_nobody():
    rule = RULE.model_copy(update={"since": (MONDAY - DAY).date()})
    assert conflicts(said("1", CUSTOMER, "c"), rules=[rule]) == ([("c", None)], 0)


@pytest.mark.parametrize("words", [DECLINED, f"{DECLINED}?"], ids=["the same text", "nearly the same"])
def test_who_was_asked_and_says_the_same_as_an_answer_that_waits_is_not_folded_into_it(words):
    alike = {} if words == DECLINED else {"like": "p-0", "against": "p-0"}
    waits = Case("p-8", words, "b", Source.CUSTOMER, MONDAY - 9 * DAY, known_from=MONDAY - 8 * DAY, **alike)
    log = window([prediction(n, words, "other") for n in "12"], said("1", CUSTOMER, "b"), said("2", AUDIT, "b"))
    found = collected(log, known=[READ, waits], decided=REVIEW)
    (audited,) = found.cases
    assert (audited.id, [(one.case, one.requests) for one in found.folds]) == ("p-2", [("p-8", 1)])
    later, zone = MONDAY + 30 * DAY, ZoneInfo("Europe/Berlin")
    history = label_history([READ, waits, audited], rules=[], decided=REVIEW, moment=later, zone=zone)
    assert {one.text: one.answer for one in valid_at(history.versions, later)} == {DECLINED: "a"} | {words: "b"}


def test_of_those_who_contradict_a_review_alike_in_one_collection_who_was_asked_is_a_case_beside_the_first():
    outcomes = [said("1", CUSTOMER, "b"), said("2", CUSTOMER, "b"), said("3", AUDIT, "b"), said("4", AUDIT, "b")]
    found = collected(
        window([prediction(n, DECLINED, "other") for n in "1234"], *outcomes), known=[READ], decided=REVIEW
    )
    word = "ada said 'a' in review of p-0"
    assert [(one.id, one.conflict) for one in found.cases] == [("p-1", word), ("p-3", word)]
    assert [(one.case, one.requests) for one in found.folds] == [("p-1", 1), ("p-3", 1)]
