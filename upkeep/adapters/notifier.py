"""How does an alert leave the house? Through apprise: Slack, mail, webhook and whatever else it knows."""

from __future__ import annotations

import html
import logging
import os
import re
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING

from upkeep.errors import DeliveryError

if TYPE_CHECKING:
    from apprise import Apprise

QUIET = logging.CRITICAL + 1
QUOTING = ("apprise", "urllib3", "urllib3.connectionpool")
"""Which loggers know the URL."""
BOLD = re.compile(r"^\*\*(.+?)\*\*(?=: )", re.MULTILINE)
"""The name of what a paragraph is about."""


class Tone(StrEnum):
    """What a message is: a chat colours it, a pager weighs it. apprise's words."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"


def variable(channel: str) -> str:
    """The environment variable that holds a channel's URL: UPKEEP_CHANNEL_OPS_MAIL for `ops-mail`."""
    return f"UPKEEP_CHANNEL_{channel.upper().replace('-', '_')}"


def url_from_environment(channel: str) -> str | None:
    """A channel's apprise URL, or None where the environment has none."""
    return os.environ.get(variable(channel)) or None


def from_environment(channel: str) -> str:
    """The same. Raises DeliveryError where the environment has none."""
    found = url_from_environment(channel)
    if found is None:
        raise DeliveryError(f"channel {channel}: no URL, expected the environment variable {variable(channel)}")
    return found


def send(url: str, *, channel: str, title: str, text: str, tone: Tone = Tone.INFO) -> None:
    """Deliver a Markdown message. Raises DeliveryError, which names the channel and not its URL."""
    import apprise

    service = apprise.Apprise()
    with UNLOGGED:
        if not service.add(url):
            raise DeliveryError(f"channel {channel}: its URL is none that apprise knows")
        kind, form = apprise.NotifyType(tone), apprise.NotifyFormat.MARKDOWN
        body = _plain(service, text)
        if not service.notify(title=title, body=body, notify_type=kind, body_format=form):
            raise DeliveryError(f"channel {channel}: {title!r} was not delivered")


def _plain(service: Apprise, text: str) -> str:
    """The text as the service reads it: Slack gets it plain, with its control characters escaped, others as it is.

    Slack's bold is one star, and of what apprise takes for Slack's own markup it makes calls: `<!channel>` of
    `!channel>` and of `< !channel>`.
    """
    from apprise import NotifyFormat
    from apprise.plugins.slack import NotifySlack

    slack = [one for one in service if isinstance(one, NotifySlack)]
    for one in slack:
        one.notify_format = NotifyFormat.TEXT
    return html.escape(BOLD.sub(r"\1", text), quote=False) if slack else text


class _Unlogged:
    """Nothing is logged of a delivery: apprise's warnings quote the URL, and urllib3 its path, a secret too.

    Of several at once the first makes the loggers quiet, and the last lets them speak as before.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.inside = 0
        self.levels: dict[str, int] = {}

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                self.levels = {name: logging.getLogger(name).level for name in QUOTING}
                for name in QUOTING:
                    logging.getLogger(name).setLevel(QUIET)
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                for name, level in self.levels.items():
                    logging.getLogger(name).setLevel(level)


UNLOGGED = _Unlogged()
