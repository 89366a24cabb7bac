"""Is a distance far out only if its like are not as far out now and then?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f

from upkeep.statistics.overdispersion import chance_beyond


def test_where_all_scatter_is_chance_it_is_an_f_test_with_a_fifth_less_freedom():
    usual = [0.9, 1.1] * 10  # their variance of 0.0105 alone would mean 190 degrees of freedom
    assert chance_beyond(2.0, usual, 20) == pytest.approx(f.sf(2.0, 16, 16 * 19))  # 20 / 1.25


def test_where_hardly_any_is_chance_freedom_is_less_than_half_of_what_the_scatter_says():
    usual = [5.0, 15.0] * 10  # mean 10, variance 500 / 19: 2 * 100 / 26.3 = 7.6, by 2.5 - 1.25 / 10
    assert chance_beyond(40.0, usual, 20) == pytest.approx(f.sf(4.0, 7.6 / 2.375, 7.6 / 2.375 * 19))


def test_distances_that_do_not_scatter_at_all_have_all_their_freedom():
    assert chance_beyond(2.0, [1.0, 1.0, 1.0, 1.0], 20) == pytest.approx(f.sf(2.0, 16, 16 * 3))


def test_the_farther_out_the_less_likely_and_never_more_than_chance_where_weeks_are_calmer_than_that():
    usual = [0.5, 0.7, 0.6, 0.8]
    chances = [chance_beyond(seen, usual, 10) for seen in (0.5, 1.0, 2.0, 4.0)]
    assert chances == sorted(chances, reverse=True)
    louder = [one + 0.35 for one in usual]  # 1 on average; the others, below it, count as 1 as well
    assert chance_beyond(1.0, usual, 10) == pytest.approx(chance_beyond(1.0, louder, 10))


def test_what_differs_in_one_direction_only_is_rarely_called_far_out():
    rng = np.random.default_rng(0)
    weeks = rng.chisquare(20, size=(1500, 25)) / 20 + 3 * rng.chisquare(1, size=(1500, 25))
    found = [chance_beyond(float(row[-1]), row[:-1].tolist(), 20) < 0.01 for row in weeks]
    assert np.mean(found) < 0.02
    fixed = [f.sf(row[-1] / row[:-1].mean(), 20, 20 * 23) < 0.01 for row in weeks]
    assert np.mean(fixed) > 0.05
