"""How does long work say how far it is?"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are."""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""


Measured = Callable[[Mapping[str, float], int], None]
"""Called with what was measured, by name, and after how many steps of learning that was."""


def unmeasured(values: Mapping[str, float], step: int) -> None:
    """Keep nothing."""


class OnTerminal:
    """Rewrites one line on a terminal; a log, which cannot rewrite, gets a line every ten seconds of long work."""

    def __init__(self, *, every: float = 10.0) -> None:
        self.every = every
        self._said = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say how far it is."""
        line = f"  {what}: {done:,} of {total:,}"
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
        elif time.monotonic() - self._said >= self.every:
            self._said = time.monotonic()
            print(line, file=sys.stderr, flush=True)
