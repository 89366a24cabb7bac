"""How is a challenger trained?"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from upkeep import records
from upkeep.adapters.live import watched
from upkeep.adapters.registry import Dataset, Registry, Run
from upkeep.base_model import Base, BaseModelConfig, resolve_base
from upkeep.cases.mix import told as told_mix
from upkeep.cases.snapshot import Snapshot
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.errors import NoChampionError, UnsupportedTaskError
from upkeep.home import home
from upkeep.models.classifier import Classifier
from upkeep.models.loading import Model, Trained
from upkeep.models.reload import answers_in_fresh_process, prepare, same_answers
from upkeep.progress import Measured, Progress, silent
from upkeep.recipes import HeadRecipe, Recipe, Start
from upkeep.stages.challengers import Challenger, challengers
from upkeep.stages.own_base import OwnBase, load_version, own_base
from upkeep.stages.registered import DIGEST, expect_registered, expect_served_registered
from upkeep.stages.release import in_service, release_log, require_no_newer
from upkeep.stages.snapshot import differences, snapshots, take_snapshot
from upkeep.training.checkpoints import fingerprint
from upkeep.training.finetuning import finetune
from upkeep.training.head_growth import grow
from upkeep.training.sft import teach
from upkeep.training.warm_start import identity_of

PROOF_TEXTS = 20


def train_challenger(
    desk: Desk, period: str, as_of: datetime, *, seed: int, label: str | None = None, progress: Progress = silent
) -> Challenger:
    """Train on all that is known by `as_of`, register the adapter, and prove that another process reads it the same.

    With a `label` nothing is trained but the row of that new category, in the champion's head. Raises StoreError where
    MLflow is another one than the client's versions are in, and DecisionError where the model in service is newer than
    one of that moment would be, before anything is written.
    """
    key = f"challengers/{period}.json"
    done = records.load_if_there(desk.store, key, Challenger)
    if done:
        expect_registered(desk, done.version, {done.training_digest}, told=f"{key} names")
        return done
    require_no_newer(desk, as_of)
    expect_served_registered(desk)
    moment = desk.local(as_of)
    named, base = _base(desk, label)
    prepare()  # it imports while this trains
    grown_on = in_service(desk) if label is not None else None
    head = _head(desk, label) if label is not None else ()
    data = take_snapshot(desk, period, moment, head=head, progress=progress)
    with tempfile.TemporaryDirectory() as scratch:
        start = _start(desk, Path(scratch) / "champion")
        with _run(desk, period, data, base, start, seed=seed, label=label) as run:
            with watched(run, desk.registry.uri) as measured:
                trained = _trained(
                    desk, period, data, base, start, seed=seed, label=label, progress=progress, measured=measured
                )
            folder = Path(scratch) / "release"
            trained.model.save(folder)
            version = _register(desk, run, period, data, trained, folder=folder, named=named)
        texts = [case.text for case in data.calibration[:PROOF_TEXTS]]
        back = answers_in_fresh_process(desk.registry.fetch(version, Path(scratch) / "back"), base, texts)
        exact = same_answers(trained.model.answer(texts), back)
    manifest = trained.model.manifest
    made = Challenger(
        period=period,
        as_of=moment,
        version=version,
        labels=manifest.labels,
        new_labels=new_labels(desk, manifest.labels),
        waiting_labels=data.waiting,
        trained_on=len(data.train),
        held_out=len(data.calibration),
        superseded=data.superseded,
        training_digest=data.digest,
        weights_digest=manifest.weights_digest,
        content_digest=manifest.content_digest,
        threshold=manifest.threshold,
        expected_automatic=trained.fit.automatic,
        reload_exact=exact,
        grown_on=grown_on,
        mix=data.mix,
    )
    made = records.create(desk.store, key, made)
    shutil.rmtree(_work(desk, period), ignore_errors=True)
    return made


def new_labels(desk: Desk, labels: Iterable[str]) -> tuple[str, ...]:
    """Those of the labels that neither the client's config nor the version in service has."""
    known = {*desk.client.answers}
    if release_log(desk):
        version = in_service(desk)
        known |= {label for one in challengers(desk) if one.version == version for label in one.labels}
    return tuple(label for label in labels if label not in known)


def _trained(
    desk: Desk,
    period: str,
    data: Snapshot,
    base: Base,
    start: Champion | None,
    *,
    seed: int,
    label: str | None,
    progress: Progress,
    measured: Measured,
) -> Trained[Model]:
    """A model of the kind that the recipe is for, or the champion with the row of a new category."""
    client, recipe = desk.client, desk.recipe
    if label is not None:
        return grow(_classifier(desk), label, base, data, client=client, recipe=desk.head_recipe, progress=progress)
    work, champion = _work(desk, period), start.folder if start else None
    if isinstance(recipe, HeadRecipe):
        return finetune(
            base, data, client=client, recipe=recipe, seed=seed, work=work, champion=champion,
            progress=progress, measured=measured,
        )  # fmt: skip
    return teach(
        base, data, client=client, recipe=recipe, seed=seed, work=work, champion=champion,
        progress=progress, measured=measured,
    )  # fmt: skip


class Champion(NamedTuple):
    """The model in service that a retrain may go on from: its version, and its release folder."""

    version: str
    folder: Path


def _start(desk: Desk, scratch: Path) -> Champion | None:
    if desk.recipe.start is Start.BASE:
        return None
    try:
        version = in_service(desk)
    except NoChampionError:
        return None
    return Champion(version, desk.registry.fetch(version, scratch))


def _base(desk: Desk, label: str | None) -> OwnBase:
    """What to train on: the config's base model, or for a new category the champion's, whose head gets a row."""
    present = desk.client.base_model
    if label is None:
        return OwnBase(present, resolve_base(present))
    return own_base(desk.registry, present, in_service(desk), _classifier(desk).manifest)


def _classifier(desk: Desk) -> Classifier:
    champion = load_model(desk, in_service(desk))
    if not isinstance(champion, Classifier):
        raise UnsupportedTaskError(f"client {desk.client.client}: the model in service writes, it has no categories")
    return champion


def _head(desk: Desk, label: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*_classifier(desk).labels, label]))


def _work(desk: Desk, period: str) -> Path:
    """Where a run keeps what it has learned so far, in case it is killed."""
    return home() / "training" / desk.client.client / period


def load_model(desk: Desk, version: str) -> Model:
    """A registered version, ready to answer, on the base model that it was trained on.

    Raises ReleaseError, StoreError where MLflow does not have it, and BaseModelError where that base is not here.
    """
    return _loaded(desk.registry.uri, desk.client.client, version, desk.client.base_model)


@lru_cache(maxsize=2)  # a version never changes, and a retrain needs two
def _loaded(uri: str, client: str, version: str, present: BaseModelConfig) -> Model:
    with tempfile.TemporaryDirectory() as scratch:
        registry = Registry(client, uri)
        return load_version(registry, present, version, registry.fetch(version, Path(scratch)))


@contextmanager
def _run(
    desk: Desk, period: str, data: Snapshot, base: Base, start: Champion | None, *, seed: int, label: str | None
) -> Iterator[Run]:
    """The training's run in MLflow, which says from the first step on what is trained and on what.

    After a kill the next training of the same goes on in it.
    """
    tags = _tags(desk, period)
    key = fingerprint(base, data, desk.recipe, seed, label, identity_of(start.folder if start else None))
    with desk.registry.run(f"{period} training", tags, key=key) as run:
        run.params({**_flat(desk.recipe), "seed": seed, "cases": len(data.train), "labels": len(data.labels)})
        run.params({"base": base.reference, "base_digest": base.digest, "base_settings_digest": base.settings_digest})
        run.params({"champion": start.version} if start else {})
        run.dataset(Dataset(f"{desk.client.client}/cases", data.digest, "training"))
        run.metrics({f"left_out/{reason.partition(':')[0]}": n for reason, n in data.left_out.items()})
        run.metrics({f"mix/{kind}": n for kind, n in data.mix.items()})
        run.metrics({"nearest_evaluation_item": data.proof.similarity})
        yield run


def _register(
    desk: Desk, run: Run, period: str, data: Snapshot, trained: Trained[Model], *, folder: Path, named: BaseModelConfig
) -> str:
    labels = f" with {count_of(len(data.labels), 'label')}" if data.labels else ""
    taught = f"trained on {count_of(len(data.train), 'case')}{labels}"
    about = f"{period}: {taught}, {count_of(data.superseded, 'answer')} superseded"
    notes = [f"- {note}" for note in trained.notes]
    mix = f"- made up of {told_mix(data.mix)}"
    told = [f"# {period}: {about}", "", mix, f"- proof: {data.proof}", *notes, *_changed(desk, period)]
    run.text("training-data.md", "\n".join(told) + "\n")
    run.metrics({"threshold": trained.fit.threshold, "expected_automatic_share": trained.fit.automatic})
    run.metrics({"temperature": trained.temperature})
    return desk.registry.register(
        run,
        folder,
        base_model=named.model_dump(),
        about=about,
        tags={**_tags(desk, period), DIGEST: data.digest},
    )


def _tags(desk: Desk, period: str) -> dict[str, str]:
    return {"upkeep.period": period, "upkeep.stage": "training", "upkeep.client": desk.client.client}


def _changed(desk: Desk, period: str) -> list[str]:
    """What is new in a period's snapshot against the one before, as Markdown."""
    earlier = [one.period for one in snapshots(desk)]
    before = earlier[earlier.index(period) - 1] if earlier.index(period) else None
    lines = [f"- {line}" for line in differences(desk, before, period)] if before else []
    return ["", f"Since {before}:", "", *lines] if before else []


def _flat(recipe: Recipe) -> dict[str, object]:
    """A recipe's values under one name each: `mix/replayed`."""
    values = recipe.model_dump(mode="json")
    mix = values.pop("mix")
    return values | {f"mix/{name}": value for name, value in mix.items()}
