"""What may prefect.yaml say, and which work pool does it rely on?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from upkeep.strict_yaml import Name, Strict, Zone, load

ROOT = Path(__file__).resolve().parents[1]
"""The checkout: what the worker puts on PYTHONPATH."""

PROJECT = ROOT / "prefect.yaml"
TAG = "upkeep"
"""Every deployment of ours carries it; only deployments that carry it are ever pruned."""

POOL = "upkeep"
"""The work pool's name."""

MANUAL = "manual"
"""Deployments with this tag are started by people: their form offers the known clients."""


class Queue(Strict):
    """A line in front of the pool; the queue with the lowest priority number is served first."""

    name: Name
    priority: int = Field(ge=1)
    limit: int | None = Field(default=None, ge=1, description="runs at a time; None = as many as the pool")


class Pool(Strict):
    """A process work pool and its queues."""

    name: Name
    description: str
    limit: int = Field(ge=1, description="runs at a time")
    queues: tuple[Queue, ...]


class Schedule(Strict):
    """When a deployment starts by itself. The slug lets a later deploy change the schedule instead of replacing it."""

    slug: Name
    cron: str = Field(pattern=r"^\S+( \S+){4}$", description="minute hour day month weekday")
    timezone: Zone


class Place(Strict):
    """Where a deployment's runs wait for a worker."""

    name: Literal["upkeep"]
    work_queue_name: Literal["default", "training"]


class Deployment(Strict):
    """A flow that the server offers."""

    name: Name
    description: str = Field(min_length=20, description="what a person reads in the UI")
    tags: tuple[Name, ...]
    entrypoint: str = Field(pattern=r"^flows\.[a-z0-9_]+\.[a-z0-9_]+$", description="module form: flows.review.review")
    parameters: dict[str, Any] = Field(default_factory=dict)
    schedules: tuple[Schedule, ...] = ()
    work_pool: Place

    @field_validator("tags")
    @classmethod
    def _ours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if TAG not in value:
            raise ValueError(f"{TAG!r} among them, or it is never pruned")
        return value


class Limits(Strict):
    """How many runs go on at a time, on all machines together."""

    runs: int = Field(ge=2)
    trainings: int = Field(ge=1, description="of these, in the queue `training`")

    @model_validator(mode="after")
    def _one_left(self) -> Self:
        if self.trainings >= self.runs:
            raise ValueError(f"trainings is {self.trainings}, expected less than runs, {self.runs}: reviews need one")
        return self


class Project(Strict):
    """The whole of prefect.yaml."""

    name: Literal["upkeep"]
    limits: Limits
    pull: tuple[()] = Field(description="given and empty: Prefect would put the deployer's absolute path here")
    deployments: tuple[Deployment, ...] = Field(min_length=1)

    @property
    def pool(self) -> Pool:
        """The work pool and its queues, with the file's limits."""
        return Pool(
            name=POOL,
            description=f"Runs flows as processes beside a worker; {self.limits.runs} at a time, "
            f"of which {self.limits.trainings} may train, beside what a scheduled review takes up.",
            limit=self.limits.runs,
            queues=(Queue(name="default", priority=1), Queue(name="training", priority=2, limit=self.limits.trainings)),
        )

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [deployment.name for deployment in self.deployments]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"deployments: {doubled} listed twice, expected each once")
        return self


def load_project(path: Path = PROJECT) -> Project:
    """Read prefect.yaml, strictly. Raises ConfigError naming the file, the place and what was found."""
    return load(path, Project)
