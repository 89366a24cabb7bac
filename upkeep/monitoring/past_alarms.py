"""Which alarms had opened and were over before anybody could know, as the labels of their weeks came in later?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from upkeep.monitoring.alarms import Standing, State, Week
from upkeep.statistics.rates import Rate


@dataclass(frozen=True, slots=True)
class PastAlarm:
    """An alarm of a figure that no review could tell while it went on: it is told once, and asks for nothing.

    `weeks` are those from the first to blame to the last before its `end`, `observed` is what they come to, and
    `version` whose they are.
    """

    metric: str
    weeks: tuple[str, ...]
    version: str | None
    observed: Rate
    limit: float | None
    text: str
    end: str

    def __str__(self) -> str:
        return f"{self.text}; it was over before its labels came in. {self.end}"


class Course(NamedTuple):
    """An alarm in a run of weeks: the first to blame, and the places of that which opened it and of its last."""

    since: str
    opened: int
    last: int

    def keys(self, weeks: Sequence[Week]) -> tuple[str, ...]:
        """The weeks from the first to blame to its last."""
        return tuple(one.key for one in weeks[: self.last + 1] if one.key >= self.since)


def own_weeks(weeks: Sequence[Week]) -> list[Week]:
    """The newest weeks of one model; a week in which none answered breaks no run."""
    model = next((one.model for one in reversed(weeks) if one.model), None)
    return [*takewhile(lambda one: one.model in (None, model), reversed(weeks))][::-1]


def courses(standings: Sequence[Standing]) -> list[Course]:
    """Every alarm of a run of weeks, oldest first."""
    found: list[Course] = []
    for at, one in enumerate(standings):
        if one.state is State.OPENED:
            found.append(Course(one.since or one.week, at, at))
        elif one.state is State.CONTINUING:
            found[-1] = found[-1]._replace(last=at)
    return found


def untold(
    weeks: Sequence[Week],
    standings: Sequence[Standing],
    *,
    before: Callable[[], Sequence[Week]],
    watch: Callable[[Sequence[Week]], Sequence[Standing]],
    enough: Callable[[Sequence[Week]], bool],
    told: Set[str],
) -> Iterator[Course]:
    """The alarms that are over by the newest week, and that it takes the labels that have come in since to see.

    `before` gives the weeks as they were known until now. What those show when they are judged as now, a changed limit
    say, is no news of the labels; nor is what shares a week with those that reviews have `told` of. `enough` says
    whether some weeks had the labels for the newest of them to be judged.
    """

    def judged(one: Course, of: Sequence[Week]) -> bool:
        return any(enough(of[: at + 1]) for at in range(one.opened, one.last + 1))

    over = [one for one in courses(standings) if one.last < len(weeks) - 1 and judged(one, weeks)]
    new = [one for one in over if not told & {*one.keys(weeks)}]
    if new:  # seldom; to watch years takes a while
        known = before()
        shown = {key for one in courses(watch(known)) if judged(one, known) for key in one.keys(known)}
        yield from (one for one in new if not shown & {*one.keys(weeks)})
