"""Do outcomes find the requests that they are about?

A label that names no request changes no figure. Some always do: of a request that was never logged, or that is older
than anybody looks back. Many are trouble: another prefix, another system's ids, requests that are no longer logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from upkeep.config import Client
from upkeep.log.belonging import Placed
from upkeep.monitoring.changed_requests import BURST, LEAST_EXPECTED
from upkeep.monitoring.input_shift import REFERENCE
from upkeep.monitoring.recount import LOOK_BACK
from upkeep.monitoring.review import Review
from upkeep.monitoring.trouble import LEAST_EARLIER, TIMES, WEEKLY_BUDGET, Change, Kind, change_of
from upkeep.redaction import shown
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import more_often, times_as_often

OUTCOMES = "outcomes"
"""What data trouble is about where outcomes are about no request."""
LEAST_SHARE = 0.1
FIND = (
    "Have outcomes name their prediction by its `id` (has a prefix changed, or does `log.outcomes.prediction_id` in the"
    " client's config name another field?), and see that no requests are missing from the log: what is said of no "
    "request counts nowhere."
)


def strays(placed: Placed) -> Rate:
    """How many of the outcomes given in the week are about no request."""
    return Rate(placed.nowhere, placed.given)


def stray_outcomes(placed: Placed, earlier: Sequence[Review], client: Client) -> Iterator[Change]:
    """One finding where most outcomes of the week are about no request, or far more than before.

    `earlier` are the reviews of previous weeks, oldest first. In the first weeks outcomes may well be about requests
    from before the log.
    """
    now, before = strays(placed), _usual(earlier)
    if len(earlier) < LEAST_EARLIER or now.hits < LEAST_EXPECTED:
        return
    if 2 * now.hits > now.n or _many_more(now, before):
        was = f"; before, it was {before.hits} of {before.n:,}" if before.n else ""
        weeks = f"the {LOOK_BACK} weeks up to it{_example(placed, client)}{was}"
        text = f"{now.hits:,} of {now.n:,} outcomes given in the week are about no request of {weeks}"
        yield replace(change_of(Kind.DATA, text, now.n, old=OUTCOMES), action=FIND)


def _usual(earlier: Sequence[Review]) -> Rate:
    """What it was in weeks that had no such trouble."""
    fine = (one.strays for one in earlier if not any(change.old == OUTCOMES for change in one.changes))
    return sum([one for one in fine if one is not None][-REFERENCE:], Rate(0, 0))


def _many_more(now: Rate, before: Rate) -> bool:
    if now.hits < LEAST_SHARE * now.n:
        return False
    certain = more_often(now, before, times=BURST) < WEEKLY_BUDGET  # such a share is restless
    return certain and times_as_often(now, before) >= TIMES


def _example(placed: Placed, client: Client) -> str:
    stray = placed.stray
    if stray is None:
        return ""
    named = shown(stray.prediction_id, client.redaction)
    where = f", such as prediction_id {named!r} ({stray.file} line {stray.line})"
    return where + (f"; expected one like {shown(stray.request, client.redaction)!r}" if stray.request else "")
