"""The configs with a base model of two layers: what tests train and ask is real, and takes half the time."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import yaml
from safetensors.numpy import load_file, save_file

from upkeep.base_model import resolve_base
from upkeep.config import load_client

CONFIGS = Path(__file__).parents[1] / "configs"
LAYERS = 2


@cache
def small_encoder() -> Path:
    """The folder of the demo's encoder without the layers after its second; it goes with the process."""
    whole = resolve_base(load_client(CONFIGS, "northwind").base_model).folder
    shape = json.loads((whole / "config.json").read_text())
    gone = tuple(f"encoder.layer.{number}." for number in range(LAYERS, shape["num_hidden_layers"]))
    kept = {name: value for name, value in load_file(whole / "model.safetensors").items() if not name.startswith(gone)}
    made = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, made)
    folder = shutil.copytree(whole, made / "small-encoder", ignore=shutil.ignore_patterns("*.safetensors"))
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(shape | {"num_hidden_layers": LAYERS}))
    return folder


def copy_configs(folder: Path, *, passes: int = 1) -> None:
    """The configs, but that classifiers are small and learn in fewer passes: most tests only need to have one."""
    shutil.copytree(CONFIGS, folder)
    for client in (folder / "clients").glob("*.yaml"):
        agreed = yaml.safe_load(client.read_text()) | {"base_model": {"path": str(small_encoder())}}
        client.write_text(yaml.safe_dump(agreed, sort_keys=False))
    for recipe in (folder / "training").glob("*.yaml"):
        text = recipe.read_text().replace("epochs: 4\n", f"epochs: {passes}\n")
        recipe.write_text(text.replace("trained_layers: 3\n", "trained_layers: 1\n"))
