"""Is it seen when requests come to look otherwise, and not when they do not?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from upkeep.monitoring.input_shift import (
    Inputs,
    describe_inputs,
    distance,
    language,
    pooled,
    signs_of_shift,
    vocabulary,
    weekly_distances,
    words_of,
)
from upkeep.monitoring.trouble import WEEKLY_BUDGET
from upkeep.statistics.rates import Rate

WIDTH = 32
TOPICS = np.random.default_rng(1).normal(size=(12, WIDTH))
WORDS = ["where", "parcel", "order", "refund", "money", "late", "please", "help"]


def week(seed: int, *, n: int = 150, novel: float = 0.0, text: str = "", share: float = 0.0) -> Inputs:
    """Requests about ten topics in a mix that is a little restless; `novel` of them are about two others,
    `share` of them read `text`."""
    rng = np.random.default_rng(seed)
    mix = rng.dirichlet(np.full(10, 60.0)) * (1 - novel)
    topic = rng.choice(12, size=n, p=[*mix, novel / 2, novel / 2])
    vectors = TOPICS[topic] + rng.normal(size=(n, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(6, 14))) for _ in range(n)]
    texts[: int(share * n)] = [text] * int(share * n)
    return describe_inputs(
        texts, vectors.astype(np.float32), known=vocabulary([*texts, *WORDS]) - vocabulary([text]), base="b"
    )


USUAL = [week(seed) for seed in range(12)]


def texts_of(now: Inputs, earlier: Sequence[Inputs] = USUAL) -> list[str]:
    return [sign.text for sign in signs_of_shift(now, earlier, budget=WEEKLY_BUDGET)]


def test_weeks_of_which_the_answers_in_conversations_were_looked_at_too_are_no_comparison():
    old = [replace(one, answered=None) for one in USUAL]
    moved = week(50, novel=0.6)
    assert texts_of(moved, old) != []  # nobody has a conversation: nothing is otherwise than it was
    assert texts_of(replace(moved, answered=5), old) == []
    assert texts_of(moved, [*old[:4], *(replace(one, answered=5) for one in USUAL[4:])]) != []
    assert texts_of(moved, [*old[:9], *(replace(one, answered=5) for one in USUAL[9:])]) == []


def test_ordinary_weeks_bring_no_sign():
    weeks = [week(100 + seed) for seed in range(212)]
    assert [texts_of(weeks[at], weeks[at - 12 : at]) for at in range(12, 212)] == [[]] * 200


def small(seed: int, *, n: int, language: str = "en") -> Inputs:
    """A week of few requests, most of them in one language."""
    return replace(week(seed, n=n), languages={language: n - n // 8, "fr": n // 8})


@pytest.mark.parametrize("n", [8, 15, 29])
def test_weeks_of_few_requests_are_looked_at_four_together(n):
    usual = [small(seed, n=n) for seed in range(12)]
    german = [small(20 + seed, n=n, language="de") for seed in range(4)]
    signs = signs_of_shift(german[3], [*usual, *german[:3]], budget=WEEKLY_BUDGET)
    assert [(sign.about, sign.n, sign.weeks) for sign in signs] == [("language de", 4 * n, 4)]
    assert texts_of(german[3], [*usual[:3], *german[:3]]) == []  # three weeks are no measure


def test_fewer_than_thirty_requests_in_four_weeks_or_five_in_a_week_say_nothing():
    usual = [small(seed, n=15) for seed in range(12)]
    german = [small(20 + seed, n=7, language="de") for seed in range(4)]
    assert texts_of(german[3], [*usual, *german[:3]]) == []  # 28
    assert texts_of(replace(german[3], n=9), [*usual, *german[:3]]) != []
    assert texts_of(small(30, n=4, language="de"), [*usual, *(small(20 + seed, n=29) for seed in range(3))]) == []


@pytest.mark.parametrize("n", [5, 8, 15, 29])
def test_stable_weeks_of_few_requests_bring_no_sign(n):
    weeks = [week(100 + seed, n=n) for seed in range(226)]
    assert [texts_of(weeks[at], weeks[max(at - 30, 0) : at]) for at in range(4, 226)] == [[]] * 222


def test_a_third_of_new_topics_in_150_requests_is_seen():
    seen = [texts_of(week(seed, novel=1 / 3)) for seed in range(20, 40)]
    assert sum(bool(one) for one in seen) >= 18
    assert all(one[0].startswith("they are about other things") for one in seen if one)


def test_words_that_no_training_text_has_are_seen():
    assert any(
        "of their words are in no training text" in one for one in texts_of(week(50, text="xylophone " * 9, share=0.2))
    )


def test_words_are_compared_among_weeks_that_were_held_against_the_same_training_texts():
    few = [replace(one, words=Rate(1, 1000)) for one in USUAL]
    many = replace(week(50), words=Rate(100, 1000))
    (found,) = texts_of(many, few)
    assert found == "10.0% of their words are in no training text, before 0.1%"
    back = replace(many, known="the words of another model")
    assert texts_of(back, few) == []  # after a rollback they are new to that model, and were before
    (found,) = texts_of(replace(back, words=Rate(300, 1000)), [*[replace(one, known=back.known) for one in few], *few])
    assert found == "30.0% of their words are in no training text, before 0.1%"
    assert texts_of(replace(many, words=Rate(0, 0)), few) == []


def test_of_a_script_without_spaces_no_word_is_known_or_unknown():
    assert words_of("荷物はどこですか Track my パッケージ and สินค้า ok") == ["track", "and"]
    assert words_of("Où est ma commande n° 12? Где посылка") == ["est", "commande", "где", "посылка"]
    assert describe_inputs(["荷物はどこですか", "any"], np.eye(2, 8), known={"any"}, base="b").words == Rate(0, 1)


def test_before_anything_is_taught_no_word_is_unknown_and_weeks_of_then_are_no_measure():
    untaught = describe_inputs(["where is it"] * 2, np.eye(2, 8), known=(), base="b")
    assert untaught.words == Rate(0, 0)
    assert texts_of(USUAL[-1], [replace(one, words=Rate(0, 0)) for one in USUAL[:9]] + USUAL[9:11]) == []


def test_requests_that_get_longer_are_seen():
    # of eight in ten that are ten times as long the mean of the logarithm grows by 0.8 log 10
    found = texts_of(week(51, text="where order " * 40, share=0.8))
    assert any(one.startswith("they have ") and "before 5" in one for one in found)


def test_another_language_is_seen():
    german = "Guten Tag, wo bleibt denn meine Bestellung von letzter Woche?"
    assert language(german) == "de"
    assert any("of them are in 'de', before 0.0%" in one for one in texts_of(week(52, text=german, share=0.1)))


def test_a_handful_of_requests_or_of_weeks_says_nothing():
    assert texts_of(week(53, n=29, novel=1.0)) == []
    assert texts_of(week(53, novel=1.0), USUAL[:3]) == []
    assert texts_of(week(53, novel=1.0), [replace(one, base="another model") for one in USUAL]) == []


def test_the_distance_of_weeks_that_differ_by_chance_alone_is_1_on_average():
    rng = np.random.default_rng(3)

    def drawn() -> Inputs:
        vectors = rng.normal(size=(100, WIDTH)) + 1
        return describe_inputs(
            ["text"] * 100, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), known=(), base="b"
        )

    found = [distance(drawn(), drawn()) for _ in range(400)]
    # with d dimensions a distance has a variance of 2 / d: 400 of them have a mean within 3 * sqrt(2 / 31 / 400) of 1
    assert np.mean(found) == pytest.approx(1.0, abs=0.04)
    assert np.var(found) == pytest.approx(2 / drawn().dimensions, rel=0.3)


@given(sizes=st.lists(st.integers(3, 40), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_weeks_add_up_to_what_all_their_requests_are_together(sizes, seed):
    rng = np.random.default_rng(seed)
    texts = [[f"word{'x' * int(rng.integers(1, 9))} again" for _ in range(n)] for n in sizes]
    vectors = [rng.normal(size=(n, 8)) for n in sizes]
    parts = [describe_inputs(one, many, known={"again"}, base="b") for one, many in zip(texts, vectors, strict=True)]
    whole = describe_inputs(
        [text for some in texts for text in some], np.concatenate(vectors), known={"again"}, base="b"
    )
    added = pooled(parts)
    assert (added.n, added.words) == (whole.n, whole.words)
    assert added.centre == pytest.approx(whole.centre, abs=2e-6)
    assert added.length == pytest.approx(whole.length)


def test_a_look_is_small_and_has_no_words_of_anybody():
    one = week(60, text="My name is Ada Lovelace and my number is 4711", share=0.5)
    assert "Ada" not in repr(one)
    assert len(json.dumps(one.centre)) < 20 * WIDTH


def test_topics_that_come_and_go_are_no_shift():
    def restless(seed: int) -> Inputs:
        rng = np.random.default_rng(seed)
        vectors = TOPICS[rng.choice(3, size=150, p=rng.dirichlet([8.0] * 3))] + rng.normal(size=(150, WIDTH))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return describe_inputs(["text"] * 150, vectors, known=(), base="b")

    weeks = [restless(seed) for seed in range(424)]
    found = [texts_of(weeks[at], weeks[at - 24 : at]) for at in range(24, 424)]
    assert sum(bool(one) for one in found) <= 1


def test_each_week_is_set_apart_from_all_the_others_together():
    weeks = USUAL[:5]
    one_by_one = [distance(one, pooled([other for other in weeks if other is not one])) for one in weeks]
    # a distance pools the variance of the two, all weeks' is nearly the same
    assert weekly_distances(weeks) == pytest.approx(one_by_one, rel=0.03)


def test_how_rare_words_are_is_compared_by_square_roots():
    usual = [replace(one, words=Rate(256 if at % 2 else 324, 10_000)) for at, one in enumerate(USUAL)]
    now = replace(USUAL[0], n=151, words=Rate(676, 10_000))
    (sign,) = signs_of_shift(now, usual, budget=WEEKLY_BUDGET)
    # roots of 0.16 and 0.18, mean 0.17 and sd 0.01 * sqrt(12 / 11), then one of 0.26
    assert sign.chance == pytest.approx(t.sf(0.09 / (0.01 * (12 / 11) ** 0.5 * (1 + 1 / 12) ** 0.5), 11))
