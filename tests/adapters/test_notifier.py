"""Is nothing logged of a delivery, and everything again when the last one is done?"""

from __future__ import annotations

import logging

import pytest

from upkeep.adapters.notifier import QUOTING, UNLOGGED, send
from upkeep.errors import DeliveryError


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
