"""Is an estimate without labels right while confidence means what it meant, and never taken for more?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.monitoring.test_changes import ORDINARY
from upkeep.monitoring.estimate import Estimate, estimate_accuracy
from upkeep.monitoring.figures import Figures
from upkeep.statistics.rates import Rate


def checked(treated: dict[int, Rate], confidences: dict[int, int] | None = None) -> Figures:
    return replace(ORDINARY[0], treated=treated, confidences=confidences or {})


def test_every_answer_counts_with_the_share_right_among_those_as_sure():
    before = [checked({9: Rate(45, 50), 5: Rate(5, 10)}), checked({9: Rate(45, 50), 5: Rate(5, 10)})]
    found = estimate_accuracy(checked({}, {9: 300, 5: 100}), before, minimum=50, weekly_spread=0.02)
    assert found is not None
    assert found.value == pytest.approx(0.75 * 0.9 + 0.25 * 0.5)
    assert found.checked == 120
    # by hand: 0.75^2 * 91/102 * 11/102 / 100 + 0.25^2 * 0.25 / 20 + 0.02^2 * (1 + 1/2 week) = 0.04385^2
    # and of 400 answers themselves (0.75 * 91/102 * 11/102 + 0.25 * 0.25) / 400 = 0.01836^2
    assert found.high - found.value == pytest.approx(1.96 * 0.04754, abs=1e-4)
    assert str(found) == "about 80% (71%..89%, from 120 answers checked before)"


def test_none_wrong_of_a_few_is_not_never_wrong():
    found = estimate_accuracy(checked({}, {9: 300}), [checked({9: Rate(60, 60)})], minimum=50, weekly_spread=0)
    assert found is not None
    # 61/62 * 1/62 * (1/60 + 1/300) is 0.0178 squared
    assert (found.value, found.low) == (1.0, pytest.approx(1 - 1.96 * 0.01782, abs=1e-4))


def test_a_share_never_falls_as_confidence_rises():
    # 6 of 10 at the 5th tenth and 5 of 10 at the 6th are taken together: 11 of 20
    before = [checked({5: Rate(6, 10), 6: Rate(5, 10), 9: Rate(30, 30)})]
    found = estimate_accuracy(checked({}, {5: 10}), before, minimum=50, weekly_spread=0.02)
    assert found is not None
    assert found.value == pytest.approx(0.55)


def test_too_few_checked_answers_make_no_estimate():
    assert estimate_accuracy(checked({}, {9: 10}), [checked({9: Rate(49, 49)})], minimum=50, weekly_spread=0.02) is None
    assert estimate_accuracy(checked({}, {}), [checked({9: Rate(90, 100)})], minimum=50, weekly_spread=0.02) is None


@pytest.mark.parametrize("requests", [20, 40, 300, 2000])
def test_its_interval_holds_the_week_s_own_accuracy_while_confidence_means_what_it_meant(requests):
    rng = np.random.default_rng(4)
    right = np.linspace(0.3, 0.98, 10)
    held = []
    for _ in range(300):
        mix, harder = rng.dirichlet(np.arange(1, 11)), rng.dirichlet(np.full(10, 3.0))
        asked = rng.multinomial(400, mix)
        before = [checked({tenth: Rate(int(rng.binomial(n, right[tenth])), int(n)) for tenth, n in enumerate(asked)})]
        week = rng.multinomial(requests, harder)
        now = checked({}, dict(enumerate(week.tolist())))
        found = estimate_accuracy(now, before, minimum=50, weekly_spread=0)
        assert isinstance(found, Estimate)
        held.append(found.low <= rng.binomial(week, right).sum() / requests <= found.high)
    assert 0.92 < np.mean(held) < 0.99


def test_a_changed_policy_leaves_it_as_it_was():
    before = [checked({9: Rate(90, 100)})]
    unmoved = checked({9: Rate(10, 60)}, {9: 300})  # the labels of this week, which it must not use, say one in six
    found = estimate_accuracy(unmoved, before, minimum=50, weekly_spread=0.02)
    assert found is not None
    assert found.value == pytest.approx(0.9)
