"""What does all that was said about one answer come to?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Truth(NamedTuple):
    """Was the right thing done, and what is the right answer? `answer` is None where nobody has said it."""

    right: bool
    answer: str | None


class Given(Protocol):
    """The answer that was given; `automatic` where nobody looked before it went out."""

    @property
    def output(self) -> str | None: ...

    @property
    def automatic(self) -> bool: ...


class Said(Protocol):
    """What somebody said about it: the right answer, whether the given one was correct, or both."""

    @property
    def answer(self) -> str | None: ...

    @property
    def correct(self) -> bool | None: ...


def truth_of(prediction: Given, outcomes: Sequence[Said], *, out_of_scope: str) -> Truth:
    """The newest opinion counts, and a right answer that was named decides over a bare right or wrong.

    A later "wrong" without an answer takes back an earlier answer that agreed with the model, and leaves one that did
    not; a later "right" makes the model's own answer the right one. A request no label fits (`out_of_scope`) was
    treated right when a person got it. `outcomes` is in time order and not empty.
    """
    newest = outcomes[-1]
    if newest.answer is not None:
        answer: str | None = newest.answer
    elif newest.correct:
        answer = prediction.output
    else:
        named = (one.answer for one in reversed(outcomes) if one.answer is not None)
        answer = next((one for one in named if one != prediction.output), None)
    if answer == out_of_scope:
        return Truth(not prediction.automatic, answer)
    if answer is None:
        return Truth(bool(newest.correct), None)
    return Truth(answer == prediction.output, answer)
