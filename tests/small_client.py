"""A real client small enough for tests: three months of made-up tickets, a real model, a real registry."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.small_encoder import copy_configs
from upkeep.config import Thresholds, load_agreement
from upkeep.demo.tickets import history
from upkeep.desk import Desk, desk_of, open_desk
from upkeep.home import home
from upkeep.replay import Feedback, go_live
from upkeep.timeline import Timeline, TimelineRow, arrange

START = date(2026, 1, 1)
FEEDBACK = Feedback(complaints=0.5, audit=100)
READ_LATER = {"tier", "thresholds", "promotion", "minimum_labels", "review_by"}
"""What is agreed of the time after onboarding: the first model is the same whatever it says."""
ONBOARDED: dict[str, tuple[Path, Thresholds]] = {}
"""Homes in which a client was onboarded, by what was asked for; they go with the process."""


def timeline(months: int = 3, per_month: int = 150, *, until: date | None = None) -> Timeline:
    """Tickets of the demo's outdoor shop, policy change in the third month; with `until` they end before that day."""
    return arrange(history("northwind", seed=1, start=START, months=months, per_month=per_month), until=until)


def write_timeline(path: Path, rows: Iterable[TimelineRow]) -> None:
    """Write rows as the Parquet file that a replay reads."""
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows]), path)


def configure(folder: Path, monkeypatch, *, passes: int = 1, **changes) -> Path:
    """A copy of the configs in which the client `northwind` is changed, named by UPKEEP_CONFIGS."""
    copy_configs(folder, passes=passes)
    path = folder / "clients" / "northwind.yaml"
    raw = yaml.safe_load(path.read_text()) | changes
    path.write_text(yaml.safe_dump(raw))
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder))
    return folder


@cache
def small_desk() -> Desk:
    """`northwind` as configured for tests, for those that train without a registry; its configs go with the process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    copy_configs(folder / "configs")
    return desk_of(load_agreement(folder / "configs", "northwind"))


def live(played: Timeline) -> tuple[Desk, Thresholds]:
    """Onboard `northwind` with a timeline's launch cases; who asks for the same again is given a copy of it."""
    desk = open_desk("northwind")
    agreed = desk.client.model_dump_json(exclude=READ_LATER)
    asked = repr((agreed, desk.recipe, played.launch, played.golden, played.stream[0].ts))
    if asked not in ONBOARDED:
        folder = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("UPKEEP_HOME", str(folder))
            floors = go_live(open_desk("northwind"), played, seed=0)
        ONBOARDED[asked] = (folder, floors)
    folder, floors = ONBOARDED[asked]
    shutil.copytree(folder, home(), dirs_exist_ok=True)
    return desk, floors
