"""A log counted from kept days and row by row, by a store that notes what was read."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.log_rows import (
    MONDAY,
    WEEK,
    outcome,
    prediction,
)
from tests.s3 import new_bucket, s3_endpoint  # noqa: F401 -- fixtures are found by name
from upkeep.log.entries import LogMapping, Sample, sample
from upkeep.log.files import read_window, write_outcomes, write_predictions
from upkeep.log.tally import Tally, tally
from upkeep.log.windows import sample_window, tally_windows
from upkeep.periods import Window
from upkeep.store import Store


class Counting:
    """A store that notes which keys of the raw log were read."""

    def __init__(self, store: Store) -> None:
        self.store, self.raw = store, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def read(self, key: str) -> bytes:
        self._note(key)
        return self.store.read(key)

    def fetch(self, key: str, folder: Path, *, own: bool = False) -> Path:
        self._note(key)
        return self.store.fetch(key, folder, own=own)

    def _note(self, key: str) -> None:
        if key.startswith("log/"):
            self.raw.append(key)

    def since(self) -> list[str]:
        """What was read since the last time this was asked."""
        found, self.raw = self.raw, []
        return found


BY_CHANNEL = LogMapping(by=("channel", "vip.since"))


def counted(
    store: Any,
    window: Window = WEEK,
    *,
    mapping: LogMapping | None = None,
    until: datetime | None = None,
    text: bool = False,
) -> Tally:
    mapping, until = mapping or LogMapping(), until or window.end
    return tally_windows(store, [window], mapping=mapping, outcomes_until=until, free_text=text)[0]


def row_by_row(
    store: Any,
    window: Window = WEEK,
    *,
    mapping: LogMapping | None = None,
    until: datetime | None = None,
    text: bool = False,
) -> Tally:
    mapping = mapping or LogMapping()
    log = read_window(store, window, mapping=mapping, outcomes_until=until or window.end)
    return tally(log, mapping.by, free_text=text)


def sampled(
    store: Any,
    window: Window = WEEK,
    *,
    mapping: LogMapping | None = None,
    until: datetime | None = None,
    least: int = 0,
) -> Sample:
    mapping, until = mapping or LogMapping(), until or window.end
    return sample_window(store, window, mapping=mapping, outcomes_until=until, least=least)


def sampled_rows(
    store: Any,
    window: Window = WEEK,
    *,
    mapping: LogMapping | None = None,
    until: datetime | None = None,
    least: int = 0,
) -> Sample:
    mapping = mapping or LogMapping()
    log = read_window(store, window, mapping=mapping, outcomes_until=until or window.end)
    return sample(log, mapping.by, least=least)


def requests(found: Tally) -> int:
    return sum(count.requests for count in found.cells.values())


def labelled(found: Tally) -> int:
    return sum(count.requests for cell, count in found.cells.items() if cell.said)


def fill(store: Store, days: int = 7) -> None:
    """Ten predictions a day, all audited a day later."""
    for day in range(days):
        rows = [prediction(f"{day}-{n}", MONDAY + timedelta(days=day, hours=n)) for n in range(10)]
        write_predictions(store, rows, name="api")
        write_outcomes(store, [outcome(row.id, row.at + timedelta(days=1)) for row in rows], name="desk")
