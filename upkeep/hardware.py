"""What does the machine have that models run on?"""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def device() -> str:
    """`cuda` where there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def hardware_precision(wanted: str) -> str:
    """What is wanted; `auto` is bf16 only where the GPU, or without one the processor, multiplies it natively."""
    if wanted != "auto":
        return wanted
    import torch

    if device() == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"


def fused_kernels() -> bool:
    """Are there a GPU, Liger's kernels for it, and the C compiler that Triton needs to build them?"""
    compilers = (os.environ.get("CC", "cc"), "gcc", "clang")
    there = importlib.util.find_spec("liger_kernel") is not None
    return there and device() == "cuda" and any(shutil.which(one) for one in compilers)


def dtype(precision: str) -> torch.dtype:
    """What weights are loaded as; beside packed ones (`nf4`), the others, and what those are unpacked to."""
    import torch

    found = hardware_precision("auto" if precision == "nf4" else precision)
    return torch.bfloat16 if found == "bf16" else torch.float32
