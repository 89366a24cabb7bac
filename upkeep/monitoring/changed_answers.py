"""Do people say that other answers are right than before, or are the answers less often right than they look?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from upkeep.config import Client
from upkeep.monitoring.figures import Figures
from upkeep.monitoring.trouble import CERTAIN_BUDGET, LEAST_EARLIER, TIMES, WEEKLY_BUDGET, Change, Kind, change_of
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import more_often, times_as_often

SPANS = (4, 8)
"""A change of answers is looked for in so many newest weeks together: the longer span sees what is rare."""
YEAR = 52
"""Answers are compared with so many weeks at most."""
LEAST_CASES = 5
LEAST_CERTAIN = 3
SPAN_BUDGET = WEEKLY_BUDGET / len(SPANS)
UNSEEN_BUDGET = 0.003
"""A label that nobody used before may be a rare one that was there all along; most are not."""
MOSTLY = 0.5
"""Share of a label's checked answers that must have become the same other one for it to be a policy."""
GIVEN_UP = 0.75
"""Share of it among the answers that are that other one or still the label: a label that goes on being right has lost a
part of its requests to a new category."""
LEAST_GAP = 0.05
RESTLESS_SHARE = 0.25
"""Coefficient of variation, chance apart, that the share of a week's requests that fit no label may have."""


def spans(weeks: Sequence[Figures]) -> Iterator[tuple[int, Sequence[Figures], Sequence[Figures]]]:
    """The newest weeks by span, and those before them."""
    for span in SPANS:
        if len(weeks) - span >= LEAST_EARLIER:
            yield span, weeks[-span:], weeks[:-span][-YEAR:]


def policy_changes(
    recent: Sequence[Figures], before: Sequence[Figures], *, grown: Container[str | None] = ()
) -> Iterator[Change]:
    """Answers of one label that people now correct to one other label, most of them.

    Where the other label is one of `grown`, that something has changed is certain already, and fewer cases tell where.
    """
    found, usual = corrections(recent), corrections(before)
    answered, used_to = (sum((Counter(one.answered) for one in weeks), Counter()) for weeks in (recent, before))
    looked_at: Counter[str] = Counter()
    for (given, _), n in found.items():
        looked_at[given] += n
    for (old, new), hits in sorted(found.items()):
        share = Rate(hits, looked_at[old])
        given_up = hits / (hits + found[old, old])
        certain = new in grown
        if old == new or hits < (LEAST_CERTAIN if certain else LEAST_CASES):
            continue
        if (share.value or 0) < MOSTLY or given_up < GIVEN_UP:
            continue
        now, then = Rate(hits, answered[old]), Rate(usual[old, new], used_to[old])
        budget = CERTAIN_BUDGET if certain else SPAN_BUDGET / len(found)
        if more_often(now, then) < budget and times_as_often(now, then) >= TIMES:
            was = f"before, of {then.n:,} such answers {then.hits} were"
            text = f"of the {old!r} answers that people looked at {share.counted} should be {new!r}; {was}"
            yield change_of(Kind.POLICY, text, hits, old=old, new=new)


def new_categories(
    recent: Sequence[Figures], before: Sequence[Figures], *, unseen: float = UNSEEN_BUDGET
) -> Iterator[Change]:
    """Right answers that the model does not have, more and more of them.

    People who use a label that nobody used before do so by no accident: a few cases are enough to call it new.
    """
    named = sum((Counter(one.unknown_labels) for one in recent), Counter())
    learned = {label for one in (*before, *recent) for label in one.answered}
    for label in sorted(set(named) - learned):
        now, then = _named_as(recent, label), _named_as(before, label)
        budget = SPAN_BUDGET / len(named) if then.hits else unseen
        if now.hits >= LEAST_CASES and more_often(now, then) < budget:
            labelled = f"{now.counted} labelled requests of the last {len(recent)} weeks"
            text = f"{labelled} were {label!r}, which the model does not know"
            yield change_of(Kind.NEW_CATEGORY, text, now.hits, new=label)


def out_of_scope(recent: Sequence[Figures], before: Sequence[Figures], client: Client) -> Iterator[Change]:
    """Requests that no label fits, among those checked by chance."""
    checked = [[one.out_of_scope for one in weeks if one.out_of_scope.n] for weeks in (recent, before)]
    now, then = (sum(weeks, Rate(0, 0)) for weeks in checked)
    if now.hits >= LEAST_CASES and then.n and _grown(*checked) < SPAN_BUDGET:
        text = f"{now} of the checked requests fit no label ({client.out_of_scope_label}); before, it was {then}"
        yield change_of(Kind.OUT_OF_SCOPE, text, now.n)


def calibration_loss(
    recent: Sequence[Figures], before: Sequence[Figures], *, weekly_spread: float, between: float = 0.0
) -> Iterator[Change]:
    """Answers checked by chance that are less often right than the model was sure of, by more than before.

    `between` is by how much models differ in that, as a standard deviation, where `before` had others.
    """
    from scipy.stats import norm

    now, then = overconfidence(recent, weekly_spread=weekly_spread), overconfidence(before, weekly_spread=weekly_spread)
    if now is None or then is None:
        return
    grown = more_overconfident(now, then)
    if grown >= LEAST_GAP and norm.sf(grown / (now.variance + then.variance + between**2) ** 0.5) < SPAN_BUDGET:
        text = (
            f"the model was {now.sure:.0%} sure and right in {now.right}; "
            f"before, {then.sure:.0%} sure and right in {then.right}"
        )
        yield change_of(Kind.CALIBRATION, text, now.right.n)


def counted(change: Change, weeks: Sequence[Figures]) -> Rate:
    """How many of the labelled requests of some weeks show a change of answers, and out of how many."""
    if change.kind is Kind.OUT_OF_SCOPE:
        return _fits_none(weeks)
    if change.kind is Kind.NEW_CATEGORY:
        return _named_as(weeks, change.new or "")
    hits = corrections(weeks)[change.old or "", change.new or ""]
    return Rate(hits, sum(one.labelled.hits for one in weeks))


def corrections(weeks: Sequence[Figures]) -> Counter[tuple[str, str]]:
    """How often each answer was given and each was right, by the two; where they are the same it was confirmed."""
    found: Counter[tuple[str, str]] = Counter()
    for one in weeks:
        for cell in one.named:
            found[cell.given, cell.answer] += cell.requests
    return found


class Confident(NamedTuple):
    """Mean confidence of the checked answers, how many were right, and the variance of the difference."""

    sure: float
    right: Rate
    variance: float

    @property
    def gap(self) -> float:
        """By how much it was surer than right; a share."""
        return self.sure - (self.right.value or 0.0)


def more_overconfident(now: Confident, then: Confident) -> float:
    """By how much more the model is surer than right; that it was less sure than right before is no part of it."""
    return now.gap - max(then.gap, 0.0)


def overconfidence(weeks: Sequence[Figures], *, weekly_spread: float) -> Confident | None:
    """How sure the model was of answers that were checked by chance, and how often right; None where none was."""
    tenths = [tenth for one in weeks for tenth in one.calibration]
    right = sum((tenth.right for tenth in tenths), Rate(0, 0))
    if not right.n:
        return None
    sure = sum(tenth.confidence * tenth.right.n for tenth in tenths) / right.n
    share = (right.hits + 1) / (right.n + 2)
    checked = sum(bool(one.calibration) for one in weeks)
    return Confident(sure, right, share * (1 - share) / right.n + weekly_spread**2 / checked)


def _grown(recent: Sequence[Rate], before: Sequence[Rate]) -> float:
    """Chance of so large a ratio of two shares that are restless from week to week (normal, on the logarithm)."""
    from scipy.stats import norm

    (now, here), (then, there) = ((sum(weeks, Rate(0, 0)), len(weeks)) for weeks in (recent, before))
    ratio = math.log((now.hits + 0.5) / now.n * then.n / (then.hits + 0.5))
    variance = 1 / (now.hits + 0.5) + 1 / (then.hits + 0.5) + RESTLESS_SHARE**2 * (1 / here + 1 / there)
    return float(norm.sf(ratio / variance**0.5))


def _named_as(weeks: Sequence[Figures], label: str) -> Rate:
    """Of the labelled requests; records written before both were of one model may have more of the label."""
    named = (min(one.unknown_labels.get(label, 0), one.labelled.hits) for one in weeks)
    return Rate(sum(named), sum(one.labelled.hits for one in weeks))


def _fits_none(weeks: Sequence[Figures]) -> Rate:
    """Of the requests checked by chance."""
    return sum((one.out_of_scope for one in weeks), Rate(0, 0))
