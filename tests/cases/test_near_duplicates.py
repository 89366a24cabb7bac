from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.cases.case import normalise
from upkeep.cases.near_duplicates import ALIKE, GRAM, nearest, similar_pairs

WORDS = st.lists(st.sampled_from(["where", "is", "my", "card", "parcel", "the", "refund", "late", "Ö"]), max_size=9)
TEXTS = st.lists(st.one_of(WORDS.map(" ".join), st.text(max_size=12)), max_size=12)


def without_marks(text: str) -> str:
    kinds = [(letter, category(letter)) for letter in normalise(text)]
    kept = "".join(" " if kind == "Pd" else letter for letter, kind in kinds if kind == "Pd" or kind[0] != "P")
    return " ".join(kept.split()) or normalise(text)


def shingles(text: str) -> set[str]:
    marked = f"\x02\x02{without_marks(text)}\x03\x03"
    return {marked[at : at + GRAM] for at in range(len(marked) - GRAM + 1)}


def similarity(one: str, other: str) -> float:
    mine, theirs = shingles(one), shingles(other)
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 0.0


@given(TEXTS, TEXTS, st.sampled_from([0.5, ALIKE, 1.0]))
def test_every_pair_that_is_alike_is_found_and_no_other(texts, others, least):
    wanted = {
        (row, other)
        for row, one in enumerate(texts)
        for other, another in enumerate(others)
        if similarity(one, another) >= least
    }
    found = list(similar_pairs(texts, others, least=least))
    assert {(pair.row, pair.other) for pair in found} == wanted
    assert len(found) == len(wanted)
    for pair in found:
        assert pair.similarity == pytest.approx(similarity(texts[pair.row], others[pair.other]))


@given(TEXTS, TEXTS)
def test_the_nearest_is_the_most_alike_of_all(texts, others):
    found = nearest(texts, others)
    for row, text in enumerate(texts):
        best = max((similarity(text, other) for other in others), default=0.0)
        assert found.similarity[row] == pytest.approx(best)
        assert best == 0 or similarity(text, others[found.other[row]]) == pytest.approx(best)
        assert (found.other[row] == -1) == (best == 0)


def test_case_spaces_and_forms_of_letters_make_no_difference():
    ((row, other, value),) = similar_pairs(["Where is  MY \uff50arcel?"], ["something else", "where is my parcel?"])
    assert (row, other, value) == (0, 1, 1.0)


def test_punctuation_makes_no_difference_and_where_there_is_nothing_else_it_is_the_text():
    asked = ["where's my pin", "did my top up fail", "„wo ist es“", "?!"]
    others = ["Wheres my PIN?!", "Did my top-up fail?", "Wo ist es...", "?!", "..."]
    assert [(pair.row, pair.other, pair.similarity) for pair in similar_pairs(asked, others)] == [
        (row, row, 1.0) for row in range(4)
    ]


def test_a_word_more_is_a_near_duplicate_and_another_meaning_is_none():
    # with marks at both ends 38 and 42 letters, 34 and 38 shingles; all but the first two are shared: 32 of 40
    ((_, _, value),) = similar_pairs(["has our card payment been reverted"], ["why has our card payment been reverted"])
    assert value == 0.8
    assert not list(similar_pairs(["turn the kitchen lights on"], ["turn the kitchen lights off"]))


def test_texts_of_a_few_letters_are_alike_only_where_they_are_the_same():
    assert [pair.other for pair in similar_pairs(["a", ""], ["b", "A", ""])] == [1]


def test_past_the_first_block_every_pair_has_its_own_rows_and_pairs_come_in_the_order_of_the_texts(monkeypatch):
    words = ("why", "when", "how", "why", "where", "who", "when", "why")
    texts = [f"{word} has my card payment been reverted?" for word in words]
    pairs, near = list(similar_pairs(texts, texts)), nearest(texts, texts[::-1])
    assert [pair.other for pair in pairs if pair.row == 0] == [0, 3, 7]
    assert pairs == sorted(pairs)
    assert near.other.tolist() == [0, 1, 5, 0, 3, 2, 1, 0]  # of equals the first
    monkeypatch.setattr("upkeep.cases.near_duplicates.BLOCK", 4)  # a block of one for `nearest`
    monkeypatch.setattr("upkeep.cases.near_duplicates.VERIFIED", 3)
    assert list(similar_pairs(texts, texts)) == pairs
    again = nearest(texts, texts[::-1])
    assert again.other.tolist() == near.other.tolist()
    assert again.similarity.tolist() == near.similarity.tolist()
