"""How does only one process of this machine do a thing at a time?"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upkeep.home import home


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until nobody else holds the lock that a file stands for, and hold it; it goes with its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def only_one(client: str, what: str) -> Iterator[None]:
    """Be the only one that does this for a client: a second one waits, and finds it done."""
    with one_at_a_time(home() / "locks" / client / what):
        yield
