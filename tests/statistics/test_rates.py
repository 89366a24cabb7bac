"""Does the Wilson interval give the published figures, and how is a rate told?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.statistics.rates import Rate, WeightedRate

RATES = st.integers(1, 500).flatmap(lambda n: st.integers(0, n).map(lambda hits: Rate(hits, n)))


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17, 1998, 857-872, table I, score method without correction
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons_as_published(hits, n, low, high):
    assert Rate(hits, n).interval() == pytest.approx((low, high), abs=5e-5)


def test_more_confidence_takes_a_wider_interval():
    # z = 3.0902 for 99.8 %: (0.6 + 9.5495 / 200 -+ 3.0902 * sqrt(0.24 / 100 + 9.5495 / 40000)) / 1.095495
    assert Rate(60, 100).interval(0.998) == pytest.approx((0.44638, 0.73618), abs=1e-4)


@given(RATES)
def test_the_interval_holds_the_share_and_hits_and_misses_mirror_each_other(rate):
    low, high = rate.interval()
    assert 0 <= low <= rate.value + 1e-12
    assert rate.value - 1e-12 <= high <= 1
    mirrored = Rate(rate.n - rate.hits, rate.n).interval()
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=1e-9)


@given(st.lists(RATES, max_size=5))
def test_the_sum_of_rates_counts_each_request_once(rates):
    assert sum(rates, Rate(0, 0)) == Rate(sum(rate.hits for rate in rates), sum(rate.n for rate in rates))


def test_true_ones_are_counted_once_through_a_generator():
    assert Rate.of(number > 2 for number in range(5)) == Rate(2, 5)
    assert Rate.of([]) == Rate(0, 0)


@pytest.mark.parametrize(("hits", "n"), [(-1, 4), (0, -1), (5, 4)])
def test_counts_that_cannot_be_are_refused(hits, n):
    with pytest.raises(ValueError, match=f"got {hits} of {n}"):
        Rate(hits, n)


def test_a_rate_is_told_with_its_interval_and_its_n():
    # Wilson of 8 in 10: (0.8 + 0.19207 -+ 1.96 * sqrt(0.016 + 0.009604)) / 1.38415 = 0.490, 0.943
    assert str(Rate(8, 10)) == "80.0% (95% CI 49.0%..94.3%, n=10)"
    assert str(Rate(0, 1204)).endswith(", n=1,204)")


def test_no_data_is_not_zero():
    assert Rate(0, 0).value is None
    assert Rate(0, 0).interval() == (0.0, 1.0)
    assert str(Rate(0, 0)) == "no data"
    assert Rate(0, 5).value == 0.0


def test_what_is_no_hit_is_a_hit_of_the_complement():
    assert Rate(3, 10).complement == Rate(7, 10)


@given(st.lists(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=6))
def test_parts_sampled_in_proportion_come_to_the_plain_rate(parts):
    rates = [Rate(hits, n) for n, hits in parts]
    weighted, plain = WeightedRate.of((7 * rate.n, rate) for rate in rates), sum(rates, Rate(0, 0))
    assert weighted.value == pytest.approx(plain.value)
    assert (weighted.n, weighted.effective) == (plain.n, pytest.approx(plain.n))
    assert weighted.interval() == pytest.approx(plain.interval(), abs=1e-9)


def test_a_part_without_a_sample_counts_as_the_others_do_and_nothing_is_no_data():
    known = [(100, Rate(9, 10)), (300, Rate(5, 10))]
    assert WeightedRate.of([*known, (1_000, Rate(0, 0))]) == WeightedRate.of(known)
    nothing = WeightedRate.of([(100, Rate(0, 0)), (0, Rate(1, 1))])
    assert (nothing.value, nothing.n, nothing.interval()) == (None, 0, (0.0, 1.0))


def test_the_weighted_interval_holds_the_share_of_all_requests_where_weeks_differ():
    # 50 audited a week, a busy week is a worse one: of 1,000 seeded months, 95 % nominal
    requests, right = np.array([1_000, 1_000, 1_000, 5_000]), np.array([0.92, 0.92, 0.92, 0.7])
    months = np.random.default_rng(5).binomial(50, right, size=(1_000, 4)).tolist()
    audits = [[Rate(hits, 50) for hits in month] for month in months]
    weighted = [WeightedRate.of(zip(requests.tolist(), month, strict=True)).interval() for month in audits]
    plain = [sum(month, Rate(0, 0)).interval() for month in audits]
    truth = float(requests @ right / requests.sum())
    assert sum(low <= truth <= high for low, high in weighted) >= 930
    assert sum(low <= truth <= high for low, high in plain) < 500
