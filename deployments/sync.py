"""Does the server offer exactly what prefect.yaml says?

    python -m deployments.sync

Brings work pool, deployments and schedules into line with the file, and the automations that end runs whose machine is
gone; is safe to repeat. Finds the server by PREFECT_API_URL, else by what `make up` has started.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.lost_runs import ensure_lost_runs_end
from deployments.schema import MANUAL, PROJECT, ROOT, TAG, Deployment, Pool, Project, load_project
from deployments.up import read_state
from upkeep.config import client_names
from upkeep.errors import ConfigError, ServerError, UpkeepError
from upkeep.home import configs, home

PAGE = 200


class Synced(NamedTuple):
    """What a sync left on the server: `flow/deployment` names, what it removed, and the clients that forms offer."""

    deployed: list[str]
    pruned: list[str]
    clients: list[str]


def sync(api_url: str) -> Synced:
    """Make the server at `api_url` offer what prefect.yaml says.

    Raises ConfigError for a file or an entrypoint that is not right, before anything is changed, and ServerError when
    the server then holds something else.
    """
    project = load_project()
    expected = by_full_name(project)
    clients = client_names(configs())
    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        ensure_pool(client, project.pool)
        ensure_lost_runs_end(client)
        _deploy(api_url)
        pruned = prune(client, expected)
        _settle_forms(client, expected, clients)
        found = {name: client.read_deployment_by_name(name) for name in _on_server(client)}
    differences = _differences(expected, found)
    if differences:
        raise ServerError("\n".join(f"{api_url}: {line}" for line in differences))
    return Synced(deployed=sorted(expected), pruned=pruned, clients=clients)


def by_full_name(project: Project) -> dict[str, Deployment]:
    """The file's deployments by `flow/deployment`. Raises ConfigError naming an entrypoint that is not a flow."""
    return {f"{_flow_name(deployment)}/{deployment.name}": deployment for deployment in project.deployments}


def ensure_pool(client: SyncPrefectClient, pool: Pool) -> None:
    """Create the pool and its queues or set their limits. Raises ServerError when the name is taken by another type."""
    try:
        found = client.read_work_pool(pool.name)
    except ObjectNotFound:
        found = client.create_work_pool(WorkPoolCreate(name=pool.name, type="process"))
    if found.type != "process":
        raise ServerError(f"work pool {pool.name!r}: found type {found.type!r}, expected 'process'")
    client.update_work_pool(pool.name, WorkPoolUpdate(description=pool.description, concurrency_limit=pool.limit))
    there = {queue.name: queue.id for queue in client.read_work_queues(work_pool_name=pool.name)}
    for queue in pool.queues:
        wanted = {"concurrency_limit": queue.limit, "priority": queue.priority}
        if queue.name not in there:
            there[queue.name] = client.create_work_queue(name=queue.name, work_pool_name=pool.name).id
        client.update_work_queue(there[queue.name], **wanted)


def prune(client: SyncPrefectClient, expected: Mapping[str, Deployment]) -> list[str]:
    """Delete our deployments and schedules that the file no longer has; say which. Others' deployments stay."""
    pruned = []
    for name, deployment in _on_server(client).items():
        if name not in expected:
            client.delete_deployment(deployment.id)
            pruned.append(name)
            continue
        slugs = {schedule.slug for schedule in expected[name].schedules}
        for schedule in deployment.schedules:
            if schedule.slug not in slugs:
                client.delete_deployment_schedule(deployment.id, schedule.id)
                pruned.append(f"{name} schedule {schedule.slug or schedule.id}")
    return sorted(pruned)


def _flow_name(deployment: Deployment) -> str:
    try:
        return load_flow_from_entrypoint(deployment.entrypoint, use_placeholder_flow=False).name
    except Exception as exc:  # importing runs the module: any error may come out of it
        raise ConfigError(
            f"{PROJECT}: {deployment.name}: entrypoint {deployment.entrypoint} is no flow: {type(exc).__name__}: {exc}"
        ) from exc


def _deploy(api_url: str) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", PROJECT.name]
    env = {**os.environ, "PREFECT_API_URL": api_url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServerError(f"{api_url}: prefect deploy ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _on_server(client: SyncPrefectClient) -> dict[str, DeploymentResponse]:
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    found: list[DeploymentResponse] = []
    while page := client.read_deployments(deployment_filter=ours, limit=PAGE, offset=len(found)):
        found += page
    return {f"{client.read_flow(deployment.flow_id).name}/{deployment.name}": deployment for deployment in found}


def _settle_forms(client: SyncPrefectClient, expected: Mapping[str, Deployment], clients: Sequence[str]) -> None:
    """Have the server refuse what a flow does not take, and make `client` a drop-down in the forms people fill in.

    A parameter that it took would crash the run. The dispatched flows keep a free field for the client, or the server
    would refuse one that was added since the last sync.
    """
    for name, deployment in expected.items():
        found = client.read_deployment_by_name(name)
        schema = {**(found.parameter_openapi_schema or {}), "additionalProperties": False}
        if clients and MANUAL in deployment.tags:
            schema["properties"] = _offering(clients, name, schema.get("properties", {}))
        client.update_deployment(found.id, DeploymentUpdate.model_validate({"parameter_openapi_schema": schema}))


def _offering(clients: Sequence[str], name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A form's fields with the clients to choose from. Raises ServerError for a form without a client."""
    if "client" not in fields:
        raise ServerError(f"{name}: its form has {sorted(fields)}, expected a field 'client'")
    return {**fields, "client": {**fields["client"], "enum": list(clients)}}


def _differences(expected: Mapping[str, Deployment], found: Mapping[str, DeploymentResponse]) -> list[str]:
    lines = [f"{name} is on the server, expected it to be pruned" for name in sorted(found.keys() - expected.keys())]
    for name, deployment in expected.items():
        if name not in found:
            lines.append(f"{name} is not on the server, expected it from {PROJECT.name}")
            continue
        wanted, got = _facts(deployment), _facts_found(found[name])
        wrong = [key for key in wanted if wanted[key] != got[key]]
        lines += [f"{name}: {key} is {got[key]!r}, expected {wanted[key]!r}" for key in wrong]
    return lines


def _facts(deployment: Deployment) -> dict[str, object]:
    return {
        "entrypoint": deployment.entrypoint,
        "description": deployment.description,
        "tags": sorted(deployment.tags),
        "parameters": deployment.parameters,
        "schedules": sorted((one.slug, one.cron, one.timezone) for one in deployment.schedules),
        "work pool": deployment.work_pool.name,
        "work queue": deployment.work_pool.work_queue_name,
        "pull steps": [],
    }


def _facts_found(deployment: DeploymentResponse) -> dict[str, object]:
    return {
        "entrypoint": deployment.entrypoint,
        "description": deployment.description,
        "tags": sorted(deployment.tags),
        "parameters": deployment.parameters,
        "schedules": sorted((one.slug or "", *_cron(one)) for one in deployment.schedules),
        "work pool": deployment.work_pool_name,
        "work queue": deployment.work_queue_name,
        "pull steps": deployment.pull_steps or [],
    }


def _cron(schedule: DeploymentSchedule) -> tuple[str, str]:
    kind = schedule.schedule
    return (kind.cron, kind.timezone or "") if isinstance(kind, CronSchedule) else (type(kind).__name__, "")


def _api_url() -> str:
    """PREFECT_API_URL, else the server that `make up` has started; Prefect itself would deploy to a passing one."""
    chosen = os.environ.get("PREFECT_API_URL")
    if chosen:
        return chosen
    state = read_state(home())
    if state is None:
        raise ServerError("no Prefect server: set PREFECT_API_URL, or start one with `make up`")
    return state.prefect_api


def main() -> int:
    """Sync and say what was done; 1 and the reason when it cannot be."""
    try:
        synced = sync(_api_url())
    except UpkeepError as exc:
        print(exc, file=sys.stderr)
        return 1
    print(f"deployed {len(synced.deployed)}: {', '.join(synced.deployed)}")
    print(f"pruned {len(synced.pruned)}{': ' if synced.pruned else ''}{', '.join(synced.pruned)}")
    print(f"clients in the forms: {', '.join(synced.clients) or 'any, as there are no client configs'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
