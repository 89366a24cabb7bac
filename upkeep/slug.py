"""How does a text become a part of a key, and another one for each text?"""

from __future__ import annotations

import hashlib
import re

LONGEST = 40
"""Characters of a text that stand in a key."""


def slug(text: str) -> str:
    """The text in [a-z0-9-]; what is lost in it stands as a hash behind it."""
    plain = re.sub("[^a-z0-9]+", "-", text.casefold())[:LONGEST].strip("-")
    if plain.replace("-", "_") == text:
        return plain
    return f"{plain}-{hash_suffix(text)}".lstrip("-")


def hash_suffix(text: str) -> str:
    """Six letters and digits that stand for what a text has lost."""
    return hashlib.sha256(text.encode()).hexdigest()[:6]
