"""Is it told what a version answered that another had taken the place of by the end of the week?"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.audited import FIRST, agreed, serve
from upkeep import chain, records
from upkeep.desk import Desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.monitoring.judgement import Metric, Status
from upkeep.monitoring.review import Review, WorseLeftOut
from upkeep.stages.monitoring import review_week
from upkeep.stages.review_charts import chart_review
from upkeep.stages.review_figures import measured
from upkeep.stages.review_summary import summary
from upkeep.statistics.rates import Rate

COUNTED = (
    "in none of the figures of quality, which are of version 1: 80 of 140 requests, answered by version 2, "
    "80 of them labelled, accuracy 20.0% (95% CI 12.7%..30.0%, n=80)"
)
WORSE = (
    "accuracy 20.0% (95% CI 12.7%..30.0%, n=80) in 2026-W06 of version 2, "
    "which answered 80 of 140 requests and is in no judged figure; agreed at least 90.0%"
)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch)


def serve_both(desk: Desk, *, right: int, labels_after: timedelta = timedelta(hours=1), asked: int = 20) -> None:
    """Twenty requests a day, all rightly answered by version 1 but for Tuesday to Friday: there by 2, `right` a day.

    Of version 2's answers the first `asked` of a day are audited.
    """
    rows, said = [], []
    for day in range(7):
        second = 1 <= day <= 4
        for n in range(20):
            at = FIRST + timedelta(days=day, minutes=n)
            row = Prediction(
                f"0-{day}-{n}", at, "Where is it?", "order_status", 0.9, "2" if second else "1", True, None, {}
            )
            answer = "refund_status" if second and n >= right else "order_status"
            rows.append(row)
            if not second or n < asked:
                after = labels_after if second else timedelta(hours=1)
                said.append(Outcome(row.id, at + after, OutcomeSource.AUDIT, answer))
    write_predictions(desk.store, rows, name="test")
    write_outcomes(desk.store, said, name="test")


def findings(desk: Desk, found: Review) -> list[str]:
    """The lines of the week's findings.md."""
    chart_review(desk, found)
    client = desk.registry.client
    (run,) = client.search_runs([desk.registry.experiment("reviews")], f"tags.`upkeep.week` = '{found.week}'")
    return Path(client.download_artifacts(run.info.run_id, "findings.md")).read_text().splitlines()


def test_a_version_rolled_back_within_the_week_is_told_with_its_requests_and_its_accuracy(desk):
    serve_both(desk, right=4)
    noted = chain.review(desk, FIRST + timedelta(weeks=1))
    found = noted.review
    assert [one.status for one in found.findings] == [Status.OK]  # of version 1, which is back
    assert (found.figures.accuracy, found.changes) == (Rate(60, 60), ())
    other = found.figures.left_out["2"]
    assert (other.requests, other.labelled, other.accuracy) == (80, 80, Rate(16, 80))  # 4 of 20 on four days
    labelled = "- labelled: 60 of 60 requests; nine in ten came within a day"
    told = [f"- **worse than agreed**: {WORSE}", labelled, f"- {COUNTED}"]
    assert summary(desk, noted)[1:4] == told
    assert findings(desk, found)[1:4] == told


def test_one_that_is_no_worse_than_agreed_is_counted_without_a_warning(desk):
    serve_both(desk, right=18)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    assert found.worse_left_out == ()
    assert found.figures.left_out["2"].accuracy == Rate(72, 80)


def test_a_few_labels_are_no_reason_to_warn(desk):
    serve_both(desk, right=0, asked=3)  # 12 audits, all of a wrong answer; from 12.5 on, a quarter of minimum_labels
    found = review_week(desk, FIRST + timedelta(weeks=1))
    assert (found.figures.left_out["2"].accuracy, found.worse_left_out) == (Rate(0, 12), ())


def test_what_labels_that_come_late_say_of_it_is_told_once(desk):
    serve_both(desk, right=4, labels_after=timedelta(days=8))
    said = []
    for week in range(3):
        if week:
            serve(desk, week, wrong=2)
        said.append(review_week(desk, FIRST + timedelta(weeks=week + 1)))
    worse = WorseLeftOut("2026-W06", "2", Metric.ACCURACY, Rate(16, 80), 0.9, Rate(80, 140))
    assert [one.worse_left_out for one in said] == [(), (worse,), ()]
    assert str(worse) == WORSE
    at_first = list(measured(said[0].figures))[1]
    assert at_first.endswith("80 of 140 requests, answered by version 2, 0 of them labelled, accuracy not known")


def test_of_many_versions_those_with_few_requests_are_told_together(desk):
    rows = [
        Prediction(str(n), FIRST + timedelta(minutes=n), "Where?", "order_status", 0.9, version, True, None, {})
        for n, version in enumerate([*"aaabbbccdef", *"1" * 89])
    ]
    write_predictions(desk.store, rows, name="test")
    told = [line for line in measured(review_week(desk, FIRST + timedelta(weeks=1)).figures) if "in none" in line]
    assert [line.rpartition(": ")[2] for line in told] == [
        *(
            f"{n} of 100 requests, answered by version {version}, 0 of them labelled, accuracy not known"
            for version, n in (("a", 3), ("b", 3), ("c", 2), ("d", 1), ("e", 1))
        ),
        "1 request of 1 more version",
    ]


def test_a_review_from_before_it_was_told_is_read_as_one_that_says_nothing_of_it(desk):
    serve_both(desk, right=4)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    kept = json.loads(desk.store.read("reviews/2026-W06.json"))
    assert kept.pop("worse_left_out")
    assert kept["figures"].pop("left_out")
    desk.store.write("reviews/2026-W06.json", json.dumps(kept).encode())
    old = records.load(desk.store, "reviews/2026-W06.json", Review)
    assert (old.week, old.worse_left_out, old.figures.left_out) == (found.week, (), {})
