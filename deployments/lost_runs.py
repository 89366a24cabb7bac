"""How does a run end whose machine is gone?

A flow run says every three minutes that it is alive (Prefect's PREFECT_FLOWS_HEARTBEAT_FREQUENCY, 180 s). No service of
a Prefect server ends one that no longer does: it stays Running and keeps its place in the pool and the queue. An
automation on the server ends it.
"""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from deployments.schema import TAG

SILENCE = timedelta(minutes=10)
"""Three heartbeats have not come."""

HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = ("Completed", "Failed", "TimedOut", "Crashed", "Cancelled", "Suspended", "Paused")
"""The states after which no heartbeat is expected."""

LOST_RUNS = AutomationCore(
    name="upkeep: a run that no longer says that it is alive",
    description="Marks it as Crashed, so that it no longer keeps its place in the pool and can be dispatched again.",
    trigger=EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification(
            {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
        ),
        for_each={"prefect.resource.id"},
        after={HEARTBEAT},
        expect={HEARTBEAT, *(f"prefect.flow-run.{state}" for state in ENDS)},
        posture=Posture.Proactive,
        threshold=1,
        within=SILENCE,
    ),
    actions=[
        ChangeFlowRunState(
            state=StateType.CRASHED,
            message=f"No sign of life for {SILENCE.seconds // 60} minutes: its machine or its process is gone.",
        )
    ],
)


def ensure_lost_runs_end(client: SyncPrefectClient) -> None:
    """Create the automation or bring it into line. One that is right is left alone: an update forgets who is silent."""
    found = client.read_automations_by_name(LOST_RUNS.name)
    if not found:
        client.create_automation(LOST_RUNS)
    elif _content(found[0]) != _content(LOST_RUNS):
        client.update_automation(found[0].id, LOST_RUNS)


def _content(automation: AutomationCore) -> tuple[object, ...]:
    return automation.description, automation.trigger, automation.actions
