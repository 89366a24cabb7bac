"""Is this still the text that was sent out, after a spreadsheet or an old code page had it?"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from upkeep.cases.spreadsheet import clean, without_guard

ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""How a workbook writes a character that XML cannot hold; Office Open XML (ECMA-376), ST_Xstring."""
CONTROLS = re.compile("[\x7f-\x9f]")
LOST = "?"
"""What a code page has for a character that it does not know."""
STROKED = re.compile(r"LATIN (SMALL|CAPITAL) LETTER ([A-Z]) WITH ")


def comparable(text: str) -> str:
    """The form in which a text is the same before and after: Unicode NFC, single spaces, none of our apostrophes."""
    plain = CONTROLS.sub(" ", clean(ESCAPED.sub(lambda found: chr(int(found[1], 16)), without_guard(text))))
    return " ".join(unicodedata.normalize("NFC", plain).split())


def damaged(text: str) -> frozenset[str]:
    """What a text may be, as `merged` has it, once it was saved as Windows-1252; nothing where that spoils nothing."""
    if text.isascii():
        return frozenset()
    composed = unicodedata.normalize("NFC", text)
    saved = {_narrow(text), _narrow(composed), "".join(map(_nearest, composed))}
    return frozenset(merged(one) for one in saved) - {merged(text)}


def merged(text: str) -> str:
    """The text's key with one `?` for several: what a lost character becomes, one or two, is up to the program."""
    return re.sub(r"\?+", LOST, comparable(text))


def mostly_lost(text: str) -> bool:
    """Is at least half of the text what an encoding leaves of characters that it does not know?"""
    visible = "".join(text.split())
    return 2 * sum(visible.count(one) for one in (LOST, "\ufffd")) >= max(len(visible), 1)


class Known:
    """The texts that were sent out. Where two of them would look alike once damaged, neither is taken for found."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._by_form: defaultdict[str, set[str]] = defaultdict(set)
        for text in texts:
            for form in (merged(text), *damaged(text)):
                self._by_form[form].add(comparable(text))

    def is_it(self, found: str, wanted: str) -> bool:
        """Is what was found the wanted text, whole or damaged, and no other?"""
        form = merged(found)
        return comparable(found) == comparable(wanted) or (
            form in damaged(wanted) and self._by_form[form] == {comparable(wanted)}
        )


def _narrow(text: str) -> str:
    return text.encode("cp1252", errors="replace").decode("cp1252")


@lru_cache(maxsize=4096)
def _nearest(character: str) -> str:
    """The nearest character that Windows-1252 has, as Windows chooses it for accents, strokes and wide letters."""
    base = "".join(one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    stroked = STROKED.match(unicodedata.name(character, ""))
    letter = (stroked[2].lower() if stroked[1] == "SMALL" else stroked[2]) if stroked else LOST
    return next((one for one in (character, base, letter) if one and LOST not in _narrow(one)), LOST)
