"""Which requests is the model least made for?

A request of the week is an edge case for one reason or several: the model itself holds its answer for more likely wrong
than right, people say that no label of its fits, half its words are in no training text, or its meaning lies farther
from every training text than nearly all of those lie from each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from upkeep.conversations import asked
from upkeep.counts import count_of
from upkeep.log.entries import Prediction, facet, facets
from upkeep.log.truth import Truth
from upkeep.monitoring.figures import NO_VALUE
from upkeep.monitoring.input_shift import words_of
from upkeep.redaction import Redaction, shown
from upkeep.statistics.rates import Rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIKELY_WRONG = 0.5
UNKNOWN = 0.5
LEAST_WORDS = 4
ORDINARY = 0.99
"""This share of the training texts lies nearer to another one than a request that is far from all of them."""
LISTED = 50
SHOWN = 5


class Reason(StrEnum):
    """Why a request is an edge case."""

    UNSURE = "low confidence"
    NO_LABEL = "no label fits"
    WORDS = "unknown words"
    FAR = "far from the training data"


BY_CHANCE = (Reason.UNSURE, Reason.WORDS, Reason.FAR)
"""The kinds of edge case that are known of every request looked at."""


@dataclass(frozen=True, slots=True)
class EdgeCase:
    """One such request: redacted, as it was answered, and the right answer where somebody has said it.

    `by` are the values of the config's metadata keys (`review_by`) that it has.
    """

    id: str
    text: str
    answer: str | None
    confidence: float
    right: str | None
    reasons: tuple[Reason, ...]
    by: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        values = "".join(f", {key} {value}" for key, value in self.by.items())
        return f"“{self.text}”: {', '.join(self.reasons)}{values}"


@dataclass(frozen=True, slots=True)
class Edges:
    """The edge cases among `looked` requests drawn by chance: how many by reason, and the oddest of them.

    That no label fits is known only of requests that people looked at, which are mostly those answered wrong. So it is
    left out of `answered` and `by`: the share of edge cases by the label that the model answered, and by metadata key
    and value. Records written before these were counted have none.
    """

    looked: int
    counts: dict[Reason, int]
    cases: tuple[EdgeCase, ...]
    answered: dict[str, Rate] = field(default_factory=dict)
    by: dict[str, dict[str, Rate]] = field(default_factory=dict)

    def __str__(self) -> str:
        counted = ", ".join(f"{reason} {n}" for reason, n in self.counts.items())
        return f"{counted or 'none'} (of {count_of(self.looked, 'request')} looked at)"


class Familiar(NamedTuple):
    """Training texts as embeddings, shape (texts, width), each of length 1, and how far an ordinary one is from the
    nearest other: cosine distance."""

    embeddings: NDArray[np.float32]
    ordinary: float


def familiar(embeddings: NDArray[np.float32]) -> Familiar:
    """Learn what is ordinary from training texts; of fewer than two nothing is."""
    import numpy as np

    if len(embeddings) < 2:
        return Familiar(embeddings, 2.0)
    alike = embeddings @ embeddings.T
    np.fill_diagonal(alike, -1.0)
    return Familiar(embeddings, float(np.quantile(1 - alike.max(axis=1), ORDINARY)))


def find_edges(
    requests: Sequence[Prediction],
    embeddings: NDArray[np.float32],
    *,
    truths: Mapping[str, Truth],
    labels: Collection[str],
    known_words: Collection[str],
    known: Familiar,
    redaction: Redaction,
    by: Sequence[str] = (),
) -> Edges:
    """The edge cases among some requests; `embeddings` are of what users `asked` in them, shape (len(requests), width),
    each row of length 1.

    `labels` are those that the model can answer; none where its answers are texts. `by` names keys of the metadata.
    """
    import numpy as np

    near = (embeddings @ known.embeddings.T).max(axis=1) if len(known.embeddings) else np.ones(len(requests))
    found = []
    for one, alike in zip(requests, near, strict=True):
        right = truths[one.id].answer if one.id in truths else None
        reasons = {
            Reason.UNSURE: one.confidence < LIKELY_WRONG,
            Reason.NO_LABEL: bool(labels) and right is not None and right not in labels,
            Reason.WORDS: _unknown(asked(one.input), known_words),
            Reason.FAR: 1 - alike > known.ordinary,
        }
        why = tuple(reason for reason, holds in reasons.items() if holds)
        if why:
            said, truth = (None if text is None else shown(text, redaction) for text in (one.output, right))
            case = EdgeCase(
                one.id, shown(one.input, redaction), said, one.confidence, truth, why, by=facets(one.metadata, by)
            )
            found.append((alike, case))
    found.sort(key=lambda one: (-len(one[1].reasons), one[0], one[1].id))
    counts = Counter(reason for _, one in found for reason in one.reasons)
    odd = {one.id for _, one in found if any(reason in BY_CHANCE for reason in one.reasons)}
    return Edges(
        looked=len(requests),
        counts={reason: counts[reason] for reason in Reason if counts[reason]},
        cases=tuple(one for _, one in found[:LISTED]),
        answered=_shares((one.output, one.id in odd) for one in requests if labels and one.output),
        by={key: _shares((facet(one.metadata, key) or NO_VALUE, one.id in odd) for one in requests) for key in by},
    )


def _shares(requests: Iterable[tuple[str, bool]]) -> dict[str, Rate]:
    """The share of edge cases by value, the most frequent value first."""
    found: dict[str, list[bool]] = {}
    for value, odd in requests:
        found.setdefault(value, []).append(odd)
    return {value: Rate.of(odd) for value, odd in sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))}


def _unknown(text: str, known: Collection[str]) -> bool:
    """Are most words in no training text? Nobody knows where there is none."""
    words = words_of(text) if known else []
    return len(words) >= LEAST_WORDS and sum(word not in known for word in words) >= UNKNOWN * len(words)
