"""What does a client's model answer, how sure is it, and may it answer alone?

A released classifier is a LoRA adapter on a shared encoder, mean pooling, and a linear head on the normalised
embedding. On disk it is a folder: `adapter/` (plain PEFT), `head.safetensors`, `release.json` (labels, threshold,
base model, digests). The base weights are never copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upkeep.base_model import Base
from upkeep.models.batches import in_batches
from upkeep.models.encoder import SCORING_BATCH, Encoder, load_encoder
from upkeep.models.manifest import Answer, Manifest, sealed, unsealed
from upkeep.models.shared_base import SharedBase, save_adapter
from upkeep.progress import Progress, silent

if TYPE_CHECKING:
    import torch

WEIGHTS = ("adapter/adapter_model.safetensors", "head.safetensors")


class Classifier:
    """An encoder with a client's adapter and head, ready to answer."""

    def __init__(self, encoder: Encoder, head: torch.nn.Linear, manifest: Manifest) -> None:
        self.encoder = encoder
        self.head = head.to(encoder.device)
        self.manifest = manifest

    @property
    def labels(self) -> tuple[str, ...]:
        """One label per row of the head."""
        return self.manifest.labels

    def probabilities(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float64]:
        """Class probabilities, shape (len(texts), len(labels))."""
        import torch

        found = np.zeros((len(texts), len(self.labels)))
        lengths = self.encoder.lengths(texts)
        self.encoder.model.eval()
        with torch.inference_mode():
            for rows, made in in_batches(
                texts, SCORING_BATCH, self._logits_of, lengths=lengths, progress=progress, what="scoring"
            ):
                found[rows] = torch.softmax(made.double(), dim=1).cpu().numpy()
        return found

    def logits(self, embeddings: torch.Tensor) -> torch.Tensor:
        """One logit per label, shape (len(embeddings), len(labels)).

        Rows of the head are multiplied with those they came with: in one product with new ones, old logits would round
        otherwise.
        """
        import torch

        blocks = list(self.manifest.blocks) or [len(self.labels)]
        embeddings = embeddings.to(self.head.weight.device)
        parts = zip(torch.split(self.head.weight, blocks), torch.split(self.head.bias, blocks), strict=True)
        return torch.cat([torch.nn.functional.linear(embeddings, weight, bias) for weight, bias in parts], dim=1)

    def answer(self, texts: Sequence[str], *, progress: Progress = silent) -> list[Answer]:
        """Answer each request; a request that looks out of scope gets the best label too, but never automatically."""
        return decide(self.probabilities(texts, progress=progress), self.manifest)

    def save(self, folder: Path) -> Manifest:
        """Write the release folder and return its manifest with the digests."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_adapter(self.encoder.model, folder / "adapter", base=self.manifest.base)
        weights = {"weight": self.head.weight.detach().contiguous(), "bias": self.head.bias.detach().contiguous()}
        save_file(weights, folder / "head.safetensors")
        self.manifest = sealed(self.manifest, folder, WEIGHTS)
        return self.manifest

    @classmethod
    def load(cls, folder: Path, base: Base) -> Classifier:
        """Load a release folder on its base model.

        Raises ReleaseError where a file is missing or not what was written, or the base is another one.
        """
        import torch
        from safetensors.torch import load_file

        manifest = unsealed(folder, base, WEIGHTS)
        shared, tokenizer = _shared(base, manifest.precision)
        encoder = Encoder(shared.add(folder / "adapter"), tokenizer, manifest.max_tokens, manifest.precision)
        weights = load_file(folder / "head.safetensors")
        rows, width = weights["weight"].shape
        head = torch.nn.Linear(width, rows, dtype=weights["weight"].dtype)
        head.load_state_dict(weights)
        return cls(encoder, head, manifest)

    def _logits_of(self, texts: list[str]) -> torch.Tensor:
        return self.logits(self.encoder.embed(texts))


@lru_cache(maxsize=2)
def _shared(base: Base, precision: str) -> tuple[SharedBase, Any]:
    """A base model for all releases that stand on it, and its tokenizer."""
    encoder = load_encoder(base, max_tokens=0, precision=precision)
    return SharedBase(encoder.model), encoder.tokenizer


def decide(probabilities: NDArray[np.float64], manifest: Manifest) -> list[Answer]:
    """Turn probabilities into answers: the best real label; automatic when it beats both threshold and out-of-scope."""
    real = [row for row, label in enumerate(manifest.labels) if label != manifest.out_of_scope_label]
    best = probabilities[:, real].argmax(axis=1)
    top = probabilities.argmax(axis=1)
    answers = []
    for row, column in enumerate(best):
        index = real[column]
        confidence = float(probabilities[row, index])
        automatic = bool(top[row] == index and confidence >= manifest.threshold)
        answers.append(Answer(manifest.labels[index], confidence, automatic))
    return answers
