"""One isolated run per client, started as a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple
from zoneinfo import ZoneInfo

from httpx import HTTPError
from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterIdempotencyKey
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectException

from tasks.retrying import only
from upkeep.config import client_names, load_agreement
from upkeep.errors import ConfigError, ServerError
from upkeep.home import configs
from upkeep.periods import Cadence, localise, next_start, period
from upkeep.tiers import Work, load_tiers

AHEAD = timedelta(hours=16)
"""A morning in the agency's zone is at most so long before midnight in a client's, unless one is in New Zealand."""
HOURS = {Work.REVIEW: 6, Work.REPORT: 7, Work.RETRAIN: 8, Work.BRIEF: 9}
"""The hours of the day in prefect.yaml."""
LOST = {StateType.FAILED, StateType.CRASHED, StateType.CANCELLED}
"""How a run ends without having done its work."""
LATER = "scheduled for"


class Attempt(NamedTuple):
    """Under which key a period's work is started, the run which that key has already, and the one lost before it."""

    period: str
    key: str
    run: FlowRun | None
    lost: FlowRun | None


@task
def entitled_clients(work: Work, cadence: Cadence) -> dict[str, int]:
    """The clients whose tier includes the work at this cadence, with their tier.

    A client whose config is broken is logged as an error and left out, so that it holds up nobody else.
    Raises ConfigError where tiers.yaml is, which is everybody's.
    """
    folder, log = configs(), get_run_logger()
    load_tiers(folder)
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


@task(retries=2, retry_delay_seconds=10, retry_condition_fn=only(ServerError))
def start_runs(clients: dict[str, int], work: Work, cadence: Cadence, as_of: datetime, *, by_hand: bool = True) -> None:
    """Start the tier flow of every client; starting the same period again finds the same runs, and says so.

    A run that failed, crashed or was cancelled is started again, as of the same moment: a retrain that it had booked is
    the same retrain. Where the client's day has not begun yet, its run is scheduled for that morning; what was lost of
    the period that ends then is started again all the same, and `by_hand` also what was never started in it: a schedule
    would do a new client's work of the period before. A client whose run cannot be started holds up nobody else. Raises
    ServerError that names those.
    """
    rows, failed, log = [], [], get_run_logger()
    for client, tier in clients.items():
        try:
            for row in _started(client, tier, work, cadence, as_of, by_hand=by_hand):
                rows.append(row)  # of two runs the first stands here also where the second fails
        except (ConfigError, HTTPError, PrefectException) as exc:
            log.error("not started: %s: %s", client, exc)
            failed.append(client)
            why = {"period": "", "run": "", "started": "failed", "state": str(exc)}
            rows.append({"client": client, "tier": tier, **why})
    create_table_artifact(key=f"dispatch-{work.value}", table=rows, description=f"{work.value} runs, {cadence.value}")
    told = "%s, %s: %d runs started, %d scheduled for later, %d started again, %d were there already"
    how = Counter(LATER if str(row["started"]).startswith(LATER) else row["started"] for row in rows)
    log.info(told, work.value, cadence.value, how["now"], how[LATER], how["again"], how["was there"])
    if failed:
        left = ", ".join(failed)
        raise ServerError(f"{work.value}, {cadence.value}: no run could be started for {left}; the log says why")


def _started(
    client: str, tier: int, work: Work, cadence: Cadence, as_of: datetime, *, by_hand: bool
) -> Iterator[dict[str, object]]:
    """Start what a client has to have, each with its row of the dispatcher's page."""
    zone = load_agreement(configs(), client).client.zone
    now = localise(as_of, zone)
    at = acts_at(now, work, cadence, zone)
    begins = _attempt(client, tier, work, period(at, cadence, zone).key)
    ends = _attempt(client, tier, work, period(now, cadence, zone).key) if at > now else None
    if ends and not ends.run and (ends.lost or by_hand):
        yield _start(client, tier, work, ends, at=now)
    yield _start(client, tier, work, begins, at=at, scheduled=at if at > now else None)


def acts_at(now: datetime, work: Work, cadence: Cadence, zone: ZoneInfo) -> datetime:
    """When a client's run acts: now, or on the morning of its own next period, where that is about to begin.

    The schedules are written in the agency's zone; on its Monday morning it is still Sunday west of it.
    """
    begins = next_start(now, cadence, zone)
    return begins.replace(hour=HOURS[work]) if begins - now <= AHEAD else now


def _start(
    client: str, tier: int, work: Work, attempt: Attempt, *, at: datetime, scheduled: datetime | None = None
) -> dict[str, object]:
    """Start an attempt, or find the run that it has, and say in a row of the dispatcher's page which it was."""
    acts = attempt.lost.parameters["as_of"] if attempt.lost else at.isoformat()
    run: FlowRun = run_deployment(  # type: ignore[assignment]  # in a sync task it returns the run
        f"tier{tier}/tier{tier}",
        parameters={"client": client, "as_of": acts, "only": [work.value]},
        idempotency_key=attempt.key,
        flow_run_name=f"{client} {work.value} {attempt.period}",
        scheduled_time=scheduled,
        tags=[client, work.value],
        work_queue_name="training" if work is Work.RETRAIN else None,
        as_subflow=False,  # a second dispatch would keep pending dummy task runs
        timeout=0,
    )
    first = f"{LATER} {scheduled:%A %H:%M}" if scheduled else "now"
    started = "was there" if attempt.run else "again" if attempt.lost else first
    row = {"client": client, "tier": tier, "period": attempt.period, "run": str(run.id), "started": started}
    return row | {"state": run.state_name}


def _attempt(client: str, tier: int, work: Work, period: str) -> Attempt:
    """The attempt at a period's work that counts; Prefect's answer to a start does not tell what was there.

    Who dispatches at the same time finds the same key, and one key starts one run.
    """
    once, lost = f"{client}:{work.value}:{period}", None
    with get_client(sync_client=True) as server:
        for number in count(1):
            key = once if number == 1 else f"{once}#{number}"
            found = server.read_flow_runs(
                flow_filter=FlowFilter(name=FlowFilterName(any_=[f"tier{tier}"])),
                flow_run_filter=FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key])),
            )
            run = found[0] if found else None
            if run is None or run.state_type not in LOST:
                break
            lost = run
    return Attempt(period, key, run, lost)
