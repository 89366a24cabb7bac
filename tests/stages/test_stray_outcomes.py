"""Does a review find out that outcomes no longer name its requests?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, reviewed, serve
from upkeep.desk import Desk
from upkeep.log import scan
from upkeep.log.entries import Outcome, OutcomeSource
from upkeep.log.files import write_outcomes
from upkeep.stages.monitoring import reviews
from upkeep.stages.review_charts import chart_review
from upkeep.stages.troubles import troubles
from upkeep.statistics.rates import Rate

SUBJECT = "data trouble outcomes"


@pytest.fixture(params=[scan.SMALL, 0], ids=["row by row", "kept days"])
def desk(request, tmp_path, monkeypatch):
    monkeypatch.setattr("upkeep.desk.SMALL", request.param)
    return agreed(tmp_path, monkeypatch)


def prefixed(desk: Desk, week: int) -> None:
    """A week whose outcomes name its requests by other ids."""
    serve(desk, week, wrong=0, audited=False)
    at = FIRST + timedelta(weeks=week, hours=5)
    rows = [Outcome(f"tkt-{week}-{number}", at, OutcomeSource.CUSTOMER, None, False) for number in range(500)]
    write_outcomes(desk.store, rows, name="prefixed")


def strayed(desk: Desk) -> list[tuple[str, str | None]]:
    return [(one.week, one.end) for one in troubles(desk) if one.subject == SUBJECT]


def test_outcomes_with_another_prefix_are_one_incident_until_they_find_their_requests_again(desk):
    for week in range(5):
        serve(desk, week, wrong=4)
        reviewed(desk, week)
    for week in (5, 6):
        prefixed(desk, week)
        reviewed(desk, week)
    found = reviews(desk)[-2]
    assert (found.figures.labelled, found.strays) == (Rate(0, 60), Rate(500, 500))
    assert [one.text for one in found.changes] == [
        "500 of 500 outcomes given in the week are about no request of the 26 weeks up to it, such as prediction_id "
        "'tkt-5-0' (log/outcomes/2026-03-09/prefixed.jsonl line 1); expected one like '5-0'; before, it was 0 of 300"
    ]
    assert strayed(desk) == [("2026-W11", None)]
    serve(desk, 7, wrong=4)
    reviewed(desk, 7)
    assert strayed(desk) == [("2026-W11", "Not so in 2026-W13")]


def test_audits_answered_weeks_later_are_no_strays(desk):
    for week in range(9):
        serve(desk, week, wrong=0, audited=False)
        if week >= 2:
            old, at = week % 2, FIRST + timedelta(weeks=week, hours=3)
            said = [Outcome(f"{old}-{number}", at, OutcomeSource.AUDIT, "order_status") for number in range(60)]
            write_outcomes(desk.store, said, name="late")
        reviewed(desk, week)
    assert [one.strays for one in reviews(desk)][2:] == [Rate(0, 60)] * 7
    assert strayed(desk) == []


def test_the_share_of_strays_is_a_line_in_mlflow(desk):
    serve(desk, 0, wrong=0)
    said = [Outcome(f"x-{number}", FIRST, OutcomeSource.CUSTOMER, None, False) for number in range(20)]
    write_outcomes(desk.store, said, name="other")
    reviewed(desk, 0)
    chart_review(desk, reviews(desk)[0])
    (run,) = desk.registry.client.search_runs([desk.registry.experiment("reviews")])
    assert run.data.metrics["stray_outcomes"] == 0.25  # 20 of 80
