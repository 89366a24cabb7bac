"""`make demo`, shortened and with one pass of training: alarm, change order, chart and reports are really there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from deployments.demo import draw
from tests.small_encoder import copy_configs

ROOT = Path(__file__).parents[2]


def test_the_demo_tells_its_story_and_leaves_a_chart_and_reports(tmp_path):
    copy_configs(tmp_path / "configs")
    env = os.environ | {"UPKEEP_HOME": str(tmp_path), "UPKEEP_CONFIGS": str(tmp_path / "configs")}
    done = subprocess.run(
        [sys.executable, "-m", "deployments.demo", "--months", "3", "--until", "2026-04-07", "--tickets", "150"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tier 1, monitoring" in done.stdout
    assert "retrain 2026-Q2" in done.stdout  # tier 2
    assert "retrain 2026-04" in done.stdout  # tier 3, after the policy change of 15 March
    assert "now in service" in done.stdout
    assert (tmp_path / "demo" / "auto-resolution.png").read_bytes().startswith(b"\x89PNG")
    for client in ("northwind", "brightbill", "clearline"):
        page = tmp_path / "demo" / "clients" / client / "reports" / "2026-03.html"
        assert "Model health" in page.read_text()


def test_equal_shares_of_two_clients_are_two_marks_in_the_chart():
    month = {"month": "2026-04", "auto_resolved": 0.9, "decisions": [{"applied": True}]}
    (axes,) = draw({"brightbill": [month], "clearline": [month]}).axes
    diamonds = [tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "D" and len(line.get_xdata())]
    assert len(set(diamonds)) == 2
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2026-04"]
