"""Is each thing that a review finds told once, with the incident that it belongs to?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, serve
from upkeep.desk import Desk
from upkeep.monitoring.edge_cases import EdgeCase, Edges, Reason
from upkeep.monitoring.trouble import Change, Kind
from upkeep.stages.auditing import draw_audit
from upkeep.stages.monitoring import review_week
from upkeep.stages.review_summary import ReviewNotes, summary
from upkeep.stages.troubles import note_troubles
from upkeep.statistics.rates import Rate

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


def test_among_which_requests_edge_cases_are_much_more_frequent_is_told_before_the_oddest_of_them(desk):
    serve(desk, 0, wrong=2)
    at = FIRST + timedelta(weeks=1)
    odd = EdgeCase("7", "do you sell bicycles", "refund", 0.4, None, (Reason.UNSURE,), {"channel": "mail"})
    channels = {"chat": Rate(12, 240), "mail": Rate(30, 60)}
    edges = Edges(300, {Reason.UNSURE: 42}, (odd,), by={"channel": channels})
    found = replace(review_week(desk, at), edges=edges)
    page = summary(desk, ReviewNotes(found, None, [], None, draw_audit(desk, at)))
    first = page.index("- edge cases: low confidence 42 (of 300 requests looked at)")
    assert page[first + 1 : first + 3] == [
        "    - much more often than elsewhere: of channel 'mail' 30 of 60 requests, elsewhere 12 of 240",
        "    - “do you sell bicycles”: low confidence, channel mail",
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
