"""Does a challenger lose something in what it answers without a person?"""

from __future__ import annotations

from upkeep.comparison import Verdict
from upkeep.unattended import Treated, lost
from upkeep.verdict import Outcome, Terms, verdict

RESOLVED, MISLED, HANDED = Treated(True, True), Treated(True, False), Treated(False, True)
TERMS = Terms(margin=0.03, minimum_items=300, same_weights=False, reload_exact=True, promised=0.95)


def spoken(champion, challenger, *, promised=0.95) -> tuple[str, ...]:
    return lost(champion=champion, challenger=challenger, margin=0.03, promised=promised)


def test_handing_more_requests_over_is_a_loss_where_it_is_more_than_the_margin_and_no_chance():
    champion = [RESOLVED] * 320 + [HANDED] * 80  # 80 % resolved
    (said,) = spoken(champion, [RESOLVED] * 280 + [HANDED] * 120)  # 70 %
    assert said.startswith("fewer requests answered right without a person: challenger 70.0%, champion 80.0%")
    assert spoken(champion, [RESOLVED] * 310 + [HANDED] * 90) == ()  # 2.5 points: within the margin
    assert spoken(champion[:20], [RESOLVED] * 18 + [HANDED] * 2) == ()  # 10 points, but 2 of 20 may be few


def test_sending_more_wrong_answers_is_one_where_the_promise_is_broken():
    champion = [RESOLVED] * 300 + [MISLED] * 10 + [HANDED] * 90
    sends = [RESOLVED] * 300 + [MISLED] * 40 + [HANDED] * 60  # of 340 answers 88.2 % are right
    (said,) = spoken(champion, sends)
    assert "more wrong answers that nobody saw: challenger 10.0%, champion 2.5%" in said
    assert "88.2%" in said
    assert "promised are 95%" in said
    assert spoken(champion, sends, promised=0.85) == ()


def test_a_better_model_that_hands_everything_over_is_held():
    rows = [
        Outcome("golden", f"text {n}", champion=n < 300, challenger=n < 340, champion_automatic=n < 320,
                challenger_automatic=False)
        for n in range(400)
    ]  # fmt: skip
    judged = verdict(rows, TERMS).judgement
    assert judged.verdict is Verdict.HOLD
    assert [reason.partition(":")[0] for reason in judged.reasons] == ["fewer requests answered right without a person"]
    noted = [one._replace(challenger_automatic=n < 320) for n, one in enumerate(rows)]
    assert verdict(noted, TERMS).judgement.verdict is Verdict.PROMOTE


def test_a_decision_of_before_it_was_noted_is_judged_as_it_was():
    rows = [Outcome("golden", f"text {n}", champion=n < 300, challenger=n < 340) for n in range(400)]
    assert verdict(rows, TERMS).judgement.verdict is Verdict.PROMOTE
