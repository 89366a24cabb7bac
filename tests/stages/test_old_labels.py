"""Do labels that come months after their requests change the weeks they belong to, and no other?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.audited import FIRST, agreed, serve
from tests.log.kept import Counting
from upkeep.desk import Desk
from upkeep.log import scan
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.field_map import LogMap
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.monitoring.review import Review, as_known
from upkeep.stages.monitoring import review_week, reviews
from upkeep.stages.reporting import known_reviews, write_report
from upkeep.statistics.rates import Rate
from upkeep.store import Store, write_jsonl


def monday(week: int) -> datetime:
    """When a week is reviewed."""
    return FIRST + timedelta(weeks=week + 1)


def live(desk: Desk, weeks: range, *, silent: tuple[int, ...] = (0,)) -> Review:
    """Serve and review weeks, with no word on the answers of some."""
    for number in weeks:
        serve(desk, number, wrong=4, audited=number not in silent)
        found = review_week(desk, monday(number))
    return found


def audit(desk: Desk, week: int, at: datetime, *, wrong: int = 30, n: int = 60, name: str = "late") -> None:
    """Answers of a week, all or the first of them, are audited at one moment."""
    said = ["refund_status" if number < wrong else "order_status" for number in range(n)]
    rows = [Outcome(f"{week}-{number}", at, OutcomeSource.AUDIT, answer) for number, answer in enumerate(said)]
    write_outcomes(desk.store, rows, name=name)


def known(desk: Desk) -> dict[str, Rate]:
    return {key: one.accuracy for key, one in as_known(reviews(desk), {})}


@pytest.fixture(params=[scan.SMALL, 0], ids=["row by row", "kept days"])
def desk(request, tmp_path, monkeypatch):
    monkeypatch.setattr("upkeep.desk.SMALL", request.param)
    return agreed(tmp_path, monkeypatch)


def test_a_label_that_comes_after_the_recounted_weeks_is_counted_into_its_week_and_no_record_changes(desk):
    live(desk, range(6))
    records = {key: desk.store.read(key) for key in desk.store.keys("reviews/")}
    audit(desk, 0, monday(5) + timedelta(days=2))  # seven weeks after the first answer
    found = live(desk, range(6, 7))
    assert list(found.recounted) == ["2026-W06", "2026-W09", "2026-W10", "2026-W11"]
    assert found.recounted["2026-W06"].accuracy == Rate(30, 60)
    # Monday from 9:00 on to a Wednesday at 9:00: only the first answer has waited for 44 whole days
    assert found.recounted["2026-W06"].label_delay == {43: 59, 44: 1}
    assert known(desk) == {"2026-W06": Rate(30, 60)} | {f"2026-W{week:02}": Rate(56, 60) for week in range(7, 13)}
    assert {key: desk.store.read(key) for key in records} == records
    later = live(desk, range(7, 8))
    assert list(later.recounted) == ["2026-W10", "2026-W11", "2026-W12"]  # it is not counted a second time
    assert known(desk)["2026-W06"] == Rate(30, 60)


def test_reports_and_charts_tell_the_week_as_it_was_known_at_their_moment(desk):
    live(desk, range(5))
    audit(desk, 0, monday(5) - timedelta(hours=12))
    live(desk, range(5, 6))
    before, after = ({one.week: one.figures.accuracy for one in known_reviews(desk, monday(n))} for n in (4, 5))
    assert (before["2026-W06"], after["2026-W06"]) == (Rate(0, 0), Rate(30, 60))
    february = write_report(desk, monday(5))
    assert {one.week: one.figures.accuracy for one in february.reviews}["2026-W06"] == Rate(30, 60)


def test_a_label_that_comes_after_the_month_s_last_review_is_in_the_month_and_in_its_week_of_the_report(desk):
    live(desk, range(3), silent=(0, 2))
    audit(desk, 2, monday(2) + timedelta(days=2))
    february = write_report(desk, monday(2) + timedelta(days=6))  # 1 March, a Sunday
    assert february.figures.accuracy == Rate(56 + 30, 120)
    by_week = {one.week: one.figures.accuracy for one in february.reviews}
    assert by_week == {"2026-W06": Rate(0, 0), "2026-W07": Rate(56, 60), "2026-W08": Rate(30, 60)}
    page = desk.store.read("reports/2026-02.md").decode()
    # half, of 60: once automatic and right, once right
    assert next(line for line in page.splitlines() if "| 2026-W08 |" in line).count("50.0 % (38-62 %, of 60)") == 2
    assert "Not known yet when the newest week was reviewed, and judged by the weeks before: accuracy." in page
    assert reviews(desk)[-1].figures.accuracy == Rate(0, 0)  # it stays as it was written


def test_alarms_are_judged_by_the_weeks_as_they_are_known_now(desk):
    found = live(desk, range(8), silent=tuple(range(8)))
    assert not found.alerts
    for week in range(8):
        audit(desk, week, monday(7) + timedelta(days=1), name=f"late {week}")
    found = live(desk, range(8, 9))
    (alarm,) = found.opened
    assert alarm.standing.since == "2026-W06"
    # eight weeks of 30 of 60, and the one of 56 of 60
    assert alarm.text.startswith(
        "accuracy 54.8% (95% CI 50.6%..59.0%, n=540) in 2026-W06..2026-W14 is below the agreed 90.0%"
    )


def test_a_file_that_comes_late_counts_though_what_is_in_it_was_said_long_ago(desk):
    live(desk, range(6))
    audit(desk, 0, FIRST + timedelta(hours=3))
    found = live(desk, range(6, 7))
    assert found.recounted["2026-W06"].accuracy == Rate(30, 60)
    audit(desk, 0, FIRST + timedelta(hours=3), wrong=20)  # the file was put right
    found = live(desk, range(7, 8))
    assert found.recounted["2026-W06"].accuracy == Rate(40, 60)


def test_outcomes_that_a_new_mapping_makes_readable_count_though_their_file_is_the_same(desk):
    live(desk, range(2))
    when, theirs = monday(1) - timedelta(hours=12), {"source": "desk", "answer": "refund_status"}
    rows = [{"prediction_id": f"0-{number}", "timestamp": when, **theirs} for number in range(60)]
    write_jsonl(desk.store, f"log/outcomes/{when:%Y-%m-%d}/theirs.jsonl", rows)
    live(desk, range(2, 6))
    assert known(desk)["2026-W06"] == Rate(0, 0)
    client = desk.client.model_copy(update={"log": LogMap(values={"source": {"desk": "audit"}})})
    mapped = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    live(mapped, range(6, 7))
    assert known(desk)["2026-W06"] == Rate(0, 60)


def test_what_was_said_after_a_review_is_unknown_to_it_and_known_to_the_next(desk):
    live(desk, range(5))
    audit(desk, 0, monday(5) + timedelta(hours=1))
    assert "2026-W06" not in live(desk, range(5, 6)).recounted
    assert live(desk, range(6, 7), silent=(6,)).recounted["2026-W06"].accuracy == Rate(30, 60)


@pytest.mark.parametrize("damaged", [True, False])
def test_without_what_was_known_of_the_files_the_same_is_found(desk, damaged):
    live(desk, range(6))
    audit(desk, 0, monday(5) + timedelta(days=2))
    for key in list(desk.store.keys("daily/heard/" if damaged else "daily/")):
        desk.store.write(key, b"{") if damaged else desk.store.delete(key)
    found = live(desk, range(6, 7))
    assert list(found.recounted) == ["2026-W06", "2026-W09", "2026-W10", "2026-W11"]  # no other week is another one


def test_a_home_rebuilt_from_its_log_knows_the_same(desk):
    live(desk, range(5))
    audit(desk, 0, monday(5) - timedelta(hours=12))
    live(desk, range(5, 8))
    found, figures = known(desk), dict(as_known(reviews(desk), {}))
    for part in ("reviews/", "daily/"):
        for key in list(desk.store.keys(part)):
            desk.store.delete(key)
    for number in range(8):
        review_week(desk, monday(number))
    assert found["2026-W06"] == Rate(30, 60)
    assert dict(as_known(reviews(desk), {})) == figures


def test_labels_that_came_before_their_week_was_reviewed_belatedly_are_counted_into_it(desk):
    live(desk, range(1))
    serve(desk, 1, wrong=4, audited=False)  # nobody reviews it on its Monday
    live(desk, range(2, 6))
    audit(desk, 1, monday(2) - timedelta(hours=12))
    live(desk, range(6, 7))
    assert "2026-W07" not in known(desk)
    review_week(desk, monday(1))
    assert known(desk)["2026-W07"] == Rate(0, 0)  # as on that Monday
    live(desk, range(7, 8))
    assert known(desk)["2026-W07"] == Rate(30, 60)


class Overtaken:
    """A store in which somebody else does something before the first edge cases are written."""

    def __init__(self, store: Store, first: Callable[[], object]) -> None:
        self.store, self.waiting = store, [first]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def write(self, key: str, data: bytes) -> None:
        if key.startswith("edge-cases/") and self.waiting:
            self.waiting.pop()()
        self.store.write(key, data)


def test_of_two_reviews_at_once_one_stands_and_what_only_the_other_knew_is_counted_by_the_next(desk):
    live(desk, range(6))
    serve(desk, 6, wrong=4)
    at = monday(5) + timedelta(days=2)
    audit(desk, 0, at)
    file = Path(desk.store.uri, f"log/outcomes/{at:%Y-%m-%d}/late.jsonl")
    quicker: list[Review] = []

    def overtake() -> None:
        not_there_yet = file.rename(f"{desk.store.uri}/not there yet")
        quicker.append(review_week(desk, monday(6)))
        not_there_yet.rename(file)

    found = review_week(replace(desk, store=Overtaken(desk.store, overtake)), monday(6))
    assert [found] == quicker == reviews(desk)[-1:]
    assert "2026-W06" not in found.recounted
    assert live(desk, range(7, 8)).recounted["2026-W06"].accuracy == Rate(30, 60)


def test_an_old_week_whose_files_are_partly_gone_keeps_its_figures_and_that_is_no_trouble(desk):
    tuesday = FIRST + timedelta(days=1)
    answer = Prediction("tuesday", tuesday, "Where is it?", "order_status", 0.9, "1", True)
    write_predictions(desk.store, [answer], name="test")
    live(desk, range(6), silent=())
    for half in ("predictions", "outcomes"):
        desk.store.delete(f"log/{half}/2026-02-02/test.jsonl")
    said = Outcome("tuesday", monday(5) + timedelta(days=1), OutcomeSource.AUDIT, "refund_status")
    write_outcomes(desk.store, [said], name="late")
    found = live(desk, range(6, 7))
    assert found.changes == ()
    assert known(desk)["2026-W06"] == Rate(56, 60)


def test_an_old_week_of_whose_outcomes_most_are_gone_keeps_its_figures(desk):
    live(desk, range(6), silent=())
    desk.store.delete("log/outcomes/2026-02-02/test.jsonl")
    audit(desk, 0, monday(5) + timedelta(days=1), n=1)
    found = live(desk, range(6, 7))
    assert found.changes == ()
    assert known(desk)["2026-W06"] == Rate(56, 60)


def test_weeks_to_which_nothing_new_belongs_are_not_read_again(desk):
    counting = Counting(desk.store)
    desk = replace(desk, store=counting)
    live(desk, range(6), silent=())
    counting.since()
    live(desk, range(6, 7))
    read = {key.split("/")[2] for key in counting.since()}
    assert min(read) >= "2026-02-23"  # of the seven weeks the reviewed one and three before it
