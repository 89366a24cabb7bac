"""Are the words told that a week's requests have more often than chance explains, and no others?"""

from __future__ import annotations

import numpy as np
import pytest

from upkeep.config import Redaction
from upkeep.monitoring.risen_words import RisenWord, most_worded, risen_words
from upkeep.statistics.rates import Rate

WORDS = [f"{one}{other}ing" for one in "bdfgklmnprst" for other in ("ea", "oo", "ui", "ai", "au")]


def usual(n: int, seed: int) -> list[str]:
    """Requests of eight words each, some words far more frequent than others."""
    rng = np.random.default_rng(seed)
    often = 1 / np.arange(1, len(WORDS) + 1)
    return [" ".join(rng.choice(WORDS, 8, p=often / often.sum())) for _ in range(n)]


def test_the_words_that_came_up_are_told_with_how_often_they_were_there_before():
    texts = [*usual(90, seed=1), *(f"{one} my Download stops" for one in usual(10, seed=2))]
    before = [*usual(395, seed=3), *(f"download {one}" for one in usual(5, seed=4))]
    first, *others = risen_words(texts, before, Redaction())
    assert {first.word, *(one.word for one in others)} == {"download", "stops"}
    told = {one.word: one for one in (first, *others)}
    assert told["download"].now == Rate(10, 100)
    assert told["download"].before == Rate(5, 400)
    assert str(told["download"]) == "`download` in 10 of 100 (1.2% before)"


def test_of_weeks_like_those_before_no_word_is_told_but_once_in_twenty():
    found = [risen_words(usual(100, seed=n), usual(1_000, seed=1_000 + n), Redaction()) for n in range(200)]
    assert sum(map(bool, found)) <= 17  # 95 % of ten at most, if each were found in one of twenty


@pytest.mark.parametrize("before", [[], ["once more"]])
def test_without_weeks_before_there_is_nothing_to_tell(before):
    assert risen_words(["my parcel is late"] * 5, before, Redaction()) == []


def test_no_personal_data_is_a_word_that_came_up():
    texts = [*usual(90, seed=1), *["write to lovelace@example.org at once"] * 10]
    told = {one.word for one in risen_words(texts, usual(400, seed=2), Redaction())}
    assert {"write", "once"} <= told
    assert not told & {"lovelace", "example", "org", "mail"}


def test_the_requests_with_most_of_the_words_come_first():
    words = risen_words(["the download stops"] * 5, usual(100, seed=1), Redaction())
    texts = ["a tent", "it stops", "the Download stops", "stopping"]
    assert most_worded(texts, words) == ["the Download stops", "it stops"]


def test_a_word_is_found_in_a_text_as_it_is_counted():
    word = RisenWord("download", Rate(5, 5), Rate(0, 100))
    assert [one.start() for one in word.pattern.finditer("all Downloads, DOWNLOAD2 (download)")] == [15, 26]
