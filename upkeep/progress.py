"""How does long work say how far it is?"""

from __future__ import annotations

import sys
from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are."""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""


def on_terminal(what: str, done: int, total: int) -> None:
    """Rewrite one line on standard error; a log file, which cannot rewrite, gets only the last one."""
    last = done >= total
    if sys.stderr.isatty():
        print(f"\r  {what}: {done:,} of {total:,}", end="\n" if last else "", file=sys.stderr, flush=True)
    elif last:
        print(f"  {what}: {total:,}", file=sys.stderr, flush=True)
