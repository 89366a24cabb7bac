"""Do outcomes find the weeks of their requests, row by row as from the kept days?"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.log.test_lines import SAID, THEIRS, ZENDESK
from tests.log_rows import FIRST_DAY, MONDAY, NEXT_WEEK, WEEK, jsonl, outcome, prediction
from upkeep.log.belonging import Placed, Stray, outcome_files, place_kept, place_rows
from upkeep.log.entries import LogMapping, as_utc, utc_days
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.periods import Window

pytestmark = pytest.mark.usefixtures("way_of_reading")

BEFORE = Window(MONDAY - timedelta(days=7), MONDAY, "2026-W47")
WEEKS = [NEXT_WEEK, WEEK, BEFORE]
DAYS = utc_days(MONDAY, NEXT_WEEK.end)


@pytest.fixture(params=[place_rows, place_kept], ids=["row by row", "kept days"])
def place(request, store):
    def placed(*windows: Window, days=DAYS, until=NEXT_WEEK.end, mapping=None) -> Placed:
        return request.param(store, days, windows, mapping=mapping or LogMapping(), until=until)

    return placed


def test_each_outcome_finds_the_week_of_its_request(store, place):
    write_predictions(
        store, [prediction("old", MONDAY - timedelta(days=3)), prediction("new", NEXT_WEEK.start)], name="a"
    )
    write_outcomes(
        store, [outcome("old", NEXT_WEEK.start), outcome("new", NEXT_WEEK.end - timedelta(hours=1))], name="a"
    )
    assert place(*WEEKS) == Placed(("2026-W49", "2026-W47"), given=2, nowhere=0)


def test_no_older_week_is_read_once_every_outcome_has_found_its_request(store, place):
    write_predictions(store, [prediction("old", MONDAY - timedelta(days=3)), prediction("p1")], name="a")
    write_outcomes(store, [outcome("p1", NEXT_WEEK.start)], name="a")
    assert place(*WEEKS) == Placed(("2026-W48",), given=1, nowhere=0)
    assert [key for key in store.since() if "predictions" in key] == [f"{FIRST_DAY}/a.jsonl"]


def test_what_is_about_no_request_is_counted_for_the_first_week_and_shown(store, place):
    write_predictions(store, [prediction("p1", NEXT_WEEK.start), prediction("p2", NEXT_WEEK.start)], name="a")
    at = NEXT_WEEK.start + timedelta(hours=5)
    write_outcomes(store, [outcome("p1", at), outcome("x-p2", at), outcome("x-p1", at)], name="desk")
    write_outcomes(store, [outcome("x-p0", MONDAY)], name="desk")  # another week's
    shown = Stray("x-p2", "log/outcomes/2026-11-30/desk.jsonl", 2, "p1")
    assert place(*WEEKS) == Placed(("2026-W49",), given=3, nowhere=2, stray=shown)


def test_what_was_said_before_a_week_began_is_about_the_request_that_had_its_id_then(store, place):
    evening = BEFORE.end - timedelta(hours=1)
    write_predictions(store, [prediction("p1", evening), prediction("p1"), prediction("p2")], name="a")
    write_outcomes(store, [outcome("p1", evening)], name="a")
    assert place(*WEEKS, days=utc_days(BEFORE.start, BEFORE.end)).windows == ("2026-W47",)
    # of a week that begins at noon the day's folder is read from midnight on, as for its figures
    noon = Window(MONDAY + timedelta(hours=12), NEXT_WEEK.start, "from noon")
    write_predictions(store, [prediction("p3", noon.start)], name="b")
    write_outcomes(store, [outcome("p3", MONDAY)], name="b")
    assert place(NEXT_WEEK, noon, days=[MONDAY.date()]).windows == ("from noon",)


def test_where_nothing_was_asked_no_request_is_shown(store, place):
    write_outcomes(store, [outcome("p1", NEXT_WEEK.start)], name="desk")
    assert place(*WEEKS).stray == Stray("p1", "log/outcomes/2026-11-30/desk.jsonl", 1, None)


def test_what_was_said_later_or_stands_in_other_days_files_or_breaks_the_contract_is_not_looked_at(store, place):
    write_predictions(store, [prediction("p1")], name="a")
    write_outcomes(store, [outcome("p1", MONDAY), outcome("p1", NEXT_WEEK.start + timedelta(days=2))], name="a")
    store.write("log/outcomes/2026-11-30/b.jsonl", jsonl({"prediction_id": "p1"}, b"{"))
    later = {"days": utc_days(NEXT_WEEK.start, NEXT_WEEK.end), "until": NEXT_WEEK.start + timedelta(days=1)}
    assert place(*WEEKS, **later) == Placed((), given=0, nowhere=0)
    assert place(*WEEKS, days=[]) == Placed((), given=0, nowhere=0)


def test_names_of_the_clients_own_are_understood(store, place):
    store.write(f"{FIRST_DAY}/a.jsonl", jsonl(THEIRS))
    row = SAID | {"timestamp": "2026-11-30T12:00:00Z"}
    store.write("log/outcomes/2026-11-30/a.jsonl", jsonl(row))
    assert place(*WEEKS, mapping=ZENDESK).windows == ("2026-W48",)


def files(store, mapping: LogMapping | None = None) -> dict[date, str]:
    return outcome_files(store, DAYS, mapping=mapping or LogMapping())


def test_a_days_files_are_others_when_one_was_added_or_changed_or_taken_away(store):
    assert files(store) == {}
    write_outcomes(store, [outcome("p1", MONDAY)], name="a")
    first = files(store)
    assert list(first) == [as_utc(MONDAY).date()]
    assert files(store) == first
    write_outcomes(store, [outcome("p1", MONDAY)], name="b")
    second = files(store)
    assert files(store, ZENDESK) != second  # read otherwise they may say something else
    write_outcomes(store, [outcome("p1", MONDAY, answer="another")], name="b")
    third = files(store)
    store.delete("log/outcomes/2026-11-23/a.jsonl")
    assert len({*first.values(), *second.values(), *third.values(), *files(store).values()}) == 4
    store.write("log/outcomes/2026-11-23/_SUCCESS", b"")  # is no file of the log
    store.delete("log/outcomes/2026-11-23/b.jsonl")
    assert files(store) == {}
