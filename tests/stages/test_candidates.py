"""Which labels that people use are told as what may be the next new category?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from tests.audited import FIRST, agreed, reviewed, serve
from tests.stages.test_rules import say
from upkeep.__main__ import main
from upkeep.log.entries import Outcome, OutcomeSource
from upkeep.log.files import write_outcomes
from upkeep.stages.briefing import write_brief
from upkeep.stages.candidates import labels_in_use
from upkeep.stages.monitoring import review_week, reviews
from upkeep.stages.rules import propose_rules

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
    back = {"old": "return_item", "new": "rental", "since": date(2026, 2, 22)}
    again = agreed(tmp_path / "again", monkeypatch, relabel=[rule, back])
    assert labels_in_use(again, reviews(desk), FIRST + timedelta(weeks=3)) == {"rental": 5}


def test_the_new_answer_of_a_rule_is_no_new_category_as_well_until_somebody_refuses_the_rule(
    tmp_path, monkeypatch, capsys
):
    desk = agreed(tmp_path, monkeypatch, tier=3, relabel=[], base_model={"path": "models/nowhere"})
    proposed = []
    for week in range(9):  # from the fifth on another answer is right
        say(desk, week, [("order_status", "order_status" if week < 4 else "parcel_partner")] * 20)
        proposed += propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=week + 1)))
    ((rule,), later) = proposed, FIRST + timedelta(weeks=9)
    assert (rule.rule.new, rule.proposed.date()) == ("parcel_partner", date(2026, 3, 30))

    def suggested(at: datetime) -> list[str]:
        assert main(["variants", "northwind", "--as-of", at.isoformat()]) == 0
        return capsys.readouterr().out.splitlines()

    none = ["northwind: no new category is under way, and nothing suggests one"]
    assert suggested(later - timedelta(weeks=2))[0].startswith("parcel_partner: ")  # nobody knew of the rule
    assert suggested(later) == none
    assert "in 2026-Q2. No candidate was seen." in "".join(write_brief(desk, APRIL).agenda)
    for day, (answer, wanted) in enumerate((("refuse", "parcel_partner: "), ("accept", none[0])), start=7):
        assert main(["rules", "northwind", rule.id, f"--{answer}", "--by", "ada", "--as-of", f"2026-04-0{day}"]) == 0
        capsys.readouterr()
        assert suggested(datetime(2026, 4, day, 12, tzinfo=UTC))[0].startswith(wanted)
