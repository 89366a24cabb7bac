"""What does a release say of itself, and are its weights the ones it names?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from upkeep.base_model import Base, file_digest
from upkeep.errors import ReleaseError
from upkeep.recipes import Task

SCHEMA_VERSION = 1


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


def read_manifest(folder: Path) -> Manifest:
    """Read release.json. Raises ReleaseError where it is missing or of another schema."""
    path = folder / "release.json"
    if not path.is_file():
        raise ReleaseError(f"{path}: no release manifest here")
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise ReleaseError(f"{path}: schema_version is {raw.get('schema_version')}, expected {SCHEMA_VERSION}")
    task = Task(raw.get("task", Task.CLASSIFICATION))
    return Manifest(**{**raw, "labels": tuple(raw["labels"]), "blocks": tuple(raw.get("blocks", ())), "task": task})


def sealed(manifest: Manifest, folder: Path, weights: Sequence[str]) -> Manifest:
    """Write release.json beside the weights it names; returns it with their digest."""
    made = replace(manifest, weights_digest=_digest(folder, weights))
    text = json.dumps(asdict(made), indent=1, sort_keys=True, ensure_ascii=False)
    (folder / "release.json").write_text(text + "\n", encoding="utf-8")
    return made


def unsealed(folder: Path, base: Base, weights: Sequence[str]) -> Manifest:
    """The manifest of a release folder whose weights and base are those it names. Raises ReleaseError."""
    manifest = read_manifest(folder)
    if manifest.base_digest != base.digest:
        raise ReleaseError(f"{folder}: base digest is {base.digest}, expected {manifest.base_digest}")
    if _digest(folder, weights) != manifest.weights_digest:
        raise ReleaseError(f"{folder}: the weights are not those that release.json names")
    return manifest


def _digest(folder: Path, weights: Sequence[str]) -> str:
    files = [folder / name for name in weights]
    for path in files:
        if not path.is_file():
            raise ReleaseError(f"{path}: missing from the release")
    return hashlib.sha256("".join(file_digest(path) for path in files).encode()).hexdigest()
