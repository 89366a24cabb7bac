"""Does prefect.yaml say what we mean? Prefect drops keys it does not know and offers flows it cannot import."""

import asyncio
import inspect
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from prefect.flows import load_flow_from_entrypoint
from prefect.server.schemas.schedules import CronSchedule
from prefect.utilities.callables import parameter_schema

from deployments.schema import MANUAL, PROJECT, Deployment, load_project
from upkeep.errors import ConfigError

BERLIN = ZoneInfo("Europe/Berlin")
PROJECT_FILE = load_project()
DEPLOYMENTS = {deployment.name: deployment for deployment in PROJECT_FILE.deployments}

EXPECTED = {
    "weekly-review": ["work", "cadence", "as_of"],
    "monthly-report": ["work", "cadence", "as_of"],
    "quarterly-retrain": ["work", "cadence", "as_of"],
    "monthly-retrain": ["work", "cadence", "as_of"],
    "quarterly-brief": ["work", "cadence", "as_of"],
    "tier1": ["client", "as_of", "only"],
    "tier2": ["client", "as_of", "only"],
    "tier3": ["client", "as_of", "only"],
    "review": ["client", "as_of"],
    "report": ["client", "as_of"],
    "brief": ["client", "as_of"],
    "book": ["client", "service", "by", "reason", "as_of"],
    "retrain": ["client", "as_of", "reason"],
    "variant": ["client", "label", "seeds", "as_of", "reason", "by", "wait_for_review"],
    "model-variant": [
        "client",
        "variant",
        "key",
        "value",
        "examples",
        "golden",
        "as_of",
        "reason",
        "by",
        "approve",
    ],
    "approval": ["client", "period", "by", "reason", "answer", "override", "as_of"],
    "rules": ["client", "rule", "by", "answer", "since", "as_of"],
    "rollback": ["client", "by", "reason", "to", "as_of"],
}


def written(folder, text):
    path = folder / "prefect.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def next_starts(deployment: Deployment, after: datetime, count: int) -> list[str]:
    (schedule,) = deployment.schedules
    cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    dates = asyncio.run(cron.get_dates(n=count, start=after))
    return [date.astimezone(BERLIN).strftime("%a %Y-%m-%d %H:%M %z") for date in dates]


def test_the_file_offers_exactly_the_agreed_deployments():
    assert set(DEPLOYMENTS) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_entrypoint_is_a_flow_with_the_agreed_parameters(name):
    flow = load_flow_from_entrypoint(DEPLOYMENTS[name].entrypoint, use_placeholder_flow=False)
    assert list(inspect.signature(flow.fn).parameters) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_given_parameters_are_among_the_choices_of_the_flow(name):
    deployment = DEPLOYMENTS[name]
    flow = load_flow_from_entrypoint(deployment.entrypoint, use_placeholder_flow=False)
    schema = parameter_schema(flow)
    for key, value in deployment.parameters.items():
        field = schema.properties[key]
        reference = field.get("$ref") or field["allOf"][0]["$ref"]
        assert value in schema.definitions[reference.rsplit("/", 1)[-1]]["enum"]


def test_reviews_start_on_mondays_at_six_across_the_clock_change():
    # the clocks go back on Sunday 25 October 2026
    assert next_starts(DEPLOYMENTS["weekly-review"], datetime(2026, 10, 15, tzinfo=UTC), 2) == [
        "Mon 2026-10-19 06:00 +0200",
        "Mon 2026-10-26 06:00 +0100",
    ]


def test_reports_start_on_the_first_at_seven():
    assert next_starts(DEPLOYMENTS["monthly-report"], datetime(2026, 11, 15, tzinfo=UTC), 3) == [
        "Tue 2026-12-01 07:00 +0100",
        "Fri 2027-01-01 07:00 +0100",
        "Mon 2027-02-01 07:00 +0100",
    ]


def test_quarterly_retrains_start_on_the_first_of_each_quarter_at_eight():
    assert next_starts(DEPLOYMENTS["quarterly-retrain"], datetime(2026, 11, 15, tzinfo=UTC), 4) == [
        "Fri 2027-01-01 08:00 +0100",
        "Thu 2027-04-01 08:00 +0200",
        "Thu 2027-07-01 08:00 +0200",
        "Fri 2027-10-01 08:00 +0200",
    ]


def test_monthly_retrains_start_on_the_first_at_eight():
    assert next_starts(DEPLOYMENTS["monthly-retrain"], datetime(2026, 11, 15, tzinfo=UTC), 2) == [
        "Tue 2026-12-01 08:00 +0100",
        "Fri 2027-01-01 08:00 +0100",
    ]


def test_briefs_start_on_the_first_of_each_quarter_after_its_retrain():
    assert next_starts(DEPLOYMENTS["quarterly-brief"], datetime(2026, 11, 15, tzinfo=UTC), 2) == [
        "Fri 2027-01-01 09:00 +0100",
        "Thu 2027-04-01 09:00 +0200",
    ]


def test_what_people_start_is_not_scheduled_and_what_is_scheduled_is_not_offered_as_a_form():
    manual = {name for name, deployment in DEPLOYMENTS.items() if MANUAL in deployment.tags}
    scheduled = {name for name, deployment in DEPLOYMENTS.items() if deployment.schedules}
    by_hand = {"review", "report", "brief", "book", "retrain", "variant", "model-variant", "approval", "rules"}
    assert manual == by_hand | {"rollback"}
    assert scheduled == {"weekly-review", "monthly-report", "quarterly-retrain", "monthly-retrain", "quarterly-brief"}


def test_every_deployment_waits_in_a_queue_that_sync_creates():
    queues = {queue.name for queue in PROJECT_FILE.pool.queues}
    assert {deployment.work_pool.name for deployment in DEPLOYMENTS.values()} == {PROJECT_FILE.pool.name}
    assert {deployment.work_pool.work_queue_name for deployment in DEPLOYMENTS.values()} <= queues


def test_the_file_says_how_many_runs_and_trainings_go_on_at_a_time(tmp_path):
    text = PROJECT.read_text(encoding="utf-8").replace("{runs: 2, trainings: 1}", "{runs: 8, trainings: 3}")
    pool = load_project(written(tmp_path, text)).pool
    assert (pool.limit, {queue.name: queue.limit for queue in pool.queues}) == (8, {"default": None, "training": 3})


@pytest.mark.parametrize(
    ("right", "wrong", "place"),
    [
        ("    description: Mondays", "    descripton: Mondays", "deployments.0.descripton"),
        ('cron: "0 6 * * 1"', 'crom: "0 6 * * 1"', "deployments.0.schedules.0.crom"),
        ('cron: "0 6 * * 1"', 'cron: "0 6 * *"', "deployments.0.schedules.0.cron"),
        ("Europe/Berlin", "Europe/Berln", "deployments.0.schedules.0.timezone"),
        ("flows.dispatch.dispatch", "flows/dispatch.py:dispatch", "deployments.0.entrypoint"),
        ("tags: [upkeep, scheduled, review]", "tags: [scheduled, review]", "deployments.0.tags"),
        ("pull: []", "push: []", "push"),
        ("trainings: 1", "trainings: 2", "limits: trainings is 2, expected less than runs"),
        ("trainings: 1", "training: 1", "limits.training"),
        ("- name: monthly-report", "- name: weekly-review", "'weekly-review'"),
        ("limits:", "name: upkeep\nlimits:", "name: found again after line 20"),
    ],
)
def test_a_slip_in_the_file_is_an_error_that_names_its_place(tmp_path, right, wrong, place):
    text = PROJECT.read_text(encoding="utf-8")
    assert right in text
    path = written(tmp_path, text.replace(right, wrong, 1))
    with pytest.raises(ConfigError) as caught:
        load_project(path)
    assert str(path) in str(caught.value)
    assert place in str(caught.value)


def test_no_path_or_address_of_a_machine_is_in_the_file():
    text = PROJECT.read_text(encoding="utf-8")
    assert not [word for word in ("/home", "/root", "/tmp", "http:", "https:") if word in text]
