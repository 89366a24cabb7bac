"""How often is an alarm false, and how long does a loss go unseen? `python -m benchmarks.alarms`

Simulated clients with a true accuracy of 87 % that varies from week to week, judged by Upkeep's alarms and, on the
same streams, by the rules that other tools have by default:

* Evidently, accuracy test with a reference: more than 20 % (relative) away from the reference accuracy;
* PSI of right and wrong answers against the reference weeks, limits 0.1 and 0.2;
* NannyML, realised performance: more than three standard deviations of the reference weeks away from their mean.

A false alarm is an incident that opens, or for the other rules a first week over the limit after a week under it, on a
stream where nothing changed. Delay is counted from the first week of the loss, which is week 1.

`--by-age` tells instead how many of Upkeep's alarms are false by the age of the model, whose first weeks say
little about what to expect; without an agreed floor, and of models that stay exactly at theirs or two points above it.
`--restless` tells it of clients whose weeks are otherwise than the budget supposes.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import head, row
from upkeep.monitoring.alarms import State, Week, watch
from upkeep.progress import OnTerminal
from upkeep.statistics.rates import Rate

LEVEL = 0.87
LABELS = (50, 100, 300, 500, 2000)
DROPS = (0.04, 0.08, 0.16)
YEAR = 52
AFTER = 26
BATCH = 50
WITHIN = (1, 4, 16)
"""Weeks of a loss by which is told how often it was seen."""
AGES = (range(7), range(7, 26), range(26, 78))
"""Weeks of a model: judged by what is agreed alone, by its first weeks too, and by half a year of them."""
FLOORS = {"no floor": None, "at the floor": LEVEL, "two points above": LEVEL - 0.02}


class Stream(NamedTuple):
    """What is simulated: labels a week, weeks before and after the loss, its size, the sd of the true weekly rate."""

    labels: int
    before: int
    after: int
    drop: float
    spread: float


class Restless(NamedTuple):
    """Weeks of a stable client: labels, sd of the true rate, its correlation with the week before, and hard weeks."""

    labels: int = 300
    spread: float = 0.02
    correlation: float = 0.0
    hard: float = 0.0


RESTLESS = {
    "as supposed": Restless(),
    "correlated by 0.3": Restless(correlation=0.3),
    "correlated by 0.6": Restless(correlation=0.6),
    "correlated by 0.9": Restless(correlation=0.9),
    "sd of 4 points": Restless(spread=0.04),
    "sd of 4 points, 50 labels": Restless(labels=50, spread=0.04),
    "two weeks a year 5 points harder": Restless(hard=0.05),
}

Judge = Callable[[Sequence[Rate], int], list[bool]]
"""Weeks and how many of them are the reference, to one flag a week after the reference: does an alarm start here?"""


def upkeep(weeks: Sequence[Rate], reference: int, *, budget: float) -> list[bool]:
    """Upkeep, without an agreed floor: against the model's own first weeks only."""
    named = [Week(f"{number:04}", rate) for number, rate in enumerate(weeks)]
    found = watch(named, floor=None, false_alarms_a_year=budget, assumed_spread=0.02)
    return [one.state is State.OPENED for one in found[reference:]]


def evidently(weeks: Sequence[Rate], reference: int) -> list[bool]:
    """Relative change of more than a fifth."""
    usual = _share(sum(weeks[:reference], Rate(0, 0)))
    return _starts(abs(_share(week) - usual) > 0.2 * usual for week in weeks[reference:])


def psi(weeks: Sequence[Rate], reference: int, *, limit: float) -> list[bool]:
    """Population stability index of right and wrong answers; an empty cell counts as one in ten thousand."""
    usual = _share(sum(weeks[:reference], Rate(0, 0)))
    return _starts(_index(_share(week), usual) > limit for week in weeks[reference:])


def nannyml(weeks: Sequence[Rate], reference: int) -> list[bool]:
    """Three standard deviations of the reference weeks' rates."""
    shares = [_share(week) for week in weeks[:reference]]
    centre, reach = float(np.mean(shares)), 3 * float(np.std(shares))
    return _starts(abs(_share(week) - centre) > reach for week in weeks[reference:])


def judges(budget: float) -> dict[str, Judge]:
    """Everybody who judges, by the name in the table."""
    return {
        "Upkeep": partial(upkeep, budget=budget),
        "Evidently": evidently,
        "PSI 0.1": partial(psi, limit=0.1),
        "PSI 0.2": partial(psi, limit=0.2),
        "NannyML": nannyml,
    }


def simulate(stream: Stream, seed: int) -> list[Rate]:
    """One client's weeks."""
    rng = np.random.default_rng([seed, stream.labels, round(1000 * stream.drop)])
    weeks = stream.before + stream.after
    true = rng.normal(LEVEL, stream.spread, weeks)
    true[stream.before :] -= stream.drop
    hits: NDArray[np.int64] = rng.binomial(stream.labels, np.clip(true, 0, 1))
    return [Rate(int(one), stream.labels) for one in hits]


def first_alarms(stream: Stream, budget: float, seeds: range) -> dict[str, list[tuple[int, int]]]:
    """For each judge and client: alarms after the reference, and the number of the week of the first (0: none)."""
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in judges(budget)}
    for seed in seeds:
        weeks = simulate(stream, seed)
        for name, judge in judges(budget).items():
            starts = judge(weeks, stream.before)
            found[name].append((sum(starts), starts.index(True) + 1 if any(starts) else 0))
    return found


def by_age(labels: int, floor: float | None, spread: float, budget: float, seeds: range) -> list[int]:
    """Upkeep's false alarms by `AGES`, of stable clients from the model's first week on."""
    found = [0] * len(AGES)
    for seed in seeds:
        weeks = simulate(Stream(labels, AGES[-1].stop, 0, 0.0, spread), seed)
        named = [Week(f"{number:04}", rate) for number, rate in enumerate(weeks)]
        standings = watch(named, floor=floor, false_alarms_a_year=budget, assumed_spread=0.02)
        for at, age in enumerate(AGES):
            found[at] += sum(one.state is State.OPENED for one in standings[age.start : age.stop])
    return found


def restless(weeks: Restless, history: int, budget: float, seeds: range) -> int:
    """Upkeep's false alarms in the year after so many weeks."""
    found = 0
    for seed in seeds:
        rng = np.random.default_rng([seed, weeks.labels])
        away = rng.normal(0, weeks.spread, history + YEAR)
        for at in range(1, len(away)):
            away[at] = weeks.correlation * away[at - 1] + (1 - weeks.correlation**2) ** 0.5 * away[at]
        true = LEVEL + away - weeks.hard * (rng.random(len(away)) < 2 / YEAR)
        hits: NDArray[np.int64] = rng.binomial(weeks.labels, np.clip(true, 0, 1))
        found += sum(upkeep([Rate(int(one), weeks.labels) for one in hits], history, budget=budget))
    return found


def main() -> int:
    """Print Markdown tables: false alarms in a hundred client-years and how soon a loss is seen, or another one."""
    parser = argparse.ArgumentParser(description="False alarms and detection delay, on simulated clients.")
    parser.add_argument("--clients", type=int, default=1000, help="stable clients, a year each, for each row")
    parser.add_argument("--runs", type=int, default=400, help="clients with a loss, for each row")
    parser.add_argument("--history", type=int, default=26, help="reference weeks before, default 26")
    parser.add_argument("--spread", type=float, default=0.02, help="sd of the true weekly rate, default 0.02")
    parser.add_argument("--budget", type=float, default=0.01, help="false alarms a year, default 0.01")
    parser.add_argument("--by-age", action="store_true", help="false alarms by the age of the model only")
    parser.add_argument("--restless", action="store_true", help="false alarms where weeks are otherwise only")
    chosen = parser.parse_args()
    if chosen.restless:
        _print_restless(chosen.history, chosen.budget, chosen.clients)
        return 0
    if chosen.by_age:
        _print_by_age(chosen.spread, chosen.budget, chosen.clients)
        return 0
    names = list(judges(chosen.budget))
    stable = [Stream(n, chosen.history, YEAR, 0.0, chosen.spread) for n in LABELS]
    lost = [Stream(n, chosen.history, AFTER, drop, chosen.spread) for drop in DROPS for n in LABELS]
    print(f"{LEVEL:.0%}, week-to-week sd {chosen.spread:.1%}, {chosen.history} reference weeks, seed 0\n")
    print("False alarms in 100 client-years\n")
    head("labels a week", *names)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for stream in stable:
            found = _play(pool, stream, chosen.budget, chosen.clients)
            row(f"{stream.labels:,}", *(f"{100 * np.mean([n for n, _ in found[name]]):.2f}" for name in names))
        print(f"\nLoss seen in its first week / within {WITHIN[1]} / within {WITHIN[2]} weeks (%), and median week\n")
        head("loss, labels a week", *names)
        for stream in lost:
            found = _play(pool, stream, chosen.budget, chosen.runs)
            cells = [_soon([at for _, at in found[name]]) for name in names]
            row(f"{100 * stream.drop:.0f} points, {stream.labels:,}", *cells)
    return 0


def _print_by_age(spread: float, budget: float, clients: int) -> None:
    progress = OnTerminal()
    print("False alarms in 100 client-years, in weeks\n")
    head("labels a week", *(f"{age.start + 1} to {age.stop}, {name}" for name in FLOORS for age in AGES))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for at, labels in enumerate(LABELS):
            cells = []
            for name, floor in FLOORS.items():
                parts = pool.map(partial(by_age, labels, floor, spread, budget), _batches(clients))
                alarms = np.sum(list(parts), axis=0)
                cells += [f"{100 * n / (clients * len(age) / YEAR):.2f}" for n, age in zip(alarms, AGES, strict=True)]
                progress(f"labels a week, {name}", at + 1, len(LABELS))
            row(f"{labels:,}", *cells)


def _print_restless(history: int, budget: float, clients: int) -> None:
    progress = OnTerminal()
    head("weeks", "false alarms in 100 client-years")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for at, (name, weeks) in enumerate(RESTLESS.items(), start=1):
            alarms = sum(pool.map(partial(restless, weeks, history, budget), _batches(clients)))
            row(name, f"{100 * alarms / clients:.1f}")
            progress("kinds of weeks", at, len(RESTLESS))


def _batches(clients: int) -> list[range]:
    return [range(start, min(start + BATCH, clients)) for start in range(0, clients, BATCH)]


def _play(pool: ProcessPoolExecutor, stream: Stream, budget: float, clients: int) -> dict[str, list[tuple[int, int]]]:
    progress = OnTerminal()
    batches = _batches(clients)
    together: dict[str, list[tuple[int, int]]] = {name: [] for name in judges(budget)}
    for done, part in enumerate(pool.map(partial(first_alarms, stream, budget), batches), start=1):
        progress(f"{stream.labels} labels a week, loss {stream.drop:.0%}, batches", done, len(batches))
        for name, rows in part.items():
            together[name] += rows
    return together


def _soon(weeks: Sequence[int]) -> str:
    seen = " / ".join(f"{100 * np.mean([0 < at <= within for at in weeks]):.0f}" for within in WITHIN)
    median = np.median([at or math.inf for at in weeks])
    return f"{seen}, " + (f"{median:.0f}" if np.isfinite(median) else "never")


def _share(rate: Rate) -> float:
    return rate.hits / rate.n


def _index(now: float, usual: float) -> float:
    pairs = [(max(a, 1e-4), max(b, 1e-4)) for a, b in ((now, usual), (1 - now, 1 - usual))]
    return sum((a - b) * math.log(a / b) for a, b in pairs)


def _starts(over: Iterator[bool]) -> list[bool]:
    flags = list(over)
    return [flag and not (at and flags[at - 1]) for at, flag in enumerate(flags)]


if __name__ == "__main__":
    raise SystemExit(main())
