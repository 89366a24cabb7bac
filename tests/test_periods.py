"""Do periods follow one another without gap or overlap, in the client's own time?"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upkeep.errors import MomentError
from upkeep.periods import Cadence, days, last_full, localise, period, periods_in, require_past, starts_on, week

BERLIN = ZoneInfo("Europe/Berlin")
CAIRO = ZoneInfo("Africa/Cairo")  # its clocks change at midnight
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, st.sampled_from(Cadence), st.sampled_from([BERLIN, CAIRO]))
def test_every_moment_lies_in_its_period_and_the_next_period_begins_where_it_ends(moment, cadence, zone):
    found = period(moment, cadence, zone)
    assert found.start.astimezone(UTC) <= moment < found.end.astimezone(UTC)
    assert period(found.end, cadence, zone).start == found.end
    assert last_full(found.end, cadence, zone) == found
    assert last_full(moment, cadence, zone).end == found.start
    assert starts_on(found.start, cadence, zone)


@pytest.mark.parametrize(
    ("moment", "key", "start", "end"),
    [
        ("2026-02-14", "2026-Q1", "2026-01-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"),
        ("2026-09-30T23:59", "2026-Q3", "2026-07-01T00:00:00+02:00", "2026-10-01T00:00:00+02:00"),
        ("2026-12-31T23:59", "2026-Q4", "2026-10-01T00:00:00+02:00", "2027-01-01T00:00:00+01:00"),
    ],
)
def test_a_quarter_runs_from_midnight_to_midnight_in_the_clients_zone(moment, key, start, end):
    found = period(datetime.fromisoformat(moment), Cadence.QUARTERLY, BERLIN)
    assert (found.key, found.start.isoformat(), found.end.isoformat()) == (key, start, end)


def test_a_month_may_run_over_the_turn_of_the_year_or_have_a_leap_day():
    december = period(datetime(2026, 12, 31), Cadence.MONTHLY, BERLIN)
    assert (december.key, december.end) == ("2026-12", datetime(2027, 1, 1, tzinfo=BERLIN))
    february = period(datetime(2028, 2, 29), Cadence.MONTHLY, BERLIN)
    assert (february.end - february.start).days == 29


def test_a_time_without_a_zone_is_the_clients_own():
    assert localise(datetime(2026, 7, 1, 9), BERLIN).isoformat() == "2026-07-01T09:00:00+02:00"
    assert localise(datetime(2026, 7, 1, 9, tzinfo=UTC), BERLIN).isoformat() == "2026-07-01T11:00:00+02:00"


def test_at_midnight_the_period_before_has_just_ended_and_a_second_earlier_it_had_not():
    first = datetime(2027, 1, 1)  # a Friday in the 53rd week of 2026
    assert [last_full(first, cadence, BERLIN).key for cadence in Cadence] == ["2026-W52", "2026-12", "2026-Q4"]
    assert last_full(datetime(2026, 12, 31, 23, 59, 59), Cadence.QUARTERLY, BERLIN).key == "2026-Q3"


def test_the_week_before_a_clock_change_is_found_on_the_monday_after():
    # the clocks went forward on Sunday 29 March 2026; that week is 23 to 29 March
    found = last_full(datetime(2026, 3, 30, 0, 30), Cadence.WEEKLY, BERLIN)
    assert (found.key, found.start.isoformat()) == ("2026-W13", "2026-03-23T00:00:00+01:00")


@pytest.mark.parametrize(
    ("moment", "starting"),
    [
        (datetime(2026, 11, 23, 23, 59), [Cadence.WEEKLY]),  # a Monday
        (datetime(2026, 12, 1), [Cadence.MONTHLY]),  # a Tuesday
        (datetime(2026, 10, 1, 6), [Cadence.MONTHLY, Cadence.QUARTERLY]),  # a Thursday
        (datetime(2026, 11, 24), []),
    ],
)
def test_a_period_starts_on_its_whole_first_day_and_on_no_other(moment, starting):
    assert [cadence for cadence in Cadence if starts_on(moment, cadence, BERLIN)] == starting


def test_days_begin_after_the_start_and_include_the_end():
    first, last = datetime(2026, 10, 24, 6, tzinfo=BERLIN), datetime(2026, 10, 26, 6, tzinfo=BERLIN)
    # the clocks went back on Sunday 25 October
    assert [day.isoformat() for day in days(first, last, BERLIN, hour=6)] == [
        "2026-10-25T06:00:00+01:00",
        "2026-10-26T06:00:00+01:00",
    ]
    assert list(days(first, first, BERLIN, hour=6)) == []


@pytest.mark.parametrize(
    ("moment", "weekly", "month", "quarter"),
    [
        ("2026-11-23T06:00", "2026-W48", "2026-11", "2026-Q4"),
        ("2027-01-03T23:59", "2026-W53", "2027-01", "2027-Q1"),  # a Sunday that belongs to last year's week
        ("2024-12-30T00:00", "2025-W01", "2024-12", "2024-Q4"),
    ],
)
def test_a_moment_has_a_week_a_month_and_a_quarter(moment, weekly, month, quarter):
    at = datetime.fromisoformat(moment)
    assert [period(at, cadence, BERLIN).key for cadence in Cadence] == [weekly, month, quarter]


def test_the_zone_decides_which_day_it_is():
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # 00:30 on 1 April in Berlin
    assert period(late, Cadence.QUARTERLY, BERLIN).key == "2026-Q2"
    assert period(late, Cadence.QUARTERLY, ZoneInfo("UTC")).key == "2026-Q1"
    assert starts_on(late, Cadence.QUARTERLY, BERLIN)


def test_the_week_of_a_clock_change_is_an_hour_shorter_or_longer():
    def hours(day):
        found = period(datetime(2026, *day, 12), Cadence.WEEKLY, BERLIN)
        return (found.end.astimezone(UTC) - found.start.astimezone(UTC)) / timedelta(hours=1)

    assert hours((3, 25)) == 167  # the clocks go forward on Sunday 29 March
    assert hours((10, 21)) == 169  # and back on Sunday 25 October
    assert hours((6, 3)) == 168


def test_a_week_is_found_by_its_key():
    for day in (datetime(2026, 11, 23, 6), datetime(2027, 1, 3, 23, 59), datetime(2024, 12, 30)):
        found = period(day, Cadence.WEEKLY, BERLIN)
        assert week(found.key, BERLIN) == found


def test_a_moment_that_is_yet_to_come_is_refused_and_another_clock_is_not():
    now = datetime(2026, 11, 23, 6, tzinfo=UTC)  # 7 o'clock in Berlin
    require_past(now + timedelta(minutes=5), BERLIN, now=now)
    require_past(datetime(2026, 11, 23, 7, 5), BERLIN, now=now)
    wanted = r"is 2026-11-23T07:06\+01:00, expected none later than 2026-11-23T07:00\+01:00, which is now"
    for late in (now + timedelta(minutes=6), datetime(2026, 11, 23, 7, 6)):
        with pytest.raises(MomentError, match=wanted):
            require_past(late, BERLIN, now=now)


def test_a_month_has_its_weeks_the_first_and_the_last_as_far_as_they_lie_in_it():
    month = period(datetime(2026, 3, 20, tzinfo=UTC), Cadence.MONTHLY, BERLIN)
    weeks = periods_in(month, Cadence.WEEKLY, BERLIN)
    assert [one.key for one in weeks] == ["2026-W09", "2026-W10", "2026-W11", "2026-W12", "2026-W13", "2026-W14"]
    assert (weeks[0].start, weeks[-1].end) == (month.start, month.end)
    assert all(one.end == after.start for one, after in itertools.pairwise(weeks))
    hours = [(one.end.astimezone(UTC) - one.start.astimezone(UTC)).total_seconds() / 3600 for one in weeks]
    assert hours == [24, 168, 168, 168, 167, 48]
    whole = period(month.start, Cadence.WEEKLY, BERLIN)
    assert periods_in(whole, Cadence.WEEKLY, BERLIN) == [whole]
