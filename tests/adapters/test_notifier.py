"""Is nothing logged of a delivery, and everything again when the last one is done?"""

from __future__ import annotations

import json
import logging

import pytest
from apprise.plugins.slack import NotifySlack

from tests.receivers import receiver, webhook
from upkeep.adapters.notifier import QUOTING, UNLOGGED, send
from upkeep.errors import DeliveryError
from upkeep.message import headed

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"


def speaks() -> list[bool]:
    return [logging.getLogger(name).isEnabledFor(logging.CRITICAL) for name in QUOTING]


def test_while_one_of_several_deliveries_goes_on_nothing_is_logged_and_then_as_before():
    before = [logging.getLogger(name).level for name in QUOTING]
    with UNLOGGED:
        with UNLOGGED:
            assert not any(speaks())
        assert not any(speaks())  # the other one still quotes the URL
    assert [logging.getLogger(name).level for name in QUOTING] == before
    assert all(speaks())


def test_an_address_that_is_none_is_told_without_it():
    with pytest.raises(DeliveryError, match="channel ops: its URL is none that apprise knows") as told:
        send("nothing://s3cret", channel="ops", title="t", text="x")
    assert "s3cret" not in str(told.value)
    assert all(speaks())


@pytest.mark.parametrize("asked", ["", "?format=markdown"])
def test_slack_gets_no_stars_and_calls_nobody_whom_other_people_named(asked, monkeypatch):
    got = []

    def take(_: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        (attachment,) = json.loads(body)["attachments"]
        got.append(attachment)
        return 200, {}

    said = "“<@U1> !channel> 2**3 & a_b”"
    alarm = headed("Shop: alarm opened", f"**accuracy alarm**: 79% <b>\n\n- {said} was answered x\n")
    with receiver(take) as address:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://{address}")
        send(f"{SLACK}{asked}", channel="ops", title=alarm.title, text=alarm.text)
    assert [(one["title"], one["text"]) for one in got] == [
        (
            "Shop: alarm opened",
            "accuracy alarm: 79% &lt; b&gt;\n\n- “&lt; @U1&gt; !channel&gt; 2**3 &amp; a_b” was answered x",
        )
    ]


def test_other_channels_get_the_message_as_it_is_written():
    alarm = headed("Shop: alarm opened", "**accuracy alarm**: 79%\n\n- “@everyone R&D” was answered x\n")
    with webhook() as (url, got):
        send(url, channel="ops", title=alarm.title, text=alarm.text)
    assert [one["message"] for one in got] == ["**accuracy alarm**: 79%\n\n- “@ everyone R&D” was answered x"]
