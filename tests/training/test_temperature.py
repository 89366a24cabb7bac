"""Is what a classifier is sure of as often right as it says?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax

from upkeep.training.temperature import fit_temperature


def drawn(n: int, *, seed: int = 0, spread: float = 2.0):
    """Logits of five labels, and labels drawn as they say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=spread, size=(n, 5))
    truth = np.array([rng.choice(5, p=softmax(row)) for row in logits])
    return logits, truth


@pytest.mark.parametrize("times", [0.4, 1.0, 3.0])
def test_it_finds_by_what_confidences_are_too_high_or_too_low(times):
    logits, truth = drawn(4000)
    found = fit_temperature(softmax(times * logits, axis=1), truth)
    assert found.temperature == pytest.approx(times, rel=0.08)


def test_the_loss_is_of_the_scaled_chances():
    logits, truth = drawn(300)
    found = fit_temperature(softmax(3 * logits, axis=1), truth)
    scaled = 3 * logits / found.temperature
    by_hand = (logsumexp(scaled, axis=1) - scaled[np.arange(300), truth]).mean()
    assert found.loss == pytest.approx(by_hand)


def test_a_few_right_answers_make_nothing_certain():
    chances = np.full((3, 2), [0.9, 0.1])
    found = fit_temperature(chances, np.zeros(3, dtype=np.int64))
    assert 0.5 < found.temperature < 1.0  # without the prior it would go to 0
    assert fit_temperature(np.zeros((0, 2)), np.zeros(0, dtype=np.int64)) == (1.0, 0.0)


@given(st.floats(0.2, 5.0), st.integers(0, 50))
def test_how_sure_it_was_before_changes_no_loss_where_there_are_many_cases(times, seed):
    logits, truth = drawn(600, seed=seed)
    once, again = (fit_temperature(softmax(k * logits, axis=1), truth).loss for k in (1.0, times))
    assert once == pytest.approx(again, rel=0.02)


def test_chances_of_nothing_are_no_infinite_loss():
    found = fit_temperature(np.array([[1.0, 0.0]]), np.array([1]))
    assert math.isfinite(found.loss)
