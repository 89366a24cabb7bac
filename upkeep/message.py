"""How is a message headed, so that it arrives whatever other people have written into what it is about?"""

from __future__ import annotations

from typing import NamedTuple

from upkeep.redaction import inert

LONGEST, OCTETS = 200, 300
"""A title's characters, and their octets in UTF-8: each may be three in a mail's subject, a line of 998
at most (RFC 5322, 2.1.1)."""
JOINERS = "\u200c\u200d"
"""No signs to see, but parts of words and pictures."""


class Message(NamedTuple):
    """What people are told, as Markdown."""

    title: str
    text: str


def headed(title: str, text: str) -> Message:
    """A title as a line of printable characters, LONGEST at most, and its text; both inert.

    Of a title that is cut the text begins with all of it. A line break in one would end a mail's headers.
    """
    seen = "".join(sign for sign in title if sign.isprintable() or sign.isspace() or sign in JOINERS)
    whole = inert(" ".join(seen.split()))
    cut = _cut(whole)
    return Message(cut, inert(text if cut == whole else f"{whole}\n\n{text}"))


def _cut(line: str) -> str:
    if len(line) <= LONGEST and len(line.encode()) <= OCTETS:
        return line
    end = "…"
    return line[: LONGEST - 1].encode()[: OCTETS - len(end.encode())].decode(errors="ignore") + end
