"""Ways to read a log, and a store that notes what was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.log.kept import Counting
from upkeep.adapters.store import open_store
from upkeep.log import scan


@pytest.fixture(scope="module", params=[0, scan.SMALL], ids=["duckdb", "small days"])
def way_of_reading(request):
    """Every day by DuckDB, or small ones without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "SMALL", request.param)
        yield


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    """A folder that notes what is read of it."""
    return Counting(open_store(str(tmp_path / "acme")))
