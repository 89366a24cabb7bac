"""Does the benchmark of known events tell what happened, and count the quiet weeks, as it says?"""

from __future__ import annotations

from datetime import UTC, date, datetime

from benchmarks.forum import Event
from benchmarks.known_events import beside, first_asked, happened, quiet_weeks, summary, weeks_to_find
from upkeep.timeline import Split, Timeline, TimelineRow

CHANGED = date(2025, 1, 22)  # a Wednesday, 2025-W04
LAUNCH = [TimelineRow("l", "text", "old", Split.LAUNCH)]
ASKED = [
    ("2025-01-01", "old"),  # a Wednesday, 2025-W01
    ("2025-01-11", "oos"),  # W02
    ("2025-01-19", "old"),  # the Sunday of W03
    ("2025-01-23", "first"),  # W04
    ("2025-01-30", "second"),  # W05
    ("2025-02-03", "third"),  # the Monday of W06
    ("2025-02-04", "first"),
]
STREAM = [
    TimelineRow(str(at), "text", label, Split.STREAM, datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC))
    for at, (day, label) in enumerate(ASKED)
]
TIMELINE = Timeline(LAUNCH, STREAM, [])
NEW = {"first": date(2025, 1, 23), "second": date(2025, 1, 30), "third": date(2025, 2, 3)}


def alarm(week: str, kind: str | None = None, **more: str) -> dict[str, str | None]:
    """What a replay says of an alarm."""
    plain = {"subject": "accuracy", "old": None, "new": None, "text": "it fell", "over": None}
    return plain | {"week": week, "kind": kind} | more


ALARMED = [
    alarm("2025-W02", "input shift", over="2025-W03"),
    alarm("2025-W04"),
    alarm("2025-W05", "new category", new="first"),
    alarm("2025-W05", "label or policy change", old="old", new="third"),
    alarm("2025-W08", "new category", new="second"),
]


def test_what_happens_is_told_by_its_first_day_and_new_labels_by_the_month():
    assert first_asked(TIMELINE) == NEW
    january, february = Event(NEW["first"], "new labels in 2025-01: 2"), Event(NEW["third"], "new labels in 2025-02: 1")
    assert happened(NEW, CHANGED) == [Event(CHANGED, "right answers change"), january, february]
    assert happened(NEW, None) == [january, february]


def test_a_week_is_quiet_where_it_was_over_before_anything_happened():
    assert quiet_weeks(TIMELINE, CHANGED) == ["2025-W01", "2025-W02", "2025-W03"]
    assert quiet_weeks(TIMELINE, date(2025, 1, 20)) == ["2025-W01", "2025-W02", "2025-W03"]
    assert quiet_weeks(TIMELINE, date(2025, 1, 19)) == ["2025-W01", "2025-W02"]


def test_what_was_alarmed_stands_after_what_happened_in_the_same_week():
    assert beside([Event(CHANGED, "right answers change")], ALARMED[:4]) == [
        ("2025-W02", "input shift", "it fell", "2025-W03"),
        ("2025-W04", "known event", "2025-01-22: right answers change", ""),
        ("2025-W04", "accuracy alarm", "it fell", "goes on"),
        ("2025-W05", "new category", "`first`", "goes on"),
        ("2025-W05", "label or policy change", "`old` -> `third`", "goes on"),
    ]


def test_a_new_label_is_found_where_it_is_told_to_be_a_new_category():
    # `first` from 23 January to the end of W05, 3 February: 11 days; `second` from the 30th to 24 February: 25 days
    assert weeks_to_find(NEW, ALARMED) == [2, 4]


def test_the_quiet_weeks_and_what_was_found_are_summed_up():
    quiet = "weeks before the first event: 3, alarms in them: 1"
    found = "new labels that were found: 2 of 3; weeks until half of these were: 2"
    assert summary(TIMELINE, happened(NEW, CHANGED), ALARMED) == [quiet, found]
    last = TimelineRow("x", "text", "oos", Split.STREAM, datetime(2025, 2, 5, tzinfo=UTC))
    *_, grown = summary(TIMELINE._replace(stream=[*STREAM, last]), happened(NEW, CHANGED), [])
    assert grown.startswith("out of scope: 20.0%")  # 1 of 5 in January
    assert " in 2025-01, 33.3%" in grown  # 1 of 3 in February
