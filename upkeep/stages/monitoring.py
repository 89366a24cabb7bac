"""How is a week reviewed, and what do reviews leave behind?

In the client's store: reviews/2026-W47.json, edge-cases/ and themes/ by week, and the rows that could not be used in
quarantine/. What was read of the log stands in daily/ (`upkeep.log.daily`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from upkeep import records
from upkeep.config import Rollback
from upkeep.desk import Desk
from upkeep.errors import BaseModelError, UpkeepError
from upkeep.log.tally import Tally
from upkeep.metrics.generated import Generated, measure_answers
from upkeep.monitoring.edge_cases import SHOWN
from upkeep.monitoring.figures import Figures, figures_of
from upkeep.monitoring.recount import RECOUNTED
from upkeep.monitoring.reused_ids import reused_ids
from upkeep.monitoring.review import Contract, Promoted, Review, as_known, review
from upkeep.monitoring.strays import stray_outcomes, strays
from upkeep.patterns import of_client
from upkeep.periods import Cadence, last_full, week
from upkeep.release import Action, Entry
from upkeep.stages.late_labels import forget_later, look_back, remember
from upkeep.stages.prerequisites import require_log
from upkeep.stages.release import release_log, roll_back
from upkeep.stages.request_analysis import TrackedThemes, analyse_week, edges_key, track_themes

THEME_WEEKS = 8
"""Themes are found in what went wrong or was unusual in so many newest weeks."""
HISTORY = 260
"""A week is judged by five years before it, in which no model stays in service: its alarms are told from its first
week on, and a start that moved along would tell them otherwise from week to week."""


def review_week(desk: Desk, as_of: datetime) -> Review:
    """Review the last full week before `as_of`; of several runs at once one review stands.

    Where the log began later it raises NoLogError and writes nothing.
    """
    last = last_full(as_of, Cadence.WEEKLY, desk.zone)
    key = _review_key(last.key)
    done = records.load_if_there(desk.store, key, Review)
    if done:
        return done
    require_log(desk, last)
    moment = desk.local(as_of)
    earlier = reviews(desk, upto=last.key, newest=HISTORY)  # this week's own is not there yet
    late = look_back(desk, last, earlier[-1].week if earlier else None, until=moment)
    newest = [week(one.week, desk.zone) for one in earlier[-RECOUNTED:]]
    again = [*newest, *(week(one.week, desk.zone) for one in earlier[:-RECOUNTED] if one.week in late.weeks)]
    counted, *others = desk.count_log(last, *again, until=moment)
    figures, reused = figures_of(counted, desk.client), desk.reused_ids(last, newest, until=moment)
    if counted.quarantined:
        records.save_rows(desk.store, f"quarantine/{last.key}.jsonl", counted.quarantined)
    try:
        seen, unseen = analyse_week(desk, last, until=moment), None
    except BaseModelError as exc:  # the figures need no model
        seen, unseen = None, str(exc)
    if seen:
        records.save_rows(desk.store, edges_key(last.key), seen.edges.cases)
    changed = [one for one in release_log(desk) if one.at <= moment]
    once_more = _recounted(desk, earlier, dict(zip([one.key for one in again], others, strict=True)))
    found = review(
        desk.client.model_copy(update={"relabel": tuple(desk.rules(moment))}),
        week=last.key,
        as_of=moment,
        figures=figures,
        earlier=earlier,
        recounted=once_more,
        inputs=seen.inputs if seen else None,
        unseen=unseen,
        versions={one.version for one in changed},
        generated=look_at_answers(desk, {last.key: figures}, until=moment).get(last.key),
        remeasured=look_at_answers(desk, once_more, until=moment),
        edges=replace(seen.edges, cases=seen.edges.cases[:SHOWN]) if seen else None,
        promoted=_promoted(changed),
        contract=Contract(desk.tier.name, desk.tier.retrain),
        strays=strays(late.placed),
        troubles=(
            *stray_outcomes(late.placed, earlier, desk.client),
            *reused_ids(reused, figures.requests, desk.client),
        ),
    )
    forget_later(desk, last.key)
    stands = records.create(desk.store, key, found)
    if stands is found:  # else another run was quicker, which may have known fewer outcome files
        remember(desk, last.key, late)
    return stands


def _recounted(desk: Desk, earlier: Sequence[Review], counted: Mapping[str, Tally]) -> dict[str, Figures]:
    """The newest weeks as they were counted again, and the older ones that have got labels.

    Of an older one with fewer labels than before files may be gone by now, which need not be there any more.
    """
    was, newest = dict(as_known(earlier, {})), {one.week for one in earlier[-RECOUNTED:]}
    found = {key: figures_of(tally, desk.client) for key, tally in counted.items()}
    older = {key for key, one in found.items() if one != was[key] and one.labelled.hits >= was[key].labelled.hits}
    return {key: one for key, one in found.items() if key in newest | older}


def look_at_answers(desk: Desk, weeks: Mapping[str, Figures], *, until: datetime) -> dict[str, Generated]:
    """How the texts read that the model wrote of which a week's figures are, beside the references known by then.

    None of a classifier.
    """
    if not desk.client.free_text:
        return {}
    samples = {key: desk.sample_log(week(key, desk.zone), until=until) for key in weeks}
    with of_client(desk.client.client):
        return {
            key: measure_answers(one, version=weeks[key].model_version, refusals=desk.client.refusals)
            for key, one in samples.items()
        }


@dataclass(frozen=True, slots=True)
class NoWayBack:
    """The model before was to come back by itself, and why it could not."""

    version: str
    why: str

    def __str__(self) -> str:
        return f"could not go back to version {self.version}: {self.why}"


def go_back_if_worse(desk: Desk, found: Review) -> Entry | NoWayBack | None:
    """Where that was agreed, put the model before back in place of a promoted one that a review found to be worse.

    Only while that promotion is the last change: who has brought the model back since knew of the doubt. Where it fails
    that is to be told with the rest that the review found, and the next review tries again.
    """
    doubt = found.probation
    if doubt is None or not doubt.worse or desk.client.rollback is not Rollback.AUTOMATIC:
        return None
    if _promoted(release_log(desk)) != (doubt.version, doubt.previous):
        return None
    try:
        return roll_back(desk, by="probation", reason=str(doubt), at=found.as_of, to=doubt.previous)
    except UpkeepError as exc:
        return NoWayBack(doubt.previous, str(exc))


def _promoted(entries: Sequence[Entry]) -> Promoted | None:
    """The promotion that was the last change of the model in service, if it was one."""
    last = entries[-1] if entries else None
    return Promoted(last.version, last.previous) if last and last.action is Action.PROMOTE and last.previous else None


def follow_themes(desk: Desk, found: Review) -> TrackedThemes | None:
    """Track what keeps going wrong or is unusual over the weeks up to a review; None where nobody can look."""
    weeks = reviewed_weeks(desk, upto=found.week)[-THEME_WEEKS:]
    try:
        return track_themes(desk, [week(key, desk.zone) for key in weeks], until=found.as_of)
    except BaseModelError:  # the review has said so
        return None


def reviews(desk: Desk, *, upto: str | None = None, newest: int | None = None) -> list[Review]:
    """The client's reviews, oldest first: all, those up to a week, the newest of them only."""
    keys = [_review_key(one) for one in reviewed_weeks(desk, upto=upto)]
    return [records.load(desk.store, key, Review) for key in keys[-newest if newest else 0 :]]


def reviewed_weeks(desk: Desk, *, upto: str | None = None) -> list[str]:
    """The weeks that were reviewed, oldest first."""
    found = (key.removeprefix("reviews/").removesuffix(".json") for key in desk.store.keys("reviews/"))
    return [week for week in found if upto is None or week <= upto]


def _review_key(week: str) -> str:
    return f"reviews/{week}.json"
