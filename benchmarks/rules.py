"""How many relabel rules are found when several policies change at once, and how many are false?

`python -m benchmarks.rules`. Simulated clients (`benchmarks/simulation.py`), half a year without any change and eight
weeks after it. Labels drawn by chance become another one each: some of them one that nobody used before, as a new team,
the others one there is. A rule counts once, in the first review that proposes it. Certain ones stand by themselves;
likely ones are proposed beside them, and applied unasked, where that was agreed, once a later review shows them still.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from benchmarks.changes import AFTER, BEFORE, play
from benchmarks.simulation import Setting, draw_week, draw_world
from benchmarks.table import head, row
from upkeep.cases.relabel_rules import contradictions
from upkeep.metrics.quality import Confusion
from upkeep.monitoring.figures import Figures

SETTINGS = (
    Setting(labels=10, requests=300, audit=50),
    Setting(labels=50, requests=300, audit=50),
    Setting(labels=50, requests=2000, audit=100),
)
CHANGED = (0, 1, 3, 7)
TEAM = "new team"
WITHIN = (4, 8)
WAYS = ("certain", "proposed", "applied unasked")
Pair = tuple[str, str]


class Told(NamedTuple):
    """The rules of one way: how many are true and false, by the number of the week until which they were found."""

    way: str
    within: int
    true: bool


def rules_found(setting: Setting, changed: int, seeds: range) -> Counter[Told]:
    """Of all these clients, how many rules."""
    return sum((_of_client(setting, changed, seed) for seed in seeds), Counter())


def _of_client(setting: Setting, changed: int, seed: int) -> Counter[Told]:
    rng = np.random.default_rng([seed, *setting, changed])
    world = draw_world(setting, rng)
    labels = world.names[: setting.labels]
    old = [str(one) for one in rng.choice(labels, changed, replace=False)]
    rest = [one for one in labels if one not in old]
    new = {one: TEAM if at < changed // 2 else str(rng.choice(rest)) for at, one in enumerate(old)}
    weeks = [draw_week(world, number, rng).figures for number in range(BEFORE)]
    found: Counter[Told] = Counter()
    first: dict[str, set[Pair]] = {way: set() for way in WAYS}
    for number in range(1, AFTER + 1):
        weeks.append(relabelled(draw_week(world, len(weeks), rng).figures, new))
        _review(weeks, first)
        if number in WITHIN:
            found.update(Told(way, number, new.get(a) == b) for way, pairs in first.items() for a, b in pairs)
    return found


def _review(weeks: Sequence[Figures], first: Mapping[str, set[Pair]]) -> None:
    """Add what the review of the newest week proposes and applies."""
    told = contradictions([(str(at), one) for at, one in enumerate(weeks)])
    shown = {(one.old, one.new): one.certain for one in told}
    certain = {pair for pair, sure in shown.items() if sure}
    first["applied unasked"].update(certain - first["proposed"], shown.keys() & (first["proposed"] - first["certain"]))
    first["certain"].update(certain)
    first["proposed"].update(shown)


def relabelled(one: Figures, new: Mapping[str, str]) -> Figures:
    """A week in which other answers were right."""
    counted: Counter[Pair] = Counter()
    for cell in one.named:
        counted[cell.given, new.get(cell.answer, cell.answer)] += cell.requests
    return replace(one, named=tuple(Confusion(given, answer, n) for (given, answer), n in counted.items()))


def main() -> int:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description="Relabel rules found and false ones, simulated.")
    parser.add_argument("--clients", type=int, default=100, help="simulated for each row")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: all cores")
    chosen = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    ways = [f"{way}, within {within} weeks" for way in WAYS for within in WITHIN]
    print("Of the changed labels, found (%), and false rules in all clients\n")
    head("labels, requests and audited a week", "labels changed", *ways)
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        for setting in SETTINGS:
            for changed in CHANGED:
                work = partial(rules_found, setting, changed)
                found: Counter[Told] = sum(play(pool, work, chosen.clients, f"{setting.labels} labels"), Counter())
                cells = [_cell(found, way, within, changed * chosen.clients) for way in WAYS for within in WITHIN]
                row(f"{setting.labels}, {setting.requests:,}, {setting.audit}", str(changed), *cells)
    return 0


def _cell(found: Mapping[Told, int], way: str, within: int, changed: int) -> str:
    true, false = (found.get(Told(way, within, one), 0) for one in (True, False))
    return f"{100 * true / changed:.0f}, {false}" if changed else f"{false}"


if __name__ == "__main__":
    raise SystemExit(main())
