"""How long the answers will take at the end of a training that has a limit."""

from __future__ import annotations

import math

import pytest
import torch

from tests.chatty import recipe
from upkeep.models.chat import Lesson
from upkeep.training.writing_time import Timed, budget_of, seconds_to_write, timed


class Writing:
    """A model that reads prompts in a second and writes a token to each of them in half a one, by its own clock."""

    device = "cpu"

    def __init__(self) -> None:
        self.seconds, self.asked = 100.0, 0

    def eval(self) -> None:
        pass

    def generate(self, *, input_ids, attention_mask, generation_config):
        assert generation_config.min_new_tokens == generation_config.max_new_tokens
        self.asked = max(self.asked, len(input_ids))
        self.seconds += 1 + 0.5 * generation_config.max_new_tokens
        return input_ids


def held(count: int) -> list[Lesson]:
    """Requests of 1, 2, 3 ... tokens, whose longest answer has eleven."""
    return [Lesson([7] * (1 + at), [7] * (11 if at == 3 else 2), False, False) for at in range(count)]


def test_it_is_told_from_a_batch_how_long_all_of_them_take():
    model = Writing()
    known = Timed(0.0, [[7], [7, 7]], batches=3, tokens=11)
    # three batches, each 1.5 s until its first token, and ten more of half a second
    assert seconds_to_write(model, known, clock=lambda: model.seconds) == pytest.approx(3 * (1.5 + 10 * 0.5))
    assert model.asked == 2


@pytest.mark.parametrize(("count", "batches", "sample"), [(4, 1, 4), (32, 1, 32), (33, 2, 16), (70, 3, 23)])
def test_the_batch_stands_for_long_and_short_prompts(count, batches, sample):
    known = timed(held(count), recipe(max_minutes=5), began=1.0)
    assert (known.batches, len(known.prompts), known.tokens) == (batches, sample, 11)
    assert len(known.prompts[-1]) > count - batches


def test_without_a_limit_nothing_is_measured():
    assert timed(held(4), recipe(), began=1.0) is None
    assert budget_of(recipe(), None, Writing()).limit == math.inf


def test_what_is_loaded_once_more_is_counted():
    known = timed(held(4), recipe(max_minutes=5), began=1e9)
    left = budget_of(recipe(max_minutes=5), known, Writing(), loading=40.0)
    assert left.limit == 300
    assert 40 <= left.after < 60
    assert left.before > 1e8  # it began in 2001
    assert torch.is_grad_enabled()
