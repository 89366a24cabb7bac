"""Does fine-tuning learn from any number of cases, and come out the same twice, also after a kill?"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.small_client import configure, small_desk, timeline
from upkeep.base_model import resolve_base
from upkeep.cases.case import Case, Source
from upkeep.cases.snapshot import Facts, Lesson, Snapshot, SnapshotTerms, choose
from upkeep.cases.split import Side
from upkeep.desk import open_desk
from upkeep.errors import NotEnoughDataError, TrainingError
from upkeep.home import home
from upkeep.models.threshold import NOTHING_AUTOMATIC
from upkeep.progress import silent
from upkeep.recipes import Weight
from upkeep.replay import go_live
from upkeep.training.finetuning import Embedded, calibrate, finetune, label_weights, labelled, lacking
from upkeep.training.training_loop import Labelled, scaled

SIZE = 14
HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture(scope="module")
def desk():
    return small_desk()


@pytest.fixture(scope="module")
def data(desk) -> Snapshot:
    return snapshot(desk)


def snapshot(desk) -> Snapshot:
    cases = [Case(row.id, row.text, row.label, Source.LAUNCH) for row in timeline(months=1).launch]
    client = desk.client
    terms = SnapshotTerms(
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


def train(desk, data, *, batches: int, seed: int = 3, work=None, champion=None, progress=silent, clock=None, **changed):
    recipe = desk.recipe.model_copy(update={"batch_size": SIZE, "epochs": 1, **changed})
    first = {case.answer: case for case in reversed(data.train)}.values()  # every label has a case to learn from
    rest = [case for case in data.train if case not in first]
    taught = [Lesson(Side.TRAIN, case) for case in [*first, *rest][: SIZE * batches]]
    some = replace(data, lessons=(*taught, *(one for one in data.lessons if one.use is Side.CALIBRATION)))
    base, ticking = resolve_base(desk.client.base_model), itertools.count(0, 10).__next__  # 10 s a step
    return finetune(
        base, some, client=desk.client, recipe=recipe, seed=seed, work=work, champion=champion,
        clock=clock or ticking, progress=progress,
    )  # fmt: skip


def weights(trained) -> dict[str, object]:
    """All that was learned: the adapter, and the head."""
    from peft import get_peft_model_state_dict

    return {**get_peft_model_state_dict(trained.model.encoder.model), **trained.model.head.state_dict()}


def same(one, other) -> bool:
    import torch

    left, right = weights(one), weights(other)
    alike = left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
    return alike and (one.losses, one.fit, one.notes) == (other.losses, other.fit, other.notes)


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


@pytest.mark.parametrize("step", [8, 20])  # in the midst of the first pass of twelve steps, and of the second
def test_a_run_that_was_killed_goes_on_and_comes_to_the_same(desk, data, tmp_path, step):
    whole = train(desk, data, batches=12, epochs=2)
    killed = subprocess.run([sys.executable, __file__, str(tmp_path), str(step)], check=False, env=HERE)
    assert killed.returncode == -signal.SIGKILL
    steps: list[int] = []
    again = train(
        desk, data, batches=12, epochs=2, work=tmp_path,
        progress=lambda what, done, _: steps.append(done) if what.startswith("fine-tuning") else None,
    )  # fmt: skip
    assert step - 3 < steps[0] <= step  # with a step of 10 s it was put aside at every second one
    assert same(whole, again)
    assert whole.losses[-1] < whole.losses[0]  # what was learned is what is left


def test_no_run_goes_on_from_another_s_checkpoint(desk, data, tmp_path):
    train(desk, data, batches=3, work=tmp_path)
    other = train(desk, data, batches=3, work=tmp_path, seed=4)
    assert same(other, train(desk, data, batches=3, seed=4))
    assert len(list(tmp_path.iterdir())) == 2


def test_with_memory_for_half_a_batch_it_accumulates_to_the_same(desk, data, monkeypatch):
    plain = train(desk, data, batches=6, precision="fp32")
    limited(monkeypatch, 7)
    halved = train(desk, data, batches=6, precision="fp32")
    assert halved.notes == ("out of memory: 7 texts at a time now, accumulated to 14 a step",)
    assert halved.losses == pytest.approx(plain.losses, abs=1e-4)
    limited(monkeypatch, 0)
    with pytest.raises(TrainingError, match="out of memory with a single text"):
        train(desk, data, batches=6)


def limited(monkeypatch, most: int) -> None:
    """As on a machine that has memory to learn from so many texts at a time: the fourth layer gives up."""
    from transformers.models.bert.modeling_bert import BertLayer

    forward = BertLayer.forward

    def counted(self, hidden, *given, **named):
        if self.training and len(hidden) > most:
            raise RuntimeError("CUDA out of memory. Tried to allocate more than there is")
        return forward(self, hidden, *given, **named)

    monkeypatch.setattr(BertLayer, "forward", counted)


class Passing:
    """A clock by which texts are embedded at one a second, and a step takes ten."""

    def __init__(self) -> None:
        self.steps, self.embedded = 0, 0

    def progress(self, what: str, done: int, of: int) -> None:
        self.steps += what.startswith("fine-tuning")
        self.embedded += of if what == "embedding" and done == of else 0

    def __call__(self) -> float:
        return self.embedded + 10.0 * self.steps


def within(desk, data, minutes: float, **changed):
    clock = Passing()
    some = replace(data, lessons=tuple(replace(one, case=replace(one.case, text="parcel")) for one in data.lessons))
    made = train(desk, some, batches=12, max_minutes=minutes, clock=clock, progress=clock.progress, **changed)
    return made, clock


def test_the_time_is_counted_from_its_start_and_leaves_some_for_what_comes_after(desk, data):
    held, steps = len(data.calibration), 12
    embedding, scoring = SIZE * steps + held, 3 * held  # a look, one for the temperature, one for the threshold
    made, clock = within(desk, data, (embedding + scoring + 10 * 7 + 1) / 60)
    assert made.notes == ("stopped after 7 of 12 steps: out of time (max_minutes)",)
    assert (len(made.losses), clock.steps) == (2, 7)
    made, clock = within(desk, data, (embedding + scoring + 10 * 12 + 1) / 60)
    assert (made.notes, clock.steps) == ((), 12)


def test_without_time_for_a_step_it_is_the_start_and_says_how_long_that_took(desk, data):
    made, clock = within(desk, data, 1)
    took = f"took {clock() / 60:.1f} minutes, longer than max_minutes (1)"
    assert made.notes == ("stopped after 0 of 12 steps: out of time (max_minutes)", took)
    assert len(made.losses) == 1


def test_the_time_of_a_run_that_was_killed_counts(desk, data, tmp_path):
    minutes = (SIZE * 12 + 4 * len(data.calibration) + 10 * 12 + 1) / 60  # enough for one that is not killed
    clock = Passing()

    def dies(what: str, done: int, of: int) -> None:
        clock.progress(what, done, of)
        if clock.steps == 8:
            raise KeyboardInterrupt

    some = replace(data, lessons=tuple(replace(one, case=replace(one.case, text="parcel")) for one in data.lessons))
    with pytest.raises(KeyboardInterrupt):
        train(desk, some, batches=12, max_minutes=minutes, clock=clock, progress=dies, work=tmp_path)
    made, clock = within(desk, data, minutes, work=tmp_path)
    assert clock.steps == 0  # it took another embedding
    assert made.notes == ("stopped after 6 of 12 steps: out of time (max_minutes)",)
    assert len(made.losses) == 2


def test_requests_that_were_cut_are_counted(desk, data):
    def saying(words: int, one: Lesson) -> Lesson:
        return Lesson(one.use, replace(one.case, text="parcel " * words))

    # with the two that the tokenizer adds six words are eight tokens
    short = [saying(6, one) for one in data.lessons]
    long = [saying(7, one) for one in data.lessons if one.use is Side.CALIBRATION][:3]
    fits, cut = (replace(data, lessons=tuple(some)) for some in (short, [*short, *long]))
    assert train(desk, fits, batches=3, epochs=0, max_tokens=8).notes == ()
    count = SIZE * 3 + len(data.calibration) + 3
    assert train(desk, cut, batches=3, epochs=0, max_tokens=8).notes == (f"3 of {count} requests cut to max_tokens",)


@pytest.mark.parametrize(
    ("counts", "least", "together"),
    [
        ((60, 60, 60, 3), 20, (60, 60, 60, 20)),
        ((60, 12, 12, 3), 20, (60, 12, 12, 12)),
        ((60, 60, 3), 0, (60, 60, 3)),
        ((60, 60, 2, 1), 20, (60, 60, 20, 1)),  # one may be a slip
    ],
)
def test_a_new_category_s_few_cases_count_together_as_an_ordinary_label_s(counts, least, together):
    truth = np.repeat(np.arange(len(counts)), counts)
    taught = Labelled(["a text"] * len(truth), truth, np.ones(len(truth), dtype=np.float32))
    assert np.bincount(truth, weights=label_weights(taught, least=least, cases=2).weight) == pytest.approx(together)


def test_labels_of_three_cases_are_found_more_often_by_what_they_count_together(desk, data):
    rare = data.labels[:4]
    few = {case.id for label in rare for case in [one for one in data.train if one.answer == label][:3]}
    taught = [case for case in data.train if case.id in few or case.answer not in rare]
    asked = [case for case in data.train if case.id not in few and case.answer in rare]
    held = [one for one in data.lessons if one.use is Side.CALIBRATION]
    some = replace(data, lessons=(*(Lesson(Side.TRAIN, case) for case in taught), *held))
    found = []
    for least in (0, 20):
        recipe = desk.recipe.model_copy(update={"epochs": 0, "least_weight": least})
        model = finetune(resolve_base(desk.client.base_model), some, client=desk.client, recipe=recipe, seed=0).model
        answers = model.answer([case.text for case in asked])
        found.append(sum(one.output == case.answer for one, case in zip(answers, asked, strict=True)) / len(asked))
    assert found[1] > 1.5 * found[0], found


def test_requests_that_the_model_itself_hands_over_keep_no_promise(desk, data):
    client = desk.client.model_copy(update={"promised_precision": 0.9, "expected_out_of_scope": 0.0})
    known, none = ("order_status", client.out_of_scope_label)
    cases = [Case(str(n), "", known if n < 85 else "refund", Source.LAUNCH) for n in range(100)]
    cases += [Case(str(n), "", none, Source.LAUNCH) for n in range(100, 400)]
    chances = np.array([[0.6, 0.4]] * 100 + [[0.1, 0.9]] * 300)
    model = SimpleNamespace(labels=(known, none), probabilities=lambda _: chances)
    one = Labelled([""], np.array([0]), np.ones(1, dtype=np.float32))
    view = Embedded(np.zeros((1, 2), dtype=np.float32), np.zeros((1, 2), dtype=np.float32), one, one)
    asked = replace(data, lessons=tuple(Lesson(Side.CALIBRATION, case) for case in cases))
    assert calibrate(model, asked, view, client).threshold == NOTHING_AUTOMATIC  # 85 of 100 are right


def test_unknown_requests_are_made_up_only_as_far_as_too_few_were_seen():
    assert lacking(0.05, n=95, seen=0) == pytest.approx(5)  # 5 of 100
    assert lacking(0.05, n=97, seen=2) == pytest.approx(3)
    assert lacking(0.05, n=100, seen=5) == 0
    assert lacking(0.05, n=100, seen=30) == 0


def test_its_confidences_suit_the_held_out_cases(desk, data):
    made = train(desk, data, batches=12)
    assert made.temperature != 1
    held = labelled(data.calibration, data.labels, Weight.ONCE)
    assert scaled(made.model, held).temperature == pytest.approx(1, abs=0.1)  # it was 0.6


def test_a_retrain_that_was_killed_is_not_begun_anew(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, passes=4)
    desk, steps = open_desk("northwind"), []
    kept = home() / "training" / "northwind" / "launch"

    def dies(what: str, done: int, of: int) -> None:
        if what.startswith("fine-tuning") and done == of // 2 + 1:  # what half of the passes came to was put aside
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_live(desk, timeline(months=1), seed=0, progress=dies)
    assert list(kept.rglob("checkpoint.pt"))
    go_live(
        desk, timeline(months=1), seed=0,
        progress=lambda what, done, of: steps.append((done, of)) if what.startswith("fine-tuning") else None,
    )  # fmt: skip
    first, of = steps[0]
    assert first == of // 2 + 1
    assert not kept.exists()  # the challenger is on record
    (run,) = desk.registry.client.search_runs([desk.registry.experiment()], "tags.`upkeep.stage` = 'training'")
    assert run.info.status == "FINISHED"
    logged = desk.registry.client.get_metric_history(run.info.run_id, "training/loss")
    assert {point.step for point in logged} == set(range(1, of + 1))  # of both processes
    looks = desk.registry.client.get_metric_history(run.info.run_id, "held_out_loss")
    assert {point.step for point in looks} == {0, of // 4, of // 2, 3 * of // 4, of}
    assert {"training/learning_rate", "training/texts_per_second"} <= run.data.metrics.keys()


def main() -> None:
    """Train until a step, and die there."""
    work, step = sys.argv[1:]

    def dies(what: str, done: int, _: int) -> None:
        if what.startswith("fine-tuning") and done == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    desk = small_desk()
    train(desk, snapshot(desk), batches=12, epochs=2, work=Path(work), progress=dies)


if __name__ == "__main__":
    main()
