"""When does a fine-tuning have to stop learning, so that all of it is done in its time?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from upkeep.recipes import Common

Clock: TypeAlias = Callable[[], float]
"""Seconds since whenever; never set back."""
UP = ": out of time (max_minutes)"
"""Why a run stopped, for its notes."""


class Budget(NamedTuple):
    """What a recipe's `max_minutes` are for besides steps; all in seconds."""

    limit: float = math.inf
    """So long may a fine-tuning take, from its start to its threshold."""
    before: float = 0.0
    """So long it took before its first step."""
    look: float = 0.0
    """So long a look at the held-out cases takes, as far as is known before the first."""
    after: float = 0.0
    """So long will take what comes after the last look."""

    def is_up(self, seconds: float, *, step: float, look: float) -> bool:
        """After so many seconds, is one more step too many? It takes so long, and a look does."""
        return seconds + step + look + self.after > self.limit


UNLIMITED = Budget()


def limit_of(recipe: Common) -> float:
    """The seconds that a recipe gives a fine-tuning."""
    return math.inf if recipe.max_minutes is None else 60 * recipe.max_minutes


def overrun(recipe: Common, seconds: float) -> list[str]:
    """That a fine-tuning took longer than it was given, for its notes, if it did."""
    if seconds <= limit_of(recipe):
        return []
    return [f"took {seconds / 60:.1f} minutes, longer than max_minutes ({recipe.max_minutes:g})"]


def stopped(done: int, steps: int, *, is_up: bool) -> list[str]:
    """That a run did fewer steps than its recipe has, for its notes, if it did."""
    return [f"stopped after {done:,} of {steps:,} steps{UP if is_up else ''}"] if done < steps else []
