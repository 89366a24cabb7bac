"""Both models are timed on the same requests, one at a time and in turn."""

from __future__ import annotations

from itertools import accumulate

import pytest

from upkeep.evaluation.cost import Cost, cost, time_answers


class Model:
    """A model that writes down what it was asked."""

    def __init__(self, name: str, asked: list[tuple[str, list[str]]]) -> None:
        self.name = name
        self.asked = asked

    def answer(self, texts):
        self.asked.append((self.name, list(texts)))
        return [None] * len(texts)


def timed(texts: list[str], *, seed: int = 0, clock=lambda: 0.0):
    asked: list[tuple[str, list[str]]] = []
    models = {name: Model(name, asked) for name in ("1", "2")}
    return time_answers(models, texts, seed=seed, clock=clock), asked


def test_the_models_take_turns_on_each_text_and_in_who_begins_after_one_request_that_is_not_timed():
    # begun and answered: 1 answers in 1 and 4 seconds, 2 in 2 and 3
    ticks = iter(list(accumulate([0, 1, 0, 2, 0, 3, 0, 4])))
    seconds, asked = timed(["a", "b"], clock=lambda: next(ticks))
    assert seconds == {"1": [1, 4], "2": [2, 3]}
    first, second = asked[0][1], asked[-1][1]
    assert {*first, *second} == {"a", "b"}
    assert asked == [("1", first), ("2", first), ("1", first), ("2", first), ("2", second), ("1", second)]


def test_of_many_texts_thirty_are_drawn_and_the_same_ones_again():
    texts = [str(number) for number in range(100)]
    seconds, asked = timed(texts)
    assert [len(found) for found in seconds.values()] == [30, 30]
    drawn = [one for _, (one,) in asked[2::2]]
    assert len(set(drawn)) == 30
    assert drawn != texts[:30]
    assert timed(texts)[1] == asked
    assert timed(texts, seed=1)[1] != asked


def test_median_and_95th_percentile_are_told_in_milliseconds_and_the_size_in_megabytes():
    # the 95th percentile of five lies 0.95 * 4 = 3.8 steps up: 0.04 + 0.8 * 0.06
    found = cost([0.03, 0.01, 0.10, 0.02, 0.04], 1_250_000)
    assert found.metrics == pytest.approx({"latency_ms/median": 30, "latency_ms/p95": 88, "release_mb": 1.25})
    assert str(Cost(30, 88, 5, 1.25)) == (
        "an answer takes 30.0 ms (median; 95 % of 5 within 88.0 ms), the release has 1.25 MB"
    )
