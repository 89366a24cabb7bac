"""How does a text become the embedding that a head reads?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upkeep.base_model import Base
from upkeep.errors import BaseModelError
from upkeep.progress import Progress, silent

if TYPE_CHECKING:
    import torch

    from upkeep.frozen import FrozenLayers


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

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """Mean over the tokens of the last layer, L2-normalised: float32, shape (len(texts), width), with gradients."""
        import torch

        batch = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        with self.frozen.passing(texts, batch["attention_mask"]) if self.frozen else nullcontext():
            hidden = self.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        pooled = (hidden.float() * mask).sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.normalize(pooled, dim=1)


def load_encoder(base: Base, *, max_tokens: int, precision: str) -> Encoder:
    """The base model without dropout, and its tokenizer. Raises BaseModelError."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(base.folder, trust_remote_code=False)
        model = AutoModel.from_pretrained(
            base.folder,
            trust_remote_code=False,
            use_safetensors=True,
            attn_implementation="eager",  # sdpa's backward in bf16 is slow on CPU
            dtype=torch.bfloat16 if hardware_precision(precision) == "bf16" else torch.float32,
        )
    except (OSError, ValueError) as exc:
        raise BaseModelError(f"base model {base.reference} in {base.folder} cannot be loaded: {exc}") from exc
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # costs time, and lost accuracy in short fine-tunes
    return Encoder(model.eval(), tokenizer, max_tokens, hardware_precision(precision))


def by_length(
    texts: Sequence[str], size: int, *, progress: Progress = silent, what: str = "texts"
) -> Iterator[NDArray[np.int64]]:
    """Row numbers in batches of texts of like length, reporting progress as they are taken."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]
        progress(what, min(start + size, len(order)), len(order))


def embed_all(encoder: Encoder, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
    """The embeddings of any number of texts, shape (len(texts), width)."""
    import torch

    found = np.zeros((len(texts), encoder.width), dtype=np.float32)
    with torch.no_grad():
        for rows in by_length(texts, SCORING_BATCH, progress=progress, what="embedding"):
            found[rows] = encoder.embed([texts[row] for row in rows]).numpy()
    return found


def hardware_precision(wanted: str) -> str:
    """`bf16` or `fp32`; `auto` is bf16 only where the processor multiplies it natively."""
    if wanted != "auto":
        return wanted
    import torch

    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"
