"""How is an adapter trained, and on which cases? A named file in configs/training/."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from upkeep.errors import ConfigError
from upkeep.strict_yaml import Name, Strict, named, read, validated


class Task(StrEnum):
    """What the client's model does."""

    CLASSIFICATION = "classification"
    GENERATION = "generation"


class Outdated(StrEnum):
    """What a retrain does with an answer that is right no more; one that waits for people is not taught either way."""

    SUPERSEDE = "supersede"
    APPEND = "append"


class Start(StrEnum):
    """What the adapter of a retrain starts from."""

    BASE = "base"
    CHAMPION = "champion"


class Weight(StrEnum):
    """What a case that was asked many times counts in training."""

    ONCE = "once"
    LOG = "log"


class Mix(Strict):
    """Which cases a retrain is taught: all that are new, but for the shares of errors and audits, and of the old some.

    A share is of the cases trained on, as many as there are at most; what is over one is old, and may be replayed, once
    a model that was taught the others is in service.
    """

    errors: float | None = Field(
        default=None, ge=0, le=1, description="largest share of new errors, of each answer in turn; None: all"
    )
    audits: float | None = Field(default=None, ge=0, le=1, description="the same of audits that people corrected")
    replayed: int | None = Field(default=None, ge=0, description="old cases taught again, by chance; None: all")
    class_floor: int = Field(
        default=20, ge=0, description="old cases of each label that stay, whatever `replayed` says"
    )
    outdated: Outdated = Outdated.SUPERSEDE
    weight: Weight = Weight.LOG


class Common(Strict):
    """What both kinds of recipe say."""

    name: Name
    lora_rank: int = Field(ge=1, le=512)
    lora_alpha: int = Field(ge=1)
    target_modules: tuple[str, ...] = Field(min_length=1, description="module names that get an adapter")
    epochs: int = Field(ge=0, le=100)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0, description="peak rate of the adapter")
    weight_decay: float = Field(ge=0)
    max_tokens: int = Field(ge=8, le=8192, description="longer inputs are cut")
    calibration_share: float = Field(gt=0, lt=0.5, description="share of cases that only fit the confidence threshold")
    holdout_share: float = Field(gt=0, lt=0.5, description="share of collected cases locked away for evaluation")
    audited_holdout_share: float | None = Field(
        default=None,
        gt=0,
        lt=0.5,
        description="the same of audits with an agreed label, of no conversation; None: as of others",
    )
    mix: Mix = Mix()
    start: Start = Field(default=Start.BASE, description="champion: goes on from the adapter in service where it can")
    max_minutes: float | None = Field(
        default=None, gt=0, description="a fine-tuning is done by then, with the best there is"
    )


class HeadRecipe(Common):
    """How a classifier is trained: an adapter, and a head that starts from a logistic regression."""

    task: Literal[Task.CLASSIFICATION] = Task.CLASSIFICATION
    precision: Literal["auto", "bf16", "fp32"] = Field(description="auto = bf16 where the hardware has it")
    max_steps: int | None = Field(default=None, ge=1, description="passes end after so many steps together")
    trained_layers: int | None = Field(default=None, ge=1, description="how many of the last layers; None: all")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of values left out of each step, in the layers that are trained"
    )
    head_learning_rate: float = Field(gt=0, description="peak rate of the head")
    head_regularisation: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        min_length=1, description="values of C to try for the logistic regression that starts the head"
    )
    minimum_examples: int = Field(ge=1, description="cases a new label needs before it is learned")
    least_weight: float = Field(
        default=20, ge=0, description="cases of a label count together as much as so many, or as the middle label's"
    )


class ChatRecipe(Common):
    """How a model is taught to write answers: an adapter on a causal language model with a chat template."""

    task: Literal[Task.GENERATION]
    precision: Literal["auto", "bf16", "fp32", "nf4"] = Field(
        description="auto = bf16 where the hardware has it; nf4 = the base model in 4 bits (QLoRA), needs bitsandbytes"
    )
    max_new_tokens: int = Field(ge=1, le=8192, description="longer answers are cut, in training and in service")


Recipe: TypeAlias = HeadRecipe | ChatRecipe
"""Either kind; `task` says which."""
KINDS: dict[str, type[HeadRecipe] | type[ChatRecipe]] = {
    Task.CLASSIFICATION: HeadRecipe,
    Task.GENERATION: ChatRecipe,
}


def load_recipe(folder: Path, name: str) -> Recipe:
    """Read training/<name>.yaml. Raises ConfigError; a missing file lists what there is."""
    path = folder / "training" / f"{name}.yaml"
    raw = read(path)
    task = raw.get("task", Task.CLASSIFICATION)
    if task not in KINDS:
        raise ConfigError(f"{path}: task: found {task!r}, expected one of {list(map(str, KINDS))}")
    recipe: Recipe = validated(path, raw, KINDS[task])
    return named(path, recipe, "name", recipe.name)
