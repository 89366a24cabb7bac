"""Do alerts leave a real Prefect server's flow by mail, webhook and event, once, whatever a channel does?"""

from __future__ import annotations

import logging
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

import httpx
import pytest
from prefect.artifacts import Artifact
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName
from prefect.client.schemas.objects import TaskRun
from prefect.client.schemas.sorting import LogSort
from prefect.exceptions import PrefectException
from prefect.logging import disable_run_logger
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from deployments.servers import free_port
from flows.review import review
from tasks import alerting
from tests.audited import BURST, FIRST, agreed, serve, serve_burst
from tests.receivers import mail_server, webhook
from upkeep.errors import DeliveryError
from upkeep.stages.incidents import untold
from upkeep.stages.monitoring import review_week
from upkeep.stages.troubles import note_troubles


@pytest.fixture(scope="module", autouse=True)
def server():
    with prefect_test_harness(server_startup_timeout=90), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


@pytest.fixture
def client(tmp_path, monkeypatch):
    return agreed(tmp_path, monkeypatch, alert_channels=["ops-mail", "ops-hook"])


def alert_runs() -> list[TaskRun]:
    wanted = TaskRunFilter(name=TaskRunFilterName(like_="alert about"))
    with get_client(sync_client=True) as api:
        return api.read_task_runs(task_run_filter=wanted)


def told_in_time(name: str, incident: str) -> list[str]:
    """The titles of an incident's events; they reach the server's database a moment later."""
    wanted = {"event": {"name": [name]}, "resource": {"id": ["upkeep.client.northwind"]}}
    with get_client(sync_client=True) as api:
        for _ in range(40):
            found = api._client.post("/events/filter", json={"filter": wanted}).json()["events"]
            titles = [one["payload"]["title"] for one in found if one["payload"]["incident"] == incident]
            if titles:
                break
            time.sleep(0.25)
    return titles


def test_an_alarm_goes_out_by_every_channel_once_and_its_end_too(client, monkeypatch):
    with mail_server() as (address, box), webhook() as (hook, got):
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_MAIL", address)
        Secret(value=hook).save("ops-hook")
        for week, wrong in enumerate((40, 40, 4, 4)):
            serve(client, week, wrong=wrong)
            review("northwind", FIRST + timedelta(weeks=week + 1))
        review("northwind", FIRST + timedelta(weeks=4))  # again
    titles = ["Northwind Outdoors: accuracy alarm opened", "Northwind Outdoors: accuracy alarm closed"]
    assert [mail["Subject"] for mail in box.mails] == titles
    assert [(one["title"], one["type"]) for one in got] == [(titles[0], "warning"), (titles[1], "success")]
    assert "below the agreed 90.0%" in str(got[0]["message"])
    assert told_in_time("upkeep.alert.opened", "2026-W06-accuracy") == titles[:1]
    assert told_in_time("upkeep.alert.closed", "2026-W06-accuracy") == titles[1:]
    assert Artifact.get("alert-northwind").data.startswith(f"# {titles[1]}\n")
    assert Artifact.get("review-northwind").data.startswith("# northwind 2026-W09\n\n60 requests.\n")


def test_a_retrain_that_a_burst_held_back_is_one_more_event_of_the_same_incident(client, monkeypatch):
    serve_burst(client)
    serve(client, BURST + 1, wrong=75, n=150)
    with webhook() as (hook, got):
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_HOOK", hook)
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_MAIL", hook)
        for week in (BURST, BURST + 1, BURST + 1):
            review("northwind", FIRST + timedelta(weeks=week + 1))
    assert len(got) == 2 * 2
    title = str(got[-1]["title"])
    assert "outlasted the traffic incident's first week, a retrain is recommended now" in title
    assert told_in_time("upkeep.alert.continuing", "2026-W12-accuracy") == [title]
    assert len(told_in_time("upkeep.alert.opened", "2026-W12-accuracy")) == 1


def test_a_channel_that_is_down_fails_no_review_and_gets_the_alert_when_it_is_back(client, monkeypatch):
    port = free_port(0)
    monkeypatch.setenv("UPKEEP_CHANNEL_OPS_HOOK", f"json://127.0.0.1:{port}/alerts?token=secret")
    with mail_server() as (address, box):
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_MAIL", address)
        serve(client, 0, wrong=40)
        found = review("northwind", FIRST + timedelta(weeks=1))
        assert found.alerts
        assert [run.run_count for run in alert_runs() if run.state_name == "Failed"] == [3]
        assert [channel for *_, channel in untold(client, ["ops-mail", "ops-hook"])] == ["ops-hook"]
        with webhook(port) as (_, got):
            review("northwind", FIRST + timedelta(weeks=1))
    assert len(got) == len(box.mails) == 1


def test_what_a_channel_missed_while_it_was_down_for_months_is_told_when_it_is_back(client, monkeypatch):
    monkeypatch.setattr(alerting, "_publish", lambda *_: None)
    monkeypatch.setenv("UPKEEP_CHANNEL_OPS_MAIL", f"json://127.0.0.1:{free_port(0)}")
    with webhook() as (hook, got), disable_run_logger():
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_HOOK", hook)
        for week, wrong in enumerate((40, *[2] * 8)):
            serve(client, week, wrong=wrong)
            note_troubles(client, review_week(client, FIRST + timedelta(weeks=week + 1)))
            with pytest.raises(DeliveryError, match=r"channel ops-mail: .* was not delivered"):
                alerting.alert.fn("northwind", FIRST + timedelta(weeks=week + 1))
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_MAIL", hook)
        alerting.alert.fn("northwind", FIRST + timedelta(weeks=9))
    told = ["Northwind Outdoors: accuracy alarm opened", "Northwind Outdoors: accuracy alarm closed"]
    assert [one["title"] for one in got] == told * 2


def logged() -> str:
    """The newest lines that Prefect keeps of what runs logged, and how they ended."""
    APILogHandler().flush()
    with get_client(sync_client=True) as api:
        lines = [one.message for one in api.read_logs(limit=200, sort=LogSort.TIMESTAMP_DESC)]
    return "\n".join([*lines, *(str(run.state.message) for run in alert_runs() if run.state)])


def test_no_log_of_a_run_has_a_channels_address_whether_it_is_reached_or_not(client, monkeypatch, capfd, caplog):
    monkeypatch.setattr(alerting.alert, "retry_delay_seconds", 0)
    address = f"mailto://ops:pa55word@127.0.0.1:{free_port(0)}?from=upkeep@example.com&to=ops@example.com"
    monkeypatch.setenv("UPKEEP_CHANNEL_OPS_MAIL", address)
    serve(client, 0, wrong=40)
    with webhook() as (hook, got), caplog.at_level(logging.DEBUG):
        Secret(value=hook).save("ops-hook", overwrite=True)
        review("northwind", FIRST + timedelta(weeks=1))
    assert len(got) == 1
    kept, shown = logged(), capfd.readouterr()
    said = "\n".join([kept, shown.out, shown.err, caplog.text])
    assert "northwind told ops-hook: Northwind Outdoors: accuracy alarm opened" in kept
    assert "channel ops-mail: 'Northwind Outdoors: accuracy alarm opened' was not delivered" in kept
    assert [secret for secret in ("pa55word", "ops@example.com", "token=", "/alerts") if secret in said] == []


def test_of_two_runs_at_once_one_tells_an_alarm(client, monkeypatch):
    others: list[Future[None]] = []
    sent: list[str] = []

    def send(_: str, *, channel: str, **__: str) -> None:
        if not others:  # another run begins while this one delivers
            others.append(pool.submit(alerting.alert.fn, "northwind", FIRST + timedelta(weeks=1)))
            wait(others, timeout=1)
        sent.append(channel)

    monkeypatch.setattr(alerting, "send", send)
    monkeypatch.setattr(alerting, "_url", str)
    serve(client, 0, wrong=40)
    note_troubles(client, review_week(client, FIRST + timedelta(weeks=1)))
    with disable_run_logger(), ThreadPoolExecutor() as pool:
        alerting.alert.fn("northwind", FIRST + timedelta(weeks=1))
        others[0].result(timeout=30)
    assert sorted(sent) == ["ops-hook", "ops-mail"]


def test_a_prefect_that_takes_no_page_keeps_nobody_from_being_told(client, monkeypatch):
    def refuse(**_: object) -> None:
        raise httpx.ConnectError("gone")

    monkeypatch.setattr(alerting, "create_markdown_artifact", refuse)
    with webhook() as (hook, got):
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_HOOK", hook)
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_MAIL", hook)
        serve(client, 0, wrong=40)
        note_troubles(client, review_week(client, FIRST + timedelta(weeks=1)))
        wanted = "channel prefect: 'Northwind Outdoors: accuracy alarm opened' was not delivered: gone"
        with disable_run_logger(), pytest.raises(DeliveryError, match=wanted):
            alerting.alert.fn("northwind", FIRST + timedelta(weeks=1))
    assert len(got) == 2
    assert {channel for *_, channel in untold(client, ["prefect", "ops-mail", "ops-hook"])} == {"prefect"}


@pytest.mark.parametrize("error", [httpx.ReadTimeout("busy"), httpx.ConnectError("gone"), PrefectException("odd")])
def test_an_address_that_prefect_does_not_give_just_now_keeps_no_other_channel_from_being_told(
    client, monkeypatch, error
):
    class Busy:
        @staticmethod
        def load(_: str) -> None:
            raise error

    monkeypatch.setattr(alerting, "_publish", lambda *_: None)
    monkeypatch.setattr(alerting, "Secret", Busy)
    with webhook() as (hook, got):
        monkeypatch.setenv("UPKEEP_CHANNEL_OPS_HOOK", hook)
        serve(client, 0, wrong=40)
        note_troubles(client, review_week(client, FIRST + timedelta(weeks=1)))
        wanted = f"channel ops-mail: its Prefect Secret block cannot be read ({type(error).__name__})"
        with disable_run_logger(), pytest.raises(DeliveryError, match=re.escape(wanted)):
            alerting.alert.fn("northwind", FIRST + timedelta(weeks=1))
    assert len(got) == 1
    assert {channel for *_, channel in untold(client, ["ops-mail", "ops-hook"])} == {"ops-mail"}
