"""Does fine-tuning learn from any number of cases, and come out the same twice?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.small_client import timeline
from upkeep.base_model import resolve_base
from upkeep.cases import Case, Source, TrainingSet, training_set
from upkeep.desk import open_desk
from upkeep.errors import NotEnoughDataError
from upkeep.finetuning import finetune

SIZE = 14


@pytest.fixture(scope="module")
def desk():
    return open_desk("northwind")


@pytest.fixture(scope="module")
def data(desk) -> TrainingSet:
    rows = timeline(months=1).launch
    return training_set(
        [Case(row.id, row.text, row.label, Source.LAUNCH) for row in rows],
        locked=[],
        known=desk.client.labels,
        out_of_scope=desk.client.out_of_scope_label,
        new_labels=desk.client.new_labels,
        recipe=desk.recipe,
    )


def train(desk, data, *, batches: int, seed: int = 3):
    recipe = desk.recipe.model_copy(update={"batch_size": SIZE, "epochs": 1})
    first = {case.answer: case for case in reversed(data.train)}.values()  # every label has a case to learn from
    rest = [case for case in data.train if case not in first]
    some = replace(data, train=tuple([*first, *rest][: SIZE * batches]))
    return finetune(resolve_base(desk.client.base_model), some, client=desk.client, recipe=recipe, seed=seed)


# 10 steps of which a tenth is one step: the schedule once divided by zero
@pytest.mark.parametrize("batches", [1, 2, 3, 9, 10, 11, 20])
def test_any_number_of_steps_can_be_trained(desk, data, batches):
    found = train(desk, data, batches=batches)
    assert len(found.losses) == 2
    assert all(np.isfinite(loss) for loss in found.losses)


def test_the_pass_that_fits_the_held_out_cases_best_is_kept(desk, data):
    found = train(desk, data, batches=30)
    labels = found.classifier.labels
    truth = [labels.index(case.answer) for case in data.calibration]
    chances = found.classifier.probabilities([case.text for case in data.calibration])
    loss = -np.log(chances[np.arange(len(truth)), truth]).mean()
    assert loss == pytest.approx(min(found.losses), abs=1e-6)


def test_the_same_seed_trains_the_same_model(desk, data):
    texts = [case.text for case in data.calibration]
    first, again = (train(desk, data, batches=12).classifier.probabilities(texts) for _ in range(2))
    other = train(desk, data, batches=12, seed=4).classifier.probabilities(texts)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_held_out_case_is_said_before_anything_is_trained(desk, data):
    with pytest.raises(NotEnoughDataError, match="fitting the confidence threshold"):
        train(desk, replace(data, calibration=()), batches=12)
