"""How does one watch a training in MLflow while it goes on?

Its measurements reach the run every few seconds, and beside them what the machine does (MLflow's system metrics).
Where MLflow does not answer, training goes on and what waited is given again later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from upkeep.adapters.addresses import shown
from upkeep.adapters.registry import Point, Run
from upkeep.errors import StoreError

EVERY = 5.0
"""Seconds between two calls to MLflow."""
PAUSE = 60.0
"""Seconds before the next where one failed: a server that is down answers after four."""


class Live:
    """Measurements on their way into a run."""

    def __init__(self, run: Run, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.run = run
        self.clock = clock
        self.waiting: list[Point] = []
        self.next = clock() + EVERY

    def __call__(self, values: Mapping[str, float], step: int) -> None:
        """Take a measurement after so many steps."""
        self.waiting.append(Point(dict(values), step, datetime.now(UTC)))
        if self.clock() < self.next:
            return
        try:
            self.flush()
            self.next = self.clock() + EVERY
        except StoreError:
            self.next = self.clock() + PAUSE

    def flush(self) -> None:
        """Log all that waits. Raises StoreError, and it still waits then."""
        self.run.history(self.waiting)
        self.waiting = []


@contextmanager
def watched(run: Run, uri: str) -> Iterator[Live]:
    """Measurements and system metrics of what goes on in the block, in a run at a tracking address."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    logging.getLogger(SystemMetricsMonitor.__module__).addFilter(_without_password)
    live = Live(run)
    made: Any = SystemMetricsMonitor  # MLflow's own has no types
    monitor = made(run.run_id, resume_logging=True, tracking_uri=uri)
    monitor.start()
    try:
        yield live
    finally:
        monitor.finish()
        live.flush()


def _without_password(record: logging.LogRecord) -> bool:
    """Let a record pass whose text may quote the tracking address, without the password in it."""
    record.msg = shown(str(record.msg))
    return True
