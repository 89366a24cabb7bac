"""Does a review find out that ids of earlier weeks are used again?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, reviewed, serve
from tests.weeks import CLIENT
from upkeep.desk import Desk
from upkeep.log import scan
from upkeep.log.files import write_predictions
from upkeep.log.reused import NONE, Reused
from upkeep.monitoring.reused_ids import IDS, OWN, reused_ids
from upkeep.monitoring.trouble import Kind
from upkeep.periods import Window
from upkeep.stages.monitoring import reviews
from upkeep.stages.troubles import troubles


def again(desk: Desk, week: int, ids_of: int) -> None:
    """A week whose requests have the ids of another week."""
    serve(desk, week, wrong=0, audited=False)
    served = Window(*(FIRST + timedelta(weeks=n) for n in (week, week + 1)), "served")
    rows = desk.read_log(served, until=served.end).predictions
    write_predictions(desk.store, [replace(row, id=f"{ids_of}-{n}") for n, row in enumerate(rows)], name="test")


@pytest.mark.parametrize("small", [scan.SMALL, 0], ids=["row by row", "kept days"])
def test_ids_of_the_week_before_are_an_incident_until_requests_have_their_own(tmp_path, monkeypatch, small):
    monkeypatch.setattr("upkeep.desk.SMALL", small)
    desk = agreed(tmp_path, monkeypatch)
    for week in (0, 1):
        serve(desk, week, wrong=0)
        reviewed(desk, week)
    again(desk, 2, ids_of=1)
    reviewed(desk, 2)
    assert [one.text for one in reviews(desk)[-1].changes] == [
        "60 of 60 requests have an id that a request of the 3 weeks before has, such as '1-0' "
        "(log/predictions/2026-02-16/test.jsonl line 1); expected an id of their own"
    ]
    serve(desk, 3, wrong=0)
    reviewed(desk, 3)
    found = [(one.week, one.subject, one.end) for one in troubles(desk)]
    assert found == [("2026-W08", "data trouble ids", "Not so in 2026-W09")]


def test_a_few_of_many_are_a_hiccup():
    some = Reused(5, "p1", "log/predictions/2026-02-16/test.jsonl", 1)
    assert list(reused_ids(some, 501, CLIENT)) == []
    assert list(reused_ids(some._replace(requests=4), 10, CLIENT)) == []
    assert list(reused_ids(NONE, 0, CLIENT)) == []
    (found,) = reused_ids(some, 500, CLIENT)
    assert (found.kind, found.old, found.n, found.action) == (Kind.DATA, IDS, 5, OWN)
