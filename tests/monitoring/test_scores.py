"""How far out is a week, and what do earlier weeks lead one to expect?"""

from __future__ import annotations

import math

import pytest

from upkeep.monitoring.scores import learn, likelihood, score
from upkeep.statistics.rates import Rate


def test_a_score_is_the_normal_quantile_of_the_count():
    # 3 of 4 at one half: P(fewer) + P(3) / 2 = 11/16 + 2/16 = 0.8125, whose normal quantile is 0.8871
    assert score(Rate(3, 4), expected=0.5, sd=1e-9) == pytest.approx(0.8871, abs=1e-4)
    # many requests: only the spread counts, two points below are one spread
    assert score(Rate(850_000, 1_000_000), expected=0.87, sd=0.02) == pytest.approx(-1, abs=0.02)


def test_a_likelihood_is_the_binomial_s_averaged_over_the_rates_that_a_week_may_have():
    assert likelihood(Rate(3, 4), expected=0.5, sd=1e-9) == pytest.approx(4 * math.log(0.5))  # no constant
    # E[p (1 - p)] at 0.5 with sd 0.1 is 0.25 - 0.01
    assert likelihood(Rate(1, 2), expected=0.5, sd=0.1) == pytest.approx(math.log(0.24), abs=1e-3)


def test_the_spread_is_learned_from_large_weeks_and_assumed_for_small_ones():
    restless = [Rate(round(10_000 * share), 10_000) for share in (0.82, 0.92) * 13]  # sd 5 points, almost no noise
    calm = [Rate(8_700, 10_000)] * 26
    small = [Rate(17, 20)] * 26
    between = math.sqrt((26 * 0.0026 + 52 * 0.0004) / 78)  # variance 26/25 * 0.0025 of the weeks, 0.0004 assumed
    assert learn(restless, assumed_spread=0.02).spread == pytest.approx(between, rel=0.05)
    assert learn(calm, assumed_spread=0.02).spread < 0.0175
    assert learn(small, assumed_spread=0.02).spread == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("weeks", range(4, 53))
def test_no_rate_above_one_is_learned(weeks: int):
    assert learn([Rate(40 + at % 17, 40 + at % 17) for at in range(weeks)], assumed_spread=0.02).rate <= 1
