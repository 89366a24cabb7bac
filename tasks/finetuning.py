"""A PEFT fine-tuning run as a task."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task

from tasks.progress import on_run_page
from tasks.retrying import only
from upkeep.cases.mix import told
from upkeep.desk import open_desk
from upkeep.errors import StoreError
from upkeep.stages.challengers import Challenger
from upkeep.stages.finetuning import train_challenger


@task(
    task_run_name="fine-tune {client} {period}", retries=1, retry_delay_seconds=10, retry_condition_fn=only(StoreError)
)
def finetune(client: str, period: str, as_of: datetime, *, seed: int = 0, label: str | None = None) -> Challenger:
    """Train, register and read back a challenger; with a `label` the champion gets that new category and no more."""
    made = train_challenger(open_desk(client), period, as_of, seed=seed, label=label, progress=on_run_page())
    get_run_logger().info("%s %s: %s; taught %s", client, period, made, told(made.mix))
    return made
