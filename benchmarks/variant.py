"""Does a model find a new category after ten examples, and what does that cost? `python -m benchmarks.variant`

Categories that arrive in production (clinc150_growth): the champion's head grows by a row for one of them, beside a
full retrain on the same cases; and past requests are proposed by their likeness to the examples. Needs the shared data
(UPKEEP_DATA, default ../shared/data).
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import head, row
from upkeep.base_model import Base, resolve_base
from upkeep.cases.case import Case, Source
from upkeep.cases.snapshot import Facts, Lesson, Snapshot, SnapshotTerms, choose
from upkeep.cases.split import Locked, Side
from upkeep.cases.variant import likeliest
from upkeep.config import Client, load_client
from upkeep.errors import TimelineError
from upkeep.home import configs
from upkeep.models.classifier import Classifier
from upkeep.models.encoder import Encoder, embed_all, load_encoder
from upkeep.recipes import HeadRecipe, load_recipe
from upkeep.replay import client_for
from upkeep.statistics.rates import Rate
from upkeep.timeline import OUT_OF_SCOPE, Timeline, TimelineRow, read_timeline
from upkeep.training.finetuning import finetune
from upkeep.training.head_growth import grow

WEEKS, KNOWN_AFTER, OF_A_LABEL = 26, timedelta(days=130), 20


class Bench(NamedTuple):
    """What all categories are tried with: the history, the first model, and what it was taught."""

    timeline: Timeline
    base: Base
    client: Client
    recipe: HeadRecipe
    champion: Classifier
    launch: Snapshot


class Tried(NamedTuple):
    """How a model does: the category's later requests that it finds, and the old labels' items that it gets right."""

    found: Rate
    old: Rate


def first_model(timeline: Timeline) -> Bench:
    """Train the model that the client began with."""
    like = load_client(configs(), "northwind")
    client = client_for(timeline, name="grown", tier=3, like=like).model_copy(update={"relabel": ()})
    recipe, base = load_recipe(configs(), like.training), resolve_base(client.base_model)
    if not isinstance(recipe, HeadRecipe):
        raise SystemExit(f"{like.training}: expected a recipe for classification")
    start = min(one.ts for one in timeline.stream if one.ts)
    cases = [Case(one.id, one.text, one.label, Source.LAUNCH) for one in timeline.launch]
    locked = [Locked(one.id, one.text, start) for one in timeline.golden]
    terms = SnapshotTerms(
        moment=start,
        new_since=None,
        zone=client.time_zone,
        labels=client.labels,
        out_of_scope=client.out_of_scope_label,
        new_labels=client.new_labels,
        unreviewed=client.unreviewed,
        rules=(),
        recipe=recipe,
    )
    data = choose(Facts(cases, frozenset(), {}, locked), terms)
    return Bench(timeline, base, client, recipe, finetune(base, data, client=client, recipe=recipe, seed=0).model, data)


def arrivals(bench: Bench, seeds: int) -> dict[str, list[TimelineRow]]:
    """The requests of each category that the first model does not know, the category that came first first."""
    found: dict[str, list[TimelineRow]] = defaultdict(list)
    for one in bench.timeline.stream:
        if one.label not in bench.client.labels and one.label != OUT_OF_SCOPE:
            found[one.label].append(one)
    return {label: rows for label, rows in found.items() if len(rows) >= seeds + 5}


def taught(bench: Bench, label: str, seeds: Sequence[TimelineRow]) -> Snapshot:
    """What the first model was taught, and the examples."""
    examples = [Lesson(Side.TRAIN, Case(one.id, one.text, label, Source.SEED)) for one in seeds]
    return replace(
        bench.launch, lessons=(*bench.launch.lessons, *examples), labels=(*bench.launch.labels, label), label_set=2
    )


def tried(bench: Bench, model: Classifier, label: str, later: Sequence[TimelineRow]) -> Tried:
    """Ask a model the category's later requests and acceptance items, and the items of the labels it had before."""
    golden = [one for one in bench.timeline.golden if one.label in (*bench.client.labels, label)]
    items = [*later, *golden]
    right = [
        one.output == item.label for one, item in zip(model.answer([one.text for one in items]), items, strict=True)
    ]
    of_it = [item.label == label for item in items]
    return Tried(
        Rate.of(found for found, new in zip(right, of_it, strict=True) if new),
        Rate.of(found for found, new in zip(right, of_it, strict=True) if not new),
    )


class Past(NamedTuple):
    """Requests that went to a person, and some cases of each label, as the untrained base model sees them."""

    encoder: Encoder
    rows: list[TimelineRow]
    seen: NDArray[np.float32]
    known: Mapping[str, NDArray[np.float32]]


def handed_over(bench: Bench) -> Past:
    """What the first model left to people, and some cases of each label."""
    encoder = load_encoder(bench.base, max_tokens=bench.recipe.max_tokens, precision=bench.recipe.precision)
    answers = bench.champion.answer([one.text for one in bench.timeline.stream])
    rows = [one for one, answer in zip(bench.timeline.stream, answers, strict=True) if not answer.automatic]
    texts: dict[str, list[str]] = defaultdict(list)
    for case in bench.launch.train:
        texts[case.answer].append(case.text)
    known = {label: embed_all(encoder, found[:OF_A_LABEL]) for label, found in texts.items()}
    return Past(encoder, rows, embed_all(encoder, [one.text for one in rows]), known)


class Proposed(NamedTuple):
    """Of the proposed requests those that are of the category, and of its requests those that were proposed."""

    right: Rate
    found: Rate


def proposed(past: Past, label: str, requests: Sequence[TimelineRow], seeds: int) -> Proposed:
    """Propose past requests of the 26 weeks before a moment some months after the category's first request."""
    examples = embed_all(past.encoder, [one.text for one in requests[:seeds]])
    at = _time(requests[0]) + KNOWN_AFTER
    given = {one.id for one in requests[:seeds]}
    rows = [
        row
        for row, one in enumerate(past.rows)
        if at - timedelta(weeks=WEEKS) <= _time(one) < at and one.id not in given
    ]
    chosen = [rows[one] for one in likeliest(past.seen[rows], seeds=examples, taught=past.known)]
    of_it = {row for row in rows if past.rows[row].label == label}
    return Proposed(Rate(len(of_it & set(chosen)), len(chosen)), Rate(len(of_it & set(chosen)), len(of_it)))


def _time(one: TimelineRow) -> datetime:
    if one.ts is None:
        raise TimelineError(f"request {one.id} has no time")
    return one.ts


def main() -> None:
    """Print a table, a row as soon as it is known, and how good the proposals are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="examples of each category, its first requests")
    parser.add_argument("--categories", type=int, default=3, help="so many of those that arrive are taught")
    options = parser.parse_args()
    data = Path(os.environ.get("UPKEEP_DATA", "../shared/data"))
    bench = first_model(read_timeline(data / "timelines" / "clinc150_growth.parquet"))
    arriving = arrivals(bench, options.seeds)
    client, recipe, base = bench.client, bench.recipe, bench.base
    before = tried(bench, bench.champion, "", []).old
    head("category", "way", "its later requests found", f"old items right; before, {before}")
    for label in list(arriving)[:: max(len(arriving) // options.categories, 1)][: options.categories]:
        seeds, later = arriving[label][: options.seeds], arriving[label][options.seeds :]
        lessons = taught(bench, label, seeds)
        grown = grow(bench.champion, label, base, lessons, client=client, recipe=recipe).model
        found = tried(bench, grown, label, later)
        row(label, "a row", str(found.found), str(found.old))
        trained = finetune(base, lessons, client=client, recipe=recipe, seed=0).model
        found = tried(bench, trained, label, later)
        row(label, "full retrain", str(found.found), str(found.old))
    past = handed_over(bench)
    each = [proposed(past, label, requests, options.seeds) for label, requests in arriving.items()]
    right, found_again = (sum(rates, Rate(0, 0)) for rates in zip(*each, strict=True))
    print(f"\nProposed for {len(each)} categories: {right} of them right, {found_again} of the past requests found")


if __name__ == "__main__":
    main()
