"""What is a client's model, whichever kind it is?"""

from __future__ import annotations

from pathlib import Path
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from upkeep.base_model import Base
from upkeep.models import classifier, generator
from upkeep.models.classifier import Classifier
from upkeep.models.generator import Generator
from upkeep.models.manifest import Manifest, expect_client, expect_whole, read_manifest
from upkeep.models.one_at_a_time import LOADING
from upkeep.models.threshold import Fit
from upkeep.recipes import Task

Model: TypeAlias = Classifier | Generator
"""Both answer requests, and are saved as a release folder."""
Kind_co = TypeVar("Kind_co", bound=Classifier | Generator, covariant=True)


class Trained(NamedTuple, Generic[Kind_co]):
    """A new model, how its threshold was fitted, the held-out loss at the start and at each look since, in words what
    else is to be known of the run, and what its logits were divided by."""

    model: Kind_co
    fit: Fit
    losses: list[float]
    notes: tuple[str, ...] = ()
    temperature: float = 1.0


def load_release(folder: Path, base: Base, *, client: str | None = None) -> Model:
    """Load a release folder on its base model.

    Raises ReleaseError where it is not what was written, stands on another base, or is not the `client`'s, if given.
    Of several threads one loads at a time, so that each base is loaded once.
    """
    manifest = read_manifest(folder)
    if client is not None:
        expect_client(manifest, client, folder)
    with LOADING:
        return Generator.load(folder, base) if manifest.task is Task.GENERATION else Classifier.load(folder, base)


def expect_release(folder: Path) -> Manifest:
    """The manifest of a release folder; raises ReleaseError where a file is not what was written. Loads no model."""
    writes = read_manifest(folder).task is Task.GENERATION
    return expect_whole(folder, generator.WEIGHTS if writes else classifier.WEIGHTS)
