"""What is a run called? By its client and its week, month or day, so that it is found in a list of runs."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from prefect import runtime

from flows.moment import moment
from upkeep.config import load_client
from upkeep.errors import ConfigError
from upkeep.home import configs
from upkeep.periods import Cadence, last_full, localise
from upkeep.tiers import Work


def by_period(work: Work, cadence: Cadence) -> Callable[[], str]:
    """A name such as `review northwind 2026-W47`, after the last full period."""

    def name() -> str:
        given = runtime.flow_run.parameters
        period = last_full(moment(given["as_of"]), cadence, _zone(given["client"]))
        return f"{work.value} {given['client']} {period.key}"

    return name


def by_day(template: str) -> Callable[[], str]:
    """A template of the flow's parameters, the `{day}` where the client is, and `{only}` for certain work asked for."""

    def name() -> str:
        given = runtime.flow_run.parameters
        day = localise(moment(given["as_of"]), _zone(given.get("client")))
        only = f": {', '.join(given['only'])}" if given.get("only") else ""
        return template.format(**given | {"day": f"{day:%Y-%m-%d}", "only": only})

    return name


def _zone(client: str | None) -> ZoneInfo:
    try:
        return load_client(configs(), client).zone if client else ZoneInfo("UTC")
    except ConfigError:  # the run tells, under a name that says when
        return ZoneInfo("UTC")
