"""A client's application that always answers with the model in service, without a restart.

    python docs/application.py s3://bucket/acme base_model.yaml [earlier_base_model.yaml ...]

It reads releases/current.json in the client's store before each request that comes `PATIENCE` seconds or more after the
last look, checks the files against their SHA-256, and goes on with the old model while a new one cannot be loaded. A
webhook may call `look` at once. The second argument is a YAML file with the client's `base_model`, such as the client's
config; further ones name other base models that a release may stand on. Reads requests from standard input, one a line.

An answer has an `output`, a `confidence`, and whether it may be given without a person, `automatic`; all three belong
in the log. Where other processes want the processors too, start it with OMP_NUM_THREADS=1: for one request at a time
threads mostly wait for each other.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from pathlib import Path
from threading import Lock

import yaml
from pydantic import TypeAdapter

from upkeep.adapters.store import open_store
from upkeep.base_model import Base, BaseModelConfig, resolve_base
from upkeep.errors import UpkeepError
from upkeep.models.loading import Model, load_release
from upkeep.models.manifest import Answer
from upkeep.records import load
from upkeep.release import SCHEMA_VERSION, Release
from upkeep.store import Store

PATIENCE = 30.0


class Application:
    """Answers requests with whatever the pointer names."""

    def __init__(self, store: Store, *bases: BaseModelConfig) -> None:
        self.store, self.bases = store, bases
        self.release: Release | None = None
        self.looked = -PATIENCE
        self.looking = Lock()

    def answer(self, text: str) -> Answer:
        """Answer one request; raises UpkeepError where no model could be loaded yet."""
        if self.release is None or time.monotonic() - self.looked >= PATIENCE:
            self.look()
        return self.model.answer([text])[0]

    def look(self) -> None:
        """Take the release over that is in service now; of several threads one at a time."""
        with self.looking:
            try:
                found = load(self.store, "releases/current.json", Release)
                if found != self.release:
                    self.model, self.release = self._model(found), found
            except UpkeepError as exc:
                if self.release is None:
                    raise
                print(f"still on release {self.release.number}: {exc}", file=sys.stderr)
            finally:
                self.looked = time.monotonic()

    def _model(self, release: Release) -> Model:
        if release.schema_version != SCHEMA_VERSION:
            raise UpkeepError(
                f"release {release.number} has schema {release.schema_version}, expected {SCHEMA_VERSION}"
            )
        with tempfile.TemporaryDirectory() as scratch:
            for name, digest in release.files.items():
                data = self.store.read(f"releases/models/{release.version}/{name}")
                if hashlib.sha256(data).hexdigest() != digest:
                    raise UpkeepError(f"release {release.number}: {name} is not the file that was released")
                (Path(scratch) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(scratch) / name).write_bytes(data)
            return load_release(Path(scratch), self._base(release), client=release.client)

    def _base(self, release: Release) -> Base:
        found = [resolve_base(one) for one in self.bases]
        wanted = release.base_digest, release.base_settings_digest
        own = next((one for one in found if one.difference(*wanted) is None), None)
        if own is None:
            got = [f"{one.reference} with {one.digest}: {one.difference(*wanted)}" for one in found]
            raise UpkeepError(f"release {release.number} stands on {release.base} with the SHA-256 {wanted}, got {got}")
        return own


def main() -> None:
    """Answer the lines of standard input."""
    bases: TypeAdapter[BaseModelConfig] = TypeAdapter(BaseModelConfig)
    given = [yaml.safe_load(Path(file).read_text()) for file in sys.argv[2:]]
    named = [bases.validate_python(one.get("base_model", one)) for one in given]
    application = Application(open_store(sys.argv[1]), *named)
    for line in sys.stdin:
        print(application.answer(line.strip()), flush=True)


if __name__ == "__main__":
    try:
        main()
    except UpkeepError as exc:
        sys.exit(f"{exc}")
