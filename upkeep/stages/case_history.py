"""What became of a case: which answer to its text was right from when until when, and what took its place?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from upkeep.cases.case import Case, normalise
from upkeep.desk import Desk
from upkeep.errors import SnapshotError
from upkeep.redaction import shown
from upkeep.stages.rules_in_force import history_in_force
from upkeep.stages.snapshot import decided_by, known_cases


def told_history(desk: Desk, name: str, as_of: datetime) -> list[str]:
    """All answers to the text of the case with an id, as known at a moment, a line each, and what became of others.

    Raises SnapshotError where there is no such case, and what `rules_in_force` raises.
    """
    moment = desk.local(as_of)
    cases = known_cases(desk, moment)
    meant = next((case for case in cases if case.id == name), None)
    if meant is None:
        raise SnapshotError(
            f"client {desk.client.client}: no case {name!r}, expected the id of one of the {len(cases):,} "
            f"known by {moment:%Y-%m-%d}"
        )
    text = normalise(meant.text)
    near = {case.against for case in cases if normalise(case.text) == text}
    texts = {text, *(normalise(case.text) for case in cases if case.id in near)}  # with what its answers contradict
    told = [case for case in cases if normalise(case.text) in texts]
    found = history_in_force(desk, told, decided_by(desk, moment), moment)
    others = [
        *((case, f"unread and doubtful: {case.doubts[0]}") for case in found.unread),
        *((case, "against a reviewed answer, until people decide") for case in found.contested),
        *((case, "rejected in review") for case in found.rejected),
    ]
    return [
        f"“{shown(meant.text, desk.client.redaction)}”",
        *(", ".join(_told(desk, version)) for version in found.versions if normalise(version.text) == text),
        *(f"{', '.join(_told(desk, case))}: {why}" for case, why in others if normalise(case.text) == text),
    ]


def _told(desk: Desk, version: Case) -> Iterator[str]:
    yield f"{version.id}: {shown(version.answer, desk.client.redaction)!r}"
    if version.valid_from and version.valid_from == version.valid_to:
        yield f"corrected since: never right, of {desk.local(version.valid_from):%Y-%m-%d %H:%M}"
    elif version.valid_from:
        yield f"right from {desk.local(version.valid_from):%Y-%m-%d %H:%M}"
    if version.valid_to and version.valid_from != version.valid_to:
        yield f"until {desk.local(version.valid_to):%Y-%m-%d %H:%M}"
    if version.superseded_by:
        yield f"superseded by {version.superseded_by}"
    yield f"said by {version.source.value}"
    if version.reviewer:
        yield f"reviewed by {version.reviewer}"
