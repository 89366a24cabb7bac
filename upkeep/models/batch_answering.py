"""How does a model answer a file of requests, however long that is?

So many lines are in memory at a time. A line that cannot be used is written to a file beside the answers, with its
number and what is wrong with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from upkeep.conversations import request_of
from upkeep.errors import ConfigError
from upkeep.models.batches import chunks
from upkeep.models.manifest import Answer
from upkeep.progress import Progress, silent


class Request(NamedTuple):
    """A line that can be answered."""

    id: str
    text: str


class Rejected(NamedTuple):
    """A line that cannot."""

    line: int
    reason: str


class Answered(NamedTuple):
    """How many lines were answered, and how many could not be; those are in `rejects`, if there are any."""

    answered: int
    rejected: int
    rejects: Path


class Answering(Protocol):
    """Whatever answers texts."""

    def answer(self, texts: list[str]) -> list[Answer]:
        """One answer to each."""


def answer_file(
    model: Answering, requests: Path, answers: Path, *, version: str, progress: Progress = silent
) -> Answered:
    """Answer each line of JSON with `id` and `input`, as a log has them, by a line in another file.

    Neither file is there before all of it is. Raises ConfigError where one would take the place of the
    requests.
    """
    rejects = answers.with_name(f"{answers.stem}.rejected.jsonl")
    if requests.resolve() in (answers.resolve(), rejects.resolve()):
        raise ConfigError(f"{requests}: would be written over, expected answers in another file than {answers}")
    answers.parent.mkdir(parents=True, exist_ok=True)
    parts = {path: path.with_name(f"{path.name}.{os.getpid()}.part") for path in (answers, rejects)}
    try:
        with ExitStack() as stack:
            lines = stack.enter_context(requests.open("rb"))
            out, bad = (stack.enter_context(part.open("w", encoding="utf-8")) for part in parts.values())
            answered = rejected = 0
            for rows in chunks(_read(lines)):
                good = [row for row in rows if isinstance(row, Request)]
                wrong = [row for row in rows if isinstance(row, Rejected)]
                for asked, given in zip(good, model.answer([row.text for row in good]), strict=True):
                    _write(out, {"id": asked.id, **asdict(given), "model_version": version})
                for row in wrong:
                    _write(bad, row._asdict())
                answered, rejected = answered + len(good), rejected + len(wrong)
                progress("bytes answered", lines.tell(), requests.stat().st_size)
        rejects.unlink(missing_ok=True)
        for path in (answers, rejects) if rejected else (answers,):
            parts[path].replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return Answered(answered, rejected, rejects)


def _write(file: IO[str], row: dict[str, object]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _read(lines: IO[bytes]) -> Iterator[Request | Rejected]:
    for number, line in enumerate(iter(lines.readline, b""), start=1):
        if line.strip():
            yield _row(number, line)


def _row(number: int, line: bytes) -> Request | Rejected:
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()  # half a character is JSON, but no text
    except ValueError as exc:
        return Rejected(number, f"not JSON: {exc}")
    if not isinstance(row, dict):
        return Rejected(number, f"found {type(row).__name__}, expected an object with `id` and `input`")
    key = row.get("id")
    if not isinstance(key, str) or not key.strip():
        return Rejected(number, f"id: found {json.dumps(key)[:80]}, expected a text that is not empty")
    try:
        return Request(key, request_of(row.get("input")))
    except ValueError as exc:
        return Rejected(number, f"input: found {json.dumps(row.get('input'))[:80]}, expected {exc}")
