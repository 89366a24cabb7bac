"""Figures that are no plain share carry an interval from the same items for both models."""

from __future__ import annotations

import numpy as np
import pytest

from upkeep.evaluation.differences import Answered, differences
from upkeep.metrics.macro_f1 import MacroF1

WANTED = ["a", "a", "b", "b"]


def answered(outputs: str, *, sure=0.9, automatic="1111", wanted=WANTED) -> Answered:
    right = [output == answer for output, answer in zip(outputs, wanted, strict=True)]
    return Answered(list(outputs), [sure] * len(outputs), [one == "1" for one in automatic], right)


def by_name(champion: Answered, challenger: Answered, wanted=WANTED):
    return {one.figure: one for one in differences("golden", wanted, champion=champion, challenger=challenger, seed=0)}


def test_each_figure_is_that_of_the_items_themselves():
    found = by_name(answered("aabb"), answered("aaab", automatic="1100"))
    # the challenger: F1 of a is 2 * 2 / (3 + 2) = .8, of b 2 * 1 / (1 + 2) = .667
    assert (found["macro_f1"].champion, found["macro_f1"].challenger) == (1.0, pytest.approx((0.8 + 2 / 3) / 2))
    assert (found["automatic_share"].champion, found["automatic_share"].challenger) == (1.0, 0.5)
    assert (found["automatic_precision"].champion, found["automatic_precision"].challenger) == (1.0, 1.0)
    # sure .9: right always is a gap of .1, right in three of four one of .15
    assert found["calibration_error"].champion == pytest.approx(0.1)
    assert found["calibration_error"].challenger == pytest.approx(0.15)
    assert str(found["automatic_share"]).startswith("golden, automatic_share: challenger 0.500, champion 1.000, 95% CI")


def test_macro_f1_is_the_one_that_is_logged_of_each_model():
    rng = np.random.default_rng(1)
    wanted, said = ([str(label) for label in rng.integers(0, high, 150)] for high in (6, 8))
    one = answered(said, wanted=wanted, automatic="1" * 150)
    logged = MacroF1().compute(predictions=said, references=wanted)["macro_f1"]
    assert by_name(one, one, wanted)["macro_f1"].champion == pytest.approx(logged)


def test_a_model_does_not_differ_from_itself():
    rng = np.random.default_rng(0)
    wanted = [str(label) for label in rng.integers(0, 5, 200)]
    one = answered([str(label) for label in rng.integers(0, 5, 200)], automatic="10" * 100, wanted=wanted)
    assert {tuple(found.interval) for found in by_name(one, one, wanted).values()} == {(0.0, 0.0)}


def test_an_interval_is_about_that_of_the_normal_approximation():
    # 400 items, 40 more automatic: sd of a paired difference of .1 is sqrt((.1 - .01) / 400) = .015
    few, more = "1" * 200 + "0" * 200, "1" * 240 + "0" * 160
    wanted = ["a"] * 400
    found = by_name(
        answered("a" * 400, automatic=few, wanted=wanted), answered("a" * 400, automatic=more, wanted=wanted), wanted
    )["automatic_share"]
    assert found.challenger - found.champion == pytest.approx(0.1)
    assert found.interval.low == pytest.approx(0.1 - 1.96 * 0.015, abs=0.004)
    assert found.interval.high == pytest.approx(0.1 + 1.96 * 0.015, abs=0.004)


def test_what_a_model_does_not_have_is_not_told():
    found = by_name(answered("aabb", automatic="0000"), answered("aabb"))
    assert "automatic_precision" not in found
    assert differences("golden", [], champion=answered("", wanted=[]), challenger=answered("", wanted=[]), seed=0) == ()
