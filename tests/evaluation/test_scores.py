"""Which figures does a model get on frozen items?"""

from __future__ import annotations

import pytest

from upkeep.cases.case import Item
from upkeep.evaluation.scores import score
from upkeep.metrics.accuracy import Accuracy
from upkeep.metrics.label_f1 import LabelF1
from upkeep.metrics.macro_f1 import MacroF1
from upkeep.models.manifest import Answer
from upkeep.statistics.rates import Rate

ITEMS = [Item("g1", "x", "a"), Item("g2", "y", "a"), Item("g3", "z", "b"), Item("g4", "w", "oos")]


def scored(*answers: tuple[str, bool], items=ITEMS):
    given = [Answer(output, 0.8, automatic) for output, automatic in answers]
    return score(given, items, name="golden", out_of_scope="oos")


def test_every_figure_of_four_items_by_hand():
    found = scored(("a", True), ("b", True), ("b", False), ("a", False))
    assert found.ids == ("g1", "g2", "g3", "g4")
    assert found.right == (True, False, True, True)
    assert found.accuracy == Rate(3, 4)
    assert found.metrics == pytest.approx(
        {
            "accuracy": 3 / 4,
            "f1/a": 2 / 3,  # precision 1/1, recall 1/2
            "f1/b": 2 / 3,  # precision 1/2, recall 1/1
            "f1/oos": 1.0,  # went to a person
            "macro_f1": 7 / 9,  # (2/3 + 2/3 + 1) / 3
            "automatic_share": 2 / 4,
            "automatic_precision": 1 / 2,
        }
    )


def test_a_request_no_label_fits_that_is_answered_is_an_error_of_the_label_it_got():
    found = scored(("a", True), ("a", True), ("b", True), ("b", True))
    assert found.right == (True, True, True, False)
    assert found.metrics["f1/oos"] == 0.0
    assert found.metrics["f1/b"] == pytest.approx(2 / 3)  # precision 1/2, recall 1
    assert found.metrics["automatic_precision"] == 3 / 4


def test_an_answer_that_went_to_a_person_is_still_right_or_wrong():
    found = scored(("a", False), ("b", False), ("b", False), ("a", False))
    assert found.right == (True, False, True, True)
    assert found.metrics["automatic_share"] == 0.0
    assert "automatic_precision" not in found.metrics  # of nothing there is no share


def test_no_items_give_no_figures():
    found = scored(items=[])
    assert (found.metrics, found.accuracy) == ({}, Rate(0, 0))


def test_answers_and_items_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        scored(("a", True))


def test_a_label_never_predicted_rightly_has_an_f1_of_zero_and_pulls_the_mean_down():
    # a: precision 2/3, recall 1: 4/5; b: 0
    given = {"predictions": ["a", "a", "a"], "references": ["a", "a", "b"]}
    assert LabelF1().compute(**given) == pytest.approx({"a": 4 / 5, "b": 0.0})
    assert MacroF1().compute(**given) == pytest.approx({"macro_f1": 2 / 5})


def test_a_label_that_is_nobodys_right_answer_has_no_f1_of_its_own():
    predictions, references = ["a", "a", "b", "c"], ["a", "b", "b", "b"]
    assert Accuracy().compute(predictions=predictions, references=references) == {"accuracy": 0.5}
    # a: precision 1/2, recall 1: 2/3; b: precision 1, recall 1/3: 1/2; c is nobody's right answer
    assert LabelF1().compute(predictions=predictions, references=references) == pytest.approx({"a": 2 / 3, "b": 1 / 2})
    assert MacroF1().compute(predictions=predictions, references=references)["macro_f1"] == pytest.approx(7 / 12)
