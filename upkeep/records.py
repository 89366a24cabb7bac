"""How do Upkeep's records become JSON and come back the same?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from upkeep.errors import AlreadyExistsError, NotFoundError, StoreError
from upkeep.store import Store, address

Record = TypeVar("Record")

_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}  # to build one takes longer than to read a record


def dump(record: object) -> bytes:
    """A record as JSON; equal records give equal bytes."""
    return _adapter(type(record)).dump_json(record, indent=1) + b"\n"


def save(store: Store, key: str, record: object) -> None:
    """Write a record, replacing what was there."""
    store.write(key, dump(record))


def create(store: Store, key: str, record: Record) -> Record:
    """Write a record where there is none, and return the one that stands there then: somebody may have been quicker."""
    try:
        store.create(key, dump(record))
    except AlreadyExistsError:
        return load(store, key, type(record))
    return record


def load(store: Store, key: str, kind: type[Record]) -> Record:
    """Read a record back. Raises NotFoundError where it is missing and StoreError where it is not such a record."""
    try:
        return _adapter(kind).validate_json(store.read(key))
    except ValidationError as exc:
        raise StoreError(f"{address(store, key)}: not a {kind.__name__}: {exc}") from exc


def load_if_there(store: Store, key: str, kind: type[Record]) -> Record | None:
    """Like `load`, or None where there is nothing."""
    try:
        return load(store, key, kind)
    except NotFoundError:
        return None


def dump_rows(rows: Iterable[object]) -> bytes:
    """One record a line; equal records give equal bytes."""
    return b"".join(_adapter(type(row)).dump_json(row) + b"\n" for row in rows)


def save_rows(store: Store, key: str, rows: Iterable[object]) -> None:
    """Write one record a line."""
    store.write(key, dump_rows(rows))


def load_rows(store: Store, key: str, kind: type[Record]) -> list[Record]:
    """Read one record a line. Raises StoreError naming the line that is not such a record."""
    reader, found = _adapter(kind), []
    for number, line in enumerate(store.read(key).splitlines(), start=1):
        try:
            found.append(reader.validate_json(line))
        except ValidationError as exc:
            raise StoreError(f"{address(store, key)} line {number}: not a {kind.__name__}: {exc}") from exc
    return found


def _adapter(kind: type[Record]) -> TypeAdapter[Record]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
