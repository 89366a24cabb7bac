"""What becomes of a training for which there is not enough memory?"""

from __future__ import annotations

from upkeep.errors import TrainingError


def halve_if_out_of_memory(size: int, error: RuntimeError, *, what: str, wanted: str) -> int:
    """Half of what was tried at a time, where an error says that it did not fit; any other error is raised again.

    Raises TrainingError, saying what is wanted, where it was a single one already.
    """
    from accelerate.utils.memory import should_reduce_batch_size

    if not should_reduce_batch_size(error):
        raise error
    if size == 1:
        raise TrainingError(f"out of memory with a single {what}: {wanted}") from error
    return (size + 1) // 2


def note_of_halving(size: int, whole: int, *, what: str) -> str:
    """That it was halved, for the notes of a run."""
    return f"out of memory: {size} {what}s at a time now, accumulated to {whole} a step"


def free_memory() -> None:
    """Give back what nothing holds any more; call it outside of `except`, for the error holds what was tried."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
