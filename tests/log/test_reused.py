"""Is an id of an earlier week found again, row by row as from the kept days?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.log_rows import MONDAY, NEXT_WEEK, WEEK, prediction
from upkeep.log.entries import LogMapping
from upkeep.log.files import write_predictions
from upkeep.log.reused import NONE, Reused, reused_kept, reused_rows
from upkeep.periods import Window

pytestmark = pytest.mark.usefixtures("way_of_reading")

BEFORE = Window(MONDAY - timedelta(days=7), MONDAY, "2026-W47")


@pytest.fixture(params=[reused_rows, reused_kept], ids=["row by row", "kept days"])
def reused(request, store):
    def found(*before: Window) -> Reused:
        return request.param(store, NEXT_WEEK, before, mapping=LogMapping())

    return found


def test_the_requests_whose_id_was_there_in_one_of_the_weeks_before_are_counted(store, reused):
    write_predictions(store, [prediction("p1", BEFORE.start), prediction("p2"), prediction("p9")], name="a")
    ids = ("p0", "p1", "p2", "p3", "p2")
    write_predictions(store, [prediction(one, NEXT_WEEK.start) for one in ids], name="b")
    assert reused(WEEK, BEFORE) == Reused(3, "p1", "log/predictions/2026-11-30/b.jsonl", 2)
    assert reused(WEEK) == Reused(2, "p2", "log/predictions/2026-11-30/b.jsonl", 3)
    assert reused() == NONE


def test_what_lies_outside_of_the_weeks_is_not_looked_at(store, reused):
    midday = timedelta(hours=12)
    rows = [prediction("p1", MONDAY), prediction("p2", BEFORE.end - midday), prediction("p2", NEXT_WEEK.start)]
    write_predictions(store, [*rows, prediction("p1", NEXT_WEEK.end)], name="a")
    assert reused(WEEK) == NONE
    assert reused(Window(BEFORE.start, BEFORE.end - midday, "half a week")) == NONE


def test_of_an_empty_log_nothing_is_found(reused):
    assert reused(WEEK) == NONE
