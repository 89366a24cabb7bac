"""Does the benchmark of new categories count as it says?"""

from __future__ import annotations

from benchmarks.growth import FROM_THE_START, by_cohort
from upkeep.statistics.rates import Rate


def test_requests_are_counted_by_when_their_category_came():
    months = [
        {"month": "2025-05", "by_label": {"a": {"n": 8, "right": 7}, "new": {"n": 2, "right": 0}}},
        {
            "month": "2025-06",
            "by_label": {"a": {"n": 5, "right": 5}, "new": {"n": 3, "right": 2}, "b": {"n": 1, "right": 1}},
        },
    ]
    assert by_cohort(months, {"a": FROM_THE_START, "b": FROM_THE_START, "new": "2025-05"}) == {
        "2025-05": {"2025-05": Rate(0, 2), "2025-06": Rate(2, 3)},
        FROM_THE_START: {"2025-05": Rate(7, 8), "2025-06": Rate(6, 6)},
    }
