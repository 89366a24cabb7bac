"""What is alarmed on histories of which all is known, beside what happened? `python -m benchmarks.known_events`

The shared timelines, played as production under tier 1: their first model answers to the end. A table has what is known
to have happened, from the timelines themselves, and what was alarmed, by the week of the review that told it first.
Below it stand the weeks before the first event with the alarms in them, and how many of the new labels were found.
With `--story sumo_firefox_third` it is the forum's whole history of six years, which takes more than an hour. Needs the
shared data (UPKEEP_DATA, default ../shared/data).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from benchmarks.forum import EVENTS, FORUM, Event, write_forum
from benchmarks.table import head, row
from benchmarks.unlearning import Way, play, stories
from upkeep.monitoring.trouble import Kind
from upkeep.periods import Cadence, period, week
from upkeep.statistics.rates import Rate
from upkeep.timeline import OUT_OF_SCOPE, Timeline, read_timeline

GROWTH = "clinc150_growth"
ZONE = ZoneInfo("UTC")
"""A replay's."""
WAY = Way("propose", "lora-encoder")


class Line(NamedTuple):
    """What happened or was alarmed in a week, and the week that told that it was over."""

    week: str
    kind: str
    about: str
    until: str


def first_asked(timeline: Timeline) -> dict[str, date]:
    """The day of the first request for each label that the launch set does not have, oldest first."""
    there = {OUT_OF_SCOPE, *(one.label for one in timeline.launch)}
    found: dict[str, date] = {}
    for one in timeline.stream:
        if one.ts and one.label not in there:
            found.setdefault(one.label, one.ts.date())
    return found


def happened(new: Mapping[str, date], changed: date | None) -> list[Event]:
    """What happens, oldest first: right answers change on a day, and in a month labels are asked for that are new."""
    months: dict[str, list[date]] = defaultdict(list)
    for day in new.values():
        months[f"{day:%Y-%m}"].append(day)
    found = [Event(min(days), f"new labels in {month}: {len(days)}") for month, days in months.items()]
    return sorted([*found, *([Event(changed, "right answers change")] if changed else [])])


def quiet_weeks(timeline: Timeline, until: date) -> list[str]:
    """The weeks with requests that were over by a day."""
    weeks = {period(one.ts, Cadence.WEEKLY, ZONE) for one in timeline.stream if one.ts}
    return sorted(one.key for one in weeks if one.end.date() <= until)


def out_of_scope(timeline: Timeline) -> dict[str, Rate]:
    """The share of requests that no label fits, by month."""
    months: dict[str, list[bool]] = defaultdict(list)
    for one in timeline.stream:
        months[f"{one.ts:%Y-%m}"].append(one.label == OUT_OF_SCOPE)
    return {month: Rate.of(found) for month, found in months.items()}


def beside(events: Sequence[Event], alarmed: Sequence[Mapping[str, Any]]) -> list[Line]:
    """What happened and what was alarmed, week by week, in this order."""
    known = [Line(_week_of(one.day), "known event", f"{one.day}: {one.what}", "") for one in events]
    told = [Line(one["week"], _kind(one), _about(one), one["over"] or "goes on") for one in alarmed]
    return sorted([*known, *told], key=lambda one: one.week)


def weeks_to_find(new: Mapping[str, date], alarmed: Sequence[Mapping[str, Any]]) -> list[int]:
    """How many weeks after its first request a new label was told to be a new category, of those that were."""
    told: dict[str, date] = {}
    for one in alarmed:
        if one["kind"] == Kind.NEW_CATEGORY:
            told.setdefault(one["new"], week(one["week"], ZONE).end.date())
    return sorted(-(-(told[label] - day).days // 7) for label, day in new.items() if label in told)


def summary(timeline: Timeline, events: Sequence[Event], alarmed: Sequence[Mapping[str, Any]]) -> list[str]:
    """The quiet weeks and the alarms in them, how many new labels were found, and what was out of scope."""
    new = first_asked(timeline)
    quiet = quiet_weeks(timeline, events[0].day)
    early = sum(one["week"] in quiet for one in alarmed)
    lines = [f"weeks before the first event: {len(quiet)}, alarms in them: {early}"]
    found = weeks_to_find(new, alarmed)
    if found:
        half = found[(len(found) - 1) // 2]
        lines.append(f"new labels that were found: {len(found)} of {len(new)}; weeks until half of these were: {half}")
    (first, before), *_, (last, after) = out_of_scope(timeline).items()
    return [*lines, f"out of scope: {before} in {first}, {after} in {last}"] if after.hits else lines


def _week_of(day: date) -> str:
    return period(datetime(day.year, day.month, day.day, tzinfo=UTC), Cadence.WEEKLY, ZONE).key


def _kind(one: Mapping[str, Any]) -> str:
    return one["kind"] or f"{one['subject']} alarm"


def _about(one: Mapping[str, Any]) -> str:
    """The labels that it is about, or what was seen where it is about none."""
    return " -> ".join(f"`{label}`" for label in (one["old"], one["new"]) if label) or one["text"]


def main() -> None:
    """Print a table, and what it does not say."""
    data = Path(os.environ.get("UPKEEP_DATA", "../shared/data"))
    changes: dict[str, date | None] = {name: story.changed for name, story in stories(data).items()} | {GROWTH: None}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*changes, FORUM]
    parser.add_argument("--story", action="append", choices=names, help=f"one of them; default: all but {FORUM}")
    chosen = parser.parse_args().story or list(changes)
    told: list[str] = []
    head("history", "week", "what", "about", "until")
    for name in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            path = write_forum(data, folder) if name == FORUM else data / "timelines" / f"{name}.parquet"
            timeline = read_timeline(path)
            alarmed = play(path, WAY, tier=1, folder=folder).alarmed
        events = EVENTS if name == FORUM else happened(first_asked(timeline), changes[name])
        for line in beside(events, alarmed):
            row(name, *line)
        told += [f"- {name}, {line}" for line in summary(timeline, events, alarmed)]
    print("", *told, sep="\n")


if __name__ == "__main__":
    main()
