"""Where does the adapter that a retrain trains start from?

From nothing learned, on the base model; or, where the recipe says so, from the adapter of the model in service: a
month's retrain then has only to learn what is new, and to keep what is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from upkeep.base_model import Base
from upkeep.manifest import read_manifest
from upkeep.recipes import Common, Start

if TYPE_CHECKING:
    from peft import LoraConfig

SHAPE = ("r", "lora_alpha", "target_modules")
"""What two adapters have in common where one can go on from the other."""


class Begun(NamedTuple):
    """A model with the adapter to train, whether that knows something already, and what else is to be said of it."""

    model: Any
    warm: bool
    notes: tuple[str, ...]


def with_adapter(model: Any, lora: LoraConfig, recipe: Common, *, base: Base, champion: Path | None) -> Begun:
    """The base model with an adapter to train; `champion` is the folder of the release in service, if there is one."""
    from peft import PeftModel, get_peft_model

    if recipe.start is Start.BASE:
        return Begun(get_peft_model(model, lora), False, ())
    missing = _missing(lora, base, champion)
    if champion is None or missing:
        return Begun(get_peft_model(model, lora), False, (f"starts from the base model: {missing}",))
    warm = PeftModel.from_pretrained(model, str(champion / "adapter"), is_trainable=True)
    return Begun(warm, True, ("starts from the champion's adapter",))


def _missing(lora: LoraConfig, base: Base, champion: Path | None) -> str | None:
    """Why an adapter cannot go on from the champion's, if so."""
    from peft import PeftConfig

    if champion is None:
        return "there is no champion yet"
    there = read_manifest(champion)
    if there.base_digest != base.digest:
        return f"the champion stands on another one, {there.base}"
    found = PeftConfig.from_pretrained(str(champion / "adapter"))
    other = [f"{name} {_told(found, name)}" for name in SHAPE if _told(found, name) != _told(lora, name)]
    return f"the champion's adapter has {', '.join(other)}" if other else None


def weights_of(champion: Path | None) -> str | None:
    """The digest of a release's weights, for the name of a run."""
    return read_manifest(champion).weights_digest if champion else None


def _told(lora: Any, name: str) -> Any:
    found = getattr(lora, name)
    return sorted(found) if isinstance(found, (set, list, tuple)) else found
