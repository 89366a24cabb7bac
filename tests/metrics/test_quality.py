"""Is the model as sure as it is right, and which labels does it mix up?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.monitoring.test_review import CLIENT, START, outcome, prediction, window
from upkeep.log.entries import Prediction
from upkeep.log.tally import latency_at, latency_bin, latency_of, tally
from upkeep.metrics.quality import Calibrated, Confusion, by_label, calibration_error, macro_f1
from upkeep.monitoring.figures import Slice, figures
from upkeep.statistics.rates import Rate


def sure(number: int, confidence: float, output: str | None = "a", latency: float | None = None) -> Prediction:
    at = START + timedelta(minutes=number)
    return Prediction(str(number), at, "text", output, confidence, "1", output is not None, latency)


def test_confidence_is_compared_with_what_was_right_by_tenths():
    rows = [sure(0, 0.95), sure(1, 1.0), sure(2, 0.91), sure(3, 0.3)]
    found = figures(window(rows, [outcome(0), outcome(1), outcome(2, "b"), outcome(3)]), CLIENT).calibration
    assert found == (Calibrated(0.3, 0.3, Rate(1, 1)), Calibrated(0.9, pytest.approx(2.86 / 3), Rate(2, 3)))
    # |1 - 0.3| of one request and |2 - 2.86| of three: (0.7 + 0.86) / 4
    assert calibration_error(found) == pytest.approx(0.39)
    assert calibration_error(()) is None


def test_a_request_that_no_label_fits_was_answered_wrong_however_it_was_treated():
    handed_on = prediction(0, automatic=False)
    found = figures(window([handed_on], [outcome(0, "oos")]), CLIENT)
    assert found.accuracy == Rate(1, 1)
    assert found.calibration[0].right == Rate(0, 1)


def test_answers_are_counted_as_given_and_right():
    rows = [prediction(0), prediction(1), prediction(2, "b"), prediction(3, "b"), sure(4, 0.1, None)]
    told = [outcome(0), outcome(1), outcome(2), outcome(3, "b"), outcome(4, "b")]
    found = figures(window(rows, told), CLIENT).confusion
    assert found == (Confusion("a", "a", 2), Confusion("", "b", 1), Confusion("b", "a", 1), Confusion("b", "b", 1))
    labels = by_label(found)
    assert (labels["a"].precision, labels["a"].recall) == (Rate(2, 2), Rate(2, 3))
    assert (labels["b"].precision, labels["b"].recall) == (Rate(1, 2), Rate(1, 2))
    # F1 of a: 2 * 2 / (2 + 3) = 0.8, of b: 2 * 1 / (2 + 2) = 0.5
    assert macro_f1(found) == pytest.approx(0.65)
    assert macro_f1(()) is None


def test_a_bare_wrong_names_no_answer_and_is_not_in_the_confusion():
    found = figures(window([prediction(0)], [outcome(0, None, correct=False)]), CLIENT)
    assert found.accuracy == Rate(0, 1)
    assert found.confusion == ()


def test_figures_are_broken_down_by_the_metadata_that_the_config_names():
    client = CLIENT.model_copy(update={"review_by": ("channel",)})
    rows = [replace(prediction(n), metadata={"channel": "email" if n < 3 else "chat"}) for n in range(5)]
    rows.append(replace(prediction(5, automatic=False), metadata={}))
    told = [outcome(0), outcome(1, "b"), outcome(3)]
    found = figures(window(rows, told), client).slices["channel"]
    assert list(found) == ["email", "chat", "(none)"]
    assert found["email"] == Slice(3, Rate(1, 2), Rate(1, 2), Rate(1, 2), Rate(0, 3))
    assert found["(none)"] == Slice(1, Rate(0, 0), Rate(0, 0), Rate(0, 0), Rate(1, 1))


def test_rare_values_are_taken_together():
    client = CLIENT.model_copy(update={"review_by": ("shop",)})
    rows = [replace(prediction(n), metadata={"shop": n if n < 30 else 0}) for n in range(40)]
    found = figures(window(rows, []), client).slices["shop"]
    assert len(found) == 21
    assert (found["0"].requests, found["(others)"].requests) == (11, 10)


def test_latency_is_known_within_five_percent():
    counted = tally(window([sure(n, 0.5, latency=float(n)) for n in range(1, 101)], []))
    assert latency_at(counted, 0.5) == pytest.approx(50, rel=0.05)
    assert latency_at(counted, 0.95) == pytest.approx(95, rel=0.05)
    assert latency_at(tally(window([sure(0, 0.5)], [])), 0.5) is None
    for milliseconds in (0.01, 1, 37, 4_000):
        assert latency_of(latency_bin(milliseconds)) == pytest.approx(milliseconds, rel=0.05)


def test_label_delay_is_counted_in_whole_days_until_the_first_opinion():
    found = figures(window([prediction(0), prediction(1)], [outcome(0), outcome(1), outcome(1, "b")]), CLIENT)
    assert found.label_delay == {1: 2}
