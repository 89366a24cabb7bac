"""Has every client a store of its own?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from upkeep.config import client_names, load_agreement
from upkeep.desk import Desk, desk_of
from upkeep.errors import ConfigError, UpkeepError


def check_apart(folder: Path, desk: Desk, others: Iterable[Desk]) -> None:
    """Raise ConfigError where a client's store is another's, or one lies in the other: their data would mix."""
    mine = _place(desk)
    for other in others:
        theirs = _place(other)
        if f"{mine}/".startswith(f"{theirs}/") or f"{theirs}/".startswith(f"{mine}/"):
            raise ConfigError(
                f"{folder / 'clients' / desk.client.client}.yaml: store is {desk.client.store!r} ({mine}), "
                f"{other.client.client}.yaml has {other.client.store!r} ({theirs}); "
                "expected stores of which none is another or lies in another"
            )


def neighbours(folder: Path, client: str) -> list[Desk]:
    """The other clients, as far as their configs can be read: a broken one holds up nobody else."""
    found = []
    for name in client_names(folder):
        try:
            found += [desk_of(load_agreement(folder, name))] if name != client else []
        except UpkeepError:  # `upkeep check` tells
            continue
    return found


def _place(desk: Desk) -> str:
    """Where the store is, without links and `..`, on which server; however the config spells it."""
    uri = desk.store.uri
    if "://" in uri:
        return f"{(desk.client.store_endpoint or '').rstrip('/')} {uri}".lstrip()
    return str(Path(uri).resolve())
