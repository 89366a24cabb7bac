"""Does a review's page say what is known of a week beside its agreed figures, and nothing where nobody knows?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.audited import FIRST, agreed, serve
from upkeep import chain
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.monitoring.figures import Slice
from upkeep.stages.monitoring import review_week
from upkeep.stages.review_figures import measured
from upkeep.stages.review_summary import summary
from upkeep.statistics.rates import Rate


def request(number: int, output: str, channel: str, *, automatic: bool = True) -> Prediction:
    at = FIRST + timedelta(minutes=number)
    return Prediction(str(number), at, f"request {number}", output, 0.9, "1", automatic, 120.0, {"channel": channel})


def audited(row: Prediction, answer: str, *, days: int) -> Outcome:
    return Outcome(row.id, row.at + timedelta(days=days), OutcomeSource.AUDIT, answer)


def test_a_week_is_told_by_its_labels_quality_speed_worst_labels_and_channels(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, review_by=["channel"])
    rows = [request(n, "order_status", "mail" if n < 6 else "chat", automatic=n != 9) for n in range(20)]
    said = [
        audited(row, "refund_status" if n in (0, 7) else "order_status", days=n % 3) for n, row in enumerate(rows[:10])
    ]
    write_predictions(desk.store, rows, name="test")
    write_outcomes(desk.store, said, name="test")
    lines = list(measured(review_week(desk, datetime(2026, 2, 9, 9, tzinfo=UTC)).figures))
    speed = "half answered within about 120 ms, 95 % within about 120 ms"
    assert lines == [
        "labelled: 10 of 20 requests; half came within 2 days, nine in ten within 3 days",
        # order_status: 2 x 8 / (10 + 8), refund_status: 0; 8 of 10 right at 90 % sure
        "quality over all labels: macro-F1 0.44, calibration error 10.0 points",
        "latency: half within about 120 ms, 95 % within about 120 ms",  # 120 is counted as 123, the middle of its step
        "most errors: 'order_status', 8 of 10 such answers right, 8 of 8 such requests found",
        "most errors: 'refund_status', 0 of 0 such answers right, 0 of 2 such requests found",
        # order_status: 2 x 3 / (4 + 3) and 2 x 5 / (6 + 5), refund_status: 0; |3 - 3.6| of 4 and |5 - 5.4| of 6
        "channel chat: 14 requests, 3 of 4 right, 2 of 4 right without a person, macro-F1 0.43, "
        f"calibration error 15.0 points, {speed}",
        "channel mail: 6 requests, 5 of 6 right, 5 of 6 right without a person, macro-F1 0.45, "
        f"calibration error 6.7 points, {speed}",
    ]


def test_where_half_the_labels_came_in_as_many_days_as_nine_in_ten_that_is_said_once(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=0)
    found = review_week(desk, FIRST + timedelta(weeks=1)).figures
    assert next(measured(found)) == "labelled: 60 of 60 requests; nine in ten came within a day"


def test_a_key_of_which_no_request_has_a_value_is_told_instead_of_figures_of_all_requests(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, review_by=["channel", "chanel", "shop"])
    rows = [
        replace(request(n, "order_status", ""), metadata={"channel": 7.0, "shop": {"city": "Ulm"}}) for n in range(9)
    ]
    write_predictions(desk.store, rows, name="test")
    lines = list(measured(review_week(desk, FIRST + timedelta(weeks=1)).figures))
    assert lines[-3:] == [
        "channel 7: 9 requests, half answered within about 120 ms, 95 % within about 120 ms",
        "review_by: no request has a text, a whole number or a flag under 'chanel' in its metadata",
        "review_by: no request has a text, a whole number or a flag under 'shop' in its metadata",
    ]


def test_speed_is_told_in_the_two_digits_that_its_steps_allow(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    rows = [replace(request(n, "order_status", "mail"), latency_ms=12.5 if n < 6 else 12_345.0) for n in range(10)]
    write_predictions(desk.store, rows, name="test")
    found = review_week(desk, FIRST + timedelta(weeks=1)).figures
    # 2 ** (29.5 / 8) = 12.9 and 2 ** (108.5 / 8) = 12,112 are the middles of their steps
    assert (found.latency_p50_ms, found.latency_p95_ms) == (13.0, 12_000.0)
    assert "latency: half within about 13 ms, 95 % within about 12,000 ms" in measured(found)


def test_of_a_week_without_labels_only_that_is_said(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=0, audited=False)
    found = review_week(desk, FIRST + timedelta(weeks=1)).figures
    assert list(measured(found)) == ["labelled: 0 of 60 requests"]
    # a slice written before it had more than rates says nothing about the rest
    old = replace(found, slices={"channel": {"mail": Slice(60, *[Rate(0, 0)] * 3, Rate(0, 60))}})
    assert list(measured(old)) == ["labelled: 0 of 60 requests", "channel mail: 60 requests"]
    assert list(measured(replace(found, labelled=type(found.labelled)(0, 0)))) == []


def test_a_young_client_is_told_from_which_week_on_changes_are_looked_for_and_an_older_one_nothing(
    tmp_path, monkeypatch
):
    desk, said = agreed(tmp_path, monkeypatch), []
    for week in range(8):  # 2026-W06 to W13
        serve(desk, week, wrong=0)
        page = summary(desk, chain.review(desk, FIRST + timedelta(weeks=week + 1)))
        said.append([line for line in page if "looked for" in line])
    # the fifth week has four before it; eight are four whose answers are compared with those of the four before
    right, requests = "in what people say is right from 2026-W13 on", "in requests and traffic from 2026-W10 on"
    early = [f"- changes are looked for {right}, {requests}: they need weeks to be compared with"]
    late = [f"- changes are looked for {right}: they need weeks to be compared with"]
    assert said == [early] * 4 + [late] * 3 + [[]]


def test_a_young_client_with_few_requests_is_told_that_four_weeks_of_them_are_looked_at_together(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=0, n=29)  # 2026-W06
    page = summary(desk, chain.review(desk, FIRST + timedelta(weeks=1)))
    right, traffic = "in what people say is right from 2026-W13 on", "in traffic from 2026-W10 on"
    requests = "in requests, where four weeks have 30, from 2026-W13 on"
    told = f"- changes are looked for {right}, {traffic}, {requests}: they need weeks to be compared with"
    assert [line for line in page if "looked for" in line] == [told]
