"""Is an incident told once, and told in words people can act on?"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import timedelta
from email.header import decode_header, make_header

import pytest

from tests.audited import FIRST, agreed, agreed_on, reviewed, serve
from tests.receivers import mail_server, webhook
from upkeep import records
from upkeep.adapters.notifier import send, url_from_environment
from upkeep.config import Thresholds
from upkeep.desk import Desk, desk_of
from upkeep.errors import DeliveryError
from upkeep.home import configs
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.message import LONGEST
from upkeep.monitoring.review import Review
from upkeep.monitoring.trouble import Change, Kind, change_of
from upkeep.redaction import redact
from upkeep.stages.incidents import Event, News, channels, compose, mark_pending, mark_told, news, telling_of, untold
from upkeep.stages.monitoring import review_week
from upkeep.stages.troubles import RETRAIN, Trouble, note_troubles, subject_of, troubles
from upkeep.tiers import load_tiers

AUDIT = OutcomeSource.AUDIT


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch)


def test_an_alert_says_what_since_when_how_sure_and_what_the_contract_includes_and_shows_nobodys_data(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    (opened,) = news(desk)
    alert = compose(desk, opened, opened.at)
    assert alert.title == "Northwind Outdoors: accuracy alarm opened"
    assert "accuracy 33.3% (95% CI 22.7%..45.9%, n=60) in 2026-W06 is below the agreed 90.0%" in alert.text
    assert alert.text.count("“Where is order [number], ask [e-mail]” was answered order_status; right: refund") == 1
    assert "example.com" not in alert.text
    assert "A retrain would be a change order: tier 'monitoring' includes no retrain." in alert.text
    assert "priority response" not in alert.text
    first = desk_of(desk.agreement.model_copy(update={"tier": load_tiers(configs()).tiers[3]}))
    assert "The contract includes a priority response." in compose(first, opened, opened.at).text


def held(found: Review, *changes: Change) -> Review:
    """A review that has also found changes, as a burst that began in its week."""
    return replace(found, changes=changes, findings=tuple(replace(one, held=True) for one in found.findings))


def test_where_traffic_burst_too_a_retrain_is_not_recommended_before_that_is_looked_into(desk):
    serve(desk, 0, wrong=40)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    burst = Change(Kind.TRAFFIC, "900 requests, 3 times the usual 300", "Find out what happened.", 900)
    alarm, traffic = note_troubles(desk, held(found, burst))
    later = "We recommend a retrain once it is clear that the week's traffic incident is not the cause."
    assert (alarm.action, traffic.action) == (later, burst.action)


def test_examples_are_shown_as_the_client_agreed(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, redaction={"kinds": ["e-mail"]})
    serve(desk, 0, wrong=40)
    (incident,) = reviewed(desk, 0)
    assert all(one.startswith("“Where is order 4711") and "ask [e-mail]” was" in one for one in incident.examples)


def told_first(desk: Desk) -> str:
    """The text of the first message."""
    opened = news(desk)[0]
    return compose(desk, opened, opened.at).text


def test_an_alert_of_weeks_whose_sheet_came_back_after_them_shows_their_wrong_answers_newest_first(
    tmp_path, monkeypatch
):
    desk = agreed(tmp_path, monkeypatch, redaction={"kinds": ["e-mail"]})
    for week in (0, 1):
        serve(desk, week, wrong=0, audited=False)
    assert reviewed(desk, 0) == []
    for week, some in ((0, range(60)), (1, range(58, 60))):  # of the second week two rows only, its last
        back = FIRST + timedelta(weeks=1, days=4)
        said = [Outcome(f"{week}-{i}", back + timedelta(minutes=i), AUDIT, "refund_status") for i in some]
        write_outcomes(desk.store, said, name=f"sheet-{week}")
    (alarm,) = reviewed(desk, 1)
    assert alarm.week == "2026-W06"
    assert alarm.examples == tuple(
        f"“Where is order 4711{i}, ask [e-mail]” was answered order_status; right: refund_status"
        for i in ("058", "059", "000")
    )
    assert f"Wrong in these weeks, among others:\n\n- {alarm.examples[0]}\n- " in told_first(desk)


def test_an_alarm_of_the_share_handed_to_a_person_shows_requests_that_were(desk):
    desk = agreed_on(desk, Thresholds(escalation=0.3))
    at = [FIRST + timedelta(minutes=i) for i in range(60)]
    rows = [
        Prediction(str(i), at[i], f"No {i % 7}, ask ada@example.com", "order_status", 0.9, "1", i < 21, None, {})
        for i in range(60)
    ]
    write_predictions(desk.store, rows, name="test")
    write_outcomes(desk.store, [Outcome("0", at[0], AUDIT, "refund_status")], name="test")  # a wrong answer too
    (alarm,) = reviewed(desk, 0)
    assert alarm.subject == "escalation"
    assert alarm.examples == tuple(f"“No {i}, ask [e-mail]” was handed to a person" for i in range(3))
    assert "Among the requests of these weeks:\n\n- “No 0, ask [e-mail]” was handed to a person\n" in told_first(desk)


def test_no_words_of_other_people_are_markup_in_an_alert(desk):
    odd = Change(Kind.NEW_CATEGORY, "6 were '<img src=//a.example>'", "Agree on it.", 6, new="![x](//a.example)")
    told_before = ("“<b>[x](//a.example)” was answered order_status",)  # recorded by an older version
    one = Trouble(subject_of(odd), "2026-W06", "1", FIRST, odd.text, odd.action, odd, examples=told_before)
    alert = compose(desk, News(one.key, FIRST, began=(one,), asking=(), over=(), going_on=()), FIRST)
    assert "- “< b>[x] (//a.example)” was answered order_status" in alert.text
    assert not re.search(r"<\w|\]\(", alert.title + alert.text)


@pytest.mark.parametrize(
    ("label", "named"),
    [
        ("refund\nX-Evil: 1\nReply-To: a@evil.example", "refund X-Evil: 1 Reply-To: a@evil.example"),
        ("refund\r\n\r\nstatus", "refund status"),
        ("refund" * 200, "refund" * 200),
        ("\u914d\u9001" * 200, "\u914d\u9001" * 200),
    ],
)
def test_a_label_of_other_people_makes_no_header_of_a_mail_and_none_that_no_server_takes(desk, label, named):
    odd = [change_of(Kind.NEW_CATEGORY, f"6 were {label!r}", 6, new=f"{label}{n}") for n in range(5)]
    began = tuple(Trouble(subject_of(one), "2026-W06", "1", FIRST, one.text, one.action, one) for one in odd)
    alert = compose(desk, News(began[0].key, FIRST, began, asking=(), over=began[4:], going_on=began[:2]), FIRST)
    with mail_server() as (address, box):
        send(address, channel="mail", title=alert.title, text=alert.text)
    (mail,) = box.mails
    assert str(make_header(decode_header(str(mail["Subject"])))) == alert.title
    assert alert.title.startswith("Northwind Outdoors: new category ")
    assert len(alert.title) <= LONGEST
    assert (mail["To"], mail["X-Evil"], mail["Reply-To"]) == ("ops@example.com", None, None)
    assert f"**new category {named}3**: 6 were " in alert.text
    assert f"- new category {named}1, since 2026-W06\n" in alert.text
    assert f"and 1 more opened; new category {named}4 opened and closed before its labels came in" in alert.text


def test_each_kind_of_change_has_an_action_of_its_own_and_what_the_tier_includes_of_a_retrain_that_it_speaks_of(desk):
    changes = {kind: change_of(kind, "what was seen", 60, new="repairs") for kind in Kind}
    assert len({one.action for one in changes.values()}) == len(Kind)
    told = {}
    for kind, one in changes.items():
        began = (Trouble(subject_of(one), "2026-W06", "1", FIRST, one.text, one.action, one),)
        told[kind] = compose(desk, News(began[0].key, FIRST, began, asking=(), over=(), going_on=()), FIRST).text
        assert one.action in told[kind]
    asks = {kind for kind, text in told.items() if RETRAIN in text or "A retrain would be a change order" in text}
    assert asks == set(Kind) - {Kind.TRAFFIC, Kind.DATA}
    assert "do not retrain on this week alone" in told[Kind.TRAFFIC]


def test_what_was_delivered_is_not_delivered_again(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    told = untold(desk, ["mail", "chat"])
    assert [(one.event, channel) for one, channel in told] == [(Event.OPENED, "mail"), (Event.OPENED, "chat")]
    mark_told(desk, told[0][0], "mail")
    assert [channel for _, channel in untold(desk, ["mail", "chat"])] == ["chat"]


class Meanwhile:
    """A store in which somebody is told of an incident just before its record is written."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def __getattr__(self, name: str):
        return getattr(self.desk.store, name)

    def write(self, key: str, data: bytes) -> None:
        if key.startswith("incidents/"):
            mark_told(self.desk, news(self.desk)[0], "mail")
        self.desk.store.write(key, data)


def test_what_is_delivered_while_a_review_closes_the_incident_is_not_delivered_again(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    serve(desk, 1, wrong=4, version="2")
    (ended,) = reviewed(replace(desk, store=Meanwhile(desk)), 1)
    assert [(one.at, one.event) for one, _ in untold(desk, ["mail"])] == [(ended.closed, Event.CLOSED)]


def test_a_new_channel_hears_of_what_is_going_on_and_not_of_what_has_long_been_over(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    serve(desk, 1, wrong=0, version="2")
    reviewed(desk, 1)
    assert [one.event for one, _ in untold(desk, ["new"])] == [Event.OPENED, Event.CLOSED]
    serve(desk, 7, wrong=40, version="2")
    reviewed(desk, 7)
    assert [(one.incident, one.event) for one, _ in untold(desk, ["new"])] == [("2026-W13-accuracy", Event.OPENED)]


def test_what_a_channel_that_was_down_has_missed_stays_pending_however_long_and_is_news_to_no_new_one(desk):
    serve(desk, 0, wrong=40)
    reviewed(desk, 0)
    ((opened, _),) = untold(desk, ["ops"])
    mark_pending(desk, opened, "ops")
    serve(desk, 1, wrong=0, version="2")
    reviewed(desk, 1)
    serve(desk, 30, wrong=0, version="2")
    reviewed(desk, 30)
    assert [(one.event, channel) for one, channel in untold(desk, ["ops", "new"])] == [(Event.OPENED, "ops")]
    mark_told(desk, opened, "ops")
    assert untold(desk, ["ops"]) == []
    assert list(desk.store.keys("incidents-pending/")) == []


def with_new_categories(desk: Desk, *labels: str) -> Review:
    """An ordinary week's review that has also found categories which the model does not know."""
    serve(desk, 0, wrong=4)
    found = review_week(desk, FIRST + timedelta(weeks=1))
    new = [Change(Kind.NEW_CATEGORY, f"6 requests were {label!r}", "Agree on it.", 6, new=label) for label in labels]
    return replace(found, changes=tuple(new))


def test_incidents_about_labels_that_differ_are_kept_apart_however_these_are_written(desk):
    labels = ("возврат", "доставка", "refund", "Refund", "gift_card", "gift-card")
    found = with_new_categories(desk, *labels)
    begun = note_troubles(desk, found)
    assert len({one.key for one in begun}) == len(labels)
    assert all(re.fullmatch("2026-W06-new-category[a-z0-9-]*", one.key) for one in begun)
    assert {one.subject for one in troubles(desk)} == {f"new category {label}" for label in labels}
    assert note_troubles(desk, found) == []
    ((opened, _),) = untold(desk, ["ops"])
    mark_told(desk, opened, "ops")
    assert untold(desk, ["ops"]) == []


def test_an_incident_that_was_stored_under_a_shorter_name_is_told_and_closed_under_it(desk):
    found = with_new_categories(desk, "order_status")
    (begun,) = note_troubles(desk, found)
    old = "2026-W06-new-category-order-status"
    there = records.dump(replace(begun, told=("opened ops",)))  # what was delivered stood in the record then
    desk.store.write(f"incidents/{old}.json", there.replace(b"stored_as", b"unknown"))
    desk.store.delete(f"incidents/{begun.key}.json")
    assert note_troubles(desk, found) == []
    (kept,) = troubles(desk)
    assert (kept.key, kept.subject) == (old, begun.subject)
    mark_told(desk, news(desk)[0], "mail")
    serve(desk, 1, wrong=4)
    reviewed(desk, 1)
    (kept,) = troubles(desk)
    assert (kept.key, kept.told, kept.end) == (old, ("opened ops",), "Version 1 answers 'order_status'")
    told = [(one.event, channel) for one, channel in untold(desk, ["ops", "mail"])]
    assert told == [(Event.CLOSED, "ops"), (Event.CLOSED, "mail")]


def test_what_was_told_only_in_part_is_still_to_be_sent(desk):
    found = with_new_categories(desk, "gift_card", "repair")
    begun = note_troubles(desk, found)
    desk.store.write(f"incidents-told/{begun[0].key}-opened-ops", b"")
    ((opened, channel),) = untold(desk, ["ops"])
    with telling_of(desk, opened, channel) as to_send:
        assert to_send
        mark_told(desk, opened, channel)
    with telling_of(desk, opened, channel) as to_send:
        assert not to_send


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


def test_a_week_in_which_much_goes_wrong_is_one_message_and_so_is_what_a_later_review_finds_of_it(desk):
    serve(desk, 0, wrong=40)
    burst = Change(Kind.TRAFFIC, "900 requests, 3 times the usual 300", "Find out what happened.", 900)
    mix = Change(Kind.LABEL_MIX, "'refund' was 40 %", "No fault in itself.", 60)
    found = held(review_week(desk, FIRST + timedelta(weeks=1)), burst, mix)
    records.save(desk.store, "reviews/2026-W06.json", found)
    note_troubles(desk, found)
    for week, wrong in ((1, 2), (2, 2)):
        serve(desk, week, wrong=wrong)
        reviewed(desk, week)
    opened, less = (compose(desk, one, one.at) for one in news(desk))
    assert opened.title == "Northwind Outdoors: accuracy alarm, label-mix shift and traffic incident opened"
    assert opened.text.index("Find out what happened.") < opened.text.index("We recommend a retrain once it is clear")
    assert opened.text.count("Since 2026-W06; model version 1.") == 3
    assert (less.incident, less.event) == (opened.incident, Event.CONTINUING)
    assert less.title == "Northwind Outdoors: accuracy alarm closed; 2 more going on"
    assert "Still going on:\n\n- label-mix shift, since 2026-W06\n- traffic incident, since 2026-W06\n" in less.text


def test_the_message_of_a_new_category_says_what_the_contract_includes_of_both_ways_to_teach_it(desk):
    note_troubles(desk, with_new_categories(desk, "gift_card"))
    first = desk_of(desk.agreement.model_copy(update={"tier": load_tiers(configs()).tiers[3]}))
    text = compose(first, news(desk)[0], FIRST).text
    assert "includes a retrain in 2026-02." in text
    assert "includes the new category 'gift_card' in 2026-Q1." in text
