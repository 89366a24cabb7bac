"""What is to be known of a release by whoever finds its folder? A model card, README.md beside the adapter.

In the client's store: releases/models/<version>/README.md.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from upkeep.base_model import peft_name
from upkeep.cases.case import valid_at
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.evaluation.scores import Scores, evaluate_model
from upkeep.models.manifest import read_manifest
from upkeep.progress import Progress, silent
from upkeep.stages.challengers import Challenger, challengers
from upkeep.stages.decisions import Decision
from upkeep.stages.evaluation import frozen_items
from upkeep.stages.finetuning import load_model
from upkeep.stages.release import fetch_trained
from upkeep.stages.snapshot import snapshots


def write_card(desk: Desk, version: str, decision: Decision | None = None, *, progress: Progress = silent) -> None:
    """Write a version's card with what it was taught, and how it did where it was compared; once.

    One that nothing was compared with is scored on the golden set.

    Raises StoreError as `fetch_trained` does, before anything is written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    key = f"releases/models/{version}/README.md"
    made = next((one for one in challengers(desk) if one.version == version), None)
    if made is None or desk.store.exists(key):
        return
    with tempfile.TemporaryDirectory() as scratch:
        manifest = read_manifest(fetch_trained(desk, version, Path(scratch)))
    templates = Environment(
        loader=PackageLoader("upkeep"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    base, revision = peft_name(manifest.base)
    card = templates.get_template("card.md.j2").render(
        client=desk.client,
        count_of=count_of,
        made=made,
        manifest=manifest,
        base=base,
        revision=revision,
        taught=next((one for one in snapshots(desk) if one.period == made.period), None),
        decision=decision,
        scores=None if decision else _on_golden(desk, made, progress),
    )
    desk.store.write(key, card.encode())


def _on_golden(desk: Desk, made: Challenger, progress: Progress) -> Scores:
    """How a first model does on the agreed items that are right when it is made, of which it was taught none."""
    items = valid_at(frozen_items(desk, made.period).golden, made.as_of)
    model = load_model(desk, made.version)
    return evaluate_model(model, items, name="golden", client=desk.client, progress=progress)
