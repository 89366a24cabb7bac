"""One isolated run per client, started as a task."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from upkeep.config import Work, client_names, load_agreement
from upkeep.errors import ConfigError
from upkeep.home import configs
from upkeep.periods import Cadence, localise, next_start, period

AHEAD = timedelta(hours=16)
"""A morning in the agency's zone is at most so long before midnight in a client's, unless one is in New Zealand."""
HOURS = {Work.REVIEW: 6, Work.REPORT: 7, Work.RETRAIN: 8}
"""The hours of the day in prefect.yaml."""


@task
def entitled_clients(work: Work, cadence: Cadence) -> dict[str, int]:
    """The clients whose tier includes the work at this cadence, with their tier.

    A client whose config is broken is logged as an error and left out, so that it holds up nobody else.
    """
    folder, log = configs(), get_run_logger()
    found = {}
    for name in client_names(folder):
        try:
            agreement = load_agreement(folder, name)
        except ConfigError as exc:
            log.error("left out: %s", exc)
            continue
        if agreement.tier.schedule.get(work) == cadence:
            found[name] = agreement.client.tier
    return found


@task
def start_runs(clients: dict[str, int], work: Work, cadence: Cadence, as_of: datetime) -> None:
    """Start the tier flow of every client; starting the same period again finds the same runs, and says so.

    Where the client's day has not begun yet, its run is scheduled for that morning.
    """
    rows = []
    for client, tier in clients.items():
        zone = load_agreement(configs(), client).client.zone
        now = localise(as_of, zone)
        at = acts_at(now, work, cadence, zone)
        key = period(at, cadence, zone).key
        once = f"{client}:{work.value}:{key}"
        there = _runs_of(once)
        run: FlowRun = run_deployment(  # type: ignore[assignment]  # in a sync task it returns the run
            f"tier{tier}/tier{tier}",
            parameters={"client": client, "as_of": at.isoformat(), "only": [work.value]},
            idempotency_key=once,
            flow_run_name=f"{client} {work.value} {key}",
            scheduled_time=at if at > now else None,
            tags=[client, work.value],
            work_queue_name="training" if work is Work.RETRAIN else None,
            as_subflow=False,  # a second dispatch would keep pending dummy task runs
            timeout=0,
        )
        started = "was there" if run.id in there else "now"
        row = {"client": client, "tier": tier, "period": key, "run": str(run.id), "started": started}
        rows.append(row | {"state": run.state_name})
    create_table_artifact(key=f"dispatch-{work.value}", table=rows, description=f"{work.value} runs, {cadence.value}")
    new = sum(row["started"] == "now" for row in rows)
    get_run_logger().info(
        "%s, %s: %d runs started, %d were there already", work.value, cadence.value, new, len(rows) - new
    )


def acts_at(now: datetime, work: Work, cadence: Cadence, zone: ZoneInfo) -> datetime:
    """When a client's run acts: now, or on the morning of its own next period, where that is about to begin.

    The schedules are written in the agency's zone; on its Monday morning it is still Sunday west of it.
    """
    begins = next_start(now, cadence, zone)
    return begins.replace(hour=HOURS[work]) if begins - now <= AHEAD else now


def _runs_of(key: str) -> set[UUID]:
    """The runs that an idempotency key has started so far; Prefect's answer to a start does not tell."""
    of_key = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key]))
    with get_client(sync_client=True) as server:
        return {run.id for run in server.read_flow_runs(flow_run_filter=of_key)}
