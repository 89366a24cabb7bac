"""Do requests have ids that requests of the weeks before have?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from upkeep.config import Client
from upkeep.log.reused import Reused
from upkeep.monitoring.changed_requests import LEAST_EXPECTED, LEAST_SPOILED
from upkeep.monitoring.recount import RECOUNTED
from upkeep.monitoring.trouble import Change, Kind, change_of
from upkeep.redaction import shown

IDS = "ids"
"""What data trouble is about where ids are used again."""
OWN = (
    "Have every request logged once and with an `id` of its own, from one week to the next too: what is said of one of "
    "two counts for both."
)


def reused_ids(seen: Reused, requests: int, client: Client) -> Iterator[Change]:
    """One finding where many of the week's requests have an id that was there in the weeks before."""
    if seen.requests >= LEAST_EXPECTED and seen.requests >= LEAST_SPOILED * requests:
        where = f"{shown(seen.id, client.redaction)!r} ({seen.file} line {seen.line})"
        text = (
            f"{seen.requests:,} of {requests:,} requests have an id that a request of the {RECOUNTED} weeks before has,"
            f" such as {where}; expected an id of their own"
        )
        yield replace(change_of(Kind.DATA, text, seen.requests, old=IDS), action=OWN)
