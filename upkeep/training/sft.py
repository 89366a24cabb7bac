"""How is a model taught to write a client's answers? Supervised fine-tuning (SFT) of a LoRA adapter.

By transformers' Trainer: it brings checkpoints that a killed run goes on from, more than one device, and accumulated
gradients, and costs a language model's training nothing. What is ours is what it learns from: answers only, packed.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from upkeep.base_model import Base
from upkeep.cases.case import Case
from upkeep.cases.snapshot import Snapshot
from upkeep.config import Client
from upkeep.errors import NotEnoughDataError
from upkeep.hardware import hardware_precision
from upkeep.metrics.closeness import judge_of
from upkeep.models.batches import noted_halvings
from upkeep.models.chat import Chat, Lesson, pack
from upkeep.models.generator import Generator, load_tokenizer
from upkeep.models.loading import Trained
from upkeep.models.manifest import Manifest
from upkeep.models.threshold import NOTHING_AUTOMATIC, Fit, fit_threshold
from upkeep.progress import Measured, Progress, silent, unmeasured
from upkeep.recipes import ChatRecipe, Task, Weight
from upkeep.training.budget import overrun
from upkeep.training.checkpoints import fingerprint
from upkeep.training.packing import NOT_PACKED
from upkeep.training.sft_processes import SftWork, begin, launcher, run_together
from upkeep.training.trainer import Lessons, run, trained_before
from upkeep.training.warm_start import identity_of
from upkeep.training.writing_time import budget_of, timed


def teach(
    base: Base,
    data: Snapshot,
    *,
    client: Client,
    recipe: ChatRecipe,
    seed: int,
    work: Path | None = None,
    champion: Path | None = None,
    progress: Progress = silent,
    measured: Measured = unmeasured,
) -> Trained[Generator]:
    """Train an adapter to write the answers in `data` and fit the confidence threshold.

    Deterministic for a seed on one kind of machine. With a folder for its `work` a run that was killed goes on from
    where it put something aside last, and comes to the same. `champion` is the release folder of the model in service,
    for a recipe that starts from it. Raises NotEnoughDataError without a case to train on, or one held out.
    """
    import torch

    began = time.time()
    for cases, what in ((data.train, "fine-tuning"), (data.calibration, "fitting the confidence threshold")):
        if not cases:
            raise NotEnoughDataError(what=what, have=0, need=1, where=f"client {client.client}")
    precision = hardware_precision(recipe.precision)
    chat = Chat(load_tokenizer(base), recipe.max_tokens, recipe.max_new_tokens, client.writing.system_prompt)
    manifest = Manifest(
        labels=(),
        out_of_scope_label=client.out_of_scope_label,
        threshold=NOTHING_AUTOMATIC,
        base=base.reference,
        base_digest=base.digest,
        max_tokens=recipe.max_tokens,
        precision=precision,
        training_digest=data.digest,
        task=Task.GENERATION,
        system_prompt=client.writing.system_prompt,
        max_new_tokens=recipe.max_new_tokens,
        client=client.client,
        base_settings_digest=base.settings_digest,
    )
    train, held = ([chat.lesson(case.text, case.answer) for case in cases] for cases in (data.train, data.calibration))
    capacity = recipe.max_tokens + recipe.max_new_tokens
    repeated = _repeated(train, data.train, recipe.mix.weight)
    lessons = Lessons(pack(repeated, capacity=capacity), pack(held, capacity=capacity))
    name = fingerprint(base, data, recipe, seed, precision, client.writing.system_prompt, identity_of(champion))
    with torch.random.fork_rng(), tempfile.TemporaryDirectory() as scratch, noted_halvings() as scored:
        folder = (work or Path(scratch)) / name
        began -= trained_before(folder)
        job = SftWork(base, precision, recipe, lessons, seed, champion, timed(held, recipe, began=began))
        command = launcher()
        if command:
            learned, ran = run_together(command, job, folder=folder, progress=progress, measured=measured)
            generator = Generator.on_shared(learned, base, manifest)
        else:
            begun = begin(job)
            ran = run(
                begun.model, begun.lessons, recipe, seed=seed, folder=folder, progress=progress, measured=measured,
                budget=budget_of(recipe, job.timed, begun.model),
            )  # fmt: skip
            ran.notes[:0] = begun.notes
            generator = Generator(begun.model, chat, manifest)
        fit = calibrate(generator, data.calibration, client, progress=progress)
    generator.manifest = replace(manifest, threshold=fit.threshold)
    late = overrun(recipe, time.time() - began)
    packed = [f"{len(repeated):,} lessons in {len(lessons.train):,} sequences"] if NOT_PACKED not in ran.notes else []
    return Trained(generator, fit, ran.losses, (*_cuts(train), *packed, *scored, *ran.notes, *late))


def calibrate(generator: Generator, cases: Sequence[Case], client: Client, *, progress: Progress = silent) -> Fit:
    """Fit the threshold that keeps the client's promised precision on held-out cases."""
    right = judge_of(client.writing)
    answers = generator.answer([case.text for case in cases], progress=progress)
    return fit_threshold(
        np.array([one.confidence for one in answers]),
        np.array([right(case.text, case.answer, one.output) for case, one in zip(cases, answers, strict=True)]),
        weight=np.ones(len(cases)),
        promised=client.promised_precision,
    )


def _repeated(lessons: Sequence[Lesson], cases: Sequence[Case], weight: Weight) -> list[Lesson]:
    """A case that was asked n times is learned once, or 1 + log2 n times."""
    times = [1 if weight is Weight.ONCE else round(1 + math.log2(case.requests)) for case in cases]
    return [lesson for lesson, count in zip(lessons, times, strict=True) for _ in range(count)]


def _cuts(lessons: Sequence[Lesson]) -> list[str]:
    requests, answers = (sum(getattr(one, name) for one in lessons) for name in ("request_cut", "answer_cut"))
    told = ((requests, "requests cut to max_tokens"), (answers, "answers cut to max_new_tokens"))
    return [f"{n:,} of {len(lessons):,} {what}" for n, what in told if n]
