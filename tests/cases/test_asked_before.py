"""Is it told who says otherwise than people who had been asked in an earlier collection?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from tests.cases.test_collection import AUDIT, CUSTOMER, DAY, DECLINED, ESCALATION, MONDAY, collected, prediction, said
from tests.cases.test_collection import window as logged
from upkeep.cases.case import Case, Source
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.config import Relabel

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


def test_who_is_asked_again_or_speaks_of_an_earlier_request_or_of_the_launch_set_contradicts_nobody():
    assert conflicts(said("1", AUDIT, "c")) == [None]
    assert conflicts(said("1", CUSTOMER, "c"), known=[replace(AUDITED, valid_from=MONDAY + DAY)]) == [None]
    assert conflicts(said("1", CUSTOMER, "c"), known=[LAUNCH]) == [None]
    assert conflicts(said("1", CUSTOMER, "c"), known=[replace(AUDITED, source=Source.CUSTOMER)]) == [None]
    assert conflicts(said("1", CUSTOMER, "c"), text="something else altogether") == [None]


def test_the_audit_is_told_too_where_another_customer_had_contradicted_it_or_somebody_of_the_same_request():
    between = Case("p-8", DECLINED, "b", Source.CUSTOMER, MONDAY - DAY, known_from=MONDAY - DAY)
    assert conflicts(said("1", CUSTOMER, "c"), known=[AUDITED, between]) == [WORD]
    assert conflicts(said("1", CUSTOMER, "a"), known=[AUDITED, between]) == [None]  # as the audit
    assert conflicts(said("1", CUSTOMER, "b"), said("2", CUSTOMER, "c")) == [
        WORD,
        f"p-1 is nearly the same and 'b'; {WORD}",
    ]
    both = [said("1", AUDIT, "b"), said("1", CUSTOMER, "c", after=2 * DAY)]
    log = logged([prediction("1", DECLINED, "other")], *both)
    (found,) = collected(log, known=[AUDITED]).cases
    assert found.conflict == f"audit said 'b'; customer said 'c'; {WORD}"


def test_an_audit_of_the_same_collection_is_told_once():
    assert conflicts(said("1", AUDIT, "a"), said("2", CUSTOMER, "c"), known=[]) == [
        None,
        "p-1 is nearly the same and 'a'",
    ]


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


def test_what_a_relabel_rule_has_ended_since_is_contradicted_by_nobody():
    rule = Relabel(old="a", new="b", since=date(2026, 11, 1))
    assert conflicts(said("1", CUSTOMER, "c"), rules=[rule]) == [None]
    for other in (rule.model_copy(update={"old": "x"}), rule.model_copy(update={"since": date(2026, 12, 1)})):
        assert conflicts(said("1", CUSTOMER, "c"), rules=[other]) == [WORD]


def test_what_reviewers_decided_about_the_audit_counts_and_one_they_left_out_is_contradicted_by_nobody():
    changed = ReviewDecision("p-0", Choice.CHANGE, "b", "ada", MONDAY - DAY, "")
    rejected = replace(changed, decision=Choice.REJECT, answer=None)
    assert conflicts(said("1", CUSTOMER, "c"), decided={"p-0": changed}) == ["ada said 'b' in review of p-0"]
    assert conflicts(said("1", CUSTOMER, "c"), decided={"p-0": rejected}) == [None]
