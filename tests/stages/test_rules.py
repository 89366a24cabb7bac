"""Is a rule proposed by itself where outcomes contradict old answers, and does it hold only where that was agreed?"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.audited import FIRST, agreed, serve
from upkeep.stages.monitoring import review_week
from upkeep.stages.rules import ITSELF, decide_rule, propose_rules


@pytest.mark.parametrize("way", ["propose", "apply"])
def test_a_contradiction_is_proposed_once_with_its_evidence_and_holds_by_itself_only_where_that_was_agreed(
    tmp_path, monkeypatch, way
):
    desk = agreed(tmp_path, monkeypatch, rules=way, relabel=[], base_model={"path": "models/nowhere"})
    weeks = []
    for number in range(9):  # from the fifth on the other answer is right
        serve(desk, number, wrong=60 if number >= 4 else 0)
        weeks.append(propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1))))
    assert [len(week) for week in weeks] == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    (found,) = weeks[7]
    assert (found.rule.old, found.rule.new, found.rule.since) == ("order_status", "refund_status", date(2026, 3, 9))
    assert found.evidence.startswith(
        "240 of 240 'order_status' answers that people looked at in the last 4 weeks should "
    )
    assert len(found.examples) == 3
    assert all("ask [e-mail]" in one for one in found.examples)
    later = FIRST + timedelta(weeks=9)
    if way == "propose":
        assert found.state == "proposed"
        assert desk.rules(later) == []
        found = decide_rule(desk, found.id, accepted=True, by="ada", at=later)
    assert found.state == f"accepted by {'ada' if way == 'propose' else ITSELF}"
    assert desk.rules(later) == [found.rule]
    assert desk.rules(FIRST + timedelta(weeks=7)) == []  # nobody knew of it then
