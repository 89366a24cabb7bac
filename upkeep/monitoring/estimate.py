"""How good would the model be this week if its confidence still meant what it meant?

An estimate without labels: every answer counts with the share of answers of its confidence that were rightly treated
when people checked (confidence-based performance estimation). It sees requests grow harder; it cannot see that the
right answer to an old request has changed, which leaves confidence as it was. It never stands in for labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upkeep.log.tally import CONFIDENCE_BINS
from upkeep.monitoring.figures import Figures
from upkeep.statistics.rates import Interval, Rate

ONLY_AN_ESTIMATE = "An estimate, which does not fall where the right answer to a request has changed."


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share in 0..1 that nobody has counted, its 95 % interval, and the checked answers that it rests on."""

    value: float
    low: float
    high: float
    checked: int

    def __str__(self) -> str:
        return f"about {self.value:.0%} ({self.low:.0%}..{self.high:.0%}, from {self.checked:,} answers checked before)"


def estimate_accuracy(
    now: Figures, earlier: Sequence[Figures], *, minimum: int, weekly_spread: float
) -> Estimate | None:
    """The accuracy to be expected of a week's answers; None where fewer than `minimum` earlier ones were checked.

    `earlier` are weeks of the same model. Shares right by tenth of confidence are made to rise with it (isotonic
    regression); the interval has their sampling error, `weekly_spread` as the sd of a week's accuracy, a share, and the
    chance of the week's own answers.
    """
    known = [
        sum((one.treated.get(tenth, Rate(0, 0)) for one in earlier), Rate(0, 0)) for tenth in range(CONFIDENCE_BINS)
    ]
    checked, asked = sum(rate.n for rate in known), sum(now.confidences.values())
    if checked < minimum or not asked:
        return None
    shares = _rising(known)
    weights = [now.confidences.get(tenth, 0) / asked for tenth in range(CONFIDENCE_BINS)]
    value = sum(weight * share for weight, share in zip(weights, shares, strict=True))
    weeks = sum(bool(one.treated) for one in earlier)
    low, high = _interval(value, weights, known, weekly=weekly_spread**2 * (1 + 1 / weeks), asked=asked)
    return Estimate(value, low, high, checked)


def _rising(known: Sequence[Rate]) -> list[float]:
    """The shares, made to rise; between two tenths that somebody checked, on the line from one to the other."""
    import numpy as np
    from scipy.optimize import isotonic_regression  # scikit-learn's takes 75 MB more

    seen = [(tenth, rate) for tenth, rate in enumerate(known) if rate.n]
    fitted = isotonic_regression([rate.value or 0.0 for _, rate in seen], weights=[rate.n for _, rate in seen])
    return [float(share) for share in np.interp(range(len(known)), [tenth for tenth, _ in seen], fitted.x)]


def _interval(value: float, weights: Sequence[float], known: Sequence[Rate], *, weekly: float, asked: int) -> Interval:
    """Where the accuracy of the week's own `asked` answers lies: each is right or wrong by chance as well (binomial).

    A tenth's error is that of its share with one right and one wrong answer more: none wrong of a few is not never.
    A tenth that nobody checked borrows its share; it is taken to be as uncertain as one checked answer.
    """
    careful = [(rate.hits + 1) / (rate.n + 2) for rate in known]
    variance = weekly + sum(
        weight * share * (1 - share) * (weight / max(rate.n, 1) + 1 / asked)
        for weight, share, rate in zip(weights, careful, known, strict=True)
    )
    reach = 1.96 * variance**0.5
    return Interval(max(value - reach, 0.0), min(value + reach, 1.0))
