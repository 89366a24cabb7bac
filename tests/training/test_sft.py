"""Teaching a model to write: the same for a seed, after a kill, with little memory and with little time."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chatty import SINCE, build, chat_base, client, later, lessons, recipe  # noqa: F401 -- a fixture
from upkeep.base_model import LocalModel, resolve_base
from upkeep.errors import NotEnoughDataError, TrainingError
from upkeep.models.chat import pack
from upkeep.models.shared_base import DEFAULT, Adapted
from upkeep.progress import silent
from upkeep.training.budget import Budget
from upkeep.training.checkpoints import SEAL, seal
from upkeep.training.sft import teach
from upkeep.training.trainer import Lessons, _newest, in_parts, run, trained_before
from upkeep.training.trainer_callbacks import watch

SHORT = recipe(epochs=2)
HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture(scope="module")
def put_aside(tmp_path_factory) -> Path:
    """The folder of the undisturbed run's checkpoints; no test changes it."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def plain(chat_base, put_aside):  # noqa: F811
    """What an undisturbed run of the short recipe teaches with seed 0; no test trains it further."""
    return teach(chat_base, lessons(), client=client(), recipe=SHORT, seed=0, work=put_aside)


def adapter(trained) -> dict[str, object]:
    from peft import get_peft_model_state_dict

    model = trained.model.model
    shared = isinstance(model, Adapted)
    peft, name = (model.shared.model, model.name) if shared else (model, DEFAULT)
    return get_peft_model_state_dict(peft, adapter_name=name)


def same(one, other) -> bool:
    import torch

    left, right = adapter(one), adapter(other)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_the_same_seed_teaches_the_same_and_another_does_not(plain, chat_base):  # noqa: F811
    again, other = (teach(chat_base, lessons(), client=client(), recipe=SHORT, seed=seed) for seed in (0, 4))
    assert same(plain, again)
    assert plain.losses == again.losses
    assert plain.fit == again.fit
    assert not same(plain, other)


def test_a_run_that_was_killed_goes_on_and_comes_to_the_same(plain, chat_base, tmp_path):  # noqa: F811
    killed = subprocess.run(
        [sys.executable, __file__, str(chat_base.folder), str(tmp_path / "killed"), "23"], check=False, env=HERE
    )
    assert killed.returncode == -signal.SIGKILL
    left = sorted(path.parent.name for path in (tmp_path / "killed").rglob("trainer_state.json"))
    assert left
    steps: list[int] = []
    again = teach(
        chat_base, lessons(), client=client(), recipe=SHORT, seed=0, work=tmp_path / "killed",
        progress=lambda what, done, _: steps.append(done) if what.startswith("fine-tuning") else None,
    )  # fmt: skip
    assert steps[0] > 10  # it did not begin anew
    assert same(plain, again)
    assert plain.losses == again.losses


@pytest.mark.parametrize(
    ("whole", "size", "together", "found"),
    [(8, 8, 1, (8, 1)), (8, 4, 1, (4, 2)), (8, 8, 2, (4, 1)), (8, 4, 2, (2, 2)), (3, 2, 1, (1, 3)), (8, 8, 3, (2, 2)),
     (4, 4, 8, (1, 1))],
)  # fmt: skip
def test_a_batch_is_taken_in_parts_that_come_to_it_where_the_processes_can_share_it(whole, size, together, found):
    assert in_parts(whole, size, together) == found


WRITTEN = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", SEAL)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_checkpoint_that_was_being_written_is_passed_over(name, plain, put_aside, chat_base, tmp_path):  # noqa: F811
    work = shutil.copytree(put_aside, tmp_path / "work")
    older, newest = sorted(work.glob("*/checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    os.truncate(newest / name, (newest / name).stat().st_size // 2)
    steps: list[int] = []
    again = teach(
        chat_base, lessons(), client=client(), recipe=SHORT, seed=0, work=work,
        progress=lambda what, done, _: steps.append(done) if what.startswith("fine-tuning") else None,
    )  # fmt: skip
    assert steps[0] == int(older.name.split("-")[1]) + 1
    assert same(plain, again)


def test_a_checkpoint_whose_best_one_is_damaged_is_passed_over(tmp_path):
    for step, best in ((5, 5), (10, 10), (15, 10)):
        checkpoint = tmp_path / f"checkpoint-{step}"
        checkpoint.mkdir()
        known = {"best_model_checkpoint": str(tmp_path / f"checkpoint-{best}")}
        (checkpoint / "trainer_state.json").write_text(json.dumps(known))
        (checkpoint / "adapter_model.safetensors").write_text("weights")
        seal(checkpoint)
    assert _newest(tmp_path) == str(tmp_path / "checkpoint-15")
    (tmp_path / "checkpoint-10" / "adapter_model.safetensors").write_text("wei")
    assert _newest(tmp_path) == str(tmp_path / "checkpoint-5")


def test_no_run_goes_on_from_another_s_checkpoint(chat_base, tmp_path):  # noqa: F811
    teach(chat_base, lessons(), client=client(), recipe=SHORT, seed=0, work=tmp_path / "work")
    changed = teach(chat_base, lessons(SINCE), client=client(), recipe=SHORT, seed=0, work=tmp_path / "work")
    assert same(changed, teach(chat_base, lessons(SINCE), client=client(), recipe=SHORT, seed=0))


def limited(monkeypatch, most: int, *, after: int = 0):
    """As on a card that has memory for so many sequences at a time, once more were learned that often."""
    from transformers import LlamaModel

    forward = LlamaModel.forward
    large: list[int] = []

    def counted(self, input_ids, **given):
        if self.training and len(input_ids) > most:
            large.append(len(input_ids))
            if len(large) > after:
                raise RuntimeError("CUDA out of memory. Tried to allocate more than there is")
        return forward(self, input_ids, **given)

    monkeypatch.setattr(LlamaModel, "forward", counted)


@pytest.mark.parametrize("after", [0, 3])  # the first checkpoint is at the fifth step
def test_with_memory_for_half_a_batch_it_accumulates_and_learns_the_same(after, plain, chat_base, monkeypatch):  # noqa: F811
    limited(monkeypatch, 2, after=after)
    halved = teach(chat_base, lessons(), client=client(), recipe=SHORT, seed=0)
    assert halved.notes[-1] == "out of memory: 2 sequences at a time now, accumulated to 4 a step"
    assert halved.losses == pytest.approx(plain.losses, abs=1e-3)


def test_without_memory_for_one_sequence_it_says_what_to_do(chat_base, monkeypatch):  # noqa: F811
    limited(monkeypatch, 0)
    with pytest.raises(TrainingError, match="out of memory with a single sequence: lower max_tokens"):
        teach(chat_base, lessons(), client=client(), recipe=SHORT, seed=0)


def test_when_its_time_is_up_it_ends_with_the_best_there_is(chat_base):  # noqa: F811
    made = teach(chat_base, lessons(), client=client(), recipe=recipe(epochs=90, max_minutes=0.04), seed=0)
    assert any(
        note.startswith("stopped after ") and note.endswith(": out of time (max_minutes)") for note in made.notes
    )
    assert len(made.losses) < 9


def test_patience_before_a_kill_counts(chat_base, tmp_path):  # noqa: F811
    hopeless, few = recipe(epochs=8, learning_rate=1000.0), lessons(train=40)  # a look each pass
    whole = teach(chat_base, few, client=client(), recipe=hopeless, seed=0)
    told = re.fullmatch(r"stopped after (\d+) of 40 steps", whole.notes[-1])
    assert told  # three looks after the best one, which processors do not agree about
    steps: list[int] = []

    def dies(what: str, done: int, of: int) -> None:
        if what.startswith("fine-tuning"):
            steps.append(done)
            if done == int(told[1]) - 3:  # after the second of them
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(chat_base, few, client=client(), recipe=hopeless, seed=0, work=tmp_path, progress=dies)
    again = teach(chat_base, few, client=client(), recipe=hopeless, seed=0, work=tmp_path)
    assert again.losses == whole.losses
    assert again.notes == whole.notes


def test_time_before_a_kill_counts(chat_base, put_aside, plain, tmp_path):  # noqa: F811
    (work,) = shutil.copytree(put_aside, tmp_path / "work").iterdir()
    assert 0 < trained_before(work) < 600
    hours = recipe(epochs=2, max_minutes=60)
    found = teach(chat_base, lessons(), client=client(), recipe=hours, seed=0, work=tmp_path / "hours")
    assert found.notes == plain.notes
    (work,) = (tmp_path / "hours").iterdir()
    for checkpoint in work.glob("checkpoint-*"):
        kept = json.loads((checkpoint / "trainer_state.json").read_text())
        kept["stateful_callbacks"]["Watch"]["attributes"] = {"before": 3599.9, "ended": False}  # as it once was kept
        (checkpoint / "trainer_state.json").write_text(json.dumps(kept))
        seal(checkpoint)
    newest, at = max((int(one.name.split("-")[1]), one) for one in work.glob("checkpoint-*"))[::-1]
    shutil.rmtree(newest)
    again = teach(chat_base, lessons(), client=client(), recipe=hours, seed=0, work=tmp_path / "hours")
    _, stopped, took = again.notes
    assert stopped.startswith("stopped after ")
    assert stopped.endswith(f" of {at} steps: out of time (max_minutes)")
    assert took.startswith("took 60.")  # one step, a look and the threshold


@pytest.mark.parametrize(
    ("budget", "over"),
    [
        (Budget(limit=60, before=30), False),
        (Budget(limit=60, before=61), True),
        (Budget(limit=60, before=30, after=31), True),
        (Budget(limit=60, before=30, look=15, after=16), True),
        (Budget(before=1e9), False),
    ],
)
def test_where_its_time_is_up_it_is_looked_at_and_kept_and_stays_up(budget, over):
    from transformers import TrainerControl, TrainerState

    watching, control = watch(budget, silent), TrainerControl()
    watching.on_step_end(None, TrainerState(global_step=3, max_steps=9), control)
    assert (control.should_training_stop, control.should_evaluate, control.should_save) == (over, over, over)
    again, control = type(watching).from_state(watching.state()), TrainerControl()  # as Trainer does
    again.on_step_end(None, TrainerState(global_step=4, max_steps=9), control)
    assert (control.should_training_stop, again.out_of_time) == (over, over)
    assert not (over and control.should_evaluate)  # it was looked at before the kill


def test_how_long_a_look_takes_is_measured():
    from transformers import TrainerControl, TrainerState

    watching, state = watch(Budget(limit=60, before=30), silent), TrainerState(global_step=3, max_steps=9)
    watching.on_evaluate(None, state, TrainerControl(), metrics={"eval_runtime": 31.0})
    watching.on_step_end(None, state, TrainerControl())
    assert watching.out_of_time


def test_each_step_and_each_look_is_measured(chat_base):  # noqa: F811
    told: list[tuple[str, int, float]] = []
    steps: list[int] = []
    made = teach(
        chat_base, lessons(), client=client(), recipe=SHORT, seed=0,
        progress=lambda what, done, _: steps.append(done) if what.startswith("fine-tuning") else None,
        measured=lambda values, step: told.extend((name, step, value) for name, value in values.items()),
    )  # fmt: skip
    assert [value for name, _, value in told if name == "held_out_loss"] == made.losses
    for name in ("loss", "learning_rate", "tokens_per_second"):
        assert [step for one, step, _ in told if one == f"training/{name}"] == steps
    assert all(value > 0 for name, _, value in told if name.endswith("second"))


def test_what_only_gets_worse_leaves_the_model_as_it_was(chat_base, tmp_path):  # noqa: F811
    import torch

    good = teach(chat_base, lessons(), client=client(), recipe=SHORT, seed=0)
    before = {name: weight.clone() for name, weight in adapter(good).items()}
    packs = pack([good.model.chat.lesson(request, answer) for request, answer in later()], capacity=56)
    mad = recipe(learning_rate=1000.0, epochs=1)
    ran = run(good.model.model, Lessons(packs, packs), mad, seed=0, folder=tmp_path / "work", progress=silent)
    assert ran.losses[0] == min(ran.losses) < ran.losses[-1]
    assert all(torch.equal(weight, before[name]) for name, weight in adapter(good).items())


def test_what_was_cut_is_counted(chat_base):  # noqa: F811
    made = teach(chat_base, lessons(), client=client(), recipe=recipe(epochs=0, max_tokens=8, max_new_tokens=8), seed=0)
    assert made.notes[0] == "160 of 160 requests cut to max_tokens"
    assert made.notes[1].endswith("of 160 answers cut to max_new_tokens")


def test_the_new_policy_s_answer_takes_the_old_one_s_place(chat_base):  # noqa: F811
    made = teach(chat_base, lessons(SINCE), client=client(), recipe=recipe(), seed=0)
    asked = later(SINCE)
    answers = made.model.answer([request for request, _ in asked])
    refunds = [(one.output, answer) for one, (_, answer) in zip(answers, asked, strict=True) if "voucher" in answer]
    assert len(refunds) > 5
    assert sum(output == answer for output, answer in refunds) >= len(refunds) - 1


def test_without_a_case_held_out_nothing_is_taught(chat_base):  # noqa: F811
    with pytest.raises(NotEnoughDataError, match="fitting the confidence threshold: have 0, need 1"):
        teach(chat_base, lessons(held=0), client=client(), recipe=SHORT, seed=0)
    with pytest.raises(NotEnoughDataError, match="fine-tuning: have 0, need 1"):
        teach(chat_base, lessons(train=0), client=client(), recipe=SHORT, seed=0)


def main() -> None:
    """Teach until a step, and die there."""
    folder, work, step = sys.argv[1:]

    def dies(what: str, done: int, _: int) -> None:
        if what.startswith("fine-tuning") and done == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    base = resolve_base(LocalModel(path=folder))
    teach(base, lessons(), client=client(), recipe=SHORT, seed=0, work=Path(work), progress=dies)


if __name__ == "__main__":
    main()
