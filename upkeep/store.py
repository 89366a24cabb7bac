"""What is a client's store, and how do records and folders go in and out of it?

A store holds bytes under keys such as `log/predictions/2026-11-23/api.jsonl`. `upkeep.adapters.store` opens one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from upkeep.errors import NotFoundError, StoreError

ASIDE = ".aside-"
"""How the name of a file that is still being written begins."""
PROBE = ".probe"
"""The folder in which an adapter tries the server out."""


class Store(Protocol):
    """One client's bytes by key. Every method raises StoreError, naming the address, when the store fails."""

    @property
    def uri(self) -> str:
        """Where the store is: an absolute folder or s3://bucket/prefix, without a slash at the end."""
        ...

    def read(self, key: str) -> bytes:
        """All bytes of a key. Raises NotFoundError."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Put the bytes there, whatever was there; a reader sees the old bytes or the new ones, never a part."""
        ...

    def create(self, key: str, data: bytes) -> None:
        """Put the bytes there unless something is there; of several at once one wins. Raises AlreadyExistsError."""
        ...

    def exists(self, key: str) -> bool:
        """Is there something under the key?"""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key that begins with the prefix, as text, in order; never files still being written."""
        ...

    def marks(self, prefix: str) -> dict[str, str]:
        """The keys as `keys` gives them, each with a mark that is another one when its bytes have changed."""
        ...

    def size(self, prefix: str) -> int:
        """How many bytes all keys that begin with the prefix have together."""
        ...

    def fetch(self, key: str, folder: Path) -> Path:
        """A file with the key's bytes, to be read only: in place, or put into the folder. Raises NotFoundError."""
        ...

    def delete(self, key: str) -> None:
        """Take the key away; nothing happens when it is not there."""
        ...


def address(store: Store, key: str) -> str:
    """Where a key is, for messages."""
    return f"{store.uri}/{key}"


def link(store: Store, key: str) -> str:
    """The same as a URL: file:///... or s3://..."""
    where = address(store, key)
    return where if "://" in where else Path(where).as_uri()


def check_key(key: str, store: str) -> str:
    """Return the key if it is a relative posix path inside the store at an address, else raise StoreError."""
    if is_reserved(key):
        own = f"{PROBE}/ and names that begin with {ASIDE!r} are the store's own"
        raise StoreError(f"{store}: store key is {key!r}, but {own}")
    if not is_key(key):
        wanted = "a relative path such as releases/v3/manifest.json, without '..' and empty parts"
        raise StoreError(f"{store}: store key is {key!r}, expected {wanted}")
    return key


def check_prefix(prefix: str, store: str) -> str:
    """Return the prefix if keys may begin with it; the empty one stands for the whole store."""
    if prefix:
        check_key(prefix.removesuffix("/"), store)
    return prefix


def is_key(key: str) -> bool:
    """Is it a relative posix path inside a store, and not one of the store's own keys?"""
    return not is_reserved(key) and not any(part in ("", ".", "..") or "\0" in part for part in key.split("/"))


def is_reserved(key: str) -> bool:
    """Is it one of the store's own keys, which are neither listed nor taken?"""
    parts = key.split("/")
    return parts[0] == PROBE or any(part.startswith(ASIDE) for part in parts)


def read_json(store: Store, key: str) -> Any:
    """The value in a JSON file. Raises StoreError when it is not JSON."""
    return _parse(address(store, key), store.read(key))


def write_json(store: Store, key: str, value: object) -> None:
    """Write a value as JSON: UTF-8, sorted keys, times as ISO 8601 with offset; equal values give equal bytes."""
    store.write(key, _json(address(store, key), value, indent=2))


def create_json(store: Store, key: str, value: object) -> None:
    """Like `write_json`, but raises AlreadyExistsError when the key is taken."""
    store.create(key, _json(address(store, key), value, indent=2))


def read_jsonl(store: Store, key: str) -> list[Any]:
    """The values in a JSON Lines file; blank lines are passed over. Raises StoreError naming the line."""
    where = address(store, key)
    lines = enumerate(store.read(key).split(b"\n"), start=1)
    return [_parse(f"{where} line {number}", line) for number, line in lines if line.strip()]


def write_jsonl(store: Store, key: str, rows: Iterable[object]) -> None:
    """Write one row a line, each as `write_json` would."""
    where = address(store, key)
    store.write(key, b"".join(_json(f"{where} line {number}", row) for number, row in enumerate(rows, start=1)))


def local_copy(store: Store, prefix: str, folder: Path) -> None:
    """Copy every key under `prefix/` into the folder. Raises NotFoundError when there is none."""
    base = prefix.removesuffix("/") + "/"
    found = list(store.keys(base))
    if not found:
        raise NotFoundError(f"{address(store, base)}: nothing there, expected files to copy to {folder}")
    for key in found:
        target = folder / check_key(key.removeprefix(base), address(store, base))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(store.read(key))


def upload_folder(store: Store, prefix: str, folder: Path, *, last: str = "manifest.json") -> None:
    """Write every file below the folder under `prefix/`.

    The file named `last` goes up after all others: who finds it finds the rest. Raises StoreError when there is none.
    """
    base = prefix.removesuffix("/")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if not names:
        raise StoreError(f"{folder}: no file here, expected a folder to write to {address(store, base)}")
    for name in sorted(names, key=lambda name: name == last):
        store.write(f"{base}/{name}", (folder / name).read_bytes())


def _parse(where: str, data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as exc:
        raise StoreError(f"{where}: not JSON: {exc}") from exc


def _json(where: str, value: object, *, indent: int | None = None) -> bytes:
    try:
        text = json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=indent)
        return text.encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as exc:
        raise StoreError(f"{where}: cannot be written as JSON: {exc}") from exc


def _plain(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no offset, expected a zone-aware time")
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"found {type(value).__name__}, expected a JSON value, a date, a time or a dataclass")
