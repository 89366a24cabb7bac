"""What kind of trouble is it, and what should be done about it?

A week is compared with earlier weeks, four of them at least: what people say is right with weeks of any model, the
model's own doing with weeks of the same. Every kind of change has its own evidence and its own action: a policy change
needs a rule, a burst of traffic needs no retrain at all. Thresholds are chances of a false finding, divided among all
that was looked at; a share that is certain but small is no finding either. When it is over, `upkeep.lasting` says.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from upkeep.config import Client
from upkeep.figures import Figures
from upkeep.inputs import REFERENCE, Inputs, signs_of_shift
from upkeep.rates import Rate
from upkeep.scatter import chance_of

SPANS = (4, 8)
"""A change of answers is looked for in so many newest weeks together: the longer span sees what is rare."""
NEWEST = (1, 4)
"""Answers and traffic are looked at in so many newest weeks together: one shows a sudden change, four a lasting one."""
LEAST_EARLIER = 4
YEAR = 52
"""Answers are compared with so many weeks at most."""
LEAST_CASES = 5
LEAST_CERTAIN = 3
WEEKLY_BUDGET = 0.01 / 52
"""Chance of a false finding of a kind in a week: one in a hundred client-years."""
SPAN_BUDGET = WEEKLY_BUDGET / len(SPANS)
CERTAIN_BUDGET = 0.01
UNSEEN_BUDGET = 0.003
"""A label that nobody used before may be a rare one that was there all along; most are not."""
MOSTLY = 0.5
"""Share of a label's checked answers that must have become the same other one for it to be a policy."""
GIVEN_UP = 0.75
"""Share of it among the answers that are that other one or still the label: a label that goes on being right has lost a
part of its requests to a new category."""
TIMES = 3.0
"""How many times as often as before a thing must happen."""
BURST = 1.5
LEAST_EXPECTED = 5
LEAST_SPOILED = 0.01
LEAST_A_DAY = 12
"""Requests on such a day usually: none has a chance of 6e-6 then (Poisson)."""
LEAST_GAP = 0.05
UNSEEN = "requests"
"""What data trouble is about where nobody could look at the requests."""
RESTLESS_SHARE = 0.25
"""Coefficient of variation, chance apart, that the share of a week's requests that fit no label may have."""
MISSING = "missing days"
"""What it is about where days without a request are not explained by chance, a whole week of them too."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Kind(StrEnum):
    """What has changed."""

    POLICY = "label or policy change"
    NEW_CATEGORY = "new category"
    OUT_OF_SCOPE = "out-of-scope growth"
    LABEL_MIX = "label-mix shift"
    INPUTS = "input shift"
    CALIBRATION = "calibration loss"
    TRAFFIC = "traffic incident"
    DATA = "data trouble"


ACTIONS = {
    Kind.POLICY: "Ask the client since when, and accept the rule (`upkeep rules`) or add it to `relabel`: "
    "the next retrain unlearns the old answer.",
    Kind.NEW_CATEGORY: "Agree on the category with the client; a retrain learns it once it has cases enough.",
    Kind.OUT_OF_SCOPE: "Have some of them labelled, so that a retrain learns what to hand to a person.",
    Kind.LABEL_MIX: "No fault in itself: check the precision of the labels that grew, and retrain only if it fell.",
    Kind.INPUTS: "Read the week's requests, have some of the new sort labelled, retrain if they are answered wrong.",
    Kind.CALIBRATION: "Do not trust the share of automatic answers: a retrain fits the threshold again.",
    Kind.TRAFFIC: "Find out what happened; do not retrain on this week alone.",
    Kind.DATA: "Have the log repaired before its figures are trusted.",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One finding: what was seen, on how many requests, and what to do.

    `old` and `new` are the labels it is about, `weeks` how many newest weeks together showed it.
    """

    kind: Kind
    text: str
    action: str
    n: int
    old: str | None = None
    new: str | None = None
    weeks: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """A week as it can be compared with others: its figures, and what its requests looked like, or why nobody knows."""

    figures: Figures
    inputs: Inputs | None = None
    unseen: str | None = None


def find_changes(
    now: Seen, earlier: Sequence[Figures], client: Client, *, history: Sequence[Seen], versions: Collection[str] = ()
) -> tuple[Change, ...]:
    """All that has changed in the newest week.

    `earlier` are the weeks before it with the same model, `history` those whatever the model, both oldest first;
    `versions` are the models that may be in service, empty where nobody knows.
    """
    before = [one.figures for one in history]
    found = list(
        _told_once([*_answers_changed([*before, now.figures], client), *_calibration([*earlier, now.figures], client)])
    )
    if len(earlier) >= LEAST_EARLIER:
        found += label_mix(now.figures, earlier[-REFERENCE:])
    before = before[-REFERENCE:]
    if len(before) >= LEAST_EARLIER:
        found += traffic(now.figures, before)
        found += data_trouble(now.figures, before)
        found += missing_days(now.figures, before)
    found += unknown_versions(now.figures, versions)
    if now.unseen:
        found.append(_change(Kind.DATA, f"requests were not compared with those before: {now.unseen}", 0, old=UNSEEN))
    if now.inputs:
        found += input_shift(now.inputs, [one.inputs for one in history if one.inputs])
    return tuple(found)


def _spans(weeks: Sequence[Figures]) -> Iterator[tuple[int, Sequence[Figures], Sequence[Figures]]]:
    """The newest weeks by span, and those before them."""
    for span in SPANS:
        if len(weeks) - span >= LEAST_EARLIER:
            yield span, weeks[-span:], weeks[:-span][-YEAR:]


def _answers_changed(weeks: Sequence[Figures], client: Client) -> Iterator[Change]:
    """What people say is right and was not before, whatever model they said it of."""
    for span, recent, before in _spans(weeks):
        grown = list(new_categories(recent, before))
        likely = {one.new for one in new_categories(recent, before, unseen=CERTAIN_BUDGET)}
        policies = policy_changes(recent, before, grown=likely)
        for one in [*policies, *grown, *out_of_scope(recent, before, client)]:
            if not _fading(one, recent):
                yield replace(_with_rule(one, client), weeks=span)


def _calibration(weeks: Sequence[Figures], client: Client) -> Iterator[Change]:
    for span, recent, before in _spans(weeks):
        for one in calibration_loss(recent, before, weekly_spread=client.alarms.weekly_spread_pp / 100):
            yield replace(one, weeks=span)


def _fading(change: Change, recent: Sequence[Figures]) -> bool:
    """Is it over already: seldom in the newest weeks, or with the newest model, and often in the weeks before those?"""
    version = recent[-1].model_version
    newest = [one for one in recent if one.model_version == version][-SPANS[0] :]
    others = recent[: len(recent) - len(newest)]
    return fewer(counted(change, newest), counted(change, others)) < CERTAIN_BUDGET


def _with_rule(change: Change, client: Client) -> Change:
    """A policy change whose rule is there already needs no other."""
    rule = next((one for one in client.relabel if (one.old, one.new) == (change.old, change.new)), None)
    if rule is None:
        return change
    return replace(
        change, action=f"There is a rule for it, from {rule.since}: the next retrain unlearns the old answer."
    )


def more_often(now: Rate, before: Rate, *, times: float = 1.0) -> float:
    """Chance of so many now or more if it happened so many times as often as before (conditional test of two Poisson
    rates, Przyborowski and Wilenski, 1940); 1 where one of the two says nothing."""
    from scipy.stats import binom

    if not now.n or not before.n:
        return 1.0
    return float(binom.sf(now.hits - 1, now.hits + before.hits, times * now.n / (times * now.n + before.n)))


def fewer(now: Rate, before: Rate) -> float:
    """Chance of so few now or fewer if it happened as often as before; 1 where one of the two says nothing."""
    from scipy.stats import binom

    if not now.n or not before.n:
        return 1.0
    return float(binom.cdf(now.hits, now.hits + before.hits, now.n / (now.n + before.n)))


def counted(change: Change, weeks: Sequence[Figures]) -> Rate:
    """How many of the labelled requests of some weeks show a change of answers, and out of how many."""
    if change.kind is Kind.OUT_OF_SCOPE:
        return _fits_none(weeks)
    if change.kind is Kind.NEW_CATEGORY:
        return _named_as(weeks, change.new or "")
    hits = sum(
        cell.requests for one in weeks for cell in one.named if (cell.given, cell.answer) == (change.old, change.new)
    )
    return Rate(hits, sum(one.labelled.hits for one in weeks))


def policy_changes(
    recent: Sequence[Figures], before: Sequence[Figures], *, grown: Container[str | None] = ()
) -> Iterator[Change]:
    """Answers of one label that people now correct to one other label, most of them.

    Where the other label is one of `grown`, that something has changed is certain already, and fewer cases tell where.
    """
    found, usual = corrections(recent), corrections(before)
    answered, used_to = _added(one.answered for one in recent), _added(one.answered for one in before)
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
        if more_often(now, then) < budget and _times(now, then) >= TIMES:
            was = f"before, of {then.n:,} such answers {then.hits} were"
            text = f"{share.hits} of {share.n} {old!r} answers that people looked at should be {new!r}; {was}"
            yield _change(Kind.POLICY, text, hits, old=old, new=new)


def new_categories(
    recent: Sequence[Figures], before: Sequence[Figures], *, unseen: float = UNSEEN_BUDGET
) -> Iterator[Change]:
    """Right answers that the model does not have, more and more of them.

    People who use a label that nobody used before do so by no accident: a few cases are enough to call it new.
    """
    named = _added(one.unknown_labels for one in recent)
    learned = {label for one in (*before, *recent) for label in one.answered}
    for label in sorted(set(named) - learned):
        now, then = _named_as(recent, label), _named_as(before, label)
        budget = SPAN_BUDGET / len(named) if then.hits else unseen
        if now.hits >= LEAST_CASES and more_often(now, then) < budget:
            text = f"{now.hits} requests of the last {len(recent)} weeks were {label!r}, which the model does not know"
            yield _change(Kind.NEW_CATEGORY, text, now.hits, new=label)


def out_of_scope(recent: Sequence[Figures], before: Sequence[Figures], client: Client) -> Iterator[Change]:
    """Requests that no label fits, among those checked by chance."""
    checked = [[one.out_of_scope for one in weeks if one.out_of_scope.n] for weeks in (recent, before)]
    now, then = (sum(weeks, Rate(0, 0)) for weeks in checked)
    if now.hits >= LEAST_CASES and then.n and _grown(*checked) < SPAN_BUDGET:
        text = f"{now} of the checked requests fit no label ({client.out_of_scope_label}); before, it was {then}"
        yield _change(Kind.OUT_OF_SCOPE, text, now.n)


def calibration_loss(recent: Sequence[Figures], before: Sequence[Figures], *, weekly_spread: float) -> Iterator[Change]:
    """Answers checked by chance that are less often right than the model was sure of, by more than before."""
    from scipy.stats import norm

    now, then = overconfidence(recent, weekly_spread=weekly_spread), overconfidence(before, weekly_spread=weekly_spread)
    if now is None or then is None:
        return
    grown = now.gap - then.gap
    if grown >= LEAST_GAP and norm.sf(grown / (now.variance + then.variance) ** 0.5) < SPAN_BUDGET:
        text = (
            f"the model was {now.sure:.0%} sure and right in {now.right}; "
            f"before, {then.sure:.0%} sure and right in {then.right}"
        )
        yield _change(Kind.CALIBRATION, text, now.right.n)


def _grown(recent: Sequence[Rate], before: Sequence[Rate]) -> float:
    """Chance of so large a ratio of two shares that are restless from week to week (normal, on the logarithm)."""
    from scipy.stats import norm

    (now, here), (then, there) = ((sum(weeks, Rate(0, 0)), len(weeks)) for weeks in (recent, before))
    ratio = math.log((now.hits + 0.5) / now.n * then.n / (then.hits + 0.5))
    variance = 1 / (now.hits + 0.5) + 1 / (then.hits + 0.5) + RESTLESS_SHARE**2 * (1 / here + 1 / there)
    return float(norm.sf(ratio / variance**0.5))


class Confident(NamedTuple):
    """Mean confidence of the checked answers, how many were right, and the variance of the difference."""

    sure: float
    right: Rate
    variance: float

    @property
    def gap(self) -> float:
        """By how much it was surer than right; a share."""
        return self.sure - (self.right.value or 0.0)


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


def input_shift(now: Inputs, earlier: Sequence[Inputs]) -> Iterator[Change]:
    """Requests that look unlike those of the weeks before; one finding, whatever shows it."""
    signs = signs_of_shift(now, earlier, budget=WEEKLY_BUDGET)
    if signs:
        text = f"of {now.n:,} requests looked at, " + "; ".join(sign.text for sign in signs)
        yield _change(Kind.INPUTS, text, now.n)


def label_mix(now: Figures, earlier: Sequence[Figures]) -> Iterator[Change]:
    """Answers distributed otherwise than before."""
    mixes = [one.label_mix for one in (*earlier, now) if one.label_mix]
    for span in NEWEST if now.label_mix else ():
        here, before = _added(mixes[-span:]), mixes[:-span]
        if len(before) >= LEAST_EARLIER and _moved(here, before) < WEEKLY_BUDGET / len(NEWEST):
            usual = _added(before)
            shares = {label: (here[label] / here.total(), usual[label] / usual.total()) for label in usual}
            label, (share, was) = max(shares.items(), key=lambda one: abs(one[1][0] - one[1][1]))
            text = f"{label!r} was {share:.1%} of the answers, before {was:.1%}"
            yield replace(_change(Kind.LABEL_MIX, text, here.total()), weeks=span)
            return


def _moved(here: Mapping[str, int], before: Sequence[Mapping[str, int]]) -> float:
    """Chance that answers are so unlike those of the weeks before.

    A chi-square test of homogeneity beside what these weeks come to against each other: it knows the number of labels,
    n, how restless the mix is, and in how few labels.
    """
    usual = _added(before)
    statistic, free = _unlike(here, usual)
    each = (_unlike(one, usual - Counter(one)) for one in before)
    restless = [value / freedom for value, freedom in each if freedom]
    return chance_of(statistic / free, restless, free) if free and len(restless) >= LEAST_EARLIER else 1.0


def traffic(now: Figures, earlier: Sequence[Figures]) -> Iterator[Change]:
    """Far more or far fewer requests than the weeks before lead one to expect, for their own spread.

    Weeks with missing days are no measure. On logarithms: traffic grows and shrinks by a factor, and a busy week is
    farther from the mean than a slack one.
    """
    import numpy as np
    from scipy.stats import t

    whole = [one for one in (*earlier, now) if one.requests and not any(missing_days(one, earlier))]
    counts = np.log([one.requests for one in whole])
    for span in NEWEST if now in whole else ():
        before, seen = counts[:-span], float(counts[-span:].mean())
        if len(before) < LEAST_EARLIER:
            return
        usual = float(before.mean())
        spread = max(float(before.std(ddof=1)), np.exp(-usual / 2)) * (1 / span + 1 / len(before)) ** 0.5
        grown = abs(seen - usual)
        chance = 2 * t.sf(grown / spread, len(before) - 1)
        if grown >= np.log(BURST) and chance < WEEKLY_BUDGET / len(NEWEST):
            when = "" if span == 1 else f" a week in the last {span}"
            text = (
                f"{np.exp(seen):,.0f} requests{when}, {np.exp(seen - usual):.1f} times the usual {np.exp(usual):,.0f}"
            )
            yield replace(_change(Kind.TRAFFIC, text, now.requests), weeks=span)
            return


def data_trouble(now: Figures, earlier: Sequence[Figures]) -> Iterator[Change]:
    """No log at all, or more rows that break the contract."""
    if not now.requests and any(one.requests for one in earlier[-1:]):
        yield _change(Kind.DATA, "no request was logged", 0, old=MISSING)
    bad, usual = _spoiled(now), sum((_spoiled(one) for one in earlier), Rate(0, 0))
    certain = more_often(bad, usual, times=BURST) < WEEKLY_BUDGET  # the share of bad rows is restless
    if certain and (bad.value or 0) >= LEAST_SPOILED and _times(bad, usual) >= TIMES:
        worst = max(now.quarantined, key=lambda reason: now.quarantined[reason])
        was = f"before, it was {usual.hits} of {usual.n:,}"
        text = f"{bad} of the log's rows cannot be used, most of them for {worst!r}; {was}"
        yield _change(Kind.DATA, text, bad.n)


def missing_days(now: Figures, earlier: Sequence[Figures]) -> Iterator[Change]:
    """Days of the week without a request on which there usually are so many that chance does not explain it."""
    counted = [one for one in earlier if one.days]
    if not now.days or not counted:
        return
    today = _by_weekday(now)
    usual = {
        name: sum(_by_weekday(one)[day] for one in counted) / len(counted)
        for day, name in enumerate(WEEKDAYS)
        if not today[day]
    }
    missing = {name: requests for name, requests in usual.items() if requests >= LEAST_A_DAY}
    if missing:
        many = ", ".join(f"{requests:,.0f}" for requests in missing.values())
        text = f"no request was logged on {', '.join(missing)}; usually there are {many}"
        yield _change(Kind.DATA, text, 0, old=MISSING)


def unknown_versions(now: Figures, versions: Collection[str]) -> Iterator[Change]:
    """Models that answered and that nobody released here."""
    for version, requests in now.versions.items():
        if versions and version not in versions:
            text = (
                f"model version {version!r} answered {requests:,} requests, but released were only {sorted(versions)}"
            )
            yield _change(Kind.DATA, text, requests, old=version)


def _named_as(weeks: Sequence[Figures], label: str) -> Rate:
    return Rate(sum(one.unknown_labels.get(label, 0) for one in weeks), sum(one.labelled.hits for one in weeks))


def _fits_none(weeks: Sequence[Figures]) -> Rate:
    """Of the requests checked by chance."""
    return sum((one.out_of_scope for one in weeks), Rate(0, 0))


def _by_weekday(one: Figures) -> list[int]:
    found = [0] * len(WEEKDAYS)
    for day, requests in one.days.items():
        found[day.weekday()] += requests
    return found


def _change(kind: Kind, text: str, n: int, *, old: str | None = None, new: str | None = None) -> Change:
    return Change(kind, text, ACTIONS[kind], n, old, new)


def _told_once(found: Sequence[Change]) -> Iterator[Change]:
    """Each change once, whatever the span; a new label that a policy explains is no category of its own."""
    told: set[tuple[Kind, str | None, str | None]] = set()
    explained = {one.new for one in found if one.kind is Kind.POLICY}
    for one in found:
        key = (one.kind, one.old, one.new)
        if key not in told and not (one.kind is Kind.NEW_CATEGORY and one.new in explained):
            told.add(key)
            yield one


def corrections(weeks: Sequence[Figures]) -> Counter[tuple[str, str]]:
    """How often each answer was given and each was right, by the two; where they are the same it was confirmed."""
    found: Counter[tuple[str, str]] = Counter()
    for one in weeks:
        for cell in one.named:
            found[cell.given, cell.answer] += cell.requests
    return found


def _added(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in counts:
        found.update(one)
    return found


def _times(now: Rate, before: Rate) -> float:
    """How many times as often; half a case is put to both, so that none before is not infinitely often."""
    return ((now.hits + 0.5) / (now.n + 1)) / ((before.hits + 0.5) / (before.n + 1))


def _spoiled(one: Figures) -> Rate:
    bad = sum(one.quarantined.values())
    return Rate(bad, bad + one.requests)


def _unlike(here: Mapping[str, int], there: Counter[str]) -> tuple[float, int]:
    """Chi-square statistic and degrees of freedom of two counts; labels too rare to count are taken together."""
    n, m = sum(here.values()), there.total()
    if not n or not m:
        return 0.0, 0
    rows: list[tuple[int, int]] = []
    rest_here = rest_there = 0
    for label in here.keys() | there.keys():
        one, other = here.get(label, 0), there[label]
        if (one + other) * n / (n + m) >= LEAST_EXPECTED:
            rows.append((one, other))
        else:
            rest_here, rest_there = rest_here + one, rest_there + other
    if rest_here + rest_there:
        rows.append((rest_here, rest_there))
    statistic = 0.0
    for one, other in rows:
        expected = (one + other) * n / (n + m), (one + other) * m / (n + m)
        statistic += (one - expected[0]) ** 2 / expected[0] + (other - expected[1]) ** 2 / expected[1]
    return statistic, len(rows) - 1
