"""What does a release answer in a process that never trained it?

A model can answer right where it was trained and be lost on disk: a head that was not saved, an adapter that is dropped
in silence. So it is read back where nothing of the training is in memory.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from upkeep.base_model import Base
from upkeep.errors import ReleaseError, UpkeepError
from upkeep.models.manifest import Answer


def answers_in_fresh_process(folder: Path, base: Base, texts: Sequence[str]) -> list[Answer]:
    """The answers of the release in a folder, given by another process.

    Raises ReleaseError where it cannot be read there, or that process ends.
    """
    told_base = [str(base.folder), base.digest, base.reference, base.settings_digest]
    asked = {"folder": str(folder), "base": told_base, "texts": list(texts)}
    told = prepare().ask(asked)
    if "error" in told:
        raise ReleaseError(f"{folder}: cannot be read back by another process: {told['error']}")
    return [Answer(*one) for one in told["answers"]]


def same_answers(answers: Sequence[Answer], back: Sequence[Answer]) -> bool:
    """Are two models' answers alike, and as sure to a millionth?"""
    return all(
        one.output == other.output and math.isclose(one.confidence, other.confidence, rel_tol=0, abs_tol=1e-6)
        for one, other in zip(answers, back, strict=True)
    )


@lru_cache(maxsize=1)
def prepare() -> Reader:
    """Start that process, which takes seconds to import what it needs; it ends with this one."""
    reader = Reader([sys.executable, "-m", "upkeep.models.reload"])
    atexit.register(reader.close)
    return reader


class Reader:
    """A process that answers each line of JSON with one."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        self.lock = Lock()
        self.process = self._start()

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What it says. One that has ended is started again."""
        with self.lock:
            if self.process.poll() is not None:
                self.process = self._start()
            try:
                self.process.stdin.write(json.dumps(asked) + "\n")  # type: ignore[union-attr]
                self.process.stdin.flush()  # type: ignore[union-attr]
                line = self.process.stdout.readline()  # type: ignore[union-attr]
            except BrokenPipeError:
                line = ""
        return dict(json.loads(line)) if line else {"error": f"it ended with exit code {self.process.wait()}"}

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def main() -> None:
    """Answer the lines of standard input until it ends."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)  # what a library prints is no answer
        from upkeep.models.loading import load_release

        for line in sys.stdin:
            asked = json.loads(line)
            base_folder, *named = asked["base"]
            try:
                model = load_release(Path(asked["folder"]), Base(Path(base_folder), *named))
                found = [(one.output, one.confidence, one.automatic) for one in model.answer(asked["texts"])]
                told: dict[str, Any] = {"answers": found}
            except (UpkeepError, OSError, RuntimeError, ValueError) as exc:
                told = {"error": f"{type(exc).__name__}: {exc}"}
            print(json.dumps(told), file=out, flush=True)


if __name__ == "__main__":
    from upkeep.home import prepare_process

    prepare_process()
    main()
