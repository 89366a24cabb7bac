"""Does another process of this machine train the same already?

On several machines the limits of the work queues see to it that one trains at a time.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from upkeep.errors import TrainingError
from upkeep.home import home


@contextmanager
def sole_training(client: str, period: str) -> Iterator[None]:
    """Be the only one that trains and compares a client's period. Raises TrainingError at once where there is another.

    The lock goes with its process, however that ended. Processes that train together are started by the one that has
    it, and ask for none.
    """
    path = home() / "training" / client / f"{period}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            wanted = f"expected one at a time: `upkeep decisions {client}` tells what it comes to"
            raise TrainingError(f"client {client}: another process is at work on {period} already, {wanted}") from exc
        yield
