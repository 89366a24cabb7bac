"""How is the address of a server or a database shown to people, who are not to read its password?"""

from __future__ import annotations

import re

LOGIN = re.compile(
    r"((?!https?://[^\s/:@]+:\d+/\S*@[^\s/:@.]+(?:\s|$))\b[a-z][\w+.-]*://)"
    r"(?:[^\s/:@]+:\S*|[^\s/]*|[^\s/:@[]+:(?!\d+\W)\S[^@\n]*)@",
    re.IGNORECASE,
)
"""User and password in an address, which may hold a slash or a space; but not a port and a path that ends in `@word`,
nor a port and what follows on the address."""
ALONE = re.compile(r"([a-z][\w+.-]*://)[^\s/:@[]+:\S.*\s.*@([^\s@]+)", re.IGNORECASE)
"""An address and nothing else, with a space in its password, which may hold an `@` and begin as a port does."""
QUERY = re.compile(r"(/[^\s?]*\?)\S+")
"""What stands behind the `?` of an address or of its path, where a database takes a password too."""


def shown(text: str) -> str:
    """A text with addresses in it, without user, password and what stands behind a `?`."""
    return QUERY.sub(r"\1...", LOGIN.sub(r"\1", text))


def shown_address(uri: str) -> str:
    """An address without them, where a text would not tell its password from what follows on a port."""
    whole = ALONE.fullmatch(uri)
    return shown("".join(whole.groups()) if whole else uri)
