"""What do the layers that no adapter touches make of a text, run only once for it?

Training passes each text through the encoder several times: for the head's start, in every pass, for the held-out
loss. The first layers give the same each time, so their result is kept for the length of a training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from upkeep.errors import BaseModelError

if TYPE_CHECKING:
    from torch import Tensor

LIMIT = 1 << 30
"""Bytes that are kept; the texts beyond run through all layers each time."""


class FrozenLayers:
    """The first `count` layers of a model, remembered by text."""

    def __init__(self, model: Any, count: int) -> None:
        self.layers = layers_of(model)
        self.count = count
        self.known: dict[str, Tensor] = {}
        self.size = 0
        self.more: int | None = None

    @contextmanager
    def passing(self, texts: Sequence[str], mask: Tensor) -> Iterator[None]:
        """While the model runs on these texts: stand in for the layers where all are known, else remember them.

        `mask` is the attention mask, shape (len(texts), tokens).
        """
        real = mask.bool()
        if all(text in self.known for text in texts):
            with self._stand_in(_padded([self.known[text] for text in texts], real)):
                yield
            return
        seen: list[Tensor] = []
        handle = self.layers[self.count - 1].register_forward_hook(
            lambda _, __, output: seen.append(self._first(output))
        )
        try:
            yield
        finally:
            handle.remove()
        self._remember(texts, seen[0], real)

    def _first(self, output: Any) -> Tensor:
        """What a layer makes of the text; some give it in a tuple, with `more` that nothing here needs."""
        found: Tensor = output[0] if isinstance(output, tuple) else output
        self.more = len(output) - 1 if isinstance(output, tuple) else None
        return found

    def _remember(self, texts: Sequence[str], hidden: Tensor, real: Tensor) -> None:
        with torch.inference_mode(False):
            for row, text in enumerate(texts):
                if text not in self.known and self.size < LIMIT:
                    kept = hidden[row][real[row]].detach().clone()
                    self.known[text] = kept
                    self.size += kept.nbytes

    @contextmanager
    def _stand_in(self, hidden: Tensor) -> Iterator[None]:
        own = list(self.layers[: self.count])
        try:
            for at in range(self.count):
                self.layers[at] = _Known(hidden, self.more, own[at])
            yield
        finally:
            for at, layer in enumerate(own):
                self.layers[at] = layer


class _Known(torch.nn.Module):
    """Gives what the layers are known to come to, whatever it is given, and is else the layer it stands for."""

    def __init__(self, hidden: Tensor, more: int | None, layer: torch.nn.Module) -> None:
        self.__dict__["layer"] = layer  # no part of this one, whose weights nobody is to find
        super().__init__()
        self.given = hidden if more is None else (hidden, *[None] * more)

    def forward(self, *_: object, **__: object) -> Any:
        return self.given

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["layer"], name)


def layers_of(model: Any) -> Any:
    """The model's stack of layers. Raises BaseModelError where they are in no list of their number, as ALBERT's."""
    wanted = int(model.config.num_hidden_layers)
    lists = (module for module in model.modules() if isinstance(module, torch.nn.ModuleList))
    for found in lists:
        if len(found) == wanted:
            return found
    raise BaseModelError(
        f"base model: found no list of {wanted} layers in {type(model).__name__}, "
        "expected one for each, such as BERT, ModernBERT and Llama have"
    )


def _padded(rows: Sequence[Tensor], real: Tensor) -> Tensor:
    padded = torch.zeros(*real.shape, rows[0].shape[1], dtype=rows[0].dtype, device=rows[0].device)
    padded[real] = torch.cat(list(rows))
    return padded
