"""How is any number of texts worked through, so many at a time as there is memory for?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from upkeep.models.out_of_memory import LACK, free_memory, halve_if_out_of_memory
from upkeep.progress import Progress, silent

Made = TypeVar("Made")
Part = TypeVar("Part")
Text = TypeVar("Text", bound=Sized)
"""A text, or its tokens."""
CHUNK = 4096
"""So many texts of a stream are in memory at a time."""
WANTED = "lower max_tokens, or use another machine"
LOG = logging.getLogger(__name__)
_NOTES: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def noted_halvings() -> Iterator[list[str]]:
    """Collects what is said of batches that were halved meanwhile, each once, for the notes of a run."""
    notes: list[str] = []
    before = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(before)


def in_batches(
    texts: Sequence[Text],
    size: int,
    work: Callable[[list[Text]], Made],
    *,
    lengths: NDArray[np.int64] | None = None,
    progress: Progress = silent,
    what: str = "texts",
) -> Iterator[tuple[NDArray[np.int64], Made]]:
    """Rows of the texts with what `work` makes of them: batches of like length, so that little is padded.

    `lengths` are in tokens, shape (len(texts),); where they are not known characters are counted: then short texts are
    padded by a quarter to a third (banking77, clinc150), by tokens it is 3 to 5 %. From where there is not enough
    memory for a batch on, half as many are taken at a time, and a warning says so. Raises TrainingError where there is
    not enough for one text.
    """
    order = np.argsort([len(text) for text in texts] if lengths is None else lengths, kind="stable")
    done = 0
    while done < len(order):
        rows = order[done : done + size]
        try:
            made = work([texts[row] for row in rows])
        except LACK as exc:
            size = halve_if_out_of_memory(min(size, len(rows)), exc, what="text", wanted=WANTED)
        else:
            yield rows, made
            done += len(rows)
            progress(what, done, len(order))
            continue
        _tell(f"out of memory: {what}, {size} at a time from there on")
        free_memory()


def _tell(note: str) -> None:
    LOG.warning(note)
    notes = _NOTES.get()
    if notes is not None and note not in notes:
        notes.append(note)


def chunks(texts: Iterable[Part], size: int = CHUNK) -> Iterator[list[Part]]:
    """So many at a time, as they come."""
    left = iter(texts)
    while some := list(islice(left, size)):
        yield some
