"""Is a weekly rate worse than agreed, or worse than the model's own earlier weeks, beyond what chance explains?

Each week gets a score (`scores.py`) against the agreed floor and one against the model's reference weeks. Four rules
read the scores: one week far out, three of the last four weeks out, the last four together far out, and a
CUSUM that sums small losses over many weeks. Their limits share one budget of false alarms. What opens is one incident;
it continues until the newest weeks together show that the loss is over.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from upkeep.monitoring.scores import Reference, learn, likelihood, score
from upkeep.statistics.rates import Rate

WEEKS_A_YEAR = 52
REFERENCE_WEEKS = 52
"""The first weeks of a model, at most this many, are what it is later compared with."""
LEAST_REFERENCE = 4
OUT_OF, AT_LEAST = 4, 3
JUDGED_FROM = LEAST_REFERENCE + OUT_OF
"""The first of a model's weeks with labels that is compared with those before it."""
SLACK = 1.0
"""The CUSUM's allowance, in standard deviations: tuned for a lasting loss of two."""
DOUBT = 0.5
"""It allows for so many standard errors of a learned expectation besides, which are in all weeks that it adds up."""
CLOSED_AFTER = 2
"""So many of the newest weeks at least have to show that a loss is over."""
OVER = 6.0
"""Log of how much likelier they have to be without the loss than with it (tuned: docs/alarms.md)."""
LEAST_LOSS = 2.0
"""The least loss, in standard deviations of the expected rate, that an incident is taken to be about."""


class Rule(StrEnum):
    """What about the weeks is out of the ordinary."""

    ACUTE = "one week far out"
    SUSTAINED = "three of four weeks out"
    TOGETHER = "four weeks together far out"
    DRIFT = "small losses over many weeks"


SHARES = {Rule.ACUTE: 0.66, Rule.SUSTAINED: 0.02, Rule.TOGETHER: 0.25, Rule.DRIFT: 0.08}
"""How much of the budget of false alarms each rule has: so that most is seen of a loss of 8 points within four weeks
and of one of 16 in the first, of 20,000 clients of 300 labels a week each. They come to more than the whole, for what
breaks one rule often breaks another."""
BESIDE = 0.3
"""Part of the budget for what is agreed where a week is compared with the model's own too; else it is all of it."""
UNSURE = 10
"""Of r reference weeks r / (r + UNSURE) of the budget is for those: the error of what is learned from them is in every
score alike, and takes the rest. All these are such that stable clients keep to the budget (benchmarks/alarms.py)."""


class Against(StrEnum):
    """What a week is compared with."""

    AGREED = "the agreed threshold"
    BASELINE = "the model's earlier weeks"


class Direction(StrEnum):
    """Which way is worse; part of a metric's definition."""

    LOWER_IS_WORSE = "lower is worse"
    HIGHER_IS_WORSE = "higher is worse"


class State(StrEnum):
    """Where an incident stands after a week."""

    QUIET = "quiet"
    OPENED = "opened"
    CONTINUING = "continuing"
    CLOSED = "closed"


class Week(NamedTuple):
    """A week's key, such as 2026-W07, its rate, and whose; None where no model answered."""

    key: str
    rate: Rate
    model: str | None = None


class Limits(NamedTuple):
    """Scores at or below `acute` and `sustained`, four together at or below `together`, and CUSUM heights above `drift`
    break a rule."""

    acute: float
    sustained: float
    together: float
    drift: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known after one week: the incident's state and, unless it is quiet, why and since when.

    `expected` is the floor or the reference rate, `observed` the rate pooled over the weeks since `since`.
    """

    week: str
    state: State
    rule: Rule | None = None
    against: Against | None = None
    expected: float | None = None
    observed: Rate | None = None
    since: str | None = None


@cache  # one for each number of reference weeks
def limits(false_alarms_a_year: float) -> Limits:
    """Limits of which each gives its rule a share (`SHARES`) of a budget of false alarms a year.

    The single week and the sum of four by the normal tail; three of four by 3 a^3, the chance that the newest and two
    of the three before it are out; the CUSUM by Siegmund's approximation of its run length (Sequential Analysis, 1985,
    eq. 2.56).
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    weekly = false_alarms_a_year / WEEKS_A_YEAR

    def too_short(height: float) -> float:
        reach = 2 * SLACK * (height + 1.166)
        return (math.exp(reach) - reach - 1) / (2 * SLACK**2) - 1 / (weekly * SHARES[Rule.DRIFT])

    return Limits(
        acute=float(ndtri(weekly * SHARES[Rule.ACUTE])),
        sustained=float(ndtri((weekly * SHARES[Rule.SUSTAINED] / 3) ** (1 / 3))),
        together=float(ndtri(weekly * SHARES[Rule.TOGETHER])),
        drift=float(brentq(too_short, 0.0, 50.0)),
    )


def watch(
    weeks: Sequence[Week],
    *,
    floor: float | None,
    false_alarms_a_year: float,
    assumed_spread: float,
    worse: Direction = Direction.LOWER_IS_WORSE,
    before: Mapping[str, float | None] | None = None,
) -> list[Standing]:
    """Where each week stands, oldest first.

    Another model ends an incident and has no earlier weeks of its own; what is agreed goes for whatever model answers.
    `floor` is the agreed threshold (a ceiling where higher is worse) or None, `before` what was agreed in weeks when it
    was another: a week is held against what was agreed then. A week without a labelled request says nothing, and a week
    of an open incident never becomes a reference. Stable weeks open about `false_alarms_a_year` incidents a year.
    """
    earlier = before or {}
    if worse is Direction.HIGHER_IS_WORSE:
        turned = [one._replace(rate=one.rate.complement) for one in weeks]
        under = {key: _rest(one) for key, one in earlier.items()}
        return [
            replace(
                one,
                expected=_rest(one.expected),
                observed=None if one.observed is None else one.observed.complement,
            )
            for one in watch(
                turned,
                floor=_rest(floor),
                false_alarms_a_year=false_alarms_a_year,
                assumed_spread=assumed_spread,
                before=under,
            )
        ]
    floors = {one.key: earlier.get(one.key, floor) for one in weeks}
    watched = _Watched(floors, false_alarms_a_year, assumed_spread)
    return [watched.after(week) for week in weeks]


def _rest(share: float | None) -> float | None:
    return None if share is None else 1 - share


class _Break(NamedTuple):
    """A rule that a week broke, and how many weeks up to it are to blame."""

    rule: Rule
    against: Against
    expected: float
    weeks: int


class _Expected(NamedTuple):
    """The rate to expect of a week, the sd with which its true rate scatters around it, and the part in that of the
    error of what is expected, which is the same for every week."""

    rate: float
    sd: float
    error: float = 0.0

    def allowance(self, labels: int) -> float:
        """The CUSUM's, in standard deviations of a week with so many labels."""
        return SLACK + DOUBT * self.error / math.hypot(self.sd, math.sqrt(self.rate * (1 - self.rate) / labels))


def _for_none(weeks: Sequence[Rate], expected: _Expected, *, loss: float) -> float:
    """Log of how much likelier weeks are without a loss than with it."""
    lost = expected.rate - loss
    return sum(
        likelihood(week, expected=expected.rate, sd=expected.sd) - likelihood(week, expected=lost, sd=expected.sd)
        for week in weeks
    )


class _Recovery:
    """How much likelier the newest weeks of an incident are without its loss than with it.

    A CUSUM the other way round (E. S. Page, Biometrika 41, 1954): log likelihood ratios add up and never fall below 0,
    and what came before the sum last rose from there is the loss.
    """

    def __init__(self, bad: Sequence[Rate]) -> None:
        self.bad = list(bad)
        self.better: list[Rate] = []
        self.evidence = 0.0

    def shown_by(self, rate: Rate, expected: _Expected) -> bool:
        """Take in a week: is the loss over now, and is no lesser one left that is likelier than none?"""
        self.evidence += _for_none([rate], expected, loss=self._loss(expected))
        self.better.append(rate)
        if self.evidence <= 0:
            self.bad, self.better, self.evidence = [*self.bad, *self.better], [], 0.0
        if self.evidence < OVER or len(self.better) < CLOSED_AFTER:
            return False
        return _for_none(self.better, expected, loss=LEAST_LOSS * expected.sd) >= 0

    def _loss(self, expected: _Expected) -> float:
        """The loss while it was bad, drawn to the least (a normal prior with that as mean and sd).

        The weeks that opened the incident were picked for being the worst; few of them may not tell too much.
        """
        least = LEAST_LOSS * expected.sd
        total, weight = 1 / least, 1 / least**2
        for rate in self.bad:
            precision = 1 / (expected.rate * (1 - expected.rate) / rate.n + expected.sd**2)
            total += precision * (expected.rate - rate.hits / rate.n)
            weight += precision
        return max(least, total / weight)


class _Watched:
    """One rate as it goes from week to week."""

    def __init__(self, floors: Mapping[str, float | None], false_alarms: float, assumed_spread: float) -> None:
        self.floors = floors
        self.false_alarms = false_alarms
        self.assumed_spread = assumed_spread
        self.reference: list[Rate] = []
        self.learned: Reference | None = None
        self.waiting: list[Rate] = []
        self.series = {against: _Series() for against in Against}
        self.incident: _Break | None = None
        self.recovery = _Recovery([])
        self.blamed: list[Week] = []
        self.seen: list[Week] = []
        self.model: str | None = None

    def after(self, week: Week) -> Standing:
        """Take in a week."""
        if week.model not in (None, self.model):
            self._replace_model(week.model)
        if not week.rate.n:
            return self._standing(week, State.CONTINUING if self.incident else State.QUIET)
        self.seen.append(week)
        expectations = self._expectations(week)
        if self.incident is None:
            return self._open(week, expectations)
        self.blamed.append(week)
        if not expectations or not self.recovery.shown_by(week.rate, max(expectations.values())):
            return self._standing(week, State.CONTINUING, expectations)
        closed = self._standing(week, State.CLOSED, expectations)
        self.incident = None
        self.series = {against: _Series() for against in Against}
        return closed

    def _replace_model(self, model: str | None) -> None:
        """Weeks under what is agreed count on: they are the service's. Those of an incident were told, and are not."""
        agreed = _Series() if self.incident else self.series[Against.AGREED]
        self.model, self.incident = model, None
        self.reference.clear()
        self.learned = None
        self.waiting.clear()
        self.series = {Against.AGREED: agreed, Against.BASELINE: _Series()}

    def _expectations(self, week: Week) -> dict[Against, _Expected]:
        """What a week is expected to be, by all there is to compare it with."""
        found, floor = {}, self.floors[week.key]
        if self.learned is None and self.reference:
            self.learned = learn(self.reference, assumed_spread=self.assumed_spread)
        known = self.learned
        if floor is not None:
            found[Against.AGREED] = _Expected(floor, known.spread if known else self.assumed_spread)
        if known and len(self.reference) >= LEAST_REFERENCE:
            found[Against.BASELINE] = _Expected(known.rate, math.hypot(known.spread, known.error), known.error)
        return found

    def _open(self, week: Week, expectations: dict[Against, _Expected]) -> Standing:
        if Against.AGREED not in expectations:  # what is agreed later is not about the weeks before this one
            self.series[Against.AGREED] = _Series()
        breaks = [
            _Break(rule, against, expected.rate, weeks)
            for against, expected in expectations.items()
            for rule, weeks in self.series[against].add(
                score(week.rate, expected=expected.rate, sd=expected.sd),
                self._limits(against, expectations),
                expected.allowance(week.rate.n),
            )
        ]
        if not breaks:
            self._remember(week)
            return self._standing(week, State.QUIET)
        self.incident = breaks[0]
        self.blamed = self.seen[-breaks[0].weeks :]
        self.recovery = _Recovery([one.rate for one in self.blamed])
        self.waiting.clear()  # the weeks just before it may be the start of the loss
        return self._standing(week, State.OPENED)

    def _limits(self, against: Against, expectations: Container[Against]) -> Limits:
        """Those of one comparison, which has a part of the budget."""
        weeks, part = len(self.reference), 1.0
        if against is Against.BASELINE:
            part = weeks / (weeks + UNSURE)
        elif Against.BASELINE in expectations:
            part = BESIDE
        return limits(part * self.false_alarms)

    def _remember(self, week: Week) -> None:
        """A week becomes a reference once the weeks after it were quiet too, and the CUSUM back at 0: a loss that has
        begun must not hide itself, however slowly it shows."""
        self.waiting.append(week.rate)
        begun = self.series[Against.BASELINE].falling
        while len(self.waiting) >= max(OUT_OF, begun + 1) and len(self.reference) < REFERENCE_WEEKS:
            self.reference.append(self.waiting.pop(0))
            self.learned = None

    def _standing(
        self, week: Week, state: State, expectations: Mapping[Against, _Expected] = MappingProxyType({})
    ) -> Standing:
        """What is agreed may have changed since the incident opened: then it is told by what holds it open now."""
        if self.incident is None:
            return Standing(week.key, state)
        observed = sum((one.rate for one in self.blamed), Rate(0, 0))
        rule, against, expected, _ = self.incident
        if expectations and against is Against.AGREED and expected != self.floors[week.key]:
            against = max(expectations, key=lambda one: expectations[one].rate)
            expected = expectations[against].rate
        return Standing(week.key, state, rule, against, expected, observed, self.blamed[0].key)


class _Series:
    """The scores of a rate against one expectation, newest last."""

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.sum = 0.0
        self.falling = 0

    def add(self, score: float, limits: Limits, allowance: float) -> list[tuple[Rule, int]]:
        """Take in a score; returns the rules it breaks, each with how many weeks are to blame."""
        self.scores = [*self.scores, score][-OUT_OF:]
        self.sum = max(0.0, self.sum - score - allowance)
        self.falling = self.falling + 1 if self.sum else 0
        out = [at for at, one in enumerate(self.scores) if one <= limits.sustained]
        found = []
        if score <= limits.acute:
            found.append((Rule.ACUTE, 1))
        if score <= limits.sustained and len(out) >= AT_LEAST:
            found.append((Rule.SUSTAINED, len(self.scores) - out[0]))
        if len(self.scores) == OUT_OF and sum(self.scores) <= limits.together * math.sqrt(OUT_OF):
            found.append((Rule.TOGETHER, OUT_OF))
        if self.sum > limits.drift:
            found.append((Rule.DRIFT, self.falling))
        return found
