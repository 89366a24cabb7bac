"""Does MLflow have the versions that the client's store names?"""

from __future__ import annotations

from collections.abc import Collection

from upkeep.adapters.addresses import shown_address
from upkeep.adapters.registry import IS_IT_THIS_ONE
from upkeep.desk import Desk
from upkeep.errors import NotFoundError, StoreError
from upkeep.stages.challengers import challengers
from upkeep.stages.release import in_service, release_log

DIGEST = "upkeep.digest"
"""The tag of a version in MLflow that says what it was taught."""


def expect_served_registered(desk: Desk) -> None:
    """Raise StoreError where MLflow does not have the version in service by the release log."""
    if release_log(desk):
        version = in_service(desk)
        taught = {one.training_digest for one in challengers(desk) if one.version == version}
        expect_registered(desk, version, taught, told="the release log names as in service")


def expect_registered(desk: Desk, version: str, taught: Collection[str], *, told: str) -> None:
    """Raise StoreError unless MLflow has a version, and was it taught one of these: each MLflow counts from 1."""
    where = f"client {desk.client.client}: MLflow at {shown_address(desk.registry.uri)}"
    try:
        digest = desk.registry.tags(version).get(DIGEST)
    except NotFoundError as exc:
        named = f"no version {version} of {desk.client.client!r}, which {told}"
        raise StoreError(f"{where} has {named}; {IS_IT_THIS_ONE}") from exc
    if taught and digest not in taught:
        other = f"another version {version} than {told}: taught {digest}, expected {' or '.join(sorted(taught))}"
        raise StoreError(f"{where} has {other}; {IS_IT_THIS_ONE}")
