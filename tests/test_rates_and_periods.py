"""Shares with their uncertainty, and calendar periods in a client's zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from upkeep.periods import Cadence, days, last_full, next_start, period, starts_on
from upkeep.rates import Rate

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_rate_carries_its_n_and_a_wilson_interval():
    rate = Rate.of([True, True, True, False])
    assert (rate.hits, rate.n, rate.value) == (3, 4, 0.75)
    # Wilson with z = 1.96: centre (0.75 + 0.4802) / 1.9604 = 0.62752, half 1.96 * sqrt(0.046875 + 0.060025) / 1.9604
    assert rate.interval().low == pytest.approx(0.3006, abs=1e-3)
    assert rate.interval().high == pytest.approx(0.9544, abs=1e-3)


def test_no_data_is_not_zero():
    assert Rate(0, 0).value is None
    assert Rate(0, 0).interval() == (0.0, 1.0)
    assert str(Rate(0, 0)) == "no data"
    assert Rate(0, 5).value == 0.0


def test_rates_of_disjoint_requests_add_up():
    assert Rate(3, 4) + Rate(1, 6) == Rate(4, 10)


def test_more_hits_than_requests_is_refused():
    with pytest.raises(ValueError, match="5 of 4"):
        Rate(5, 4)


@pytest.mark.parametrize(
    ("moment", "week", "month", "quarter"),
    [
        ("2026-11-23T06:00", "2026-W48", "2026-11", "2026-Q4"),
        ("2027-01-03T23:59", "2026-W53", "2027-01", "2027-Q1"),  # a Sunday that belongs to last year's week
        ("2024-12-30T00:00", "2025-W01", "2024-12", "2024-Q4"),
    ],
)
def test_a_moment_has_a_week_a_month_and_a_quarter(moment, week, month, quarter):
    at = datetime.fromisoformat(moment)
    assert [period(at, cadence, BERLIN).key for cadence in Cadence] == [week, month, quarter]


def test_the_zone_decides_which_day_it_is():
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # 00:30 on 1 April in Berlin
    assert period(late, Cadence.QUARTERLY, BERLIN).key == "2026-Q2"
    assert period(late, Cadence.QUARTERLY, ZoneInfo("UTC")).key == "2026-Q1"
    assert starts_on(late, Cadence.QUARTERLY, BERLIN)


def test_the_week_of_a_clock_change_is_an_hour_shorter_or_longer():
    def hours(day):
        week = period(datetime(2026, *day, 12), Cadence.WEEKLY, BERLIN)
        return (week.end.astimezone(UTC) - week.start.astimezone(UTC)) / timedelta(hours=1)

    assert hours((3, 25)) == 167  # the clocks go forward on Sunday 29 March
    assert hours((10, 21)) == 169  # and back on Sunday 25 October
    assert hours((6, 3)) == 168


def test_the_last_full_period_has_ended_and_the_next_has_not_begun():
    monday = datetime(2026, 11, 23, 6, tzinfo=BERLIN)
    assert last_full(monday, Cadence.WEEKLY, BERLIN).key == "2026-W47"
    assert last_full(monday, Cadence.MONTHLY, BERLIN).key == "2026-10"
    assert next_start(monday, Cadence.QUARTERLY, BERLIN) == datetime(2027, 1, 1, tzinfo=BERLIN)


def test_days_are_at_the_same_local_hour_across_a_clock_change():
    found = list(days(datetime(2026, 3, 28, 7, tzinfo=BERLIN), datetime(2026, 3, 30, 7, tzinfo=BERLIN), BERLIN, hour=6))
    assert [moment.isoformat() for moment in found] == ["2026-03-29T06:00:00+02:00", "2026-03-30T06:00:00+02:00"]
