"""Is the challenger better than the champion on the same items, and what follows from that?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from upkeep.errors import DecisionError
from upkeep.rates import Interval, Rate

ONE_SIDED_95 = 1.6448536269514722
TWO_SIDED_95 = 1.959963984540054


class Verdict(StrEnum):
    """What to do with a challenger."""

    PROMOTE = "promote"
    HOLD = "hold"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the same items: shares right, the difference in points of share, and what changed."""

    items: str
    champion: Rate
    challenger: Rate
    difference: float
    interval: Interval
    lowest: float
    fixed: int
    introduced: int
    p_value: float

    def __str__(self) -> str:
        low, high = (100 * end for end in self.interval)
        return (
            f"{self.items}: challenger {self.challenger.value:.1%}, champion {self.champion.value:.1%}, "
            f"95% CI {low:+.1f}..{high:+.1f} pp, n={self.champion.n:,}"
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reasons."""

    verdict: Verdict
    reasons: tuple[str, ...]


def compare(items: str, *, champion: Sequence[bool], challenger: Sequence[bool]) -> Paired:
    """Compare per-item rights and wrongs of two models on the same items in the same order.

    The interval is Newcombe's square-and-add score interval for paired proportions (R. G. Newcombe, Statistics in
    Medicine 17, 1998, method 10); `lowest` is its one-sided 95 % lower end; `p_value` is McNemar's exact one.
    Raises DecisionError where the two have not the same length or no item.
    """
    if len(champion) != len(challenger) or not champion:
        raise DecisionError(
            f"comparison on {items}: champion has {len(champion)} items, challenger {len(challenger)}, "
            "expected the same number and at least one"
        )
    from scipy.stats import binomtest

    pairs = list(zip(champion, challenger, strict=True))
    fixed = sum(new and not old for old, new in pairs)
    introduced = sum(old and not new for old, new in pairs)
    both = sum(old and new for old, new in pairs)
    old, new = Rate.of(champion), Rate.of(challenger)
    interval = _newcombe(both, fixed, introduced, len(pairs), TWO_SIDED_95)
    return Paired(
        items=items,
        champion=old,
        challenger=new,
        difference=(fixed - introduced) / len(pairs),
        interval=interval,
        lowest=_newcombe(both, fixed, introduced, len(pairs), ONE_SIDED_95).low,
        fixed=fixed,
        introduced=introduced,
        p_value=float(binomtest(fixed, fixed + introduced).pvalue) if fixed + introduced else 1.0,
    )


def judge(
    sets: Sequence[Paired], *, items: int, margin: float, minimum_items: int, same_weights: bool, reload_exact: bool
) -> Judgement:
    """Promote, hold or reject.

    Reject: clearly worse on any set. Promote: no worse than `margin` (a share, one-sided 95 %) on the agreed set, the
    first one, clearly better on at least one set, and `items` enough, each counted once however many sets have it.
    Everything else is held, saying what is missing.
    """
    if same_weights:
        return Judgement(Verdict.REJECT, ("champion and challenger have the same weights: nothing was learned",))
    if not reload_exact:
        return Judgement(Verdict.REJECT, ("the challenger read back from the registry gives other answers",))
    worse = [f"clearly worse on {paired}" for paired in sets if paired.interval.high < 0]
    if worse:
        return Judgement(Verdict.REJECT, tuple(worse))
    missing = _missing(sets, items, margin, minimum_items)
    if missing:
        return Judgement(Verdict.HOLD, missing)
    better = tuple(f"clearly better on {paired}" for paired in sets if paired.interval.low > 0)
    return Judgement(Verdict.PROMOTE, (*better, f"no worse than {100 * margin:.1f} pp on {sets[0]}"))


def judge_variant(
    judged: Judgement, found: Rate, *, label: str, minimum_recall: float, minimum_items: int
) -> Judgement:
    """The same for a challenger that is to know a new label as well.

    `judged` is what `judge` says of the old labels and the new one's items as a set of their own, `found` how many of
    those the challenger answered with it. Too few of them, or too few found, hold what would be promoted.
    """
    missing = []
    if found.n < minimum_items:
        missing.append(
            f"not enough evaluation items of {label!r}: have {found.n}, need {minimum_items}, "
            f"{minimum_items - found.n} are missing"
        )
    if found.n and found.hits < minimum_recall * found.n:
        missing.append(f"{label!r} is found in {found}, expected {minimum_recall:.0%} or more")
    if judged.verdict is Verdict.REJECT:
        return judged
    if judged.verdict is Verdict.HOLD:
        return Judgement(Verdict.HOLD, (*missing, *judged.reasons))
    if missing:
        return Judgement(Verdict.HOLD, tuple(missing))
    return Judgement(Verdict.PROMOTE, (f"{label!r} is found in {found}", *judged.reasons))


def _missing(sets: Sequence[Paired], items: int, margin: float, minimum_items: int) -> tuple[str, ...]:
    missing = []
    if items < minimum_items:
        missing.append(f"not enough items: have {items}, need {minimum_items}")
    if sets[0].lowest <= -margin:
        missing.append(f"a loss of {100 * margin:.1f} pp cannot be ruled out on {sets[0]}")
    if not any(paired.interval.low > 0 for paired in sets):
        missing.append("no clear gain: " + "; ".join(str(paired) for paired in sets))
    return tuple(missing)


def _newcombe(both: int, fixed: int, introduced: int, n: int, z: float) -> Interval:
    """Interval of (challenger - champion); see `compare`."""
    neither = n - both - fixed - introduced
    new, old = (both + fixed) / n, (both + introduced) / n
    new_low, new_high = _wilson(new, n, z)
    old_low, old_high = _wilson(old, n, z)
    margins = (both + fixed) * (introduced + neither) * (both + introduced) * (fixed + neither)
    phi = 0.0
    if margins:
        excess = both * neither - fixed * introduced
        phi = (max(excess - n / 2, 0.0) if excess > 0 else float(excess)) / math.sqrt(margins)
    difference = new - old

    def reach(first: float, second: float) -> float:
        return math.sqrt(max(first**2 - 2 * phi * first * second + second**2, 0.0))

    return Interval(
        difference - reach(new - new_low, old_high - old),
        difference + reach(old - old_low, new_high - new),
    )


def _wilson(share: float, n: int, z: float) -> Interval:
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(centre - half, centre + half)
