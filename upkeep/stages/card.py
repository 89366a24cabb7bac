"""What is to be known of a release by whoever finds its folder? A model card, README.md beside the adapter.

In the client's store: releases/models/<version>/README.md.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from upkeep.base_model import hub_name
from upkeep.desk import Desk
from upkeep.models.manifest import read_manifest
from upkeep.stages.challengers import challengers
from upkeep.stages.decisions import Decision
from upkeep.stages.release import fetch_trained
from upkeep.stages.snapshot import snapshots


def write_card(desk: Desk, version: str, decision: Decision | None = None) -> None:
    """Write a version's card with what it was taught, and how it did where it was compared; once.

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
    card = templates.get_template("card.md.j2").render(
        client=desk.client,
        made=made,
        manifest=manifest,
        base=(hub_name(manifest.base) or (manifest.base,))[0],
        taught=next((one for one in snapshots(desk) if one.period == made.period), None),
        decision=decision,
    )
    desk.store.write(key, card.encode())
