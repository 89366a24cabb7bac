"""Which cases hardly teach anything?

A doubt is a reason for a person to look at a case, never to drop it unseen.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from enum import StrEnum
from unicodedata import east_asian_width

from upkeep.monitoring.input_shift import LEAST_CHARACTERS, LEAST_TEXTS, language, language_chances
from upkeep.redaction import PLACEHOLDER

LEAST_LETTERS = 3
"""'pin', 'fee' and 'help' are requests; 'ok', 'hi', '?' and '404' say nothing without what was said before."""
LEAST_CHANCE = 0.01
"""A text is in another language when it is less likely than this in one of the client's. Of English requests of 25
characters or more none of 12,560 about a bank and none of 20,290 to an assistant is flagged so, of those about a
browser about one in a thousand, mostly with an error message in another language; of the beginnings of others, 25 to
40 characters, nine in ten are."""
LEAST_SHARE = 0.03
"""Of a client's texts, for a language to be one of the client's; single texts are taken for anything."""
LOOKED_AT = 2000
"""Texts that the client's languages are learned from: a share of 3 % is then known to within 1 point."""
LABELS = frozenset({"e", "mail", "email", "tel", "tél", "telefon", "telephone", "phone", "fax", "iban", "link", "url"})
"""Words before personal data that say what it is, and nothing of what somebody wants."""
NO_LANGUAGE = "zxx"
"""ISO 639's code for what is in none: a log or keys hit at random is in no other language either."""
WORD = re.compile(r"[^\W\d_]+")


class Doubt(StrEnum):
    """Why a case hardly teaches anything, or nothing before somebody has read it."""

    TOO_SHORT = "too short"
    LANGUAGE = "another language"
    PERSONAL = "nothing but personal data"
    ANSWER = "personal data in its answer"
    PROPOSED = "proposed for a new category"


def doubts_of(text: str, *, languages: Collection[str]) -> tuple[Doubt, ...]:
    """What makes a redacted text a doubtful case; of no known `languages` none is another."""
    plain = _plain(text)
    personal = PLACEHOLDER.search(text)
    if _letters(plain) < LEAST_LETTERS or (personal and LABELS.issuperset(WORD.findall(plain.casefold()))):
        return (Doubt.PERSONAL if personal else Doubt.TOO_SHORT,)
    if languages and len(plain) >= LEAST_CHARACTERS and _chance(plain, languages) < LEAST_CHANCE:
        return (Doubt.LANGUAGE,)
    return ()


def languages_of(texts: Iterable[str]) -> frozenset[str]:
    """The ISO 639 codes of the languages that a client's redacted texts are in; none where too few are long enough."""
    telling = [plain for plain in map(_plain, texts) if len(plain) >= LEAST_CHARACTERS]
    if len(telling) < LEAST_TEXTS:
        return frozenset()
    counts = Counter(map(language, telling[:: -(-len(telling) // LOOKED_AT)]))
    usual = {code for code, count in counts.items() if count >= LEAST_SHARE * counts.total()}
    return frozenset(usual - {NO_LANGUAGE})


def _plain(text: str) -> str:
    return " ".join(PLACEHOLDER.sub(" ", text).split())


def _letters(plain: str) -> int:
    """Letters, of Chinese, Japanese and Korean twice as many: two make a word, such as the Chinese one for a refund."""
    return sum(1 + (east_asian_width(character) in "WF") for character in plain if character.isalpha())


def _chance(plain: str, languages: Collection[str]) -> float:
    chances = language_chances(plain)
    return sum(chances.get(code, 0.0) for code in {*languages, NO_LANGUAGE})
