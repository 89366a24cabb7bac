"""The README's commands do what it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from sqlalchemy import make_url

from tests.small_client import timeline, write_timeline
from tests.small_encoder import copy_configs
from upkeep.__main__ import main
from upkeep.adapters.store import open_store
from upkeep.config import load_client
from upkeep.log.entries import Prediction
from upkeep.log.files import write_predictions
from upkeep.timeline import Timeline

ROOT = Path(__file__).parents[1]
MADE_BY_MAKE = {"make demo", "make up"}  # tests/deployments/test_demo.py and tests/deployments/test_up.py
NEEDS_A_WINNER = ("approve", "rollback")
UPKEEP = ".venv/bin/python -m upkeep "
OWN_PROCESS = ("check", "decisions")
"""Commands in processes of their own, as people run them; importing torch again for each of the others takes 10 s."""


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def prepare(folder: Path, history: Timeline, monkeypatch) -> None:
    copy_configs(folder / "configs")
    for name, rows in (("cases", history.launch), ("golden", [row for row in history.golden if not row.valid_to])):
        lines = [json.dumps({"id": row.id, "text": row.text, "answer": row.label}) for row in rows]
        (folder / f"acme-{name}.jsonl").write_text("\n".join(lines))
    write_timeline(folder / "history.parquet", [*history.launch, *history.stream, *history.golden])
    assert pq.read_metadata(folder / "history.parquet").num_rows
    log_as_the_application_would(folder / "home")
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder / "configs"))
    monkeypatch.chdir(folder)


def log_as_the_application_would(home: Path) -> None:
    """Requests of last week and of the month that the README reports on, answered by another model."""
    store = open_store(str(home / "clients" / "acme"))
    for day in (datetime(2026, 10, 20, 9, tzinfo=UTC), datetime.now(UTC) - timedelta(days=7)):
        rows = [Prediction(f"{day:%j}-{n}", day, "Where is it?", "order_status", 0.9, "0", True) for n in range(3)]
        write_predictions(store, rows, name="api")


def outcome_of(line: str, capfd) -> tuple[int, str]:
    """A line's exit status, and what it wrote to standard error."""
    words = shlex.split(line)[3:] if line.startswith(UPKEEP) else []
    if words and words[0] not in OWN_PROCESS:
        capfd.readouterr()
        return main(words), capfd.readouterr().err
    shell = line.replace(".venv/bin/python", sys.executable)
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_every_command_in_the_readme_runs(tmp_path, monkeypatch, capfd):
    prepare(tmp_path, timeline(months=1, per_month=60), monkeypatch)
    ran = [line for line in commands() if line not in MADE_BY_MAKE]
    assert len(ran) >= 8
    for line in ran:
        status, errors = outcome_of(line, capfd)
        if any(word in line for word in NEEDS_A_WINNER):
            # nothing was logged since onboarding, so no challenger won: the command says so
            assert status == 1, line
            assert errors.strip().splitlines()[-1].startswith("upkeep: client acme"), errors
        else:
            assert status == 0, f"{line}\n{errors}"
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
