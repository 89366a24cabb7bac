"""Are cases that hardly teach anything told from those that are only short or odd?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.cases.doubts import Doubt, doubts_of, languages_of
from upkeep.monitoring.input_shift import LEAST_CHARACTERS, LEAST_TEXTS

ENGLISH = [f"Where is the parcel that I ordered {n} days ago, please?" for n in range(97)]
GERMAN = [f"Wo bleibt denn das Paket, das ich vor {n} Tagen bestellt habe?" for n in range(97)]


@pytest.mark.parametrize("text", ["help", "refund?", "pin", "退款", "환불", "fee [number]", "Hilfe", "мой счёт", "fax"])
def test_a_request_of_one_word_is_no_doubt(text):
    assert doubts_of(text, languages={"en"}) == ()


@pytest.mark.parametrize("text", ["", "  ", "?", "ok", "hi!", "404", "👍👍👍", "......"])
def test_fewer_than_three_letters_are_too_short(text):
    assert doubts_of(text, languages={"en"}) == (Doubt.TOO_SHORT,)


@pytest.mark.parametrize(
    "text", ["[e-mail]", "[phone], [number]", "<email>\n\n<email>", "[PERSON_1]: <url:example.com>", "#[number] ?"]
)
@pytest.mark.parametrize("label", ["", "Tel. ", "E-Mail: ", "phone / e-mail "])
def test_a_text_of_placeholders_with_words_for_them_is_nothing_but_personal_data(text, label):
    assert doubts_of(f"{label}{text}", languages={"en"}) == (Doubt.PERSONAL,)


def test_placeholders_beside_a_request_are_no_doubt():
    assert doubts_of("Call me at [phone] or write to [e-mail]", languages={"en"}) == ()


def test_a_text_in_a_language_the_client_does_not_have_is_doubtful():
    assert doubts_of(GERMAN[3], languages={"en"}) == (Doubt.LANGUAGE,)
    assert doubts_of("Почему не приходит моя посылка?", languages={"en", "de"}) == (Doubt.LANGUAGE,)
    assert doubts_of(GERMAN[3], languages={"en", "de"}) == doubts_of(ENGLISH[3], languages={"en"}) == ()


def test_of_no_known_language_none_is_another():
    assert doubts_of(GERMAN[3], languages=frozenset()) == ()


def test_the_language_of_a_short_text_is_never_doubted():
    assert len("Wo ist mein Paket [number]") >= LEAST_CHARACTERS
    assert doubts_of("Wo ist mein Paket [number]", languages={"en"}) == ()


@pytest.mark.parametrize(
    "text",
    [
        "is it safe to travel to rio de janeiro (is rio de janeiro safe)",
        "can i substitute oregano for basil",
        "how do i get a pin for my card",
        "does pizzeria delfina in san francisco take reservations",
        "bp-84653a2f-27ec-4097-b4e1-0ee140210723 crash",
        "jkhvjgchhgfdsfc hfxhgvgxdgdjvhfhydjsbchbdsgcwhsvxcdg",
    ],
)
def test_english_with_foreign_names_and_what_is_in_no_language_are_not_in_another(text):
    assert doubts_of(text, languages={"en"}) == ()


def test_a_clients_languages_are_those_of_at_least_three_in_a_hundred_texts():
    assert languages_of(ENGLISH) == {"en"}
    assert languages_of([*ENGLISH, *GERMAN[:3]]) == {"en", "de"}  # 3 of 100
    assert languages_of([*ENGLISH, *GERMAN[:2]]) == {"en"}  # 2 of 99


def test_they_are_learned_from_all_over_many_texts():
    assert languages_of([*ENGLISH * 30, *GERMAN * 30]) == {"en", "de"}


def test_too_few_texts_that_are_long_enough_tell_no_language():
    assert languages_of(ENGLISH[: LEAST_TEXTS - 1]) == frozenset()
    assert languages_of(["Wo ist es? [number] [phone] [e-mail]"] * 100) == frozenset()
    assert languages_of([*ENGLISH[:LEAST_TEXTS], "Hilfe"]) == {"en"}


@given(st.text(), st.sets(st.sampled_from(["en", "de", "ru"])))
def test_a_text_has_one_doubt_at_most_and_no_spaces_change_it(text, languages):
    found = doubts_of(text, languages=languages)
    assert len(found) <= 1
    assert doubts_of(f"  {text}\n", languages=languages) == found
