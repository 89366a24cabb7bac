"""Is each answer held against the question that was sent, where a case was asked about again with another answer?"""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO

import pytest

from tests.stages.test_reviewing import MONDAY, PERIOD, TUESDAY, WEEK, annotated, collected, corrected, filled
from upkeep import records
from upkeep.cases.review_batch import Choice, Question
from upkeep.desk import Desk
from upkeep.stages.asking import asked, batches, ever_asked, left_to_look_over, offer_cases
from upkeep.stages.returning import return_file, take_returns
from upkeep.stages.snapshot import decided_by

AGAIN, LATER = MONDAY + WEEK, TUESDAY + WEEK
NEXT = "2026-W19"


@pytest.fixture
def twice(tmp_path, monkeypatch) -> Desk:
    """Case 1 was asked about with the answer 'refund_request' and then with 'delivery_delay'."""
    desk = collected(tmp_path, monkeypatch)
    offer_cases(desk, PERIOD, MONDAY)
    corrected(desk, NEXT, "delivery_delay", AGAIN)
    return desk


def decided(desk: Desk) -> list[tuple[str, str, str | None]]:
    """What counts by now, by case."""
    return sorted((one.id, str(one.decision), one.answer) for one in decided_by(desk, LATER + WEEK).values())


def without_offer(data: bytes, *, only: str = "") -> bytes:
    """A file that lost the column with the answers that were offered, and the rows of all cases but one."""
    rows = [one for one in csv.DictReader(StringIO(data.decode())) if only in ("", one["id"].lstrip("'"))]
    made = StringIO()
    writer = csv.DictWriter(
        made, [name for name in rows[0] if name != "answer said to be right"], extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue().encode()


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (("accept", ""), ("accept", "refund_request")),
        (("change", "order_status"), ("change", "order_status")),
        (("reject", ""), ("reject", None)),
    ],
)
def test_an_older_file_decides_about_the_answer_that_it_offered(twice, said, counts):
    back = return_file(twice, filled(twice, n1=said, n2=("accept", "")), name="first.csv", by="ada", at=LATER)
    assert (back.decided, back.rejected) == (2, ())
    assert decided(twice) == [("1", *counts), ("2", "accept", "refund_request")]


@pytest.mark.parametrize("said", [("accept", ""), ("reject", ""), ("change", "order_status")])
def test_what_was_decided_about_the_newer_answer_counts_whenever_the_older_file_comes_back(twice, said):
    older, newer = filled(twice, n1=said), filled(twice, NEXT, n1=("accept", ""))
    for at, data in enumerate((older, newer, older + b"\n")):
        assert return_file(twice, data, name="x.csv", by="ada", at=LATER + timedelta(hours=at)).decided == 1
    assert decided(twice) == [("1", "accept", "delivery_delay")]


def test_both_files_in_one_run_contradict_each_other_in_nothing_whatever_they_are_called(twice):
    older, newer = filled(twice, n1=("accept", "")), filled(twice, NEXT, n1=("accept", ""))
    for at, (one, other) in enumerate([(older, newer), (newer, older)]):
        twice.store.write("inbox/a.csv", one + b"\n" * at)
        twice.store.write("inbox/b.csv", other + b"\n" * at)
        assert [(one.decided, one.rejected) for one in take_returns(twice, LATER + at * WEEK)] == [(1, ())] * 2
        assert decided(twice) == [("1", "accept", "delivery_delay")]


def test_two_copies_of_the_older_file_in_one_run_contradict_each_other_and_the_newer_file_counts(twice):
    twice.store.write("inbox/a.csv", filled(twice, n1=("accept", "")))
    twice.store.write("inbox/b.csv", filled(twice, n1=("reject", "")))
    twice.store.write("inbox/c.csv", filled(twice, NEXT, n1=("reject", "")))
    found = take_returns(twice, LATER)
    assert [(one.decided, [row.row for row in one.rejected]) for one in found] == [(0, [4]), (0, [4]), (1, [])]
    assert decided(twice) == [("1", "reject", None)]


def test_an_accept_of_a_file_that_lost_the_offered_answers_is_that_of_the_one_batch_with_all_its_cases(twice):
    data = without_offer(filled(twice, n1=("accept", ""), n2=("accept", "")))
    assert return_file(twice, data, name="first.csv", by="ada", at=LATER).decided == 2
    assert ("1", "accept", "refund_request") in decided(twice)


def test_where_nothing_tells_which_answer_was_offered_an_accept_says_so_and_other_decisions_count(twice):
    for said, counts in {("reject", ""): ("reject", None), ("change", "oos"): ("change", "oos")}.items():
        data = without_offer(filled(twice, n1=said), only="1")
        assert return_file(twice, data, name="one.csv", by="ada", at=LATER).decided == 1
        assert decided(twice) == [("1", *counts)]
    back = return_file(twice, without_offer(filled(twice, n1=("accept", "")), only="1"), name="x", by="ada", at=LATER)
    assert (back.decided, [str(one) for one in back.rejected]) == (
        0,
        [
            "row 2 not used: answer said to be right: found nothing, expected 'refund_request' or 'delivery_delay': "
            "the case was asked about with each"
        ],
    )


def test_an_accept_beside_an_answer_is_of_the_question_that_offered_it(twice):
    data = without_offer(filled(twice, n1=("accept", "delivery_delay")), only="1")
    assert return_file(twice, data, name="one.csv", by="ada", at=LATER).decided == 1
    assert decided(twice) == [("1", "accept", "delivery_delay")]


def test_an_answer_that_was_never_offered_is_told_with_all_that_were(twice):
    wrong = filled(twice, n1=("accept", "")).replace(b"refund_request", b"order_status")
    [row, *_] = return_file(twice, wrong, name="first.csv", by="ada", at=LATER).rejected
    assert "found 'order_status', expected 'refund_request' or 'delivery_delay' as it was sent" in row.reason


def test_each_question_knows_since_when_another_answer_is_asked_about(twice):
    corrected(twice, "2026-W20", "delivery_delay", AGAIN + WEEK)  # the same once more is no other answer
    corrected(twice, "2026-W21", "refund_request", AGAIN + 2 * WEEK)
    untils = {period: {one.id: one.until for one in rows} for period, rows in ever_asked(twice).items()}
    third = AGAIN + 2 * WEEK
    assert untils == {
        PERIOD: {"1": AGAIN, "2": None, "6": None},
        NEXT: {"1": third},
        "2026-W20": {"1": third},
        "2026-W21": {"1": None},
    }
    assert asked(twice)["1"].answer == "refund_request"
    stored = records.load_rows(twice.store, f"batches/{PERIOD}.jsonl", Question)
    assert {one.until for one in stored} == {None}
    assert b"until" not in twice.store.read(f"batches/{PERIOD}.jsonl")


def test_what_a_file_says_of_when_it_was_decided_counts_for_an_older_question_too(twice):
    return_file(twice, annotated(twice, str(Choice.REJECT), TUESDAY), name="export.json", by="ada", at=LATER)
    assert {one.at for one in decided_by(twice, LATER).values()} == {TUESDAY}


def test_a_decision_about_the_older_answer_is_none_about_the_newer_one(twice):
    said = filled(twice, n1=("change", "order_status"))
    return_file(twice, said, name="first.csv", by="ada", at=LATER)
    batch = next(one for one in batches(twice) if one.period == NEXT)
    assert left_to_look_over(twice, batch, LATER) == 1
    return_file(twice, filled(twice, NEXT, n1=("accept", "")), name="second.csv", by="ada", at=LATER)
    assert left_to_look_over(twice, batch, LATER) == 0
