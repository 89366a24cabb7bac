"""How soon is a new category found, and what do the others lose? `python -m benchmarks.growth`

`clinc150_growth` played as production under a tier: ten categories come in May, July and September, each asked about
three times a month, and nobody seeds them: what is escalated, complained about or audited is all that is known of them.
Needs the shared data (UPKEEP_DATA, default ../shared/data).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import head, row
from benchmarks.unlearning import Way, play
from upkeep.statistics.rates import Rate
from upkeep.timeline import OUT_OF_SCOPE, read_timeline

FROM_THE_START, NONE = "from the start", "none fits"


def arrivals(timeline: Path) -> dict[str, str]:
    """The month in which each category is asked about for the first time; those of the launch set are there at once."""
    found = read_timeline(timeline)
    launched = {one.label for one in found.launch}
    first: dict[str, str] = {}
    for one in found.stream:
        there = NONE if one.label == OUT_OF_SCOPE else FROM_THE_START if one.label in launched else f"{one.ts:%Y-%m}"
        first.setdefault(one.label, there)
    return first


def by_cohort(months: Sequence[Mapping[str, Any]], first: Mapping[str, str]) -> dict[str, dict[str, Rate]]:
    """By when a category came: the share of its requests that was answered with it, month by month."""
    found: dict[str, dict[str, Rate]] = defaultdict(dict)
    for month in months:
        for label, of in month["by_label"].items():
            rates, at = found[first[label]], month["month"]
            rates[at] = rates.get(at, Rate(0, 0)) + Rate(of["right"], of["n"])
    return dict(sorted(found.items()))


def retrains(months: Sequence[Mapping[str, Any]]) -> str:
    """What was decided, month by month."""
    return ", ".join(f"{one['month']} {one['decisions'][-1]['verdict']}" for one in months if one["decisions"])


def main() -> None:
    """Print a table: a line for each cohort of categories."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", type=int, default=3, help="2 retrains each quarter, 3 each month")
    options = parser.parse_args()
    timeline = Path(os.environ.get("UPKEEP_DATA", "../shared/data")) / "timelines" / "clinc150_growth.parquet"
    with tempfile.TemporaryDirectory() as scratch:
        played = play(timeline, Way("propose", "lora-encoder"), tier=options.tier, folder=Path(scratch))
    cohorts = by_cohort(played.months, arrivals(timeline))
    months = [one["month"] for one in played.months]
    head("categories that came", *months)
    for came, rates in cohorts.items():
        if came != NONE:
            row(came, *(f"{rates[at].value:.2f} ({rates[at].n})" if at in rates else "" for at in months))
    print(f"\ndecisions: {retrains(played.months)}")


if __name__ == "__main__":
    main()
