"""The application and people hear of another model once each, whatever is down."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from tests.receivers import receiver
from tests.released import DECIDED, SECRET, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep.adapters.webhook import post, sign
from upkeep.desk import desk_of
from upkeep.errors import DeliveryError
from upkeep.message import LONGEST
from upkeep.stages.announcing import announce, message_id, notice
from upkeep.stages.approval import approve
from upkeep.stages.release import release_log, roll_back


@contextmanager
def application(answers: list[int]) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An application's webhook that answers with these codes in turn, then with 200, and what it got."""
    got: list[tuple[dict[str, str], bytes]] = []

    def take(headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        code = answers.pop(0) if answers else 200
        if code == 200:
            got.append((headers, body))
        return code, {"location": "http://127.0.0.1:9/elsewhere"} if code == 302 else {}

    with receiver(take) as address:
        yield f"http://{address}/hook", got


def promoted(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    return desk


def test_an_application_is_told_in_a_form_that_the_standards_own_library_verifies(desk):
    promoted(desk)
    roll_back(desk, by="bob", reason="complaints", at=DECIDED + timedelta(days=1))
    with application([]) as (url, got):
        told = announce(desk, {"app": url, "app-secret": SECRET}.__getitem__)
        assert told == [
            "told webhook:app: Northwind Outdoors: version 2 is in service",
            "told webhook:app: Northwind Outdoors: version 1 is back in service",
        ]
        assert announce(desk, {}.__getitem__) == []  # nobody is asked for an address again
    bodies = [Webhook(SECRET).verify(body, headers) for headers, body in got]
    assert [body["type"] for body in bodies] == ["release.promote", "release.rollback"]
    assert [headers["webhook-id"] for headers, _ in got] == [
        message_id("northwind", one) for one in release_log(desk)[1:]
    ]
    assert bodies[1]["data"] == json.loads(desk.store.read("releases/current.json"))


def test_the_title_of_a_change_is_a_line_that_a_mail_server_takes_and_its_text_says_all(desk):
    longest = desk.client.model_copy(update={"name": "\n".join(["Northwind"] * 99)})
    told = notice(desk_of(desk.agreement.model_copy(update={"client": longest})), release_log(desk)[0])
    assert (told.title[:19], len(told.title)) == ("Northwind Northwind", LONGEST)
    assert told.text.startswith(f"{'Northwind ' * 98}Northwind: version 1 is in service\n\nDecided by ")


def test_a_change_told_twice_has_one_id_and_another_change_of_the_same_number_after_a_restore_its_own(desk):
    promoted(desk)
    with application([]) as (url, got):
        addresses = {"app": url, "app-secret": SECRET}.__getitem__
        for reason in ("complaints", "complaints", "refunds"):
            roll_back(desk, by="bob", reason=reason, at=DECIDED + timedelta(days=len(reason)))
            announce(desk, addresses)
            for key in [*desk.store.keys("releases/told/")]:  # it was killed before it noted that it had told
                desk.store.delete(key)
            if len(got) == 4:  # the copy of before the rollback comes back
                desk.store.delete("releases/log/000003.json")
    ids = [headers["webhook-id"] for headers, _ in got]
    assert len(ids) == 6
    assert ids[0] == ids[2] == ids[4]  # the promotion
    assert ids[1] == ids[3] != ids[5]  # the rollback, and the other one
    assert all(one.startswith("northwind-000003-") for one in ids[1::2])


def test_a_channel_that_is_down_is_told_later_and_the_others_at_once(desk):
    promoted(desk)
    heard = []
    with application([500, 302]) as (url, got):
        addresses = {"app": url, "app-secret": SECRET}.__getitem__
        for code in (500, 302):
            with pytest.raises(DeliveryError, match=f"channel app: answered {code}, expected 2xx"):
                announce(desk, addresses, also={"page": heard.append})
        assert announce(desk, addresses, also={"page": heard.append}) == [
            "told webhook:app: Northwind Outdoors: version 2 is in service"
        ]
        assert len(got) == 1
    assert [one.text for one in heard] == [
        "Decided by ada on 2026-03-02 10:00, on the decision of 2026-03: looks right. "
        "It takes the place of version 1.\n"
    ]


def test_what_a_channel_that_was_down_has_missed_is_told_however_long_that_lasts(desk):
    promoted(desk)
    with pytest.raises(DeliveryError):
        announce(desk, {"app": "http://127.0.0.1:1/", "app-secret": SECRET}.__getitem__)
    roll_back(desk, by="bob", reason="complaints", at=DECIDED + timedelta(days=1))
    roll_back(desk, to="2", by="ada", reason="it was the shop", at=DECIDED + timedelta(days=60))
    with application([]) as (url, _):
        told = announce(desk, {"app": url, "app-secret": SECRET}.__getitem__)
    assert told == [
        "told webhook:app: Northwind Outdoors: version 2 is in service",
        "told webhook:app: Northwind Outdoors: version 1 is back in service",
        "told webhook:app: Northwind Outdoors: version 2 is back in service",
    ]
    assert list(desk.store.keys("releases/pending/")) == []


def test_of_two_runs_at_once_one_tells_a_change(desk):
    promoted(desk)
    others: list[Future[list[str]]] = []
    with application([]) as (url, got), ThreadPoolExecutor() as pool:

        def address_of(name: str) -> str:
            if not others:  # another run begins while this one delivers
                others.append(pool.submit(announce, desk, address_of))
                wait(others, timeout=1)
            return {"app": url, "app-secret": SECRET}[name]

        assert announce(desk, address_of) == ["told webhook:app: Northwind Outdoors: version 2 is in service"]
        assert others[0].result(timeout=30) == []
    assert len(got) == 1


def test_a_new_channel_is_told_which_model_is_in_service_and_not_the_history(desk):
    promoted(desk)
    roll_back(desk, by="bob", reason="complaints", at=DECIDED + timedelta(days=1))
    roll_back(desk, to="2", by="ada", reason="it was the shop", at=DECIDED + timedelta(days=60))
    with application([]) as (url, _):
        told = announce(desk, {"app": url, "app-secret": SECRET}.__getitem__)
    assert told == [
        "told webhook:app: Northwind Outdoors: version 1 is back in service",  # it was until then
        "told webhook:app: Northwind Outdoors: version 2 is back in service",
    ]


def test_neither_address_nor_secret_stands_in_an_error(desk):
    promoted(desk)
    for addresses in (
        {"app": "http://127.0.0.1:1/token-of-mine", "app-secret": SECRET},
        {"app": "ftp://token-of-mine", "app-secret": SECRET},
        {"app": "http://127.0.0.1:1/token-of-mine", "app-secret": "whsec_?token-of-mine"},
    ):
        with pytest.raises(DeliveryError) as raised:
            announce(desk, addresses.__getitem__)
        assert "token-of-mine" not in str(raised.value)
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/T0 0/token-of-mine",
        "https://hooks.example.com/x?token-of-mine\n",
        "https://hooks.example.com:token-of-mine/x",
        "https://token-of-mine..example.com/x",
        "https://[token-of-mine/x",
    ],
)
def test_a_malformed_address_stands_nowhere_in_what_is_told_of_the_error(url):
    try:
        post(url, SECRET, channel="app", message="a-000002", at=datetime.now(UTC), body=b"{}")
    except DeliveryError as exc:
        said = "".join(traceback.format_exception(exc))
    assert "channel app: a-000002 was not delivered" in said
    assert "token-of-mine" not in said


def test_a_signature_holds_for_one_message_one_time_and_one_body():
    base = sign(SECRET, message="a-000002", timestamp=1_700_000_000, body=b"{}")
    assert base.startswith("v1,")
    others = [
        sign(SECRET, message="a-000003", timestamp=1_700_000_000, body=b"{}"),
        sign(SECRET, message="a-000002", timestamp=1_700_000_001, body=b"{}"),
        sign(SECRET, message="a-000002", timestamp=1_700_000_000, body=b"[]"),
        sign("whsec_AAAA", message="a-000002", timestamp=1_700_000_000, body=b"{}"),
    ]
    assert len({base, *others}) == 5


def test_an_application_that_is_not_there_is_named():
    at = datetime(2026, 3, 2, tzinfo=UTC)
    with pytest.raises(DeliveryError, match="channel app: a-000001 was not delivered"):
        post("http://127.0.0.1:1/", SECRET, channel="app", message="a-000001", at=at, body=b"{}")
