"""What was decided about a client's challengers, and on which evidence?

In the client's store: decisions/ by period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from upkeep import records
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.errors import DecisionError
from upkeep.evaluation.after_cut import AfterCut
from upkeep.evaluation.comparison import Paired, Verdict
from upkeep.evaluation.differences import Difference
from upkeep.evaluation.verdict import VerdictTerms
from upkeep.metrics.closeness import Duel
from upkeep.stages.prerequisites import require_model
from upkeep.stages.release import release_log
from upkeep.statistics.rates import Rate


@dataclass(frozen=True, slots=True)
class OnTheme:
    """Both models on the held-out items that are about something that kept going wrong."""

    theme: str
    since: str
    champion: Rate
    challenger: Rate

    def __str__(self) -> str:
        old, new = self.champion, self.challenger
        return f"{self.theme} (since {self.since}): {new.hits} of {new.n} right, before {old.hits}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a challenger, on which evidence, and whether it went into service.

    `label` is the new category that the challenger was to learn, where that was all it was to. `evidence` is the
    SHA-256 of the outcomes, which with the `terms` give the verdict again; `code` the release of Upkeep that judged.
    `left_out` items were not compared on, as the champion was taught them before they were agreed, nor were the
    `waiting` golden lines that were agreed after the challenger's snapshot was taken. `themes`, `figures` and
    `duels` are for people: the verdict does not ask. Whether the decision was applied, and by whom, is
    told by the release log.
    """

    period: str
    as_of: datetime
    reason: str
    champion: str
    challenger: str
    verdict: Verdict
    reasons: tuple[str, ...]
    compared: tuple[Paired, ...]
    metrics: dict[str, dict[str, float]]
    applied: bool = False
    applied_by: str | None = None
    themes: tuple[OnTheme, ...] = ()
    label: str | None = None
    terms: VerdictTerms | None = None
    evidence: str | None = None
    code: str | None = None
    left_out: int = 0
    figures: tuple[Difference, ...] = ()
    duels: tuple[Duel, ...] = ()
    after_cut: AfterCut | None = None
    waiting: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was agreed and not compared on, in words."""
        told = (
            (self.left_out, "item", "taught to the champion before being agreed"),
            (self.waiting, "golden line", "agreed after this challenger's snapshot, locked by the next retrain"),
        )
        return tuple(f"{count_of(n, what)} not compared on: {why}" for n, what, why in told if n)


def decisions(desk: Desk, *, at: datetime | None = None) -> list[Decision]:
    """All decisions about the client's models, oldest first, as they had been carried out by a moment, else by now."""
    found = [records.load(desk.store, key, Decision) for key in desk.store.keys("decisions/")]
    return sorted(as_carried_out(desk, found, at), key=lambda one: one.as_of)


def decision(desk: Desk, period: str) -> Decision:
    """The decision of a period. Raises DecisionError listing those there are, NoChampionError before onboarding."""
    found = records.load_if_there(desk.store, f"decisions/{period}.json", Decision)
    if found is None:
        require_model(desk)
        there = [one.period for one in decisions(desk)]
        wanted = f"expected one of {there}" if there else "nor any other; `upkeep retrain` makes one"
        raise DecisionError(f"client {desk.client.client}: no decision {period!r}, {wanted}")
    return as_carried_out(desk, [found])[0]


def as_carried_out(desk: Desk, found: Sequence[Decision], at: datetime | None = None) -> list[Decision]:
    """The decisions with what the release log says of them: whether it was carried out, and on whose word."""
    log = release_log(desk) if found else []
    entries = {one.decision: one for one in log if at is None or one.at <= at}
    return [
        replace(one, applied=True, applied_by=entries[one.period].by) if one.period in entries else one for one in found
    ]
