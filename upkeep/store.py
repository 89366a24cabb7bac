"""What is a client's store, and how do rows go into it?

A store holds bytes under keys such as `log/predictions/2026-11-23/api.jsonl`. `upkeep.adapters.store` opens one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from upkeep.errors import StoreError

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

    def put(self, key: str, path: Path) -> str:
        """The same with a file's bytes, which need not fit into memory; gives their mark. The file stays as it is."""
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

    def fetch(self, key: str, folder: Path, *, own: bool = False) -> Path:
        """A file with the key's bytes, to be read only: in place, or put into the folder. Raises NotFoundError.

        One of its `own` is in the folder, and keeps its bytes when others put something else under the key.
        """
        ...

    def delete(self, key: str) -> None:
        """Take the key away; nothing happens when it is not there."""
        ...

    def offer_folder(self, prefix: str) -> None:
        """Let people find a place for files of theirs, though it has none yet; of objects there is none to make."""
        ...


def address(store: Store, key: str) -> str:
    """Where a key is, for messages."""
    return f"{store.uri}/{key}"


def shown_key(key: str) -> str:
    """A key as it can be written down: what is not UTF-8 in the name of a file becomes a text such as `\\xe9`."""
    return key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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


def write_jsonl(store: Store, key: str, rows: Iterable[object]) -> None:
    """Write one row a line as JSON: UTF-8, sorted keys, times as ISO 8601 with offset; equal rows give equal bytes."""
    where = address(store, key)
    store.write(key, b"".join(_json(f"{where} line {number}", row) for number, row in enumerate(rows, start=1)))


def _json(where: str, value: object) -> bytes:
    try:
        text = json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False, sort_keys=True)
        return text.encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as exc:
        raise StoreError(f"{where}: cannot be written as JSON: {exc}") from exc


def _plain(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no offset, expected a zone-aware time")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"found {type(value).__name__}, expected a JSON value, a date or a time")
