"""Are a client's store and MLflow whole and of one time, as after a loss or a restore they may not be?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from upkeep.adapters.addresses import shown_address
from upkeep.adapters.registry import CHAMPION, Registry
from upkeep.desk import Desk
from upkeep.errors import StoreError
from upkeep.release import Entry
from upkeep.stages.challengers import Challenger, challengers
from upkeep.stages.registered import expect_registered
from upkeep.stages.release import CURRENT, current_release, points_to, release_log
from upkeep.store import address

FOLLOWS = "the next review, retrain, approval or rollback brings it after the log"


class Service(NamedTuple):
    """The version in service by the client's store, None where it names none, and what does not fit it."""

    version: str | None
    notes: list[str]


def registry_notes(registry: Registry) -> list[str]:
    """Why MLflow cannot be asked, of whichever client; no error, the configs are valid all the same."""
    try:
        if registry.is_there:
            registry.version(CHAMPION)
    except StoreError as exc:
        return [f"MLflow, which cannot be asked what it has of the models in service: {exc}"]
    return []


def service(desk: Desk, *, ask: bool) -> Service:
    """What is in service, and whether MLflow, where it is to be asked, and the pointer have it too."""
    try:
        log, made = release_log(desk), challengers(desk)
    except StoreError as exc:
        return Service(None, [f"the version in service: {exc}"])
    if not log:
        return Service(None, _left_alone(desk) if ask and not made else [])
    notes = _registered_notes(desk, log[-1], made) if ask else []
    return Service(log[-1].version, [*_pointer_notes(desk, log[-1]), *notes])


def _left_alone(desk: Desk) -> list[str]:
    """That MLflow has a model in service of a client in whose store there is none: was the store lost?"""
    try:
        version = desk.registry.version(CHAMPION) if desk.registry.is_there else None
    except StoreError as exc:
        return [f"the version in service: {exc}"]
    if version is None:
        return []
    has = f"MLflow at {shown_address(desk.registry.uri)} has version {version} in service"
    return [
        f"store: no model and no release log in {desk.store.uri}, but {has}: is it the right place, was it put back?"
    ]


def _pointer_notes(desk: Desk, newest: Entry) -> list[str]:
    try:
        found = current_release(desk)
    except StoreError:  # `served_base_notes` says so
        return []
    if found and points_to(desk, found, newest):
        return []
    says = f"names change {found.number}, version {found.version} in {found.folder}" if found else "is missing"
    expected = f"expected change {newest.number}, version {newest.version} in {desk.store.uri}"
    return [f"{address(desk.store, CURRENT)}: {says}, {expected}; {FOLLOWS}"]


def _registered_notes(desk: Desk, newest: Entry, made: Sequence[Challenger]) -> list[str]:
    """What MLflow lacks of the version in service and of the newest one that was trained."""
    where = f"MLflow at {shown_address(desk.registry.uri)}"
    if not desk.registry.is_there:
        return [f"{where}: there is none, and the release log names version {newest.version} as in service"]
    named = {newest.version: "the release log names as in service"}
    for last in sorted(made, key=_number)[-1:]:
        named.setdefault(last.version, f"challengers/{last.period}.json names")
    try:
        for version, told in named.items():
            taught = {one.training_digest for one in made if one.version == version}
            expect_registered(desk, version, taught, told=told)
            desk.registry.base_model(version)  # a small file, that tells whether its files can be reached
        alias = desk.registry.version(CHAMPION)
    except StoreError as exc:
        return [f"the version in service: {exc}"]
    if alias == newest.version:
        return []
    says = f"{where}: version {alias} is champion, by the release log it is {newest.version}"
    return [f"{says}; are the two of one time? {FOLLOWS}"]


def _number(made: Challenger) -> int:
    return int(made.version)  # MLflow counts them
