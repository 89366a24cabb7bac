"""Does another process of this machine train a model of the same client already?

MLflow's alias `challenger` names one model of a client, whatever it was trained for. On several machines the limits of
the work queues see to it that one trains at a time.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upkeep.errors import TrainingError
from upkeep.home import home


@contextmanager
def sole_training(client: str, period: str, *, waits: Callable[[str], None] | None = None) -> Iterator[None]:
    """Be the only one that trains and compares a client's models; `period` is what for.

    Raises TrainingError at once where another process is at it. Where that works on something else, one that `waits`
    is told so and goes on when it is done. The lock goes with its process, however that ended. Processes that train
    together are started by the one that has it, and ask for none.
    """
    path = home() / "training" / client / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            other = file.read()  # empty for the moment before it is written
            at_it = f"client {client}: another process is at work on {other or 'a training'} already"
            if waits is None or other == period:
                wanted = f"expected one at a time: `upkeep decisions {client}` tells what it comes to"
                raise TrainingError(f"{at_it}, {wanted}") from exc
            waits(f"{at_it}; {period} waits for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(period)
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
