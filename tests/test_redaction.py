"""Is personal data taken out, whatever looks like it left alone, and nothing done twice?"""

from __future__ import annotations

import re
from html import unescape
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown import markdown
from pydantic import ValidationError

from upkeep.errors import ConfigError
from upkeep.redaction import LONGEST, PLACEHOLDER, PersonalData, Redaction, inert, redact, redact_cases, shown

EVERYTHING = (
    "Ada, ada@example.com, +49 30 1234567, card 4111 1111 1111 1111, DE89 3704 0044 0532 0130 00, "
    "192.168.8.20, https://example.com/me, order 10023"
)
PIECES = [
    *EVERYTHING.split(),
    "2024-05-10",
    "91.0.4472",
    "[link]",
    "<email>",
    "1,299.00",
    "030",
    "\n",
    "::",
    "(",
    ")",
    "/",
]
DIGITS_AND_JOINTS = "0129 .-/()+@:,abDE[]<>\n"


def shouting(text: str) -> str:
    """A client's own redactor."""
    return text.replace("Ada", "[NAME]")


def counting(text: str) -> int:
    """No redactor: it returns no text."""
    return len(text)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("mail me: ada@example.com, please", "mail me: [e-mail], please"),
        ("(see https://example.com/a?b=1). Or www.example.com!", "(see [link]). Or [link]!"),
        ("from 192.168.8.20:8080 and 2001:db8::8a2e:370:7334", "from [ip]:8080 and [ip]"),
        ("paid with 4111-1111-1111-1111 or 371449635398431", "paid with [card] or [card]"),
        ("to AT61 1904 3002 3457 3201 now, not gb29nwbk60161331926819", "to [account] now, not [account]"),
        ("No12 DE89 3704 0044 0532 0130 00 GB29 NWBK 6016 1331 9268 19", "No12 [account] [account]"),
        ("call +1 (212) 555-0123 or +49.30.1234567", "call [phone] or [phone]"),
        ("call 030/123-4567, order 00123842, customer 123 456 789", "call [number], order [number], customer [number]"),
        ("order (10023), passport C01X00T4781234", "order ([number]), passport C01X00T[number]"),
        ("reset: shop.example.com/reset?token=eyJhbGci.abc.def please", "reset: [link] please"),
        ("see Example.org/orders/77?sig=a8f, or (example.co.uk:8080/ada).", "see [link], or ([link])."),
        (
            "//cdn.example.com/x?token=123abc, wss:// müller.de/ada and example.com?id=ada",
            "[link], wss:// [link] and [link]",
        ),
        ("見てexample.com/ada、1.https://example.com/ada", "見て[link]、1.[link]"),
    ],
)
def test_each_kind_becomes_its_placeholder(text, redacted):
    assert redact(text) == redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("card 4111 1111 1111 1111exp 12/27, 4111_1111_1111_1111", "card [card]exp 12/27, [card]"),
        ("カードは4111-1111-1111-1111です", "カードは[card]です"),
        ("電話は090-1234-5678です", "電話は[number]です"),
        ("제 번호는 010-1234-5678입니다", "제 번호는 [number]입니다"),
        ("telefonum 0532 123 45 67dir, _030 123 4567_", "telefonum [number]dir, _[number]_"),
        ("IPは192.168.8.20です, 192.168.8.20ssa", "IPは[ip]です, [ip]ssa"),
        ("IPは2001:db8::8a2e:370:7334です", "IPは[ip]です"),
        ("IBANはDE89 3704 0044 0532 0130 00です", "IBANは[account]です"),
        ("IBANDE89370400440532013000bitte, IBAN_DE89 3704 0044 0532 0130 00", "IBAN[account]bitte, IBAN_[account]"),
        ("ada\uff20example.com", "[e-mail]"),
        ("見てhttps://example.com/ada、届きません", "見て[link]、届きません"),
    ],
)
def test_a_letter_or_an_underscore_beside_it_hides_nothing(text, redacted):
    assert redact(text) == redacted


def test_a_word_beside_a_telephone_number_makes_it_no_other():
    only = Redaction(country="DE", kinds=(PersonalData.PHONE,))
    assert redact_cases(["call 030 1234567bitte"], only).texts == ("call [phone]bitte",)


@pytest.mark.parametrize("text", ["4111 1111 1111 1112", "DE89 3704 0044 0532 0130 01", "DE89370400440532013001"])
def test_a_card_or_an_account_with_a_typing_error_is_a_number_and_still_hidden(text):
    assert redact(text) in ("[number]", "DE89 [number]", "DE[number]")


@pytest.mark.parametrize("country", [None, "DE", "US", "FR", "IN"])
@pytest.mark.parametrize(
    "text",
    [
        "Firefox 115.0.2, Chrome 91.0.4472, 91.0.4472.124, Windows 10.0.19045.3324 and Ubuntu 22.04.12",
        "version 3.6.12.1 and Fault Module Version: 26.0.0.137",
        "Firefox 57.0.4 (64-bit) on Windows 10 1909, ESR 125/126",
        "1,299.00 or 1.299,00 or 12,345,678.90 or 1299.00 or $1,000 for 19.95",
        "on 2024-05-10 10:22:33 and 2024-05-10T10:22:33.123456Z, 10/12/2023, 31.12.23",
        "in 2019 or 2019-2020 or 2021 100 people, at 10:22:33.123",
        "std::vector, a::b, ::1, fade:out:now, 127.0.0.1, 0.0.0.0",
        "me @ home, @ada, ethernet@2.5GBps, C++, e.g. this.and that",
        "<email> and [link] and [e-mail] and <phone> and <num>",
        "128GB, 3 x 20 000mAh, 1920x1080, 12-3456B, ABC12-3456, SKU-4711-X, RTX4090, 24/7support, 100-200mm",
        "9b2f3c1a-7d4e-4321-8765-1a2b3c4d5e6f and 90e32e82-3945-4353-8cde-ce7b921ebce6 and 5f8d0a1b2c3d4e5f",
        "2024-05-10\u306b10:22:33\u30011,299\u518619.95EUR 1,299.00EUR 12,345\u5186 2019-2020\u5e74 5.10.2023um",
        "\u30d0\u30fc\u30b8\u30e7\u30f310.0.0.5 and v10.1.2.3 and 1.0.2.1k and 1.0.2.1rc2 and 91.0.4472.124b",
        "and/or, 24/7, he/she, e.g./i.e., U.S./U.K., Mr./Mrs., a.m./p.m., v1.2/3, 1.5/2.0",
        "report.pdf/scan.pdf, node.js/react, ASP.NET/C#, setup.py/run.sh, /Apps/Firefox.app/Contents, ~/ada.com/x",
        "is it on amazon.com? or example.com: they said so.Why? <url:example.org/questions/12>",
        "backup_2024-05-10_10-22-33.log and 2024-05-10T10:22:33+02:00",
    ],
)
def test_what_only_looks_like_personal_data_stays(text, country):
    assert redact_cases([text], Redaction(country=country)).texts == (text,)


def test_numbers_without_a_country_code_are_telephone_numbers_in_the_clients_country():
    text = "call 030 1234567 on 2024-05-10"
    assert redact_cases([text], Redaction(country="DE")).texts == ("call [phone] on 2024-05-10",)
    assert redact_cases([text], Redaction()).texts == ("call [number] on 2024-05-10",)


def test_texts_keep_their_order_and_each_kind_is_counted():
    found = redact_cases(["nothing here", EVERYTHING, "a@b.de c@d.de"], Redaction())
    assert found.texts == (
        "nothing here",
        "Ada, [e-mail], [phone], card [card], [account], [ip], [link], order [number]",
        "[e-mail] [e-mail]",
    )
    assert found.counts == dict.fromkeys(PersonalData, 1) | {PersonalData.E_MAIL: 3}
    assert found.changed == 2


def test_only_the_kinds_a_client_asks_for_are_taken_out():
    found = redact_cases([EVERYTHING], Redaction(kinds=(PersonalData.E_MAIL, PersonalData.PHONE)))
    assert found.texts[0].startswith("Ada, [e-mail], [phone], card 4111 1111 1111 1111, DE89 ")
    assert found.counts == {"e-mail": 1, "phone": 1}


@given(
    text=st.one_of(st.text(DIGITS_AND_JOINTS), st.lists(st.sampled_from(PIECES)).map(" ".join), st.text()),
    country=st.sampled_from([None, "DE", "US"]),
)
def test_redacting_twice_changes_nothing_and_counts_nothing(text, country):
    settings = Redaction(country=country)
    once = redact_cases([text], settings)
    twice = redact_cases(once.texts, settings)
    assert twice.texts == once.texts
    assert (twice.changed, sum(twice.counts.values())) == (0, 0)


@given(
    st.text(st.characters(exclude_categories=["Nd"], exclude_characters="@\uff20")).filter(
        lambda text: "www." not in text
    )
)
def test_a_text_without_digits_at_signs_and_links_stays_as_it_is(text):
    assert redact(text.replace("://", " ")) == text.replace("://", " ")


@given(st.text(DIGITS_AND_JOINTS))
def test_no_five_digits_in_a_row_are_left_but_of_a_version(text):
    left = redact(text)
    assert not any(len(run) >= 5 and run.isdigit() for run in PLACEHOLDER.sub(" ", left).replace(".", "x").split())


@pytest.mark.parametrize(
    "text",
    [
        "1" * 50_000,
        "a@" * 25_000,
        "1.1." * 12_000,
        "www." * 12_000,
        "DE89 " * 10_000,
        "2001:" * 9_000,
        "1 " * 25_000 + "a1",
        "DE89" * 12_000,
        "a." * 25_000,
        "com/a-" * 9_000,
        "//a.co:" * 7_000,
    ],
)
def test_a_text_made_to_take_long_does_not(text):
    start = process_time()
    redact_cases([text], Redaction(country="DE"))
    assert process_time() - start < 5


def test_a_hundred_thousand_short_texts_would_take_less_than_a_minute():
    texts = ["Where is my order 00123842 of 2024-05-10? Call me: 030 1234567", "How do I return the tent?"] * 1000
    start = process_time()
    redact_cases(texts, Redaction(country="DE"))
    assert process_time() - start < 60 / 50


def test_what_is_shown_is_redacted_on_one_line_and_not_too_long():
    assert shown("mail\n  ada@example.com", Redaction()) == "mail [e-mail]"
    assert len(shown("word " * 100, Redaction())) == LONGEST
    assert shown("Ada: 4711\n4711", Redaction(by="tests.test_redaction:shouting")) == "[NAME]: 4711 4711"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (f"download {'a ' * 200}", f"download {'a ' * 75}…"),
        (f"{'a ' * 200}my download stops{' b' * 200}", f"…{'a ' * 28}my download stops{' b' * 42} …"),
        (f"{'a ' * 200}download", f"…{' a' * 75} download"),
        (f"a {'download' * 50}", f"a {'download' * 19}downl…"),
        (f"{'a ' * 200}ada@download.example", f"{'a ' * 79}a…"),
    ],
)
def test_a_long_text_is_shown_around_what_it_is_shown_for(words, line):
    cut = shown(words, Redaction(), [re.compile("upload"), re.compile("(download)+"), re.compile("a")])
    assert (cut, len(cut)) == (line, LONGEST)


@pytest.mark.parametrize(
    "said",
    [
        '<img src="//a.example/p.png"> <a href="https:a.example">Sign in</a>',
        "<style>body{display:none}</style> <!-- <?php",
        "![x](//a.example/p.png) [x]<b></b>(//a.example)",
        "ada@example.com(//a.example/p.png)",
        "&lt;img src=x&gt; AT&amp;T &#60;b",
        "<!channel> <@U1> <#C1>",
        "Hey @everyone, @HERE and @channel: ops@shop @hereford",
        "if a < b & c <3, 5<6 then R&D",
    ],
)
def test_what_is_shown_is_no_markup_and_reads_as_it_was_written(said):
    line = shown(said, Redaction())
    page = markdown(f"- “{line}”")
    assert re.findall("<[^>]*>", page) == ["<ul>", "<li>", "</li>", "</ul>"]
    assert unescape(page[len("<ul>\n<li>") : -len("</li>\n</ul>")]) == f"“{line}”"
    assert line.replace(" ", "") == redact(said).replace(" ", "")
    assert inert(line) == line


def test_what_is_shown_calls_nobody_in_a_chat():
    assert shown("Hey @everyone,@Here (@channel) @all: @channels @ada", Redaction()) == (
        "Hey @ everyone,@ Here (@ channel) @ all: @channels @ada"
    )


def test_what_is_shown_moves_no_cursor_and_turns_no_writing():
    assert shown("\x1b]52;c;cm0=\x07\x1b[2Jhi \u202egnp.exe", Redaction()) == "]52;c;cm0=[2Jhi gnp.exe"
    assert shown("[x]\x00(//a.example) 4711\x0047 ن\u200c\U0001f468\u200d\U0001f466", Redaction()) == (
        "[x] (//a.example) [number] ن\u200c\U0001f468\u200d\U0001f466"  # joiners are part of words and pictures
    )


def test_a_clients_own_redactor_takes_the_place_of_ours():
    found = redact_cases(["Ada: 4711 4711", "Bob"], Redaction(by="tests.test_redaction:shouting"))
    assert (found.texts, found.counts, found.changed) == (("[NAME]: 4711 4711", "Bob"), {}, 1)


def test_what_the_client_wants_kept_stays_and_nothing_beside_it():
    kept = Redaction(keep=("help@shop.example", "(030) 1234567"))
    found = redact_cases(
        ["Write to help@shop.example, not to ada@shop.example; or call (030) 1234567 or 04711 12345."], kept
    )
    assert found.texts == ("Write to help@shop.example, not to [e-mail]; or call (030) 1234567 or [number].",)
    private = "\ue000 and \ue001: call (030) 1234567"
    assert redact_cases([private], kept).texts == (private,)
    own = Redaction(keep=("Ada's",), by="tests.test_redaction:shouting")
    assert redact_cases(["Ada's: Ada: 4711"], own).texts == ("Ada's: [NAME]: 4711",)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("no_such_package.x:y", "found 'no_such_package.x:y', expected package.module:function to import: No module"),
        ("upkeep.redaction:no_such", "found 'upkeep.redaction:no_such', expected .* has no attribute 'no_such'"),
        ("upkeep.redaction:LONGEST", "'upkeep.redaction:LONGEST' is of type int, expected a function"),
        ("tests.test_redaction:counting", "'tests.test_redaction:counting' returned int, expected str"),
    ],
)
def test_a_redactor_that_cannot_be_used_is_named_with_what_was_wanted(by, message):
    with pytest.raises(ConfigError, match=f"redaction.by: {message}"):
        redact_cases(["Ada"], Redaction(by=by))


@pytest.mark.parametrize("wrong", [{"country": "Germany"}, {"country": "EU"}, {"by": "os.system"}, {"kinds": ["name"]}])
def test_a_country_without_numbers_and_a_kind_nobody_knows_are_refused(wrong):
    with pytest.raises(ValidationError):
        Redaction.model_validate(wrong)
