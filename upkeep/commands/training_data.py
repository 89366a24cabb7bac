"""Which commands are about what a model is taught, and about teaching it a new category?"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from upkeep.commands.common import (
    Commands,
    announce_changes,
    as_of,
    for_client,
    heard,
    moment,
    open_desk,
    seed,
    show_outcome,
    why,
)
from upkeep.counts import count_of
from upkeep.errors import SnapshotError, VariantError
from upkeep.progress import OnTerminal

if TYPE_CHECKING:
    from upkeep.desk import Desk
    from upkeep.stages.snapshot import SnapshotRecord


def add_data_commands(commands: Commands) -> None:
    """`variant`, `variants` and `data`."""
    variant = for_client(
        commands, "variant", _variant, "teach the model a new category, from examples and past requests"
    )
    variant.add_argument("--label", required=True, help="what the new category is called")
    variant.add_argument(
        "--seeds", type=Path, metavar="FILE", help="examples, one a line; none: go on with one that was begun"
    )
    variant.add_argument("--by", default="", help="who gives the examples")
    why(variant)
    variant.add_argument("--now", action="store_true", help="do not wait for the review of past requests like them")
    moment(variant)
    seed(variant)

    moment(for_client(commands, "variants", _variants, "list what may be the next new category, and those begun"))

    data = for_client(commands, "data", _data, "what a model was taught, and what changed since another one")
    data.add_argument("period", nargs="?", help="the snapshot of a retrain, such as 2026-Q4; default: list them")
    data.add_argument("--since", metavar="PERIOD", help="what changed since that one")
    history = "the answers to a case's text, each from when until when, as known now or at the snapshot's moment"
    data.add_argument("--case", metavar="ID", help=history)
    data.add_argument("--rebuild", action="store_true", help="choose it once more from the facts and compare")


def _variant(options: argparse.Namespace) -> None:
    from upkeep.chain import variant

    seeds = _lines(options.seeds) if options.seeds else []
    desk = open_desk(options.client)
    made = variant(
        desk,
        options.label,
        seeds,
        as_of(options),
        reason=options.reason,
        by=options.by,
        wait=not options.now,
        seed=options.seed,
        progress=OnTerminal(),
        hear=partial(heard, options.client),
    )
    show_outcome(desk, made)
    announce_changes(desk)


def _variants(options: argparse.Namespace) -> None:
    from upkeep.stages.candidates import candidates_for
    from upkeep.stages.variant import open_use_cases

    desk = open_desk(options.client)
    begun_there, found = open_use_cases(desk, as_of(options)), candidates_for(desk, as_of(options))
    if not (begun_there or found):
        print(f"{options.client}: no new category is under way, and nothing suggests one")
    for begun in begun_there:
        goes_on = f"{begun.begun.period}: its cases are reviewed, the next scheduled review takes it up"
        print(begun.waiting or goes_on)
    for one in found:
        print(f"{one.label or 'a new category?'}: {one.why}")
        for text in one.examples:
            print(f"  “{text}”")
        print(f"  {one.command(options.client)}")


def _data(options: argparse.Namespace) -> None:
    from upkeep.stages.snapshot import snapshots

    desk = open_desk(options.client)
    if options.period:
        _snapshot(desk, options)
    elif options.since or options.rebuild:
        asked = f"--since {options.since}" if options.since else "--rebuild"
        wanted = f"`upkeep data {options.client} PERIOD {asked}`"
        raise SnapshotError(f"{asked}: found no period, expected {wanted}")
    elif options.case:
        _case(desk, options.case, datetime.now(UTC))
    else:
        for one in snapshots(desk):
            print(f"{one.period}: {_size(one)}, {one.terms.moment:%Y-%m-%d}")


def _snapshot(desk: Desk, options: argparse.Namespace) -> None:
    from upkeep.cases.mix import told
    from upkeep.stages.snapshot import differences, rebuild, snapshot

    made = snapshot(desk, options.period)
    print(f"{options.client} {made.period}: {_size(made)}, SHA-256 {made.digest}")
    print(f"  {count_of(made.superseded, 'answer')} superseded")
    for what, n in {"rejected in review": len({*made.rejected}), **made.left_out}.items():
        print(f"  {n:,} {what}")
    if made.mix:
        print(f"  trained on {told(made.mix)}")
    print(f"  proof: {made.proof}")
    for line in differences(desk, options.since, made.period) if options.since else []:
        print(f"  since {options.since}: {line}")
    if options.rebuild:
        files = count_of(len(made.sources), "file")
        print(f"  rebuilt from {files}: the same {len(rebuild(desk, made.period)):,} bytes")
    if options.case:
        _case(desk, options.case, made.terms.moment)


def _size(made: SnapshotRecord) -> str:
    # a model that writes has no labels
    labels = f", {count_of(len(made.labels), 'label')} (version {made.label_set})" if made.labels else ""
    return f"{count_of(made.lessons, 'case')}{labels}"


def _case(desk: Desk, name: str, known_by: datetime) -> None:
    from upkeep.stages.case_history import told_history

    for line in told_history(desk, name, known_by):
        print(line)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise VariantError(f"{path}: no such file, expected a text file with one example a line")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise VariantError(f"{path}: not UTF-8: {exc}; expected a text file with one example a line") from exc
