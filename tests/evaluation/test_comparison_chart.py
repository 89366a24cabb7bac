"""The picture of a comparison shows what the figures say, and all of it."""

from __future__ import annotations

from io import BytesIO

import pytest
from matplotlib.image import imread

from upkeep.evaluation.breakdown import by_label
from upkeep.evaluation.comparison_chart import Sureness, draw_comparison, reliable, short
from upkeep.evaluation.confusions import Confused
from upkeep.statistics.rates import Rate

LONG = "why_was_my_card_payment_declined_or_reverted_by_the_bank_{:02}"


def test_a_tenth_of_confidence_has_its_mean_and_its_share_right():
    model = Sureness("champion", [0.91, 0.92, 0.93, 0.94, 1.0, 0.1], [True, True, True, True, False, True])
    ((sure, rate),) = reliable(model)  # the tenth with one answer is left out
    assert sure == pytest.approx(0.94)  # (.91 + .92 + .93 + .94 + 1) / 5
    assert rate == Rate(4, 5)


def test_a_long_label_is_drawn_with_its_beginning_and_its_end():
    assert short("billing") == "billing"
    assert short("x" * 36) == "x" * 36
    # 35 characters and an ellipsis
    assert short(LONG.format(7)) == "why_was_my_card_pa…ed_by_the_bank_07"
    assert len(short(LONG.format(7))) == 36


@pytest.mark.parametrize("names", [[], ["billing", "cash_$5_or_$10"], [LONG.format(n) for n in range(40)]])
def test_a_picture_of_no_two_or_forty_labels_with_long_names_is_cut_off_nowhere(names):
    truth = names * 5
    labels = by_label(truth, champion=[True] * len(truth), challenger=[n % 3 == 0 for n in range(len(truth))])
    confused = [Confused(name, names[n - 1], 1000, 10 * n) for n, name in enumerate(names)]
    models = [Sureness(name, [0.1 * (n % 10) for n in range(200)], [n % 2 == 0 for n in range(200)]) for name in "ab"]
    picture = imread(BytesIO(draw_comparison(labels, confused, *models)))
    assert picture.shape[1] == 1200
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert (edge == 1).all()
    taller = 0.45 * (15 - 1) if len(names) == 40 else 0.45 * max(len(names) - 1, 0)
    assert picture.shape[0] >= 100 * (4.2 + 1.85 + taller) - 1
