"""How far apart are the models that retrains make, on the same requests? `python -m benchmarks.successors FOLDER`

FOLDER is what `upkeep replay ... --keep FOLDER` has left, one that was stopped on its way too. Each version answers the
golden items whose answer never changes. Told is the root mean square of the differences from one version to the next;
what chance makes of so few items is taken off.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import head, row
from upkeep.desk import Desk, open_desk
from upkeep.stages.challengers import challengers
from upkeep.stages.finetuning import load_model


class Answered(NamedTuple):
    """What a version made of the items, one element each: right or not (1, 0), how sure, and the answer."""

    right: NDArray[np.float64]
    sure: NDArray[np.float64]
    given: NDArray[np.str_]


def answer_golden(desk: Desk) -> list[Answered]:
    """What each version makes of the items, in the order in which they were trained."""
    items = [one for one in desk.golden() if one.valid_from is None and one.valid_to is None]
    texts, truth = [one.text for one in items], np.array([one.answer for one in items])
    found = []
    for version in sorted((one.version for one in challengers(desk)), key=int):
        answers = load_model(desk, version).answer(texts)
        given = np.array([one.output or "" for one in answers])
        found.append(Answered((given == truth).astype(float), np.array([one.confidence for one in answers]), given))
    return found


def apart(models: Sequence[Answered]) -> dict[str, float]:
    """By what it is of, how far apart: shares, and of a label's share how much of itself."""
    pairs = list(pairwise(models))
    return {
        "accuracy": _rms([_squared(new.right - old.right) for old, new in pairs]),
        "mean confidence": _rms([_squared(new.sure - old.sure) for old, new in pairs]),
        "how much surer than right": _rms(
            [_squared((new.sure - new.right) - (old.sure - old.right)) for old, new in pairs]
        ),
        "a label's share of the answers, of itself": _rms([_shares(old, new) for old, new in pairs]),
    }


def _squared(differences: NDArray[np.float64]) -> float:
    """Their mean squared, less the variance of a mean of so many."""
    return float(differences.mean() ** 2 - differences.var() / len(differences))


def _shares(old: Answered, new: Answered) -> float:
    """Of labels that are right at all: of others there are too few answers."""
    found = []
    for label in np.unique(old.given[old.right == 1]):
        was, now = old.given == label, new.given == label
        moved = int((was != now).sum())  # the variance of the difference, if each had moved either way by chance
        found.append(((now.sum() - was.sum()) ** 2 - moved) / ((now.sum() + was.sum()) / 2) ** 2)
    return float(np.mean(found))


def _rms(squares: Sequence[float]) -> float:
    return math.sqrt(max(float(np.mean(squares)), 0.0))


def main() -> int:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description="How far apart the models of a replay are.")
    parser.add_argument("folder", type=Path, help="what a replay was told to keep")
    kept = parser.parse_args().folder / "replay"
    os.environ |= {"UPKEEP_HOME": str(kept / "home"), "UPKEEP_CONFIGS": str(kept / "configs")}
    models = answer_golden(open_desk("replayed"))
    head(f"of {len(models)} models, from one to the next", "differs by (%)")
    for what, share in apart(models).items():
        row(what, f"{100 * share:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
