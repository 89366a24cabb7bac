"""A chat model with random weights: for figures of speed it is as good as one that was trained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ("<pad>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "tie_word_embeddings": True,
    },
    "1b": {
        "vocab_size": 128_256, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "tie_word_embeddings": True,
        "rope_theta": 500_000.0, "max_position_embeddings": 8192,
    },
}  # fmt: skip
"""By name; `1b` has the sizes that Meta published for Llama 3.2 1B."""


def write_llama(folder: Path, texts: Iterable[str], *, words: int, bf16: bool = False, **shape: Any) -> Path:
    """Write the model, and a tokenizer that knows so many words of the texts, as a base model lies on disk.

    `shape` is what LlamaConfig takes; without a `vocab_size` the model knows the words of its tokenizer.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from upkeep.hardware import device

    tokenizer = _tokenizer(texts, words)
    known = {"vocab_size": len(tokenizer), "pad_token_id": 0, "bos_token_id": None}
    config = LlamaConfig(**{**known, "eos_token_id": tokenizer.eos_token_id, **shape})
    with torch.random.fork_rng(), torch.device(device()):
        torch.manual_seed(0)
        model: Any = LlamaForCausalLM(config)
        (model.bfloat16() if bf16 else model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(texts: Iterable[str], words: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    known = Tokenizer(models.BPE())
    known.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    known.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=words,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    known.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, pad_token=SPECIAL[0], eos_token=SPECIAL[-1])
    tokenizer.chat_template = TEMPLATE
    return tokenizer
