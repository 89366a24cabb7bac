"""When are two texts the same, and which items are right at a moment?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.texts import case
from upkeep.cases.case import Item, digest, fraction, group_of, normalise, valid_at

JULY = datetime(2026, 7, 1, tzinfo=UTC)


@given(st.text(min_size=1))
def test_the_same_text_falls_on_the_same_side_however_it_is_written(text):
    assert fraction(text) == fraction(f"  {text}  ")
    assert 0 <= fraction(text) < 1


def test_items_are_valid_from_and_until_before():
    items = [Item("old", "x", "a", None, JULY), Item("new", "x", "b", JULY, None), Item("always", "y", "a")]
    assert [item.id for item in valid_at(items, JULY)] == ["new", "always"]
    assert [item.id for item in valid_at(items, datetime(2026, 6, 30, tzinfo=UTC))] == ["old", "always"]


def test_the_digest_knows_answers_but_not_the_order():
    cases = [case(1, "a"), case(2, "b")]
    assert digest(cases) == digest(cases[::-1]) != digest([case(1, "b"), case(2, "b")])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Where IS\tmy\n card? ", "where is my card?"),
        ("\uff21\uff22\uff23", "abc"),  # full-width letters
        ("o\ufb03ce", "office"),  # a ligature
        ("STRASSE", "straße"),
        ("a\u00a0b", "a b"),  # a no-break space
        ("u\u0308ber", "über"),  # a letter and its dots, or both in one
    ],
)
def test_ways_to_write_the_same_are_the_same_text(one, other):
    assert normalise(one) == normalise(other)


def test_the_place_of_a_text_never_changes():
    # SHA-256 of "abc" begins with ba 78 16 bf 8f 01 cf (FIPS 180-2); another hash would let locked items into training
    assert fraction("ABC") == 0xBA7816BF8F01CF / 2**56


def test_a_conversation_whose_id_is_an_address_is_kept_as_the_same_digest_however_it_is_written():
    kept = group_of("ada@example.com")
    assert kept == group_of(" Ada@Example.com") == group_of(kept) != group_of("bob@example.com")
    assert "ada" not in kept
    assert group_of("abc") == "sha256:ba7816bf8f01cf"  # FIPS 180-2


@given(st.text(min_size=1), st.text())
def test_a_case_is_where_an_earlier_one_is_that_was_kept_with_the_conversations_id_itself(id, text):
    before, now = (replace(case(1, text_of=text or None), group=group) for group in (id, group_of(id)))
    assert before.place == now.place == fraction(id)
    assert before.conversation == now.conversation


def test_a_case_of_no_conversation_has_the_place_of_its_text():
    assert [case(1, group=group).place for group in (None, "")] == [fraction(case(1).text)] * 2
    assert case(1).conversation is None
