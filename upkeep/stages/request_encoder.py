"""With what are a client's requests looked at: its own base model, or the encoder that its config names for it?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from upkeep.base_model import Base, resolve_base
from upkeep.desk import Desk
from upkeep.models.encoder import Encoder, embed_all, load_encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REMEMBERED = 20_000
"""Embeddings that one process keeps: a request is looked at again for some weeks."""


class RequestEncoder:
    """An untrained model, which remembers what it has embedded."""

    def __init__(self, base: Base, encoder: Encoder) -> None:
        self.base = base
        self.encoder = encoder
        self.known: dict[str, NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The embeddings of some texts, shape (len(texts), width), each row of length 1."""
        import numpy as np

        if len(self.known) > REMEMBERED:
            self.known = {}
        known = self.known  # another thread may put an empty one in its place
        found = {text: known[text] for text in {*texts} if text in known}
        new = sorted({*texts} - found.keys())
        found |= zip(new, embed_all(self.encoder, new), strict=True)
        known |= found
        return np.array([found[text] for text in texts]).reshape(len(texts), self.encoder.width)


def request_encoder(desk: Desk) -> RequestEncoder:
    """What the client's requests are looked at with. Raises BaseModelError."""
    precision = "auto" if desk.recipe.precision == "nf4" else desk.recipe.precision
    return _eyes(resolve_base(desk.client.eyes or desk.client.base_model), desk.recipe.max_tokens, precision)


@lru_cache(maxsize=1)  # the clients of an agency mostly share one base model
def _eyes(base: Base, max_tokens: int, precision: str) -> RequestEncoder:
    encoder = load_encoder(base, max_tokens=max_tokens, precision=precision)
    positions = getattr(encoder.model.config, "max_position_embeddings", max_tokens)
    encoder.max_tokens = min(max_tokens, encoder.tokenizer.model_max_length, positions)  # the recipe may be for another
    return RequestEncoder(base, encoder)
