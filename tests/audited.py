"""A client whose log is written by hand: every answer audited, as many wrong as a test wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.small_client import configure
from upkeep.config import Thresholds
from upkeep.desk import Desk, open_desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.stages.monitoring import review_week
from upkeep.stages.troubles import Trouble, note_troubles

FIRST = datetime(2026, 2, 2, 9, tzinfo=UTC)  # a Monday, 10 o'clock in Berlin
BURST = 6
"""The week in which `serve_burst` lets traffic burst: 2026-W12."""


def agreed(tmp_path: Path, monkeypatch, **changes) -> Desk:
    """A client with a home of its own and an agreed accuracy of 90 %."""
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path / "home"))
    configure(tmp_path / "configs", monkeypatch, thresholds={"accuracy": 0.9}, **changes)
    return open_desk("northwind")


def agreed_on(desk: Desk, thresholds: Thresholds) -> Desk:
    """The same client, with other limits."""
    client = desk.client.model_copy(update={"thresholds": thresholds})
    return Desk(desk.agreement.model_copy(update={"client": client}), desk.store, desk.registry)


def serve(desk: Desk, week: int, *, wrong: int, version: str = "1", n: int = 60, audited: bool = True) -> None:
    """A week of `n` answers, `wrong` of them wrong, all of them audited or none."""
    start = FIRST + timedelta(weeks=week)
    rows = [
        Prediction(
            f"{week}-{i}", start + timedelta(minutes=i), f"Where is order 4711{i:03}, ask ada{i}@example.com",
            "order_status", 0.9, version, True, None, {},
        )
        for i in range(n)
    ]  # fmt: skip
    said = [
        Outcome(row.id, row.at + timedelta(hours=1), OutcomeSource.AUDIT, "refund_status" if i < wrong else row.output)
        for i, row in enumerate(rows)
    ]
    write_predictions(desk.store, rows, name="test")
    if audited:
        write_outcomes(desk.store, said, name="test")


def reviewed(desk: Desk, week: int) -> list[Trouble]:
    """Review a week and return the troubles that this opened or closed."""
    found = review_week(desk, FIRST + timedelta(weeks=week + 1))
    return note_troubles(desk, found)


def serve_burst(desk: Desk) -> None:
    """Six usual weeks, which are reviewed, and one with three times the requests and half of its answers wrong."""
    for week in range(BURST):
        serve(desk, week, wrong=6, n=150)
        reviewed(desk, week)
    serve(desk, BURST, wrong=225, n=450)
