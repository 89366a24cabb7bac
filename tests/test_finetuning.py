"""Does fine-tuning learn from any number of cases, and come out the same twice?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.small_client import timeline
from upkeep.base_model import resolve_base
from upkeep.cases import Case, Source
from upkeep.desk import open_desk
from upkeep.errors import NotEnoughDataError
from upkeep.finetuning import finetune
from upkeep.sides import Side
from upkeep.snapshot import Facts, Lesson, Snapshot, Terms, choose

SIZE = 14


@pytest.fixture(scope="module")
def desk():
    return open_desk("northwind")


@pytest.fixture(scope="module")
def data(desk) -> Snapshot:
    cases = [Case(row.id, row.text, row.label, Source.LAUNCH) for row in timeline(months=1).launch]
    client = desk.client
    terms = Terms(
        moment=datetime(2026, 1, 1, tzinfo=UTC),
        new_since=None,
        zone=client.time_zone,
        labels=client.labels,
        out_of_scope=client.out_of_scope_label,
        new_labels=client.new_labels,
        unreviewed=client.unreviewed,
        rules=(),
        recipe=desk.recipe,
    )
    return choose(Facts(cases, frozenset(), {}, []), terms)


def train(desk, data, *, batches: int, seed: int = 3):
    recipe = desk.recipe.model_copy(update={"batch_size": SIZE, "epochs": 1})
    first = {case.answer: case for case in reversed(data.train)}.values()  # every label has a case to learn from
    rest = [case for case in data.train if case not in first]
    taught = [Lesson(Side.TRAIN, case) for case in [*first, *rest][: SIZE * batches]]
    some = replace(data, lessons=(*taught, *(one for one in data.lessons if one.use is Side.CALIBRATION)))
    return finetune(resolve_base(desk.client.base_model), some, client=desk.client, recipe=recipe, seed=seed)


# 10 steps of which a tenth is one step: the schedule once divided by zero
@pytest.mark.parametrize("batches", [1, 2, 3, 9, 10, 11, 20])
def test_any_number_of_steps_can_be_trained(desk, data, batches):
    found = train(desk, data, batches=batches)
    assert len(found.losses) == 2
    assert all(np.isfinite(loss) for loss in found.losses)


def test_the_pass_that_fits_the_held_out_cases_best_is_kept(desk, data):
    found = train(desk, data, batches=30)
    labels = found.model.labels
    truth = [labels.index(case.answer) for case in data.calibration]
    chances = found.model.probabilities([case.text for case in data.calibration])
    loss = -np.log(chances[np.arange(len(truth)), truth]).mean()
    assert loss == pytest.approx(min(found.losses), abs=1e-6)


def test_the_same_seed_trains_the_same_model(desk, data):
    texts = [case.text for case in data.calibration]
    first, again = (train(desk, data, batches=12).model.probabilities(texts) for _ in range(2))
    other = train(desk, data, batches=12, seed=4).model.probabilities(texts)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_case_that_was_asked_often_weighs_more(desk, data):
    case = data.train[0]
    label = data.labels.index(case.answer)
    other = next(one for one in data.labels if one != case.answer)
    said, texts = replace(case, answer=other), [case.text]
    chances = []
    for requests in (1, 1 << 20):
        lessons = (
            *(one for one in data.lessons if one.case != case),
            Lesson(Side.TRAIN, replace(said, requests=requests)),
        )
        recipe = desk.recipe.model_copy(update={"epochs": 0})
        made = finetune(
            resolve_base(desk.client.base_model),
            replace(data, lessons=lessons),
            client=desk.client,
            recipe=recipe,
            seed=0,
        )
        chances.append(made.model.probabilities(texts)[0, label])
    assert chances[1] < chances[0]


def test_no_held_out_case_is_said_before_anything_is_trained(desk, data):
    taught = tuple(one for one in data.lessons if one.use is Side.TRAIN)
    with pytest.raises(NotEnoughDataError, match="fitting the confidence threshold"):
        train(desk, replace(data, lessons=taught), batches=12)
