"""Which commands do by hand what a schedule does: review, report, brief, retrain?"""

from __future__ import annotations

import argparse
from datetime import datetime
from functools import partial
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
from upkeep.progress import OnTerminal
from upkeep.tiers import Work

if TYPE_CHECKING:
    from upkeep.desk import Desk


def add_scheduled_commands(commands: Commands) -> None:
    """`review`, `report`, `brief` and `retrain`."""
    moment(for_client(commands, "review", _review, "review the last full week"))
    moment(for_client(commands, "report", _report, "write the report of the last full month"))

    moment(for_client(commands, "brief", _brief, "write the paper for the strategy session, of the last full quarter"))

    about = "retrain now, or open a change order where the tier does not include it"
    retrain = for_client(commands, "retrain", _retrain, about)
    moment(retrain)
    why(retrain)
    seed(retrain)


def _review(options: argparse.Namespace) -> None:
    from upkeep.chain import watch
    from upkeep.stages.asking import to_look_over
    from upkeep.stages.review_summary import summary

    desk, at = open_desk(options.client), as_of(options)
    _say_if_written(desk, Work.REVIEW, at)
    noted, returned, collected, batch, order = watch(desk, at, progress=OnTerminal())
    for one in returned:
        heard(options.client, str(one))
    print(f"{options.client} {noted.review.week}: {count_of(noted.review.figures.requests, 'request')}")
    for line in summary(desk, noted):
        print(f"  {line.replace('- ', '', 1).replace('**', '')}")
    print(f"  {collected}")
    for line in to_look_over(desk, batch, at):
        print(f"  {line}")
    if order:
        print(f"  {order}")
    announce_changes(desk)


def _report(options: argparse.Namespace) -> None:
    from upkeep.chain import report
    from upkeep.store import address

    desk, at = open_desk(options.client), as_of(options)
    _say_if_written(desk, Work.REPORT, at)
    made = report(desk, at)
    print(f"{options.client} {made.month}: {made.health.value}; {address(desk.store, f'reports/{made.month}.html')}")


def _brief(options: argparse.Namespace) -> None:
    from upkeep.chain import brief
    from upkeep.store import address

    desk, at = open_desk(options.client), as_of(options)
    _say_if_written(desk, Work.BRIEF, at)
    made = brief(desk, at)
    print(
        f"{options.client} {made.quarter}: {len(made.agenda)} to talk about; "
        f"{address(desk.store, f'briefs/{made.quarter}.html')}"
    )
    if made.extra:
        print(f"  tier {desk.tier.name!r} includes no brief: this one is extra")
    for line in made.agenda:
        print(f"  {line}")


def _say_if_written(desk: Desk, work: Work, at: datetime) -> None:
    from upkeep.stages.written import written_before

    if line := written_before(desk, work, at):
        print(f"{desk.client.client}: {line}")


def _retrain(options: argparse.Namespace) -> None:
    from upkeep.chain import retrain
    from upkeep.entitlement import Claim
    from upkeep.stages.contract import goes_on, is_included
    from upkeep.stages.sole_training import sole_training

    desk, at = open_desk(options.client), as_of(options)
    included = is_included(desk, at, options.reason)
    if isinstance(included, Claim) and (going_on := goes_on(desk, included, at)):
        with sole_training(options.client, included.period):  # where another process is at it, it goes on by itself
            print(f"{options.client}: {going_on}")
    hear = partial(heard, options.client)
    made = retrain(desk, at, reason=options.reason, seed=options.seed, progress=OnTerminal(), hear=hear)
    show_outcome(desk, made)
    announce_changes(desk)
