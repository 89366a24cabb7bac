"""How is any number of texts worked through, so many at a time as there is memory for?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from upkeep.models.out_of_memory import free_memory, halve_if_out_of_memory
from upkeep.progress import Progress, silent

Made = TypeVar("Made")
Part = TypeVar("Part")
CHUNK = 4096
"""So many texts of a stream are in memory at a time."""
WANTED = "lower max_tokens, or use another machine"


def in_batches(
    texts: Sequence[str],
    size: int,
    work: Callable[[list[str]], Made],
    *,
    progress: Progress = silent,
    what: str = "texts",
) -> Iterator[tuple[NDArray[np.int64], Made]]:
    """Rows of the texts with what `work` makes of them: batches of like length, so that little is padded.

    From where there is not enough memory for a batch on, half as many are taken at a time. Raises TrainingError where
    there is not enough for one text.
    """
    order = np.argsort([len(text) for text in texts], kind="stable")
    done = 0
    while done < len(order):
        rows = order[done : done + size]
        try:
            made = work([texts[row] for row in rows])
        except RuntimeError as exc:
            size = halve_if_out_of_memory(min(size, len(rows)), exc, what="text", wanted=WANTED)
        else:
            yield rows, made
            done += len(rows)
            progress(what, done, len(order))
            continue
        free_memory()


def chunks(texts: Iterable[Part], size: int = CHUNK) -> Iterator[list[Part]]:
    """So many at a time, as they come."""
    left = iter(texts)
    while some := list(islice(left, size)):
        yield some
