"""What becomes of work for which there is not enough memory?"""

from __future__ import annotations

from typing import TypeAlias

from upkeep.errors import TrainingError

LACK = (RuntimeError, MemoryError)
"""What is raised where memory runs out, among much else: PyTorch's own errors are RuntimeErrors."""
Lack: TypeAlias = RuntimeError | MemoryError
SAID = (
    "out of memory",  # PyTorch's allocator, the CUDA driver, NCCL
    "allocate memory",  # of the processor: "can't" and "Cannot"
    "not enough memory",
    "status_alloc_failed",  # cuBLAS and its like
    "allocation_failed",  # cuDNN 9
    "bad_alloc",
)
"""What such an error says, in small letters, beside what accelerate knows."""


def is_out_of_memory(error: BaseException) -> bool:
    """Does an error say that memory ran out, a GPU's or the machine's?"""
    from accelerate.utils.memory import should_reduce_batch_size

    if isinstance(error, MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and (should_reduce_batch_size(error) or any(one in said for one in SAID))


def halve_if_out_of_memory(size: int, error: Lack, *, what: str, wanted: str) -> int:
    """Half of what was tried at a time, where an error says that it did not fit; any other error is raised again.

    Raises TrainingError, saying what is wanted, where it was a single one already.
    """
    if not is_out_of_memory(error):
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
