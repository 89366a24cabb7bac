"""How does a training that was killed find what it had learned so far?"""

from __future__ import annotations

import hashlib
import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from upkeep.adapters.store import FolderStore
from upkeep.base_model import Base, file_digest
from upkeep.cases.snapshot import Snapshot
from upkeep.errors import NotFoundError
from upkeep.recipes import Recipe

KEY = "checkpoint.pt"
LIBRARIES = ("torch", "transformers", "peft")
"""Another version of one may compute otherwise."""
DIGEST = 32
"""Bytes of the SHA-256 in front of a checkpoint: torch.load notices few of the ways in which a file can be damaged."""
SEAL = "whole.json"
"""The SHA-256 of each other file of a checkpoint that is a folder."""


def fingerprint(base: Base, data: Snapshot, recipe: Recipe, *more: object) -> str:
    """A name for all that a run depends on, so that none goes on from the checkpoint of another."""
    taught = [(str(one.use), one.case.text, one.case.answer, one.case.requests) for one in data.lessons]
    libraries = [version(name) for name in LIBRARIES]
    parts = (base.digest, base.settings_digest, data.labels, taught, recipe.model_dump_json(), libraries, more)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Keep a state of tensors and plain values instead of the one before. A kill leaves one of the two, whole."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    found = buffer.getvalue()
    FolderStore(folder).write(KEY, hashlib.sha256(found).digest() + found)


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The state that was kept last, whatever device it was on; None where there is none, or it is damaged."""
    import torch

    try:
        raw = FolderStore(folder).read(KEY)
    except NotFoundError:
        return None
    if hashlib.sha256(raw[DIGEST:]).digest() != raw[:DIGEST]:
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(raw[DIGEST:]), weights_only=True, map_location="cpu")
    return state


def seconds_before(folder: Path) -> float:
    """So long had the run taken whose state was kept last; 0 where none was."""
    state = load_checkpoint(folder)
    return float(state.get("seconds", 0.0)) if state else 0.0


def seal(folder: Path) -> None:
    """Note what is in a checkpoint's files, after the last of them was written."""
    store = FolderStore(folder)
    digests = {key: file_digest(folder / key) for key in store.keys("") if key != SEAL}
    store.write(SEAL, json.dumps(digests, indent=2).encode())


def is_whole(folder: Path) -> bool:
    """Was a checkpoint sealed, and do its files still hold what they held then?"""
    try:
        digests = json.loads((folder / SEAL).read_bytes())
        return all(file_digest(folder / key) == digest for key, digest in digests.items())
    except (OSError, ValueError):
        return False
