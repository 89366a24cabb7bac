"""Does `up` bring everything up against real servers on PostgreSQL, and does `down` leave nothing behind?

One start for the whole file: about 30 s on two free cores. On SQLite the same servers run in the demo's test, in those
of the tiers' flows and of review in MLflow.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Pending, Running, Scheduled

from deployments.lost_runs import BEGINS, ENDS, LOST_RUNS, NEVER_BEGUN, PENDING, lost
from deployments.schema import POOL, ROOT, TAG, load_project
from deployments.servers import Service, answers, await_ready, environment, free_port, running, serving, started
from deployments.sync import sync
from deployments.up import SERVICES, State, down, read_state, sole
from tests.postgres import postgresql
from tests.released import DECIDED, decide, three_versions
from tests.s3 import new_bucket, s3_endpoint  # noqa: F401 -- fixtures are found by name
from upkeep.desk import open_desk
from upkeep.errors import ServerError
from upkeep.home import configs
from upkeep.stages.release import release_log

CLIENTS = ["acme", "globex"]


@pytest.fixture(autouse=True)
def state_folder():
    """The tests of this module share one state folder, so each has none of its own."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("home").resolve()


@pytest.fixture(scope="module")
def database():
    with postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def everything(folder, database, s3_endpoint, tmp_path_factory):  # noqa: F811 -- its credentials are the worker's too
    agreed = tmp_path_factory.mktemp("configs")
    (agreed / "clients").mkdir()
    (agreed / "tiers.yaml").write_bytes((ROOT / "configs" / "tiers.yaml").read_bytes())
    for client in CLIENTS:
        (agreed / "clients" / f"{client}.yaml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPKEEP_HOME", str(folder))
        patch.setenv("UPKEEP_CONFIGS", str(agreed))
        patch.delenv("PREFECT_API_URL", raising=False)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        try:
            said = run("deployments.up", "--background")
            assert said.returncode == 0, said.stderr
            state = read_state(folder)
            assert state is not None
            assert f"Prefect UI  {state.prefect_ui}\nMLflow UI   {state.mlflow}\n" in said.stdout
            yield state
        finally:
            down(folder)


@pytest.fixture
def client(everything):
    with temporary_settings({PREFECT_API_URL: everything.prefect_api}), get_client(sync_client=True) as client:
        yield client


def listing(client):
    """What is on the server, by flow/deployment, with the ids that a needless re-creation would change."""
    return {
        f"{client.read_flow(found.flow_id).name}/{found.name}": (
            found.id,
            found.entrypoint,
            sorted((one.id, one.slug, one.schedule.cron, one.schedule.timezone, one.active) for one in found.schedules),
            found.work_queue_name,
            found.parameter_openapi_schema["properties"].get("client", {}).get("enum"),
        )
        for found in client.read_deployments(limit=100)
    }


def run(module, *options):
    command = [sys.executable, "-m", module, *options]
    # `up` gives itself 180 seconds
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_everything_in_the_file_is_on_the_server_with_its_schedule(client):
    there = listing(client)
    assert {name.split("/")[1] for name in there} == {one.name for one in load_project().deployments}
    _, _, ((_, slug, cron, zone, active),), _, _ = there["dispatch/weekly-review"]
    assert (slug, cron, zone, active) == ("weekly", "0 6 * * 1", "Europe/Berlin", True)


def test_forms_for_people_offer_the_clients_and_dispatched_flows_take_any(client):
    choices = {name: enum for name, (*_, enum) in listing(client).items()}
    assert [choices[name] for name in ("review/review", "report/report", "retrain/retrain")] == [CLIENTS] * 3
    assert [choices[name] for name in ("tier1/tier1", "tier2/tier2", "tier3/tier3")] == [None] * 3


@pytest.mark.parametrize(
    ("name", "given", "unknown"),
    [
        ("tier1/tier1", {"client": "umbrella", "only": ["review"]}, "work"),
        ("rules/rules", {"client": "acme", "rule": "1f3a09bc", "by": "ada"}, "accept"),
        ("dispatch/weekly-review", {}, "client"),
    ],
)
def test_a_parameter_that_a_flow_does_not_have_is_refused_and_those_that_it_has_are_taken(client, name, given, unknown):
    deployed = client.read_deployment_by_name(name).id
    tomorrow = Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(PrefectHTTPStatusError, match=rf"409(.|\n)*'{unknown}' was unexpected"):
        client.create_flow_run_from_deployment(deployed, parameters=given | {unknown: True}, state=tomorrow)
    run = client.create_flow_run_from_deployment(deployed, parameters=given, state=tomorrow)
    client.delete_flow_run(run.id)


def test_the_pool_has_its_limit_and_training_its_own(client):
    queues = client.read_work_queues(work_pool_name=POOL)
    assert client.read_work_pool(POOL).concurrency_limit == 2
    assert {queue.name: queue.concurrency_limit for queue in queues} == {"default": None, "training": 1}


@pytest.mark.parametrize("wanted", [LOST_RUNS, NEVER_BEGUN])
def test_a_sync_mends_the_automations_that_end_lost_runs(client, everything, wanted):
    (found,) = client.read_automations_by_name(wanted.name)
    client.update_automation(found.id, wanted.model_copy(update={"description": "another one's", "actions": []}))
    sync(everything.prefect_api)
    (after,) = client.read_automations_by_name(wanted.name)
    assert (after.id, after.description) == (found.id, wanted.description)
    assert (after.trigger, after.actions) == (wanted.trigger, wanted.actions)


def test_a_run_that_was_taken_and_has_not_begun_is_ended_and_one_that_has_begun_is_not(client):
    soon = lost(
        after=PENDING, expect=ENDS + BEGINS, name="at once", message="gone", within=timedelta(seconds=10)
    )  # the shortest that Prefect takes
    made = client.create_automation(soon)
    flow = client.create_flow_from_name("taken")
    deployment = client.create_deployment(flow_id=flow, name="taken", tags=[TAG])
    taken, begun = (client.create_flow_run_from_deployment(deployment).id for _ in range(2))
    for run_id, state in ((taken, Pending()), (begun, Pending()), (begun, Running())):
        client.set_flow_run_state(run_id, state)
    deadline = time.monotonic() + 60
    while (now := client.read_flow_run(taken).state_type) is StateType.PENDING and time.monotonic() < deadline:
        time.sleep(0.5)
    assert (now, client.read_flow_run(begun).state_type) == (StateType.CRASHED, StateType.RUNNING)
    client.delete_deployment(deployment)
    client.request("DELETE", "/automations/{id}", path_params={"id": made})


def automations(client):
    """All automations on the server, as it stores them."""
    return client.request("POST", "/automations/filter", json={}).json()


def test_a_worker_is_there_to_run_them(client):
    (worker,) = client.read_workers_for_work_pool(POOL)
    assert worker.status == "ONLINE"


def test_a_person_s_word_is_carried_out_on_postgresql_and_s3(client, everything, s3_endpoint, monkeypatch):  # noqa: F811
    raw = yaml.safe_load((ROOT / "configs" / "clients" / "northwind.yaml").read_text(encoding="utf-8"))
    raw |= {"client": "acme", "promotion": "manual", "store": f"s3://{new_bucket(s3_endpoint)}/acme"}
    raw |= {"store_endpoint": s3_endpoint}
    (configs() / "clients" / "acme.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    (configs() / "training").mkdir()
    for recipe in (ROOT / "configs" / "training").iterdir():
        (configs() / "training" / recipe.name).write_bytes(recipe.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", everything.mlflow)
    desk = open_desk("acme")
    three_versions(desk)
    decide(desk)
    given = {"client": "acme", "period": "2026-03", "by": "ada", "reason": "sure", "as_of": DECIDED.isoformat()}
    deployment = client.read_deployment_by_name("approval/approval")
    run_id = client.create_flow_run_from_deployment(deployment.id, parameters=given).id
    deadline = time.monotonic() + 120
    while not (now := client.read_flow_run(run_id).state).is_final() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert now.type is StateType.COMPLETED, now
    assert desk.registry.champion() == "2"
    assert release_log(desk)[-1].by == "ada"


def test_both_servers_keep_what_they_know_in_postgresql(client, database):
    assert count(database, "prefect", "deployment") == len(client.read_deployments(limit=100))
    assert count(database, "mlflow", "experiments") > 0


def count(database, name, table):
    said = database.psql(f"\\c {name}\n\\t on\nSELECT count(*) FROM {table};")
    return int(said.split()[-1])


def test_mlflow_answers(everything):
    with urllib.request.urlopen(f"{everything.mlflow}/health", timeout=5) as response:
        assert response.status == 200


def test_a_second_sync_changes_nothing_but_prunes_our_strays_and_keeps_a_pause(client, everything):
    flow = client.create_flow_from_name("theirs")
    ours = client.create_deployment(flow_id=flow, name="stray", tags=[TAG], work_pool_name=POOL)
    theirs = client.create_deployment(flow_id=flow, name="kept", work_pool_name=POOL)
    weekly = client.read_deployment_by_name("dispatch/weekly-review")
    path = {"id": weekly.id, "schedule_id": weekly.schedules[0].id}
    client.request("PATCH", "/deployments/{id}/schedules/{schedule_id}", path_params=path, json={"active": False})
    before, lost_runs = listing(client), automations(client)

    synced = sync(everything.prefect_api)

    after = listing(client)
    assert synced.pruned == ["theirs/stray"]
    assert before.keys() - after.keys() == {"theirs/stray"}
    assert before["theirs/stray"][0] == ours
    assert after == {name: entry for name, entry in before.items() if name != "theirs/stray"}
    client.delete_deployment(theirs)
    assert sorted(one["name"] for one in lost_runs) == sorted([LOST_RUNS.name, NEVER_BEGUN.name])
    assert automations(client) == lost_runs  # nor when it was updated, which would forget who is silent


def test_up_when_all_is_up_says_so_and_starts_nothing(everything, folder):
    said = run("deployments.up")
    assert said.returncode == 0
    assert said.stdout.startswith("already up, nothing started\n")
    assert everything.prefect_ui in said.stdout
    assert f"Stop with   UPKEEP_HOME={folder} {sys.executable} -m deployments.down\n" in said.stdout
    assert read_state(folder) == everything


def test_down_stops_every_process_and_says_which(everything, folder):
    assert all(started(name, folder) for name in ("worker", "mlflow", "prefect"))

    said = run("deployments.down")

    assert said.stdout == "stopped: worker, mlflow, prefect\n"
    assert [one.pid for name in SERVICES for one in started(name, folder)] == []
    assert read_state(folder) is None
    assert not (folder / "up.json").exists()
    assert run("deployments.down").stdout == f"nothing was up in {folder}\n"


def test_ctrl_c_while_all_is_coming_up_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path))
    command = [sys.executable, "-m", "deployments.up"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as coming:
        deadline = time.monotonic() + 30
        while not started("prefect", tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        coming.send_signal(signal.SIGINT)
        said, _ = coming.communicate(timeout=60)
    assert (coming.returncode, said) == (0, "stopped: worker, servers\n")
    assert [one.pid for name in SERVICES for one in started(name, tmp_path)] == []


@pytest.mark.parametrize("options", [(), ("--background",)])
def test_up_while_another_is_starting_names_it_and_leaves_its_log_alone(tmp_path, monkeypatch, options):
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "up.log").write_text("as it was")
    with sole(tmp_path):
        said = run("deployments.up", *options)
    assert said.returncode == 1
    assert f"up is starting already (process {os.getpid()}); wait for it, or stop it with" in said.stderr
    assert (tmp_path / "logs" / "up.log").read_text() == "as it was"


def test_a_server_that_is_given_and_does_not_answer_is_an_error_that_names_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    said = run("deployments.up")
    assert said.returncode == 1
    assert "PREFECT_API_URL is http://127.0.0.1:9/api: no answer" in said.stderr


def test_a_service_that_ends_by_itself_is_an_error_that_shows_its_log(tmp_path):
    env = environment(tmp_path, prefect_api="http://127.0.0.1/api", mlflow_uri="http://127.0.0.1")
    broken = Service("broken", (sys.executable, "-c", "raise SystemExit('no disk')"), ready=lambda _log: False)
    with running(broken, tmp_path, env) as child, pytest.raises(ServerError, match="ended by itself with 1") as caught:
        await_ready(child)
    assert str(tmp_path / "logs" / "broken.log") in str(caught.value)
    assert "no disk" in str(caught.value)


def test_a_server_that_was_quicker_at_the_port_is_not_taken_for_ours(tmp_path):
    env = environment(tmp_path, prefect_api="http://127.0.0.1/api", mlflow_uri="http://127.0.0.1")
    port = free_port(0)
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    first, second = (
        Service(name, command, ready=answers(f"http://127.0.0.1:{port}/"), port=port) for name in ("first", "second")
    )
    with serving(first, tmp_path, env), running(second, tmp_path, env) as child:
        told = f"second: ended by itself with 1, something else answers at port {port}: start again; its log"
        with pytest.raises(ServerError, match=told) as caught:
            await_ready(child)
        assert "Address already in use" in str(caught.value)


def test_a_process_that_ignores_being_asked_and_has_left_its_group_is_ended_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("deployments.servers.FINISH_SECONDS", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    starter = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {deaf!r}], start_new_session=True)"
    env = environment(tmp_path, prefect_api="http://127.0.0.1/api", mlflow_uri="http://127.0.0.1")
    service = Service("deaf", (sys.executable, "-c", starter), ready=lambda log: "on" in log.read_text())
    with serving(service, tmp_path, env):
        assert len(started("deaf", tmp_path)) == 2
    assert started("deaf", tmp_path) == []


def test_a_taken_port_is_left_alone():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port


def test_a_state_names_its_addresses_in_json():
    state = State(pid=1, prefect_api="http://h/api", prefect_ui="http://h", mlflow="http://m")
    assert State.model_validate_json(state.model_dump_json()) == state
