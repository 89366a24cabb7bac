"""How long does it take to put the model before back into service? `python -m benchmarks.rollback`

A client with two trained versions goes back and forth by `python -m upkeep rollback`, each time in a process of its
own: from the command to the answer, the check of the known inputs included. Starting Python with MLflow and PyTorch,
which the command needs, is timed beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.table import head, row
from upkeep.demo.tickets import history
from upkeep.desk import open_desk
from upkeep.replay import go_live
from upkeep.stages.finetuning import train_challenger
from upkeep.stages.release import in_service, put_into_service
from upkeep.timeline import arrange

NEEDED = "import mlflow, torch, peft"
START, THEN = date(2026, 1, 1), datetime(2026, 2, 1, tzinfo=UTC)


def seconds(command: list[str]) -> float:
    """How long a process takes, from its start to its end."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["UPKEEP_HOME"] = scratch
        os.environ["UPKEEP_CONFIGS"] = str(Path(__file__).parents[1] / "configs")
        desk = open_desk("northwind")
        go_live(desk, arrange(history("northwind", seed=1, start=START, months=1, per_month=60)), seed=0)
        first = in_service(desk)
        made = train_challenger(desk, "2026-02", THEN, seed=1)
        put_into_service(
            desk, made.version, instead_of=first, decision="2026-02", evidence=None, at=THEN, by="benchmark", reason=""
        )
        there = ["-m", "upkeep", "rollback", "northwind", "--by", "ada", "--reason", "to be timed", "--to"]
        found = [seconds([*there, (first, made.version)[turn % 2]]) for turn in range(options.times)]
        alone = [seconds(["-c", NEEDED]) for _ in range(3)]
    head("", "times", "median", "longest")
    for name, took in (("rollback, from command to answer", found), ("importing MLflow, PyTorch and PEFT", alone)):
        row(name, f"{len(took)}", f"{statistics.median(took):.1f} s", f"{max(took):.1f} s")


if __name__ == "__main__":
    main()
