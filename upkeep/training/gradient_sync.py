"""Which of how many processes is this, and how do those come to one gradient?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Share:
    """One of several processes that learn together, each from its texts of every batch; alone it is all there is."""

    number: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Is it the one that writes and speaks?"""
        return self.number == 0

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Its part of a batch."""
        return rows[self.number :: self.count]

    def sum_gradients(self, weights: Collection[torch.Tensor]) -> None:
        """Give the weights the sum of all processes' gradients."""
        import torch
        from torch.nn.utils import parameters_to_vector, vector_to_parameters

        if self.count == 1:
            return
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in weights]
        vector_to_parameters(self._sum(parameters_to_vector(gradients)), gradients)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient

    def sum(self, value: float) -> float:
        """A number of all processes together."""
        import torch

        from upkeep.hardware import device

        if self.count == 1:
            return value
        return float(self._sum(torch.tensor([value], dtype=torch.float64, device=device())).item())

    def gathered(self, values: Sequence[float]) -> list[list[float]]:
        """Of each of some numbers those of all processes."""
        import torch
        from accelerate.utils import gather

        from upkeep.hardware import device

        if self.count == 1:
            return [[one] for one in values]
        found: list[list[float]] = gather(torch.tensor([values], dtype=torch.float64, device=device())).T.tolist()
        return found

    def agreed(self, value: float) -> float:
        """The first process's number, for what all have to decide alike."""
        return self.sum(value if self.first else 0.0)

    def given(self, found: Found | None) -> Found | None:
        """What the first process found: others may see a disk that they share a little later."""
        from accelerate.utils import broadcast_object_list

        if self.count == 1:
            return found
        told: list[Found | None] = broadcast_object_list([found if self.first else None])
        return told[0]

    def stir(self, *entropy: int) -> None:
        """Let processes that leave values out leave out different ones, the same again after a kill."""
        import torch

        if self.count > 1:
            torch.manual_seed(int(np.random.SeedSequence([*entropy, self.number]).generate_state(1)[0]))

    def _sum(self, values: torch.Tensor) -> torch.Tensor:
        from accelerate.utils import reduce

        found: torch.Tensor = reduce(values, reduction="sum")
        return found
