"""Which answers do people contradict, and what would the rule be?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from upkeep.config import Relabel


@dataclass(frozen=True, slots=True)
class Found:
    """A relabel rule that outcomes speak for."""

    rule: Relabel
    week: str
    proposed: datetime
    evidence: str
    examples: tuple[str, ...] = ()
    applied: datetime | None = None
    by: str | None = None
