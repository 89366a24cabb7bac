"""What does a weekly review cost, and does it grow with the history? `python -m benchmarks.review`

Made-up logs in Parquet, one file a day, a thirtieth of the answers audited two days later. Every figure is of a process
of its own: seconds of the counting itself, and the memory that the process needed beyond what it needs to start.

* first: the whole log is read for the first time, week by week;
* new week: all weeks before are kept, the last one is read;
* again: everything is kept;
* row by row: the last week by `upkeep.log.read_window`, which keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from upkeep.adapters.store import open_store
from upkeep.log import LogMapping, read_window
from upkeep.periods import Window
from upkeep.progress import OnTerminal
from upkeep.tally import tally
from upkeep.windows import tally_windows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
AUDITED = 30


class How(StrEnum):
    """How weeks are counted."""

    NOTHING = "nothing"
    KEPT = "kept"
    ROWS = "rows"


class Cost(NamedTuple):
    """Seconds and MB."""

    seconds: float
    memory: float


def write_log(folder: Path, weeks: int, rows: int) -> None:
    """A log with so many rows in so many weeks."""
    import duckdb

    a_day = rows // (7 * weeks)
    progress = OnTerminal()
    with duckdb.connect() as made:
        for day in range(7 * weeks + 2):
            at = START + timedelta(days=day)
            if day < 7 * weeks:
                _write(made, folder / "log" / "predictions" / f"{at:%Y-%m-%d}", _predictions(day * a_day, a_day, at))
            if day >= 2:
                _write(made, folder / "log" / "outcomes" / f"{at:%Y-%m-%d}", _outcomes((day - 2) * a_day, a_day, at))
            progress(f"{rows:,} rows, days written", day + 1, 7 * weeks + 2)


def _write(made: DuckDBPyConnection, folder: Path, query: str) -> None:
    folder.mkdir(parents=True)
    made.execute(f"COPY ({query}) TO '{folder}/api.parquet' (FORMAT parquet)")


def _predictions(first: int, n: int, day: datetime) -> str:
    return f"""
        SELECT 'request-' || i AS id, to_timestamp({day.timestamp()} + (i - {first}) * 86400.0 / {n}) AS timestamp,
            'Where is the parcel with the number ' || hash(i) || ', please?' AS input,
            'label ' || hash(i) % 20 AS output,
            (hash(i + 1) % 1000) / 1000.0::DOUBLE AS confidence, 'v1' AS model_version, hash(i) % 10 < 8 AS automatic,
            5.0::DOUBLE + hash(i + 2) % 100 AS latency_ms, {{'channel': 'email'}} AS metadata
        FROM range({first}, {first + n}) t(i)"""


def _outcomes(first: int, n: int, day: datetime) -> str:
    return f"""
        SELECT 'request-' || i AS prediction_id,
            to_timestamp({day.timestamp()} + (i - {first}) * 86400.0 / {n}) AS timestamp, 'audit' AS source,
            'label ' || (hash(i) + (hash(i + 3) % 8 = 0)::INT) % 20 AS answer
        FROM range({first}, {first + n}) t(i) WHERE i % {AUDITED} = 0"""


def count(folder: Path, weeks: range, how: How) -> Cost:
    """Count weeks in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.review",
        "--count",
        str(folder),
        how.value,
        f"{weeks.start}:{weeks.stop}",
    ]
    return Cost(*json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def _count_here(folder: str, how: str, weeks: str) -> Cost:
    start = time.perf_counter()
    first, stop = map(int, weeks.split(":"))
    store = open_store(folder)
    for number in range(first, stop):
        window = Window(START + number * WEEK, START + (number + 1) * WEEK, str(number))
        until = window.end + timedelta(hours=54)
        if how == How.KEPT:
            tally_windows(store, [window], mapping=LogMapping(), outcomes_until=until)
        elif how == How.ROWS:
            tally(read_window(store, window, mapping=LogMapping(), outcomes_until=until))
    return Cost(time.perf_counter() - start, _peak())


def _peak() -> float:
    """The most memory that this process had, in MB; `getrusage` would also count what its parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def forget(folder: Path, week: int, weeks: int) -> None:
    """Take away what is kept from a week on."""
    for day in range(7 * week, 7 * weeks + 2):
        shutil.rmtree(folder / "daily" / f"{START + timedelta(days=day):%Y-%m-%d}", ignore_errors=True)


def by_size(rows: int, weeks: int, *, row_by_row: bool) -> list[str]:
    """One line of the first table."""
    with TemporaryDirectory() as name:
        folder, last = Path(name), range(weeks - 1, weeks)
        write_log(folder, weeks, rows)
        base = count(folder, last, How.NOTHING).memory
        first = count(folder, range(weeks), How.KEPT)
        again = count(folder, last, How.KEPT)
        forget(folder, weeks - 1, weeks)
        new = count(folder, last, How.KEPT)
        plain = count(folder, last, How.ROWS) if row_by_row else None
    costs = [first, new, again]
    told = [f"{cost.seconds:.2f} s, {cost.memory - base:.0f} MB" for cost in costs]
    told += [f"{plain.seconds:.2f} s, {plain.memory - base:.0f} MB" if plain else "-"]
    return [*told, f"{plain.seconds / new.seconds:.1f}" if plain else "-"]


def by_history(weeks: Sequence[int], a_week: int) -> list[list[str]]:
    """The lines of the second table."""
    found = []
    for n in weeks:
        with TemporaryDirectory() as name:
            folder, last = Path(name), range(n - 1, n)
            write_log(folder, n, a_week * n)
            count(folder, range(n), How.KEPT)
            again = min(count(folder, last, How.KEPT).seconds for _ in range(3))
            news = []
            for _ in range(3):
                forget(folder, n - 1, n)
                news.append(count(folder, last, How.KEPT).seconds)
        found.append((n, min(news), again))
    _, new_first, again_first = found[0]
    return [
        [f"{n}", f"{new:.2f} s", f"{new / new_first:.2f}", f"{again:.2f} s", f"{again / again_first:.2f}"]
        for n, new, again in found
    ]


def main() -> int:
    """Print two Markdown tables: cost by the size of the log, and a week's cost by the length of the history."""
    parser = argparse.ArgumentParser(description="What a weekly review costs.")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="rows in the log")
    parser.add_argument("--weeks", type=int, default=10, help="weeks they are spread over, default 10")
    parser.add_argument("--history", type=int, nargs="+", default=[1, 20, 100], help="weeks of history")
    parser.add_argument("--a-week", type=int, default=10_000, help="rows a week in the second table")
    parser.add_argument("--row-by-row", type=int, default=1_000_000, help="the largest log that is also read so")
    parser.add_argument("--count", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.count:
        print(json.dumps(_count_here(*chosen.count)))
        return 0
    _row("rows", ["first", "new week", "again", "row by row", "row by row / new week"])
    _row("---", ["---"] * 5)
    for rows in chosen.rows:
        _row(f"{rows:,}", by_size(rows, chosen.weeks, row_by_row=rows <= chosen.row_by_row))
    print()
    _row("weeks of history", ["new week", "times the first", "again", "times the first"])
    _row("---", ["---"] * 4)
    for weeks, *cells in by_history(chosen.history, chosen.a_week):
        _row(weeks, cells)
    return 0


def _row(first: str, cells: Sequence[str]) -> None:
    print("| " + " | ".join([first, *cells]) + " |", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
