"""What does each tier of the contract include?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from upkeep.errors import ConfigError
from upkeep.periods import Cadence
from upkeep.strict_yaml import Strict, load


class Work(StrEnum):
    """What is done for a client on a schedule."""

    REVIEW = "review"
    REPORT = "report"
    BRIEF = "brief"
    RETRAIN = "retrain"


class Service(StrEnum):
    """What people do for a client under the contract, and book when it is done."""

    INTEGRATION_UPDATE = "integration-update"
    STRATEGY_SESSION = "strategy-session"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("-", " ")


WATCHING = {Work.REVIEW: [Cadence.WEEKLY], Work.REPORT: [Cadence.MONTHLY]}
SERVED = {
    1: WATCHING,
    2: WATCHING | {Work.RETRAIN: [Cadence.MONTHLY, Cadence.QUARTERLY]},
    3: WATCHING | {Work.RETRAIN: [Cadence.MONTHLY, Cadence.QUARTERLY], Work.BRIEF: [Cadence.QUARTERLY]},
}
"""What the flow of each tier does, and how often prefect.yaml starts that; anything else would never be done."""


class Allowance(Strict):
    """How many of a thing are included in a period."""

    count: int = Field(ge=1)
    per: Cadence


class Tier(Strict):
    """The contract: which work is scheduled and what else is included."""

    name: str
    monthly_fee_usd: tuple[int, int] = Field(description="lowest and highest monthly fee per client, US dollars")
    schedule: Mapping[Work, Cadence]
    alerts: bool = Field(description="are incidents told to the client's alert_channels?")
    integration_update: Allowance | None = None
    new_use_case: Allowance | None = None
    strategy_session: Allowance | None = None
    priority_response: bool = False
    automatic_rollback: bool = False

    @property
    def retrain(self) -> Cadence | None:
        """How often a retrain is included; None where each one is a change order."""
        return self.schedule.get(Work.RETRAIN)

    def allowance(self, service: Service) -> Allowance | None:
        """How often people do that for the client; None where each time is a change order."""
        return self.integration_update if service is Service.INTEGRATION_UPDATE else self.strategy_session


class Tiers(Strict):
    """All tiers by number."""

    tiers: Mapping[int, Tier]


def load_tiers(folder: Path) -> Tiers:
    """Read tiers.yaml. Raises ConfigError, also where it promises what no flow does and nothing starts."""
    path = folder / "tiers.yaml"
    found = load(path, Tiers)
    for number, tier in found.tiers.items():
        if number not in SERVED:
            raise ConfigError(f"{path}: tiers.{number}: found a tier without a flow, expected one of {sorted(SERVED)}")
        for work, cadence in tier.schedule.items():
            started = [one.value for one in SERVED[number].get(work, [])]
            if cadence not in started:
                wanted = f"one of {started}" if started else f"no {work}, which flow tier{number} does not do"
                raise ConfigError(f"{path}: tiers.{number}.schedule.{work}: found {cadence.value!r}, expected {wanted}")
    return found
