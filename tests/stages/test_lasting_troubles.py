"""Is a change over once it is, and not before anybody could know?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, reviewed, serve
from upkeep import records
from upkeep.desk import Desk
from upkeep.release import Action, Entry
from upkeep.stages.release import LOG
from upkeep.stages.troubles import troubles


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch)


def release(desk: Desk, number: int, *, week: int) -> None:
    """Put the version with that number into service at the start of a week."""
    at = FIRST + timedelta(weeks=week) - timedelta(hours=1)
    entry = Entry(number, at, Action.PROMOTE if number > 1 else Action.LAUNCH, str(number), None, "ada", "", "test")
    records.save(desk.store, f"{LOG}{number:06}.json", entry)


def told(desk: Desk, weeks: Iterable[int]) -> list[tuple[str, str | None]]:
    """The troubles that the reviews of some weeks bring: of which week, and why over."""
    for week in weeks:
        reviewed(desk, week)
    return [(one.week, one.end) for one in troubles(desk)]


def test_answers_of_a_version_that_nobody_released_are_trouble_until_it_is_released(desk):
    release(desk, 1, week=0)
    for week in range(5):
        serve(desk, week, wrong=4, version="1" if week < 2 else "2")
    assert told(desk, range(4)) == [("2026-W08", None)]
    release(desk, 2, week=4)
    assert told(desk, [4]) == [("2026-W08", "Not so in 2026-W10")]
