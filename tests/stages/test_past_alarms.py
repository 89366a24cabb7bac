"""Is an alarm told whose labels come in when it is over: once, and without asking for anything?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, reviewed, serve
from upkeep import chain
from upkeep.desk import Desk
from upkeep.log.entries import Outcome, OutcomeSource
from upkeep.log.files import write_outcomes
from upkeep.monitoring.past_alarms import PastAlarm
from upkeep.monitoring.review import Review
from upkeep.stages.contract import change_orders, order_if_extra
from upkeep.stages.incidents import Event, compose, news
from upkeep.stages.monitoring import review_week
from upkeep.stages.reporting import write_report
from upkeep.stages.review_summary import summary
from upkeep.stages.troubles import Trouble, note_troubles, open_troubles, troubles

N = 100


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    """Four good weeks, 2026-W06 to W09, all audited."""
    desk = agreed(tmp_path, monkeypatch)
    for week in range(4):
        serve(desk, week, wrong=5, n=N)
        reviewed(desk, week)
    return desk


def unlabelled(desk: Desk, *weeks: int, version: str = "1") -> None:
    """Weeks of which no sheet is back when they are reviewed."""
    for week in weeks:
        serve(desk, week, wrong=0, n=N, audited=False, version=version)
        assert alarms(desk, reviewed(desk, week)) == []


def come_back(desk: Desk, during: int, wrong: dict[int, int]) -> None:
    """Sheets of some weeks come back in a later one."""
    at = FIRST + timedelta(weeks=during, hours=3)
    for week, many in wrong.items():
        answers = ["refund_status" if n < many else "order_status" for n in range(N)]
        said = [Outcome(f"{week}-{n}", at, OutcomeSource.AUDIT, answer) for n, answer in enumerate(answers)]
        write_outcomes(desk.store, said, name=f"sheet-{week}")


def alarms(desk: Desk, touched: list[Trouble]) -> list[tuple[str, bool]]:
    """Whether each alarm among them is over."""
    return [(one.key, one.closed is not None) for one in touched if one.alarm]


def found_in(desk: Desk, week: int) -> Review:
    return review_week(desk, FIRST + timedelta(weeks=week + 1))


def four_bad_weeks(desk: Desk) -> None:
    """The sheets of 2026-W10 to W15 come back in W16: of four weeks half is wrong, the two after them are good."""
    unlabelled(desk, *range(4, 10))
    come_back(desk, 10, {4: 50, 5: 50, 6: 50, 7: 50, 8: 5, 9: 5})
    serve(desk, 10, wrong=5, n=N)


def test_an_alarm_whose_labels_come_with_those_of_its_end_is_told_once_and_asks_for_nothing(desk):
    four_bad_weeks(desk)
    assert alarms(desk, reviewed(desk, 10)) == [("2026-W10-accuracy", True)]
    found = found_in(desk, 10)
    assert (found.alerts, found.retrain_recommended) == ([], False)
    (past,) = found.past_alarms
    # 50 of 100 in each of four weeks, 95 in W14; W15 is the second good one
    assert past.weeks == ("2026-W10", "2026-W11", "2026-W12", "2026-W13", "2026-W14")
    assert "accuracy 59.0% (95% CI 54.6%..63.2%, n=500) in 2026-W10..2026-W14 is below the agreed 90.0%" in past.text
    assert past.end.startswith("In 2026-W15 accuracy 95.0% ")
    assert past.end.endswith("the trouble since 2026-W10 is over")
    assert order_if_extra(desk, found) is None
    assert change_orders(desk) == []
    (alarm,) = [one for one in troubles(desk) if one.alarm]
    assert (alarm.opened, alarm.closed, alarm.model_version) == (found.as_of, found.as_of, "1")
    assert set(alarm.examples) == {
        "“Where is order [number], ask [e-mail]” was answered order_status; right: refund_status"
    }
    assert not [one for one in open_troubles(desk, found.as_of) if one.alarm]
    assert note_troubles(desk, found) == []
    for week in (11, 12):
        serve(desk, week, wrong=5, n=N)
        assert alarms(desk, reviewed(desk, week)) == []
        assert found_in(desk, week).past_alarms == ()
    assert alarms(desk, troubles(desk)) == [("2026-W10-accuracy", True)]


def test_its_message_says_that_it_opened_and_is_over_and_recommends_no_retrain(desk):
    four_bad_weeks(desk)
    reviewed(desk, 10)
    (one,) = [it for it in news(desk) if any(trouble.alarm for trouble in it.began)]
    told = compose(desk, one, one.at)
    assert "accuracy alarm opened and closed before its labels came in" in told.title
    assert "accuracy alarm closed" not in told.title
    assert told.text.count("accuracy 59.0%") == 1
    assert "the trouble since 2026-W10 is over. In 2026-W10..2026-W14; model version 1." in told.text
    assert "The labels of these weeks came in when it was over: no retrain is recommended for it." in told.text
    assert "We recommend a retrain." not in told.text


def test_an_incident_of_nothing_else_is_closed_with_its_one_message(desk):
    found = found_in(desk, 3)
    past = PastAlarm("accuracy", ("2026-W07",), "1", found.figures.accuracy, 0.9, "accuracy was low", "It was over")
    note_troubles(desk, replace(found, past_alarms=(past,)))
    (one,) = news(desk)
    assert one.event is Event.CLOSED
    told = compose(desk, one, one.at)
    assert told.title == "Northwind Outdoors: accuracy alarm opened and closed before its labels came in"
    assert told.text.startswith("accuracy was low. It was over. In 2026-W07; model version 1.\n\n")
    assert "change order" not in told.text


def test_a_run_that_was_killed_between_two_of_them_joins_the_other_to_the_same_incident(desk):
    found = found_in(desk, 3)
    both = [
        PastAlarm(metric, ("2026-W07",), "1", found.figures.accuracy, 0.9, "It was low", "It was over")
        for metric in ("accuracy", "precision")
    ]
    found = replace(found, past_alarms=tuple(both))
    note_troubles(desk, found)
    desk.store.delete("incidents/2026-W07-precision.json")
    (again,) = note_troubles(desk, found)
    assert (again.subject, again.incident) == ("precision", "2026-W07-accuracy")


def test_the_reviews_page_and_the_months_report_have_it(desk):
    four_bad_weeks(desk)
    lines = summary(desk, chain.review(desk, FIRST + timedelta(weeks=11)))
    assert [line for line in lines if line.startswith("- **past alarm**: accuracy 59.0% ")]
    write_report(desk, FIRST + timedelta(weeks=13))
    page = desk.store.read("reports/2026-04.md").decode()
    assert "No figure raised an alarm that went on when it was known." in page
    assert "it was over before its labels came in. In 2026-W15 accuracy 95.0% " in page


def test_an_alarm_of_a_model_that_another_has_replaced_before_its_labels_came_in_is_told(desk):
    unlabelled(desk, 4, 5)
    unlabelled(desk, 6, version="2")
    come_back(desk, 7, {4: 50, 5: 50})
    serve(desk, 7, wrong=5, n=N, version="2")
    assert alarms(desk, reviewed(desk, 7)) == [("2026-W10-accuracy", True)]
    (past,) = found_in(desk, 7).past_alarms
    assert (past.weeks, past.version) == (("2026-W10", "2026-W11"), "1")
    assert past.end == "Version 2 was in service from 2026-W12 on"


def test_what_was_told_in_time_is_no_past_alarm(desk):
    for week, wrong in enumerate((50, 50, 5, 5, 5), start=4):
        serve(desk, week, wrong=wrong, n=N)
        reviewed(desk, week)
        assert found_in(desk, week).past_alarms == ()
    assert [one.key for one in troubles(desk) if one.alarm] == ["2026-W10-accuracy"]


def test_an_alarm_that_was_told_while_it_went_on_is_not_told_again_when_more_of_its_weeks_get_labels(desk):
    unlabelled(desk, 4, 5)
    come_back(desk, 6, {4: 50})
    serve(desk, 6, wrong=0, n=N, audited=False)
    assert alarms(desk, reviewed(desk, 6)) == [("2026-W10-accuracy", False)]
    come_back(desk, 7, {5: 50, 6: 5})
    serve(desk, 7, wrong=5, n=N)
    assert alarms(desk, reviewed(desk, 7)) == [("2026-W10-accuracy", True)]
    assert found_in(desk, 7).past_alarms == ()


def test_one_that_goes_on_after_all_as_more_labels_come_in_opens_again(desk):
    four_bad_weeks(desk)
    reviewed(desk, 10)
    at = FIRST + timedelta(weeks=11, hours=3)
    for week in (8, 9, 10):  # the good answers were the first part of larger sheets
        said = [Outcome(f"{week}-{n}", at, OutcomeSource.AUDIT, "refund_status") for n in range(N)]
        write_outcomes(desk.store, said, name=f"put-right-{week}")
    serve(desk, 11, wrong=50, n=N)
    assert alarms(desk, reviewed(desk, 11)) == [("2026-W10-accuracy-2", False)]


def test_what_only_another_limit_makes_an_alarm_of_the_past_is_none(desk):
    """Of weeks that were known before, as of a spread of 20 points, and are judged by one of 2 points now."""
    restless = desk.client.alarms.model_copy(update={"weekly_spread_pp": 20.0})
    was = desk.agreement.client.model_copy(update={"alarms": restless})
    before = Desk(desk.agreement.model_copy(update={"client": was}), desk.store, desk.registry)
    for week, wrong in enumerate((25, 25, 5, 5, 5), start=4):
        serve(before, week, wrong=wrong, n=N)
        assert alarms(before, reviewed(before, week)) == []
    come_back(desk, 9, {7: 6})
    serve(desk, 9, wrong=5, n=N)
    assert alarms(desk, reviewed(desk, 9)) == []
    assert found_in(desk, 9).past_alarms == ()


def test_reviews_and_troubles_of_before_are_read(desk):
    four_bad_weeks(desk)
    reviewed(desk, 10)
    for key, field in (("reviews/2026-W16.json", "past_alarms"), ("incidents/2026-W10-accuracy.json", "last")):
        old = json.loads(desk.store.read(key))
        assert old.pop(field)
        desk.store.write(key, json.dumps(old).encode())
    assert found_in(desk, 10).past_alarms == ()
    assert [one.last for one in troubles(desk) if one.alarm] == [None]
