"""Is all that people say collected, and once, whenever it arrives and whoever asks for it?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.small_client import configure
from tests.texts import text
from upkeep import records
from upkeep.cases.case import Case, Source
from upkeep.cases.collection import Fold
from upkeep.cases.doubts import Doubt
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.config import Relabel
from upkeep.desk import GOLDEN, Desk, open_desk
from upkeep.errors import SnapshotError
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.redaction import Redaction
from upkeep.stages.asking import asked, offer_cases
from upkeep.stages.collection import collect_cases
from upkeep.stages.snapshot import known_cases, rebuild, stamp, take_snapshot

MONDAY = datetime(2026, 5, 4, 6, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
ASKED = MONDAY - 3 * DAY
CALLED = (text(2), text(4), text(2))
"""What is asked by a customer, another one, and by a third in the first one's words."""


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    configure(tmp_path / "configs", monkeypatch, relabel=[], base_model={"path": "models/nowhere"})
    desk = open_desk("northwind")
    rows = [
        Prediction(str(n), ASKED + timedelta(minutes=n), asked, "order_status", 0.9, "1", True)
        for n, asked in enumerate(CALLED)
    ]
    write_predictions(desk.store, rows, name="api")
    return desk


def said(desk: Desk, number: int, answer: str | None, at: datetime, *, name: str = "", correct=None) -> None:
    """A file that the client exports with one outcome."""
    outcome = Outcome(str(number), at, OutcomeSource.CUSTOMER, answer, correct)
    write_outcomes(desk.store, [outcome], name=name or f"{number}-{answer}")


def collected(desk: Desk, period: str, at: datetime) -> tuple[list[tuple[str, str]], int]:
    """The new cases with their answers, and how many requests were folded."""
    collect_cases(desk, period, at)
    cases = records.load_rows(desk.store, f"cases/{period}.jsonl", Case)
    folds = records.load_rows(desk.store, f"folded/{period}.jsonl", Fold)
    return [(case.id, case.answer) for case in cases], sum(fold.requests for fold in folds)


def test_what_a_file_brings_that_comes_after_the_collection_is_collected_by_the_next(desk):
    said(desk, 0, "refund_request", MONDAY - DAY)
    assert collected(desk, "2026-W18", MONDAY) == ([("p-0", "refund_request")], 0)
    said(desk, 1, "refund_request", MONDAY - DAY)
    said(desk, 2, "refund_request", MONDAY - DAY)
    assert collected(desk, "2026-W19", MONDAY + WEEK) == ([("p-1", "refund_request")], 1)
    assert collected(desk, "2026-W20", MONDAY + 2 * WEEK) == ([], 0)


def test_an_older_answer_that_comes_late_counts_where_the_newest_opinion_named_none(desk):
    said(desk, 0, None, MONDAY - timedelta(hours=1), correct=False)
    assert collect_cases(desk, "2026-W18", MONDAY).without_answer == 1
    assert collect_cases(desk, "2026-W19", MONDAY + WEEK).without_answer == 0
    said(desk, 0, "refund_request", MONDAY - DAY)
    assert collected(desk, "2026-W20", MONDAY + 2 * WEEK) == ([("p-0", "refund_request")], 0)


def test_who_says_again_what_was_folded_is_not_counted_twice(desk):
    for number in (0, 2):
        said(desk, number, "refund_request", MONDAY - DAY)
    assert collected(desk, "2026-W18", MONDAY) == ([("p-0", "refund_request")], 1)
    said(desk, 2, "refund_request", MONDAY + DAY, name="again")
    said(desk, 0, None, MONDAY + DAY, correct=False)  # of an answer that the model did not give
    assert collected(desk, "2026-W19", MONDAY + WEEK) == ([], 0)


def test_a_collection_that_has_not_kept_what_it_took_has_taken_all_that_was_said_before_it(desk):
    for number in (0, 2):
        said(desk, number, "refund_request", MONDAY - DAY)
    collect_cases(desk, "2026-W18", MONDAY)
    desk.store.delete("taken/2026-W18.json")
    said(desk, 0, "refund_request", MONDAY + DAY, name="again")
    said(desk, 1, "refund_request", MONDAY + DAY)
    assert collected(desk, "2026-W19", MONDAY + WEEK) == ([("p-1", "refund_request")], 0)
    said(desk, 0, None, MONDAY + 8 * DAY, name="again", correct=False)
    said(desk, 2, "delivery_delay", MONDAY + 8 * DAY)
    assert collected(desk, "2026-W20", MONDAY + 2 * WEEK) == ([("p-2", "delivery_delay")], 0)


def test_a_run_that_died_is_done_again_with_the_same_end_whatever_was_collected_since(desk):
    for number in (0, 2):
        said(desk, number, "refund_request", MONDAY - DAY)
    first = collected(desk, "2026-W18", MONDAY)
    desk.store.delete("collections/2026-W18.json")
    said(desk, 1, "refund_request", MONDAY + DAY)
    assert collected(desk, "2026-W19", MONDAY + WEEK) == ([("p-1", "refund_request")], 0)
    assert collected(desk, "2026-W18", MONDAY) == first


class Meanwhile:
    """A store in which a collection on another machine ends while the first one's cases are looked at for mistakes."""

    def __init__(self, desk: Desk, machine: Path) -> None:
        self.desk, self.machine, self.done = desk, machine, False

    def __getattr__(self, name: str):
        return getattr(self.desk.store, name)

    def keys(self, prefix: str):
        if prefix == "reviewed/" and not self.done:
            self.done = True
            with pytest.MonkeyPatch.context() as elsewhere:
                elsewhere.setenv("UPKEEP_HOME", str(self.machine))
                collect_cases(self.desk, "2026-05", MONDAY + timedelta(hours=2))
        return self.desk.store.keys(prefix)


def test_of_two_collections_at_once_the_one_that_ends_later_takes_nothing_that_the_other_took(desk, tmp_path):
    for number in (0, 2):
        said(desk, number, "refund_request", MONDAY - DAY)
    said(desk, 1, "refund_request", MONDAY + timedelta(hours=3))
    first = replace(desk, store=Meanwhile(desk, tmp_path / "elsewhere"))
    assert collected(first, "2026-W18", MONDAY + timedelta(hours=1)) == ([], 0)
    assert [(case.id, case.requests) for case in known_cases(desk, MONDAY + DAY)] == [("p-0", 2)]
    assert collected(desk, "2026-W19", MONDAY + WEEK) == ([("p-1", "refund_request")], 0)


def test_a_collection_of_an_earlier_moment_leaves_alone_what_a_later_one_took(desk):
    said(desk, 0, "refund_request", MONDAY - 2 * DAY)
    assert collected(desk, "2026-W18", MONDAY) == ([("p-0", "refund_request")], 0)
    said(desk, 0, "delivery_delay", MONDAY + DAY)
    said(desk, 2, "delivery_delay", MONDAY + DAY)
    assert collected(desk, "2026-W19", MONDAY + WEEK) == ([("p-0", "delivery_delay")], 1)
    said(desk, 1, "refund_request", MONDAY - 2 * DAY)  # has only come by now
    assert collected(desk, "2026-04", MONDAY - DAY) == ([("p-1", "refund_request")], 0)
    assert collected(desk, "2026-05", MONDAY + 2 * DAY) == ([], 0)
    assert collected(desk, "2026-06", MONDAY + 2 * WEEK) == ([], 0)


def test_what_comes_between_two_collections_of_one_moment_is_left_to_the_next_where_the_first_took_it(desk):
    said(desk, 0, "refund_request", MONDAY - 2 * DAY)
    assert collected(desk, "2026-W18", MONDAY) == ([("p-0", "refund_request")], 0)
    said(desk, 0, "delivery_delay", MONDAY - DAY)
    assert collected(desk, "2026-05", MONDAY) == ([], 0)
    assert collected(desk, "2026-W19", MONDAY + WEEK) == ([("p-0", "delivery_delay")], 0)


def test_the_newest_of_several_answers_is_collected_and_taught_whatever_the_collections_are_called(desk):
    records.save_rows(desk.store, GOLDEN, [])
    asked = ["refund_request", "delivery_delay", "refund_request"]
    for week, (period, answer) in enumerate(zip(("2026-W18", "2026-06", "2026-05"), asked, strict=True)):
        at = MONDAY + week * WEEK
        said(desk, 0, answer, at - DAY, name=period)
        assert collected(desk, period, at) == ([("p-0", answer)], 0)
        taught = take_snapshot(desk, f"taught-{week}", at).lessons
        assert [(one.case.id, one.case.answer) for one in taught] == [("p-0", answer)]


def test_the_record_says_how_many_requests_a_clients_own_redactor_changed(desk):
    said(desk, 0, "refund_request", MONDAY - DAY)
    said(desk, 1, "refund_request", MONDAY - DAY)
    own = desk.client.model_copy(update={"redaction": Redaction(by="builtins:ascii")})
    found = collect_cases(replace(desk, agreement=desk.agreement.model_copy(update={"client": own})), "W18", MONDAY)
    assert (found.redacted, found.redacted_requests) == ({}, 2)
    assert "personal data taken out of 2 requests" in str(found)


def reviewed(desk: Desk, name: str, at: datetime, decision: Choice, answer: str) -> None:
    """What a reviewer decided about a case."""
    rows = [ReviewDecision(name, decision, answer, "ada", at, "")]
    records.save_rows(desk.store, f"reviewed/{stamp(at)}-{name}.jsonl", rows)


def taught(desk: Desk, period: str, at: datetime) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """The cases of a snapshot with their answers, and why others are not in it."""
    found = take_snapshot(desk, period, at)
    return [(one.case.id, one.case.answer) for one in found.lessons], found.left_out


@pytest.mark.parametrize("again", [text(2), f"{text(2)}?"], ids=["the same", "nearly the same"])
def test_a_customer_who_contradicts_a_review_of_an_earlier_month_is_told_and_asked_about_and_waits_for_people(
    desk, again
):
    late = Prediction("3", MONDAY + DAY, again, "order_status", 0.9, "1", True)
    write_predictions(desk.store, [late], name="later")
    records.save_rows(desk.store, GOLDEN, [])
    said(desk, 0, "refund_request", MONDAY - DAY)
    collect_cases(desk, "2026-W18", MONDAY)
    reviewed(desk, "p-0", MONDAY + DAY, Choice.CHANGE, "delivery_delay")
    said(desk, 3, "refund_request", MONDAY + 2 * DAY)
    assert collect_cases(desk, "2026-W19", MONDAY + WEEK).conflicts == 1
    offer_cases(desk, "2026-W19", MONDAY + WEEK)
    assert asked(desk)["p-3"].why == ("answered wrong", "ada said 'delivery_delay' in review of p-0")
    found = taught(desk, "2026-05", MONDAY + WEEK)
    assert found == ([("p-0", "delivery_delay")], {"against a reviewed answer": 1})
    reviewed(desk, "p-3", MONDAY + WEEK + DAY, Choice.ACCEPT, "refund_request")
    now = [("p-0", "delivery_delay")] * (again != text(2)) + [("p-3", "refund_request")]
    assert taught(desk, "2026-06", MONDAY + 2 * WEEK) == (now, {})
    assert rebuild(desk, "2026-05") == desk.store.read("snapshots/2026-05.jsonl")
    record = desk.store.read("snapshots/2026-05.json")
    without = record.replace(b',\n  "reviews_hold": true', b"").replace(b',\n  "append_waits": true', b"")
    desk.store.write("snapshots/2026-05.json", without)  # as one of before that was so
    with pytest.raises(SnapshotError, match="not what its facts and terms come to"):
        rebuild(desk, "2026-05")


def test_a_customer_who_contradicts_an_audit_that_was_folded_is_told_and_asked_about_and_counts_until_then(desk):
    late = Prediction("3", MONDAY + 8 * DAY, text(2), "order_status", 0.9, "1", True)
    write_predictions(desk.store, [late], name="later")
    records.save_rows(desk.store, GOLDEN, [])
    said(desk, 0, "refund_request", MONDAY - DAY)
    collect_cases(desk, "2026-W18", MONDAY)
    audit = Outcome("2", MONDAY + DAY, OutcomeSource.AUDIT, "refund_request")
    write_outcomes(desk.store, [audit], name="audit")
    assert collected(desk, "2026-W19", MONDAY + WEEK) == ([], 1)
    said(desk, 3, "delivery_delay", MONDAY + 9 * DAY)
    assert collect_cases(desk, "2026-W20", MONDAY + 2 * WEEK).conflicts == 1
    offer_cases(desk, "2026-W20", MONDAY + 2 * WEEK)
    assert asked(desk)["p-3"].why == ("answered wrong", "audit said 'refund_request' of p-0")
    assert taught(desk, "2026-05", MONDAY + 2 * WEEK) == ([("p-3", "delivery_delay")], {})
    assert rebuild(desk, "2026-05") == desk.store.read("snapshots/2026-05.jsonl")


DELIVERY = "how long does the delivery of my tent take"
THEME = {"old": "delivery_delay", "new": "refund_request", "since": "2026-05-02", "theme": [DELIVERY]}
ANEW = MONDAY - DAY
"""A request of this moment comes after the rule for the theme, one of ASKED before."""


@pytest.mark.parametrize("again", [DELIVERY, f"{DELIVERY} now"], ids=["the same", "nearly the same"])
@pytest.mark.parametrize("ruled", [True, False])
def test_what_a_rule_for_a_theme_has_settled_is_no_conflict_with_a_review_and_does_not_wait(
    tmp_path, monkeypatch, again, ruled
):
    configure(tmp_path / "configs", monkeypatch, relabel=[THEME] if ruled else [])
    desk = open_desk("northwind")
    records.save_rows(desk.store, GOLDEN, [])
    asked_twice = [("0", ASKED, DELIVERY), ("1", ANEW, again)]
    rows = [Prediction(id, at, asked, "order_status", 0.9, "1", True) for id, at, asked in asked_twice]
    write_predictions(desk.store, rows, name="api")
    said(desk, 0, "size_advice", ANEW)
    collect_cases(desk, "2026-W18", ANEW + timedelta(hours=1))
    reviewed(desk, "p-0", MONDAY, Choice.CHANGE, "delivery_delay")
    said(desk, 1, "refund_request", MONDAY + DAY)
    assert collect_cases(desk, "2026-W19", MONDAY + WEEK).conflicts == (0 if ruled else 1)
    lessons, left_out = taught(desk, "2026-05", MONDAY + WEEK)
    assert left_out.get("against a reviewed answer", 0) == (0 if ruled else 1)
    assert ({answer for _, answer in lessons}) == ({"refund_request"} if ruled else {"delivery_delay"})


def test_without_the_base_model_people_are_asked_about_what_a_rule_for_a_theme_may_have_settled(desk):
    client = desk.client.model_copy(update={"relabel": (Relabel.model_validate({**THEME, "since": ASKED.date()}),)})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    said(desk, 0, "size_advice", MONDAY - DAY)
    collect_cases(desk, "2026-W18", MONDAY)
    reviewed(desk, "p-0", MONDAY + DAY, Choice.CHANGE, "delivery_delay")
    said(desk, 2, "refund_request", MONDAY + 2 * DAY)
    assert collect_cases(desk, "2026-W19", MONDAY + WEEK).conflicts == 1


def test_what_customers_say_is_folded_into_a_proposal_once_a_reviewer_has_accepted_it(desk):
    proposal = Case(
        "past-1", text(2), "gift_card", Source.BACK_SCORING, MONDAY - WEEK, known_from=MONDAY - WEEK,
        doubts=(Doubt.PROPOSED,),
    )  # fmt: skip
    records.save_rows(desk.store, "cases/2026-Q2-variant.jsonl", [proposal])
    said(desk, 0, "gift_card", MONDAY - DAY)
    assert collected(desk, "2026-W18", MONDAY) == ([("p-0", "gift_card")], 0)
    for key in ("cases/2026-W18.jsonl", "collections/2026-W18.json", "taken/2026-W18.json"):
        desk.store.delete(key)
    reviewed(desk, "past-1", MONDAY - 2 * DAY, Choice.ACCEPT, "gift_card")
    assert collected(desk, "2026-W18", MONDAY) == ([], 1)


def test_of_collections_that_are_started_at_once_one_waits_for_the_other_so_that_each_case_is_collected_once(desk):
    for number in range(3):
        said(desk, number, "refund_status", ASKED + DAY)
    periods = ["2026-W18", "2026-05", "2026-Q2"]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda period: collected(desk, period, MONDAY), periods))
    assert sorted(len(cases) + folded for cases, folded in found) == [0, 0, 3]
