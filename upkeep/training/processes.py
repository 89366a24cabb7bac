"""How are processes started that train together, and what do they say meanwhile?

UPKEEP_LAUNCH is the command that starts them: `torchrun --nproc-per-node 4`, or on several machines that share
UPKEEP_HOME whatever starts an agent on each (docs/training.md).
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

from upkeep.errors import TrainingError
from upkeep.progress import Measured, Progress

LAUNCH = "UPKEEP_LAUNCH"
SIGN = "upkeep: "
"""What begins a line that a process says to the one that started it."""
TOLD = 4000
"""So many of the last characters of what went wrong are told."""


def launch_command(environment: Mapping[str, str] = os.environ) -> list[str] | None:
    """The command that somebody wants processes to be started by."""
    given = environment.get(LAUNCH)
    return shlex.split(given) if given else None


class ProcessReport(NamedTuple):
    """What the processes came to, and what they say of how they began."""

    result: list[Any]
    notes: list[str]


def run_processes(command: list[str], progress: Progress, measured: Measured) -> ProcessReport:
    """Start processes and listen to them until they end.

    Raises MemoryError where one of them has no memory, TrainingError where they fail.
    """
    result: list[Any] | None = None
    notes: list[str] = []
    lacking: str | None = None
    with tempfile.TemporaryFile("w+") as errors:
        with _started(command, errors) as process:
            try:
                for line in process.stdout or ():
                    if not line.startswith(SIGN):
                        continue
                    what, told = json.loads(line.removeprefix(SIGN))
                    if what == "progress":
                        progress(*told)
                    elif what == "measured":
                        measured(*told)
                    elif what == "lacking":
                        lacking = str(told)
                    elif what == "begun":
                        notes = told
                    else:
                        result = told
            except BaseException:
                process.terminate()
                raise
        if process.returncode == 0 and result is not None:
            return ProcessReport(result, notes)
        if lacking is not None:
            raise MemoryError(lacking)
        errors.seek(0)
        said = errors.read()[-TOLD:]
    raise TrainingError(f"{shlex.join(command)} ended with exit code {process.returncode}: {said}")


def _started(command: list[str], errors: IO[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    except OSError as exc:
        raise TrainingError(f"{command[0]} cannot be started: {exc}; {LAUNCH} may need its whole path") from exc


def report(what: str, told: Any, *, speaks: bool = True) -> None:
    """Say something to the process that started this one: `progress`, `measured`, `begun`, `lacking` or `passed`.

    Of several processes one `speaks`.
    """
    if speaks:
        print(f"{SIGN}{json.dumps([what, told])}", flush=True)
