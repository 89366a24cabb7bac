"""Three clients, one per tier, live through five months: `python -m deployments.demo`, or `make demo`.

Every week's review, every report and every retrain is a run of the tier's own Prefect flow, on a real server with real
model weights; only the tickets are made up. State goes to `<UPKEEP_HOME>/demo`, which is emptied first.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.schema import ROOT
from deployments.servers import Child, await_ready, environment, free_port, prefect_service, running
from upkeep.desk import Desk, open_desk
from upkeep.errors import UpkeepError
from upkeep.home import home
from upkeep.monitoring.review import Review
from upkeep.progress import OnTerminal
from upkeep.replay import Feedback, by_month, go_live, play
from upkeep.stages.contract import change_orders
from upkeep.stages.decisions import decisions
from upkeep.stages.monitoring import reviews
from upkeep.store import address

if TYPE_CHECKING:
    from matplotlib.figure import Figure

START = date(2026, 2, 1)
MONTHS = 5
TICKETS_A_MONTH = 300
SEED = 7
CLIENTS = ("northwind", "brightbill", "clearline")
FEEDBACK = Feedback(complaints=0.5, audit=50)
ASIDE = 0.08
"""By how much of a month the clients' marks stand beside each other: equal shares would hide one another."""


def main() -> int:
    """Run the demo; an error of ours is one message and exit status 1."""
    parser = argparse.ArgumentParser(description="Three clients, one per tier, live through months of production.")
    parser.add_argument("--months", type=int, default=MONTHS, help=f"default {MONTHS}")
    parser.add_argument("--until", type=date.fromisoformat, metavar="YYYY-MM-DD", help="end before this day")
    parser.add_argument("--tickets", type=int, default=TICKETS_A_MONTH, help=f"a month, default {TICKETS_A_MONTH}")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped on the way out
    began = time.monotonic()
    folder = home() / "demo"
    _empty(folder)
    os.environ["UPKEEP_HOME"] = str(folder)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    port = free_port(0)
    settings = environment(folder, prefect_api=f"http://127.0.0.1:{port}/api", mlflow_uri="")
    settings = {key: value for key, value in settings.items() if key != "MLFLOW_TRACKING_URI"}
    try:
        with running(prefect_service(port), folder, settings) as server:
            os.environ |= settings | {"PREFECT_LOGGING_LEVEL": "WARNING"}
            months = {client: _live(client, began, options, server) for client in CLIENTS}
    except UpkeepError as exc:
        print(f"demo: {exc}", file=sys.stderr)
        return 1
    _summarise(months, folder)
    print(f"\nDone in {time.monotonic() - began:.0f} s. Look at it: make up DEMO=1")
    return 0


def _live(client: str, began: float, options: argparse.Namespace, server: Child) -> list[dict[str, Any]]:
    """Launch a client, play its months through its tier's flow, and say what happened as it happens."""
    from upkeep.demo.tickets import history
    from upkeep.timeline import arrange

    desk = open_desk(client)
    print(f"\n{desk.client.name}: tier {desk.client.tier}, {desk.tier.name}", flush=True)
    rows = history(client, seed=SEED, start=START, months=options.months, per_month=options.tickets)
    timeline = arrange(rows, until=options.until)
    progress = OnTerminal()
    go_live(desk, timeline, seed=SEED, progress=progress)  # the server may come up meanwhile
    await_ready(server)
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    flow = _tier_flow(desk.client.tier)
    teller = Teller(desk, began)

    def act(client: str, as_of: datetime) -> None:
        flow(client, as_of)
        teller.tell()

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # its thread costs each run a second
        played = play(desk, timeline, act=act, feedback=FEEDBACK, seed=SEED, progress=progress)
    return by_month(desk, played)


class Teller:
    """Says once what is new in a client's records."""

    def __init__(self, desk: Desk, began: float) -> None:
        self.desk = desk
        self.began = began
        self.told: set[str] = set()
        self.alarmed: str | None = None

    def tell(self) -> None:
        """Print what has happened since the last call."""
        for review in reviews(self.desk):
            self._review(review)
        for order in change_orders(self.desk):
            self._once(f"order {order.period}", str(order))
        for one in decisions(self.desk):
            service = ", now in service" if one.applied else ""
            text = f"retrain {one.period}: {one.verdict.value} v{one.challenger} against v{one.champion}{service}"
            self._once(f"decision {one.period}", "\n             ".join([text, *one.reasons]))

    def _review(self, review: Review) -> None:
        if review.week in self.told:
            return
        self.told.add(review.week)
        version = review.figures.model_version
        for finding in review.alerts:
            self._once(f"{version} {finding.metric}", f"ALARM {finding.text}")
        for change in review.changes:
            self._once(f"{version} {change.kind} {change.old} {change.new}", f"{change.kind.value}: {change.text}")
        if self.alarmed and self.alarmed != version and not review.alerts:
            resolved = f"auto-resolution {review.figures.auto_resolution}"
            self._once(f"{version} better", f"better with v{version} in {review.week}: {resolved}")
        self.alarmed = version if review.alerts else self.alarmed

    def _once(self, key: str, text: str) -> None:
        if key not in self.told:
            self.told.add(key)
            print(f"  [{time.monotonic() - self.began:4.0f} s]   {text}", flush=True)


def _tier_flow(tier: int) -> Callable[[str, datetime], object]:
    from flows.tier1 import tier1
    from flows.tier2 import tier2
    from flows.tier3 import tier3

    return {1: tier1, 2: tier2, 3: tier3}[tier]


def _summarise(months: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    print("\nAnswered automatically and right, by month (%)")
    names = [str(month["month"]) for month in next(iter(months.values()))]
    print("  " + " " * 22 + "  ".join(names))
    for client, rows in months.items():
        desk = open_desk(client)
        shares = "".join(f"{100 * row['auto_resolved']:9.1f}" for row in rows)
        print(f"  {client:<12} tier {desk.client.tier} {shares}")
    chart = folder / "auto-resolution.png"
    draw(months).savefig(chart, dpi=120)
    print(f"\nChart    {_shown(chart)}")
    for client in months:
        desk = open_desk(client)
        for what, pages in (("Report", "reports/"), ("Brief", "briefs/")):
            newest = [key for key in desk.store.keys(pages) if key.endswith(".html")][-1:]
            for key in newest:
                print(f"{what:<8} {_shown(Path(address(desk.store, key)))}")


def draw(months: dict[str, list[dict[str, Any]]]) -> Figure:
    """Auto-resolution by month for each client."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    looks = (("#c44e52", -ASIDE), ("#dd8452", 0.0), ("#4c72b0", ASIDE))
    for (client, rows), (colour, aside) in zip(months.items(), looks, strict=False):
        desk = open_desk(client)
        shares = [100 * row["auto_resolved"] for row in rows]
        label = f"tier {desk.client.tier}: {desk.tier.name}"
        places = [at + aside for at in range(len(rows))]
        axes.plot(places, shares, marker=".", color=colour, label=label)
        new = [at for at, row in enumerate(rows) if any(one["applied"] for one in row["decisions"])]
        axes.plot([places[at] for at in new], [shares[at] for at in new], "D", color=colour)
        axes.set_xticks(range(len(rows)), [str(row["month"]) for row in rows])
    axes.plot([], [], "D", color="grey", label="the month began with a new model")
    axes.set_title("Answered automatically and right, by month")
    axes.set_ylabel("% of tickets")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower left")
    return figure


def _empty(folder: Path) -> None:
    marker = folder / ".made-by-upkeep-demo"
    if folder.exists() and not marker.exists():
        raise SystemExit(f"demo: {folder} exists and is not an earlier demo's; move it away first")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    marker.touch()


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    raise SystemExit(main())
