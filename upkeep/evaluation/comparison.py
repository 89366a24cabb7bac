"""Is the challenger better than the champion on the same items, and what follows from that?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from upkeep.errors import DecisionError
from upkeep.evaluation.breakdown import PartChange
from upkeep.statistics.rates import Interval, Rate
from upkeep.statistics.significance import LEVEL, format_p, holm, mcnemar

ONE_SIDED_95 = 1.6448536269514722
TWO_SIDED_95 = 1.959963984540054
RECENT = "recent"
"""The set beside the agreed one on which a loss has to be ruled out: what the client sends now."""


CHANGED = "changed"
"""What of both has another right answer than the champion was taught: where a gain is the purpose of a retrain."""


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
    pairs = list(zip(champion, challenger, strict=True))
    fixed = sum(new and not old for old, new in pairs)
    introduced = sum(old and not new for old, new in pairs)
    both = sum(old and new for old, new in pairs)
    return from_counts(
        items, both=both, fixed=fixed, introduced=introduced, neither=len(pairs) - both - fixed - introduced
    )


def from_counts(items: str, *, both: int, fixed: int, introduced: int, neither: int) -> Paired:
    """The same from the four counts, which are all that it depends on: right in both, in one only, in none.

    Raises DecisionError where they count no item.
    """
    n = both + fixed + introduced + neither
    if not n:
        raise DecisionError(f"comparison on {items}: found no items, expected at least one")
    return Paired(
        items=items,
        champion=Rate(both + introduced, n),
        challenger=Rate(both + fixed, n),
        difference=(fixed - introduced) / n,
        interval=_newcombe(both, fixed, introduced, n, TWO_SIDED_95),
        lowest=_newcombe(both, fixed, introduced, n, ONE_SIDED_95).low,
        fixed=fixed,
        introduced=introduced,
        p_value=mcnemar(fixed, introduced),
    )


def items_to_settle(paired: Paired, *, margin: float, z: float) -> int | None:
    """How many items would rule out a loss of `margin`, were the differences to stay as found; 0 asks for a gain.

    None where the difference found is such a loss itself, or no gain: more of the same would prove only that. Otherwise
    more than the items there are, as those did not settle it, and at least `fewest_items`.
    """
    found = paired.difference
    if found <= -margin:
        return None
    needed = _sample(_discordant(paired), found, room=found + margin, z=z)
    return max(needed, fewest_items(margin) or 0, paired.champion.n + 1)


def fewest_items(margin: float) -> int | None:
    """The fewest items that can rule out a loss of `margin`, a share; None for a margin of 0, where no number can.

    A model that loses `margin` loses none of n items with the chance (1 - margin) ** n. While that is over 5 %, not
    even two models that agree on every item are shown to be as good. About 3 / margin items are needed: the rule of
    three (J. A. Hanley and A. Lippman-Hand, JAMA 249, 1983).
    """
    if margin <= 0:
        return None
    return math.ceil(math.log(LEVEL) / math.log1p(-margin)) if margin < 1 else 1


def judge(
    sets: Sequence[Paired],
    *,
    items: int,
    margin: float,
    minimum_items: int,
    same_weights: bool,
    reload_exact: bool,
    guarded: Sequence[Paired] = (),
    lost: Sequence[str] = (),
    parts: Sequence[PartChange] = (),
    ruled_out: Sequence[Paired] = (),
    apart: Sequence[Paired] = (),
) -> Judgement:
    """Promote, hold or reject.

    Reject: clearly worse on any of `sets`. Promote: no worse than `margin` (a share, one-sided 95 %) on the agreed set,
    the first one, and on the recent one; clearly better on at least one set; no sign of a loss on another; `items`
    enough, each counted once however many sets have it; nothing `lost` in what it answers by itself; no loss on a
    `guarded` set, or on one of the `parts` (all labels and slices looked at), beyond chance. Everything else is held,
    saying what is missing and what would settle it.

    "Clearly" is McNemar's exact test at 5 % over all sets together (Holm), so that of models as good as each other one
    in twenty at most is called better or worse anywhere. Where there are the agreed and the recent set and no other,
    what they say together is looked at as well: half the items each show a gain on both less often than all of them.
    What has to be ruled out needs no such correction: every one of the sets must rule it out, and a model that is worse
    on any of them passes that one in about 5 % of cases, however many others there are (intersection-union: R. L.
    Berger, Technometrics 24, 1982).

    The loss has to be ruled out on those of `ruled_out` as well, and none of those looked at `apart` may show a sign of
    one, whatever is gained elsewhere.

    A recent set of fewer than `fewest_items` could never rule a loss out and would block for ever, so that it is then
    judged together with the agreed one. That hangs on its size alone, never on how it came out.
    """
    if same_weights:
        return Judgement(Verdict.REJECT, ("champion and challenger have the same weights: nothing was learned",))
    if not reload_exact:
        return Judgement(Verdict.REJECT, ("the challenger read back from the registry gives other answers",))
    looked_at = _looked_at(sets)
    chances = holm([one.p_value for one in looked_at])
    sure = [(one, chance) for one, chance in zip(looked_at, chances, strict=True) if chance < LEVEL]
    worse = _clearly("worse", sets, [one for one in sure if one[0].difference < 0])
    if worse:
        return Judgement(Verdict.REJECT, worse)
    better = _clearly("better", sets, sure)
    kept = (*_to_be_kept(sets, margin), *ruled_out)
    missing = [f"not enough items: have {items}, need {minimum_items}"] if items < minimum_items else []
    missing += [_open_loss(paired, margin) for paired in kept if paired.lowest <= -margin]
    missing += [_doubtful(paired, len(looked_at)) for paired in looked_at if paired.interval.high < 0]
    missing += [_doubtful(one, 1) for one in apart if one.interval.high < 0]
    missing += (
        [] if better else ["no clear gain: " + "; ".join(_open_gain(paired, len(looked_at)) for paired in looked_at)]
    )
    missing += [*lost, *_given_up(guarded, sets, margin), *(f"worse on the {one}" for one in parts if one.is_worse)]
    if missing:
        return Judgement(Verdict.HOLD, tuple(missing))
    held = [f"no worse than {_points(margin)} on {paired}" for paired in kept]
    return Judgement(Verdict.PROMOTE, (*better, *held))


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


def _looked_at(sets: Sequence[Paired]) -> tuple[Paired, ...]:
    """Where a gain or a loss may show; with a set for a new category the gain is looked for there."""
    agreed, *others = sets
    names = [one.items for one in others]
    if names not in ([RECENT], [RECENT, CHANGED]):
        return tuple(sets)
    return (*sets, _together(f"{agreed.items} and {RECENT} together", agreed, others[0]))


def _clearly(how: str, sets: Sequence[Paired], sure: Sequence[tuple[Paired, float]]) -> tuple[str, ...]:
    """Told of each set by itself, and of both together only where none shows it alone."""
    alone = [one for one in sure if one[0] in sets]
    return tuple(f"clearly {how} on {paired}, {format_p(chance)}" for paired, chance in alone or sure)


def _to_be_kept(sets: Sequence[Paired], margin: float) -> tuple[Paired, ...]:
    """On what a loss has to be ruled out: the agreed set, and the recent one, or both together where that is small."""
    agreed = sets[0]
    recent = next((paired for paired in sets[1:] if paired.items == RECENT), None)
    if recent is None:
        return (agreed,)
    fewest = fewest_items(margin)
    if fewest is not None and recent.champion.n >= fewest:
        return (agreed, recent)
    name = f"{agreed.items} and {RECENT} together ({recent.champion.n} {RECENT} ones are too few alone)"
    return (agreed, _together(name, agreed, recent))


def _together(name: str, one: Paired, other: Paired) -> Paired:
    """Two sets that share no item, as one."""
    return from_counts(
        name,
        both=sum(paired.champion.hits - paired.introduced for paired in (one, other)),
        fixed=one.fixed + other.fixed,
        introduced=one.introduced + other.introduced,
        neither=sum(paired.champion.complement.hits - paired.fixed for paired in (one, other)),
    )


def _open_loss(paired: Paired, margin: float) -> str:
    needed = items_to_settle(paired, margin=margin, z=ONE_SIDED_95)
    what = f"a loss of {_points(margin)} cannot be ruled out on {paired}"
    if needed is None:
        return f"{what}; no sample size would rule it out, the loss found is {_points(-paired.difference)}"
    return f"{what}; about {needed:,} items would, if {100 * paired.difference:+.1f} pp stays"


def _open_gain(paired: Paired, looks: int) -> str:
    needed = items_to_settle(paired, margin=0, z=_surest_of(looks))
    if needed is None:
        return f"{paired}; no sample size shows a gain where none is found"
    return f"{paired}; about {needed:,} items would show it, if {100 * paired.difference:+.1f} pp stays"


def _doubtful(paired: Paired, looks: int) -> str:
    """A set on which the challenger does worse, though no more so than one of several sets may by chance."""
    lost = -paired.difference
    needed = max(_sample(_discordant(paired), lost, room=lost, z=_surest_of(looks)), paired.champion.n + 1)
    return f"perhaps worse on {paired}; about {needed:,} items would tell, if {-100 * lost:+.1f} pp stays"


def _sample(discordant: float, difference: float, *, room: float, z: float) -> int:
    """Items for an interval of the difference that reaches no further than `room`.

    n = (z * sqrt(discordant - difference ** 2) / room) ** 2, where `discordant` is the share of items on which the two
    differ: the normal approximation for paired proportions (R. J. Connor, Biometrics 43, 1987; with a margin Y. Lu and
    J. A. Bean, Statistics in Medicine 14, 1995) without their term for power. As the difference found with so many is
    above or below the true one by chance, they settle it every other time; for eight times of ten take twice as many.
    """
    return math.ceil((z * math.sqrt(max(discordant - difference**2, 0.0)) / room) ** 2)


def _discordant(paired: Paired) -> float:
    return (paired.fixed + paired.introduced) / paired.champion.n


def _surest_of(looks: int) -> float:
    """What Holm's first step asks of the surest of several sets, in standard errors."""
    return NormalDist().inv_cdf(1 - LEVEL / 2 / looks)


def _given_up(guarded: Sequence[Paired], sets: Sequence[Paired], margin: float) -> Iterator[str]:
    """The guarded sets on which the challenger loses beyond chance, and beyond what such a set makes any model lose.

    Their items are there because an earlier model got them right, some of them by luck, so that any later model loses
    some. Where the champion is that model it has all of them, and a challenger as good does worse without being worse.
    A loss counts where more became wrong than right (McNemar, one-sided, exact) and of what the champion had right more
    became wrong than is usual, plus `margin` (binomial, one-sided, exact). Usual is the greater of two shares: of the
    champion's right answers in `sets`, where nothing was selected, those that the challenger gets wrong; and of these
    items those that the champion lost itself since.
    """
    from scipy.stats import binomtest

    right = sum(paired.champion.hits for paired in sets)
    flipped = sum(paired.introduced for paired in sets) / right if right else 0.0
    for paired in guarded:
        lost, had = paired.introduced, paired.champion
        if lost <= paired.fixed:
            continue
        allowed = min(max(flipped, had.complement.hits / had.n) + margin, 1.0)
        chances = ((lost, lost + paired.fixed, 0.5), (lost, had.hits, allowed))
        if all(binomtest(*one, alternative="greater").pvalue < LEVEL for one in chances):
            yield (
                f"worse on {paired.items}: {lost} of {had.hits} that were right became wrong, {paired.fixed} right; "
                f"up to {allowed:.1%} would be usual"
            )


def _points(share: float) -> str:
    return f"{100 * share:.1f} pp"


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
