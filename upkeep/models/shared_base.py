"""How do many clients' models share one base model in memory?

The base is loaded once; each release adds its adapter, of which one at a time is switched on. A model answers through
its own adapter only, whoever else asks meanwhile, and memory grows by adapters.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from upkeep.base_model import peft_name

DEFAULT = "default"
"""What PEFT calls the adapter of a model that has one."""


class SharedBase:
    """A base model and the adapters that are on it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.lock = Lock()
        self.names = (f"release-{number}" for number in count(1))
        self.on: str | None = None
        self.held: set[str] = set()

    def add(self, folder: Path) -> Adapted:
        """The base with the adapter in a folder. One that nobody holds any more goes when the next one comes."""
        from peft import PeftModel

        with self.lock:
            name = next(self.names)
            if self.on is None:
                self.model = PeftModel.from_pretrained(self.model, str(folder), adapter_name=name).eval()
            else:
                self.model.load_adapter(str(folder), adapter_name=name)
            self.model.set_adapter(name, inference_mode=True)
            self.on = name
            self.held.add(name)
            for gone in self.model.peft_config.keys() - self.held:
                self.model.delete_adapter(gone)
        adapted = Adapted(self, name)
        # this may run in the middle of a forward pass, so that it changes nothing of the model
        weakref.finalize(adapted, self.held.discard, name)
        return adapted

    @contextmanager
    def switched_to(self, name: str) -> Iterator[Any]:
        """The model with one adapter switched on, and nobody else's meanwhile."""
        with self.lock:
            if self.on != name:
                self.model.set_adapter(name, inference_mode=True)
                self.on = name
            yield self.model


class Adapted:
    """A shared base through one adapter: it answers, and is saved, as a PEFT model that has no other."""

    def __init__(self, shared: SharedBase, name: str) -> None:
        self.shared = shared
        self.name = name

    def __call__(self, **batch: Any) -> Any:
        """The model's output for a batch."""
        with self.shared.switched_to(self.name) as model:
            return model(**batch)

    def generate(self, **asked: Any) -> Any:
        """What a causal model writes."""
        with self.shared.switched_to(self.name) as model:
            return model.generate(**asked)

    def eval(self) -> Adapted:
        """It never trains."""
        return self

    @property
    def config(self) -> Any:
        """The base model's."""
        return self.shared.model.config

    @property
    def device(self) -> Any:
        """Where the base model is."""
        return self.shared.model.device


def save_adapter(model: Any, folder: Path, *, base: str) -> None:
    """Write a model's one adapter as a plain PEFT folder that names its base so, and not by this machine's path."""
    shared = isinstance(model, Adapted)
    peft, name = (model.shared.model, model.name) if shared else (model, DEFAULT)
    config = peft.peft_config[name]
    config.base_model_name_or_path, config.revision = peft_name(base)
    with tempfile.TemporaryDirectory() as scratch:
        peft.save_pretrained(scratch, selected_adapters=[name], save_embedding_layers=False)
        written = Path(scratch) / name if shared else Path(scratch)  # PEFT gives one of another name its own folder
        (written / "README.md").unlink(missing_ok=True)  # a form that nobody filled in; see stages/card.py
        shutil.copytree(written, folder, dirs_exist_ok=True)
