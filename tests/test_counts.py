"""Is one thing told as one?"""

from __future__ import annotations

from upkeep.counts import count_of


def test_one_is_told_as_one_and_all_else_as_many():
    told = [count_of(n, "case") for n in (0, 1, 2, 1204)]
    assert told == ["0 cases", "1 case", "2 cases", "1,204 cases"]
    assert [count_of(n, "new category", "new categories") for n in (1, 2)] == ["1 new category", "2 new categories"]
