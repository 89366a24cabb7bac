"""How close a written answer is to the agreed one, worked out by hand, and who says that it is right."""

from __future__ import annotations

import pytest

from tests.chatty import client
from upkeep.cases.case import Item
from upkeep.config import Writing
from upkeep.errors import ConfigError
from upkeep.evaluation.scores import evaluate_model, score_written
from upkeep.metrics.closeness import closeness, judge_of, rouge_l
from upkeep.models.manifest import Answer

AGREED = "Refunds are paid within ten days."


def test_the_same_words_are_as_close_as_can_be_however_they_are_written():
    one = closeness("refunds are paid, within TEN days", AGREED)
    assert (one.exact, one.token_f1, one.rouge_l) == (1, 1, 1)
    assert 0.5 < one.chrf < 1  # letters are compared as they are


def test_the_same_words_in_another_order_are_less_close():
    one = closeness("within ten days are refunds paid", AGREED)
    assert one.exact == 0
    assert one.token_f1 == 1
    assert one.rouge_l == pytest.approx(3 / 6)  # "within ten days"


def test_rouge_l_is_the_longest_common_run_of_words_with_gaps():
    # "refunds paid days" of 3 and 6 words: 2 * 3 / 9
    assert rouge_l("refunds paid days", AGREED) == pytest.approx(6 / 9)
    assert rouge_l("Возврат в течение дней", "Возврат в течение десяти дней") == pytest.approx(8 / 9)


def test_without_a_word_only_nothing_is_alike():
    assert rouge_l("", "...") == 1
    assert rouge_l("", AGREED) == 0
    assert closeness("", AGREED).exact == 0


def test_an_answer_is_right_from_the_agreed_share_of_words_on():
    right = judge_of(Writing(right_from=0.7))
    assert right("when?", AGREED, "refunds are paid within days")  # 5 of 5 and 6 words: 10 / 11
    assert not right("when?", AGREED, "refunds are slow")  # 2 of 3 and 6: 4 / 9


def same_length(request: str, agreed: str, answer: str) -> bool:
    return len(agreed) == len(answer)


def says_yes(request: str, agreed: str, answer: str) -> str:
    return "yes"


def test_the_client_s_own_judge_takes_its_place():
    right = judge_of(Writing(judge=f"{__name__}:same_length"))
    assert right("when?", "abc", "xyz")
    assert not right("when?", "abc", "abcd")


def test_a_judge_that_is_none_or_says_anything_else_is_named():
    with pytest.raises(ConfigError, match=r"writing\.judge: found 'tests\.nowhere:judge', expected package"):
        judge_of(Writing(judge="tests.nowhere:judge"))
    with pytest.raises(ConfigError, match=r"writing\.judge: '.*says_yes' returned str, expected bool"):
        judge_of(Writing(judge=f"{__name__}:says_yes"))("when?", "abc", "xyz")


def test_the_figures_of_a_set_are_means_over_its_items():
    items = [Item("1", "when?", AGREED), Item("2", "how?", "Choose a voucher.")]
    answers = [Answer("refunds are paid within ten days", 0.9, True), Answer("No idea", 0.2, False)]
    found = score_written(answers, items, name="golden", right=judge_of(Writing()))
    assert found.right == (True, False)
    assert found.metrics["accuracy"] == 0.5
    assert found.metrics["token_f1"] == 0.5
    assert found.metrics["exact"] == 0.5
    assert found.metrics["automatic_share"] == 0.5
    assert found.metrics["automatic_precision"] == 1
    assert [one.token_f1 for one in found.close] == [1, 0]


ASKED: list[str] = []


def moody(request: str, _agreed: str, _answer: str) -> bool:
    """A judge that says otherwise each time it is asked."""
    ASKED.append(request)
    return len(ASKED) % 2 == 1


def test_a_judge_says_of_equal_answers_the_same_whoever_gave_them():
    class Same:
        def answer(self, texts, **_):
            return [Answer("the same", 0.9, True) for _ in texts]

    ASKED.clear()
    own = client(writing={"judge": f"{__name__}:moody"})
    judge = judge_of(own.writing)
    items = [Item("1", "when?", AGREED), Item("2", "how?", AGREED), Item("3", "when?", AGREED)]
    champion, challenger = (evaluate_model(Same(), items, name="golden", client=own, judge=judge) for _ in range(2))
    assert champion.right == challenger.right == (True, False, True)
    assert ASKED == ["when?", "how?"]


def test_no_items_have_no_figures():
    class Silent:
        def answer(self, texts, **_):
            return []

    assert evaluate_model(Silent(), [], name="golden", client=client()).metrics == {}
