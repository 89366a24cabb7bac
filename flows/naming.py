"""What is a run called? By its client and its week, month or day, so that it is found in a list of runs."""

from __future__ import annotations

from collections.abc import Callable

from prefect import runtime

from flows.moment import told, zone_of
from upkeep.entitlement import given_reason
from upkeep.periods import Cadence, last_full, localise
from upkeep.tiers import Work


def by_period(work: Work, cadence: Cadence) -> Callable[[], str]:
    """A name such as `review northwind 2026-W47`, after the last full period."""

    def name() -> str:
        given = runtime.flow_run.parameters
        period = last_full(told(given["as_of"]), cadence, zone_of(given["client"]))
        return f"{work.value} {given['client']} {period.key}"

    return name


def by_day(template: str) -> Callable[[], str]:
    """A template of the flow's parameters, the `{day}` where the client is, and `{only}` for certain work asked for."""

    def name() -> str:
        given = runtime.flow_run.parameters
        day = localise(told(given["as_of"]), zone_of(given.get("client")))
        only = f": {', '.join(given['only'])}" if given.get("only") else ""
        told_why = given_reason(given.get("reason") or "")
        return template.format(**given | {"day": f"{day:%Y-%m-%d}", "only": only, "reason": told_why})

    return name
