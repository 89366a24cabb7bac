"""Who has heard that another model is in service?

In the client's store: releases/told/, one empty note for each change and channel. A message is noted when it has been
delivered, so that a run that is killed in between sends it again under the same id, and none is lost. One that was
tried and has not been delivered yet has its note in releases/pending/.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from upkeep import records
from upkeep.adapters.notifier import send
from upkeep.adapters.webhook import post
from upkeep.desk import Desk
from upkeep.errors import DeliveryError
from upkeep.message import headed
from upkeep.release import Action, Entry
from upkeep.slug import hash_suffix
from upkeep.stages.incidents import NEWS
from upkeep.stages.monitoring import reviews
from upkeep.stages.release import apply_log, release_log, release_of
from upkeep.stages.telling import PATIENCE, telling

TOLD, PENDING = "releases/told/", "releases/pending/"
WEBHOOK = "webhook:"
"""How the application's channel is told from one that people read."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told of a change (Markdown)."""

    client: str
    entry: Entry
    title: str
    text: str


def notice(desk: Desk, entry: Entry) -> Notice:
    """A change in words."""
    done = "is back in service" if entry.action is Action.ROLLBACK else "is in service"
    title = f"{desk.client.name}: version {entry.version} {done}"
    instead = f" It takes the place of version {entry.previous}." if entry.previous else ""
    who = f"Decided by {entry.by} on {entry.at:%Y-%m-%d %H:%M}"
    why = f"{who}, on the decision of {entry.decision}" if entry.decision else who
    return Notice(desk.client.client, entry, *headed(title, f"{why}: {entry.reason}.{instead}\n"))


def untold(desk: Desk, channels: Sequence[str]) -> list[tuple[Entry, str]]:
    """Which change has not reached which channel yet, oldest first; that a client begins is no news.

    A channel that is new is not sent what another change had followed long before the newest one or the newest review;
    one that was down is.
    """
    told, tried, log = set(desk.store.keys(TOLD)), set(desk.store.keys(PENDING)), release_log(desk)
    if not log:
        return []
    now = max([log[-1].at, *(one.as_of for one in reviews(desk, newest=1))])
    followed = [*(one.at for one in log[1:]), now]
    return [
        (one, channel)
        for one, at in zip(log, followed, strict=True)
        if one.action is not Action.LAUNCH
        for channel in channels
        if _note(one, channel) not in told and (at > now - NEWS or _pending(one, channel) in tried)
    ]


def announce(
    desk: Desk,
    address_of: Callable[[str], str],
    *,
    also: Mapping[str, Callable[[Notice], None]] | None = None,
    patience: float = PATIENCE,
) -> list[str]:
    """Tell every channel of the client, and those in `also`, what it has not heard; returns what was told, in words.

    `address_of` gives a channel's URL or secret; `patience` is how many seconds another run that is at a message has to
    be done with it. Raises DeliveryError, after every channel has been tried.
    """
    apply_log(desk)
    hook = [f"{WEBHOOK}{desk.client.release_webhook}"] if desk.client.release_webhook else []
    told, failed = [], []
    for entry, channel in untold(desk, [*hook, *(also or {}), *desk.client.alert_channels]):
        message, note = notice(desk, entry), _note(entry, channel)
        try:
            with telling(desk.store, note, partial(desk.store.exists, note), patience=patience) as to_send:
                if to_send:
                    _deliver(desk, message, channel, address_of, also or {})
                    desk.store.write(note, b"")
                    desk.store.delete(_pending(entry, channel))
                    told.append(f"told {channel}: {message.title}")
        except DeliveryError as exc:
            desk.store.write(_pending(entry, channel), b"")
            failed.append(str(exc))
    if failed:
        raise DeliveryError("; ".join(dict.fromkeys(failed)))
    return told


def _deliver(
    desk: Desk,
    message: Notice,
    channel: str,
    address_of: Callable[[str], str],
    also: Mapping[str, Callable[[Notice], None]],
) -> None:
    if channel in also:
        also[channel](message)
    elif channel.startswith(WEBHOOK):
        _tell_application(desk, message.entry, channel.removeprefix(WEBHOOK), address_of)
    else:
        send(address_of(channel), channel=channel, title=message.title, text=message.text)


def _tell_application(desk: Desk, entry: Entry, channel: str, address_of: Callable[[str], str]) -> None:
    release = json.loads(records.dump(release_of(desk, entry)))
    body = {"type": f"release.{entry.action}", "timestamp": entry.at.isoformat(), "data": release}
    post(
        address_of(channel),
        address_of(f"{channel}-secret"),
        channel=channel,
        message=message_id(desk.client.client, entry),
        at=datetime.now(UTC),  # of the sending: receivers refuse old ones
        body=json.dumps(body, ensure_ascii=False).encode(),
    )


def message_id(client: str, entry: Entry) -> str:
    """What a receiver knows a repeated message by; the same number is given to another change after a restore."""
    return f"{client}-{entry.number:06}-{hash_suffix(f'{entry.at.isoformat()} {entry.version}')}"


def _note(entry: Entry, channel: str) -> str:
    return f"{TOLD}{entry.number:06}-{channel.replace(':', '-')}"


def _pending(entry: Entry, channel: str) -> str:
    return f"{PENDING}{_note(entry, channel).removeprefix(TOLD)}"
