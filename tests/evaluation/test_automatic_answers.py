"""Does a challenger lose something in what it answers without a person?"""

from __future__ import annotations

from upkeep.evaluation.automatic_answers import Treated, automatic_losses
from upkeep.evaluation.comparison import Verdict
from upkeep.evaluation.verdict import ItemResult, VerdictTerms, verdict

RESOLVED, MISLED, HANDED = Treated(True, True), Treated(True, False), Treated(False, True)
TERMS = VerdictTerms(margin=0.03, minimum_items=300, same_weights=False, reload_exact=True, promised=0.95)


def spoken(champion, challenger, *, promised=0.95) -> tuple[str, ...]:
    return automatic_losses(champion=champion, challenger=challenger, margin=0.03, promised=promised)


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
        ItemResult("golden", f"text {n}", champion=n < 300, challenger=n < 340, champion_automatic=n < 320,
                challenger_automatic=False)
        for n in range(400)
    ]  # fmt: skip
    judged = verdict(rows, TERMS).judgement
    assert judged.verdict is Verdict.HOLD
    assert [reason.partition(":")[0] for reason in judged.reasons] == ["fewer requests answered right without a person"]
    noted = [one._replace(challenger_automatic=n < 320) for n, one in enumerate(rows)]
    assert verdict(noted, TERMS).judgement.verdict is Verdict.PROMOTE


def test_a_decision_of_before_it_was_noted_is_judged_as_it_was():
    rows = [ItemResult("golden", f"text {n}", champion=n < 300, challenger=n < 340) for n in range(400)]
    assert verdict(rows, TERMS).judgement.verdict is Verdict.PROMOTE


LOST = Treated(False, False)  # handed over, and what the model would have said was wrong


def test_a_promise_that_the_champion_breaks_as_much_holds_nobody():
    as_before = [RESOLVED] * 300 + [MISLED] * 40 + [HANDED] * 60  # of 340 answers 88.2 % are right
    assert spoken(as_before, as_before) == ()


def test_to_hand_over_what_was_answered_wrong_loses_nothing():
    champion = [RESOLVED] * 280 + [MISLED] * 80 + [HANDED] * 40
    assert spoken(champion, [RESOLVED] * 280 + [LOST] * 80 + [HANDED] * 40) == ()


def test_a_wrong_answer_that_is_handed_over_misleads_nobody():
    sends = [RESOLVED] * 300 + [MISLED] * 40
    assert spoken([*sends, *[HANDED] * 60], [*sends, *[LOST] * 60]) == ()


def test_a_promise_that_chance_may_have_broken_is_kept():
    # of 202 answers 188 are right, 93.1 %: 14 wrong ones where 10 were promised have a chance of 0.14
    champion, challenger = [RESOLVED] * 188 + [HANDED] * 14, [RESOLVED] * 188 + [MISLED] * 14
    assert spoken(champion, challenger) == ()
    assert spoken(champion, challenger, promised=0.99) != ()
