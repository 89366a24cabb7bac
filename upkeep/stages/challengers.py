"""Which versions were trained for a client?

In the client's store: challengers/ by period.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from upkeep import records
from upkeep.counts import count_of
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

    def __str__(self) -> str:
        labels = f"{count_of(len(self.labels), 'label')} ({len(self.new_labels)} new)"
        return ", ".join(
            (
                f"version {self.version} trained on {count_of(self.trained_on, 'case')}",
                *([labels] if self.labels else []),
                f"{count_of(self.superseded, 'answer')} superseded",
                self.alone,
            )
        )

    @property
    def alone(self) -> str:
        """From which confidence on it answers without a person, or why it never does."""
        if self.threshold <= 1:
            return f"threshold {self.threshold:.3f}"
        tried = f"at no confidence enough of {count_of(self.held_out, 'held-out case')} were right"
        return f"every answer goes to a person: {tried if self.held_out else 'no case was held out to judge it by'}"


def challengers(desk: Desk) -> list[Challenger]:
    """Every version that was trained for the client."""
    return [records.load(desk.store, key, Challenger) for key in desk.store.keys("challengers/")]
