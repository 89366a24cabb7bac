"""As of when does a run act?"""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import runtime


def moment(as_of: datetime | None) -> datetime:
    """What the run was told, else when it was scheduled for; a late or retried run acts for the time it was due."""
    if as_of is not None:
        return as_of
    scheduled = runtime.flow_run.scheduled_start_time
    return datetime.fromisoformat(str(scheduled)).astimezone(UTC)
