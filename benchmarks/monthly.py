"""How long does a month's retrain of a warm client take, from its outcomes to a decision?

The client has been live for a month: 14,500 cases of clinc150's 150 labels were taught, 500 items are agreed, and each
of the month's requests, which are other rows of the set, has come back with its right answer. Measured are
`collect_cases`, `train_challenger` and `compare_models` in a process that has trained before: with the default recipe,
which starts from the base model on all that is right, and with one that goes on from the champion's adapter on the new
cases, a thousand old ones and twenty of each label.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from benchmarks.intents import LIKE, read, some
from upkeep.cases.case import Case
from upkeep.config import Agreement, load_agreement
from upkeep.desk import Desk, desk_of
from upkeep.evaluation.comparison import Paired
from upkeep.home import configs
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.progress import Progress, silent
from upkeep.recipes import Start
from upkeep.replay import client_for, go_live
from upkeep.stages.collection import collect_cases
from upkeep.stages.comparison import compare_models
from upkeep.stages.finetuning import load_model, train_challenger
from upkeep.stages.release import in_service
from upkeep.tiers import load_tiers
from upkeep.timeline import Split, Timeline, TimelineRow, arrange

DATA, GOLDEN, REQUESTS = "clinc150", 500, 500
REPLAYED = 1000
START = datetime(2026, 10, 1, tzinfo=UTC)
END = START + timedelta(days=31)
PERIOD = "2026-11"
Done = TypeVar("Done")


class Month(NamedTuple):
    """Seconds of each stage, and what came of it."""

    collect: float
    train: float
    compare: float
    taught: int
    new: int
    labels: int
    verdict: str
    golden: Paired

    @property
    def seconds(self) -> float:
        """From data to a decision."""
        return self.collect + self.train + self.compare


def month(*, seed: int, start: Start, train: int | None = None, progress: Progress = silent) -> Month:
    """Onboard the client in a state folder of its own, let a month go by, and retrain; `train` takes fewer cases."""
    kept = {name: os.environ.pop(name, None) for name in ("UPKEEP_HOME", "MLFLOW_TRACKING_URI")}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["UPKEEP_HOME"] = scratch
        try:
            return _retrained(history(seed=seed, train=train), seed=seed, start=start, progress=progress)
        finally:
            del os.environ["UPKEEP_HOME"]
            os.environ.update({name: value for name, value in kept.items() if value is not None})


def history(*, seed: int, train: int | None = None) -> Timeline:
    """The launch cases, the agreed items, and the requests of a month."""
    cases = some(read(DATA, "train"), None if train is None else train + REQUESTS, seed)
    stream = {case.id for case in some(cases, REQUESTS, seed)}
    golden = some(read(DATA, "validation"), GOLDEN, seed)
    asked = [case for case in cases if case.id in stream]
    rows = [_row(case, Split.LAUNCH) for case in cases if case.id not in stream]
    rows += [_row(case, Split.GOLDEN) for case in golden]
    rows += [_row(case, Split.STREAM, START + (END - START) * at / REQUESTS) for at, case in enumerate(asked)]
    return arrange(rows)


def _row(case: Case, split: Split, at: datetime | None = None) -> TimelineRow:
    return TimelineRow(id=case.id, text=case.text, label=case.answer, split=split, ts=at)


def _retrained(timeline: Timeline, *, seed: int, start: Start, progress: Progress) -> Month:
    like = load_agreement(configs(), LIKE)
    client = client_for(timeline, name="monthly", tier=3, like=like.client)
    client = client.model_copy(update={"relabel": (), "store": "clients/monthly"})
    recipe = like.recipe
    if start is Start.CHAMPION:
        mix = recipe.mix.model_copy(update={"replayed": REPLAYED})
        recipe = recipe.model_copy(update={"start": start, "mix": mix})
    desk = desk_of(Agreement(client=client, tier=load_tiers(configs()).tiers[client.tier], recipe=recipe))
    go_live(desk, timeline, seed=seed, progress=progress)
    _answered(desk, timeline.stream)
    collected, collect = _timed(lambda: collect_cases(desk, PERIOD, END, progress=progress))
    made, train = _timed(lambda: train_challenger(desk, PERIOD, END, seed=seed + 1, progress=progress))
    decided, compare = _timed(lambda: compare_models(desk, PERIOD, END, reason="monthly", progress=progress))
    golden = next(one for one in decided.compared if one.items == "golden")
    verdict = decided.verdict.value
    return Month(collect, train, compare, made.trained_on, collected.cases, len(made.labels), verdict, golden)


def _answered(desk: Desk, rows: Sequence[TimelineRow]) -> None:
    """The champion answers the month, and of every answer somebody says what would have been right."""
    version = in_service(desk)
    answers = load_model(desk, version).answer([one.text for one in rows])
    predictions = [
        Prediction(
            one.id, one.ts or START, one.text, given.output, min(given.confidence, 1.0), version, given.automatic
        )
        for one, given in zip(rows, answers, strict=True)
    ]
    write_predictions(desk.store, predictions, name="month")
    outcomes = [
        Outcome(one.id, (one.ts or START) + timedelta(hours=4), OutcomeSource.ESCALATION, one.label) for one in rows
    ]
    write_outcomes(desk.store, outcomes, name="month")


def _timed(work: Callable[[], Done]) -> tuple[Done, float]:
    begun = time.perf_counter()
    done = work()
    return done, time.perf_counter() - begun
