"""Is an alarm recorded once, told once, and told in words people can act on?"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.audited import FIRST, agreed, reviewed, serve
from tests.receivers import mail_server, webhook
from upkeep import records
from upkeep.adapters.notifier import send, url_from_environment
from upkeep.desk import Desk, desk_of
from upkeep.errors import DeliveryError
from upkeep.home import configs
from upkeep.monitoring.review import Review
from upkeep.monitoring.trouble import Change, Kind
from upkeep.redaction import redact
from upkeep.stages.incidents import (
    Event,
    Incident,
    channels,
    compose,
    incidents,
    mark_told,
    note_incidents,
    recommended,
    subject_of,
    untold,
)
from upkeep.stages.monitoring import review_week
from upkeep.tiers import load_tiers


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch)


def test_an_alarm_is_one_incident_from_its_first_week_to_its_end(desk):
    wrong_by_week = (4, 40, 38, 4, 5)
    touched = []
    for week, wrong in enumerate(wrong_by_week):
        serve(desk, week, wrong=wrong)
        touched.append(reviewed(desk, week))
    assert [len(one) for one in touched] == [0, 1, 0, 0, 1]
    (one,) = incidents(desk)
    assert (one.key, one.opened) == ("2026-W07-accuracy", FIRST + timedelta(weeks=2))
    assert "accuracy 33.3%" in one.text
    assert one.closed == FIRST + timedelta(weeks=5)
    assert one.end is not None
    assert "the trouble since 2026-W07 is over" in one.end


def test_reviewing_a_past_week_again_changes_nothing(desk):
    for week, wrong in enumerate((40, 4, 4)):
        serve(desk, week, wrong=wrong)
        reviewed(desk, week)
    mark_told(desk, "2026-W06-accuracy", Event.OPENED, "ops")
    before = incidents(desk)
    for week in range(3):
        assert reviewed(desk, week) == []
    assert incidents(desk) == before


def test_what_is_over_since_is_not_opened_again_by_a_review_of_a_week_in_which_it_went_on(desk):
    founds = []
    for week in range(3):
        serve(desk, week, wrong=4, version="1" if week < 2 else "2")
        founds.append(review_week(desk, FIRST + timedelta(weeks=week + 1)))
    change = Change(Kind.NEW_CATEGORY, "6 requests were 'gift_card'", "Agree on it.", 6, new="gift_card")
    with_it = [replace(one, changes=(change,)) for one in founds[:2]]
    (opened,) = note_incidents(desk, with_it[0])
    assert note_incidents(desk, with_it[1]) == []
    records.save(
        desk.store,
        f"incidents/{opened.key}.json",
        replace(opened, closed=founds[2].as_of, end="It answers 'gift_card'"),
    )
    before = incidents(desk)
    assert note_incidents(desk, with_it[1]) == []
    assert incidents(desk) == before


def test_a_new_model_ends_the_old_ones_incident(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    serve(desk, 1, wrong=4, version="2")
    (ended,) = reviewed(desk, 1)
    assert ended.end == "Version 2 is in service now"


def test_a_week_without_labels_leaves_an_incident_open(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    assert reviewed(desk, 1) == []
    assert incidents(desk)[0].closed is None


def test_an_alert_says_what_since_when_how_sure_and_what_the_contract_includes_and_shows_nobodys_data(desk):
    serve(desk, 0, wrong=40)
    (incident,) = reviewed(desk, 0)
    alert = compose(desk, incident, Event.OPENED)
    assert alert.title == "Northwind Outdoors: accuracy alarm opened"
    assert "accuracy 33.3% (95% CI 22.7%..45.9%, n=60) in 2026-W06 is below the agreed 90.0%" in alert.text
    assert alert.text.count("“Where is order [number], ask [e-mail]” was answered order_status; right: refund") == 3
    assert "example.com" not in alert.text
    assert "It would be a change order: tier 'monitoring' includes no retrain." in alert.text
    assert "priority response" not in alert.text
    first = desk_of(desk.agreement.model_copy(update={"tier": load_tiers(configs()).tiers[3]}))
    assert "The contract includes a priority response." in compose(first, incident, Event.OPENED).text


def test_where_traffic_burst_too_a_retrain_is_not_recommended_before_that_is_looked_into(desk):
    serve(desk, 0, wrong=40)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    burst = Change(Kind.TRAFFIC, "900 requests, 3 times the usual 300", "Find out what happened.", 900)
    alarm, traffic = note_incidents(desk, replace(found, changes=(burst,)))
    later = "We recommend a retrain once it is clear that the week's traffic incident is not the cause."
    assert (alarm.action, traffic.action) == (later, burst.action)
    assert recommended(found) == "We recommend a retrain."


def test_examples_are_shown_as_the_client_agreed(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, redaction={"kinds": ["e-mail"]})
    serve(desk, 0, wrong=40)
    (incident,) = reviewed(desk, 0)
    assert all(one.startswith("“Where is order 4711") and "ask [e-mail]” was" in one for one in incident.examples)


def test_no_words_of_other_people_are_markup_in_an_alert(desk):
    odd = Change(Kind.NEW_CATEGORY, "6 were '<img src=//a.example>'", "Agree on it.", 6, new="![x](//a.example)")
    told_before = ("“<b>[x](//a.example)” was answered order_status",)  # recorded by an older version
    one = Incident(subject_of(odd), "2026-W06", "1", FIRST, odd.text, odd.action, odd, examples=told_before)
    alert = compose(desk, one, Event.OPENED)
    assert "- “< b>[x] (//a.example)” was answered order_status" in alert.text
    assert not re.search(r"<\w|\]\(", alert.title + alert.text)


def test_what_was_delivered_is_not_delivered_again(desk):
    serve(desk, 0, wrong=40)
    (incident,) = reviewed(desk, 0)
    assert [(event, channel) for _, event, channel in untold(desk, ["mail", "chat"])] == [
        (Event.OPENED, "mail"),
        (Event.OPENED, "chat"),
    ]
    mark_told(desk, incident.key, Event.OPENED, "mail")
    assert [channel for *_, channel in untold(desk, ["mail", "chat"])] == ["chat"]


class Meanwhile:
    """A store in which somebody is told of an incident just before its record is written."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def __getattr__(self, name: str):
        return getattr(self.desk.store, name)

    def write(self, key: str, data: bytes) -> None:
        if key.startswith("incidents/"):
            mark_told(self.desk, "2026-W06-accuracy", Event.OPENED, "mail")
        self.desk.store.write(key, data)


def test_what_is_delivered_while_a_review_closes_the_incident_is_not_delivered_again(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    serve(desk, 1, wrong=4, version="2")
    (ended,) = reviewed(replace(desk, store=Meanwhile(desk)), 1)
    assert [(one.closed, event) for one, event, _ in untold(desk, ["mail"])] == [(ended.closed, Event.CLOSED)]


def test_a_new_channel_hears_of_what_is_going_on_and_not_of_what_has_long_been_over(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    serve(desk, 1, wrong=0, version="2")
    reviewed(desk, 1)
    assert [event for _, event, _ in untold(desk, ["new"])] == [Event.OPENED, Event.CLOSED]
    serve(desk, 7, wrong=40, version="2")
    reviewed(desk, 7)
    assert [(one.week, event) for one, event, _ in untold(desk, ["new"])] == [("2026-W13", Event.OPENED)]


def with_new_categories(desk: Desk, *labels: str) -> Review:
    """An ordinary week's review that has also found categories which the model does not know."""
    serve(desk, 0, wrong=4)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    new = [Change(Kind.NEW_CATEGORY, f"6 requests were {label!r}", "Agree on it.", 6, new=label) for label in labels]
    return replace(found, changes=tuple(new))


def test_incidents_about_labels_that_differ_are_kept_apart_however_these_are_written(desk):
    labels = ("возврат", "доставка", "refund", "Refund", "gift_card", "gift-card")
    found = with_new_categories(desk, *labels)
    begun = note_incidents(desk, found)
    assert len({one.key for one in begun}) == len(labels)
    assert all(re.fullmatch("2026-W06-new-category[a-z0-9-]*", one.key) for one in begun)
    assert {one.subject for one in incidents(desk)} == {f"new category {label}" for label in labels}
    assert note_incidents(desk, found) == []
    for one in begun:
        mark_told(desk, one.key, Event.OPENED, "ops")
    assert untold(desk, ["ops"]) == []


def test_an_incident_that_was_stored_under_a_shorter_name_is_told_and_closed_under_it(desk):
    found = with_new_categories(desk, "order_status")
    (begun,) = note_incidents(desk, found)
    old = "2026-W06-new-category-order-status"
    there = records.dump(replace(begun, told=("opened ops",)))  # what was delivered stood in the record then
    desk.store.write(f"incidents/{old}.json", there.replace(b"stored_as", b"unknown"))
    desk.store.delete(f"incidents/{begun.key}.json")
    assert note_incidents(desk, found) == []
    (kept,) = incidents(desk)
    assert (kept.key, kept.subject) == (old, begun.subject)
    mark_told(desk, kept.key, Event.OPENED, "mail")
    serve(desk, 1, wrong=4)
    reviewed(desk, 1)
    (kept,) = incidents(desk)
    assert (kept.key, kept.told, kept.end) == (old, ("opened ops",), "Version 1 answers 'order_status'")
    told = [(event, channel) for _, event, channel in untold(desk, ["ops", "mail"])]
    assert told == [(Event.CLOSED, "ops"), (Event.CLOSED, "mail")]


def test_a_tier_without_alerts_tells_no_channel(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, alert_channels=["ops"])
    silent = desk.agreement.model_copy(update={"tier": desk.tier.model_copy(update={"alerts": False})})
    assert (channels(desk), channels(desk_of(silent))) == (("ops",), ())


def test_a_message_arrives_as_mail_and_at_a_webhook():
    with mail_server() as (address, box), webhook() as (hook, got):
        send(address, channel="mail", title="An alarm", text="- one\n- two")
        send(hook, channel="hook", title="An alarm", text="- one")
    assert [mail["Subject"] for mail in box.mails] == ["An alarm"]
    assert "<li>two</li>" in str(box.mails[0])
    assert [(one["title"], one["message"]) for one in got] == [("An alarm", "- one")]


@pytest.mark.parametrize("url", ["json://127.0.0.1:9/?token=secret", "nonsense-secret"])
def test_a_channel_that_cannot_be_reached_is_named_and_its_address_is_not(url, caplog):
    with pytest.raises(DeliveryError, match="channel ops") as caught:
        send(url, channel="ops", title="An alarm", text="x")
    assert "secret" not in str(caught.value)
    assert "secret" not in caplog.text


def test_nothing_is_logged_of_a_channels_address_at_any_level(caplog):
    before = logging.getLogger("urllib3").level
    with webhook() as (hook, got), caplog.at_level(logging.DEBUG):
        send(hook, channel="hook", title="An alarm", text="- one")
    assert got
    assert "secret" not in caplog.text
    assert "/alerts" not in caplog.text
    assert logging.getLogger("urllib3").level == before


def test_a_channels_address_may_come_from_the_environment(monkeypatch):
    assert url_from_environment("ops-mail") is None
    monkeypatch.setenv("UPKEEP_CHANNEL_OPS_MAIL", "json://x")
    assert url_from_environment("ops-mail") == "json://x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail ada.byron+x@mail.example.org now", "mail [e-mail] now"),
        ("call +49 (0)30 1234567 or 030/123-456", "call [phone] or [number]"),
        ("order 10023 of 2 tents for 19.95", "order [number] of 2 tents for 19.95"),
        ("pay to DE89 3704 0044 0532 0130 00 please", "pay to [account] please"),
        ("see https://example.com/?id=5 there", "see [link] there"),
    ],
)
def test_personal_data_is_not_shown(text, shown):
    assert redact(text) == shown
