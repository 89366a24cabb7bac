"""How often is a kind of change found that is not there, and how soon one that is? `python -m benchmarks.changes`

Simulated clients (`benchmarks/simulation.py`), each with one model, reviewed every week as Upkeep does it.

* False findings: a model's first year, from its fifth week on, in which nothing changes. A finding counts in the first
  week it is made, and again if it was not made in the four weeks before; two labels are two findings.
* Delay: one change, after half a year without any, that stays. Delay is counted from its first week, which is week 1.
"""

from __future__ import annotations

import argparse
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple, TypeVar

import numpy as np

from benchmarks.simulation import ANOTHER, NEW, PLANTED, VERSION, Setting, Shift, World, draw_week, draw_world
from benchmarks.table import head, row
from upkeep.monitoring.changes import Seen, find_changes
from upkeep.monitoring.trouble import LEAST_EARLIER, Change, Kind
from upkeep.progress import OnTerminal

STABLE = (
    Setting(labels=10, requests=100, audit=50),
    Setting(labels=10, requests=300, audit=50),
    Setting(labels=10, requests=2000, audit=100),
    Setting(labels=50, requests=300, audit=50),
    Setting(labels=50, requests=2000, audit=100),
    Setting(labels=150, requests=300, audit=100),
    Setting(labels=150, requests=2000, audit=100),
)
CHANGED = (
    Setting(labels=10, requests=100, audit=50),
    Setting(labels=50, requests=300, audit=50),
    Setting(labels=150, requests=2000, audit=100),
)
YEAR = 52
BEFORE = 26
AFTER = 8
QUIET = 4
WITHIN = (1, 4, 8)
BATCH = 10
Part = TypeVar("Part")


class Subject(NamedTuple):
    """What a finding is about; the same one again is no new finding."""

    kind: str
    old: str | None = None
    new: str | None = None


class Planted(NamedTuple):
    """A change: its name, what is otherwise, the share of the label that it is about, and the kind it is of."""

    name: str
    shift: Shift
    kind: Kind
    share: float | None = None


CHANGES = (
    *(Planted(f"policy, label of {share:.0%}", Shift(flipped=True), Kind.POLICY, share) for share in (0.02, 0.05, 0.1)),
    *(Planted(f"new category of {share:.0%}", Shift(arrived=share), Kind.NEW_CATEGORY) for share in (0.02, 0.05)),
    *(Planted(f"out of scope 5 % -> {to:.0%}", Shift(out_of_scope=to), Kind.OUT_OF_SCOPE) for to in (0.12, 0.2)),
    *(Planted(f"{by:.0%} too sure", Shift(overconfident=by), Kind.CALIBRATION) for by in (0.08, 0.15)),
    *(
        Planted(f"a label {share:.0%} -> {2 * share:.0%}", Shift(grown=2.0), Kind.LABEL_MIX, share)
        for share in (0.05, 0.1)
    ),
    *(Planted(f"traffic x {times:g}", Shift(traffic=times), Kind.TRAFFIC) for times in (2.0, 0.5)),
    Planted("a new topic in 15 %", Shift(topic=0.15), Kind.INPUTS),
)


def judge(weeks: Sequence[Seen], at: int, world: World) -> tuple[Change, ...]:
    """What the review of one of these weeks finds."""
    earlier = [one.figures for one in weeks[:at]]
    return find_changes(weeks[at], earlier, world.client, history=weeks[:at], versions=[VERSION])


def false_findings(setting: Setting, seeds: range) -> Counter[str]:
    """Of all these clients, findings in a year in which nothing changed."""
    return sum((new_findings(_stable_year(setting, seed)) for seed in seeds), Counter())


def _stable_year(setting: Setting, seed: int) -> list[set[Subject]]:
    rng = np.random.default_rng([seed, *setting])
    world = draw_world(setting, rng)
    weeks = [draw_week(world, number, rng) for number in range(LEAST_EARLIER + YEAR)]
    return [subjects(judge(weeks, at, world)) for at in range(LEAST_EARLIER, len(weeks))]


def subjects(found: Sequence[Change]) -> set[Subject]:
    """What some findings are about."""
    return {Subject(one.kind, one.old, one.new) for one in found}


def new_findings(weeks: Sequence[set[Subject]]) -> Counter[str]:
    """By kind, how often something was found that was not in the weeks just before."""
    found: Counter[str] = Counter()
    for at, week in enumerate(weeks):
        before = set().union(*weeks[max(at - QUIET, 0) : at])
        found.update(one.kind for one in week - before)
    return found


def first_found(setting: Setting, planted: Planted, seeds: range) -> list[int]:
    """For each client, the number of the week in which the change is found (0: in none of AFTER)."""
    return [_first_found(setting, planted, seed) for seed in seeds]


def _first_found(setting: Setting, planted: Planted, seed: int) -> int:
    rng = np.random.default_rng([seed, *setting, CHANGES.index(planted)])
    world = draw_world(setting, rng, planted=planted.share)
    weeks = [draw_week(world, number, rng) for number in range(BEFORE)]
    for number in range(1, AFTER + 1):
        weeks.append(draw_week(world, len(weeks), rng, planted.shift))
        if any(is_it(one, planted, world) for one in subjects(judge(weeks, len(weeks) - 1, world))):
            return number
    return 0


def is_it(found: Subject, planted: Planted, world: World) -> bool:
    """A new category may as well be found as the new answer of a label that it came from."""
    if planted.kind is Kind.NEW_CATEGORY:
        return found.new == NEW
    if planted.kind is Kind.POLICY:
        return found == Subject(Kind.POLICY, world.names[PLANTED], world.names[ANOTHER])
    return found.kind is planted.kind


def main() -> int:
    """Print two Markdown tables: false findings in a hundred client-years, and how soon a change is found."""
    parser = argparse.ArgumentParser(description="False findings and delay of each kind of change, simulated.")
    parser.add_argument("--clients", type=int, default=50, help="stable clients, a year each, for each row")
    parser.add_argument("--runs", type=int, default=20, help="clients with a change, for each cell; 0: no second table")
    parser.add_argument("--labels", type=int, nargs="*", help="only settings with so many labels")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: all cores")
    chosen = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process for each core: none of them should start threads of its own
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        if chosen.clients:
            _print_false(pool, only(STABLE, chosen.labels), chosen.clients)
        if chosen.runs:
            _print_delays(pool, only(CHANGED, chosen.labels), chosen.runs)
    return 0


def only(settings: Sequence[Setting], labels: Sequence[int] | None) -> list[Setting]:
    """The settings with so many labels; all where none is named."""
    return [one for one in settings if not labels or one.labels in labels]


def _print_false(pool: ProcessPoolExecutor, settings: Sequence[Setting], clients: int) -> None:
    print(f"False findings in 100 client-years, on {clients:,} simulated in each row\n")
    head("labels, requests and audited a week", *[kind.value for kind in Kind])
    for setting in settings:
        parts = play(pool, partial(false_findings, setting), clients, _name(setting))
        total: Counter[str] = sum(parts, Counter())
        row(_name(setting), *(f"{100 * total[kind] / clients:.1f}" for kind in Kind))


def _print_delays(pool: ProcessPoolExecutor, settings: Sequence[Setting], runs: int) -> None:
    spans = " / ".join(str(weeks) for weeks in WITHIN)
    print(f"\nChange found within {spans} weeks (%), and median week; {runs:,} runs in each cell\n")
    head("change", *[_name(setting) for setting in settings])
    for planted in CHANGES:
        cells = []
        for setting in settings:
            what = f"{planted.name}, {_name(setting)}"
            weeks = [at for part in play(pool, partial(first_found, setting, planted), runs, what) for at in part]
            cells.append(_soon(weeks))
        row(planted.name, *cells)


def play(pool: ProcessPoolExecutor, work: Callable[[range], Part], runs: int, what: str) -> Iterator[Part]:
    """Do the work of so many runs, in batches; the progress of `what` goes to the terminal."""
    progress = OnTerminal()
    batches = [range(start, min(start + BATCH, runs)) for start in range(0, runs, BATCH)]
    for done, part in enumerate(pool.map(work, batches), start=1):
        progress(f"{what}, batches", done, len(batches))
        yield part


def _name(setting: Setting) -> str:
    return f"{setting.labels}, {setting.requests:,}, {setting.audit}"


def _soon(weeks: Sequence[int]) -> str:
    shares = [np.mean([0 < at <= within for at in weeks]) for within in WITHIN]
    median = np.median([at or math.inf for at in weeks])
    found = " / ".join(f"{100 * share:.0f}" for share in shares)
    return f"{found}, {median:.0f}" if np.isfinite(median) else f"{found}, never"


if __name__ == "__main__":
    raise SystemExit(main())
