"""How close is an answer that a model wrote to the one that was agreed, and is it right?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from upkeep.client_functions import own_function
from upkeep.config import Writing
from upkeep.metrics.generated import chrf, token_f1, words
from upkeep.statistics.significance import format_p, mcnemar

Judge: TypeAlias = Callable[[str, str, str], bool]
"""Says whether an answer is right, of a request, the agreed answer, and the answer given."""
TIE = 0.05
"""Answers whose token F1 differs by no more are as close as each other."""


@dataclass(frozen=True, slots=True)
class Closeness:
    """One answer beside the agreed one: the same words or not; words, their order and letters in common, all 0..1."""

    exact: float
    token_f1: float
    rouge_l: float
    chrf: float


def closeness(answer: str, agreed: str) -> Closeness:
    """Compare an answer with the agreed one, without regard to case and punctuation but for chrF."""
    return Closeness(
        exact=float(words(answer) == words(agreed)),
        token_f1=token_f1(answer, agreed),
        rouge_l=rouge_l(answer, agreed),
        chrf=chrf(answer, agreed),
    )


@dataclass(frozen=True, slots=True)
class Duel:
    """On how many items of a set the challenger's answer is closer to the agreed one than the champion's, by token F1.

    `p_value` is the sign test's, which is McNemar's; ties say nothing.
    """

    items: str
    wins: int
    ties: int
    losses: int
    p_value: float

    def __str__(self) -> str:
        return (
            f"{self.items}, closer to the agreed answer: challenger {self.wins:,}, champion {self.losses:,}, "
            f"as close {self.ties:,}, {format_p(self.p_value)}"
        )


def duel(items: str, *, champion: Sequence[Closeness], challenger: Sequence[Closeness]) -> Duel:
    """Set two models' answers to the same items against each other."""
    gains = [new.token_f1 - old.token_f1 for old, new in zip(champion, challenger, strict=True)]
    wins, losses = sum(gain > TIE for gain in gains), sum(gain < -TIE for gain in gains)
    return Duel(items, wins, len(gains) - wins - losses, losses, mcnemar(wins, losses))


def rouge_l(answer: str, agreed: str) -> float:
    """F1 of the longest common subsequence of words, 0..1 (C.-Y. Lin, ROUGE, 2004); texts without a word are alike."""
    from rapidfuzz.distance import LCSseq

    given, wanted = words(answer), words(agreed)
    if not given or not wanted:
        return float(given == wanted)
    return 2 * LCSseq.similarity(given, wanted) / (len(given) + len(wanted))


def judge_of(writing: Writing) -> Judge:
    """What a client's answers are judged by. Its own judge is asked once for the same three, and keeps to what it said.

    Raises ConfigError where the client's own judge cannot be used.
    """
    if writing.judge is not None:
        return cache(
            own_function(
                writing.judge, key="writing.judge", shape="(request, agreed answer, answer) -> bool", returns=bool
            )
        )
    return lambda _request, agreed, answer: token_f1(answer, agreed) >= writing.right_from
