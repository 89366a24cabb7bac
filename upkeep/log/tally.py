"""What is there to count in a window's log, before anything is judged?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from upkeep.log.entries import LogWindow, Outcome, OutcomeSource, Prediction, Quarantined, facet

Outer = TypeVar("Outer")
Inner = TypeVar("Inner")

SCALE = 10**12
"""Confidences are added up as whole numbers of this part: such sums do not depend on the order."""
CONFIDENCE_BINS = 10
LATENCY_STEPS = 8
"""Latency is counted in so many steps for every doubling: a step is 9 % wide."""
QUARTER = timedelta(minutes=15)
"""Time is counted in such steps since 1970 in UTC: in no zone does a day begin within one."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = 7
"""The version in service is told by this part of a window's requests: of a week, an ordinary day's."""


class Opinion(NamedTuple):
    """What was said about an answer, without when."""

    source: OutcomeSource
    answer: str | None
    correct: bool | None


class Cell(NamedTuple):
    """What a request has to share with others to be counted with them; `said` is in time order."""

    model_version: str
    output: str | None
    automatic: bool
    confidence_bin: int
    said: tuple[Opinion, ...]
    facets: tuple[str | None, ...] = ()


class Timed(NamedTuple):
    """What a request has to share with others for their latencies to be counted together."""

    model_version: str
    facets: tuple[str | None, ...]


class Count(NamedTuple):
    """How many requests, and what their confidences add up to, times SCALE."""

    requests: int
    confidence: int


@dataclass(frozen=True, slots=True)
class Tally:
    """A window in counts.

    `latency` counts requests by what they share and by `latency_bin`, `delay` labelled requests by the whole days until
    the first label (`is_opinion`), `times` requests by `quarter` and by the version that answered; `given` as of a
    `LogWindow`.
    """

    cells: dict[Cell, Count]
    latency: dict[Timed, dict[int, int]]
    delay: dict[int, int]
    times: dict[int, dict[str, int]]
    quarantined: list[Quarantined]
    given: int = 0

    @property
    def newest(self) -> str | None:
        """The version that answered most of the newest seventh of the requests.

        A promoted model is the newest once it has answered half of an ordinary day's, and a stray row at the end of the
        week is no model's record. Of two with as many the one with more in all is it.
        """
        lately: Counter[str] = Counter()
        whole: Counter[str] = sum(map(Counter, self.times.values()), Counter())
        for quarter in sorted(self.times, reverse=True):
            lately.update(self.times[quarter])
            if DAYS * lately.total() >= whole.total():
                break
        return max(lately, key=lambda version: (lately[version], whole[version], version), default=None)


def tally(window: LogWindow, by: Sequence[str] = (), *, free_text: bool = False) -> Tally:
    """Count a window that was read row by row; `by` names metadata keys that requests are told apart by.

    Answers in free text are not told apart, and of what was said about them only right or wrong counts: another text
    than the one somebody named is not a wrong one.
    """
    said = {id: [one for one in told if is_opinion(one, free_text)] for id, told in window.outcomes.items()}
    return Tally(
        cells=add_up(
            (_cell(row, said.get(row.id, []), by, free_text), confidence(row.confidence)) for row in window.predictions
        ),
        latency=counts_by(
            (Timed(row.model_version, _facets(row, by)), latency_bin(row.latency_ms), 1)
            for row in window.predictions
            if row.latency_ms is not None
        ),
        delay=dict(Counter(_delay(row, said[row.id]) for row in window.predictions if said.get(row.id))),
        times=counts_by((quarter(row.at), row.model_version, 1) for row in window.predictions),
        quarantined=window.quarantined,
        given=window.given,
    )


def add_up(rows: Iterable[tuple[Cell, Count]]) -> dict[Cell, Count]:
    """One count for each cell."""
    found: dict[Cell, Count] = {}
    for cell, more in rows:
        so_far = found.get(cell, Count(0, 0))
        found[cell] = Count(so_far.requests + more.requests, so_far.confidence + more.confidence)
    return found


def counts_by(rows: Iterable[tuple[Outer, Inner, int]]) -> dict[Outer, dict[Inner, int]]:
    """Requests by one thing and within it by another, from such counts."""
    found: dict[Outer, dict[Inner, int]] = {}
    for one, other, requests in rows:
        within = found.setdefault(one, {})
        within[other] = within.get(other, 0) + requests
    return found


def quarter(moment: datetime) -> int:
    """The quarter of an hour that holds a moment."""
    return (moment - EPOCH) // QUARTER


def time_of(quarter: int) -> datetime:
    """When a quarter of an hour begins."""
    return EPOCH + quarter * QUARTER


def confidence(value: float) -> Count:
    """One request with this confidence."""
    return Count(1, math.floor(value * SCALE + 0.5))


def confidence_bin(value: float) -> int:
    """The tenth that a confidence lies in; 1 belongs to the last."""
    return min(int(value * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)


def latency_bin(milliseconds: float) -> int:
    """The step of a latency on a logarithmic scale; all below a microsecond is one."""
    return math.floor(LATENCY_STEPS * math.log2(max(milliseconds, 0.001)))


def latency_of(step: int) -> float:
    """The milliseconds in the middle of a step."""
    return float(2 ** ((step + 0.5) / LATENCY_STEPS))


def latency_at(latencies: Iterable[Mapping[int, int]], share: float) -> float | None:
    """The milliseconds within which this share of the requests was answered, in the two digits that a step allows.

    None where no latency is known.
    """
    steps: Counter[int] = Counter()
    for one in latencies:
        steps.update(one)
    wanted, so_far = share * steps.total(), 0
    for step, requests in sorted(steps.items()):
        so_far += requests
        if so_far >= wanted:
            return float(f"{latency_of(step):.2g}")
    return None


def _cell(row: Prediction, said: Iterable[Outcome], by: Sequence[str], free_text: bool) -> Cell:
    output, told = None if free_text else row.output, opinions(said, free_text)
    return Cell(row.model_version, output, row.automatic, confidence_bin(row.confidence), told, _facets(row, by))


def _facets(row: Prediction, by: Sequence[str]) -> tuple[str | None, ...]:
    return tuple(facet(row.metadata, key) for key in by)


def is_opinion(one: Outcome, free_text: bool) -> bool:
    """Does it make a label of the request it is about?"""
    return not free_text or one.correct is not None


def opinions(said: Iterable[Outcome], free_text: bool) -> tuple[Opinion, ...]:
    """What was said about an answer, as it counts."""
    return tuple(
        Opinion(one.source, None if free_text else one.answer, one.correct)
        for one in said
        if is_opinion(one, free_text)
    )


def _delay(row: Prediction, said: Iterable[Outcome]) -> int:
    return max(min(one.at for one in said) - row.at, timedelta(0)).days
