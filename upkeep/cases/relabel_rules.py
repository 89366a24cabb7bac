"""Which answers do people contradict, and what rule would put it right?

A policy change leaves its mark in what people say: of the answers of one label, which used to be right, now most should
be one and the same other label, and the label is hardly anybody's right answer any more. The second tells it from a new
category, whose requests may all be given to a label that is as right as ever for its own. A change for a part of what a
label is for is found by the texts (`partial_change`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from upkeep.cases.case import normalise
from upkeep.config import Client, Relabel
from upkeep.monitoring.changed_answers import SPANS, YEAR, corrections, spans
from upkeep.monitoring.figures import Figures
from upkeep.periods import week
from upkeep.redaction import redact_cases
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import holm, less_often

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_CASES = 3
MOSTLY = 0.6
"""Of the share of a label's checked answers that used to be right, so much must have become the same other answer."""
GIVEN_UP = 0.75
"""Share of it among the answers that are that other one or still the label; and so much is gone of how often the label
was right, whatever was answered."""
BUDGET = 0.05 / 52
"""Chance of a false contradiction in a week, all labels together: one in twenty client-years, for people to look at. So
much again is for all parts of labels, and for all labels of which a rule was settled before."""
FALSE_SHARE = 0.05
"""Where one is certain, so great a share of the contradictions may be false (Benjamini and Hochberg, 1995), in all
reviews together that look at a week: then it is known that answers have changed, and fewer cases tell which."""
NEAR = 0.6
"""Cosine similarity from which a request is about the same as an example. On banking77 that finds 75 % of an intent's
requests by three examples and 90 % by eight, with 2 % of another intent's, but half of the one nearest to it."""
WITHIN = 1.92
"""Half the 95 % point of chi-square with one degree of freedom (Wilks, 1938)."""
GONE = 0.01
"""Chance, if nothing had changed, that the label is so seldom right now."""


class Contradiction(NamedTuple):
    """What speaks for a rule.

    `now` and `before` are how many of the label's checked answers should have been the other one, with the `chance` of
    so many; `right` is in how many of all labelled requests the label was right, now and before.
    """

    old: str
    new: str
    weeks: int
    now: Rate
    before: Rate
    right: tuple[Rate, Rate]
    chance: float
    certain: bool = True

    def __str__(self) -> str:
        still, used_to = self.right
        alone = "" if self.certain else "; likely only because other answers have certainly changed in these weeks"
        return (
            f"{self.now.hits} of {self.now.n} {self.old!r} answers that people looked at in the last {self.weeks} "
            f"weeks should be {self.new!r}, before {self.before.hits} of {self.before.n} "
            f"(p = {self.chance:.0e}, Fisher's exact test); "
            f"{self.old!r} was right {still.hits} times of {still.n}, before {used_to.hits} of {used_to.n}{alone}"
        )


class Ruling(StrEnum):
    """What a person says to a rule."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class Themed(Relabel):
    """A rule for a theme, with the texts that are about it, in their normal form and in order."""

    texts: tuple[str, ...]

    def covers(self, answer: str, text: str) -> bool:
        """Is an answer to a text outdated by it?"""
        return self.may_cover(answer, text) and normalise(text) in self._about

    @cached_property
    def _about(self) -> frozenset[str]:
        return frozenset(self.texts)


@dataclass(frozen=True, slots=True)
class Answered:
    """What somebody said to a rule, when, and the day that it had then."""

    accepted: bool
    at: datetime
    by: str
    since: date

    def __str__(self) -> str:
        said = f"accepted from {self.since} on" if self.accepted else "refused"
        return f"{said} by {self.by} on {self.at:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Found:
    """A relabel rule that outcomes speak for, and what somebody made of it: accepted, refused, or nothing yet.

    Is it `certain`, or likely beside others that are? `earlier` is what was said to it before what holds now. A policy
    may come back: `turn` counts the rules for all of one label that lead to the same other one.
    """

    rule: Relabel
    week: str
    proposed: datetime
    evidence: str
    examples: tuple[str, ...] = ()
    accepted: bool | None = None
    decided: datetime | None = None
    by: str | None = None
    certain: bool = True
    earlier: tuple[Answered, ...] = ()
    turn: int = 1

    @property
    def id(self) -> str:
        """Its name: eight hexadecimal digits of the hash of its two labels, its theme, and its turn but the first."""
        turn = () if self.turn == 1 else ("", str(self.turn))  # no example of a theme is empty
        told = "\0".join((self.rule.old, self.rule.new, *self.rule.theme, *turn))
        return hashlib.sha256(told.encode()).hexdigest()[:8]

    @property
    def state(self) -> str:
        """What became of it, and by whom."""
        if self.accepted is None:
            return "proposed"
        return f"{'accepted' if self.accepted else 'refused'} by {self.by}"

    @property
    def answers(self) -> tuple[Answered, ...]:
        """All that was ever said to it, in the order of time."""
        if self.accepted is None or self.decided is None:
            return ()
        return (*self.earlier, Answered(self.accepted, self.decided, self.by or "", self.rule.since))

    def __str__(self) -> str:
        rule = self.rule
        about = " where a request is near one of its examples" if rule.theme else ""
        day = f"{rule.since}{' at the latest' if self.accepted is None else ''}"  # until somebody has agreed to the day
        return f"{rule.old!r} becomes {rule.new!r} from {day}{about}: {self.evidence}"

    def known(self, moment: datetime) -> Found:
        """The same as people had answered it by a moment."""
        return self._answered([one for one in self.answers if one.at <= moment])

    def refused(self, moment: datetime) -> bool:
        """Was it refused at a moment?"""
        return self.known(moment).accepted is False

    def decide(self, *, accepted: bool, by: str, at: datetime, since: date | None = None) -> Found:
        """The same, accepted or refused by somebody, from another day where one is given.

        The last answer by time counts, of two at one moment the one that was given later.
        """
        said = Answered(accepted, at, by, since or self.rule.since)
        before = [one for one in self.answers if one != said]  # a run that is done again says the same once more
        return self._answered(sorted([*before, said], key=lambda one: one.at))

    def _answered(self, said: Sequence[Answered]) -> Found:
        if not said:
            return replace(self, accepted=None, decided=None, by=None, earlier=())
        *earlier, last = said
        rule = self.rule.model_copy(update={"since": last.since})
        return replace(self, rule=rule, accepted=last.accepted, decided=last.at, by=last.by, earlier=tuple(earlier))


def taken_back(before: Found, now: Found) -> str:
    """What was decided about a rule before and is decided otherwise now, for people; empty where nothing was."""
    if before.decided is None or before.accepted is now.accepted:
        return ""
    follows = "the next retrain unlearns the old answer"
    if not now.accepted:
        follows = "the next retrain teaches again what it ended, and until then the model in service stays as it is"
    return f"{now.id} was {before.state} on {before.decided:%Y-%m-%d} and is {now.state} now: {follows}"


def becomes(label: str, rules: Sequence[Relabel]) -> str:
    """What a label is by rules for all of one, applied in the order of their days; one may lead back to it."""
    for rule in sorted(rules, key=lambda one: one.since):
        if rule.old == label and not rule.for_a_part:
            label = rule.new
    return label


def as_kept(rule: Relabel, client: Client) -> Relabel:
    """The rule with its answers as cases have them: of texts no personal data is kept, and no space around them."""
    if not client.free_text:
        return rule
    old, new = redact_cases((rule.old.strip(), rule.new.strip()), client.redaction).texts
    return rule.model_copy(update={"old": old, "new": new})


def about_theme(rule: Relabel, texts: Collection[str], embed: Callable[[Sequence[str]], NDArray[np.float32]]) -> Themed:
    """The rule for those texts that are about its theme: near one of its examples, by their embeddings of length 1."""
    some = sorted(texts)
    near = (embed(some) @ embed(rule.theme).T).max(axis=1, initial=-1.0) >= NEAR
    meant = sorted({normalise(text) for text, one in zip(some, near, strict=True) if one})
    return Themed(**rule.model_dump(), texts=tuple(meant))


def contradictions(
    weeks: Sequence[tuple[str, Figures]], *, known: Container[tuple[str, str]] = (), looks: int = 1
) -> Iterator[Contradiction]:
    """The contradictions in the newest weeks against those before them, each once; `known` pairs are passed over.

    Where they are looked for in several runs of weeks, `looks` is in how many: these share the budget.
    """
    told: set[tuple[str, str]] = set()
    for _, recent, before in spans([one for _, one in weeks]):
        for one in _in_span(recent, before, looks):
            pair = (one.old, one.new)
            if pair not in told and pair not in known:
                told.add(pair)
                yield one


def rule_of(found: Contradiction, weeks: Sequence[tuple[str, Figures]], zone: ZoneInfo) -> Relabel:
    """The rule that puts it right, from the day on which the share of contradicted answers `changed`."""
    shares = [(key, _contradicted(one, found.old, found.new)) for key, one in weeks[-YEAR:]]
    return Relabel(old=found.old, new=found.new, since=changed(shares, zone))


def changed(shares: Sequence[tuple[str, Rate]], zone: ZoneInfo) -> date:
    """The Monday after the last week in which a share, given week by week, may have changed.

    The change point, the latest whose likelihood is not less than the best one's beyond chance (likelihood ratio,
    95 %), of those at which the share rose: of one that was large, fell and rose again it is the rise. A day too late
    does no harm, people's answers are right already; of one too early, old answers would stay, and one that is left of
    a label is enough to keep it alive.
    """
    counts = [share for _, share in shares]
    fits = {at: _rise(counts[:at], counts[at:]) for at in range(1, len(counts))}
    latest = max(at for at, fit in fits.items() if fit >= max(fits.values()) - WITHIN)
    return week(shares[latest][0], zone).end.date()


def contradicted(
    recent: Sequence[Figures], before: Sequence[Figures], pairs: Sequence[tuple[str, str]]
) -> list[Contradiction]:
    """Those of some pairs of labels whose contradiction chance does not explain, the surest first."""
    return _certain(_weighed(recent, before, pairs))


def _weighed(
    recent: Sequence[Figures], before: Sequence[Figures], pairs: Sequence[tuple[str, str]]
) -> list[Contradiction]:
    """What speaks for each of some pairs of labels, the surest first."""
    from scipy.stats import fisher_exact

    seen: list[Contradiction] = []
    for old, new in pairs:
        now, then = (sum((_contradicted(one, old, new) for one in some), Rate(0, 0)) for some in (recent, before))
        table = [[now.hits, now.n - now.hits], [then.hits, then.n - then.hits]]
        chance = float(fisher_exact(table, alternative="greater").pvalue)
        right = _right(recent, [old]), _right(before, [old])
        seen.append(Contradiction(old, new, len(recent), now, then, right, chance))
    return sorted(seen, key=lambda one: one.chance)


def _certain(weighed: Sequence[Contradiction], looks: int = 1) -> list[Contradiction]:
    chances = holm([one.chance for one in weighed])
    return [one for one, chance in zip(weighed, chances, strict=True) if chance < BUDGET / len(SPANS) / looks]


def _likely(weighed: Sequence[Contradiction]) -> list[Contradiction]:
    from scipy.stats import false_discovery_control

    shares = false_discovery_control([one.chance for one in weighed])
    return [one for one, share in zip(weighed, shares, strict=True) if share < FALSE_SHARE / max(SPANS)]


def _in_span(recent: Sequence[Figures], before: Sequence[Figures], looks: int) -> Iterator[Contradiction]:
    weighed = _weighed(recent, before, _became(recent, before))
    certain = _given_up(_certain(weighed, looks), recent, before)
    yield from certain
    if certain:
        for one in _given_up(_likely(weighed), recent, before):
            if one not in certain:
                yield one._replace(certain=False)


def _became(recent: Sequence[Figures], before: Sequence[Figures]) -> list[tuple[str, str]]:
    """What labels have become, if anything, mostly: not what was right in their stead all along, as that had its share
    before."""
    found = corrections(recent)
    mostly: dict[str, tuple[float, str]] = {}
    for (old, new), hits in sorted(found.items()):
        if old == new or hits < LEAST_CASES or hits < GIVEN_UP * (hits + found[old, old]):
            continue
        gained = _share(recent, old, new) - _share(before, old, new)
        if gained >= MOSTLY * _share(before, old, old):
            mostly[old] = max((gained, new), mostly.get(old, (gained, new)))
    return [(old, new) for old, (_, new) in mostly.items()]


def _given_up(
    found: Sequence[Contradiction], recent: Sequence[Figures], before: Sequence[Figures]
) -> list[Contradiction]:
    """Those whose label is hardly right any more."""
    kept = []
    for one in found:  # rare labels may have become the same other one, and only together be seen to be gone
        together = [other.old for other in found if other.new == one.new]
        gone = min(less_often(*one.right), less_often(_right(recent, together), _right(before, together))) < GONE
        now, then = (share.value or 0.0 for share in one.right)
        if gone and now <= (1 - GIVEN_UP) * then:
            kept.append(one)
    return kept


def _contradicted(one: Figures, old: str, new: str) -> Rate:
    """Of the checked answers of a label, those that should have been the other one."""
    cells = [cell for cell in one.named if cell.given == old]
    return Rate(sum(cell.requests for cell in cells if cell.answer == new), sum(cell.requests for cell in cells))


def _share(weeks: Sequence[Figures], given: str, answer: str) -> float:
    """Of the checked answers of a label, the share that should have been an answer; 0 where none was checked."""
    return sum((_contradicted(one, given, answer) for one in weeks), Rate(0, 0)).value or 0.0


def _right(weeks: Sequence[Figures], labels: Collection[str]) -> Rate:
    """Of all labelled requests, those whose right answer is one of some labels."""
    hits = sum(cell.requests for one in weeks for cell in one.named if cell.answer in labels)
    return Rate(hits, sum(one.labelled.hits for one in weeks))


def _rise(before: Sequence[Rate], after: Sequence[Rate]) -> float:
    """The log likelihood of counts that have one share and then another, which is no smaller."""
    was, became = sum(before, Rate(0, 0)), sum(after, Rate(0, 0))
    return _fit(before) + _fit(after) if became.hits * was.n >= was.hits * became.n else -math.inf


def _fit(shares: Sequence[Rate]) -> float:
    """The log likelihood of counts that have one share."""
    total = sum(shares, Rate(0, 0))
    return sum(n * math.log(n / total.n) for n in (total.hits, total.n - total.hits) if n)
