"""What is used of a machine: only what it has."""

from __future__ import annotations

import pytest

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
