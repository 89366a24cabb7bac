"""How good were the weeks of a month or a quarter together?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upkeep.monitoring.figures import Figures
from upkeep.monitoring.judgement import Metric
from upkeep.statistics.rates import AnyRate, Rate, WeightedRate


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some weeks in figures; each week has the weight of its requests."""

    key: str
    requests: int
    accuracy: WeightedRate
    auto_resolution: WeightedRate
    precision: WeightedRate
    escalation: Rate

    @classmethod
    def of(cls, key: str, weekly: Sequence[Figures]) -> Stretch:
        """Add up the weeks; of each the quality is of the model in service at its end, as reviews count it."""
        return cls(
            key=key,
            requests=sum(one.requests for one in weekly),
            accuracy=WeightedRate.of((one.requests, one.accuracy) for one in weekly),
            auto_resolution=WeightedRate.of((one.requests, one.auto_resolution) for one in weekly),
            precision=WeightedRate.of((one.escalation.complement.hits, one.precision) for one in weekly),
            escalation=sum((one.escalation for one in weekly), Rate(0, 0)),
        )

    @property
    def rates(self) -> dict[Metric, AnyRate]:
        """Its rates by metric."""
        return {metric: getattr(self, metric) for metric in Metric}

    @property
    def resolved(self) -> str:
        """How many requests were answered rightly without a person, as people read it; empty where nobody knows."""
        share = self.auto_resolution.value
        if share is None:
            return ""
        digits = 0 if self.requests < 1_000 else -1 if self.requests < 10_000 else -2
        number, *limits = (
            f"{round(one * self.requests, digits):,.0f}" for one in (share, *self.auto_resolution.interval())
        )
        return f"about {number} ({' to '.join(limits)})"
