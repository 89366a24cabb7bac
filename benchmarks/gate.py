"""How often does the gate promote a model that is worse, and one that is better? `python -m benchmarks.gate`

A champion that is right on 87 % of items, and challengers that are truly some points worse, as good, or better. Half of
the items are golden, half recent. Two trainings of one model do not err independently: most of what one gets wrong the
other does too, and they differ on a tenth of the items (`--discordant`) and on as many more as one is better. Only the
four counts of a set are drawn, as a verdict depends on nothing else. Judged by Upkeep's gate with its default margin,
with and without its minimum of items, and on the same draws by two usual rules over all items together:

* promote what has at least the champion's accuracy;
* promote what is better by McNemar's exact test, two-sided p < 0.05.

The second table has the case that is hardest for a gate that rests on two sets: a challenger that is clearly better on
one of them and worse by just the margin on the other. In its last rows the recent set is too small to rule a loss out
by itself and is judged together with the golden one, and the loss on it is larger from row to row.

The third has what a retrain is mostly for: a few items have another right answer than the champion was taught, which it
never gives and the challenger gives in four cases of five. On all others the challenger is as good, or worse. Judged as
Upkeep does, with these items as a set of their own and no sign of a loss on the others, and without either.

The fourth has what comes back from production in thirteen weeks: 50 requests a week that chance drew, those that were
escalated, 16 % of what the champion had right and 44 % of what it had wrong, and complaints about half of its other
errors. Of each 15 % are held out. Recent items are those that chance drew, as Upkeep has it, or all of them.

The fifth has a champion that production has left behind: the challenger is as good on golden items, and better, as good
or worse on recent ones, of which there are more the more audits a recipe holds out.

The sixth has recent items of which some were asked after the champion's training cut, where a challenger may be better
or worse than on those from before: judged on all recent items with those from after the cut looked at by themselves, as
Upkeep does, on all of them without that, or on those from after the cut alone.
"""

from __future__ import annotations

import argparse
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from benchmarks.table import head, row
from upkeep.config import Client
from upkeep.evaluation.comparison import CHANGED, Paired, Verdict, from_counts, judge
from upkeep.progress import OnTerminal

LEVEL = 0.87
ITEMS = (100, 300, 500, 1000)
POINTS = (-5, -3, -2, 0, 2, 5)
MARGIN = Client.model_fields["margin_pp"].default / 100
MINIMUM = Client.model_fields["minimum_items"].default


class Cells(NamedTuple):
    """How many items both have right, only the challenger, only the champion, none."""

    both: int
    fixed: int
    introduced: int
    neither: int


class Half(NamedTuple):
    """A set of items on which the challenger is truly so many points better."""

    items: int
    points: int


class Found(NamedTuple):
    """How often of `trials` the gate said what, how often it promoted without a minimum, and how often others did."""

    trials: int
    gate: Counter[Verdict]
    unlimited: int
    as_accurate: int
    mcnemar: int


ALIKE = {
    f"{items:,}, {points:+d}": (Half(items // 2, points), Half(items // 2, points))
    for items in ITEMS
    for points in POINTS
}
MIXED = {
    f"{golden.items} golden {golden.points:+d}, {recent.items} recent {recent.points:+d}": (golden, recent)
    for golden, recent in (
        *((Half(items // 2, 5), Half(items // 2, -3)) for items in ITEMS),
        *((Half(items // 2, -3), Half(items // 2, 5)) for items in ITEMS),
        *((Half(340, 5), Half(60, points)) for points in (-3, -5, -10)),
    )
}


RENEWED = {
    f"{items:,}, {100 * share:g} % changed, elsewhere {points:+d}": (items, share, points)
    for items in (300, 500, 1000)
    for share in (0.02, 0.05)
    for points in (0, -3, -5)
}
LEARNED = 0.8
"""Of changed items the challenger has so many right."""
BROUGHT = {
    f"{requests:,} requests a week, {points:+d}": (requests, points)
    for requests in (100, 300, 1000, 2000)
    for points in (0, -2, -3)
}
WEEKS, AUDITED, HELD_OUT, GOLDEN = 13, 50, 0.15, 300
APART = {
    f"{golden} golden +0, recent {points:+d}": (Half(golden, 0), points)
    for golden in (100, GOLDEN)
    for points in (-3, 0, 5, 8)
}
OF_AUDITS = (HELD_OUT, 0.25, 0.4)
"""Shares of audits that a recipe may hold out."""
SPLIT = {
    f"{late} of {recent:,} after the cut, there {after:+d}, before {before:+d}": (
        GOLDEN if recent < 1000 else 1000,
        Half(recent - late, before),
        Half(late, after),
    )
    for recent, late in ((260, 87), (260, 173), (1000, 340))
    for before, after in ((0, 0), (5, 5), (0, 8), (-5, 0), (-5, 5), (5, 0), (5, -5), (8, -5))
}
"""What is held out in thirteen weeks, and what of that is later than a champion of one month, or of two, was taught;
and more of both, beside as many golden items."""
ESCALATED_RIGHT, ESCALATED_WRONG, COMPLAINED = 0.16, 0.44, 0.5


def shares(points: int, discordant: float) -> list[float]:
    """The chances of the four cells, in the order of `Cells`, for a challenger that is truly so many points better."""
    gain = points / 100
    differ = discordant + abs(gain)
    fixed, introduced = (differ + gain) / 2, (differ - gain) / 2
    return [LEVEL - introduced, fixed, introduced, 1 - LEVEL - fixed]


def play(golden: Half, recent: Half, *, discordant: float, trials: int, seed: int) -> Found:
    """Judge as many pairs of models as there are trials."""
    rng = np.random.default_rng([seed, golden.items, 100 + golden.points, recent.items, 100 + recent.points])
    drawn = [
        rng.multinomial(half.items, shares(half.points, discordant), size=trials).tolist() for half in (golden, recent)
    ]
    gate: Counter[Verdict] = Counter()
    unlimited = as_accurate = mcnemar = 0
    for one, other in zip(*drawn, strict=True):
        old, new = Cells(*one), Cells(*other)
        gate[verdict(old, new, MINIMUM)] += 1
        unlimited += verdict(old, new, 1) is Verdict.PROMOTE
        whole = paired("all", _sum(old, new))
        as_accurate += whole.difference >= 0
        mcnemar += whole.difference > 0 and whole.p_value < 0.05
    return Found(trials, gate, unlimited, as_accurate, mcnemar)


def renew(items: int, share: float, points: int, *, discordant: float, trials: int, seed: int) -> dict[bool, int]:
    """How often a challenger is promoted with what changed as a set of its own, and without."""
    rng = np.random.default_rng([seed, items, round(100 * share), 100 + points])
    promoted = {True: 0, False: 0}
    half, renewed = items // 2, round(share * items / 2)
    for _ in range(trials):
        same = [Cells(*rng.multinomial(half - renewed, shares(points, discordant)).tolist()) for _ in range(2)]
        new = [Cells(0, learned, 0, renewed - learned) for learned in rng.binomial(renewed, LEARNED, size=2).tolist()]
        golden, recent = (_sum(one, other) for one, other in zip(same, new, strict=True))
        known = verdict(golden, recent, MINIMUM, changed=_sum(*new), unchanged=_sum(*same))
        promoted[True] += known is Verdict.PROMOTE
        promoted[False] += verdict(golden, recent, MINIMUM) is Verdict.PROMOTE
    return promoted


def bring(requests: int, points: int, *, discordant: float, trials: int, seed: int) -> dict[bool, int]:
    """How often a challenger is promoted with the recent items that chance drew, and with all that came back."""
    rng = np.random.default_rng([seed, requests, 100 + points])
    wrong = ESCALATED_WRONG + (1 - ESCALATED_WRONG) * COMPLAINED
    back = [ESCALATED_RIGHT, wrong, ESCALATED_RIGHT, wrong]  # in the order of `Cells`
    drawn = round(HELD_OUT * WEEKS * AUDITED)
    others = round(HELD_OUT * WEEKS * (requests - AUDITED))
    promoted = {True: 0, False: 0}
    for _ in range(trials):
        golden, audits, unseen = (
            rng.multinomial(items, shares(points, discordant)) for items in (GOLDEN, drawn, others)
        )
        chance = Cells(*audits.tolist())
        everything = _sum(chance, Cells(*rng.binomial(unseen, back).tolist()))
        for by_chance, recent in ((True, chance), (False, everything)):
            promoted[by_chance] += verdict(Cells(*golden.tolist()), recent, MINIMUM) is Verdict.PROMOTE
    return promoted


def cut(agreed: int, before: Half, after: Half, *, discordant: float, trials: int, seed: int) -> list[int]:
    """How often a challenger, as good on golden items, is promoted on all recent items, with the late ones looked at.

    Then the same without looking at the late ones, and on the late ones alone.
    """
    rng = np.random.default_rng([seed, after.items, 100 + before.points, 100 + after.points])
    promoted = [0, 0, 0]
    sets = (Half(agreed, 0), before, after)
    drawn = [rng.multinomial(half.items, shares(half.points, discordant), size=trials).tolist() for half in sets]
    for golden, early, late in ([Cells(*one) for one in each] for each in zip(*drawn, strict=True)):
        recent = _sum(early, late)
        for way, (judged_on, after_cut) in enumerate(((recent, late), (recent, None), (late, None))):
            promoted[way] += verdict(golden, judged_on, MINIMUM, after_cut=after_cut) is Verdict.PROMOTE
    return promoted


def _sum(one: Cells, other: Cells) -> Cells:
    return Cells(*(a + b for a, b in zip(one, other, strict=True)))


@lru_cache(maxsize=100_000)
def verdict(
    golden: Cells,
    recent: Cells,
    minimum_items: int,
    *,
    changed: Cells | None = None,
    unchanged: Cells | None = None,
    after_cut: Cells | None = None,
) -> Verdict:
    """The gate's."""
    sets = [paired("golden", golden), paired("recent", recent)]
    late = [paired("recent, after the cut", after_cut)] if after_cut else []
    return judge(
        [*sets, paired(CHANGED, changed)] if changed else sets,
        ruled_out=[one for one in late if one.champion.n >= minimum_items],
        apart=[*late, *([paired("what did not change", unchanged)] if unchanged else [])],
        items=sum(golden) + sum(recent),
        margin=MARGIN,
        minimum_items=minimum_items,
        same_weights=False,
        reload_exact=True,
    ).verdict


@lru_cache(maxsize=100_000)
def paired(name: str, cells: Cells) -> Paired:
    """Both models on one set."""
    return from_counts(name, **cells._asdict())


def main() -> int:
    """Print the six Markdown tables."""
    parser = argparse.ArgumentParser(description="How often each rule promotes models that are truly worse or better.")
    parser.add_argument("--trials", type=int, default=4000, help="pairs of models for each row, default 4000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--discordant", type=float, default=0.10, help="share on which equal models differ, 0.10")
    chosen = parser.parse_args()
    points = {half.points for pair in (*ALIKE.values(), *MIXED.values()) for half in pair}
    if min(share for one in points for share in shares(one, chosen.discordant)) < 0:
        parser.error(f"--discordant is {chosen.discordant}: too much or too little for a champion with {LEVEL:.0%}")
    differ = f"equal models differ on {chosen.discordant:.0%} of items"
    gate = f"margin {100 * MARGIN:.0f} points, minimum {MINIMUM} items"
    print(f"champion {LEVEL:.0%}, {differ}; {gate}; {chosen.trials:,} trials a row, seed {chosen.seed}; % of trials\n")
    _table("items, truly better by", ALIKE, chosen)
    print("\nBetter on one set, worse on the other\n")
    _table("items of each set, truly better by", MIXED, chosen)
    print("\nA few items have another right answer than the champion was taught\n")
    head("items", "promoted", "promoted without a set for what changed")
    for which, (items, share, elsewhere) in RENEWED.items():
        found = renew(items, share, elsewhere, discordant=chosen.discordant, trials=chosen.trials, seed=chosen.seed)
        row(which, *(f"{100 * found[known] / chosen.trials:.1f}" for known in (True, False)))
    print("\nWhat comes back from production\n")
    head("truly better by", "promoted, recent items drawn by chance", "promoted, all that came back")
    for which, (requests, truly) in BROUGHT.items():
        found = bring(requests, truly, discordant=chosen.discordant, trials=chosen.trials, seed=chosen.seed)
        row(which, *(f"{100 * found[by_chance] / chosen.trials:.1f}" for by_chance in (True, False)))
    print("\nThe more audits are held out, the more recent items there are\n")
    _left_behind(chosen)
    print("\nRecent items from before and after the champion's training cut\n")
    ways = ("those after the cut looked at too", "all recent items", "those after the cut alone")
    head("truly better by", *(f"promoted, {way}" for way in ways))
    for which, (agreed, before, after) in SPLIT.items():
        counts = cut(agreed, before, after, discordant=chosen.discordant, trials=chosen.trials, seed=chosen.seed)
        row(which, *(f"{100 * promoted / chosen.trials:.1f}" for promoted in counts))
    return 0


def _table(name: str, challengers: dict[str, tuple[Half, Half]], chosen: argparse.Namespace) -> None:
    progress = OnTerminal()
    others = ("promoted without a minimum", "promoted by accuracy", "promoted by McNemar")
    head(name, *(f"gate: {one.value}" for one in Verdict), *others)
    for done, (which, (golden, recent)) in enumerate(challengers.items(), start=1):
        found = play(golden, recent, discordant=chosen.discordant, trials=chosen.trials, seed=chosen.seed)
        progress("challengers", done, len(challengers))
        counts = (*(found.gate[one] for one in Verdict), found.unlimited, found.as_accurate, found.mcnemar)
        row(which, *(f"{100 * count / found.trials:.1f}" for count in counts))


def _left_behind(chosen: argparse.Namespace) -> None:
    recent = {share: round(share * WEEKS * AUDITED) for share in OF_AUDITS}
    head("truly better by", *(f"promoted, {share:.0%} held out: {n} items" for share, n in recent.items()))
    for which, (golden, points) in APART.items():
        found = [
            play(golden, Half(n, points), discordant=chosen.discordant, trials=chosen.trials, seed=chosen.seed)
            for n in recent.values()
        ]
        row(which, *(f"{100 * one.gate[Verdict.PROMOTE] / one.trials:.1f}" for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
