"""Which answer is right, from when until when?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.texts import case
from upkeep.cases.case import Source, valid_at
from upkeep.cases.doubts import Doubt
from upkeep.cases.label_history import as_appended, label_history
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.config import Relabel

ZONE = ZoneInfo("Europe/Berlin")
MAY, JULY = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
RULE = Relabel(old="refund", new="self_service", since=date(2026, 6, 1))
MIDNIGHT = datetime(2026, 5, 31, 22, tzinfo=UTC)
"""1 June in Berlin."""


def told(cases, rules=(), *, at=JULY, decided=()):
    said = {one.id: one for one in decided}
    return label_history(cases, rules=rules, decided=said, moment=at, zone=ZONE)


def right(cases, rules=(), *, at=JULY, decided=()):
    return {one.id: one.answer for one in valid_at(told(cases, rules, at=at, decided=decided).versions, at)}


def decision(number: int, what: Choice, answer: str | None) -> ReviewDecision:
    return ReviewDecision(str(number), what, answer, "ada", JULY, "")


def test_a_rule_ends_the_old_answer_on_its_day_and_begins_the_new_one():
    before, after = told([case(1, "refund")], [RULE]).versions
    assert (before.id, before.answer, before.valid_to, before.superseded_by) == ("1", "refund", MIDNIGHT, after.id)
    assert (after.id, after.answer, after.valid_from, after.replaced) == (
        "1@2026-06-01",
        "self_service",
        MIDNIGHT,
        "refund",
    )
    assert after.like == "1"


def test_a_rule_leaves_alone_what_somebody_answered_after_it_and_other_answers():
    moments = [MIDNIGHT - timedelta(hours=1), MIDNIGHT + timedelta(hours=1)]
    cases = [case(1, "refund"), case(2, "refund", at=moments[0]), case(3, "refund", at=moments[1]), case(4, "other")]
    assert right(cases, [RULE]) == {
        "1@2026-06-01": "self_service",
        "2@2026-06-01": "self_service",
        "3": "refund",  # somebody decided so after the change
        "4": "other",
    }


def test_a_rule_may_be_about_some_texts_only():
    only = RULE.model_copy(update={"text": r"\bvoucher\b"})
    cases = [case(1, "refund", text_of="My VOUCHER please"), case(2, "refund", text_of="my money please")]
    assert right(cases, [only]) == {"1@2026-06-01": "self_service", "2": "refund"}


def test_a_rule_is_in_force_from_midnight_in_the_clients_zone():
    assert right([case(1, "refund")], [RULE], at=MIDNIGHT - timedelta(microseconds=1)) == {"1": "refund"}
    assert right([case(1, "refund")], [RULE], at=MIDNIGHT) == {"1@2026-06-01": "self_service"}


def test_rules_apply_in_the_order_of_their_days_whatever_order_they_are_listed_in():
    later = Relabel(old="self_service", new="chat", since=date(2026, 6, 15))
    versions = told([case(1, "refund")], [later, RULE]).versions
    assert [one.answer for one in versions] == ["refund", "self_service", "chat"]
    assert right([case(1, "refund")], [later, RULE]) == {"1@2026-06-01@2026-06-15": "chat"}


def test_of_two_answers_to_the_same_text_the_later_ends_the_earlier():
    cases = [case(2, "b", at=MAY, text_of="Where is it?"), case(1, "a", text_of="where is  it?")]
    first, second = told(cases).versions
    assert (first.id, first.valid_to, first.superseded_by) == ("1", MAY, "2")
    assert (second.id, second.replaced, second.valid_to) == ("2", "a", None)
    assert right(cases) == {"2": "b"}
    assert right(cases, at=MAY - timedelta(days=1)) == {"1": "a"}


def test_the_same_answer_again_replaces_nothing_and_counts():
    (one,) = told([case(1, text_of="Where?"), case(2, at=MAY, text_of="where?")]).versions
    assert (one.id, one.requests, one.replaced) == ("1", 2, None)


def test_of_two_answers_at_the_same_moment_one_is_right():
    assert right([case(1, "a", text_of="x"), case(2, "b", text_of="x")]) == {"2": "b"}


def test_of_two_answers_about_one_request_the_one_that_became_known_later_is_right():
    earlier, later = (replace(case(1, answer, at=MAY), known_from=at) for answer, at in [("b", MAY), ("a", JULY)])
    for cases in ([earlier, later], [later, earlier]):
        known = told(cases).versions
        assert [(one.answer, one.replaced) for one in valid_at(known, JULY)] == [("a", "b")]
        # a model may have been taught the other one meanwhile
        assert [(one.answer, one.valid_from, one.valid_to) for one in known] == [("b", MAY, MAY), ("a", MAY, None)]


def test_what_a_case_took_the_place_of_names_it_and_not_one_that_was_said_at_once_with_it():
    first, dropped, last = (case(n, "abc"[n], at=at, text_of="x") for n, at in enumerate([MAY, JULY, JULY]))
    (one, other) = told([first, dropped, last]).versions
    assert (one.id, one.valid_to, one.superseded_by, other.id) == ("0", JULY, "2", "2")


MOMENTS = st.sampled_from([None, *(MAY + timedelta(days=20 * n) for n in range(4))])
SAID = st.tuples(st.sampled_from("xy"), st.sampled_from(["refund", "self_service", "c"]), MOMENTS)


@given(st.lists(SAID, max_size=8), st.lists(st.sampled_from(["refund", "c"]), max_size=2, unique=True))
def test_what_superseded_an_answer_is_there_and_begins_where_that_ended(said, outdated):
    cases = [case(n, answer, at=at, text_of=words) for n, (words, answer, at) in enumerate(said)]
    rules = [Relabel(old=old, new="d", since=date(2026, 6, 1 + day)) for day, old in enumerate(outdated)]
    versions = told(cases, rules).versions
    begins = {one.id: one.valid_from for one in versions}
    assert len(begins) == len(versions)
    assert all(begins[one.superseded_by] == one.valid_to for one in versions if one.superseded_by)


def test_what_became_known_late_ends_no_answer_that_was_given_after_it():
    late = replace(case(1, "a", at=MAY, text_of="x"), known_from=JULY)
    assert right([late, case(2, "b", at=MAY + timedelta(days=1), text_of="x")]) == {"2": "b"}


def test_what_a_reviewer_says_counts_and_what_he_rejects_is_left_out():
    decided = [
        decision(1, Choice.CHANGE, "c"),
        decision(2, Choice.REJECT, None),
        decision(3, Choice.ACCEPT, "a"),
    ]
    history = told([case(1), case(2), case(3), case(4)], decided=decided)
    assert [one.id for one in history.rejected] == ["2"]
    by_id = {one.id: one for one in history.versions}
    assert (by_id["1"].answer, by_id["1"].source, by_id["1"].reviewer) == ("c", Source.REVIEWER, "ada")
    assert (by_id["3"].answer, by_id["3"].source, by_id["3"].reviewer) == ("a", Source.LAUNCH, "ada")
    assert by_id["4"].reviewer is None


def test_who_accepted_an_answer_has_not_read_a_later_one_to_the_same_request():
    read = case(1, "a", at=MAY)
    later = replace(read, answer="b", known_from=JULY)
    accepted = [decision(1, Choice.ACCEPT, "a")]
    assert [(one.answer, one.reviewer) for one in told([read], decided=accepted).versions] == [("a", "ada")]
    found = told([read, later], decided=accepted).versions
    assert [(one.answer, one.reviewer) for one in found] == [("a", "ada"), ("b", None)]
    assert [one.answer for one in valid_at(found, JULY)] == ["b"]
    doubtful = replace(later, doubts=(Doubt.LANGUAGE,))
    assert right([read, doubtful], decided=accepted) == {"1": "a"}
    changed = [decision(1, Choice.CHANGE, "c")]  # of the answer that was known by then
    assert right([read, later], decided=changed) == {"1": "c"}
    assert right([read, replace(later, known_from=JULY + timedelta(days=1))], decided=changed) == {"1": "b"}


def test_a_doubtful_case_that_nobody_has_read_ends_no_other_answer():
    doubtful = case(2, "b", at=MAY, text_of="x", doubts=(Doubt.LANGUAGE,))
    cases = [case(1, "a", text_of="x"), doubtful]
    assert right(cases) == {"1": "a"}
    assert told(cases).unread == [doubtful]
    assert right(cases, decided=[decision(2, Choice.ACCEPT, "b")]) == {"2": "b"}


def test_appending_keeps_every_answer_that_was_ever_given():
    cases = [case(1, "a", text_of="x"), case(2, "b", at=MAY, text_of="X"), case(3, "b", at=JULY, text_of="x")]
    assert [one.answer for one in as_appended(cases)] == ["a", "b"]


@pytest.mark.parametrize(("at", "answer"), [(MAY, "refund"), (JULY, "self_service")])
def test_a_case_collected_before_a_rule_was_known_is_right_at_each_time(at, answer):
    asked = datetime(2026, 4, 1, tzinfo=UTC)
    assert list(right([case(1, "refund", at=asked)], [RULE], at=at).values()) == [answer]


def test_a_rule_that_is_not_in_force_yet_ends_nothing():
    (one,) = told([case(1, "refund")], [RULE], at=MIDNIGHT - timedelta(microseconds=1)).versions
    assert (one.valid_to, one.superseded_by) == (None, None)


def test_the_same_answer_again_tells_that_the_model_was_wrong_and_that_chance_drew_it():
    first = replace(case(1, text_of="Where?"), source=Source.CUSTOMER)
    again = case(2, at=MAY, text_of="where?", was_error=True)
    (one,) = told([first, again]).versions
    assert (one.was_error, one.drawn) == (True, True)


def test_a_rule_says_nothing_of_an_answer_that_was_outdated_before_its_day():
    cases = [case(1, "refund", text_of="x"), case(2, "chat", at=MAY, text_of="x")]
    assert [one.answer for one in told(cases, [RULE]).versions] == ["refund", "chat"]


def test_a_rule_keeps_what_a_case_is_like():
    _, after = told([case(2, "refund", like="1")], [RULE]).versions
    assert after.like == "1"
