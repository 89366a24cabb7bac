"""Which labels that people use are told as what may be the next new category?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from tests.audited import FIRST, agreed, reviewed, serve
from upkeep.__main__ import main
from upkeep.log.entries import Outcome, OutcomeSource
from upkeep.log.files import write_outcomes
from upkeep.stages.briefing import write_brief
from upkeep.stages.candidates import labels_in_use
from upkeep.stages.monitoring import reviews

APRIL = datetime(2026, 4, 1, 9, tzinfo=UTC)


def test_a_label_that_people_used_five_times_is_told_with_its_count_until_a_rule_ends_it(tmp_path, monkeypatch, capsys):
    desk = agreed(tmp_path, monkeypatch, tier=3, base_model={"path": "models/nowhere"})
    for week, labels in enumerate((["rental"] * 3, ["rental"] * 2 + ["once"] * 4, [])):
        serve(desk, week, wrong=0, audited=False)
        at = FIRST + timedelta(weeks=week, hours=1)
        said = [Outcome(f"{week}-{n}", at, OutcomeSource.AUDIT, label) for n, label in enumerate(labels)]
        write_outcomes(desk.store, said, name="people")
        reviewed(desk, week)
    assert not any(change.new for one in reviews(desk) for change in one.changes)

    assert main(["variants", "northwind", "--as-of", "2026-02-23"]) == 0
    why = "5 labelled requests of the last 3 reviewed weeks were 'rental', which the model does not know"
    assert capsys.readouterr().out.splitlines() == [
        f"rental: {why}",
        "  upkeep variant northwind --label rental --seeds FILE.txt",
    ]
    assert "The contract includes 1 new category in 2026-Q2. Candidates: 'rental'." in write_brief(desk, APRIL).agenda

    rule = {"old": "rental", "new": "return_item", "since": date(2026, 2, 20)}
    ruled = agreed(tmp_path / "ruled", monkeypatch, relabel=[rule])
    assert labels_in_use(ruled, reviews(desk), FIRST + timedelta(weeks=3)) == {}
