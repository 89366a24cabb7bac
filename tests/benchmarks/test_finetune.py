"""Does the benchmark of fine-tuning count and divide as it says?"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.intents import UNKNOWN, numbered, some
from benchmarks.learned import Clock, Look, Spent, loss, reached
from benchmarks.processor import OUTSIDE, Peak, grouped, of_layer
from upkeep.cases.case import Case, Source
from upkeep.statistics.rates import Rate

LOOKS = [Look(Spent(at, 2 * at), Rate(hits, 100)) for at, hits in ((10.0, 60), (20.0, 80), (30.0, 79), (40.0, 90))]


class Hand:
    """A clock that is moved by hand; the processor works half of the time."""

    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return Spent(self.at, self.at / 2)


@pytest.mark.parametrize(("hits", "seconds"), [(60, 10.0), (79, 20.0), (81, 40.0), (91, None)])
def test_an_accuracy_is_reached_by_the_first_look_that_has_it(hits, seconds):
    assert reached(LOOKS, Rate(hits, 100)) == (seconds and Spent(seconds, 2 * seconds))


def test_looking_is_not_training():
    hand = Hand()
    clock = Clock(hand)
    hand.at = 4.0
    with clock.standing():
        hand.at = 10.0
        assert clock.spent.seconds == 10.0
    assert clock.spent == Spent(4.0, 2.0)
    hand.at = 11.0
    assert clock.spent == Spent(5.0, 2.5)


def test_rows_are_drawn_the_same_for_a_seed_and_stay_in_order():
    cases = [Case(str(number), f"text {number}", "a", Source.LAUNCH) for number in range(50)]
    drawn = some(cases, 10, seed=1)
    assert drawn == some(cases, 10, seed=1) != some(cases, 10, seed=2)
    assert [int(one.id) for one in drawn] == sorted(int(one.id) for one in drawn)
    assert some(cases, None, seed=1) == some(cases, 99, seed=1) == cases


def test_a_label_that_nothing_was_taught_of_is_never_the_right_answer():
    assert numbered(["b", "c", "a"], ["a", "b"]).tolist() == [1, UNKNOWN, 0]


def test_a_loss_is_the_mean_surprise_over_texts_that_have_a_right_label():
    found = np.log(np.array([[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]])) + 7  # logits may be shifted
    # of labels 0 and 1, the third text has none: -(ln .5 + ln .8) / 2
    assert loss(found, np.array([0, 1, UNKNOWN])) == pytest.approx(-(np.log(0.5) + np.log(0.8)) / 2)


def test_a_layer_at_the_peak_takes_as_long_as_its_products():
    # width 2, inner 4: 4 * 2 * 2 = 16 and 2 * 2 * 4 = 16; 16 at 2 a second take 8 s, 16 at 4 take 4 s: 32 in 12 s
    assert of_layer(Peak(square=2.0, wide=4.0), width=2, inner=4) == pytest.approx(32 / 12)


def test_the_shares_of_a_step_add_up_and_what_no_operator_took_is_outside():
    took = {"aten::addmm": 3.0, "aten::mm": 2.0, "aten::add_": 1.0, "aten::gelu_backward": 1.0, "AddmmBackward0": 0.5}
    found = grouped(took, whole=10.0)
    assert found == pytest.approx(
        {
            "matrix products": 0.5,
            OUTSIDE: 0.25,
            "sums and products by element": 0.1,
            "GELU": 0.1,
            "other operators": 0.05,
        }
    )
    assert next(iter(found)) == "matrix products"
