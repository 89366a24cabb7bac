"""Do a review's page and its run say how good the model is, though the week's own sheet is not back yet?"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests import audited
from tests.audited import FIRST, agreed
from tests.metrics.test_generated import answered, written
from upkeep import chain
from upkeep.desk import Desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.monitoring.edge_cases import Reason
from upkeep.monitoring.review import Review
from upkeep.stages.known_by_now import known_by_now
from upkeep.stages.monitoring import review_week, reviews
from upkeep.stages.review_charts import chart_review
from upkeep.stages.review_summary import summary


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch, review_by=["channel"], minimum_labels=40)  # ten labels tell something


def serve(desk: Desk, week: int, *, version: str = "1") -> None:
    """Twenty answers, half of them by mail, that nobody has looked at yet."""
    start = FIRST + timedelta(weeks=week)
    rows = [
        Prediction(
            f"{week}-{n}", start + timedelta(minutes=n), f"Where is order {n}?", "order_status", 0.9, version, True,
            120.0, {"channel": "mail" if n % 2 else "chat"},
        )
        for n in range(20)
    ]  # fmt: skip
    write_predictions(desk.store, rows, name="test")


def audit(desk: Desk, week: int, *, wrong: int, of: int = 20, right: str = "refund_status") -> None:
    """The week's sheet, which comes back on the Thursday after."""
    at = FIRST + timedelta(weeks=week + 1, days=3)
    said = [Outcome(f"{week}-{n}", at, OutcomeSource.AUDIT, right if n < wrong else "order_status") for n in range(of)]
    write_outcomes(desk.store, said, name=f"sheet-{week}")


def review(desk: Desk, week: int) -> Review:
    return review_week(desk, FIRST + timedelta(weeks=week + 1))


def page(desk: Desk, week: int) -> list[str]:
    """What a review's page says of the quality of an earlier week."""
    lines = summary(desk, chain.review(desk, FIRST + timedelta(weeks=week + 1)))
    first = next((at for at, line in enumerate(lines) if "known by now" in line), len(lines))
    after = (at for at, line in enumerate(lines) if at > first and not line.startswith("    "))
    return lines[first : next(after, None)]


KNOWN = [
    # order_status: 2 * 15 / (20 + 15), refund_status: 0; |15 - 18| of 20 and of each channel's ten |7 - 9|, |8 - 9|
    "- known by now of 2026-W06: accuracy 75.0% (95% CI 53.1%..88.8%, n=20), macro-F1 0.43, "
    "calibration error 15.0 points",
    "    - most errors: 'order_status', 15 of 20 such answers right, 15 of 15 such requests found",
    "    - most errors: 'refund_status', 0 of 0 such answers right, 0 of 5 such requests found",
    "    - channel chat: 7 of 10 right, 7 of 10 right without a person, macro-F1 0.41, calibration error 20.0 points",
    "    - channel mail: 8 of 10 right, 8 of 10 right without a person, macro-F1 0.44, calibration error 10.0 points",
]


def test_beside_a_week_whose_sheet_is_not_back_stands_the_newest_whose_is(desk):
    serve(desk, 0)
    assert page(desk, 0) == []
    audit(desk, 0, wrong=5)
    serve(desk, 1)
    assert page(desk, 1) == KNOWN


def test_so_it_does_in_the_week_s_run_and_its_table_of_slices(desk):
    serve(desk, 0)
    review(desk, 0)
    audit(desk, 0, wrong=5)
    serve(desk, 1)
    chart_review(desk, review(desk, 1))
    client = desk.registry.client
    runs = client.search_runs([desk.registry.experiment("reviews")], order_by=["tags.`upkeep.week` DESC"])
    kept = {
        name: Path(client.download_artifacts(runs[0].info.run_id, name)).read_text()
        for name in ("findings.md", "slices.json")
    }
    assert "\n".join(KNOWN) in kept["findings.md"]
    table = json.loads(kept["slices.json"])
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(row["week"], row["value"], row["accuracy"], row["accuracy_n"]) for row in rows] == [
        ("2026-W07", "chat", None, 0),
        ("2026-W07", "mail", None, 0),
        ("2026-W06", "chat", 0.7, 10),
        ("2026-W06", "mail", 0.8, 10),
    ]


def test_a_few_rows_of_a_sheet_do_not_hide_a_week_that_is_known_better(desk):
    for week in range(3):
        serve(desk, week)
        review(desk, week)
        audit(desk, week, wrong=1, of=2 if week else 20)
    serve(desk, 3)
    found = review(desk, 3)
    assert known_by_now(reviews(desk), desk.client).week == "2026-W06"
    audit(desk, 3, wrong=1, of=10)
    serve(desk, 4)
    review(desk, 4)
    weekly = reviews(desk)
    assert known_by_now(weekly, desk.client).week == "2026-W09"
    assert found in weekly
    few = desk.client.model_copy(update={"minimum_labels": 400})  # no week has a hundred: the newest with any
    assert known_by_now(weekly, few).week == "2026-W09"
    assert known_by_now(weekly[:1], desk.client) is None


def test_beside_a_week_that_is_labelled_nothing_else_is_told(desk):
    for week in range(2):
        audited.serve(desk, week, wrong=6)  # within an hour
        assert page(desk, week) == []


def test_of_another_model_than_the_one_in_service_that_is_said(desk):
    serve(desk, 0)
    review(desk, 0)
    audit(desk, 0, wrong=5)
    serve(desk, 1, version="2")
    assert page(desk, 1)[0].startswith("- known by now of 2026-W06, of version 1: accuracy 75.0%")


def test_that_no_label_fits_is_told_once_people_have_said_so(desk):
    serve(desk, 0)
    first = review(desk, 0)
    assert Reason.NO_LABEL not in first.edges.counts
    audit(desk, 0, wrong=5, right="gift_card")
    serve(desk, 1)
    assert page(desk, 1)[-1] == "    - no label fits 5 of 20 requests of which people said what is right"
    assert reviews(desk)[0] == first
    chart_review(desk, reviews(desk)[-1])
    client = desk.registry.client
    runs = client.search_runs([desk.registry.experiment("reviews")], order_by=["tags.`upkeep.week` DESC"])
    for name, value in (("no_label_fits", 5), ("no_label_fits_n", 20)):
        points = client.get_metric_history(runs[0].info.run_id, name)
        assert [(point.step, point.value) for point in points] == [(1, value)]


def test_of_texts_it_is_told_how_close_they_came(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, task="generation", training="lora-chat")
    written(desk, 0, wrong=5, audited=False)
    review(desk, 0)
    answered(desk, 0, wrong=5)
    written(desk, 1, wrong=5, audited=False)
    known = page(desk, 1)
    assert known[0].startswith("- known by now of 2026-W06: accuracy 90.0% (95% CI 78.6%..95.7%, n=50)")
    assert known[1:3] == [
        "    - answers equal to the audited reference: 0.0% (95% CI 0.0%..6.0%, n=60)",
        "    - words in common with it (token F1, 0..1): 0.444 (95% CI 0.444..0.444, n=60)",
    ]
