"""Do labels that come in late change the week they belong to?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, serve
from tests.cases.test_audit import fill
from tests.weeks import ORDINARY
from upkeep import records
from upkeep.log.entries import Outcome, OutcomeSource
from upkeep.log.files import write_outcomes
from upkeep.monitoring.judgement import Metric, Status
from upkeep.monitoring.recount import cut_short
from upkeep.monitoring.trouble import Kind
from upkeep.stages.auditing import draw_audit, return_audit, sheet_key
from upkeep.stages.monitoring import review_week
from upkeep.stages.reporting import Report, write_report
from upkeep.stages.returning import take_returns
from upkeep.stages.troubles import note_troubles, troubles
from upkeep.statistics.rates import Rate


def test_a_week_in_which_nothing_was_logged_is_data_trouble_and_breaks_no_record(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number in range(6):
        if number != 4:
            serve(desk, number, wrong=4)
        found = review_week(desk, FIRST + timedelta(weeks=number + 1))
        if number == 4:
            assert [(one.kind, one.text) for one in found.changes] == [(Kind.DATA, "no request was logged")]
            assert found.findings[0].status is Status.NOT_ENOUGH_DATA
            assert found.findings[0].text == "accuracy: no request in 2026-W10"
            assert not found.retrain_recommended
    serve(desk, 6, wrong=30)
    serve(desk, 7, wrong=30)
    review_week(desk, FIRST + timedelta(weeks=7))
    serve(desk, 9, wrong=30)
    review_week(desk, FIRST + timedelta(weeks=8))
    silent = review_week(desk, FIRST + timedelta(weeks=9))
    newest = "accuracy 50.0% (95% CI 37.7%..62.3%, n=60) in 2026-W13, not known yet in 2026-W14"
    assert f"{newest}, below the agreed 90.0% since 2026-W12" in silent.alerts[0].text
    assert not silent.retrain_recommended  # the alarm goes on; nothing new was seen


def test_a_week_whose_labels_are_not_back_yet_is_judged_on_those_before_it_and_says_so(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number in range(3):
        serve(desk, number, wrong=4, audited=number != 2)
        found = review_week(desk, FIRST + timedelta(weeks=number + 1))
    assert found.findings[0].observed == Rate(2 * 56, 2 * 60)
    assert "in 2026-W06..2026-W08, not known yet in 2026-W08, agreed at least 90.0%" in found.findings[0].text


def test_a_policy_change_is_one_incident_for_as_long_as_no_model_has_learned_it(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number in range(26):
        serve(desk, number, wrong=60 if number >= 5 else 0)
        note_troubles(desk, review_week(desk, FIRST + timedelta(weeks=number + 1)))
    (policy,) = [one for one in troubles(desk) if one.subject.startswith(Kind.POLICY)]
    assert policy.subject == "label or policy change order_status to refund_status"
    assert policy.closed is None
    serve(desk, 26, wrong=0, version="2")
    note_troubles(desk, review_week(desk, FIRST + timedelta(weeks=27)))
    (policy,) = [one for one in troubles(desk) if one.subject.startswith(Kind.POLICY)]
    assert policy.end is not None
    assert policy.end.startswith("0 of 60 labelled requests in 2026-W32; when it was found, ")


def test_a_base_model_that_is_missing_spoils_no_figures_and_is_told(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, base_model={"path": "models/nowhere"})
    serve(desk, 0, wrong=6)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    assert str(found.figures.accuracy).startswith("90.0%")
    assert found.inputs is None
    (change,) = found.changes
    assert change.kind is Kind.DATA
    assert "requests were not compared with those before: " in change.text
    assert "nowhere" in change.text


def test_what_a_weeks_requests_looked_like_is_in_its_review(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=6)
    found = review_week(desk, FIRST + timedelta(weeks=1)).inputs
    assert found is not None
    assert (found.n, len(found.centre)) == (60, 384)
    assert found.languages == {"en": 60}


def test_a_sheet_that_comes_back_in_the_next_week_is_judged_in_the_next_review(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, audit={"random": 55, "unsure": 0})
    monday = FIRST + timedelta(weeks=1)
    serve(desk, 0, wrong=0, audited=False)
    serve(desk, 1, wrong=0, audited=False)
    first = review_week(desk, monday)
    assert first.findings[0].text == "accuracy: have 0, need 50 labelled requests (no unbiased labels)"
    drawn = draw_audit(desk, monday)
    wrong = dict.fromkeys(drawn.asked, "refund_status")
    return_audit(desk, fill(desk.store.read(sheet_key(drawn.week)), wrong), at=monday + timedelta(days=3))
    second = review_week(desk, monday + timedelta(weeks=1))
    assert second.recounted["2026-W06"].accuracy.n == 55
    assert second.recounted["2026-W06"].accuracy.hits == 0
    assert second.alerts[0].standing is not None
    assert second.alerts[0].standing.since == "2026-W06"
    # W07 is not labelled yet, but what W06 turns out to be was told by no review before
    assert second.opened == second.alerts
    assert "accuracy 0.0% (95% CI 0.0%..6.5%, n=55) in 2026-W06 is below the agreed 90.0%" in second.alerts[0].text
    note_troubles(desk, second)
    assert [one.key for one in troubles(desk)] == ["2026-W06-accuracy"]
    third = review_week(desk, monday + timedelta(weeks=2))
    assert third.recounted["2026-W06"].accuracy.n == 55
    assert third.alerts
    assert third.opened == []
    # the report tells the weeks as they are known by then, not as they were reviewed
    report = write_report(desk, monday + timedelta(weeks=3))
    assert {one.week: one.figures.accuracy.n for one in report.reviews} == {
        "2026-W06": 55,
        "2026-W07": 0,
        "2026-W08": 0,
    }


def test_the_month_in_figures_counts_every_model_of_the_month(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 1, wrong=24, n=240)
    serve(desk, 3, wrong=0, version="2")  # promoted in the month's last week
    counted = write_report(desk, FIRST + timedelta(weeks=4)).figures
    assert (counted.requests, counted.accuracy, counted.model_version) == (300, Rate(276, 300), "2")
    assert counted.versions == {"1": 240, "2": 60}


def test_the_weeks_of_a_month_have_the_weight_of_their_requests(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 1, wrong=0)
    serve(desk, 3, wrong=0, n=540, audited=False)
    busy = FIRST + timedelta(weeks=3, hours=10)
    said = ["refund_status" if number < 30 else "order_status" for number in range(60)]
    outcomes = [Outcome(f"3-{number}", busy, OutcomeSource.AUDIT, answer) for number, answer in enumerate(said)]
    write_outcomes(desk.store, outcomes, name="audit")
    made = write_report(desk, FIRST + timedelta(weeks=4))
    assert made.figures.accuracy == Rate(90, 120)
    right = made.weighted.accuracy
    assert (right.value, right.n) == (pytest.approx(0.1 * 1 + 0.9 * 0.5), 120)
    assert right.effective == pytest.approx(1 / (0.1**2 / 60 + 0.9**2 / 60))
    assert made.weighted.auto_resolution == made.weighted.precision == right  # all of it was automatic
    assert made.rates[Metric.ESCALATION] == made.figures.escalation == Rate(0, 600)
    assert "| Right answers, all requests | 55.0 % (" in desk.store.read("reports/2026-02.md").decode()
    assert records.load(desk.store, "reports/2026-02.json", Report) == made


def test_a_sheet_that_is_in_the_inbox_by_monday_is_in_mondays_review(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, audit={"random": 55, "unsure": 0})
    monday = FIRST + timedelta(weeks=1)
    serve(desk, 0, wrong=0, audited=False)
    review_week(desk, monday)
    drawn = draw_audit(desk, monday)
    right = dict.fromkeys(drawn.asked, "order_status")
    desk.store.write("inbox/ada.xlsx", fill(desk.store.read(sheet_key(drawn.week)), right))
    # a review of an earlier week: at that time nobody had been asked
    assert take_returns(desk, monday - timedelta(days=1)) == []
    assert list(desk.store.keys("inbox/")) == ["inbox/ada.xlsx"]
    next_monday = monday + timedelta(weeks=1)
    assert [one.decided for one in take_returns(desk, next_monday)] == [55]
    assert review_week(desk, next_monday).recounted["2026-W06"].accuracy == Rate(55, 55)


def test_a_week_whose_files_are_gone_keeps_what_was_counted_and_is_told_once(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number in range(4):
        serve(desk, number, wrong=4)
        found = review_week(desk, FIRST + timedelta(weeks=number + 1))
        note_troubles(desk, found)
        for key in [one for one in desk.store.keys("log/") if f"{FIRST + timedelta(weeks=number):%Y-%m-%d}" in one]:
            desk.store.delete(key)
    assert found.recounted == {}
    assert found.findings[0].standing is not None
    assert found.findings[0].weeks == ("2026-W09",)
    assert [one.text for one in found.changes] == [
        "of 180 requests that were counted in 2026-W06..2026-W08 the log has 0 now, or their outcomes are gone: "
        "the figures of then are kept"
    ]
    assert [(one.week, one.subject, one.closed) for one in troubles(desk)] == [
        ("2026-W07", "data trouble earlier weeks", None)
    ]
    weeks = {one.week: one.figures.requests for one in write_report(desk, FIRST + timedelta(weeks=4)).reviews}
    assert weeks == dict.fromkeys(("2026-W06", "2026-W07", "2026-W08"), 60)


def test_rows_that_a_new_mapping_no_longer_fits_stay_counted_and_a_log_put_right_is_counted_anew():
    was = replace(ORDINARY[0], requests=500, quarantined={})
    days = {day: 10 for day in was.days}
    assert cut_short(replace(was, requests=0, days={}, quarantined={"id": 500}), was)
    assert cut_short(replace(was, requests=400, quarantined={"id": 100}), was)
    assert cut_short(replace(was, requests=400, days=dict(list(days.items())[1:])), was)
    assert cut_short(replace(was, labelled=Rate(0, 500)), was)
    assert not cut_short(replace(was, requests=400, days=days), was)  # a doubled file was taken away
    assert not cut_short(replace(was, labelled=Rate(200, 500), quarantined={"source": 3}), was)
