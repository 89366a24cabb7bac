"""Which requests is fine-tuning measured on? Those of a public set, told apart as the product tells them apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from upkeep.base_model import Base, resolve_base
from upkeep.cases.case import Case, Source
from upkeep.cases.snapshot import Facts, Snapshot, SnapshotTerms, choose
from upkeep.config import Client, load_client
from upkeep.home import configs
from upkeep.recipes import HeadRecipe, load_recipe

LIKE = "northwind"
START = datetime(2026, 1, 1, tzinfo=UTC)
UNKNOWN = -1
"""Stands for a label that nothing was taught of."""


class Rows(NamedTuple):
    """What every way learns from, and the test texts with the row of the head that is right for each."""

    base: Base
    client: Client
    recipe: HeadRecipe
    taught: Snapshot
    asked: list[str]
    truth: NDArray[np.int64]

    def numbers(self, cases: Sequence[Case]) -> NDArray[np.int64]:
        """The row of the head that is right for each case."""
        return numbered([case.answer for case in cases], self.taught.labels)


def read(name: str, split: str) -> list[Case]:
    """The rows of a set's split in which an answer of the set is right."""
    import pyarrow.parquet as pq

    path = Path(os.environ.get("UPKEEP_DATA", "../shared/data")) / name / f"{name}.parquet"
    rows = pq.read_table(path, columns=["id", "text", "label", "split", "is_oos"]).to_pylist()
    return [
        Case(one["id"], one["text"], one["label"], Source.LAUNCH)
        for one in rows
        if one["split"] == split and not one["is_oos"]
    ]


def rows_of(name: str, *, train: int | None, seed: int, recipe: str) -> Rows:
    """All or some of a set's training rows, parted into taught and calibration, and all of its test rows.

    They are to be taught by the recipe of that name. The set's own split counts: no row is left out for being nearly a
    test row, as it would be of a client's cases.
    """
    client = load_client(configs(), LIKE)
    taught_by = load_recipe(configs(), recipe)
    if not isinstance(taught_by, HeadRecipe):
        raise SystemExit(f"{recipe}: expected a recipe for classification")
    return rows_from(some(read(name, "train"), train, seed), read(name, "test"), client=client, recipe=taught_by)


def rows_from(cases: Sequence[Case], test: Sequence[Case], *, client: Client, recipe: HeadRecipe) -> Rows:
    """Cases parted into taught and calibration as a client's are, and what is asked of the model."""
    terms = SnapshotTerms(
        moment=START,
        new_since=None,
        zone=client.time_zone,
        labels=tuple(sorted({case.answer for case in cases})),
        out_of_scope=client.out_of_scope_label,
        new_labels=client.new_labels,
        unreviewed=client.unreviewed,
        rules=(),
        recipe=recipe,
    )
    taught = choose(Facts(list(cases), frozenset(), {}, []), terms)
    truth = numbered([case.answer for case in test], taught.labels)
    return Rows(resolve_base(client.base_model), client, recipe, taught, [case.text for case in test], truth)


def some(cases: Sequence[Case], count: int | None, seed: int) -> list[Case]:
    """So many of them by chance, in their order; all where there are no more."""
    if count is None or count >= len(cases):
        return list(cases)
    chosen = np.random.default_rng(seed).choice(len(cases), count, replace=False)
    return [cases[at] for at in np.sort(chosen)]


def numbered(answers: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """The place of each answer among the labels, UNKNOWN where it has none."""
    at = {label: number for number, label in enumerate(labels)}
    return np.array([at.get(answer, UNKNOWN) for answer in answers], dtype=np.int64)
