"""The README's commands do what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from sqlalchemy import make_url

from tests.small_client import timeline, write_timeline
from tests.small_encoder import copy_configs
from upkeep.adapters.store import open_store
from upkeep.config import load_client
from upkeep.log.entries import Prediction
from upkeep.log.files import write_predictions
from upkeep.timeline import Timeline

ROOT = Path(__file__).parents[1]
MADE_BY_MAKE = {"make demo", "make up"}  # tests/deployments/test_demo.py and tests/deployments/test_up.py
NEEDS_A_WINNER = ("approve", "rollback")


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def prepare(folder: Path, history: Timeline) -> dict[str, str]:
    copy_configs(folder / "configs")
    for name, rows in (("cases", history.launch), ("golden", [row for row in history.golden if not row.valid_to])):
        lines = [json.dumps({"id": row.id, "text": row.text, "answer": row.label}) for row in rows]
        (folder / f"acme-{name}.jsonl").write_text("\n".join(lines))
    write_timeline(folder / "history.parquet", [*history.launch, *history.stream, *history.golden])
    assert pq.read_metadata(folder / "history.parquet").num_rows
    log_as_the_application_would(folder / "home")
    return os.environ | {"UPKEEP_HOME": str(folder / "home"), "UPKEEP_CONFIGS": str(folder / "configs")}


def log_as_the_application_would(home: Path) -> None:
    """Requests of last week and of the month that the README reports on, answered by another model."""
    store = open_store(str(home / "clients" / "acme"))
    for day in (datetime(2026, 10, 20, 9, tzinfo=UTC), datetime.now(UTC) - timedelta(days=7)):
        rows = [Prediction(f"{day:%j}-{n}", day, "Where is it?", "order_status", 0.9, "0", True) for n in range(3)]
        write_predictions(store, rows, name="api")


def test_every_command_in_the_readme_runs(tmp_path):
    env = prepare(tmp_path, timeline(months=1, per_month=60))
    ran = [line for line in commands() if line not in MADE_BY_MAKE]
    assert len(ran) >= 8
    for line in ran:
        shell = line.replace(".venv/bin/python", sys.executable)
        done = subprocess.run(shell, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        if any(word in line for word in NEEDS_A_WINNER):
            # nothing was logged since onboarding, so no challenger won: the command says so
            assert done.returncode == 1, line
            assert done.stderr.strip().splitlines()[-1].startswith("upkeep: client acme"), done.stderr
        else:
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    made = load_client(tmp_path / "configs", "acme")
    assert (made.name, made.tier, made.store) == ("Acme", 3, "clients/acme")
    played = json.loads((tmp_path / "months.json").read_text())
    months = played["months"]
    assert set(months[0]) >= {
        "month", "n", "accuracy", "automatic", "auto_resolved", "precision", "champion", "alerts", "decisions",
    }  # fmt: skip
    decided = sum(len(month["decisions"]) for month in months)
    assert played["judged_again"] == {"decisions": decided, "identical": decided, "different": {}}


def test_the_databases_in_the_readme_are_named_with_the_drivers_that_the_extra_installs():
    urls = re.findall(r"postgresql[+\w]*://[^']*", (ROOT / "README.md").read_text())
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["postgres"]
    named = [make_url(url).get_driver_name() for url in urls]
    assert named == [re.match(r"\w+", requirement)[0] for requirement in extra]
