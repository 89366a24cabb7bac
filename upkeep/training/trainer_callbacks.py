"""What is seen to while transformers' Trainer trains: its time, what is told of it, and its checkpoints."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from upkeep.progress import Measured, Progress
from upkeep.training.budget import Budget
from upkeep.training.checkpoints import seal

WATCH = "Watch"
"""What checkpoints call the one that watches the time."""


def watch(budget: Budget, progress: Progress) -> Any:
    """Tells how far a run is, and ends it when its time is up.

    The time it took, how long a look takes and whether it was to end go into each checkpoint.
    """
    from accelerate.utils import broadcast_object_list
    from transformers import TrainerCallback
    from transformers.trainer_callback import ExportableState

    began = time.monotonic() - budget.before

    def seconds() -> float:
        return time.monotonic() - began

    class Watch(TrainerCallback, ExportableState):  # type: ignore[misc]
        def __init__(self) -> None:
            self.look, self.ended, self.out_of_time = budget.look, False, False
            self.at: float | None = None

        def state(self) -> dict[str, Any]:
            kept = {"before": seconds(), "look": self.look, "ended": self.ended, "out_of_time": self.out_of_time}
            return {"args": {}, "attributes": kept}

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.at = seconds()

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            progress("fine-tuning, steps", state.global_step, state.max_steps)
            if self.ended:
                control.should_training_stop = True
            elif budget.limit < float("inf") and broadcast_object_list([self._is_up()])[0]:  # for all processes alike
                self.ended = self.out_of_time = True
                control.should_evaluate = control.should_save = control.should_training_stop = True

        def _is_up(self) -> bool:
            now = seconds()
            return budget.is_up(now, step=0.0 if self.at is None else now - self.at, look=self.look)

        def on_evaluate(self, _args: Any, _state: Any, control: Any, *, metrics: Any, **_: Any) -> None:
            self.look = metrics["eval_runtime"]
            self.ended = self.ended or control.should_training_stop

    return Watch()


def meter(measured: Measured, *, tokens: int) -> Any:
    """Tells what is measured; a pass has so many tokens."""
    from transformers import TrainerCallback

    class Meter(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            self.logged, self.passes = time.monotonic(), state.epoch or 0.0

        def on_evaluate(self, _args: Any, state: Any, _control: Any, *, metrics: Any, **_: Any) -> None:
            measured({"held_out_loss": metrics["eval_loss"]}, state.global_step)

        def on_log(self, _args: Any, state: Any, _control: Any, *, logs: Any, **_: Any) -> None:
            if "loss" not in logs:
                return
            now, passes = time.monotonic(), state.epoch
            found = {"loss": logs["loss"], "learning_rate": logs["learning_rate"]}
            found["tokens_per_second"] = tokens * (passes - self.passes) / max(now - self.logged, 1e-9)
            self.logged, self.passes = now, passes
            measured({f"training/{name}": value for name, value in found.items()}, state.global_step)

    return Meter()


def sealer() -> Any:
    """Seals each checkpoint once every process has written its part."""
    from accelerate import PartialState
    from transformers import TrainerCallback

    class Seal(TrainerCallback):  # type: ignore[misc]
        def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
            PartialState().wait_for_everyone()
            if state.is_world_process_zero:
                seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    return Seal()
