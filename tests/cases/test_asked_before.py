"""Is it told who says otherwise than somebody did in an earlier collection, asked or not?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from tests.cases.test_collection import AUDIT, CUSTOMER, DAY, DECLINED, ESCALATION, MONDAY, collected, prediction, said
from tests.cases.test_collection import window as logged
from upkeep.cases.case import Case, Source
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.config import Relabel, Task

BEFORE = MONDAY - 60 * DAY
AUDITED = Case("p-0", DECLINED, "a", Source.AUDIT, BEFORE, known_from=MONDAY - 50 * DAY)
LAUNCH = Case("l1", DECLINED, "a", Source.LAUNCH)
WORD = "audit said 'a' of p-0"


def conflicts(*outcomes, known=(AUDITED,), text=DECLINED, **how) -> list[str | None]:
    log = logged([prediction(one.prediction_id, text, "other") for one in outcomes], *outcomes)
    return [one.conflict for one in collected(log, known=known, **how).cases]


@pytest.mark.parametrize("source", [CUSTOMER, ESCALATION])
@pytest.mark.parametrize("text", [DECLINED, DECLINED.upper(), f"why {DECLINED}"], ids=["same", "upper case", "nearly"])
def test_who_was_not_asked_and_says_otherwise_than_an_audit_of_an_earlier_collection_is_told(source, text):
    assert conflicts(said("1", source, "c"), text=text) == [WORD]


def test_the_answer_of_somebody_asked_as_the_model_was_unsure_counts_as_an_audit_s_does():
    assert conflicts(said("1", CUSTOMER, "c"), known=[replace(AUDITED, source=Source.UNSURE)]) == [
        "unsure said 'a' of p-0"
    ]


@pytest.mark.parametrize("source", [CUSTOMER, ESCALATION, AUDIT])
@pytest.mark.parametrize("text", [DECLINED, f"why {DECLINED}"], ids=["same", "nearly"])
@pytest.mark.parametrize("earlier", [Source.CUSTOMER, Source.ESCALATION, Source.AUDIT])
def test_whoever_says_otherwise_than_anybody_did_in_an_earlier_collection_is_told(source, text, earlier):
    known = [LAUNCH, replace(AUDITED, source=earlier)]
    assert conflicts(said("1", source, "c"), text=text, known=known) == [f"{earlier} said 'a' of p-0"]
    assert conflicts(said("1", source, "a"), text=text, known=known) == []


def test_who_speaks_of_the_launch_set_or_of_something_else_contradicts_nobody():
    for source in (AUDIT, CUSTOMER):
        assert conflicts(said("1", source, "c"), known=[LAUNCH]) == [None]  # that may be outdated
    assert conflicts(said("1", CUSTOMER, "c"), text="something else altogether") == [None]


def test_an_answer_of_the_launch_set_that_a_request_has_had_since_is_contradicted():
    word = "launch said 'a' of l1"
    assert conflicts(said("1", CUSTOMER, "a"), said("2", CUSTOMER, "c"), known=[LAUNCH]) == [word]
    assert conflicts(said("1", CUSTOMER, "c"), known=[replace(LAUNCH, requests=2)]) == [word]
    assert conflicts(said("1", CUSTOMER, "c"), said("2", CUSTOMER, "a"), known=[LAUNCH]) == [
        None,
        "customer said 'c' of p-1",
    ]


def test_of_who_speaks_of_an_earlier_request_it_is_told_what_was_said_of_a_later_one():
    later = replace(AUDITED, source=Source.CUSTOMER, valid_from=MONDAY + DAY)
    assert conflicts(said("1", CUSTOMER, "c"), known=[later]) == ["customer said 'a' of p-0"]


def test_what_was_said_of_the_same_request_before_is_told_once():
    both = [said("0", CUSTOMER, "a"), said("0", ESCALATION, "c", after=2 * DAY)]
    log = logged([prediction("0", DECLINED, "other")], *both)
    before = replace(AUDITED, source=Source.CUSTOMER, valid_from=MONDAY)
    (again,) = collected(log, known=[before]).cases
    assert again.conflict == "customer said 'a'; escalation said 'c'"
    confirmed = logged([prediction("0", DECLINED, "a")], said("0", CUSTOMER, "c"))  # after who had said it was right
    assert [one.conflict for one in collected(confirmed, known=[before]).cases] == ["customer said 'a' of p-0"]


def test_the_audit_is_told_too_where_another_customer_had_contradicted_it_or_somebody_of_the_same_request():
    between = Case("p-8", DECLINED, "b", Source.CUSTOMER, MONDAY - DAY, known_from=MONDAY - DAY)
    assert conflicts(said("1", CUSTOMER, "c"), known=[AUDITED, between]) == [f"customer said 'b' of p-8; {WORD}"]
    assert conflicts(said("1", CUSTOMER, "a"), known=[AUDITED, between]) == ["customer said 'b' of p-8"]
    assert conflicts(said("1", CUSTOMER, "b"), said("2", CUSTOMER, "c")) == [
        WORD,
        f"customer said 'b' of p-1; {WORD}",
    ]
    both = [said("1", AUDIT, "b"), said("1", CUSTOMER, "c", after=2 * DAY)]
    log = logged([prediction("1", DECLINED, "other")], *both)
    (found,) = collected(log, known=[AUDITED]).cases
    assert found.conflict == f"audit said 'b'; customer said 'c'; {WORD}"


def test_an_audit_of_the_same_collection_is_told_once():
    assert conflicts(said("1", AUDIT, "a"), said("2", CUSTOMER, "c"), known=[]) == [None, "audit said 'a' of p-1"]


def test_two_wordings_of_an_answer_that_say_the_same_by_the_agreed_measure_contradict_each_other_not():
    open_, written = "Open your orders and press cancel.", Task.GENERATION
    known = [replace(AUDITED, answer=open_, source=Source.CUSTOMER)]
    alike = said("1", CUSTOMER, "Open your orders, and press Cancel there.")  # 0.92 of the words
    assert conflicts(alike, known=known, task=written) == [None]
    other = said("1", CUSTOMER, "Write to us.")
    assert conflicts(other, known=known, task=written) == [f"customer said {open_!r} of p-0"]


def test_an_audit_that_said_the_same_as_a_known_case_is_told_as_well_in_that_collection_and_in_later_ones():
    log = logged(
        [prediction(name, DECLINED, "a") for name in "123"],
        said("1", AUDIT, correct=True),
        said("2", CUSTOMER, "a"),
        said("3", CUSTOMER, "c"),
    )
    found = collected(log, known=[LAUNCH])
    assert [(one.case, one.requests, one.confirmed) for one in found.folds] == [("l1", 2, Source.AUDIT)]
    assert [one.conflict for one in found.cases] == ["audit said 'a' of l1"]
    confirmed = replace(LAUNCH, confirmed=Source.AUDIT)
    assert conflicts(said("4", CUSTOMER, "c"), known=[confirmed]) == ["audit said 'a' of l1"]
    by_customers = logged([prediction("1", DECLINED, "a")], said("1", CUSTOMER, "a"))
    assert [one.confirmed for one in collected(by_customers, known=[LAUNCH]).folds] == [None]


def test_what_a_newer_audit_confirmed_is_contradicted_and_no_older_one():
    customer = Case("p-8", DECLINED, "b", Source.CUSTOMER, MONDAY - DAY, known_from=MONDAY, confirmed=Source.AUDIT)
    assert conflicts(said("1", CUSTOMER, "a"), known=[AUDITED, customer]) == ["audit said 'b' of p-8"]


@pytest.mark.parametrize("source", [Source.AUDIT, Source.CUSTOMER])
def test_what_a_relabel_rule_has_ended_since_is_contradicted_by_nobody(source):
    rule = Relabel(old="a", new="b", since=date(2026, 11, 1))
    known = [replace(AUDITED, source=source)]
    assert conflicts(said("1", CUSTOMER, "c"), known=known, rules=[rule]) == [None]
    for other in (rule.model_copy(update={"old": "x"}), rule.model_copy(update={"since": date(2026, 12, 1)})):
        assert conflicts(said("1", CUSTOMER, "c"), known=known, rules=[other]) == [f"{source} said 'a' of p-0"]
    late = [replace(AUDITED, answer="c", source=source, valid_from=MONDAY + DAY)]  # and one before the rule says `a`
    assert conflicts(said("1", CUSTOMER, "a"), known=late, rules=[rule]) == [f"{source} said 'c' of p-0"]
    between = rule.model_copy(update={"since": (MONDAY + DAY).date()})
    assert conflicts(said("1", CUSTOMER, "a"), known=late, rules=[between]) == [None]


def test_what_reviewers_decided_about_the_audit_counts_and_one_they_left_out_is_contradicted_by_nobody():
    changed = ReviewDecision("p-0", Choice.CHANGE, "b", "ada", MONDAY - DAY, "")
    rejected = replace(changed, decision=Choice.REJECT, answer=None)
    assert conflicts(said("1", CUSTOMER, "c"), decided={"p-0": changed}) == ["ada said 'b' in review of p-0"]
    assert conflicts(said("1", CUSTOMER, "c"), decided={"p-0": rejected}) == [None]
