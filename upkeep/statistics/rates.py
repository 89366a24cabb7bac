"""How large is a share, and how sure are we of it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


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

    def __str__(self) -> str:
        if self.value is None:
            return "no data"
        low, high = self.interval()
        return f"{self.value:.1%} (95% CI {low:.1%}..{high:.1%}, n={self.n:,})"
