"""How often is the true accuracy inside the interval that a review tells? `python -m benchmarks.estimate`

A week of production in which nearly only errors come back by themselves: everything escalated, and half of the wrong
automatic answers as complaints. People audit a random sample, and the least sure answers on top. Beside Upkeep's
estimate stands the naive one, from everything that came back.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from upkeep.cases.audit import SOURCES, draw
from upkeep.config import Audit, Client, load_client
from upkeep.home import configs
from upkeep.log.entries import LogWindow, Outcome, OutcomeSource, Prediction
from upkeep.monitoring.figures import figures
from upkeep.progress import OnTerminal
from upkeep.statistics.rates import Rate

START = datetime(2026, 2, 2, tzinfo=UTC)
LABEL, OTHER = "order_status", "refund_status"
THRESHOLD = 0.7
COMPLAINTS = 0.5


class Trial(NamedTuple):
    """One simulated week: its true accuracy, Upkeep's estimate, and the one from everything that came back."""

    truth: float
    estimate: Rate
    naive: Rate


def trial(client: Client, seed: int, *, requests: int = 400, audited: int = 60, unsure: int = 20) -> Trial:
    """Play a week and estimate its accuracy; the model is right as often as it is sure."""
    rng = np.random.default_rng(seed)
    confidence = rng.beta(6, 1, requests)
    right = rng.random(requests) < confidence
    rows = [_prediction(number, float(sure)) for number, sure in enumerate(confidence)]
    outcomes: dict[str, list[Outcome]] = {}
    for row, fine in zip(rows, right, strict=True):
        escalated = not row.automatic
        if escalated or (not fine and rng.random() < COMPLAINTS):
            source = OutcomeSource.ESCALATION if escalated else OutcomeSource.CUSTOMER
            outcomes[row.id] = [Outcome(row.id, row.at, source, LABEL if fine else OTHER, None)]
    came_back = Rate.of(bool(right[int(name)]) for name in outcomes)
    wanted = Audit(random=audited, unsure=unsure)
    for name, why in draw(rows, wanted, seed=str(seed), answered=outcomes.keys()).items():
        answer = LABEL if right[int(name)] else OTHER
        outcomes.setdefault(name, []).append(Outcome(name, START + timedelta(days=7), SOURCES[why], answer, None))
    found = figures(LogWindow(rows, outcomes, []), client)
    return Trial(float(right.mean()), found.accuracy, came_back)


def covers(rate: Rate, truth: float) -> bool:
    """Is the truth within the 95 % interval?"""
    low, high = rate.interval()
    return low <= truth <= high


def main() -> int:
    """Print how often each estimate's interval holds the truth, and how far off it is on average."""
    parser = argparse.ArgumentParser(description="Coverage of the estimated accuracy from a biased log.")
    parser.add_argument("--trials", type=int, default=1000)
    chosen = parser.parse_args()
    client = load_client(configs(), "northwind")
    progress = OnTerminal()
    found = []
    for seed in range(chosen.trials):
        found.append(trial(client, seed))
        progress("trials", seed + 1, chosen.trials)
    print(f"{chosen.trials:,} weeks of 400 requests, 60 audited by chance, 20 unsure ones on top\n")
    print("| estimate from | inside the 95 % interval | mean error |\n| --- | --- | --- |")
    _row("the random sample", [(one.estimate, one.truth) for one in found])
    _row("all that came back", [(one.naive, one.truth) for one in found])
    return 0


def _prediction(number: int, sure: float) -> Prediction:
    at = START + timedelta(minutes=number)
    return Prediction(f"{number}", at, f"text {number}", LABEL, sure, "1", sure > THRESHOLD, None, {})


def _row(name: str, pairs: Sequence[tuple[Rate, float]]) -> None:
    inside = np.mean([covers(rate, truth) for rate, truth in pairs])
    error = np.mean([(rate.value or 0) - truth for rate, truth in pairs])
    print(f"| {name} | {inside:.1%} | {100 * error:+.2f} points |")


if __name__ == "__main__":
    raise SystemExit(main())
