"""Is each thing that a review finds told once, with the incident that it belongs to?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, serve
from upkeep.desk import Desk
from upkeep.monitoring.trouble import Change, Kind
from upkeep.stages.auditing import draw_audit
from upkeep.stages.monitoring import review_week
from upkeep.stages.review_summary import ReviewNotes, summary
from upkeep.stages.troubles import note_troubles

POLICY = Change(Kind.POLICY, "36 of 40 should be 'refund'", "Accept the rule.", 36, old="return", new="refund")
MIX = Change(Kind.LABEL_MIX, "'refund' was 40 %", "Check it.", 60)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch)


def told(desk: Desk, week: int, *changes: Change, wrong: int) -> Sequence[str]:
    """What a review of a week says of alarms and of changes, if it has found these."""
    serve(desk, week, wrong=wrong)
    at = FIRST + timedelta(weeks=week + 1)
    found = replace(review_week(desk, at), changes=changes)
    note_troubles(desk, found)
    page = summary(desk, ReviewNotes(found, None, [], None, draw_audit(desk, at)))
    return [line for line in page if any(word in line for word in ("**alert**", "policy change", "mix", "going on"))]


def test_a_change_that_is_found_again_is_told_once_as_it_is_now(desk):
    new = "- **label or policy change**: 36 of 40 should be 'refund'. Accept the rule."
    assert told(desk, 0, POLICY, wrong=2) == [new]
    assert told(desk, 1, replace(POLICY, text="40 of 40 should be 'refund'"), wrong=2) == [
        "- **label or policy change**, going on since 2026-W06: 40 of 40 should be 'refund'. Accept the rule."
    ]


def test_a_change_that_goes_on_and_is_not_found_again_is_told_as_it_was_first_seen(desk):
    told(desk, 0, MIX, wrong=2)
    assert told(desk, 1, wrong=2) == [
        "- **label-mix shift**, still going on since 2026-W06, first seen as: 'refund' was 40 %"
    ]


def test_what_is_of_one_incident_with_an_alarm_is_told_under_it(desk):
    told(desk, 0, MIX, wrong=2)
    opened = told(desk, 1, POLICY, wrong=40)
    assert opened[0].startswith("- **alert**: accuracy 33.3%")
    assert opened[1:] == [
        "    - **label or policy change**: 36 of 40 should be 'refund'. Accept the rule.",
        "- **label-mix shift**, still going on since 2026-W06, first seen as: 'refund' was 40 %",  # of one of its own
    ]
    assert told(desk, 2, POLICY, MIX, wrong=40)[1:] == [
        "    - **label or policy change**, going on since 2026-W07: 36 of 40 should be 'refund'. Accept the rule.",
        "- **label-mix shift**, going on since 2026-W06: 'refund' was 40 %. Check it.",
    ]
