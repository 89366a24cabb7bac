"""Is it said that a review, report or brief stands as it was written, and where what came since is told?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, reviewed, serve
from upkeep.__main__ import main
from upkeep.stages.reporting import known_reviews
from upkeep.statistics.rates import Rate

LATER = {
    "review": ("2026-02-09", "2026-W06", "the next review counts what came since"),
    "report": ("2026-03-01", "2026-02", "what came since is in the reviews and in the chart of the next report"),
    "brief": ("2026-04-01", "2026-Q1", "the next brief counts what came since, in its column for this quarter"),
}


@pytest.mark.parametrize("work", LATER)
def test_what_is_asked_for_once_more_is_told_to_stand_as_it_was_written(tmp_path, monkeypatch, capsys, work):
    desk = agreed(tmp_path, monkeypatch, base_model={"path": "models/nowhere"})
    serve(desk, 0, wrong=0)
    day, key, later = LATER[work]
    assert main([work, "northwind", "--as-of", day]) == 0
    assert "stands" not in capsys.readouterr().out
    serve(desk, 0, wrong=60)  # the log is repaired
    assert main([work, "northwind", "--as-of", f"{day}T12:00"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"northwind: the {work} of {key} stands as it was written, as of {day} 00:00; {later}"


def test_the_next_review_counts_what_came_since(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, base_model={"path": "models/nowhere"})
    serve(desk, 0, wrong=0)
    reviewed(desk, 0)
    serve(desk, 0, wrong=30)
    serve(desk, 1, wrong=0)
    reviewed(desk, 1)
    assert known_reviews(desk, FIRST + timedelta(weeks=2))[0].figures.accuracy == Rate(30, 60)
