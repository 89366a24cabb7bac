"""Whose is a message to send, where two runs are at it at once?

In the client's store: telling/, one empty note for each message while it is being sent. It keeps no other run from
sending the message for longer than that takes: a message may come twice, and is never lost.
A week that is put into MLflow is kept to the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upkeep.errors import AlreadyExistsError
from upkeep.store import Store

TELLING = "telling/"
PATIENCE = 60.0
"""Seconds after which a run that is at a message is taken to have been killed; a delivery is seldom at it for ten."""


@contextmanager
def telling(store: Store, message: str, told: Callable[[], bool], *, patience: float = PATIENCE) -> Iterator[bool]:
    """Have a message for oneself while it is sent and noted; gives whether it is still to be sent.

    Where another run is at it, waits until that has `told` it, has failed or has had `patience` seconds.
    """
    key, until = f"{TELLING}{message}", time.monotonic() + patience
    while not _taken(store, key) and not told() and time.monotonic() < until:
        time.sleep(0.5)
    try:
        yield not told()
    finally:
        store.delete(key)


def _taken(store: Store, key: str) -> bool:
    try:
        store.create(key, b"")
    except AlreadyExistsError:
        return False
    return True
