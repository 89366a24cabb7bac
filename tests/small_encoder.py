"""The demo's encoder with its first two layers only: real weights that learn and answer in a third of the time."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
LAYERS = 2


@cache
def small_encoder() -> Path:
    """Its folder, made once; it goes with the process."""
    from safetensors.numpy import load_file, save_file

    from upkeep.base_model import resolve_base
    from upkeep.config import load_client

    whole = resolve_base(load_client(ROOT / "configs", "northwind").base_model).folder
    folder = Path(tempfile.mkdtemp()) / "small-encoder"
    atexit.register(shutil.rmtree, folder.parent)
    left_out = tuple(f"encoder.layer.{n}." for n in range(LAYERS, 6))
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "*.onnx"))
    weights = load_file(whole / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith(left_out)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    shape = json.loads((whole / "config.json").read_text()) | {"num_hidden_layers": LAYERS}
    (folder / "config.json").write_text(json.dumps(shape))
    return folder


def copy_configs(folder: Path, *, passes: int = 1) -> None:
    """The repository's configs, but that classifiers are small and learn in fewer passes: most tests only need one."""
    shutil.copytree(ROOT / "configs", folder)
    for client in (folder / "clients").glob("*.yaml"):
        told = yaml.safe_load(client.read_text()) | {"base_model": {"path": str(small_encoder())}}
        client.write_text(yaml.safe_dump(told, sort_keys=False))
    for recipe in (folder / "training").glob("*.yaml"):
        text = recipe.read_text().replace("epochs: 4\n", f"epochs: {passes}\n")
        recipe.write_text(text.replace("trained_layers: 3\n", "trained_layers: 1\n"))
