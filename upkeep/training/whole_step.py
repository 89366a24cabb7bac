"""How is a step of learning done wholly or not at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from upkeep.models.out_of_memory import LACK

if TYPE_CHECKING:
    import torch


def step_or_leave(optimiser: torch.optim.Optimizer) -> None:
    """Change the weights by their gradients; where that raises they and the optimiser are as before.

    Memory may run out in the midst of it, for it makes room for its averages in the first step and for what it works
    with in each. What it would change is copied before: there is room for it where the activations were until then.
    """
    import torch

    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    begun = bool(optimiser.state)
    changed = [*weights, *(one for state in optimiser.state.values() for one in state.values() if torch.is_tensor(one))]
    with torch.no_grad():
        before = [one.clone() for one in changed]
        try:
            optimiser.step()
        except LACK:
            for one, kept in zip(changed, before, strict=True):
                one.copy_(kept)
            if not begun:
                optimiser.state.clear()
            raise
