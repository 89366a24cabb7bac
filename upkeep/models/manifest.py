"""What does a release say of itself, and is it still what it was when it was written?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from upkeep.base_model import Base, canonical, file_digest
from upkeep.errors import ReleaseError
from upkeep.recipes import Task

SCHEMA_VERSION = 1
MANIFEST = "release.json"
ADAPTER_CONFIG = "adapter/adapter_config.json"
NO_ANSWER = ("base_model_name_or_path", "revision", "peft_version", "inference_mode")
"""What that says which changes no answer: where a base model lies, which is known by its digests, and what wrote it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The best label or a text, how sure the model is of it (0..1), and whether it is given without a person."""

    output: str
    confidence: float
    automatic: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release says of itself; the client's application reads it.

    `label_set` is the version of the labels: one more than that of the model taught before, where they are others.
    `blocks` is how many rows of the head came to it together, in their order; empty for all at once. A model that
    writes has no labels; `system_prompt` is what it is told before each request, `max_new_tokens` where it stops.

    Empty in releases from before there were any: `client`, whose model it is; `base_settings_digest`, the SHA-256 of
    the base model's config, tokenizer and chat template; `file_digests`, that of each file of weights, and of what
    adapter_config.json says; `content_digest`, that of all that this says but the base's name, and of how the adapter
    goes on the base.
    """

    labels: tuple[str, ...]
    out_of_scope_label: str
    threshold: float
    base: str
    base_digest: str
    max_tokens: int
    precision: str
    training_digest: str
    weights_digest: str = ""
    schema_version: int = SCHEMA_VERSION
    label_set: int = 1
    blocks: tuple[int, ...] = ()
    task: Task = Task.CLASSIFICATION
    system_prompt: str | None = None
    max_new_tokens: int = 0
    client: str = ""
    base_settings_digest: str = ""
    file_digests: Mapping[str, str] = field(default_factory=dict)
    content_digest: str = ""


def read_manifest(folder: Path) -> Manifest:
    """Read release.json. Raises ReleaseError where it is missing, damaged or of another schema."""
    raw = _read(folder)
    try:
        task = Task(raw.get("task", Task.CLASSIFICATION))
        return Manifest(**{**raw, "labels": tuple(raw["labels"]), "blocks": tuple(raw.get("blocks", ())), "task": task})
    except (KeyError, TypeError, ValueError) as exc:
        raise ReleaseError(f"{folder / MANIFEST}: no release manifest: {type(exc).__name__}: {exc}") from exc


def expect_client(manifest: Manifest, client: str, where: Path | str) -> None:
    """Raise ReleaseError where a release says that it is another client's."""
    if manifest.client not in ("", client):
        raise ReleaseError(f"{where}: release.json says client {manifest.client!r}, expected {client!r}")


def sealed(manifest: Manifest, folder: Path, weights: Sequence[str]) -> Manifest:
    """Write release.json beside the files it names; returns it with their digests."""
    digests = _digests(folder, weights)
    made = replace(manifest, file_digests=digests, weights_digest=_weights_digest(digests, weights))
    made = replace(made, content_digest=_content_digest(folder, asdict(made)))
    text = json.dumps(asdict(made), indent=1, sort_keys=True, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return made


def unsealed(folder: Path, base: Base, weights: Sequence[str]) -> Manifest:
    """The manifest of a release folder whose files and base are those it names. Raises ReleaseError."""
    manifest = expect_whole(folder, weights)
    differs = base.difference(manifest.base_digest, manifest.base_settings_digest)
    if differs:
        raise ReleaseError(f"{folder}: {differs}")
    return manifest


def expect_whole(folder: Path, weights: Sequence[str]) -> Manifest:
    """The manifest of a release folder; raises ReleaseError, naming it, where a file is not as it was written."""
    manifest = read_manifest(folder)
    if manifest.content_digest:  # first: what it says of the other files is to be right
        told = MANIFEST if manifest.file_digests else f"{MANIFEST} or {ADAPTER_CONFIG}"
        wrong = f"{folder}: {told} does not say what it said when it was written"
        _expect(_content_digest(folder, _read(folder)), manifest.content_digest, wrong)
    digests = _digests(folder, weights)
    for name, wanted in manifest.file_digests.items():
        _expect(digests.get(name, ""), wanted, f"{folder}: {name} does not say what it said when it was written")
    wrong = f"{folder}: the weights are not those that {MANIFEST} names"
    _expect(_weights_digest(digests, weights), manifest.weights_digest, wrong)
    return manifest


def _expect(found: str, wanted: str, wrong: str) -> None:
    if found != wanted:
        raise ReleaseError(f"{wrong}: SHA-256 is {found}, expected {wanted}")


def _read(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise ReleaseError(f"{path}: no release manifest here")
    raw = _json(path)
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise ReleaseError(f"{path}: schema_version is {raw.get('schema_version')}, expected {SCHEMA_VERSION}")
    return raw


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as exc:
        raise ReleaseError(f"{path}: damaged, expected a JSON object: {exc}") from exc


def _digests(folder: Path, weights: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of each file of weights, and of what the adapter's config says."""
    found = {name: file_digest(_there(folder, name)) for name in weights}
    return found | {ADAPTER_CONFIG: hashlib.sha256(_adapter_says(folder)).hexdigest()}


def _weights_digest(digests: Mapping[str, str], weights: Sequence[str]) -> str:
    return hashlib.sha256("".join(digests[name] for name in weights).encode()).hexdigest()


def _content_digest(folder: Path, told: Mapping[str, Any]) -> str:
    """Of what release.json says, which names weights and base by their digests, and of how the adapter goes on it."""
    said = canonical(told, without=("base", "content_digest"))
    if not told.get("file_digests"):  # from before it named the adapter's config by its digest too
        said += _adapter_says(folder)
    return hashlib.sha256(said).hexdigest()


def _adapter_says(folder: Path) -> bytes:
    adapter = _json(_there(folder, ADAPTER_CONFIG))
    sets = {key: sorted(said) for key, said in adapter.items() if _is_names(said)}  # PEFT keeps them in any order
    return canonical(adapter | sets, without=NO_ANSWER)


def _is_names(said: object) -> bool:
    return isinstance(said, list) and all(isinstance(one, str) for one in said)


def _there(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise ReleaseError(f"{path}: missing from the release")
    return path
