"""Made-up cases whose texts are as unlike as the tests need them."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from upkeep.cases.case import Case, Source


def text(number: int) -> str:
    """A text that is nearly no other number's: 24 hexadecimal digits of a hash."""
    return sha256(str(number).encode()).hexdigest()[:24]


def case(number: int, answer: str = "a", *, at: datetime | None = None, text_of: str = "", **more: object) -> Case:
    """A case of the launch set, or one that was asked and collected at a moment."""
    source = Source.AUDIT if at else Source.LAUNCH
    return Case(str(number), text_of or text(number), answer, source, at, known_from=at, **more)  # type: ignore[arg-type]
