"""What is locked away for evaluation, and what stays open to be taught?

In the client's store, by the period it was said in: evaluation/locked/ (items that no model may ever learn from) and
evaluation/open/ (hashes, as the sides of cases go by them, that were taught before the recipe came to hold them out).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from upkeep import records
from upkeep.cases.case import Case
from upkeep.cases.split import Locked, Open, lock, open_up
from upkeep.desk import Desk
from upkeep.progress import Progress, silent

LOCKED, OPEN = "evaluation/locked/", "evaluation/open/"


def lock_away(
    desk: Desk,
    period: str,
    moment: datetime,
    cases: Sequence[Case],
    *,
    taught: Collection[str],
    progress: Progress = silent,
) -> None:
    """Lock what is for evaluation of the cases known at a moment, once for a period; never what was `taught` before.

    `taught` are the normalised texts of all earlier snapshots.
    """
    locked, stays_open = locking(period)
    if desk.store.exists(locked):  # of a run that did not get to its end
        return
    before, opened = locked_items(desk), open_hashes(desk)
    facts = {case.id: case for case in cases}
    more = open_up(cases, facts, desk.recipe, opened=opened, taught=taught, locked=before, at=moment)
    if more:
        records.save_rows(desk.store, stays_open, more)
    new = lock(
        cases, facts, desk.recipe, locked=before, golden=desk.golden(), at=moment,
        opened=opened | {one.at for one in more}, taught=taught, progress=progress,
    )  # fmt: skip
    desk.store.create(locked, records.dump_rows(new))


def locking(period: str) -> tuple[str, str]:
    """Where it stands what a period locked, and what it let stay open."""
    return f"{LOCKED}{period}.jsonl", f"{OPEN}{period}.jsonl"


def locked_items(desk: Desk, keys: Iterable[str] | None = None) -> list[Locked]:
    """Every item that was ever locked away for evaluation."""
    found = desk.store.keys(LOCKED) if keys is None else keys
    return [item for key in found for item in records.load_rows(desk.store, key, Locked)]


def open_hashes(desk: Desk, keys: Iterable[str] | None = None) -> frozenset[float]:
    """Every hash that stays open whatever the recipe holds out."""
    found = desk.store.keys(OPEN) if keys is None else keys
    return frozenset(one.at for key in found for one in records.load_rows(desk.store, key, Open))
