"""Alerts and releases told as a task: as a Prefect event, an artifact and through the client's channels, each once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from httpx import HTTPError
from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.system import Secret
from prefect.events import emit_event
from prefect.exceptions import PrefectException

from tasks.retrying import only
from upkeep.adapters.notifier import Tone, send, url_from_environment, variable
from upkeep.desk import open_desk
from upkeep.errors import DeliveryError, StoreError
from upkeep.stages.announcing import Notice, announce
from upkeep.stages.incidents import Alert, Event, channels, compose, mark_pending, mark_told, telling_of, untold

PREFECT = "prefect"
"""The channel that needs no address: an event that automations can use, and an artifact."""


@task(
    task_run_name="alert about {client}",
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=only(DeliveryError, StoreError),
)
def alert(client: str, as_of: datetime) -> None:
    """Deliver what has not been delivered yet, with what has come of it by then.

    Raises DeliveryError, after every channel has been tried.
    """
    desk = open_desk(client)
    failed: list[str] = []
    for told, channel in untold(desk, [PREFECT, *channels(desk)]):
        try:
            with telling_of(desk, told, channel) as to_send:
                if to_send:
                    message = compose(desk, told, as_of)
                    _deliver(message, channel, told.at)
                    mark_told(desk, told, channel)
                    get_run_logger().info("%s told %s: %s", client, channel, message.title)
        except DeliveryError as exc:
            mark_pending(desk, told, channel)
            failed.append(str(exc))
    try:
        for line in announce(desk, _url, also={PREFECT: _publish_release}):
            get_run_logger().info("%s %s", client, line)
    except DeliveryError as exc:
        failed.append(str(exc))
    if failed:
        raise DeliveryError("; ".join(failed))


def _deliver(message: Alert, channel: str, at: datetime) -> None:
    if channel == PREFECT:
        told = {"incident": message.incident, "title": message.title, "as_of": at.isoformat()}
        _publish(message, "alert", message.event, told)
    else:
        tone = Tone.SUCCESS if message.event is Event.CLOSED else Tone.WARNING
        send(_url(channel), channel=channel, title=message.title, text=message.text, tone=tone)


def _publish_release(message: Notice) -> None:
    told = {"number": message.entry.number, "version": message.entry.version}
    _publish(message, "release", message.entry.action, told)


def _publish(message: Alert | Notice, kind: str, event: str, told: Mapping[str, object]) -> None:
    page = f"# {message.title}\n\n{message.text}"
    try:
        create_markdown_artifact(key=f"{kind}-{message.client}", markdown=page, description=message.title)
    except (HTTPError, PrefectException) as exc:  # the other channels are still to be told
        raise DeliveryError(f"channel {PREFECT}: {message.title!r} was not delivered: {exc}") from exc
    emit_event(
        event=f"upkeep.{kind}.{event}",
        resource={"prefect.resource.id": f"upkeep.client.{message.client}", "prefect.resource.name": message.client},
        payload={**told, "text": message.text},
    )


def _url(channel: str) -> str:
    found = url_from_environment(channel)
    if found:
        return found
    try:
        return str(Secret.load(channel).get())  # type: ignore[union-attr]  # sync here
    except ValueError as exc:
        where = f"the environment variable {variable(channel)} or a Prefect Secret block {channel!r}"
        raise DeliveryError(f"channel {channel}: no URL, expected {where}") from exc
    except (HTTPError, PrefectException) as exc:  # a server that is busy or gone
        why = f"its Prefect Secret block cannot be read ({type(exc).__name__})"
        raise DeliveryError(f"channel {channel}: {why}") from exc
