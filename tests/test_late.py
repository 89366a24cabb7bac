"""Do labels that come in late change the week they belong to?"""

from __future__ import annotations

from datetime import timedelta

from tests.audited import FIRST, agreed, serve
from tests.test_audit import fill
from upkeep.auditing import draw_audit, return_audit, sheet_key
from upkeep.incidents import incidents, note_incidents
from upkeep.stages import review_week


def test_a_sheet_that_comes_back_in_the_next_week_is_judged_in_the_next_review(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, audit={"random": 55, "unsure": 0})
    monday = FIRST + timedelta(weeks=1)
    serve(desk, 0, wrong=0, audited=False)
    serve(desk, 1, wrong=0, audited=False)
    first = review_week(desk, monday)
    assert first.findings[0].text == "accuracy: not enough data: have 0, need 50 labelled requests (no unbiased labels)"
    drawn = draw_audit(desk, monday)
    wrong = dict.fromkeys(drawn.asked, "refund_status")
    return_audit(desk, fill(desk.store.read(sheet_key(drawn.week)), wrong), at=monday + timedelta(days=3))
    second = review_week(desk, monday + timedelta(weeks=1))
    assert second.recounted["2026-W06"].accuracy.n == 55
    assert second.recounted["2026-W06"].accuracy.hits == 0
    assert second.alerts[0].standing is not None
    assert second.alerts[0].standing.since == "2026-W06"
    note_incidents(desk, second)
    assert [one.key for one in incidents(desk)] == ["2026-W06-accuracy"]
    third = review_week(desk, monday + timedelta(weeks=2))
    assert third.recounted["2026-W06"].accuracy.n == 55
