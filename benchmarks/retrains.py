"""What do the reviews find of a client whose model is retrained again and again? `python -m benchmarks.retrains`

Simulated clients (`benchmarks/simulation.py`) of which a retrain is promoted every so many weeks, or never. Every model
is another draw, on average no better than the one before; how far they lie apart is what real retrains showed. Reviews
are those of service. What is agreed lies some points under the accuracy that the client's models have on average.

* False findings: a year, from a client's fifth week on, in which nothing else changes. What counts as a new finding is
  told in `benchmarks/changes.py`.
* Found: one change after half a year, anywhere between two retrains, that no retrain cures. The week in which it begins
  is the first.
"""

from __future__ import annotations

import argparse
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from benchmarks.changes import AFTER, BEFORE, CHANGES, YEAR, Planted, Subject, is_it, new_findings, only, play, subjects
from benchmarks.simulation import (
    FIRST_MONDAY,
    UNCHANGED,
    VERSION,
    Setting,
    Shift,
    World,
    draw_model,
    draw_week,
    draw_world,
    usual_accuracy,
)
from benchmarks.table import head, row
from upkeep.config import Thresholds
from upkeep.monitoring.alarms import Against
from upkeep.monitoring.probation import SUBJECT
from upkeep.monitoring.review import Promoted, Review, review
from upkeep.monitoring.trouble import LEAST_EARLIER, Kind

SETTINGS = (Setting(labels=10, requests=300, audit=50), Setting(labels=50, requests=2000, audit=100))
HEADROOM = 0.03
"""How far what is agreed lies under the usual accuracy, as in a replay."""
FOUND = (*Kind, *Against, SUBJECT)
"""All that can be found, in the words of a review."""
WITHIN = (4, 8)


class Course(NamedTuple):
    """A sort of client, and after how many weeks each of its models is replaced; None: never."""

    setting: Setting
    every: int | None

    def __str__(self) -> str:
        labels, requests, audit = self.setting
        return f"{labels}, {requests:,}, {audit}; " + ("never" if self.every is None else f"every {self.every} weeks")


class Way(NamedTuple):
    """A way in which a change may be found: its name in the table, and what findings are it."""

    name: str
    kinds: tuple[str, ...]


class Event(NamedTuple):
    """A change, the ways in which it may be found, and how far what is agreed lies under the usual accuracy."""

    planted: Planted
    ways: tuple[Way, ...]
    headroom: float = HEADROOM

    def __str__(self) -> str:
        return f"{self.planted.name}, agreed {100 * self.headroom:.0f} points below"


def _as(kind: Kind) -> Way:
    return Way(kind, (kind,))


def _lost(points: float) -> Planted:
    return Planted(f"{100 * points:.0f} points lost", Shift(harder=points), Kind.CALIBRATION)


ALARM = Way("accuracy alarm", tuple(Against))
WORSE = Way(SUBJECT, (SUBJECT,))
EITHER = Way("either of these", (*Against, SUBJECT))
KNOWN = {one.name: one for one in CHANGES}
EVENTS = (
    Event(_lost(0.08), (ALARM, WORSE, EITHER)),
    Event(_lost(0.08), (ALARM, WORSE, EITHER), headroom=0.1),
    Event(_lost(0.16), (ALARM, WORSE, EITHER)),
    Event(KNOWN["15% too sure"], (_as(Kind.CALIBRATION), EITHER)),
    Event(KNOWN["a label 10% -> 20%"], (_as(Kind.LABEL_MIX), _as(Kind.INPUTS))),
    Event(KNOWN["policy, label of 5%"], (_as(Kind.POLICY),)),
    Event(KNOWN["new category of 2%"], (_as(Kind.NEW_CATEGORY),)),
)


def reviewed(course: Course, world: World, rng: np.random.Generator, event: Event | None = None) -> Iterator[Review]:
    """A client's reviews, oldest first: of a stable year, or of the weeks before and after something happens."""
    headroom = event.headroom if event else HEADROOM
    agreed = Thresholds(accuracy=usual_accuracy(world) - headroom)
    client = world.client.model_copy(update={"thresholds": agreed})
    models = [draw_model(world, VERSION, rng)]
    begun = int(rng.integers(course.every)) if course.every else 0
    earlier: list[Review] = []
    for number in range(BEFORE + AFTER if event else LEAST_EARLIER + YEAR):
        if course.every and number and not (number + begun) % course.every:
            models.append(draw_model(world, f"{len(models) + 1}", rng))
        seen = draw_week(
            world, number, rng, event.planted.shift if event and number >= BEFORE else UNCHANGED, models[-1]
        )
        year, week, _ = (FIRST_MONDAY + timedelta(weeks=number)).isocalendar()
        found = review(
            client,
            week=f"{year}-W{week:02}",
            as_of=FIRST_MONDAY + timedelta(weeks=number + 1),
            figures=seen.figures,
            earlier=earlier,
            inputs=seen.inputs,
            versions=[one.version for one in models],
            promoted=Promoted(models[-1].version, models[-2].version) if len(models) > 1 else None,
        )
        earlier.append(found)
        yield found


def told(found: Review) -> set[Subject]:
    """What a review says: changes, the agreed accuracy and what it is worse than, a model on probation."""
    alarms = {Subject(one.standing.against) for one in found.alerts if one.standing and one.standing.against}
    doubt = {Subject(SUBJECT)} if found.probation and found.probation.worse else set()
    return subjects(found.changes) | alarms | doubt


def false_findings(course: Course, seeds: range) -> Counter[str]:
    """Of all these clients, findings in a year in which nothing but the model changed."""
    found: Counter[str] = Counter()
    for seed in seeds:
        rng = np.random.default_rng([seed, *course.setting])
        weeks = [told(one) for one in reviewed(course, draw_world(course.setting, rng), rng)]
        found += new_findings(weeks[LEAST_EARLIER:])
    return found


def first_found(course: Course, event: Event, seeds: range) -> list[dict[str, int]]:
    """For each client, in which week after the change it is in which way; one in which it is not found is not there."""
    return [_first_found(course, event, seed) for seed in seeds]


def _first_found(course: Course, event: Event, seed: int) -> dict[str, int]:
    rng = np.random.default_rng([seed, *course.setting, EVENTS.index(event)])
    world = draw_world(course.setting, rng, planted=event.planted.share)
    first: dict[str, int] = {}
    for number, found in enumerate(islice(reviewed(course, world, rng, event), BEFORE, None), start=1):
        for way in event.ways:
            if any(_shows(one, way, event.planted, world) for one in told(found)):
                first.setdefault(way.name, number)
    return first


def _shows(found: Subject, way: Way, planted: Planted, world: World) -> bool:
    return found.kind in way.kinds and (found.kind != planted.kind or is_it(found, planted, world))


def main() -> int:
    """Print two Markdown tables: false findings in a hundred client-years, and how often a change is found."""
    parser = argparse.ArgumentParser(description="What reviews find where models follow one another, simulated.")
    parser.add_argument("--clients", type=int, default=50, help="stable clients, a year each, for each row")
    parser.add_argument("--runs", type=int, default=20, help="clients with a change, for each cell")
    parser.add_argument("--every", type=int, nargs="*", default=[13, 4], help="weeks between retrains, beside never")
    parser.add_argument("--labels", type=int, nargs="*", help="only settings with so many labels")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: all cores")
    chosen = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process for each core: none of them should start threads of its own
    courses = [Course(setting, every) for setting in only(SETTINGS, chosen.labels) for every in (None, *chosen.every)]
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        if chosen.clients:
            _print_false(pool, courses, chosen.clients)
        if chosen.runs:
            _print_found(pool, courses, chosen.runs)
    return 0


def _print_false(pool: ProcessPoolExecutor, courses: Sequence[Course], clients: int) -> None:
    print(f"False findings in 100 client-years, on {clients:,} simulated in each row\n")
    head("labels, requests and audited a week; retrains", *FOUND)
    for course in courses:
        parts = play(pool, partial(false_findings, course), clients, f"{course}")
        total: Counter[str] = sum(parts, Counter())
        row(f"{course}", *(f"{100 * total[what] / clients:.1f}" for what in FOUND))


def _print_found(pool: ProcessPoolExecutor, courses: Sequence[Course], runs: int) -> None:
    print(f"\nFound within {' / '.join(map(str, WITHIN))} weeks (%); {runs:,} runs in each cell\n")
    head("change, found as", *map(str, courses))
    for event in EVENTS:
        cells: list[list[dict[str, int]]] = []
        for course in courses:
            parts = play(pool, partial(first_found, course, event), runs, f"{event}, {course}")
            cells.append([one for part in parts for one in part])
        for way in event.ways:
            row(f"{event}: {way.name}", *(_soon([one.get(way.name, math.inf) for one in cell]) for cell in cells))


def _soon(weeks: Sequence[float]) -> str:
    return " / ".join(f"{100 * np.mean([at <= within for at in weeks]):.0f}" for within in WITHIN)


if __name__ == "__main__":
    raise SystemExit(main())
