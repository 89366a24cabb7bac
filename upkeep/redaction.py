"""What of a customer's text may be shown to others?"""

from __future__ import annotations

import re

LONGEST = 160
PATTERNS = (
    ("[link]", re.compile(r"\bhttps?://\S+|\bwww\.\S+", re.IGNORECASE)),
    ("[e-mail]", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("[account]", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),  # IBAN, ISO 13616
    ("[number]", re.compile(r"(?<!\w)[+(]?\d(?:[\s()./-]{0,2}\d){4,}(?!\w)")),  # telephone, card, order, customer
)
"""What a match becomes, in the order they are tried. Names are not found: nothing short of a model finds them."""


def redact(text: str) -> str:
    """The text without links, e-mail addresses, account numbers, and numbers of five digits or more."""
    for instead, pattern in PATTERNS:
        text = pattern.sub(instead, text)
    return text


def shown(text: str) -> str:
    """A text as others may see it: redacted, on one line, of LONGEST characters at most."""
    line = redact(" ".join(text.split()))
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
