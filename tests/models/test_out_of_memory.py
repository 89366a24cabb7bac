"""What is known as a lack of memory, whoever raises it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from upkeep.models.out_of_memory import halve_if_out_of_memory, is_out_of_memory


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of"),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if"),
        RuntimeError("NCCL error in: NCCLUtils.cpp, unhandled cuda error: Cuda failure 2 'out of memory'"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1024 bytes."),
        RuntimeError("std::bad_alloc"),
        MemoryError(),
    ],
    ids=lambda error: f"{type(error).__name__}: {error}"[:60],
)
def test_a_lack_of_memory_halves(error):
    assert halve_if_out_of_memory(5, error, what="text", wanted="less") == 3


def test_the_machine_s_own_memory_is_meant_too():
    with pytest.raises(RuntimeError) as tensor:
        torch.empty(1 << 50)
    with pytest.raises(MemoryError) as array:
        np.zeros(1 << 50)
    assert is_out_of_memory(tensor.value)
    assert is_out_of_memory(array.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        ValueError("out of memory"),
    ],
)
def test_anything_else_is_raised_as_it_is(error):
    with pytest.raises(type(error)) as raised:
        halve_if_out_of_memory(4, error, what="text", wanted="less")
    assert raised.value is error
