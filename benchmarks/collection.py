"""What does it take to collect a month of outcomes? `python -m benchmarks.collection`

A client's log of made-up tickets with an outcome for every request, of which one in ten repeats another one with a word
changed and some carry personal data. Each step is timed by itself: collect (read, redact, fold near-duplicates, doubts,
likely mistakes), write the batch, take the snapshot.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import numpy as np

from benchmarks.table import head, row
from upkeep import records
from upkeep.cases.case import Case, Item, Source
from upkeep.desk import GOLDEN, LAUNCH_CASES, Desk, open_desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.progress import OnTerminal
from upkeep.stages.asking import offer_cases
from upkeep.stages.collection import collect_cases
from upkeep.stages.snapshot import take_snapshot

CLIENT = "northwind"
START = datetime(2026, 10, 1, tzinfo=UTC)
END = START + timedelta(days=31)
WORDS, LENGTH = 4000, 12
SYLLABLES = [f"{one}{other}" for one in "bdfghklmnprstvw" for other in "aeiou"]
KNOWN = 10_000
BATCH = 5_000


def texts(count: int, seed: int) -> Iterator[str]:
    """Made-up requests, words as frequent as a language's (Zipf); one in ten is one from before with a word changed."""
    rng = np.random.default_rng(seed)
    words = ["".join(one) for one in product(SYLLABLES, repeat=3)][:: len(SYLLABLES) ** 3 // WORDS]
    earlier: list[list[str]] = []
    for number in range(count):
        if earlier and rng.random() < 0.1:
            chosen = list(earlier[int(rng.integers(len(earlier)))])
            chosen[int(rng.integers(LENGTH))] = words[int(rng.integers(WORDS))]
        else:
            chosen = [words[int(at) % WORDS] for at in rng.zipf(1.3, LENGTH)]
            earlier.append(chosen)
        yield " ".join(chosen) + (f" write to ada{number}@example.org" if rng.random() < 0.05 else "")


def prepare(desk: Desk, outcomes: int) -> None:
    """A client with launch cases, and a month in which people said what was right of every request."""
    labels = desk.client.labels
    launch = [Case(f"l{n}", text, labels[n % len(labels)], Source.LAUNCH) for n, text in enumerate(texts(KNOWN, 1))]
    records.save_rows(desk.store, LAUNCH_CASES, launch)
    golden = [Item(f"g{n}", text, labels[n % len(labels)]) for n, text in enumerate(texts(300, 2))]
    records.save_rows(desk.store, GOLDEN, golden)
    rows = [
        Prediction(str(n), START + (END - START) * n / outcomes, text, labels[n % len(labels)], 0.8, "1", True)
        for n, text in enumerate(texts(outcomes, 3))
    ]
    for start in range(0, outcomes, BATCH):
        some = rows[start : start + BATCH]
        write_predictions(desk.store, some, name=f"part-{start}")
        write_outcomes(desk.store, [_outcome(one, labels) for one in some], name=f"part-{start}")


def _outcome(one: Prediction, labels: Sequence[str]) -> Outcome:
    """Every second answer was wrong."""
    answer = labels[(int(one.id) + int(one.id) % 2) % len(labels)]
    return Outcome(one.id, one.at + timedelta(hours=5), OutcomeSource.CUSTOMER, answer)


def main() -> None:
    """Print a table: seconds by step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outcomes", type=int, action="append", help="in the month; default: 5,000 and 100,000")
    options = parser.parse_args()
    head("outcomes", "new cases", "folded", "collect", "batch", "snapshot", "together")
    for outcomes in options.outcomes or [5_000, 100_000]:
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["UPKEEP_HOME"] = str(Path(scratch) / "home")
            desk = open_desk(CLIENT)
            prepare(desk, outcomes)
            progress = OnTerminal()
            times = [time.perf_counter()]
            collected = collect_cases(desk, "2026-11", END, progress=progress)
            times.append(time.perf_counter())
            offer_cases(desk, "2026-11", END)
            times.append(time.perf_counter())
            take_snapshot(desk, "2026-11", END, progress=progress)
            times.append(time.perf_counter())
        seconds = [*(end - start for start, end in pairwise(times)), times[-1] - times[0]]
        row(f"{outcomes:,}", f"{collected.cases:,}", f"{collected.known:,}", *(f"{one:.1f} s" for one in seconds))


if __name__ == "__main__":
    main()
