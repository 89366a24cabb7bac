"""Is what a client's config names at hand on this machine?"""

from __future__ import annotations

from pathlib import Path

from upkeep.base_model import expect_base
from upkeep.closeness import judge_of
from upkeep.config import Client
from upkeep.errors import BaseModelError, ConfigError
from upkeep.redaction import redact_cases


def check_own_functions(folder: Path, client: Client) -> None:
    """Raise ConfigError where a function of the client's own cannot be imported: whatever calls it would fail."""
    try:
        redact_cases((), client.redaction)
        judge_of(client.writing)
    except ConfigError as exc:
        raise ConfigError(f"{folder / 'clients' / client.client}.yaml: {exc}") from exc


def base_notes(client: Client) -> list[str]:
    """What is missing of the base model; no error, since another machine may do the work."""
    try:
        expect_base(client.base_model)
    except BaseModelError as exc:
        return [str(exc)]
    return []
