"""As of when does a run act, and did a schedule start it?"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from prefect import runtime
from prefect.context import FlowRunContext

from upkeep.config import load_client
from upkeep.errors import ConfigError
from upkeep.home import configs
from upkeep.periods import require_past


def moment(as_of: datetime | None) -> datetime:
    """What the run was told, else when it was scheduled for; a late or retried run acts for the time it was due.

    Raises MomentError where a deployment's run is told a time that is yet to come and that it was not scheduled for.
    A flow that is called from Python plays whatever time it is given, and a subflow what its parent was given.
    """
    asked = told(as_of)
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run and run.deployment_id:
        require_past(asked, zone_of(run.parameters.get("client")), now=max(datetime.now(UTC), told(None)))
    return asked


def told(as_of: datetime | None) -> datetime:
    """The same, be it yet to come."""
    if as_of is not None:
        return as_of
    scheduled = runtime.flow_run.scheduled_start_time
    return datetime.fromisoformat(str(scheduled)).astimezone(UTC)


def by_hand() -> bool:
    """Did a person start the run, or a program, and no schedule?"""
    context = FlowRunContext.get()
    return not (context and context.flow_run and context.flow_run.auto_scheduled)


def zone_of(client: str | None) -> ZoneInfo:
    """The client's zone; UTC for none, and for one whose config is broken, of which the run tells."""
    try:
        return load_client(configs(), client).zone if client else ZoneInfo("UTC")
    except ConfigError:
        return ZoneInfo("UTC")
