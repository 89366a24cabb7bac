"""How does a text become the embedding that a head reads?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upkeep.base_model import Base
from upkeep.errors import BaseModelError
from upkeep.hardware import device, dtype, hardware_precision
from upkeep.models.batches import chunks, in_batches
from upkeep.models.one_at_a_time import LOADING, READING
from upkeep.progress import Progress, silent

if TYPE_CHECKING:
    import torch

    from upkeep.models.frozen_layers import FrozenLayers


SCORING_BATCH = 128


@dataclass(slots=True)
class Encoder:
    """A pretrained encoder, with or without an adapter, and its tokenizer; `precision` is bf16 or fp32."""

    model: Any
    tokenizer: Any
    max_tokens: int
    precision: str
    frozen: FrozenLayers | None = None

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return int(self.model.config.hidden_size)

    @property
    def device(self) -> Any:
        """Where the model is."""
        return self.model.device

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """Mean over the tokens of the last layer, L2-normalised: float32, shape (len(texts), width), with gradients.

        On the device that the model is on.
        """
        import torch

        with READING:
            batch = self.tokenizer(
                list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
            )
        batch = batch.to(self.device)
        with self.frozen.passing(texts, batch["attention_mask"]) if self.frozen else nullcontext():
            hidden = self.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        pooled = (hidden.float() * mask).sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.normalize(pooled, dim=1)

    def lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """How many tokens each text is read as, shape (len(texts),)."""
        return np.minimum(self.token_counts(texts), self.max_tokens)

    def token_counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """How many tokens each text has, whole as it is, shape (len(texts),)."""
        found: list[int] = []
        for some in chunks(texts):
            with READING:
                read = self.tokenizer(some, verbose=False)["input_ids"]
            found += [len(one) for one in read]
        return np.array(found, dtype=np.int64)


def load_encoder(base: Base, *, max_tokens: int, precision: str) -> Encoder:
    """The base model without dropout on the fastest device there is, and its tokenizer. Raises BaseModelError."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with LOADING:
            tokenizer = AutoTokenizer.from_pretrained(base.folder, trust_remote_code=False)
            model = AutoModel.from_pretrained(
                base.folder,
                trust_remote_code=False,
                use_safetensors=True,
                attn_implementation="eager",  # sdpa's backward in bf16 is slow on CPU
                dtype=dtype(precision),
            )
    except (OSError, ValueError) as exc:
        raise BaseModelError(f"base model {base.reference} in {base.folder} cannot be loaded: {exc}") from exc
    if tokenizer.pad_token is None:  # many decoders' have none; the mask hides it, whichever it is
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # costs time, and lost accuracy in short fine-tunes
    return Encoder(model.to(device()).eval(), tokenizer, max_tokens, hardware_precision(precision))


def embed_all(encoder: Encoder, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
    """The embeddings of any number of texts, shape (len(texts), width)."""
    import torch

    found = np.zeros((len(texts), encoder.width), dtype=np.float32)
    lengths = encoder.lengths(texts)
    with torch.no_grad():
        for rows, made in in_batches(
            texts, SCORING_BATCH, encoder.embed, lengths=lengths, progress=progress, what="embedding"
        ):
            found[rows] = made.cpu().numpy()
    return found
