"""Which base model does a version of a client's model stand on, and is it here?

A client's base model may become another one, and the version in service still stands on the one that it was trained on.
Which one that is, MLflow's model says, as the client's config said it then.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from upkeep.adapters.registry import Registry
from upkeep.base_model import Base, BaseModelConfig, resolve_base
from upkeep.errors import BaseModelError
from upkeep.models.loading import Model, load_release
from upkeep.models.manifest import Manifest, read_manifest


class OwnBase(NamedTuple):
    """A version's base model as a config names it, and as it is on this machine."""

    named: BaseModelConfig
    base: Base


def own_base(registry: Registry, present: BaseModelConfig, version: str, manifest: Manifest) -> OwnBase:
    """The base model that a version was trained on: the client's `present` one, or else the one of its registration.

    Raises BaseModelError where neither is that one, and StoreError where MLflow has to be asked and cannot be.
    """
    got = []
    for named in _names(registry, present, version):
        try:
            base = resolve_base(named)
        except BaseModelError as exc:
            got.append(str(exc))
            continue
        same = base.digest == manifest.base_digest
        differs = base.difference(manifest.base_digest, manifest.base_settings_digest)
        if differs is None:
            return OwnBase(named, base)
        got.append(f"{base.reference} with {base.digest}" + (f", whose {differs}" if same else ""))
    where = f"client {registry.name}: version {version} was trained on {manifest.base}"
    wanted = f"expected those weights where {named.model_dump(exclude_none=True)} names them"
    raise BaseModelError(
        f"{where} with the SHA-256 {manifest.base_digest}, got {' and '.join(dict.fromkeys(got))}, {wanted}; "
        "see docs/training.md#another-base-model"
    )


def load_version(registry: Registry, present: BaseModelConfig, version: str, folder: Path) -> Model:
    """Load a version from its release folder on its own base model. Raises ReleaseError, or as `own_base` does."""
    base = own_base(registry, present, version, read_manifest(folder)).base
    return load_release(folder, base, client=registry.name)


def _names(registry: Registry, present: BaseModelConfig, version: str) -> Iterator[BaseModelConfig]:
    yield present
    yield TypeAdapter(BaseModelConfig).validate_python(registry.base_model(version))
