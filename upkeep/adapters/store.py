"""Where does a client's store lie: in a folder or in an S3 bucket?"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import uuid4

from upkeep.errors import AlreadyExistsError, NotFoundError, StoreError
from upkeep.store import ASIDE, PROBE, Store, check_key, check_prefix, is_key, is_reserved

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.loaders import Loader
    from mypy_boto3_s3 import S3Client

WANTED = "an absolute folder, file:///folder or s3://bucket/prefix"
ABSENT = {"NoSuchKey", "404", "NotFound"}
TAKEN = {"PreconditionFailed", "412"}
BUSY = {"ConditionalRequestConflict", "OperationAborted", "409"}
"""Another request for the same key is not done yet: S3 wants to be asked again, and nothing need be there."""
WAITS = (0.1, 0.2, 0.4, 0.8)
"""Seconds between one try and the next while it is so."""
WRITER = "upkeep-writer"


def open_store(uri: str, *, endpoint: str | None = None) -> Store:
    """The store at an absolute folder, `file:///folder` or `s3://bucket/prefix`; nothing is read or made yet.

    `endpoint` is the address of an S3 server other than AWS; credentials and region come from boto3's normal chain.
    Raises StoreError.
    """
    if uri.startswith("s3://"):
        return _open_s3(uri, endpoint)
    if uri.startswith("file://"):
        host, slash, path = uri.removeprefix("file://").partition("/")
        folder = slash + unquote(path) if host in ("", "localhost") else ""
    else:
        folder = uri
    if not folder.startswith("/"):
        raise StoreError(f"store is {uri!r}, expected {WANTED}")
    return FolderStore(Path(folder))


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Keys are files below the folder; a folder that is not there yet is an empty store."""

    folder: Path

    @property
    def uri(self) -> str:
        return self.folder.as_posix()

    def read(self, key: str) -> bytes:
        with _disk(self._where(key)):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as exc:
                raise NotFoundError(f"{self._where(key)}: no such file") from exc

    def write(self, key: str, data: bytes) -> None:
        target = self._path(key)
        with _disk(self._where(key)), _written_aside(target, data) as aside:
            os.replace(aside, target)

    def put(self, key: str, path: Path) -> str:
        target = self._path(key)
        with _disk(self._where(key)), _aside(target) as aside:
            _link(path, aside)
            with aside.open("rb") as file:
                os.fsync(file.fileno())
            mark = _mark(aside.stat())
            os.replace(aside, target)
        return mark

    def create(self, key: str, data: bytes) -> None:
        target = self._path(key)
        with _disk(self._where(key)), _written_aside(target, data) as aside:
            try:
                os.link(aside, target)
            except FileExistsError as exc:
                raise AlreadyExistsError(f"{self._where(key)}: is there already and may be written only once") from exc

    def exists(self, key: str) -> bool:
        with _disk(self._where(key)):
            return self._path(key).is_file()

    def keys(self, prefix: str) -> Iterator[str]:
        top = self.folder / check_prefix(prefix, self.uri).rpartition("/")[0]
        with _disk(self._where(prefix)):
            found = [path.relative_to(self.folder).as_posix() for path in _files(top)]
        yield from sorted(key for key in found if key.startswith(prefix) and not is_reserved(key))

    def marks(self, prefix: str) -> dict[str, str]:
        found = self._stats(prefix)
        return {key: _mark(stat) for key, stat in found.items()}

    def size(self, prefix: str) -> int:
        return sum(stat.st_size for stat in self._stats(prefix).values())

    def fetch(self, key: str, folder: Path, *, own: bool = False) -> Path:
        if not self.exists(key):
            raise NotFoundError(f"{self._where(key)}: no such file")
        return self._held(key, folder / uuid4().hex) if own else self._path(key)

    def delete(self, key: str) -> None:
        with _disk(self._where(key)), suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            self._path(key).unlink()

    def offer_folder(self, prefix: str) -> None:
        with _disk(self._where(prefix)):
            (self.folder / check_prefix(prefix, self.uri)).mkdir(parents=True, exist_ok=True)

    def _held(self, key: str, target: Path) -> Path:
        """The key's file as it is now under another name: `write` gives the key another file and leaves this one."""
        with _disk(self._where(key)):
            try:
                _link(self._path(key), target)
            except FileNotFoundError as exc:
                raise NotFoundError(f"{self._where(key)}: no such file") from exc
        return target

    def _stats(self, prefix: str) -> dict[str, os.stat_result]:
        found = {}
        for key in self.keys(prefix):
            with _disk(self._where(key)), suppress(FileNotFoundError):  # taken away meanwhile
                found[key] = self._path(key).stat()
        return found

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key, self.uri)

    def _where(self, key: str) -> str:
        return f"{self.uri}/{key}"


class _BusyError(StoreError):
    """Another request for the same key is not done yet."""


@dataclass(slots=True)
class _Probe:
    """Does the server honour conditional writes? None until it was tried."""

    honoured: bool | None = None
    lock: Lock = field(default_factory=Lock)


@dataclass(frozen=True, slots=True)
class S3Store:
    """Keys are objects below `s3://bucket/prefix/`; safe to use from several threads."""

    client: S3Client
    bucket: str
    prefix: str
    _probe: _Probe = field(default_factory=_Probe, init=False, repr=False, compare=False)

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".removesuffix("/")

    def read(self, key: str) -> bytes:
        with self._errors(key):
            return self.client.get_object(Bucket=self.bucket, Key=self._object(key))["Body"].read()

    def write(self, key: str, data: bytes) -> None:
        with self._errors(key):
            self.client.put_object(Bucket=self.bucket, Key=self._name(check_key(key, self.uri)), Body=data)

    def put(self, key: str, path: Path) -> str:
        with self._errors(key), path.open("rb") as file:
            made = self.client.put_object(Bucket=self.bucket, Key=self._name(check_key(key, self.uri)), Body=file)
        return _object_mark(path.stat().st_size, made["ETag"])

    def create(self, key: str, data: bytes) -> None:
        check_key(key, self.uri)
        self._require_conditional_writes()
        self._create(key, data)

    def exists(self, key: str) -> bool:
        # a HEAD cannot tell a missing bucket from a missing key; of the keys it begins, a key itself is listed first
        name = self._object(key)
        with self._errors(key):
            found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=name, MaxKeys=1)
        return [entry["Key"] for entry in found.get("Contents", [])] == [name]

    def keys(self, prefix: str) -> Iterator[str]:
        yield from self.marks(prefix)

    def marks(self, prefix: str) -> dict[str, str]:
        return {key: _object_mark(entry["Size"], entry["ETag"]) for key, entry in self._entries(prefix).items()}

    def size(self, prefix: str) -> int:
        return sum(entry["Size"] for entry in self._entries(prefix).values())

    def fetch(self, key: str, folder: Path, *, own: bool = False) -> Path:  # noqa: ARG002 always one of its own
        target = folder / uuid4().hex
        with self._errors(key), target.open("wb") as file:
            self.client.download_fileobj(self.bucket, self._object(key), file)
        return target

    def delete(self, key: str) -> None:
        with self._errors(key):
            self.client.delete_object(Bucket=self.bucket, Key=self._object(key))

    def offer_folder(self, prefix: str) -> None:
        check_prefix(prefix, self.uri)

    def _entries(self, prefix: str) -> dict[str, Any]:
        base = f"{self.prefix}/" if self.prefix else ""
        pages = self.client.get_paginator("list_objects_v2")
        with self._errors(prefix):
            listed = pages.paginate(Bucket=self.bucket, Prefix=base + check_prefix(prefix, self.uri))
            found = {entry["Key"].removeprefix(base): entry for page in listed for entry in page.get("Contents", [])}
        # consoles make empty objects whose name ends in a slash to show a folder
        return {key: found[key] for key in sorted(found) if is_key(_without_gaps(key))}

    def _create(self, key: str, data: bytes) -> None:
        writer = uuid4().hex
        for wait in (*WAITS, None):
            try:
                with self._errors(key):
                    self.client.put_object(
                        Bucket=self.bucket, Key=self._name(key), Body=data, IfNoneMatch="*", Metadata={WRITER: writer}
                    )
                return
            except (AlreadyExistsError, _BusyError) as exc:
                there = self._writer(key)
                if there == writer:
                    # when an answer is lost botocore asks again, and is then told that our own object is in the way
                    return
                if isinstance(exc, AlreadyExistsError):
                    raise
                if there is not None:
                    raise AlreadyExistsError(f"{exc}; it is there already") from exc
                if wait is None:
                    raise
                time.sleep(wait)

    def _writer(self, key: str) -> str | None:
        """Who wrote what is there: empty where it does not say, None where nothing is."""
        try:
            with self._errors(key):
                return self.client.head_object(Bucket=self.bucket, Key=self._name(key))["Metadata"].get(WRITER, "")
        except NotFoundError:
            return None

    def _require_conditional_writes(self) -> None:
        """Try once whether the server refuses to overwrite; some accept the condition and ignore it."""
        with self._probe.lock:
            if self._probe.honoured is None:
                self._probe.honoured = self._refuses_to_overwrite()
        if not self._probe.honoured:
            wanted = "a server on which of two writers one is refused"
            raise StoreError(f"{self.uri}: the S3 server ignores If-None-Match, expected {wanted}; nothing was written")

    def _refuses_to_overwrite(self) -> bool:
        key = f"{PROBE}/{uuid4().hex}"
        self._create(key, b"first")
        try:
            self._create(key, b"second")
        except AlreadyExistsError:
            return True
        finally:
            with self._errors(key):
                self.client.delete_object(Bucket=self.bucket, Key=self._name(key))
        return False

    def _object(self, key: str) -> str:
        """The name of an object that is there or not; it may be one that only others than us gave."""
        check_key(_without_gaps(key), self.uri)
        return self._name(key)

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError
        from s3transfer.exceptions import RetriesExceededError  # neither, of a download that broke off again and again

        where = f"{self.uri}/{key}"
        try:
            yield
        except ClientError as exc:
            code = exc.response.get("Error", {}).get("Code", "")
            if code in ABSENT:
                raise NotFoundError(f"{where}: no such object") from exc
            if code in TAKEN:
                raise AlreadyExistsError(f"{where}: is there already and may be written only once") from exc
            if code in BUSY:
                raise _BusyError(f"{where}: {exc}") from exc
            raise StoreError(f"{where}: {exc}") from exc
        except RetriesExceededError as exc:
            raise StoreError(f"{where}: {exc}: {exc.last_exception}") from exc
        except BotoCoreError as exc:
            raise StoreError(f"{where}: {exc}") from exc


def _open_s3(uri: str, endpoint: str | None) -> S3Store:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/")
    if not bucket:
        raise StoreError(f"store is {uri!r}, expected {WANTED}")
    check_prefix(prefix, uri)
    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
    try:
        client = _session().client("s3", endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as exc:
        raise StoreError(f"{uri}: cannot be opened at endpoint {endpoint or 'AWS'}: {exc}") from exc
    return S3Store(client=client, bucket=bucket, prefix=prefix)


def _session() -> Session:
    """A session of its own, so that a store is opened with the credentials of its day."""
    import botocore.session
    from boto3.session import Session

    made = botocore.session.get_session()
    made.register_component("data_loader", _loader())
    return Session(botocore_session=made)


@lru_cache(maxsize=1)
def _loader() -> Loader:
    """What boto3 knows of S3, which is read once in a process: that takes 12 MB."""
    from botocore.loaders import create_loader

    return create_loader()


def _without_gaps(key: str) -> str:
    """A key without empty parts within, which only S3 has: inbox//a is another object than inbox/a."""
    return re.sub("/{2,}", "/", key)


def _files(top: Path) -> Iterator[Path]:
    """Every file below a folder, also through links that lead out of it; nothing when the folder is not there."""

    def fail(error: OSError) -> None:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise error

    for folder, folders, names in os.walk(top, onerror=fail, followlinks=True):
        yield from (Path(folder, name) for name in names)
        folders[:] = [name for name in folders if not _leads_back(Path(folder, name))]


def _leads_back(folder: Path) -> bool:
    """Is it a link to a folder that it lies in?"""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _mark(stat: os.stat_result) -> str:
    return f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ino}"


def _object_mark(size: int, etag: str) -> str:
    return f"{size}-{etag}"


def _link(path: Path, target: Path) -> None:
    """Give a file a second name, or copy it where it cannot have one: on another file system, or one without links."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Another name in the target's folder, of which nothing stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.parent / f"{ASIDE}{uuid4().hex}"
    try:
        yield aside
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _written_aside(target: Path, data: bytes) -> Iterator[Path]:
    """The bytes, safely on disk under another name in the target's folder."""
    with _aside(target) as aside:
        with aside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield aside


@contextmanager
def _disk(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreError(f"{where}: {exc.strerror or exc}") from exc
