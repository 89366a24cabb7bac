"""A step of learning for which memory runs out halfway."""

from __future__ import annotations

import pytest
import torch

from upkeep.training.whole_step import step_or_leave


class Short(torch.optim.AdamW):
    """Runs out of memory in its first step and in its third, once it has changed all that it changes."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.tries = 0

    def step(self, *given, **named):
        super().step(*given, **named)
        self.tries += 1
        if self.tries in (1, 4):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def learned(kind: type[torch.optim.Optimizer], steps: int = 4) -> tuple[list[torch.Tensor], int]:
    """What some steps make of weights, and how many of them failed and were done again."""
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(3, 2)), torch.nn.Parameter(torch.randn(2))]
    optimiser, failed, done = kind([{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.5}], lr=0.1), 0, 0
    while done < steps:
        for weight in weights:
            weight.grad = torch.cos(weight.detach() + done)
        try:
            step_or_leave(optimiser)
            done += 1
        except torch.OutOfMemoryError:
            failed += 1
    states = [optimiser.state[weight][name] for weight in weights for name in ("exp_avg", "exp_avg_sq", "step")]
    return [*weights, *states], failed


def test_it_leaves_the_weights_and_what_the_optimiser_remembers_so_that_it_can_be_done_again():
    plain, none = learned(torch.optim.AdamW)
    again, failed = learned(Short)
    assert (none, failed) == (0, 2)
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))


def test_what_is_no_lack_of_memory_is_raised_as_it_is():
    class Broken(torch.optim.AdamW):
        def step(self, *_, **__):
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        learned(Broken)
