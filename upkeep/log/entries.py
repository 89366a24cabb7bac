"""What did the model answer in production, and what was said about the answers afterwards?"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from upkeep.errors import ConfigError

PREDICTION_FIELDS = (
    "id", "timestamp", "input", "output", "confidence", "model_version", "automatic", "latency_ms", "metadata",
)  # fmt: skip
OUTCOME_FIELDS = ("prediction_id", "timestamp", "source", "answer", "correct")
"""The names on disk."""
SAMPLED = 2000
"""So many requests of a window are looked at one by one at most."""


class OutcomeSource(StrEnum):
    """Who said what the right answer was."""

    ESCALATION = "escalation"
    CUSTOMER = "customer"
    AUDIT = "audit"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer of the model; `output` is None where it gave none, `automatic` where nobody looked before it went out.

    `confidence` is in 0..1, `at` is in UTC, `latency_ms` in milliseconds.
    """

    id: str
    at: datetime
    input: str
    output: str | None
    confidence: float
    model_version: str
    automatic: bool
    latency_ms: float | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What somebody said about a prediction: the right answer, whether the given one was correct, or both."""

    prediction_id: str
    at: datetime
    source: OutcomeSource
    answer: str | None = None
    correct: bool | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that breaks the contract; line 0 is the whole file, `raw` its first characters."""

    file: str
    line: int
    reason: str
    raw: str

    @property
    def outcome(self) -> bool:
        """Was it to say something about a request, and to be none?"""
        return self.file.startswith("log/outcomes/")

    @property
    def subject(self) -> str:
        """What the reason is about, to count by: a field, `line`, `file` or `duplicate id`."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True, slots=True)
class LogMapping:
    """Where a client's log differs: our field -> theirs (dots reach into objects), and per field their value -> ours.

    `by` names keys of the metadata that requests are told apart by (`facet`). Values that are not strings are looked up
    by their JSON spelling (`true`, `1`, `null`); what is not listed stays. Raises ConfigError for a field that the log
    does not have.
    """

    predictions: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        allowed = {
            "predictions": PREDICTION_FIELDS,
            "outcomes": OUTCOME_FIELDS,
            "values": tuple(dict.fromkeys(PREDICTION_FIELDS + OUTCOME_FIELDS)),
        }
        for part, fields in allowed.items():
            unknown = [name for name in getattr(self, part) if name not in fields]
            if unknown:
                raise ConfigError(f"log mapping: {part} has {unknown}, expected only {list(fields)}")


class LogWindow(NamedTuple):
    """The predictions of a window in time order, what was said about each in time order, and what could not be used.

    `given` is how many usable outcomes were given in the window, whatever they are about.
    """

    predictions: list[Prediction]
    outcomes: dict[str, list[Outcome]]
    quarantined: list[Quarantined]
    given: int = 0


class Sample(NamedTuple):
    """Requests of a window to look at one by one, in time order, with what was said about each.

    All of a small log; of a large one some by chance: which, depends on their ids alone. `requests` is how many there
    were. Of their metadata they have the values that requests are told apart by (`facets`).
    """

    requests: int
    predictions: list[Prediction]
    outcomes: dict[str, list[Outcome]]


def sample(window: LogWindow, by: Sequence[str] = (), *, least: int = 0) -> Sample:
    """What to look at of a window that was read row by row: SAMPLED requests, or `least` where that is more.

    `by` names the metadata keys that requests are told apart by.
    """
    chosen = sorted(window.predictions, key=lambda row: (draw_order(row.id), row.id))[: max(SAMPLED, least)]
    ids = {row.id for row in chosen}
    rows = [replace(row, metadata=facets(row.metadata, by)) for row in window.predictions if row.id in ids]
    return Sample(len(window.predictions), rows, {key: said for key, said in window.outcomes.items() if key in ids})


def canonical(answer: str) -> str:
    """An answer as all of Upkeep compares it: without spaces around it, in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", answer.strip())


def facet(metadata: Mapping[str, object], key: str) -> str | None:
    """The value of a metadata key to tell requests apart by: a text, a whole number or a flag; else None.

    `1.0` is the whole number 1: pandas writes it so where another row has none.
    """
    value = metadata.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value) if isinstance(value, int) else None


def facets(metadata: Mapping[str, object], keys: Iterable[str]) -> dict[str, str]:
    """The values of these metadata keys to tell requests apart by; a key without one is left out."""
    return {key: value for key in keys if (value := facet(metadata, key)) is not None}


def draw_order(id: str) -> str:
    """What decides whether a request is looked at: those with the lowest lots are, as by chance."""
    return hashlib.md5(id.encode(), usedforsecurity=False).hexdigest()


def as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no zone, expected a zone-aware time")
    return moment.astimezone(UTC)


def utc_days(start: datetime, end: datetime) -> list[date]:
    """The UTC days that hold a moment with start <= moment < end."""
    first, last = start.date(), (end - timedelta(microseconds=1)).date()
    return [first + timedelta(days=passed) for passed in range((last - first).days + 1)]
