"""Which versions were trained for a client?

In the client's store: challengers/ by period.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from upkeep import records
from upkeep.desk import Desk


@dataclass(frozen=True, slots=True)
class Challenger:
    """A trained version: what it was taught, how sure its threshold is, and that it reads back the same.

    `grown_on` is the version whose head got one more row in it; None for one that was trained whole. `mix` counts what
    it was taught by kind, where that is known. `held_out` is how many cases the threshold was fitted on,
    `content_digest` the manifest's; 0 and empty in records of before. `new_labels` are those that neither the config
    nor the version in service then had.
    """

    period: str
    as_of: datetime
    version: str
    labels: tuple[str, ...]
    new_labels: tuple[str, ...]
    waiting_labels: dict[str, int]
    trained_on: int
    superseded: int
    training_digest: str
    weights_digest: str
    threshold: float
    expected_automatic: float
    reload_exact: bool
    grown_on: str | None = None
    mix: dict[str, int] = field(default_factory=dict)
    held_out: int = 0
    content_digest: str = ""


def challengers(desk: Desk) -> list[Challenger]:
    """Every version that was trained for the client."""
    return [records.load(desk.store, key, Challenger) for key in desk.store.keys("challengers/")]
