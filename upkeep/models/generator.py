"""What does a client's model write, and how sure is it?

A released generator is a LoRA adapter on a causal language model that was trained to chat. On disk it is a folder:
`adapter/` (plain PEFT) and `release.json`. The base weights are never copied.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upkeep.base_model import Base
from upkeep.errors import BaseModelError
from upkeep.hardware import device, dtype
from upkeep.models.batches import in_batches
from upkeep.models.chat import Chat
from upkeep.models.manifest import Answer, Manifest, sealed, unsealed
from upkeep.models.one_at_a_time import LOADING
from upkeep.models.shared_base import SharedBase, save_adapter
from upkeep.progress import Progress, silent
from upkeep.redaction import has_placeholder

if TYPE_CHECKING:
    import torch

WEIGHTS = ("adapter/adapter_model.safetensors",)
BATCH = 32
"""So many requests are answered at a time."""


class Generator:
    """A causal language model with a client's adapter, ready to answer."""

    def __init__(self, model: Any, chat: Chat, manifest: Manifest) -> None:
        self.model = model
        self.chat = chat
        self.manifest = manifest

    def answer(self, texts: Sequence[str], *, progress: Progress = silent) -> list[Answer]:
        """Write an answer to each request, the likeliest token at a time (greedy).

        Its confidence is the geometric mean of the probabilities of its tokens, what a length-normalised likelihood
        comes to (A. Malinin and M. Gales, Uncertainty Estimation in Autoregressive Structured Prediction, ICLR 2021).
        """
        import torch

        found: list[Answer] = [Answer("", 0.0, False)] * len(texts)
        self.model.eval()
        with torch.inference_mode():
            for rows, made in in_batches(texts, BATCH, self._written, progress=progress, what="writing"):
                for row, one in zip(rows, made, strict=True):
                    found[row] = one
        return found

    def save(self, folder: Path) -> Manifest:
        """Write the release folder and return its manifest with the digests."""
        folder.mkdir(parents=True, exist_ok=True)
        save_adapter(self.model, folder / "adapter", base=self.manifest.base)
        self.manifest = sealed(self.manifest, folder, WEIGHTS)
        return self.manifest

    @classmethod
    def load(cls, folder: Path, base: Base) -> Generator:
        """Load a release folder on its base model.

        Raises ReleaseError where a file is missing or not what was written, or the base is another one.
        """
        return cls.on_shared(folder / "adapter", base, unsealed(folder, base, WEIGHTS))

    @classmethod
    def on_shared(cls, adapter: Path, base: Base, manifest: Manifest) -> Generator:
        """The adapter in a folder, on the base model that all in this process share."""
        shared, tokenizer = _shared(base, manifest.precision)
        chat = Chat(tokenizer, manifest.max_tokens, manifest.max_new_tokens, manifest.system_prompt)
        return cls(shared.add(adapter), chat, manifest)

    def _written(self, texts: Sequence[str]) -> list[Answer]:
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        prompts = [self.chat.prompt(text).tokens for text in texts]
        pad = self.chat.tokenizer.pad_token_id or 0
        ids, mask = left_padded(prompts, pad, self.model.device)
        sure = _Sureness()
        stops = {self.chat.stop, self.chat.tokenizer.eos_token_id} - {None}
        written = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=GenerationConfig(
                max_new_tokens=self.manifest.max_new_tokens,
                do_sample=False,
                eos_token_id=sorted(stops),
                pad_token_id=pad,
            ),
            logits_processor=LogitsProcessorList([sure]),
        )[:, ids.shape[1] :].tolist()
        chances = torch.stack(sure.chosen, dim=1).tolist()
        return [self._answer(tokens, logs, stops) for tokens, logs in zip(written, chances, strict=True)]

    def _answer(self, tokens: list[int], logs: list[float], stops: set[int]) -> Answer:
        import math

        end = next((at for at, token in enumerate(tokens) if token in stops), len(tokens))
        counted = logs[: end + 1]  # that it ends there is part of the answer
        confidence = math.exp(sum(counted) / len(counted))
        text = str(self.chat.tokenizer.decode(tokens[:end], skip_special_tokens=True)).strip()
        sure = confidence >= self.manifest.threshold
        return Answer(text, confidence, bool(text) and sure and not has_placeholder(text))


def left_padded(prompts: Sequence[list[int]], pad: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts as a model reads them before it writes, and which of that is a prompt's; shape (prompts, tokens)."""
    import torch

    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(one)) + one for one in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts], device=device)
    return ids, mask


class _Sureness:
    """Notes the log probability of the likeliest token at each step: of the one that is taken."""

    def __init__(self) -> None:
        self.chosen: list[torch.Tensor] = []

    def __call__(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.chosen.append(scores.float().log_softmax(dim=-1).amax(dim=-1))
        return scores


@lru_cache(maxsize=1)
def _shared(base: Base, precision: str) -> tuple[SharedBase, Any]:
    """A base model for all releases that stand on it, and its tokenizer."""
    model, tokenizer = load_causal(base, precision)
    return SharedBase(model), tokenizer


def load_causal(base: Base, precision: str) -> tuple[Any, Any]:
    """The base model on the fastest device there is, and its tokenizer; `precision` is that of a ChatRecipe.

    Raises BaseModelError.
    """
    from transformers import AutoModelForCausalLM, GenerationConfig

    tokenizer = load_tokenizer(base)
    four_bits = precision == "nf4"
    quantised = {"quantization_config": _four_bits(), "device_map": {"": device()}} if four_bits else {}
    try:
        with LOADING:
            model = AutoModelForCausalLM.from_pretrained(
                base.folder,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=dtype(precision),
                **quantised,
            )
    except (OSError, ValueError) as exc:
        raise _unloadable(base, exc) from exc
    ends = {name: getattr(model.generation_config, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model.generation_config = GenerationConfig(**ends)  # a base model's penalties would be in force beside ours
    model.config.use_cache = False  # with a cache transformers takes a pack for one text: lessons would see each other
    if not four_bits:
        return model.to(device()).eval(), tokenizer
    _packed_once(model)
    return model.eval(), tokenizer


def load_tokenizer(base: Base) -> Any:
    """The base model's tokenizer, with its chat template. Raises BaseModelError."""
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with LOADING:
            tokenizer = AutoTokenizer.from_pretrained(base.folder, trust_remote_code=False)
    except (OSError, ValueError) as exc:
        raise _unloadable(base, exc) from exc
    if tokenizer.chat_template is None:
        raise BaseModelError(f"base model {base.reference}: its tokenizer has no chat template, expected a chat model")
    return tokenizer


def _unloadable(base: Base, exc: Exception) -> BaseModelError:
    return BaseModelError(f"base model {base.reference} in {base.folder} cannot be loaded: {exc}")


def _packed_once(model: Any) -> None:
    """Leave 4-bit weights as they are: for answers a processor packs them otherwise, and what unpacks them when a model
    is saved is not exact (bitsandbytes 0.50), so that every checkpoint would change the base model.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _four_bits() -> Any:
    """Weights in 4-bit NormalFloat, their scales quantised too, unpacked to be multiplied (T. Dettmers et al., QLoRA,
    2023)."""
    from transformers import BitsAndBytesConfig

    if importlib.util.find_spec("bitsandbytes") is None:
        raise BaseModelError("precision: found nf4, which needs bitsandbytes: the extra `gpu`, see docs/training.md")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype("nf4"),
    )
