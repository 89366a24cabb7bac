"""Which of a model's layers learn, and which adapter is put on them?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from upkeep.errors import BaseModelError
from upkeep.models.frozen_layers import FrozenLayers, layers_of

if TYPE_CHECKING:
    from peft import LoraConfig

    from upkeep.models.encoder import Encoder
    from upkeep.recipes import HeadRecipe


def prepare_encoder(encoder: Encoder, recipe: HeadRecipe) -> LoraConfig:
    """Make an encoder ready to learn, and say which adapter its recipe puts on it."""
    from peft import LoraConfig

    layers = int(encoder.model.config.num_hidden_layers)
    first = 0 if recipe.trained_layers is None else max(layers - recipe.trained_layers, 0)
    set_dropout(encoder.model, first, recipe.dropout)
    if first:
        encoder.frozen = FrozenLayers(encoder.model, first)
    return LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        target_modules=modules_from(encoder.model, first, recipe.target_modules),
        task_type="FEATURE_EXTRACTION",
    )


def modules_from(model: Any, first: int, names: Sequence[str]) -> list[str]:
    """The full names of the modules that are called so, in the layers from one on.

    PEFT's own `layers_to_transform` finds no layer of a decoder whose stack is not inside of another module. Raises
    BaseModelError naming what there is.
    """
    layers = layers_of(model)
    stack = next(name for name, module in model.named_modules() if module is layers)
    inner = [
        (f"{stack}.{number}.{name}", name)
        for number in range(first, len(layers))
        for name, module in layers[number].named_modules()
        if next(module.children(), None) is None
    ]
    found = [whole for whole, name in inner if any(name == one or name.endswith(f".{one}") for one in names)]
    if not found:
        there = sorted({name for _, name in inner})
        raise BaseModelError(f"target_modules: found {list(names)}, the base model's layers have {there}")
    return found


def set_dropout(model: Any, first: int, share: float) -> None:
    """Let the layers from one on leave out a share of their values while they learn."""
    for layer in layers_of(model)[first:]:
        for module in layer.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = share
