"""Is a regular expression from a client's config found in a text, without waiting for it for ever?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import regex

from upkeep.errors import ConfigError

SECONDS = 1.0
"""Computing time for one text. Python's own `re` has no limit, and what repeats a repetition may go on for years."""


def fault(pattern: str) -> str | None:
    """Why it is no regular expression, if it is none."""
    try:
        regex.compile(pattern, regex.IGNORECASE)
    except regex.error as exc:
        return str(exc)
    return None


def is_in(pattern: str, text: str) -> bool:
    """Is it found in a text, in small letters or capitals? Raises ConfigError where that takes longer than SECONDS."""
    try:
        return regex.search(pattern, text, regex.IGNORECASE, timeout=SECONDS) is not None
    except TimeoutError as exc:
        taken = f"{pattern!r} has taken more than {SECONDS:g} s on a text of {len(text):,} characters"
        raise ConfigError(f"{taken}, expected a regular expression that repeats nothing it repeats already") from exc


@contextmanager
def of_client(name: str) -> Iterator[None]:
    """Let an error about a regular expression say whose config it stands in."""
    try:
        yield
    except ConfigError as exc:
        raise ConfigError(f"clients/{name}.yaml: {exc}") from exc
