"""How large is a share, and how sure are we of it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple, TypeAlias


class Interval(NamedTuple):
    """Lower and upper end, as shares in 0..1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` out of `n`; a rate of nothing has no value, it is not zero."""

    hits: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n:
            raise ValueError(f"a rate needs 0 <= hits <= n, got {self.hits} of {self.n}")

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Rate:
        """Count the true ones."""
        flags = list(outcomes)
        return cls(hits=sum(flags), n=len(flags))

    @property
    def value(self) -> float | None:
        """The share, or None when there is nothing to count."""
        return self.hits / self.n if self.n else None

    @property
    def complement(self) -> Rate:
        """The share of the others."""
        return Rate(self.n - self.hits, self.n)

    def interval(self, confidence: float = 0.95) -> Interval:
        """Two-sided Wilson score interval (E. B. Wilson, 1927); 0..1 when there is nothing to count."""
        if not self.n:
            return Interval(0.0, 1.0)
        from scipy.stats import binomtest

        found = binomtest(self.hits, self.n).proportion_ci(confidence_level=confidence, method="wilson")
        return Interval(float(found.low), float(found.high))

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.hits + other.hits, self.n + other.n)

    @property
    def counted(self) -> str:
        """It as a count with its interval: 20 of 60 (33.3%, 95% CI 22.7%..45.9%)."""
        told = f"{self.hits:,} of {self.n:,}"
        if self.value is None:
            return told
        low, high = self.interval()
        return f"{told} ({self.value:.1%}, 95% CI {low:.1%}..{high:.1%})"

    def __str__(self) -> str:
        if self.value is None:
            return "no data"
        low, high = self.interval()
        return f"{self.value:.1%} (95% CI {low:.1%}..{high:.1%}, n={self.n:,})"


@dataclass(frozen=True, slots=True)
class WeightedRate:
    """A share of all of some requests, told by samples of their parts that are not in proportion to the parts.

    `value` is the sum of W p over the parts, W a part's share of the requests and p its sample's share (stratified
    sampling: W. G. Cochran, Sampling Techniques, 1977, chapter 5); `n` is how many were sampled. `effective` is how
    many drawn from all alike would tell as much if the parts were alike: 1 over the sum of W squared / n.
    """

    value: float | None
    n: int
    effective: float

    @classmethod
    def of(cls, parts: Iterable[tuple[float, Rate]]) -> WeightedRate:
        """Of how many requests each part has, and what its sample says; parts without one count as the others do."""
        sampled = [(size, rate) for size, rate in parts if size and rate.n]
        whole = sum(size for size, _ in sampled)
        if not whole:
            return cls(None, 0, 0.0)
        return cls(
            value=sum(size / whole * rate.hits / rate.n for size, rate in sampled),
            n=sum(rate.n for _, rate in sampled),
            effective=1 / sum((size / whole) ** 2 / rate.n for size, rate in sampled),
        )

    def interval(self, confidence: float = 0.95) -> Interval:
        """Two-sided Wilson score interval of as many as are `effective`; 0..1 when there is nothing to count."""
        if self.value is None:
            return Interval(0.0, 1.0)
        z, n, share = NormalDist().inv_cdf((1 + confidence) / 2), self.effective, min(self.value, 1.0)
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


AnyRate: TypeAlias = Rate | WeightedRate
