"""How long will a model take to write the answers that its threshold is fitted on?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from upkeep.models.batches import in_batches
from upkeep.models.chat import Lesson
from upkeep.models.generator import BATCH, left_padded
from upkeep.recipes import ChatRecipe
from upkeep.training.budget import UNLIMITED, Budget, Clock, limit_of

PROBED = 8
"""Tokens that are written to see how long one takes."""


class Timed(NamedTuple):
    """A fine-tuning that has a limit: when it began, as time.time() has it, and what is to be written at its end.

    That is some batches of answers, the longest of so many tokens; the prompts of one such batch stand for all.
    """

    began: float
    prompts: list[list[int]]
    batches: int
    tokens: int


def timed(held: Sequence[Lesson], recipe: ChatRecipe, *, began: float) -> Timed | None:
    """What the held-out cases will take, for a recipe with a limit."""
    if recipe.max_minutes is None:
        return None
    batches = -(-len(held) // BATCH)
    by_length = sorted((one.prompt for one in held), key=len)
    return Timed(began, by_length[batches - 1 :: batches], batches, max(len(one.answer) for one in held))


def budget_of(recipe: ChatRecipe, known: Timed | None, model: Any, *, loading: float = 0.0) -> Budget:
    """What is left for steps, by how quickly a model writes that has not learned yet.

    Before it writes all answers it has to be loaded once more, in so many seconds, if another process trains it.
    """
    if known is None:
        return UNLIMITED
    after = loading + seconds_to_write(model, known)
    return Budget(limit_of(recipe), before=time.time() - known.began, after=after)


def seconds_to_write(model: Any, known: Timed, *, clock: Clock = time.monotonic) -> float:
    """By the time that a batch's first token takes, and that some more do."""
    _seconds(model, known.prompts, 1, clock)  # the first time something is prepared
    first, more = (_seconds(model, known.prompts, count, clock) for count in (1, 1 + PROBED))
    return known.batches * (first + (known.tokens - 1) * max(more - first, 0.0) / PROBED)


def _seconds(model: Any, prompts: Sequence[list[int]], count: int, clock: Clock) -> float:
    """How long a model takes to read prompts and write so many tokens to each."""
    import torch
    from transformers import GenerationConfig

    fixed = GenerationConfig(max_new_tokens=count, min_new_tokens=count, do_sample=False, pad_token_id=0)

    def write(some: list[list[int]]) -> None:
        ids, mask = left_padded(some, 0, model.device)
        model.generate(input_ids=ids, attention_mask=mask, generation_config=fixed).tolist()  # a GPU has ended then

    began = clock()
    model.eval()
    with torch.inference_mode():
        for _ in in_batches(prompts, BATCH, write, what="writing"):
            pass
    return clock() - began
