"""What does a review cost beside Evidently, and does it grow with the history? `python -m benchmarks.review`

Made-up logs in Parquet (`benchmarks.large_log`). Every line is measured in processes of their own: seconds from when
everything is imported, in brackets with the start of the process, and the most memory that the whole process had.

* whole log: nothing is kept; Upkeep makes the figures of every week, as Evidently does by a report for each week;
* whole log, one report: the same of Upkeep, and of Evidently one report over all weeks;
* new week: what Upkeep read before is kept and the week's raw files are new; Evidently reads the weeks before again;
* new week, reference one week: Evidently compares it with the week before only;
* kept week: the week's days are kept too, as for the weeks that a review recounts;
* by DuckDB alone: the least that a first reading has to do (`benchmarks.least`), every row kept and none checked, and
  every row checked and none kept, beside the same two of Evidently's;
* row by row: a week by `upkeep.log.files.read_window`, which keeps nothing.

"With texts" Evidently's reports have the input as a text column, and Upkeep looks at a sample of each week's texts.
Both have to find the same number of requests and the same accuracy, or the benchmark fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.environment import EVIDENTLY, environment
from benchmarks.large_log import LABELS, LATE, START, write_log
from benchmarks.least import Way, count, keep, least
from benchmarks.table import head, row
from upkeep import records
from upkeep.adapters.store import open_store
from upkeep.config import Client, load_agreement
from upkeep.log.entries import LogMapping, draw_order
from upkeep.log.files import read_window
from upkeep.log.tally import Tally, tally
from upkeep.log.windows import sample_window, tally_windows
from upkeep.monitoring.figures import Figures, figures_of
from upkeep.monitoring.input_shift import Inputs
from upkeep.monitoring.review import Review, review
from upkeep.periods import Window
from upkeep.store import Store

ROOT = Path(__file__).parents[1]
WEEK = timedelta(days=7)
REPEATED = 3
CLIENT = "northwind"
MAPPING = LogMapping()
IMPORTED = ("duckdb", "scipy.optimize", "scipy.stats")
"""What a review loads only where it is used, and what belongs to the start of the process, as it does for Evidently."""


class How(StrEnum):
    """How Upkeep makes the figures of some weeks."""

    KEPT = "kept"
    TEXTS = "texts"
    ROWS = "rows"
    LEAST = "kept by DuckDB alone"
    COUNTED = "counted by DuckDB alone"


LEAST = {How.LEAST: keep, How.COUNTED: count}


@dataclass(slots=True)
class Measured:
    """One process: seconds by step, MB at most, and what was found; `whole` are the seconds it took in all."""

    seconds: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0
    requests: int = 0
    accuracy: float = 0.0
    whole: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of all steps."""
        return sum(self.seconds.values())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the time of what is done inside."""
        begun = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


def ours(folder: Path, weeks: range, how: How) -> Measured:
    """Upkeep on some weeks, in a process of its own."""
    chosen = ["--ours", str(folder), how.value, f"{weeks.start}:{weeks.stop}"]
    begun = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.review", *chosen], check=True, stdout=subprocess.PIPE, cwd=ROOT
    ).stdout
    return Measured(**json.loads(told) | {"whole": time.perf_counter() - begun})


def _ours_here(folder: str, how: str, weeks: str) -> Measured:
    for name in IMPORTED:
        import_module(name)
    first, stop = map(int, weeks.split(":"))
    if how in LEAST:
        return _least_here(Path(folder), stop, LEAST[How(how)])
    store, client = open_store(folder), _client()
    windows = [Window(START + at * WEEK, START + (at + 1) * WEEK, f"{at:04}") for at in range(first, stop)]
    look = _looker(store, client) if how == How.TEXTS else None
    found = Measured()
    with found.step("count"):
        counted = list(_counted(store, windows, by_row=how == How.ROWS))
    with found.step("look"):
        looks = [look(window) if look else None for window in windows]
    with found.step("judge"):
        figures = [figures_of(one, client) for one in counted]
        _judge(store, client, windows, figures, looks)
    hits, labelled = sum(one.accuracy.hits for one in figures), sum(one.accuracy.n for one in figures)
    found.requests, found.accuracy = sum(one.requests for one in figures), hits / labelled
    found.memory = _peak()
    return found


def _least_here(folder: Path, weeks: int, way: Way) -> Measured:
    found = Measured()
    with found.step("count"):
        counts = least(folder, weeks, way)
    found.requests, found.accuracy, found.memory = counts.requests, counts.hits / counts.labelled, _peak()
    return found


def _client() -> Client:
    client = load_agreement(ROOT / "configs", CLIENT).client
    return client.model_copy(update={"labels": LABELS, "review_by": ()})


def _until(window: Window) -> datetime:
    return window.end + timedelta(days=LATE)


def _counted(store: Store, windows: Sequence[Window], *, by_row: bool) -> Iterable[Tally]:
    until = _until(windows[-1])
    if by_row:
        return (tally(read_window(store, one, mapping=MAPPING, outcomes_until=until)) for one in windows)
    return tally_windows(store, windows, mapping=MAPPING, outcomes_until=until)


def _looker(store: Store, client: Client) -> Callable[[Window], Inputs]:
    """What looks at the texts of a week as a review does; the base model is loaded before the clock runs."""
    from upkeep.base_model import resolve_base
    from upkeep.models.encoder import embed_all, load_encoder
    from upkeep.monitoring.input_shift import describe_inputs
    from upkeep.stages.request_analysis import LOOKED_AT

    recipe = load_agreement(ROOT / "configs", CLIENT).recipe
    base = resolve_base(client.base_model)
    encoder = load_encoder(base, max_tokens=recipe.max_tokens, precision=recipe.precision)

    def looked(window: Window) -> Inputs:
        sampled = sample_window(store, window, mapping=MAPPING, outcomes_until=_until(window)).predictions
        texts = [one.input for one in sorted(sampled, key=lambda one: draw_order(one.id))[:LOOKED_AT]]
        return describe_inputs(texts, embed_all(encoder, texts), known=(), base=base.digest)

    return looked


def _judge(
    store: Store, client: Client, windows: Sequence[Window], figures: Sequence[Figures], looks: Sequence[Inputs | None]
) -> None:
    """Compare each week with the reviews before it, and keep its review."""
    keys = [key for key in store.keys("reviews/") if key < _review(windows[0])]
    earlier = [records.load(store, key, Review) for key in keys]
    for window, one, inputs in zip(windows, figures, looks, strict=True):
        made = review(
            client, week=window.key, as_of=_until(window), figures=one, earlier=earlier, inputs=inputs, unseen=None
        )
        records.save(store, _review(window), made)
        earlier.append(made)


def _review(window: Window) -> str:
    return f"reviews/{window.key}.json"


def _peak() -> float:
    """The most memory that this process had, in MB; `getrusage` would also count what its parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def forget(folder: Path, week: int, weeks: int) -> None:
    """Take away what is kept from a week on."""
    for day in range(7 * week, 7 * weeks + LATE):
        shutil.rmtree(folder / "daily" / f"{START + timedelta(days=day):%Y-%m-%d}", ignore_errors=True)
    for number in range(week, weeks):
        (folder / "reviews" / f"{number:04}.json").unlink(missing_ok=True)


def repeated(folder: Path, weeks: range, *, of: int, how: How = How.KEPT, again: bool = False) -> Measured:
    """The run in the middle of several, each with nothing kept of these weeks; `of` is how many there are in all."""
    runs = []
    for _ in range(REPEATED):
        if not again:
            forget(folder, weeks.start, of)
        runs.append(ours(folder, weeks, how))
    middle = median(one.total for one in runs)
    return next(one for one in runs if one.total == middle)


def theirs(python: Path, folder: Path, weeks: int, *, before: int, each: bool, text: bool) -> dict[str, Measured]:
    """Evidently on the last of some weeks against so many before it: "all" of these weeks, and the "last" alone.

    With `each` also a report for every week. One process measures them, for they read the same: its start stands for
    each, and as memory the most that it had needed by then.
    """
    week = START + (weeks - 1) * WEEK
    moments = {"since": week - before * WEEK, "week": week, "end": week + WEEK, "until": week + WEEK + timedelta(LATE)}
    side = [str(python), str(ROOT / "benchmarks" / "evidently_side.py"), str(folder / "log")]
    side += [f"--{name}={at:%Y-%m-%d}" for name, at in moments.items()]
    begun = time.perf_counter()
    flags = ["--text"] * text + ["--each"] * each
    told = subprocess.run([*side, *flags], check=True, stdout=subprocess.PIPE).stdout
    whole, found = time.perf_counter() - begun, json.loads(told)
    imported = whole - found.pop("measured")
    made = {
        name: Measured(part["seconds"], part["memory"], part["requests"], part["accuracy"])
        for name, part in found.items()
    }
    for one in made.values():
        one.whole = imported + one.total
    return made


def by_size(rows: int, weeks: int, *, python: Path | None, texts: bool, row_by_row: bool) -> Iterator[list[str]]:
    """The lines of the table about one log."""
    with TemporaryDirectory() as name:
        folder, all_weeks, last = Path(name), range(weeks), range(weeks - 1, weeks)
        write_log(folder, weeks, rows)
        for how in [How.KEPT, How.TEXTS] if texts else [How.KEPT]:
            told = ", with texts" if how is How.TEXTS else ""
            found: dict[str, Measured] = {}
            short: dict[str, Measured] = {}
            whole = repeated(folder, all_weeks, of=weeks, how=how)
            new = repeated(folder, last, of=weeks, how=how)
            again = repeated(folder, last, of=weeks, how=how, again=True)
            if python:
                text = how is How.TEXTS
                found = theirs(python, folder, weeks, before=weeks - 1, each=not text, text=text)
                short = theirs(python, folder, weeks, before=1, each=False, text=text)
            if how is How.KEPT:
                yield _line("whole log", whole, found.get("each"))
            yield _line(f"whole log, one report{told}", whole, found.get("all"))
            yield _line(f"new week{told}", new, found.get("last"))
            yield _line(f"new week, reference one week{told}", new, short.get("last"))
            yield _line(f"kept week{told}", again, found.get("last"))
            if how is How.KEPT:
                for bare in LEAST:
                    duckdb = repeated(folder, all_weeks, of=weeks, how=bare)
                    yield _line(f"whole log, {bare}", duckdb, found.get("each"))
                    yield _line(f"whole log, one report, {bare}", duckdb, found.get("all"))
        if row_by_row:
            yield _line("row by row", ours(folder, last, How.ROWS), None)


def _line(what: str, upkeep: Measured, other: Measured | None) -> list[str]:
    if other is None:
        return [what, *_told(upkeep), "-", "-", "-"]
    found, wanted = (other.requests, round(other.accuracy, 9)), (upkeep.requests, round(upkeep.accuracy, 9))
    if found != wanted:
        raise SystemExit(f"{what}: Evidently finds {found} requests and accuracy, Upkeep {wanted}")
    return [what, *_told(upkeep), *_told(other), f"{other.total / upkeep.total:.0f}"]


def _told(one: Measured) -> list[str]:
    return [f"{one.total:.2f} s ({one.whole:.2f} s)", f"{one.memory:.0f} MB"]


def by_history(weeks: Sequence[int], a_week: int) -> list[list[str]]:
    """The lines of the second table: the fastest of several runs, for what else the machine does only adds to them.

    The histories take turns, so that a busy minute is no one history's.
    """
    news: dict[int, list[float]] = {n: [] for n in weeks}
    agains: dict[int, list[float]] = {n: [] for n in weeks}
    with TemporaryDirectory() as name:
        for n in weeks:
            write_log(Path(name, str(n)), n, a_week * n)
            ours(Path(name, str(n)), range(n), How.KEPT)
        for n in [*weeks] * 2 * REPEATED:
            folder, last = Path(name, str(n)), range(n - 1, n)
            forget(folder, n - 1, n)
            news[n].append(ours(folder, last, How.KEPT).total)
            agains[n].append(ours(folder, last, How.KEPT).total)
    found = [(n, min(news[n]), min(agains[n])) for n in weeks]
    _, new_first, again_first = found[0]
    return [
        [f"{n}", f"{new:.3f} s", f"{new / new_first:.2f}", f"{again:.3f} s", f"{again / again_first:.2f}"]
        for n, new, again in found
    ]


def main() -> int:
    """Print two Markdown tables: cost by the size of the log, and a week's cost by the length of the history."""
    parser = argparse.ArgumentParser(description="What a review costs, beside Evidently.")
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000], help="rows in the log")
    parser.add_argument("--weeks", type=int, default=10, help="weeks they are spread over, default 10")
    parser.add_argument("--history", type=int, nargs="*", default=[1, 20, 100], help="weeks of history")
    parser.add_argument("--a-week", type=int, default=10_000, help="rows a week in the second table")
    parser.add_argument("--row-by-row", type=int, default=1_000_000, help="the largest log that is also read so")
    parser.add_argument("--alone", action="store_true", help="measure Upkeep only")
    parser.add_argument("--no-texts", action="store_true", help="leave the texts out, which take Evidently longest")
    parser.add_argument(
        "--environment", type=Path, help=f"where {EVIDENTLY[0]} is or will be; default: .upkeep/evidently"
    )
    parser.add_argument("--ours", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ours:
        print(json.dumps(asdict(_ours_here(*chosen.ours))))
        return 0
    python = None if chosen.alone or not chosen.rows else environment(EVIDENTLY, chosen.environment)
    for rows in chosen.rows:
        head(f"{rows:,} rows, {chosen.weeks} weeks", "Upkeep", "memory", "Evidently", "memory", "times as fast")
        lines = by_size(
            rows, chosen.weeks, python=python, texts=not chosen.no_texts, row_by_row=rows <= chosen.row_by_row
        )
        for line in lines:
            row(*line)
        print()
    if chosen.history:
        head("weeks of history", "new week", "times the first", "kept week", "times the first")
        for line in by_history(chosen.history, chosen.a_week):
            row(*line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
