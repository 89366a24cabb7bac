"""What does it cost a review to look for late labels, and does it grow with the history? `python -m benchmarks.late`

Made-up logs in Parquet (`benchmarks.large_log`) of which every day is kept. A review looks where the outcomes belong
that are new, and compares the week's ids with those of the weeks before. Seconds, the fastest of several runs:

* soon: every label came within two days, so that two weeks are looked through;
* late: one of them is about a request of half a year ago, and all weeks up to it are;
* strays: 500 are about no request at all;
* ids: the week's ids beside those of the three weeks before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.large_log import LABELS, LATE, START, write_log
from benchmarks.table import head, row
from upkeep.adapters.store import open_store
from upkeep.log.belonging import outcome_files, place_kept
from upkeep.log.entries import LogMapping, Outcome, OutcomeSource, utc_days
from upkeep.log.files import write_outcomes
from upkeep.log.reused import reused_kept
from upkeep.log.windows import tally_windows
from upkeep.monitoring.recount import LOOK_BACK, RECOUNTED
from upkeep.periods import Window
from upkeep.store import Store

REPEATED = 6
STRAYS = 500
MAPPING = LogMapping()


def measure(store: Store, weeks: int, a_week: int) -> list[float]:
    """Seconds by column of the table."""
    back = [_week(weeks - 1 - at) for at in range(LOOK_BACK)]
    last = back[0]
    until = last.end + timedelta(days=LATE)
    tally_windows(store, [_week(at) for at in range(weeks)], mapping=MAPPING, outcomes_until=until)

    def place() -> None:
        outcome_files(store, utc_days(back[-1].start, until), mapping=MAPPING)
        place_kept(store, utc_days(last.start, until), back, mapping=MAPPING, until=until)

    def compare() -> None:
        reused_kept(store, last, back[1 : RECOUNTED + 1], mapping=MAPPING)

    def say(ids: list[str]) -> None:
        write_outcomes(store, [Outcome(id, last.start, OutcomeSource.AUDIT, LABELS[0]) for id in ids], name="more")

    ids, soon = _fastest(compare), _fastest(place)
    say([f"request-{max(weeks - LOOK_BACK, 0) * 7 * (a_week // 7)}"])  # the first one of the oldest week
    late = _fastest(place)
    say([f"stray-{at}" for at in range(STRAYS)])
    return [soon, late, _fastest(place), ids]


def _fastest(act: Callable[[], None]) -> float:
    taken = []
    for _ in range(REPEATED):
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def _week(number: int) -> Window:
    return Window(START + timedelta(weeks=number), START + timedelta(weeks=number + 1), f"{number:04}")


def main() -> int:
    """Print a Markdown table by the length of the history."""
    parser = argparse.ArgumentParser(description="What it costs a review to look for late labels.")
    parser.add_argument("--history", type=int, nargs="+", default=[1, 26, 100], help="weeks of history")
    parser.add_argument("--a-week", type=int, default=10_000, help="rows a week")
    chosen = parser.parse_args()
    head("weeks of history", "soon", "late", "strays", "ids")
    for weeks in chosen.history:
        with TemporaryDirectory() as name:
            write_log(Path(name), weeks, chosen.a_week * weeks)
            row(f"{weeks}", *(f"{one:.3f} s" for one in measure(open_store(name), weeks, chosen.a_week)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
