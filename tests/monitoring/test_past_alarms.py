"""Which alarms of the past do labels show that have only come in now?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from upkeep.monitoring import alarms
from upkeep.monitoring.alarms import Week
from upkeep.monitoring.past_alarms import Course, courses, own_weeks, untold
from upkeep.statistics.rates import Rate

WATCH = partial(alarms.watch, floor=0.9, false_alarms_a_year=0.01, assumed_spread=0.02)
GOOD, BAD, UNKNOWN = Rate(95, 100), Rate(50, 100), Rate(0, 0)


def weeks(*rates: Rate, models: str = "") -> list[Week]:
    return [
        Week(f"2026-W{at:02}", rate, (models or "1" * len(rates))[at - 1]) for at, rate in enumerate(rates, start=1)
    ]


def told_now(now: Sequence[Week], before: Sequence[Week], *, least: int = 0, told: frozenset[str] = frozenset()):
    def enough(some: Sequence[Week]) -> bool:
        return sum(one.rate.n for one in some) >= least

    return [*untold(now, WATCH(now), before=lambda: before, watch=WATCH, enough=enough, told=told)]


def test_an_alarm_goes_from_the_first_week_to_blame_to_the_last_before_its_end():
    some = weeks(GOOD, BAD, UNKNOWN, GOOD, GOOD, GOOD, BAD)
    first, second = courses(WATCH(some))
    assert (first, second) == (Course("2026-W02", 1, 3), Course("2026-W07", 6, 6))
    assert first.keys(some) == ("2026-W02", "2026-W03", "2026-W04")


def test_another_model_ends_an_alarm_and_may_open_one_at_once():
    some = weeks(GOOD, BAD, BAD, BAD, models="1122")
    assert courses(WATCH(some)) == [Course("2026-W02", 1, 1), Course("2026-W03", 2, 3)]


def test_it_is_news_once_its_labels_are_there_and_it_is_over():
    known = weeks(GOOD, UNKNOWN, UNKNOWN, UNKNOWN)
    now = weeks(GOOD, BAD, GOOD, GOOD, GOOD)
    assert told_now(now, known) == [Course("2026-W02", 1, 2)]
    assert told_now(weeks(GOOD, BAD, GOOD, UNKNOWN, UNKNOWN), known) == []  # it goes on
    assert told_now(now, now[:4]) == []  # it was known
    assert told_now(now, known, told=frozenset({"2026-W03"})) == []


def test_of_two_the_one_that_was_known_is_no_news():
    known = weeks(BAD, GOOD, GOOD, UNKNOWN, UNKNOWN)
    now = weeks(BAD, GOOD, GOOD, BAD, GOOD, GOOD)
    assert told_now(now, known) == [Course("2026-W04", 3, 4)]


def test_what_had_too_few_labels_to_be_judged_is_news_when_it_has_enough():
    few = Rate(5, 30)
    known, now = weeks(few, UNKNOWN, UNKNOWN), weeks(few, GOOD, GOOD, GOOD)
    assert told_now(now, known, least=50) == [Course("2026-W01", 0, 1)]
    assert told_now(now, known, least=131) == []  # it went on to W02, when there were 130


def test_a_models_own_weeks_are_its_newest_and_those_without_a_model_among_them():
    some = [*weeks(GOOD, GOOD, GOOD, models="122"), Week("2026-W04", UNKNOWN), Week("2026-W05", GOOD, "2")]
    assert [one.key for one in own_weeks(some)] == ["2026-W02", "2026-W03", "2026-W04", "2026-W05"]
    assert own_weeks([]) == []
