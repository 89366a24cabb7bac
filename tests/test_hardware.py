"""What is used of a machine: only what it has."""

from __future__ import annotations

import pytest
import torch

from upkeep import hardware


@pytest.mark.parametrize(
    ("where", "liger", "compiler", "fused"),
    [("cuda", True, "/usr/bin/cc", True), ("cpu", True, "/usr/bin/cc", False), ("cuda", False, "/usr/bin/cc", False),
     ("cuda", True, None, False)],
)  # fmt: skip
def test_kernels_are_fused_where_there_is_all_they_need(where, liger, compiler, fused, monkeypatch):
    monkeypatch.setattr(hardware, "device", lambda: where)
    monkeypatch.setattr(hardware.importlib.util, "find_spec", lambda name: object() if liger else None)
    monkeypatch.setattr(hardware.shutil, "which", lambda name: compiler)
    assert hardware.fused_kernels() is fused


@pytest.mark.parametrize(
    ("where", "able", "wanted", "found"),
    [
        ("cuda", True, "auto", "bf16"),
        ("cuda", False, "auto", "fp32"),
        ("cpu", {"avx512_bf16": True}, "auto", "bf16"),
        ("cpu", {"amx_bf16": True}, "auto", "bf16"),
        ("cpu", {"avx2": True}, "auto", "fp32"),
        ("cpu", {"avx512_bf16": True}, "fp32", "fp32"),
        ("cuda", False, "nf4", "nf4"),
    ],
)
def test_bf16_is_used_where_it_is_multiplied_natively_unless_something_else_is_wanted(
    where, able, wanted, found, monkeypatch
):
    monkeypatch.setattr(hardware, "device", lambda: where)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda *, including_emulation: able and not including_emulation
    )
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert hardware.hardware_precision(wanted) == found
