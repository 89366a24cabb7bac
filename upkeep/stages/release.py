"""Which model is in service, how does another one take its place, and who is told?

In the client's store: releases/log/000001.json and on, releases/models/<version>/ for what was released,
releases/current.json for the client's application.

The log's next entry is the one step in which a model changes, and what is in service is asked of the log. MLflow's
alias and the pointer follow it; `settle` brings them after it wherever a run was killed.
"""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from upkeep import records
from upkeep.adapters.addresses import shown_address
from upkeep.adapters.registry import IS_IT_THIS_ONE
from upkeep.base_model import resolve_base
from upkeep.desk import LAUNCH, Desk
from upkeep.errors import AlreadyExistsError, DecisionError, ReleaseError, StoreError, require_name
from upkeep.models.loading import expect_release
from upkeep.models.manifest import Manifest, expect_client, read_manifest
from upkeep.release import Action, Entry, KnownAnswer, Release, answers_differ, code_version, replaced, spread_evenly
from upkeep.stages.challengers import Challenger, challengers
from upkeep.stages.own_base import load_version, own_base
from upkeep.stages.prerequisites import require_model
from upkeep.store import address

LOG = "releases/log/"
CURRENT = "releases/current.json"
KNOWN = "known.jsonl"
PROMOTED_FROM = "upkeep.promoted_from"
"""The tag of a version in MLflow that says which one it took the place of."""


def release_log(desk: Desk) -> list[Entry]:
    """Every change of the model in service, oldest first."""
    return [records.load(desk.store, key, Entry) for key in desk.store.keys(LOG)]


def in_service(desk: Desk) -> str:
    """The version in service by the log, or by MLflow where the log is not begun. Raises NoChampionError."""
    entries = release_log(desk)
    return entries[-1].version if entries else desk.registry.champion()


def newer_in_service(desk: Desk, moment: datetime) -> Challenger | None:
    """The model in service, where it was taught what was known after a moment; a first one is of no moment."""
    entries = release_log(desk)
    served = {one.version: one for one in challengers(desk) if one.period != LAUNCH} if entries else {}
    newest = served.get(entries[-1].version) if entries else None
    return newest if newest and newest.as_of > desk.local(moment) else None


def require_no_newer(desk: Desk, as_of: datetime) -> None:
    """Raise DecisionError where the model in service is newer than a retrain as of a moment would make one.

    The older one would be compared on what was right then, and win over the newer one for what is wrong today.
    """
    newer = newer_in_service(desk, as_of)
    if newer:
        raise DecisionError(
            f"client {desk.client.client}: a retrain as of {desk.local(as_of):%Y-%m-%d %H:%M} comes too late: version "
            f"{newer.version}, of {newer.as_of:%Y-%m-%d %H:%M}, is in service since {release_log(desk)[-1].at:%Y-%m-%d}"
        )


def require_bases(desk: Desk) -> None:
    """Raise BaseModelError where the client's base model, or that of the version in service, is not here.

    A retrain would otherwise fail when it has trained: its challenger is compared with that version.
    """
    resolve_base(desk.client.base_model)
    entries = release_log(desk)
    if entries:
        version = entries[-1].version
        own_base(desk.registry, desk.client.base_model, version, _manifest(desk, version))


def launch(desk: Desk, version: str, *, at: datetime, by: str = "onboarding", reason: str = "the first model") -> Entry:
    """Put a client's first model into service; where one is already nothing happens."""
    apply_log(desk)
    entries = release_log(desk)
    if entries:
        return entries[0]
    publish(desk, version)
    return _enter(desk, Action.LAUNCH, version, None, 1, at=at, by=by, reason=reason)


def put_into_service(
    desk: Desk,
    version: str,
    *,
    instead_of: str,
    decision: str,
    evidence: str | None,
    at: datetime,
    by: str,
    reason: str,
) -> Entry:
    """Promote a version; the same decision again changes nothing.

    Raises DecisionError where another one than `instead_of` is in service, also when somebody else was quicker, and
    ReleaseError where the version's files are in the store and not what was trained.
    """
    entries = _begun(desk, at)
    done = next((one for one in entries if one.decision == decision), None)
    if done is None:
        if entries[-1].version != instead_of:
            raise DecisionError(
                f"client {desk.client.client}, decision {decision}: it compared with version {instead_of}, "
                f"but {entries[-1].version} is in service now"
            )
        publish(desk, version)
        done = _enter(
            desk,
            Action.PROMOTE,
            version,
            instead_of,
            len(entries) + 1,
            at=at,
            by=by,
            reason=reason,
            decision=decision,
            evidence=evidence,
        )
    return done


def roll_back(desk: Desk, *, by: str, reason: str, at: datetime, to: str | None = None) -> Entry:
    """Put the champion before the present one back into service, or the version `to`, once it answers as it did.

    The newest change asked for again, by the same person for the same reason, is that one: its run may have failed on
    the way. Raises DecisionError where there is none to go back to, ReleaseError where that one is not what it was, and
    PersonError.
    """
    require_name(by)
    require_model(desk)
    entries = _begun(desk, at)
    done = entries[-1]
    if done.action is not Action.ROLLBACK or (done.by, done.reason, to or done.version) != (by, reason, done.version):
        done = _go_back(desk, entries, by=by, reason=reason, at=at, to=to)
    with suppress(StoreError):  # a note for who looks into MLflow; the log has it
        why = {"upkeep.rolled_back": f"{done.at.isoformat()} by {by}: {reason}"}
        desk.registry.tag(str(done.previous), why)
    return done


def _go_back(desk: Desk, entries: list[Entry], *, by: str, reason: str, at: datetime, to: str | None) -> Entry:
    version = to or replaced(entries, client=desk.client.client)
    served = dict.fromkeys(served for one in entries for served in (one.previous, one.version) if served)
    if version not in served or version == entries[-1].version:
        others = [one for one in served if one != entries[-1].version]
        raise DecisionError(
            f"client {desk.client.client}: cannot go back to version {version}, expected one of {others}, "
            f"which were in service before {entries[-1].version}"
        )
    check_release(desk, version)
    return _enter(desk, Action.ROLLBACK, version, entries[-1].version, len(entries) + 1, at=at, by=by, reason=reason)


def apply_log(desk: Desk) -> Entry | None:
    """Bring MLflow's alias and the pointer after the log; safe to run at any time, by several at once.

    One that was held up may write what another has changed meanwhile: each looks again when it is done.
    """
    newest = None
    while (entries := release_log(desk)) and entries[-1] != newest:
        newest = entries[-1]
        if desk.registry.version("champion") != newest.version:
            desk.registry.promote(newest.version)
        pointer = None
        with suppress(StoreError):  # a damaged one is written afresh; a store that fails does so then too
            pointer = current_release(desk)
        if pointer is None or not points_to(desk, pointer, newest):
            records.save(desk.store, CURRENT, release_of(desk, newest))
    return newest


def current_release(desk: Desk) -> Release | None:
    """What the client's application reads, or None before the first model. Raises StoreError where it is damaged."""
    return records.load_if_there(desk.store, CURRENT, Release)


def points_to(desk: Desk, pointer: Release, entry: Entry) -> bool:
    """Does the pointer lead to what a change put into service, where the store is now? It may have moved."""
    return (pointer.number, pointer.folder) == (entry.number, address(desk.store, _folder(entry.version)))


def release_of(desk: Desk, entry: Entry) -> Release:
    """What the application is to know of a change."""
    keys = _files(desk, entry.version)
    manifest = _manifest(desk, entry.version)
    start = f"{_folder(entry.version)}/"
    return Release(
        client=desk.client.client,
        number=entry.number,
        action=entry.action,
        since=entry.at,
        version=entry.version,
        previous=entry.previous,
        folder=address(desk.store, _folder(entry.version)),
        files={key.removeprefix(start): hashlib.sha256(desk.store.read(key)).hexdigest() for key in keys},
        model=f"models:/{desk.client.client}/{entry.version}",
        base=manifest.base,
        base_digest=manifest.base_digest,
        base_settings_digest=manifest.base_settings_digest,
        labels=manifest.labels,
        out_of_scope_label=manifest.out_of_scope_label,
        threshold=manifest.threshold,
        weights_digest=manifest.weights_digest,
        task=manifest.task,
        training_digest=manifest.training_digest,
    )


def check_release(desk: Desk, version: str) -> None:
    """Raise ReleaseError unless a released version, read from the store, answers its known inputs as it did.

    Raises BaseModelError where its base model is not here.
    """
    if not _is_published(desk, version):
        publish(desk, version)
    known = records.load_rows(desk.store, f"{_folder(version)}/{KNOWN}", KnownAnswer)
    with tempfile.TemporaryDirectory() as scratch:
        stored = _stored(desk, version, Path(scratch))
        model = load_version(desk.registry, desk.client.base_model, version, stored)
        answers = model.answer([one.text for one in known])
    found = [(one.output, one.confidence) for one in answers]
    wrong = answers_differ(known, found, written=desk.client.free_text)
    if wrong:
        where = f"client {desk.client.client}: version {version} answers {len(wrong)} of {len(known)} known inputs"
        raise ReleaseError(f"{where} otherwise than when it was released; {wrong[0]}")


def publish(desk: Desk, version: str) -> None:
    """Put a version's files and the answers to its known inputs into the store; once it is there it is only checked.

    Raises StoreError as `fetch_trained` does, before anything is written, and ReleaseError where what is there is not
    what was trained.
    """
    folder = _folder(version)
    if _is_published(desk, version):
        with tempfile.TemporaryDirectory() as scratch:
            _stored(desk, version, Path(scratch))
        return
    with tempfile.TemporaryDirectory() as scratch:
        fetched = fetch_trained(desk, version, Path(scratch))
        for path in sorted(path for path in fetched.rglob("*") if path.is_file()):
            desk.store.write(f"{folder}/{path.relative_to(fetched).as_posix()}", path.read_bytes())
        model = load_version(desk.registry, desk.client.base_model, version, fetched)
    texts = spread_evenly([item.text for item in desk.golden()])
    answers = model.answer(texts)
    rows = [KnownAnswer(text, one.output, one.confidence) for text, one in zip(texts, answers, strict=True)]
    records.save_rows(desk.store, f"{folder}/{KNOWN}", rows)  # last: with it the folder is whole


def fetch_trained(desk: Desk, version: str, folder: Path) -> Path:
    """Download a version and return its release folder.

    Raises StoreError where it is not the one that was trained for the client: each MLflow counts from 1.
    """
    fetched = desk.registry.fetch(version, folder)
    found = read_manifest(fetched)
    where = f"client {desk.client.client}: MLflow at {shown_address(desk.registry.uri)}"
    if found.client not in ("", desk.client.client):
        raise StoreError(f"{where} has version {version} of another client, {found.client!r}; {IS_IT_THIS_ONE}")
    if other := _other_than_trained(desk, version, found):
        raise StoreError(f"{where} has {other}; {IS_IT_THIS_ONE}")
    return fetched


def _stored(desk: Desk, version: str, folder: Path) -> Path:
    """Copy a released version's files out of the store.

    Raises ReleaseError where they are another client's or another version's, or not as they were written.
    """
    start, where = f"{_folder(version)}/", address(desk.store, _folder(version))
    for key in _files(desk, version):
        path = folder / key.removeprefix(start)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(desk.store.read(key))
    try:
        expect_client(read_manifest(folder), desk.client.client, folder)
        other = _other_than_trained(desk, version, expect_release(folder))
    except ReleaseError as exc:
        raise ReleaseError(f"{where}: {exc}") from exc
    if other:
        raise ReleaseError(f"{where}: {other}")
    return folder


def _other_than_trained(desk: Desk, version: str, found: Manifest) -> str:
    """How a version is another one than was trained under its number for the client; empty where it is not."""
    made = [one for one in challengers(desk) if one.version == version]
    if not made or any(_is_what_was_trained(found, one) for one in made):
        return ""
    expected = f"taught {made[-1].training_digest} with the weights {made[-1].weights_digest}"
    expected += f" and the content {made[-1].content_digest}" if made[-1].content_digest else ""
    return f"another version {version} than the client's, which was {expected}"


def _is_what_was_trained(found: Manifest, made: Challenger) -> bool:
    same = (found.weights_digest, found.training_digest) == (made.weights_digest, made.training_digest)
    return same and made.content_digest in ("", found.content_digest)


def _begun(desk: Desk, at: datetime) -> list[Entry]:
    """The log; one begun with the present champion where the client is older than the log."""
    apply_log(desk)
    entries = release_log(desk)
    if entries:
        return entries
    champion = desk.registry.champion()
    before = desk.registry.tags(champion).get(PROMOTED_FROM)
    why = "in service since before there was a log"
    publish(desk, champion)
    return [_enter(desk, Action.LAUNCH, champion, before, 1, at=at, by="adopted", reason=why)]


def _enter(
    desk: Desk,
    action: Action,
    version: str,
    previous: str | None,
    number: int,
    *,
    at: datetime,
    by: str,
    reason: str,
    decision: str | None = None,
    evidence: str | None = None,
) -> Entry:
    """Add the log's next entry, of a version whose files are in the store.

    Raises DecisionError where somebody else has added it meanwhile.
    """
    entry = Entry(
        number=number,
        at=desk.local(at),
        action=action,
        version=version,
        previous=previous,
        by=by,
        reason=reason,
        code=code_version(),
        decision=decision,
        evidence=evidence,
    )
    try:
        desk.store.create(f"{LOG}{entry.number:06}.json", records.dump(entry))
    except AlreadyExistsError as exc:
        other = release_log(desk)[entry.number - 1]
        if replace(other, at=entry.at, by=entry.by, code=entry.code) != entry:
            raise DecisionError(f"client {desk.client.client}: somebody else was quicker: {other}") from exc
        entry = other  # the same, by another run
    apply_log(desk)
    return entry


def _manifest(desk: Desk, version: str) -> Manifest:
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "release.json").write_bytes(desk.store.read(f"{_folder(version)}/release.json"))
        manifest = read_manifest(Path(scratch))
    expect_client(manifest, desk.client.client, address(desk.store, _folder(version)))
    return manifest


def _files(desk: Desk, version: str) -> list[str]:
    """The keys of a released version's files, without the known inputs."""
    folder = _folder(version)
    return [key for key in desk.store.keys(f"{folder}/") if key != f"{folder}/{KNOWN}"]


def _is_published(desk: Desk, version: str) -> bool:
    return desk.store.exists(f"{_folder(version)}/{KNOWN}")


def _folder(version: str) -> str:
    return f"releases/models/{version}"
