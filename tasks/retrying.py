"""Which failures are worth another try?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task


def only(*errors: type[Exception]) -> Callable[[Task[..., Any], TaskRun, State[Any]], bool]:
    """Retry these failures and no others: what is wrong with a config or with the data stays wrong."""

    def again(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:  # noqa: ARG001 -- Prefect's signature
        return isinstance(state.result(raise_on_failure=False), errors)

    return again
