"""How well does SetFit learn the rows that ours learns? Run in an environment of its own (`setfit_side.py`)."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.environment import SETFIT, environment
from benchmarks.intents import Rows
from benchmarks.learned import Learned, Spent, rights
from benchmarks.ways import STRENGTHS

SIDE = Path(__file__).with_name("setfit_side.py")


def train_setfit(rows: Rows, *, pairs: int, seed: int) -> Learned:
    """SetFit with so many pairs of each kind, of one label and of two, for a text."""
    python = environment(SETFIT)
    taught, held = rows.taught.train, rows.taught.calibration
    work = {
        "base": str(rows.base.folder),
        "texts": [case.text for case in taught],
        "labels": rows.numbers(taught).tolist(),
        "held": [case.text for case in held],
        "held_labels": rows.numbers(held).tolist(),
        "asked": rows.asked,
        "strengths": STRENGTHS,
        "pairs": pairs,
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as name:
        given = Path(name) / "work.json"
        given.write_text(json.dumps(work), encoding="utf-8")
        command = [str(python), str(SIDE), str(given)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    told = json.loads(said.splitlines()[-1])
    right = rights(np.array(told["answers"]), rows.truth)
    return Learned(f"SetFit, {pairs} pairs", right, Spent(told["seconds"], told["processor"]), [])
