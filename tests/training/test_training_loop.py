"""Passes over an encoder that counts letters: the same after a kill at any step, with little memory and little time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch

from tests.training.test_whole_step import Short
from upkeep.config import load_client
from upkeep.errors import TrainingError
from upkeep.home import configs
from upkeep.models.classifier import Classifier
from upkeep.models.encoder import Encoder
from upkeep.models.manifest import Manifest
from upkeep.progress import unmeasured
from upkeep.recipes import HeadRecipe, load_recipe
from upkeep.training.budget import UNLIMITED, Budget
from upkeep.training.checkpoints import load_checkpoint, save_checkpoint
from upkeep.training.gradient_sync import Share
from upkeep.training.trainer import TrainingRun
from upkeep.training.training_loop import ALONE, EVERY, Labelled, learn, scaled

LETTERS = "abcdefgh"
BATCH = 8
A_PASS = 5  # 36 texts: the last batch has 4
STEPS = 3 * A_PASS


class KilledError(Exception):
    """Stands for a kill: nothing of ours runs after it."""


@dataclass
class Letters(Encoder):
    """How often each letter is in a text, through one layer; there is memory to learn from `room` texts at a time."""

    room: int = 100
    device = "cpu"

    def embed(self, texts):
        if self.model.training and len(texts) > self.room:
            raise RuntimeError("CUDA out of memory. Tried to allocate more than there is")
        counts = torch.tensor([[float(text.count(letter)) for letter in LETTERS] for text in texts])
        return torch.nn.functional.normalize(self.model(counts), dim=1)

    def token_counts(self, texts):
        return np.array([len(text) for text in texts])


class Learned(NamedTuple):
    ran: TrainingRun
    weights: dict[str, torch.Tensor]
    steps: list[int]
    classifier: Classifier


def recipe(**changed) -> HeadRecipe:
    small = {"batch_size": BATCH, "epochs": 3, "learning_rate": 0.05, **changed}
    return load_recipe(configs(), load_client(configs(), "northwind").training).model_copy(update=small)


def labelled(count: int, seed: int) -> Labelled:
    """Texts that have more of the letter of their row than of most others, each with a weight of its own."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    texts = ["".join(rng.choice(list(LETTERS), 4 + at % 9)) + LETTERS[row] * 3 for at, row in enumerate(truth)]
    return Labelled(texts, truth, rng.uniform(0.2, 5, count).astype(np.float32))


def ticking(seconds: float):
    """A clock that goes on so many seconds each time it is looked at."""
    return itertools.count(0, seconds).__next__


def go(
    folder=None,
    *,
    dies=None,
    room=100,
    forgets=0.3,
    clock=None,
    start=9.0,
    measured=unmeasured,
    budget=UNLIMITED,
    share=ALONE,
    **changed,
) -> Learned:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(len(LETTERS), 6), torch.nn.Dropout(forgets))
    head = torch.nn.Linear(6, 3)
    manifest = Manifest(("a", "b", "c"), "c", 1.0, "none", "", 64, "fp32", "")
    classifier = Classifier(Letters(model, None, 64, "fp32", room=room), head, manifest)
    steps: list[int] = []

    def progress(_what: str, done: int, _of: int) -> None:
        steps.append(done)
        if done == dies:
            raise KilledError

    ran = learn(
        classifier, labelled(36, 1), labelled(12, 2), start=start, recipe=recipe(**changed), seed=0,
        clock=clock or ticking(EVERY), budget=budget, folder=folder, share=share, progress=progress, measured=measured,
    )  # fmt: skip
    weights = {**model.state_dict(), **{f"head.{name}": value for name, value in head.state_dict().items()}}
    return Learned(ran, weights, steps, classifier)


def same(one: Learned, other: Learned) -> bool:
    return one.ran == other.ran and all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


@pytest.mark.parametrize("room", [100, 5])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_killed_at_any_step_it_goes_on_there_and_comes_to_the_same(tmp_path, step, room):
    whole = go(room=room)
    with pytest.raises(KilledError):
        go(tmp_path, dies=step, room=room)
    again = go(tmp_path, room=room)
    assert again.steps == list(range(step, STEPS + 1))
    assert same(whole, again)


def test_a_run_that_ended_is_not_done_again(tmp_path):
    whole, again = go(tmp_path), go(tmp_path)
    assert again.steps == []
    assert same(whole, again)


def test_where_a_pass_takes_no_time_only_its_end_is_put_aside(tmp_path):
    with pytest.raises(KilledError):
        go(tmp_path, dies=A_PASS + 4, clock=ticking(EVERY / 100))
    assert go(tmp_path).steps[0] == A_PASS + 1


@pytest.mark.parametrize("part", ["adapter.0.weight", "adapter.0.bias", "head.weight", "head.bias"])
def test_it_goes_on_from_the_adapter_and_the_head_that_were_put_aside(tmp_path, part):
    with pytest.raises(KilledError):
        go(tmp_path, dies=STEPS)
    state = load_checkpoint(tmp_path)
    state["learned"][part] += 0.001
    save_checkpoint(tmp_path, state)
    assert not same(go(), go(tmp_path))


@pytest.mark.parametrize("lost", ["adapter.0.weight", "head.bias"])
def test_what_lacks_a_weight_or_a_part_is_passed_over(tmp_path, lost):
    go(tmp_path)
    state = load_checkpoint(tmp_path)
    del state["learned"][lost]
    save_checkpoint(tmp_path, state)
    assert go(tmp_path).steps[0] == 1
    save_checkpoint(tmp_path, {name: value for name, value in load_checkpoint(tmp_path).items() if name != "optimiser"})
    assert go(tmp_path).steps[0] == 1


def test_with_memory_for_three_texts_it_learns_the_same_two_at_a_time():
    plain, little = go(forgets=0.0), go(room=3, forgets=0.0)
    assert little.ran.notes == [
        "out of memory: 4 texts at a time now, accumulated to 8 a step",
        "out of memory: 2 texts at a time now, accumulated to 8 a step",
    ]
    assert little.ran.losses == pytest.approx(plain.ran.losses, abs=1e-5)
    for name, weight in plain.weights.items():
        torch.testing.assert_close(little.weights[name], weight, atol=1e-5, rtol=0)


def test_a_step_for_which_memory_runs_out_halfway_is_done_once(monkeypatch):
    plain = go(forgets=0.0)
    monkeypatch.setattr(torch.optim, "AdamW", Short)
    short = go(forgets=0.0)
    assert short.ran.notes == [f"out of memory: {size} texts at a time now, accumulated to 8 a step" for size in (4, 2)]
    assert short.ran.losses == pytest.approx(plain.ran.losses, abs=1e-5)
    assert short.steps == plain.steps


class Beside(Share):
    """Another process, which has no part of a batch but memory for three texts at a time only."""

    def gathered(self, values):
        loss, size = values
        return [[loss, 0.0], [size, min(size, 3.0)]]


def test_where_another_process_lacks_memory_all_take_as_few_and_the_first_says_so(tmp_path):
    made = go(share=Beside())
    assert made.ran.notes == ["out of memory: 3 texts at a time now, accumulated to 8 a step"]
    with pytest.raises(KilledError):
        go(tmp_path, dies=7, share=Beside())
    assert same(made, go(tmp_path))  # after the kill nobody has to run out of memory to take as few


def test_the_adapter_and_the_head_learn_at_rates_of_their_own():
    begun = go(epochs=0)
    rates = {"adapter": {"head_learning_rate": 1e-9}, "head": {"learning_rate": 1e-9, "head_learning_rate": 0.05}}
    for part, changed in rates.items():
        made = go(**{"weight_decay": 0.0, "learning_rate": 0.05, **changed})
        for name, weight in made.weights.items():
            moved = float((weight - begun.weights[name]).abs().max())
            assert (moved > 1e-3) == (name.startswith("head.") == (part == "head")), (part, name, moved)


def test_without_memory_for_one_text_it_says_what_to_do():
    with pytest.raises(TrainingError, match="out of memory with a single text: lower max_tokens or trained_layers"):
        go(room=0)


def test_what_is_no_lack_of_memory_is_raised_as_it_is(monkeypatch):
    def broken(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(Letters, "embed", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        go()


@pytest.mark.parametrize(
    ("budget", "steps"),
    [  # a step takes 10 s, and so does a look, as the first one tells
        (Budget(limit=120), 10),  # 110 s, and a look: one step more would be too much
        (Budget(limit=120, before=30), 7),  # 30 and 70 s, and two looks
        (Budget(limit=120, after=25), 7),  # 70 s, two looks and 25 s: 115
        (Budget(limit=60, look=15), 4),  # 40 s and a look, by what is known before the first
        (Budget(limit=60, before=61), 0),
    ],
)
def test_when_its_time_is_up_it_ends_with_the_best_there_is(budget, steps):
    made = go(clock=ticking(10), budget=budget)
    assert made.ran.notes == [f"stopped after {steps} of 15 steps: out of time (max_minutes)"]
    assert made.steps == list(range(1, steps + 1))


def test_out_of_time_it_is_left_at_the_look_with_the_lowest_loss():
    made = go(clock=ticking(10), budget=Budget(limit=120))
    held = labelled(12, 2)
    assert scaled(made.classifier, held).loss == pytest.approx(min(made.ran.losses), abs=1e-6)


def test_it_ends_after_so_many_steps_within_a_pass():
    made = go(max_steps=7)  # a pass has five
    assert made.steps == list(range(1, 8))
    assert len(made.ran.losses) == 3  # before the first, after five, at the end
    assert made.ran.notes == []
    assert go(max_steps=99).ran.losses == go().ran.losses


def test_time_before_a_kill_counts_and_when_it_is_up_it_stays_up(tmp_path):
    slow = {"budget": Budget(limit=EVERY * 10.5)}  # a tick for a step, another for each of two looks, and one to spare
    whole = go(**slow)
    assert whole.ran.notes == ["stopped after 8 of 15 steps: out of time (max_minutes)"]
    with pytest.raises(KilledError):
        go(tmp_path, dies=4, **slow)
    assert same(whole, go(tmp_path, **slow))
    done = go(tmp_path, **slow)
    assert done.steps == []
    assert same(whole, done)
    older = load_checkpoint(tmp_path)
    del older["out_of_time"]
    save_checkpoint(tmp_path, older)
    assert go(tmp_path, **slow).steps == [9]  # it has no step's pace to go by any more, but all else


def test_what_was_learned_before_a_kill_is_looked_at_where_no_time_is_left_to_go_on(tmp_path):
    with pytest.raises(KilledError):
        go(tmp_path, dies=4)
    late = {"budget": Budget(limit=EVERY * 5, before=EVERY * 3)}
    made = go(tmp_path, **late)  # three steps and what it took to begin again are six ticks
    assert made.steps == []
    assert made.ran.notes == ["stopped after 3 of 15 steps: out of time (max_minutes)"]
    assert len(made.ran.losses) == 2
    assert same(made, go(tmp_path, **late))


def test_after_three_passes_without_a_gain_it_stops_also_after_a_kill(tmp_path):
    hopeless = {"start": 0.0, "epochs": 9}
    whole = go(**hopeless)
    assert whole.ran.notes == ["stopped after 15 of 45 steps"]
    with pytest.raises(KilledError):
        go(tmp_path, dies=2 * A_PASS + 2, **hopeless)
    assert same(whole, go(tmp_path, **hopeless))
    assert go(tmp_path, **hopeless).steps == []


def test_each_step_and_each_look_is_measured():
    told: list[tuple[str, int]] = []
    made = go(measured=lambda values, step: told.extend((name, step) for name in values))
    assert [step for name, step in told if name == "held_out_loss"] == [0, A_PASS, 2 * A_PASS, STEPS]
    for name in ("training/loss", "training/learning_rate", "training/texts_per_second"):
        assert [step for one, step in told if one == name] == made.steps


def test_what_only_gets_worse_leaves_the_model_as_it_was(tmp_path):
    begun = go(epochs=0)
    assert begun.ran == TrainingRun([9.0], [])
    worse = go(tmp_path, start=0.0)
    assert min(worse.ran.losses) == 0.0
    assert all(torch.equal(worse.weights[name], begun.weights[name]) for name in begun.weights)
    with pytest.raises(KilledError):
        go(tmp_path / "killed", start=0.0, dies=STEPS)
    assert same(worse, go(tmp_path / "killed", start=0.0))  # the best was put aside too
