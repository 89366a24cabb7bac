"""Does a title fit in a header, and is nothing lost of one that does not?"""

from __future__ import annotations

from email.header import decode_header, make_header

import pytest

from tests.receivers import mail_server
from upkeep.adapters.notifier import send
from upkeep.message import LONGEST, Message, headed


def test_a_title_is_a_line_without_markup_or_control_characters_and_a_text_stays_as_it_is_but_for_markup():
    title = "Shop: new category <b>gift\r\nX-Evil:\u2028 1\x0b\x00\u00ad\u202e\ud800"
    given = headed(title, "- <b>one\n- two\n")
    assert given == Message("Shop: new category < b>gift X-Evil: 1", "- < b>one\n- two\n")
    assert headed(*given) == given


def test_what_is_taken_out_of_a_title_leaves_no_markup_behind():
    assert headed("<\u00adb>", "").title == "< b>"


def test_joiners_in_a_title_are_part_of_words_and_pictures():
    written = "\u0646\u200c\u0647 \U0001f468\u200d\U0001f466"
    assert headed(written, "x") == Message(written, "x")


def test_of_a_title_that_is_cut_the_text_says_all():
    most, more = "a" * 200, "a" * 201
    assert headed(most, "Why.") == Message(most, "Why.")
    assert headed(more, "Why.") == Message("a" * 199 + "\u2026", f"{more}\n\nWhy.")
    assert headed(f"{'a' * 190}\nb  {'c' * 9}", "Why.").text == f"{'a' * 190} b {'c' * 9}\n\nWhy."


@pytest.mark.parametrize("sign", ["?", "\u00fc", "\u044f", "\u914d", "\U0001f468", "a\U0001f468", "e\u0301"])
def test_a_mail_server_takes_a_title_in_any_script(sign):
    title = headed(sign * 1000, "Why.").title
    assert len(title) <= LONGEST
    assert title.startswith(sign * 40)
    with mail_server() as (address, box):
        send(address, channel="mail", title=title, text="Why.")
    assert str(make_header(decode_header(str(box.mails[0]["Subject"])))) == title
