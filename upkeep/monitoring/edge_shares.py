"""Among which requests are edge cases much more frequent than among the others?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from upkeep.monitoring.edge_cases import Edges
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import LEVEL, holm, more_often

MUCH = 2.0
"""So many times the share of the others is much more, if chance does not explain that it is even more than that."""


class Crowd(NamedTuple):
    """Requests among which edge cases are much more frequent, and how frequent they are among the others."""

    requests: str
    share: Rate
    elsewhere: Rate

    def __str__(self) -> str:
        mine, others = self.share, self.elsewhere
        return f"of {self.requests} {mine.hits:,} of {mine.n:,} requests, elsewhere {others.hits:,} of {others.n:,}"


def crowded(edges: Edges) -> list[Crowd]:
    """The values of a metadata key, and the model's answers, of which that holds, having looked at all of them."""
    parts = {"the answer": edges.answered, **edges.by}
    looked = [crowd for name, shares in parts.items() for crowd in _beside_others(name, shares)]
    chances = holm([more_often(one.share, one.elsewhere, times=MUCH) for one in looked])
    return [one for one, chance in zip(looked, chances, strict=True) if chance < LEVEL]


def _beside_others(name: str, shares: Mapping[str, Rate]) -> Iterator[Crowd]:
    whole = sum(shares.values(), Rate(0, 0))
    for value, mine in shares.items():
        yield Crowd(f"{name} {value!r}", mine, Rate(whole.hits - mine.hits, whole.n - mine.n))
