"""Are there other requests than before, many more or fewer of them, or a log that cannot be trusted?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import groupby
from math import exp
from typing import TYPE_CHECKING, NamedTuple

from upkeep.monitoring.figures import Figures
from upkeep.monitoring.input_shift import Inputs, Sign, signs_of_shift
from upkeep.monitoring.trouble import LASTING, LEAST_EARLIER, TIMES, WEEKLY_BUDGET, Change, Kind, change_of
from upkeep.statistics.overdispersion import chance_beyond
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import more_often, times_as_often

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NEWEST = (1, 4)
"""Answers and traffic are looked at in so many newest weeks together: one shows a sudden change, four a lasting one."""
TRAFFIC_SHARES = {1: 0.5, 4: 0.25}
"""How the budget of traffic is divided among the newest one and four weeks; a single day has the rest."""
BURST = 1.5
DAY_BURST = 3.0
"""A single day is told from three times the usual of its weekday on: days are more restless than weeks."""
LEAST_EXPECTED = 5
LEAST_SPOILED = 0.01
KINDS = 2
"""Requests and outcomes are looked at for rows that cannot be used."""
LEAST_A_DAY = 12
"""Requests on such a day usually: none has a chance of 6e-6 then (Poisson)."""
MISSING = "missing days"
"""What it is about where days without a request are not explained by chance, a whole week of them too."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def input_shift(now: Inputs, earlier: Sequence[Inputs]) -> Iterator[Change]:
    """Requests that look unlike those of the weeks before; one finding, whatever shows it, of as few weeks as do."""
    signs = signs_of_shift(now, earlier, budget=WEEKLY_BUDGET)
    if signs:
        parts = [_looked_at(*seen, [*those]) for seen, those in groupby(signs, key=lambda one: (one.weeks, one.n))]
        yield replace(change_of(Kind.INPUTS, "; ".join(parts), signs[0].n), weeks=signs[0].weeks)


def label_mix(now: Figures, earlier: Sequence[Figures]) -> Iterator[Change]:
    """Answers distributed otherwise than before."""
    mixes = [Counter(one.label_mix) for one in (*earlier, now) if one.label_mix]
    for span in NEWEST if now.label_mix else ():
        here, before = sum(mixes[-span:], Counter()), mixes[:-span]
        chance = _moved(here, before)
        if chance is not None and chance < WEEKLY_BUDGET / len(NEWEST):
            usual = sum(before, Counter())
            shares = {label: (here[label] / here.total(), usual[label] / usual.total()) for label in usual | here}
            label = max(shares, key=lambda one: abs(shares[one][0] - shares[one][1]))
            now_is = Rate(here[label], here.total())
            text = f"{label!r} was {now_is} of the answers, before {shares[label][1]:.1%}"
            yield replace(change_of(Kind.LABEL_MIX, text, here.total()), weeks=span, label=label)
            return


def mix_is_comparable(recent: Sequence[Figures], earlier: Sequence[Figures]) -> bool:
    """Would it be seen in so many newest weeks together if answers were distributed otherwise than before?"""
    here = sum((Counter(one.label_mix) for one in recent), Counter())
    return _moved(here, [Counter(one.label_mix) for one in earlier if one.label_mix]) is not None


def traffic(now: Figures, earlier: Sequence[Figures], zone: tzinfo) -> Iterator[Change]:
    """Far more or far fewer requests than the weeks before lead one to expect, for their own spread.

    Weeks with missing days are no measure. On logarithms: traffic grows and shrinks by a factor, and a busy week is
    farther from the mean than a slack one. Those of small counts have a long lower tail, so that few requests must be
    unlikely as a count too. A burst may be over before it makes an unusual week.
    """
    import numpy as np
    from scipy.stats import t

    whole = _whole_weeks((*earlier, now), earlier, zone)
    counts = np.array([one.requests for one in whole], dtype=float)
    logs = np.log(counts)
    for span, share in TRAFFIC_SHARES.items() if now in whole else ():
        before, seen = logs[:-span], float(logs[-span:].mean())
        if len(before) < LEAST_EARLIER:
            break
        usual = float(before.mean())
        spread = max(float(before.std(ddof=1)), np.exp(-usual / 2)) * (1 / span + 1 / len(before)) ** 0.5
        grown = abs(seen - usual)
        chance = 2 * t.sf(grown / spread, len(before) - 1)
        if seen < usual:
            chance = max(chance, 2 * _so_few(counts[-span:], counts[:-span]))
        if grown >= np.log(BURST) and chance < WEEKLY_BUDGET * share:
            when = "" if span == 1 else f" a week in the last {span}"
            text = (
                f"{np.exp(seen):,.0f} requests{when}, {np.exp(seen - usual):.1f} times the usual {np.exp(usual):,.0f}"
            )
            yield replace(change_of(Kind.TRAFFIC, text, now.requests), weeks=span)
            return
    yield from _busy_day(now.days, [one.days for one in earlier if one.days])


def traffic_is_comparable(now: Figures, earlier: Sequence[Figures], zone: tzinfo) -> bool:
    """Would it be seen in this week if there were far more or far fewer requests than before?"""
    return bool(_whole_weeks([now], earlier, zone)) and len(_whole_weeks(earlier, earlier, zone)) >= LEAST_EARLIER


def _whole_weeks(weeks: Sequence[Figures], usual: Sequence[Figures], zone: tzinfo) -> list[Figures]:
    return [one for one in weeks if one.requests and not any(missing_days(one, usual, zone))]


def _so_few(seen: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    """Chance of so few requests in some weeks, where what is expected of a week scatters as in the weeks before.

    Counts are gamma-Poisson then (negative binomial). Their logarithms have the variance of the logarithms of what was
    expected and, as they are counts, 1 / mean more.
    """
    import numpy as np
    from scipy.stats import nbinom

    mean = before.mean()
    scatter = max(np.log(before).var(ddof=1) - 1 / mean, 1e-9)
    return float(nbinom.cdf(seen.sum(), len(seen) / scatter, 1 / (1 + mean * scatter)))


def _looked_at(weeks: int, n: int, signs: Sequence[Sign]) -> str:
    when = "" if weeks == 1 else f" in the last {weeks} weeks"
    return f"of {n:,} requests looked at{when}, " + "; ".join(sign.text for sign in signs)


def _busy_day(now: Mapping[date, int], earlier: Sequence[Mapping[date, int]]) -> Iterator[Change]:
    """The week's day that is farthest above what is usual on its weekday, beyond the spread of all weekdays' days."""
    import numpy as np
    from scipy.stats import t

    before = np.array([_by_weekday(one) for one in earlier], dtype=float).reshape(-1, len(WEEKDAYS))
    days = [day for day in now if now[day] and (before[:, day.weekday()] > 0).sum() >= LEAST_EARLIER]
    if not days:
        return
    logs = [np.log(one[one > 0]) for one in before[:, [day.weekday() for day in days]].T]
    free = sum(map(len, logs)) - len(logs)
    spread = (sum(float(((one - one.mean()) ** 2).sum()) for one in logs) / free) ** 0.5

    def chance(day: date, known: NDArray[np.float64]) -> float:
        usual = float(known.mean())
        scatter = max(spread, np.exp(-usual / 2)) * (1 + 1 / len(known)) ** 0.5
        return float(t.sf((np.log(now[day]) - usual) / scatter, free))

    least, day, known = min((chance(*one), *one) for one in zip(days, logs, strict=True))
    times = now[day] / np.exp(known.mean())
    budget = WEEKLY_BUDGET * (1 - sum(TRAFFIC_SHARES.values()))
    if times >= DAY_BURST and least < budget / len(WEEKDAYS):
        text = (
            f"{now[day]:,} requests on {WEEKDAYS[day.weekday()]} {day}, "
            f"{times:.1f} times the usual {np.exp(known.mean()):,.0f} of that weekday"
        )
        yield replace(change_of(Kind.TRAFFIC, text, now[day]), day=day)


def data_trouble(now: Figures, earlier: Sequence[Figures]) -> Iterator[Change]:
    """No log at all, or more rows that break the contract; of a log that is mostly such rows the first week says so.

    Requests and outcomes are looked at apart: each is many or few by what there is of its own kind.
    """
    quiet = _silent(now, earlier) if len(earlier) >= LEAST_EARLIER else 0
    if quiet:
        weeks = "" if quiet == 1 else f" for {quiet} weeks"
        yield change_of(Kind.DATA, f"no request was logged{weeks}", 0, old=MISSING)
    found = [*_spoiled(now, earlier, _requests), *_spoiled(now, earlier, _outcomes)]
    if found:
        yield change_of(Kind.DATA, "; ".join(text for _, text in found), sum(n for n, _ in found))


def missing_days(now: Figures, earlier: Sequence[Figures], zone: tzinfo) -> Iterator[Change]:
    """Days of the week without a request on which there usually are so many that chance does not explain it.

    These are the client's days; where none of them is missing, the UTC days that the log's folders are. With the
    client's clock an hour may leave a UTC day that has no other, so those are held against weeks of the same offset.
    """
    if not now.days:
        return
    missing = _missing(now.days, [one.days for one in earlier if one.days])
    alike = [one for one in earlier if one.utc_days and _offset(one, zone) == _offset(now, zone)]
    if not missing and now.utc_days and len(alike) >= LEAST_EARLIER:
        utc = _missing(_whole(now), [_whole(one) for one in alike])
        missing = {f"{name} (UTC)": requests for name, requests in utc.items()}
    if missing:
        many = ", ".join(f"{requests:,.0f}" for requests in missing.values())
        text = f"no request was logged on {', '.join(missing)}; usually there are {many}"
        yield change_of(Kind.DATA, text, 0, old=MISSING)


def unknown_versions(now: Figures, versions: Collection[str]) -> Iterator[Change]:
    """Models that answered and that nobody released here."""
    for version, requests in now.versions.items():
        if versions and version not in versions:
            text = (
                f"model version {version!r} answered {requests:,} requests, but released were only {sorted(versions)}"
            )
            yield change_of(Kind.DATA, text, requests, old=version)


def _moved(here: Counter[str], before: Sequence[Counter[str]]) -> float | None:
    """Chance that answers are so unlike those of the weeks before; None where there are too few to compare them.

    A chi-square test of homogeneity beside what these weeks come to against each other: it knows the number of labels,
    n, how restless the mix is, and in how few labels.
    """
    usual = sum(before, Counter())
    statistic, free = _unlike(here, usual)
    each = (_unlike(one, usual - one) for one in before)
    restless = [value / freedom for value, freedom in each if freedom]
    return chance_beyond(statistic / free, restless, free) if free and len(restless) >= LEAST_EARLIER else None


def _unlike(here: Counter[str], there: Counter[str]) -> tuple[float, int]:
    """Chi-square statistic and degrees of freedom of two counts; labels too rare to count are taken together."""
    n, m = here.total(), there.total()
    if not n or not m:
        return 0.0, 0
    rows: list[tuple[int, int]] = []
    rest_here = rest_there = 0
    for label in here.keys() | there.keys():
        one, other = here[label], there[label]
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


def _missing(now: Mapping[date, int], earlier: Sequence[Mapping[date, int]]) -> dict[str, float]:
    """What is usual on those weekdays that have no request and should have some: not where none has come for long."""
    today, before = _by_weekday(now), [_by_weekday(one) for one in earlier]
    lately = before[-LASTING:]
    given_up = {day for day in range(len(WEEKDAYS)) if len(lately) == LASTING and not any(one[day] for one in lately)}
    silent = {name: day for day, name in enumerate(WEEKDAYS) if before and not today[day] and day not in given_up}
    usual = {name: sum(one[day] for one in before) / len(before) for name, day in silent.items()}
    return {name: requests for name, requests in usual.items() if requests >= LEAST_A_DAY}


def _offset(one: Figures, zone: tzinfo) -> timedelta | None:
    """How far the client's clock was from UTC as the week began."""
    first = min(one.days)
    return datetime.combine(first - timedelta(days=first.weekday()), time(12), zone).utcoffset()


def _whole(one: Figures) -> dict[date, int]:
    """The UTC days with the dates of the week's own, of which most is in it; of an eighth only an end is."""
    weeks = {day.isocalendar()[:2] for day in one.days}
    return {day: requests for day, requests in one.utc_days.items() if day.isocalendar()[:2] in weeks}


def _by_weekday(days: Mapping[date, int]) -> list[int]:
    found = [0] * len(WEEKDAYS)
    for day, requests in days.items():
        found[day.weekday()] += requests
    return found


def _silent(now: Figures, earlier: Sequence[Figures]) -> int:
    """How many weeks have had no request, this one too, where chance first explains that no longer (Poisson)."""
    busy = [at for at, one in enumerate(earlier, start=1) if one.requests]
    if now.requests or not busy:
        return 0
    quiet = len(earlier) - busy[-1] + 1
    usual = sum(one.requests for one in earlier) / busy[-1]
    return quiet if exp(-usual * quiet) < WEEKLY_BUDGET <= exp(-usual * (quiet - 1)) else 0


class _Rows(NamedTuple):
    """A week's rows of one kind: how many are good, and what the bad ones break."""

    kind: str
    good: int
    bad: Counter[str]

    @property
    def spoiled(self) -> Rate:
        return Rate(self.bad.total(), self.bad.total() + self.good)


def _requests(one: Figures) -> _Rows:
    return _Rows("requests", one.requests, Counter(one.quarantined) - Counter(one.bad_outcomes))


def _outcomes(one: Figures) -> _Rows:
    return _Rows("outcomes", one.given, Counter(one.bad_outcomes))


def _spoiled(now: Figures, earlier: Sequence[Figures], rows: Callable[[Figures], _Rows]) -> Iterator[tuple[int, str]]:
    """Rows of one kind of which most, or far more than before, cannot be used: how many there are, and the words."""
    here, before = rows(now), [there for one in earlier if (there := rows(one).spoiled).n]
    bad, usual = here.spoiled, sum(before, Rate(0, 0))
    mostly = bad.hits >= LEAST_EXPECTED and bad.hits > here.good
    if mostly or _more_spoiled(bad, usual, weeks=len(before)):
        ((worst, _),) = here.bad.most_common(1)
        was = f"; before, it was {usual.hits} of {usual.n:,}" if usual.n else ""
        yield bad.n, f"{bad} of the log's {here.kind} cannot be used, most of them for {worst!r}{was}"


def _more_spoiled(bad: Rate, usual: Rate, *, weeks: int) -> bool:
    if weeks < LEAST_EARLIER or (bad.value or 0) < LEAST_SPOILED:
        return False
    certain = more_often(bad, usual, times=BURST) < WEEKLY_BUDGET / KINDS  # the share of bad rows is restless
    return certain and times_as_often(bad, usual) >= TIMES
