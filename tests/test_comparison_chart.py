"""The picture of a comparison shows what the figures say."""

from __future__ import annotations

import pytest

from upkeep.comparison import by_label
from upkeep.comparison_chart import Sureness, draw_comparison, reliable
from upkeep.rates import Rate


def test_a_tenth_of_confidence_has_its_mean_and_its_share_right():
    model = Sureness("champion", [0.91, 0.92, 0.93, 0.94, 1.0, 0.1], [True, True, True, True, False, True])
    ((sure, rate),) = reliable(model)  # the tenth with one answer is left out
    assert sure == pytest.approx(0.94)  # (.91 + .92 + .93 + .94 + 1) / 5
    assert rate == Rate(4, 5)


def test_a_picture_is_drawn_of_many_labels_and_of_none():
    truth = [f"label {n % 40}" for n in range(200)]
    labels = by_label(truth, champion=[True] * 200, challenger=[n % 3 == 0 for n in range(200)])
    models = [Sureness(name, [0.1 * (n % 10) for n in range(200)], [n % 2 == 0 for n in range(200)]) for name in "ab"]
    for picture in (draw_comparison(labels, *models), draw_comparison((), *models)):
        assert picture.startswith(b"\x89PNG")
