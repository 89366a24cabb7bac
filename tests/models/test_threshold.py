"""Is the threshold the lowest one that keeps the promise, whatever the requests stand for?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.models.threshold import NOTHING_AUTOMATIC, Fit, fit_threshold

# few different confidences, so that ties are common; whole weights, so that shares are not blurred by rounding
HELD_OUT = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.7, 0.9, 1.0]), st.booleans(), st.integers(1, 5)), min_size=1)


def fit(rows, promised: float) -> Fit:
    confidence, right, weight = (np.array(column) for column in zip(*rows, strict=True))
    return fit_threshold(confidence.astype(float), right.astype(bool), weight=weight.astype(float), promised=promised)


def kept(rows, threshold: float) -> tuple[int, int]:
    """How many requests are answered alone from a threshold on, and how many of them rightly."""
    alone = [(right, weight) for confidence, right, weight in rows if confidence >= threshold]
    return sum(weight for _, weight in alone), sum(weight for right, weight in alone if right)


@given(HELD_OUT, st.sampled_from([0.5, 0.75, 0.95, 1.0]))
def test_no_lower_threshold_keeps_the_promise(rows, promised):
    found = fit(rows, promised)
    for lower in {confidence for confidence, _, _ in rows if confidence < found.threshold}:
        answered, right = kept(rows, lower)
        assert right / answered < promised


@given(HELD_OUT, st.sampled_from([0.5, 0.75, 0.95, 1.0]))
def test_the_fit_says_what_the_threshold_really_gives(rows, promised):
    found = fit(rows, promised)
    answered, right = kept(rows, found.threshold)
    assert found.n == len(rows)
    assert found.automatic == pytest.approx(answered / sum(weight for *_, weight in rows))
    if answered:
        assert found.precision == pytest.approx(right / answered)
        assert found.precision >= promised
    else:
        assert (found.threshold, found.precision) == (NOTHING_AUTOMATIC, None)


@given(HELD_OUT, st.randoms())
def test_the_order_of_the_requests_does_not_matter(rows, shuffler):
    other = rows.copy()
    shuffler.shuffle(other)
    assert fit(rows, 0.75) == fit(other, 0.75)


def test_a_dip_below_the_promise_is_passed_over_where_it_is_made_up_for():
    # from the surest down: 1, 1/2, 2/3, 3/4, 4/5
    rows = [(0.9, True, 1), (0.8, False, 1), (0.7, True, 1), (0.6, True, 1), (0.5, True, 1)]
    assert fit(rows, 0.8) == Fit(threshold=0.5, automatic=1.0, precision=0.8, n=5)


def test_a_promise_kept_exactly_is_kept():
    # 19 of 20
    rows = [(0.9, True, 1)] * 19 + [(0.8, False, 1)]
    assert fit(rows, 0.95).threshold == 0.8
    assert fit(rows, 0.951).threshold == 0.9


def test_full_confidence_does_not_reach_the_threshold_of_an_unkept_promise():
    assert fit([(1.0, False, 1)], 0.95).threshold > 1.0


def test_what_has_no_confidence_is_never_automatic():
    assert fit([(0.9, True, 1), (0.0, True, 1)], 0.9) == Fit(threshold=0.9, automatic=0.5, precision=1.0, n=2)


def test_without_held_out_cases_nothing_is_automatic():
    nothing = np.zeros(0)
    found = fit_threshold(nothing, nothing.astype(bool), weight=nothing, promised=0.5)
    assert found == Fit(threshold=NOTHING_AUTOMATIC, automatic=0.0, precision=None, n=0)


def test_a_weight_says_how_many_requests_an_item_stands_for():
    # one right request against a wrong one that stands for three, and against one that stands for one: 1/4, 1/2
    assert fit([(0.9, True, 1), (0.8, False, 3)], 0.5).threshold == 0.9
    assert fit([(0.9, True, 1), (0.8, False, 1)], 0.5).threshold == 0.8
