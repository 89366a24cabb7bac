"""Which versions of a client's model have been in service, on whose word, and which may come next?

The entries of the release log are numbered from 1 and written once, so that of two who want to add the same number one
is refused: the log decides what is in service, and everything else that says so follows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version

from upkeep.errors import DecisionError
from upkeep.metrics.generated import token_f1
from upkeep.recipes import Task

SCHEMA_VERSION = 1
KNOWN_INPUTS = 10
"""So many requests with their answers go with a release; a model that is to serve again must still answer them so."""
SAME_WORDS = 0.9
"""A text that a model writes differs by less (token F1) between such machines."""
SAME_CONFIDENCE = 0.02
"""Confidences of one model differ by less between machines with and without bf16."""


class Action(StrEnum):
    """How a version came into service."""

    LAUNCH = "launch"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of the version in service.

    `decision` is the period of the decision it carries out, `evidence` the SHA-256 of what that rests on, `code` the
    release of Upkeep that did it.
    """

    number: int
    at: datetime
    action: Action
    version: str
    previous: str | None
    by: str
    reason: str
    code: str
    decision: str | None = None
    evidence: str | None = None

    def __str__(self) -> str:
        instead = f" in place of {self.previous}" if self.previous else ""
        return f"{self.at:%Y-%m-%d %H:%M} {self.action}: version {self.version}{instead}, by {self.by}: {self.reason}"


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A request, and what the released model answers to it."""

    text: str
    output: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Release:
    """What a client's application reads to know which model to use; releases/current.json in the client's store.

    `folder` is where the adapter, the head and release.json are (a folder or s3://), `files` their SHA-256 by name,
    `base` and `base_digest` the pretrained model they go on, `base_settings_digest` the SHA-256 of its config,
    tokenizer and chat template (empty where nobody noted it), `model` the same for MLflow. `number` rises with each
    change, a rollback too.
    """

    client: str
    number: int
    action: Action
    since: datetime
    version: str
    previous: str | None
    folder: str
    files: Mapping[str, str]
    model: str
    base: str
    base_digest: str
    labels: tuple[str, ...]
    out_of_scope_label: str
    threshold: float
    weights_digest: str
    training_digest: str
    schema_version: int = SCHEMA_VERSION
    task: Task = Task.CLASSIFICATION
    base_settings_digest: str = ""


def replaced(entries: Sequence[Entry], *, client: str) -> str:
    """The version that the one in service took the place of when it was promoted.

    Raises DecisionError where it took nobody's.
    """
    now = entries[-1].version if entries else None
    promoted = (one for one in reversed(entries) if one.version == now and one.action is not Action.ROLLBACK)
    before = next(promoted, None)
    if before is None or before.previous is None:
        raise DecisionError(f"client {client}: version {now} replaced no other, nothing to go back to")
    return before.previous


def answers_differ(
    known: Sequence[KnownAnswer], found: Sequence[tuple[str, float]], *, written: bool = False
) -> list[str]:
    """What a model answers otherwise than it did when it was released: one line each, empty where nothing.

    Answers that are `written` may differ in a few words.
    """

    def same(now: str, then: str) -> bool:
        return now == then or (written and token_f1(now, then) >= SAME_WORDS)

    return [
        f"{one.text!r}: {output} ({confidence:.2f}), expected {one.output} ({one.confidence:.2f})"
        for one, (output, confidence) in zip(known, found, strict=True)
        if not same(output, one.output) or abs(confidence - one.confidence) > SAME_CONFIDENCE
    ]


def spread_evenly(texts: Sequence[str], count: int = KNOWN_INPUTS) -> list[str]:
    """Texts spread evenly over all there are."""
    step = max(len(texts) / count, 1)
    return [texts[int(at * step)] for at in range(min(count, len(texts)))]


def code_version() -> str:
    """The release of Upkeep that is running."""
    try:
        return version("upkeep")
    except PackageNotFoundError:
        return "not installed"
