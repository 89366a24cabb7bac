"""How often is an alarm over while the loss stays, and how soon when it has gone? `python -m benchmarks.closing`

Simulated clients with a true accuracy of 90 % that varies from week to week, agreed at 88 %: after half a year of
reference some points are lost. They stay lost for a year, or come back after eight weeks. Of the incidents that opened
is told how many were closed within that year all the same; and of those still open when the rate came back, in which
week after that they were closed.
"""

from __future__ import annotations

import argparse
import statistics
from typing import NamedTuple

import numpy as np

from benchmarks.table import head, row
from upkeep.monitoring.alarms import State, Week, watch
from upkeep.progress import OnTerminal
from upkeep.statistics.rates import Rate

LEVEL, FLOOR, SPREAD = 0.90, 0.88, 0.02
REFERENCE, YEAR, BAD = 26, 52, 8
LABELS = (50, 100, 300)
LOSSES = (0.05, 0.08, 0.12)


class Found(NamedTuple):
    """Incidents that opened while the loss stayed, those closed all the same, and the weeks until a return was seen.

    Where it was not within a year that is told as infinite.
    """

    opened: int
    closed: int
    seen: list[float]


def play(labels: int, loss: float, *, clients: int, seed: int) -> Found:
    """Watch so many clients that stay as bad, and as many that come back."""
    opened = closed = 0
    seen: list[float] = []
    for number in range(clients):
        rng = np.random.default_rng([seed, labels, round(1000 * loss), number])
        for_good = states(rng, labels, [loss] * YEAR)
        opened += State.OPENED in for_good
        closed += State.CLOSED in for_good
        back = states(rng, labels, [loss] * BAD + [0.0] * YEAR)
        if State.OPENED in back[:BAD] and back[BAD - 1] in (State.OPENED, State.CONTINUING):
            after = [at for at, state in enumerate(back[BAD:], start=1) if state is State.CLOSED]
            seen.append(after[0] if after else float("inf"))
    return Found(opened, closed, seen)


def states(rng: np.random.Generator, labels: int, lost: list[float]) -> list[State]:
    """What each week after the reference comes to, where so much is lost in it."""
    rates = np.clip(rng.normal(LEVEL - np.array([0.0] * REFERENCE + lost), SPREAD), 0, 1)
    weeks = [Week(f"{at:03d}", Rate(int(rng.binomial(labels, rate)), labels)) for at, rate in enumerate(rates)]
    found = watch(weeks, floor=FLOOR, false_alarms_a_year=0.01, assumed_spread=SPREAD)
    return [one.state for one in found[REFERENCE:]]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How often is an alarm closed too early, and how soon in time?")
    parser.add_argument("--clients", type=int, default=250, help="for each figure, default 250")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    say = OnTerminal()
    head(
        "labels a week", "points lost", "opened", "closed while it stayed", "return seen, median week", "by nine in ten"
    )
    for at, (labels, loss) in enumerate((labels, loss) for labels in LABELS for loss in LOSSES):
        found = play(labels, loss, clients=chosen.clients, seed=chosen.seed)
        say("streams", at + 1, len(LABELS) * len(LOSSES))
        late = sorted(found.seen)
        ninth = f"{late[int(0.9 * (len(late) - 1))]:g}" if late else "-"
        told = f"{100 * found.closed / found.opened:.0f} %" if found.opened else "-"
        median = f"{statistics.median(late):g}" if late else "-"
        row(str(labels), f"{100 * loss:.0f}", f"{found.opened} of {chosen.clients}", told, median, ninth)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
