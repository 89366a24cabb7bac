"""Where does the adapter that a retrain trains start from?

From nothing learned, on the base model; or, where the recipe says so, from the adapter of the model in service: a
month's retrain then has only to learn what is new, and to keep what is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from upkeep.base_model import Base
from upkeep.models.loading import expect_release
from upkeep.models.manifest import read_manifest
from upkeep.recipes import Common, Start

if TYPE_CHECKING:
    from peft import LoraConfig

SHAPE = ("r", "lora_alpha")
"""What two adapters have in common where one can go on from the other, besides the modules they are on."""


class StartedAdapter(NamedTuple):
    """A model with the adapter to train, whether that knows something already, and what else is to be said of it."""

    model: Any
    warm: bool
    notes: tuple[str, ...]


def with_adapter(model: Any, lora: LoraConfig, recipe: Common, *, base: Base, champion: Path | None) -> StartedAdapter:
    """The base model with an adapter to train; `champion` is the folder of the release in service, if there is one.

    Raises ReleaseError where a file of that release is not what was written.
    """
    from peft import PeftModel, get_peft_model

    if recipe.start is Start.BASE:
        return StartedAdapter(get_peft_model(model, lora), False, ())
    missing = _missing(model, lora, base, champion)
    if champion is None or missing:
        return StartedAdapter(get_peft_model(model, lora), False, (f"starts from the base model: {missing}",))
    warm = PeftModel.from_pretrained(model, str(champion / "adapter"), is_trainable=True)
    return StartedAdapter(warm, True, ("starts from the champion's adapter",))


def _missing(model: Any, lora: LoraConfig, base: Base, champion: Path | None) -> str | None:
    """Why an adapter cannot go on from the champion's, if so."""
    from peft import PeftConfig

    if champion is None:
        return "there is no champion yet"
    there = expect_release(champion)
    if base.difference(there.base_digest, there.base_settings_digest):
        return f"the champion stands on another one, {there.base}"
    found = PeftConfig.from_pretrained(str(champion / "adapter"))
    other = [f"{name} {getattr(found, name)}" for name in SHAPE if getattr(found, name) != getattr(lora, name)]
    there_on, wanted = _adapted(champion), _to_adapt(model, lora)
    other += [f"target_modules {there_on}"] if there_on != wanted else []
    return f"the champion's adapter has {', '.join(other)}" if other else None


def identity_of(champion: Path | None) -> str | None:
    """The digest of what a release is, or of its weights where it is from before there was one, to name a run by."""
    if champion is None:
        return None
    manifest = read_manifest(champion)
    return manifest.content_digest or manifest.weights_digest


def _adapted(champion: Path) -> list[str]:
    """The modules that a release's adapter is on, by its weights: PEFT shortens the list in its config as it likes."""
    from safetensors import safe_open

    with safe_open(champion / "adapter" / "adapter_model.safetensors", framework="pt") as weights:
        names = {name.partition(".lora_")[0] for name in weights.keys() if ".lora_" in name}  # noqa: SIM118
    return sorted(name.removeprefix("base_model.model.") for name in names)


def _to_adapt(model: Any, lora: LoraConfig) -> list[str]:
    from peft.tuners.tuners_utils import check_target_module_exists

    return sorted(name for name, _ in model.named_modules() if check_target_module_exists(lora, name))
