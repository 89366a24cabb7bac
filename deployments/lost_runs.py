"""How does a run end whose machine is gone?

A flow run says every three minutes that it is alive (Prefect's PREFECT_FLOWS_HEARTBEAT_FREQUENCY, 180 s), from when it
runs on; before that it is Pending, for as long as its process takes to start. No service of a Prefect server ends one
that goes no further: it keeps its place in the pool and the queue. Two automations on the server end it.
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
"""Three heartbeats have not come, or a process has not started in many times what it takes."""

WHY = "Marks it as Crashed, so that it no longer keeps its place in the pool and can be dispatched again."
HEARTBEAT = "prefect.flow-run.heartbeat"
PENDING = "prefect.flow-run.Pending"
ENDS = ("Completed", "Failed", "TimedOut", "Crashed", "Cancelled", "Suspended", "Paused")
"""The states after which no heartbeat is expected."""
BEGINS = ("Running", "Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot", "Cancelling")
"""The others that may follow Pending: the run is being worked on, or waits without a place."""


def lost(
    *, after: str, expect: tuple[str, ...], name: str, message: str, within: timedelta = SILENCE
) -> AutomationCore:
    """An automation that marks a run as Crashed when none of the expected states has followed an event."""
    return AutomationCore(
        name=f"upkeep: {name}",
        description=WHY,
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
            ),
            for_each={"prefect.resource.id"},
            after={after},
            expect={HEARTBEAT, *(f"prefect.flow-run.{state}" for state in expect)},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=message)],
    )


MINUTES = SILENCE.seconds // 60
LOST_RUNS = lost(
    after=HEARTBEAT,
    expect=ENDS,
    name="a run that no longer says that it is alive",
    message=f"No sign of life for {MINUTES} minutes: its machine or its process is gone.",
)
NEVER_BEGUN = lost(
    after=PENDING,
    expect=ENDS + BEGINS,
    name="a run that was taken and has not begun",
    message=f"Taken {MINUTES} minutes ago and not begun: its machine or its worker is gone.",
)


def ensure_lost_runs_end(client: SyncPrefectClient) -> None:
    """Create the automations or bring them into line. One that is right is left be: an update forgets who is silent."""
    for wanted in (LOST_RUNS, NEVER_BEGUN):
        found = client.read_automations_by_name(wanted.name)
        if not found:
            client.create_automation(wanted)
        elif _content(found[0]) != _content(wanted):
            client.update_automation(found[0].id, wanted)


def _content(automation: AutomationCore) -> tuple[object, ...]:
    return automation.description, automation.trigger, automation.actions
