"""Do a client's weeks stand in MLflow as one history?"""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.audited import FIRST, agreed, reviewed, serve
from upkeep import records
from upkeep.desk import Desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.periods import weeks_before
from upkeep.stages.monitoring import review_week, reviews
from upkeep.stages.review_charts import chart_review


@pytest.fixture
def desk(tmp_path, monkeypatch):
    return agreed(tmp_path, monkeypatch)


def test_each_week_is_one_run_whose_metrics_are_the_history_up_to_it(desk):
    for week, wrong in enumerate((6, 40)):
        serve(desk, week, wrong=wrong)
        reviewed(desk, week)
    for one in [*reviews(desk), reviews(desk)[0]]:  # one of them twice
        chart_review(desk, one)
    client = desk.registry.client
    runs = client.search_runs([desk.registry.experiment("reviews")], order_by=["tags.`upkeep.week`"])
    assert [run.info.run_name for run in runs] == ["review 2026-W06", "review 2026-W07"]
    first, second = (client.get_metric_history(run.info.run_id, "accuracy") for run in runs)
    assert [(point.step, round(point.value, 3)) for point in first] == [(1, 0.9)]
    assert [(point.step, round(point.value, 3)) for point in second] == [(1, 0.9), (2, 0.333)]
    ends = [datetime.fromtimestamp(point.timestamp / 1000, desk.zone) for point in second]
    assert [f"{end:%a %Y-%m-%d %H:%M}" for end in ends] == ["Mon 2026-02-09 00:00", "Mon 2026-02-16 00:00"]
    # all 60 were as sure as 0.9: 54 right is no error, 20 right are 57 points less
    assert [round(run.data.metrics["calibration_error"], 3) for run in runs] == [0.0, 0.567]
    # order_status: 2 * 54 / (60 + 54); refund_status was never given: their mean
    assert round(runs[0].data.metrics["macro_f1"], 3) == 0.474
    assert "latency_p50_ms" not in runs[0].data.metrics
    assert [run.data.metrics["accuracy_n"] for run in runs] == [60, 60]
    assert [run.data.metrics["alarms"] for run in runs] == [0, 1]
    # every answer was looked at an hour later
    assert [run.data.metrics["label_delay_p90_days"] for run in runs] == [0, 0]


def charted(desk: Desk) -> list[str]:
    """The weeks of the finished runs, in the order in which they were charted."""
    experiment = desk.registry.experiment("reviews")
    runs = desk.registry.client.search_runs([experiment], order_by=["attributes.start_time"])
    return [run.data.tags["upkeep.week"] for run in runs if run.info.status == "FINISHED"]


def test_weeks_whose_charts_failed_are_made_up_for_as_they_were_known_then(desk):
    for week, wrong in enumerate((6, 40, 6, 6)):
        serve(desk, week, wrong=wrong)
        reviewed(desk, week)
    found = reviews(desk)
    chart_review(desk, found[0])
    chart_review(desk, found[3])  # MLflow was down in the two weeks before
    assert charted(desk) == ["2026-W06", "2026-W07", "2026-W08", "2026-W09"]
    client = desk.registry.client
    runs = client.search_runs([desk.registry.experiment("reviews")], order_by=["tags.`upkeep.week`"])
    assert [round(run.data.metrics["accuracy"], 3) for run in runs] == [0.9, 0.333, 0.9, 0.9]
    assert [len(client.get_metric_history(run.info.run_id, "accuracy")) for run in runs] == [1, 2, 3, 4]


def test_a_year_s_first_review_makes_up_for_weeks_of_the_year_before_and_for_none_that_no_chart_shows(desk):
    found = review_week(serve_one(desk), FIRST + timedelta(weeks=1))
    weeks = [weeks_before("2026-W02", n) for n in range(28)]
    for key in weeks:
        records.save(desk.store, f"reviews/{key}.json", replace(found, week=key))
    desk.store.delete("reviews/2026-W06.json")
    chart_review(desk, replace(found, week="2026-W02"))
    assert charted(desk) == weeks[25::-1]
    assert (weeks[25], weeks[0]) == ("2025-W29", "2026-W02")


def test_of_two_runs_at_once_one_charts_a_week(desk):
    found = review_week(serve_one(desk), FIRST + timedelta(weeks=1))
    others: list[Future[None]] = []

    class Twice:
        """MLflow, in which another run begins to chart while this one does."""

        def __getattr__(self, name: str):
            return getattr(desk.registry, name)

        def run(self, *told: object, **more: object):
            if not others:
                others.append(pool.submit(chart_review, desk, found))
                wait(others, timeout=1)
            return desk.registry.run(*told, **more)

    with ThreadPoolExecutor() as pool:
        chart_review(replace(desk, registry=Twice()), found)
        others[0].result(timeout=30)
    assert charted(desk) == ["2026-W06"]


def serve_one(desk: Desk) -> Desk:
    """The desk, with one served week."""
    serve(desk, 0, wrong=6)
    return desk


def test_labels_that_came_in_late_are_in_the_history(desk):
    serve(desk, 0, wrong=6, audited=False)
    reviewed(desk, 0)
    serve(desk, 0, wrong=6)
    serve(desk, 1, wrong=6)
    reviewed(desk, 1)
    for one in reviews(desk):
        chart_review(desk, one)
    client = desk.registry.client
    runs = client.search_runs([desk.registry.experiment("reviews")], order_by=["tags.`upkeep.week`"])
    histories = [client.get_metric_history(run.info.run_id, "accuracy_n") for run in runs]
    assert [[point.value for point in history] for history in histories] == [[], [60, 60]]


def test_a_run_says_of_which_week_its_accuracy_is(desk):
    serve(desk, 0, wrong=6)
    reviewed(desk, 0)
    serve(desk, 1, wrong=6, audited=False)  # its sheet is not back
    reviewed(desk, 1)
    chart_review(desk, reviews(desk)[-1])
    client = desk.registry.client
    runs = client.search_runs([desk.registry.experiment("reviews")], order_by=["tags.`upkeep.week`"])
    assert [(run.data.params["week"], run.data.params["accuracy_of"]) for run in runs] == [
        ("2026-W06", "2026-W06"),
        ("2026-W07", "2026-W06"),
    ]


def test_how_long_labels_take_is_a_line_of_its_own(desk):
    serve(desk, 0, wrong=6, audited=False)
    asked = [FIRST + timedelta(minutes=number) for number in range(10)]
    days = (0, 0, 0, 0, 1, 1, 2, 3, 4, 4)  # half of the labels had come after a day, nine in ten after four
    said = [
        Outcome(f"0-{number}", at + timedelta(days=late, hours=1), OutcomeSource.AUDIT, "order_status")
        for number, (at, late) in enumerate(zip(asked, days, strict=True))
    ]
    write_outcomes(desk.store, said, name="desk")
    reviewed(desk, 0)
    (found,) = reviews(desk)
    assert found.figures.label_delay == {0: 4, 1: 2, 2: 1, 3: 1, 4: 2}
    chart_review(desk, found)
    (run,) = desk.registry.client.search_runs([desk.registry.experiment("reviews")])
    shown = run.data.metrics
    assert (shown["label_delay_p50_days"], shown["label_delay_p90_days"]) == (1, 4)


def test_a_week_s_slices_are_a_table_in_its_run(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, review_by=["channel"])
    rows = [
        Prediction(
            str(n), FIRST + timedelta(minutes=n), f"request {n}", "order_status", 0.2 if n == 5 else 0.9, "1", n != 3,
            latency, {"channel": channel},
        )
        for n, (channel, latency) in enumerate([("mail", 120.0)] * 4 + [("chat", None)] * 2)
    ]  # fmt: skip
    said = ["order_status", "order_status", "refund_status", "order_status"]
    told = [
        Outcome(row.id, row.at + timedelta(hours=1), OutcomeSource.AUDIT, answer)
        for row, answer in zip(rows, said, strict=False)
    ]
    write_predictions(desk.store, rows, name="test")
    write_outcomes(desk.store, told, name="test")
    reviewed(desk, 0)
    (found,) = reviews(desk)
    chart_review(desk, found)
    client = desk.registry.client
    (run,) = client.search_runs([desk.registry.experiment("reviews")])
    table = json.loads(Path(client.download_artifacts(run.info.run_id, "slices.json")).read_text())
    mail, chat = (dict(zip(table["columns"], row, strict=True)) for row in table["data"])
    # F1 of order_status 2 * 3 / (4 + 3), of refund_status 0; |3 - 3.6| of 4; 120 ms is counted as 123
    assert mail == {
        "week": "2026-W06", "key": "channel", "value": "mail", "requests": 4, "accuracy": 0.75, "accuracy_n": 4,
        "auto_resolution": 0.5, "auto_resolution_n": 4, "precision": pytest.approx(2 / 3), "precision_n": 3,
        "escalation": 0.25, "escalation_n": 4, "macro_f1": pytest.approx(3 / 7),
        "calibration_error": pytest.approx(0.15), "latency_p50_ms": 120.0, "latency_p95_ms": 120.0,
        "edge_cases": 0.0, "edge_cases_n": 4,
    }  # fmt: skip
    unknown = {"accuracy", "auto_resolution", "precision", "macro_f1", "calibration_error"}
    assert {name for name, value in chat.items() if value is None} == unknown | {"latency_p50_ms", "latency_p95_ms"}
    assert (chat["requests"], chat["accuracy_n"], chat["escalation"]) == (2, 0, 0)
    assert (chat["edge_cases"], chat["edge_cases_n"]) == (0.5, 2)  # of one the model was not half sure


def test_the_edge_cases_of_rare_values_are_counted_together_as_their_other_figures_are(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, review_by=["channel"])
    rows = [
        Prediction(
            str(n), FIRST + timedelta(minutes=n), "Where is it?", "order_status", 0.2 if n == 22 else 0.9, "1", True,
            None, {"channel": f"c{n:02}"},
        )
        for n in range(23)
    ]  # fmt: skip
    write_predictions(desk.store, rows, name="test")
    reviewed(desk, 0)
    (found,) = reviews(desk)
    chart_review(desk, found)
    client = desk.registry.client
    (run,) = client.search_runs([desk.registry.experiment("reviews")])
    table = json.loads(Path(client.download_artifacts(run.info.run_id, "slices.json")).read_text())
    by_value = {row["value"]: row for row in (dict(zip(table["columns"], row, strict=True)) for row in table["data"])}
    assert (by_value["c00"]["edge_cases"], by_value["c00"]["edge_cases_n"]) == (0, 1)
    assert by_value["(others)"]["edge_cases"] == pytest.approx(1 / 3)  # twenty are shown, c20 to c22 are not
    assert by_value["(others)"]["edge_cases_n"] == 3


def test_a_week_without_a_request_has_no_table_of_slices(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, review_by=["channel"])
    serve(desk, -1, wrong=0)
    reviewed(desk, 0)
    chart_review(desk, reviews(desk)[0])
    (run,) = desk.registry.client.search_runs([desk.registry.experiment("reviews")])
    assert [one.path for one in desk.registry.client.list_artifacts(run.info.run_id)] == ["findings.md"]


def test_what_nobody_knows_is_no_metric(desk):
    serve(desk, -1, wrong=0)  # the log has begun, and the week after is silent
    reviewed(desk, 0)
    chart_review(desk, reviews(desk)[0])
    (run,) = desk.registry.client.search_runs([desk.registry.experiment("reviews")])
    assert run.data.metrics == {"requests": 0, "quarantined": 0, "alarms": 0, "changes": 0}
