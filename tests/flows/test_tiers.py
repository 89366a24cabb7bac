"""The tiers' flows on a real Prefect server: what each contract does, and that it is what replay does."""

from __future__ import annotations

import json
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Event
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect import flow
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Cancelled, Crashed, Failed, Pending, Scheduled
from prefect.testing.utilities import prefect_test_harness

from flows.approval import approval
from flows.book import book
from flows.brief import brief
from flows.dispatch import dispatch
from flows.model_variant import Example, model_variant
from flows.retrain import retrain
from flows.rollback import rollback
from flows.rules import rules
from flows.tier1 import tier1
from flows.tier2 import tier2
from flows.tier3 import tier3
from flows.variant import variant
from tasks.fanout import acts_at, start_runs
from tests.audited import serve
from tests.partners import MAY, NEW, VARIANT, audited_shop, shop_home  # noqa: F401 -- fixtures
from tests.receivers import webhook
from tests.released import DECIDED, SECRET, decide, gift_card_begun, released_desk, released_template  # noqa: F401 -- fixtures
from tests.small_client import FEEDBACK, configure, live, timeline
from tests.stages.test_reporting import week as review_of
from upkeep import chain, records
from upkeep.cases.relabel_rules import Found, Ruling
from upkeep.config import Relabel
from upkeep.demo.tickets import Writer
from upkeep.desk import open_desk
from upkeep.entitlement import Booking, ChangeOrder
from upkeep.errors import ConfigError, MomentError, NotEnoughDataError, RuleError, ServerError, VariantError
from upkeep.evaluation.comparison import Verdict
from upkeep.home import configs
from upkeep.periods import Cadence
from upkeep.replay import play
from upkeep.stages.approval import Answer, Approval
from upkeep.stages.challengers import Challenger
from upkeep.stages.contract import change_orders
from upkeep.stages.decisions import Decision, decisions
from upkeep.stages.finetuning import load_model
from upkeep.stages.monitoring import reviews
from upkeep.stages.release import in_service, release_log
from upkeep.stages.sole_training import sole_training
from upkeep.store import link
from upkeep.tiers import Service, Work


@pytest.fixture(scope="module", autouse=True)
def server():
    with prefect_test_harness(server_startup_timeout=90), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def test_tier_1_reviews_reports_and_turns_a_recommendation_into_a_change_order(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, thresholds={"accuracy": 0.999}, minimum_labels=20)
    history = timeline(months=2, until=date(2026, 2, 10))
    desk, _ = live(history)
    play(desk, history, act=tier1, feedback=FEEDBACK, seed=0)
    assert len(reviews(desk)) == 6  # Mondays from 5 January to 9 February
    assert {one.strays.hits for one in reviews(desk) if one.strays} == {0}
    assert [key for key in desk.store.keys("reports/") if key.endswith(".html")] == ["reports/2026-01.html"]
    orders = change_orders(desk)
    assert orders
    assert "includes no retrain" in orders[0].why_extra
    assert "accuracy" in orders[0].reason
    assert not decisions(desk)
    assert {"tier 1 northwind 2026-01-05", "review northwind 2026-W01", "report northwind 2026-01"} <= run_names()
    page = (tmp_path / "home" / "clients" / "northwind" / "reports" / "2026-01.html").as_uri()
    about = Artifact.get("report-northwind").description
    assert about.startswith("northwind 2026-01: model health ")
    assert about.endswith(f"page with chart <{page}>")


def test_a_person_approves_and_goes_back_by_runs_of_their_own(desk, monkeypatch):
    with webhook() as (url, got):
        monkeypatch.setenv("UPKEEP_CHANNEL_APP", url.replace("json://", "http://").partition("?")[0])
        monkeypatch.setenv("UPKEEP_CHANNEL_APP_SECRET", SECRET)
        approve_and_go_back(desk)
    assert [body["type"] for body in got] == ["release.promote", "release.rollback"]


def approve_and_go_back(desk):
    made = approval("northwind", "2026-03", by="ada", reason="looks right", as_of=DECIDED)
    assert isinstance(made, Decision)
    assert (made.applied_by, desk.registry.champion()) == ("ada", "2")
    assert Artifact.get("release-northwind").description == "Northwind Outdoors: version 2 is in service"
    done = rollback("northwind", by="bob", reason="complaints", as_of=DECIDED)
    assert (done.version, desk.registry.champion()) == ("1", "1")
    assert Artifact.get("release-northwind").description == "Northwind Outdoors: version 1 is back in service"
    decide(desk, "2026-04")
    said = approval("northwind", "2026-04", by="bob", reason="on sale", answer=Answer.REFUSE, as_of=DECIDED)
    assert said == Approval("2026-04", False, "bob", "on sale", desk.local(DECIDED))
    assert {"approve northwind 2026-03", "refuse northwind 2026-04", "rollback northwind 2026-03-02"} <= run_names()


def test_a_person_accepts_a_rule_by_a_run_of_its_own(desk):
    one = Found(
        Relabel(old="refund_status", new="refund_request", since=date(2026, 3, 9)), "2026-W13", DECIDED, "5 of 5"
    )
    records.save(desk.store, f"rules/{one.id}.json", one)
    said = rules("northwind", one.id, "ada", since=date(2026, 3, 2), as_of=DECIDED)
    assert (said.state, said.rule.since) == ("accepted by ada", date(2026, 3, 2))
    assert desk.found_rules() == [said]
    assert rules("northwind", one.id, "bob", answer=Ruling.REFUSE, as_of=DECIDED).state == "refused by bob"
    assert {f"accept rule {one.id} of northwind", f"refuse rule {one.id} of northwind"} <= run_names()


@pytest.mark.parametrize(
    ("asked", "scheduled", "found"),
    [
        (timedelta(days=-1), timedelta(0), RuleError),  # it has begun, and there is no such rule
        (timedelta(days=365), timedelta(0), MomentError),
        (timedelta(days=1), timedelta(days=1), RuleError),  # a client's morning, begun early
        (timedelta(days=2), timedelta(days=1), MomentError),
    ],
)
def test_a_deployment_s_run_acts_as_of_no_time_that_is_yet_to_come(desk, asked, scheduled, found):
    now = datetime.now(UTC)
    given = {"client": "northwind", "rule": "1f3a09bc", "by": "ada", "as_of": (now + asked).isoformat()}
    with get_client(sync_client=True) as server:
        deployed = server.create_deployment(server.create_flow(rules), "rules", enforce_parameter_schema=False)
        run = server.create_flow_run_from_deployment(
            deployed, parameters=given, state=Scheduled(scheduled_time=now + scheduled)
        )
        server.set_flow_run_state(run.id, Pending(), force=True)  # as who starts it at once does
        with pytest.raises(found):
            run_flow(rules, flow_run=server.read_flow_run(run.id))


ON_MONDAY = "scheduled for Monday 06:00"


def run_names() -> set[str]:
    """How all flow runs are called."""
    with get_client(sync_client=True) as server:
        return {run.name for run in server.read_flow_runs()}


def test_a_flow_and_the_replay_decide_the_same(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, tier=3)
    history = timeline(months=2, until=date(2026, 2, 10))
    found = {}
    for name, act in (("replay", chain.run_due), ("flow", tier3)):
        monkeypatch.setenv("UPKEEP_HOME", str(tmp_path / name))
        desk, _ = live(history)
        play(desk, history, act=act, feedback=FEEDBACK, seed=0)
        kept = [key for key in desk.store.keys("") if not key.startswith("releases/told/")]  # a replay tells nobody
        found[name] = ([one.figures for one in reviews(desk)], decisions(desk), kept)
    assert found["flow"] == found["replay"]
    (made,) = found["flow"][1]
    assert {"tier 3 northwind 2026-02-01", "retrain northwind 2026-02-01: scheduled"} <= run_names()
    assert Artifact.get("decision-northwind").description == f"northwind 2026-02: {made.verdict} v2 against v1"
    assert str(made.after_cut) in Artifact.get("decision-northwind").data


def test_a_manual_retrain_under_tier_1_is_refused_with_a_change_order(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    serve(open_desk("northwind"), 0, wrong=0)
    made = retrain("northwind", datetime(2026, 4, 1, tzinfo=UTC), reason=" ")  # a field left empty
    assert isinstance(made, ChangeOrder)
    assert made.reason == "no reason given"
    assert "retrain northwind 2026-04-01: no reason given" in run_names()


def test_a_quarter_s_brief_is_a_paper_on_the_run_s_page(tmp_path, monkeypatch, logged):
    configure(tmp_path / "configs", monkeypatch, tier=3)
    desk = open_desk("northwind")
    serve(desk, 0, wrong=0)
    records.save(desk.store, "reviews/2026-W06.json", review_of("2026-W06"))
    tier3("northwind", datetime(2026, 4, 1, 9, tzinfo=UTC), only=[Work.BRIEF])
    assert "brief northwind 2026-Q1" in run_names()
    paper = Artifact.get("brief-northwind")
    assert paper.data == desk.store.read("briefs/2026-Q1.md").decode()
    assert paper.description == f"northwind 2026-Q1, page with chart <{link(desk.store, 'briefs/2026-Q1.html')}>"
    assert not any("stands as it was written" in line for line in logged)
    assert brief("northwind", datetime(2026, 5, 1, tzinfo=UTC)).as_of == datetime(2026, 4, 1, 9, tzinfo=UTC)
    stands = "northwind: the brief of 2026-Q1 stands as it was written, as of 2026-04-01 11:00; the next brief counts "
    assert any(line.startswith(stands) for line in logged)


def test_what_people_do_is_booked_and_beyond_the_contract_a_change_order(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, tier=2)
    serve(open_desk("northwind"), 0, wrong=0)
    march = datetime(2026, 3, 10, tzinfo=UTC)
    booked = book("northwind", Service.INTEGRATION_UPDATE, "ada", "new webhook", as_of=march)
    assert booked == Booking("2026-Q1", march, Service.INTEGRATION_UPDATE, "new webhook", "ada")
    order = book("northwind", Service.INTEGRATION_UPDATE, "ada", "one more", as_of=march + timedelta(days=1))
    assert order.why_extra == (
        "tier 'monitoring and quarterly retrain' includes 1 integration update quarterly, used in 2026-Q1: "
        "on 2026-03-10 (new webhook)"
    )
    assert "integration-update northwind 2026-03-10" in run_names()
    wanted = "northwind: the integration update that the contract does not include"
    assert Artifact.get("change-order-northwind").description == wanted


def test_a_part_of_a_client_s_requests_gets_a_model_that_answers_it_otherwise(shop):
    made = model_variant("northwind", VARIANT, "channel", "partner", as_of=MAY, reason="partners return", by="ada")
    variant = open_desk(VARIANT)
    assert made.verdict is Verdict.PROMOTE, made.reasons
    assert (made.champion, made.applied, made.applied_by) == ("northwind:1", True, "the verdict")
    (golden,) = made.compared
    assert golden.champion.value < 0.2
    assert golden.challenger.value > 0.8
    assert set(load_model(variant, in_service(variant)).labels) == {*variant.client.labels}
    assert f"model variant {VARIANT} of northwind 2026-05-04" in run_names()
    assert Artifact.get(f"decision-{VARIANT}").description == f"{VARIANT}: promote v1 against northwind:1"
    assert model_variant("northwind", VARIANT, "channel", "partner", as_of=MAY) == made
    with pytest.raises(ConfigError, match="examples line 1: text is missing or empty"):
        model_variant("northwind", VARIANT, "channel", "partner", examples=[Example(text=" ", answer=NEW)], as_of=MAY)
    with pytest.raises(VariantError, match="expected none: it is in service"):
        model_variant("northwind", VARIANT, "channel", "partner", golden=[Example(text="?", answer=NEW)], as_of=MAY)
    assert [one.by for one in release_log(variant)] == ["the verdict"]


def test_a_new_category_under_tier_1_is_refused_with_a_change_order(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    serve(open_desk("northwind"), 0, wrong=0)
    tickets = Writer("northwind", random.Random(5))
    seeds = [tickets.ticket("rental_booking") for _ in range(20)]
    made = variant("northwind", "rental_booking", seeds, as_of=datetime(2026, 4, 1, tzinfo=UTC))
    assert isinstance(made, ChangeOrder)
    assert "variant northwind 2026-04-01: rental_booking" in run_names()
    wanted = "northwind: the new category 'rental_booking' that the contract does not include"
    assert Artifact.get("change-order-northwind").description == wanted


def gift_card_decided(desk) -> str:
    """A new category that was trained and decided on; its key."""
    key = gift_card_begun(desk)
    desk.store.delete("decisions/2026-03.json")
    decide(desk, key)
    trained = records.load(desk.store, "challengers/made-2.json", Challenger)
    records.save(desk.store, f"challengers/{key}.json", replace(trained, period=key))
    return key


class Lines(logging.Handler):
    """Keeps what runs log."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@pytest.fixture
def logged():
    """What flows and tasks log."""
    lines, loggers = Lines(), [logging.getLogger(f"prefect.{kind}_runs") for kind in ("flow", "task")]
    for one in loggers:
        one.addHandler(lines)
    yield lines.heard
    for one in loggers:
        one.removeHandler(lines)


def test_a_run_that_has_nothing_to_do_says_so(tmp_path, monkeypatch, logged):
    configure(tmp_path / "configs", monkeypatch)
    tier1("northwind", datetime(2026, 4, 7, 9, tzinfo=UTC))  # a Tuesday
    assert "northwind: nothing is due on 2026-04-07" in logged
    dispatch(Work.BRIEF, Cadence.MONTHLY, datetime(2026, 4, 1, 9, tzinfo=UTC))
    assert "no client's tier includes a monthly brief: nothing is started" in logged


class Until(logging.Handler):
    """Sets an event when a run logs that it waits for another one, and keeps what it said."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event, self.heard = event, [""]

    def emit(self, record: logging.LogRecord) -> None:
        if "waits for it" in record.getMessage():
            self.heard.append(record.getMessage())
            self.event.set()


@pytest.fixture
def busy(desk):
    """Somebody trains northwind for 2025-Q4 until a run logs that it waits for that."""
    begun, done = Event(), Event()

    def train() -> None:
        with sole_training("northwind", "2025-Q4"):
            begun.set()
            done.wait(60)

    runs, until = logging.getLogger("prefect.flow_runs"), Until(done)
    runs.addHandler(until)
    with ThreadPoolExecutor() as pool:
        pool.submit(train)
        assert begun.wait(60)
        yield until
        done.set()
    runs.removeHandler(until)


def test_a_new_category_waits_for_another_training_of_the_client(desk, busy):
    key = gift_card_decided(desk)
    made = variant("northwind", "gift_card", as_of=DECIDED)
    assert isinstance(made, Decision)
    assert busy.heard[-1].endswith(f"another process is at work on 2025-Q4 already; {key} waits for it")


def test_a_retrain_waits_for_another_training_of_the_client(desk, busy):
    page = configs() / "clients" / "northwind.yaml"
    page.write_text(yaml.safe_dump(yaml.safe_load(page.read_text()) | {"tier": 2}))
    with pytest.raises(NotEnoughDataError, match="fine-tuning"):  # it went on, and the client has no cases
        retrain("northwind", DECIDED)
    assert busy.heard[-1].endswith("another process is at work on 2025-Q4 already; 2026-Q1 waits for it")


@pytest.mark.parametrize(("tier", "flow"), [(1, tier1), (2, tier2)])
def test_a_new_category_that_was_begun_goes_on_after_a_change_of_tier(desk, tier, flow):
    gift_card_decided(desk)
    page = configs() / "clients" / "northwind.yaml"
    page.write_text(yaml.safe_dump(yaml.safe_load(page.read_text()) | {"tier": tier, "promotion": "automatic"}))
    serve(desk, 4, wrong=0)
    flow("northwind", DECIDED + timedelta(days=7), only=[Work.REVIEW])
    assert desk.registry.champion() == "2"


def test_a_tier_flow_refuses_a_client_of_another_tier_and_work_the_tier_does_not_include(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    when = datetime(2026, 4, 1, tzinfo=UTC)
    with pytest.raises(ConfigError, match="tier is 1, expected 3"):
        tier3("northwind", when)
    with pytest.raises(ConfigError, match=r"not .*retrain"):
        tier1("northwind", when, only=[Work.RETRAIN])
    with pytest.raises(ConfigError, match="no such file"):
        tier1("nobody", when)
    assert {"tier 1 northwind 2026-04-01: retrain", "tier 1 nobody 2026-04-01"} <= run_names()
    assert not list(open_desk("northwind").store.keys("claims/"))


def test_a_repeated_dispatch_says_which_runs_were_there_already(tmp_path, monkeypatch):
    clients = configure(tmp_path / "configs", monkeypatch) / "clients"
    for other in ("brightbill", "clearline"):
        (clients / f"{other}.yaml").unlink()
    with get_client(sync_client=True) as server:
        server.create_deployment(server.create_flow(tier1), "tier1", enforce_parameter_schema=False)
    assert dispatched() == {"northwind": "now"}
    assert "weekly review 2026-04-06" in run_names()
    acme = (clients / "northwind.yaml").read_text().replace("northwind", "acme")
    (clients / "acme.yaml").write_text(acme)
    assert dispatched() == {"acme": "now", "northwind": "was there"}


def test_a_run_that_was_lost_is_dispatched_again_once_and_as_of_the_same_moment(tmp_path, monkeypatch):
    clients = configure(tmp_path / "configs", monkeypatch) / "clients"
    for other in ("brightbill", "clearline"):
        (clients / f"{other}.yaml").unlink()
    page = (clients / "northwind.yaml").read_text().replace("northwind", "globex")
    (clients / "northwind.yaml").unlink()
    (clients / "globex.yaml").write_text(page)
    with get_client(sync_client=True) as server:
        server.create_deployment(server.create_flow(tier1), "tier1", enforce_parameter_schema=False)
        assert dispatched() == {"globex": "now"}
        for times, ended in enumerate((Failed, Crashed, Cancelled), start=1):
            newest = max(runs_of(server, "globex"), key=lambda run: run.created)
            server.set_flow_run_state(newest.id, ended(), force=True)
            assert dispatched(hour=6 + times) == {"globex": "again"}
        assert dispatched(hour=10) == {"globex": "was there"}
        runs = runs_of(server, "globex")
    assert sorted(run.idempotency_key for run in runs) == [
        "globex:review:2026-W15",
        "globex:review:2026-W15#2",
        "globex:review:2026-W15#3",
        "globex:review:2026-W15#4",
    ]
    assert {run.parameters["as_of"] for run in runs} == {"2026-04-06T08:00:00+02:00"}


def test_what_was_lost_is_dispatched_again_also_on_the_last_day_of_its_week(tmp_path, monkeypatch):
    clients = configure(tmp_path / "configs", monkeypatch) / "clients"
    for other in ("brightbill", "clearline"):
        (clients / f"{other}.yaml").unlink()
    page = (clients / "northwind.yaml").read_text().replace("northwind", "initech")
    (clients / "northwind.yaml").unlink()
    (clients / "initech.yaml").write_text(page)
    with get_client(sync_client=True) as server:
        server.create_deployment(server.create_flow(tier1), "tier1", enforce_parameter_schema=False)
        dispatched()
        (lost,) = runs_of(server, "initech")
        server.set_flow_run_state(lost.id, Failed(), force=True)
        dispatch(Work.REVIEW, Cadence.WEEKLY, datetime(2026, 4, 12, 8, tzinfo=UTC))  # Sunday, 10 o'clock in Berlin
    rows = json.loads(Artifact.get("dispatch-review").data)
    assert [(row["period"], row["started"]) for row in rows] == [("2026-W15", "again"), ("2026-W16", ON_MONDAY)]


SUNDAY = datetime(2026, 4, 12, 8, tzinfo=UTC)  # 10 o'clock in Berlin


def by_schedule(server, deployed) -> FlowRun:
    """A run that the server's schedule begins on that Sunday."""
    until = {"start_time": SUNDAY.isoformat(), "end_time": (SUNDAY + timedelta(minutes=1)).isoformat()}
    server.request("POST", f"/deployments/{deployed}/schedule", json=until)
    (run,) = [one for one in server.read_flow_runs() if one.deployment_id == deployed and one.auto_scheduled]
    return run


def by_hand(server, deployed) -> FlowRun:
    """One that a person begins then."""
    return server.create_flow_run_from_deployment(deployed, state=Scheduled(scheduled_time=SUNDAY))


@pytest.mark.parametrize(("begin", "begun"), [(by_schedule, {}), (by_hand, {"2026-W15": "now"})])
def test_what_never_was_started_is_on_the_last_day_of_its_week_where_a_person_asks(
    tmp_path, monkeypatch, caplog, begin, begun
):
    clients = configure(tmp_path / "configs", monkeypatch) / "clients"
    page, name = (clients / "northwind.yaml").read_text(), begin.__name__.replace("_", "-")
    for other in ("brightbill", "clearline", "northwind"):
        (clients / f"{other}.yaml").unlink()
    (clients / f"{name}.yaml").write_text(page.replace("northwind", name))
    yearly = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 8 12 4 *", timezone="UTC"), active=True)
    given = {"work": "review", "cadence": "weekly"}
    with get_client(sync_client=True) as server:
        server.create_deployment(server.create_flow(tier1), "tier1", enforce_parameter_schema=False)
        deployed = server.create_deployment(server.create_flow(dispatch), name, parameters=given, schedules=[yearly])
        run = begin(server, deployed)
        server.set_flow_run_state(run.id, Pending(), force=True)
        run_flow(dispatch, flow_run=server.read_flow_run(run.id), parameters=given)
        as_of = {one.parameters["as_of"] for one in runs_of(server, name)}
    rows = json.loads(Artifact.get("dispatch-review").data)
    assert {row["period"]: row["started"] for row in rows} == begun | {"2026-W16": ON_MONDAY}
    assert as_of == {"2026-04-13T06:00:00+02:00", *("2026-04-12T10:00:00+02:00" for _ in begun)}
    assert f"{len(begun)} runs started, 1 scheduled for later, 0 started again, 0 were there" in caplog.text


def test_a_client_whose_run_cannot_be_started_holds_up_nobody_else_and_is_tried_again(tmp_path, monkeypatch):
    clients = configure(tmp_path / "configs", monkeypatch) / "clients"
    page = (clients / "northwind.yaml").read_text().replace("northwind", "umbrella")
    (clients / "umbrella.yaml").write_text(page)
    with get_client(sync_client=True) as server:
        server.create_deployment(server.create_flow(tier1), "tier1", enforce_parameter_schema=False)

    @flow
    def start_at_once() -> None:
        start = start_runs.with_options(retry_delay_seconds=0)
        start({"nobody": 1, "umbrella": 1}, Work.REVIEW, Cadence.WEEKLY, datetime(2026, 4, 6, 6, tzinfo=UTC))

    with pytest.raises(ServerError, match="no run could be started for nobody"):
        start_at_once()
    lost, started = json.loads(Artifact.get("dispatch-review").data)
    assert (lost["client"], lost["started"]) == ("nobody", "failed")
    assert "no such file" in lost["state"]
    assert (started["client"], started["started"]) == ("umbrella", "was there")  # by then it was the third try


def runs_of(server, client: str) -> list[FlowRun]:
    """The tier flow's runs of a client."""
    return [run for run in server.read_flow_runs() if run.parameters.get("client") == client]


@pytest.mark.parametrize(
    ("zone", "week", "month"),
    [
        ("Asia/Tokyo", "2026-06-08T13:00:00+09:00", "2026-07-01T15:00:00+09:00"),
        ("Europe/Berlin", "2026-06-08T06:00:00+02:00", "2026-07-01T08:00:00+02:00"),
        ("America/New_York", "2026-06-08T00:00:00-04:00", "2026-07-01T02:00:00-04:00"),
        ("America/Los_Angeles", "2026-06-08T06:00:00-07:00", "2026-07-01T08:00:00-07:00"),
        ("Pacific/Honolulu", "2026-06-08T06:00:00-10:00", "2026-07-01T08:00:00-10:00"),
    ],
)
def test_each_client_s_run_acts_on_its_own_monday_and_first(zone, week, month):
    zone = ZoneInfo(zone)
    berlin = ZoneInfo("Europe/Berlin")
    monday, first = (
        at.astimezone(zone) for at in (datetime(2026, 6, 8, 6, tzinfo=berlin), datetime(2026, 7, 1, 8, tzinfo=berlin))
    )
    assert acts_at(monday, Work.REVIEW, Cadence.WEEKLY, zone).isoformat() == week
    assert acts_at(first, Work.RETRAIN, Cadence.QUARTERLY, zone).isoformat() == month


def test_a_client_whose_week_has_not_begun_is_dispatched_for_its_own_monday(tmp_path, monkeypatch):
    clients = configure(tmp_path / "configs", monkeypatch, time_zone="America/Los_Angeles") / "clients"
    for other in ("brightbill", "clearline"):
        (clients / f"{other}.yaml").unlink()
    with get_client(sync_client=True) as server:
        server.create_deployment(server.create_flow(tier1), "tier1", enforce_parameter_schema=False)
        dispatch(Work.REVIEW, Cadence.WEEKLY, datetime(2026, 6, 8, 4, tzinfo=UTC))
        (run,) = [one for one in server.read_flow_runs() if one.name == "northwind review 2026-W24"]
    assert run.parameters["as_of"] == "2026-06-08T06:00:00-07:00"
    assert run.state.state_details.scheduled_time == datetime(2026, 6, 8, 13, tzinfo=UTC)


def dispatched(hour: int = 6) -> dict[str, str]:
    """Dispatch one week's reviews; when each client's run was started, as the run page says."""
    dispatch(Work.REVIEW, Cadence.WEEKLY, datetime(2026, 4, 6, hour, tzinfo=UTC))
    rows = json.loads(Artifact.get("dispatch-review").data)
    return {row["client"]: row["started"] for row in rows}
