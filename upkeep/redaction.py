"""What of a customer's text may be shown to others, or kept for training?

Each kind of personal data is found by a pattern and, where it carries a check digit or has a numbering plan, proven by
it. What is found becomes a placeholder such as `[e-mail]`. Dates, times, versions, amounts and years stay: they say
what a request is about and nobody's name. Names are not found: nothing short of a model finds them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from ipaddress import ip_address
from typing import Annotated, TypeAlias

from pydantic import Field, field_validator

from upkeep.client_functions import OWN_FUNCTION, own_function
from upkeep.conversations import turns
from upkeep.counts import count_of
from upkeep.strict_yaml import Strict


class PersonalData(StrEnum):
    """What is taken out of a text before it is kept or shown."""

    E_MAIL = "e-mail"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    IP = "ip"
    LINK = "link"
    NUMBER = "number"


class Redaction(Strict):
    """Which personal data is taken out of a text before it is kept for training."""

    kinds: tuple[PersonalData, ...] = Field(
        default=tuple(PersonalData), description="what is looked for; `number` is any other of five digits or more"
    )
    country: str | None = Field(
        default=None, description="ISO 3166 code such as DE of the country whose telephone numbers come without +49"
    )
    keep: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        max_length=1000,
        description="what stays although it looks like it: the client's own telephone number",
    )
    by: str | None = Field(
        default=None,
        pattern=OWN_FUNCTION,
        description="package.module:function, the client's own redactor str -> str in place of ours",
    )

    @field_validator("country")
    @classmethod
    def _has_a_numbering_plan(cls, value: str | None) -> str | None:
        from phonenumbers import SUPPORTED_REGIONS

        if value is not None and value not in SUPPORTED_REGIONS:
            raise ValueError("one of phonenumbers.SUPPORTED_REGIONS")
        return value


LONGEST = 160
LEAD = 60
"""So much of a long text is shown before what it is shown for."""
EVERY_KIND = Redaction()
"""Of texts that are no known client's."""
PRIVATE = (0xE000, 0xF900)
"""Where the characters begin and end that Unicode gives no meaning."""
LEAST_PHONE = 7
"""Fewer digits make no telephone number that can be told from another number."""
LEAST_SPACED = 7
"""Fewer digits with a space or a slash between them are two numbers side by side: 'Windows 10 1909', '125/126'; beside
a letter they are a code or a measure: '12-3456B', '20 000mAh'."""
PLACEHOLDER = re.compile(r"\[[A-Za-z][\w-]*\]|<[A-Za-z]\w*(?::[^<>\s]*)?>")
"""What stands for personal data in a redacted text: ours, or a client's own such as `<email>` or `[PERSON_1]`."""

# `\w` bounds nothing here: kana, hanzi, hangul and `_` are of it, and stand beside a number without a space
UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but those between words, and what turns the direction of writing."""
ACTIVE = re.compile(r"\](?=\()|<(?=[A-Za-z/!?@#])|&(?=#?\w+;)|@(?=(?i:everyone|here|(?:channel|all)\b))")
"""What begins a link's address, a tag (or somebody's name in a chat), an entity or a call to all who read a chat.

A chat may see `@here` in `@hereford` too.
"""

DOMAINS = "|".join(  # without those that are endings of files, or words, first of all: `py`, `app`, `so`
    (
        "com|org|net|edu|gov|mil|info|biz|eu|dev|ai|shop|store|online|site|cloud|link|page|club|xyz|tech|blog|live|bank",
        "ae|ar|at|au|be|bg|br|ca|ch|cl|cn|co|cz|de|dk|ee|es|fi|fr|gg|gl|gr|hk|hr|hu|id|ie|il|in|io|ir|is|it|jp|ke|kr",
        "li|lt|lu|lv|ly|me|mx|my|ng|nl|no|nz|pe|ph|pk|pl|pt|ro|ru|sa|se|sg|si|sk|th|tl|to|tr|tv|tw|ua|uk|us|vn|za",
    )
)
"""Top-level domains by which a host is known without `https://` or `www.`."""
LETTER = r"0-9A-Za-z\u00c0-\u024f"
HOST = (  # with a path or a query: not `v1.2/3`, `node.js/react`, a path on a disk or what stands for a link already
    rf"(?<![{LETTER}.@\\-])(?<!(?<!/)/)(?<!<url:)(?://)?(?!(?:asp|vb|ado)\.net)(?:[{LETTER}][{LETTER}-]{{0,62}}\.)+(?:{DOMAINS})"
    r"(?::\d{1,5})?(?=/|[?#][\w.%-]+=)"
)
LINK = re.compile(  # up to a space or the end of a Chinese or Japanese clause
    rf"(?:(?<![0-9A-Za-z])(?:(?:https?|ftps?)://|www\.)|{HOST})[^\s<>\"\u3001\u3002\u300d\uff09\uff0c]*"
    r"[^\s<>\"'.,;:!?)\]}\u3001\u3002\u300d\uff01\uff09\uff0c\uff1f]",
    re.IGNORECASE,
)
E_MAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+[@\uff20][\w-]+(?:[.\uff0e][\w-]+)*[.\uff0e][^\W\d_][\w-]*")
NO_VERSION = "".join(  # such as `version 10.0.0.5`, also in Japanese, Chinese and Korean
    f"(?<!{word}{gap})"
    for word in ("version", "\u30d0\u30fc\u30b8\u30e7\u30f3", "\u7248\u672c", "\ubc84\uc804")
    for gap in ("", " ", ": ")
)
IPV4 = re.compile(  # 1.0.2.1k and 1.0.2.1rc2 are versions
    rf"{NO_VERSION}(?<![\dA-Za-z.])(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?!\d|\.\d|[A-Za-z](?![A-Za-z])|[A-Za-z]+\d)",
    re.IGNORECASE,
)
IPV6 = re.compile(  # of a host on a network: 2000::/3, fc00::/7 or fe80::/10, so that `a::b` is none
    r"(?<![0-9a-z:.])(?:[23][0-9a-f]{3}|f[cd][0-9a-f]{2}|fe[89ab][0-9a-f])(?::[0-9a-f]{0,4}){2,7}(?![0-9a-z:])",
    re.IGNORECASE,
)
IBAN = re.compile(  # ISO 13616; looks ahead, so that one may start in what looked like another
    r"(?=([A-Z]{2}[0-9]{2}(?:[ _-]?[A-Z0-9]){11,30}))", re.IGNORECASE | re.ASCII
)
CARD = re.compile(  # ISO/IEC 7812: those for payment start with 2 to 6; shorter ones with 3
    r"(?<![\d+])(?:3[0-9]{13,14}|[2-6][0-9]{15}|[56][0-9]{16,18}"
    r"|[2-6][0-9]{3}(?P<gap>[ _-])[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{4}|3[0-9]{3}[ _-][0-9]{6}[ _-][0-9]{4,5})(?!\d)"
)
ABROAD = re.compile(r"[+\uff0b][^\S\n]?\(?\d")

DAY = r"(?:0?[1-9]|[12]\d|3[01])"  # or a month, which stands first in some countries
TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
DATE = rf"""(?:
    (?:19|20)\d\d[-/.]{DAY}[-/.]{DAY}
    | {DAY}[-/.]{DAY}[-/.](?:19|20)\d\d
    | {DAY}[/.]{DAY}[/.]\d\d               # 10-12-24 may be a sort code
)"""
VERSION = r"""(?:
    (?:0|[1-9]\d{0,2})(?=[\d.]*\.\d(?!\d))(?:\.\d{1,5}){2,4}  # a part of one digit: a telephone number has none
    | [1-9]\d?(?:\.\d{1,2}){2}
)"""
AMOUNT = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d\d|\d{1,3}\.\d{3}|\d{1,4}[.,]\d{1,2})"
BEFORE, AFTER = r"(?<![\d+])(?<!\d[.,:/-])", r"(?!\d|[.,:/-]\d)"
STAYS = rf"{BEFORE}(?:{DATE}(?:[T ]{TIME}Z?)?|{TIME}|{VERSION}|{AMOUNT}){AFTER}"
YEAR = rf"{BEFORE}(?:19|20)\d\d(?:[-/\u2013](?:(?:19|20)\d)?\d\d?)?{AFTER}"
NO_PHONE = re.compile(STAYS, re.VERBOSE)
JOIN = r"(?:[^\S\n]|[()./\u2010-\u2013-]){0,2}"
NUMBER = re.compile(
    rf"""(?P<stays>{STAYS}|{YEAR})
    | (?<![\dA-Za-z])(?:\+|\((?=\d{{1,5}}\){JOIN}\d))?\d(?:{JOIN}(?!{STAYS})\d){{4,}}+
    | \d{{5,}}""",
    re.VERBOSE,
)
RUN = re.compile(r"\d{5,}")
HEX = r"[A-Fa-f](?:[A-Fa-f-]{0,15}\d|[A-Fa-f]{0,2}-[A-Fa-f\[])"
"""After digits: they are of a UUID, a part of which may be redacted, or of a code like it, and no telephone number."""
GLUED = re.compile(rf"(?<=\d)(?!{HEX}|e?x)[A-Za-z]+(?!\d)")
"""A word without a space after a number, which is not how an extension begins: `030 1234567bitte`."""
CODE = re.compile(HEX)
TOUCHED = re.compile(r"[A-Za-z_]")

Span: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Redacted:
    """Texts without personal data, in their order; how often each kind was found, and in how many texts any was.

    Of a client's own redactor only `changed` is known, and `counts` is empty.
    """

    texts: tuple[str, ...]
    counts: dict[PersonalData, int]
    changed: int

    @property
    def found(self) -> dict[PersonalData, int]:
        """`counts` without the kinds of which there was none."""
        return {kind: n for kind, n in self.counts.items() if n}


def redact(text: str, settings: Redaction = EVERY_KIND) -> str:
    """The text without personal data: as agreed with a client, or without whatever can be found of any client's.

    Raises ConfigError when the client's own redactor cannot be used.
    """
    return redact_cases([text], settings).texts[0]


def told(counts: Mapping[PersonalData, int], changed: int, what: str) -> str:
    """How much was found in texts, in words: by kind, or where only that is known in how many; "" where none was.

    `what` names one of the texts.
    """
    kinds = ", ".join(f"{kind.value} {n:,}" for kind, n in counts.items() if n)
    if kinds:
        return f"redacted: {kinds}"
    return f"personal data taken out of {count_of(changed, what)}" if changed else ""


def for_name(text: str, settings: Redaction) -> Redaction:
    """What is taken out of what may be a label or an id: a number in one word, `FAQ-10023`, is a part of it."""
    if any(map(str.isspace, text)):
        return settings
    return settings.model_copy(
        update={"kinds": tuple(kind for kind in settings.kinds if kind is not PersonalData.NUMBER)}
    )


def redact_answer(answer: str, settings: Redaction, *, labels: Collection[str]) -> str:
    """A classifier's right answer as it may be kept: one of the `labels` as it is, other words without personal data.

    Raises ConfigError when the client's own redactor cannot be used.
    """
    return answer if answer in labels else redact(answer, for_name(answer, settings))


def shown(text: str, settings: Redaction, around: Iterable[re.Pattern[str]] = ()) -> str:
    """A text, of a conversation the last turn, as others may see it: redacted, inert, a line of LONGEST characters.

    Of a longer one it is the part `around` the first of these that it has, or else the beginning.
    """
    said = UNSEEN.sub("", turns(text)[-1].said)
    line = inert(redact(" ".join(said.split()), settings))
    found = next((match for one in around if (match := one.search(line))), None)
    start = min(found.start() - LEAD, len(line) - LONGEST) if found and found.end() >= LONGEST else 0
    part = f"…{line[start + 1 :]}" if start > 0 else line
    return part if len(part) <= LONGEST else part[: LONGEST - 1] + "…"


def inert(text: str) -> str:
    """Other people's words on a page, in a mail, a chat or a terminal: no tag, link, image or entity of theirs is one.

    Nor do they call everyone in a chat. A space breaks it, which reads alike as Markdown, as HTML made of that and as
    plain text. Control characters go, but for tabs and line breaks, and so does what turns the direction of writing.
    Once more changes nothing.
    """
    return ACTIVE.sub(r"\g<0> ", UNSEEN.sub("", text))


def redact_cases(texts: Iterable[str], settings: Redaction) -> Redacted:
    """The texts as they may be kept for training; once more changes nothing and counts nothing.

    Raises ConfigError when the client's own redactor cannot be used.
    """
    given = list(texts)
    counts: Counter[PersonalData] = Counter()
    if settings.by is not None:
        own = own_function(settings.by, key="redaction.by", shape="str -> str", returns=str)
        done = [_keeping(text, settings.keep, own) for text in given]
    else:
        counts.update(dict.fromkeys(settings.kinds, 0))
        done = [_keeping(text, settings.keep, lambda one: _redact(one, settings, counts)) for text in given]
    changed = sum(before != after for before, after in zip(given, done, strict=True))
    return Redacted(tuple(done), dict(counts), changed)


def _keeping(text: str, keep: Sequence[str], redact: Callable[[str], str]) -> str:
    """A redacted text in which some strings stay: a character that it does not have stands for each meanwhile."""
    free = (chr(code) for code in range(*PRIVATE) if chr(code) not in text)  # a customer may write one
    stands_for = dict(zip(free, keep, strict=False))
    for character, one in stands_for.items():
        text = text.replace(one, character)
    text = redact(text)
    for character, one in stands_for.items():
        text = text.replace(character, one)
    return text


def _redact(text: str, settings: Redaction, counts: Counter[PersonalData]) -> str:
    """Adds what it finds to `counts`. It looks until nothing is found: what was beside a number may now stand alone."""
    before = None
    while before != text:
        before = text
        for kind, (instead, find) in FINDERS.items():
            spans = list(find(text, settings.country)) if kind in settings.kinds else []
            if spans:
                text = _without(text, spans, instead)
                counts[kind] += len(spans)
    return text


def _without(text: str, spans: Sequence[Span], instead: str) -> str:
    kept = zip([0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)], strict=True)
    return instead.join(text[start:end] for start, end in kept)


def _links(text: str, _country: str | None) -> Iterator[Span]:
    return (match.span() for match in LINK.finditer(text))


def _e_mails(text: str, _country: str | None) -> Iterator[Span]:
    if "@" in text or "\uff20" in text:
        yield from (match.span() for match in E_MAIL.finditer(text))


def _addresses(text: str, _country: str | None) -> Iterator[Span]:
    if "." in text:
        yield from (match.span() for match in IPV4.finditer(text) if _is_address(match.group()))
    if ":" in text:
        yield from (match.span() for match in IPV6.finditer(text) if _is_address(match.group()))


def _is_address(candidate: str) -> bool:
    """Is it the address of some host? 127.0.0.1 and 0.0.0.0 are everybody's own."""
    try:
        address = ip_address(candidate)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and any(map(str.isdigit, candidate))


def _accounts(text: str, _country: str | None) -> Iterator[Span]:
    from stdnum import iban

    end = 0
    for match in IBAN.finditer(text):
        signs = [at for at, sign in enumerate(match[1]) if sign.isalnum()]
        length = _iban_length(match[1][:2].upper())
        # words or digits after an account look like more of it: 'AT61 1904 3002 3457 3201 now'
        if match.start() >= end and length and length <= len(signs):
            found = match[1][: signs[length - 1] + 1]
            after = match.start() + len(found)
            if not text[after : after + 1].isdigit() and iban.is_valid(found.replace("_", ""), check_country=False):
                end = after
                yield match.start(), end


@cache
def _iban_length(country: str) -> int | None:
    """How many letters and digits an account of a country has, None where nothing is known of such a country."""
    from stdnum import numdb

    structure = numdb.get("iban").info(country)[0][1].get("bban")
    return 4 + sum(map(int, re.findall(r"\d+", structure))) if structure else None


def _cards(text: str, _country: str | None) -> Iterator[Span]:
    from stdnum import luhn

    return (match.span() for match in CARD.finditer(text) if luhn.is_valid(re.sub("[ _-]", "", match.group())))


def _phones(text: str, country: str | None) -> Iterator[Span]:
    # the matcher takes a hundred times as long as a pattern
    if not (country or ABROAD.search(text)) or sum(map(str.isdigit, text)) < LEAST_PHONE:
        return
    from phonenumbers import PhoneNumberMatcher

    # a version or a date beside a number would be taken for a part of it
    masked = GLUED.sub(_mask, NO_PHONE.sub(_mask, text))
    yield from ((match.start, match.end) for match in PhoneNumberMatcher(masked, country))


def _mask(match: re.Match[str]) -> str:
    return "|" * len(match.group())


def _numbers(text: str, _country: str | None) -> Iterator[Span]:
    for match in NUMBER.finditer(text):
        if match["stays"] is not None:
            continue
        found, (start, end) = match.group(), match.span()
        beside = text[max(start - 1, 0) : start] + text[end : end + 1]
        loose = "/" in found or any(map(str.isspace, found)) or TOUCHED.search(beside)
        if CODE.match(text, end) or (loose and sum(map(str.isdigit, found)) < LEAST_SPACED):
            yield from (run.span() for run in RUN.finditer(text, start, end))
        else:
            yield start, end


FINDERS: dict[PersonalData, tuple[str, Callable[[str, str | None], Iterator[Span]]]] = {
    PersonalData.LINK: ("[link]", _links),
    PersonalData.E_MAIL: ("[e-mail]", _e_mails),
    PersonalData.IP: ("[ip]", _addresses),
    PersonalData.IBAN: ("[account]", _accounts),
    PersonalData.CARD: ("[card]", _cards),
    PersonalData.PHONE: ("[phone]", _phones),
    PersonalData.NUMBER: ("[number]", _numbers),
}
"""What each kind becomes and how it is found, in the order they are looked for: the surest first."""


def has_placeholder(text: str) -> bool:
    """Does something stand in it for personal data? Those of a client's own redactor are not known."""
    return any(instead in text for instead, _ in FINDERS.values())
