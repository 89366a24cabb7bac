"""Is every row of a log read in its own week, once, in time order?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.log_rows import (
    FIRST_DAY,
    FIRST_OUTCOMES,
    MONDAY,
    NEXT_WEEK,
    OUTCOME,
    PREDICTION,
    MemoryStore,
    jsonl,
    outcome,
    prediction,
    read,
    reasons,
)
from upkeep.adapters.store import open_store
from upkeep.errors import StoreError
from upkeep.log.entries import LogWindow
from upkeep.log.files import never_read, write_outcomes, write_predictions
from upkeep.periods import Window
from upkeep.store import Store


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def test_what_is_written_is_read_back(store):
    rows = [
        prediction("a", MONDAY, metadata={"tags": ["ü", 1, None]}, latency_ms=3.0),
        prediction("b", MONDAY + timedelta(days=6, hours=23), automatic=False, output=None, confidence=0.0),
    ]
    said = [outcome("a", MONDAY + timedelta(hours=1), answer=None, correct=False), outcome("b", answer="späť")]
    write_predictions(store, rows, name="api")
    write_outcomes(store, said, name="desk")
    found = read(store)
    assert found == LogWindow(rows, {"a": [said[0]], "b": [said[1]]}, [], given=2)


def test_the_outcomes_given_in_the_window_are_counted_whatever_they_are_about(store):
    write_predictions(store, [prediction("a", MONDAY)], name="api")
    given = [outcome("a", MONDAY + timedelta(days=day)) for day in (-1, 0, 6, 7)]
    write_outcomes(store, [*given, outcome("nobody's", MONDAY)], name="desk")
    assert read(store).given == 3


def test_rows_go_to_the_folder_of_their_utc_day(store):
    late = datetime(2026, 11, 24, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # 23:30 UTC on the day before
    write_predictions(store, [prediction("b", late), prediction("a", MONDAY + timedelta(days=1))], name="api")
    write_outcomes(store, [outcome("b", late)], name="desk")
    assert list(store.keys("")) == [
        "log/outcomes/2026-11-23/desk.jsonl",
        "log/predictions/2026-11-23/api.jsonl",
        "log/predictions/2026-11-24/api.jsonl",
    ]
    assert json.loads(store.read("log/predictions/2026-11-23/api.jsonl"))["timestamp"] == "2026-11-23T23:30:00+00:00"


def test_writing_the_same_rows_again_changes_nothing(store):
    rows = [prediction(str(number), MONDAY + timedelta(hours=number)) for number in range(30)]
    write_predictions(store, rows, name="api")
    before = dict(store.files)
    write_predictions(store, rows, name="api")
    assert store.files == before
    assert reasons(read(store)) == []


@pytest.mark.parametrize("name", ["", "_api", ".api", "a/b"])
def test_a_name_the_reader_would_pass_over_is_refused(store, name):
    with pytest.raises(StoreError, match="expected a file name"):
        write_predictions(store, [prediction()], name=name)
    assert store.files == {}


def test_a_time_without_a_zone_cannot_be_written_or_asked_for(store):
    naive = datetime(2026, 11, 23)
    with pytest.raises(ValueError, match="has no zone"):
        write_predictions(store, [prediction(at=naive)], name="api")
    with pytest.raises(ValueError, match="has no zone"):
        read(store, until=naive)


def test_a_window_holds_its_start_and_not_its_end(store):
    times = {"before": -1, "start": 0, "last": 7 * 24 * 3600 - 1, "end": 7 * 24 * 3600}
    write_predictions(store, [prediction(id, MONDAY + timedelta(seconds=at)) for id, at in times.items()], name="api")
    assert [row.id for row in read(store).predictions] == ["start", "last"]
    assert [row.id for row in read(store, NEXT_WEEK).predictions] == ["end"]


def test_a_week_in_berlin_begins_in_sundays_utc_folder(store):
    berlin = ZoneInfo("Europe/Berlin")
    window = Window(datetime(2026, 11, 23, tzinfo=berlin), datetime(2026, 11, 30, tzinfo=berlin), "2026-W48")
    hours = {"sunday 23:59": 22 * 60 + 59, "monday 00:00": 23 * 60, "monday 00:01": 23 * 60 + 1}
    sunday = datetime(2026, 11, 22, tzinfo=UTC)
    write_predictions(store, [prediction(id, sunday + timedelta(minutes=at)) for id, at in hours.items()], name="api")
    assert [row.id for row in read(store, window).predictions] == ["monday 00:00", "monday 00:01"]


def test_predictions_come_in_time_order_whatever_the_files(store):
    write_predictions(store, [prediction("c", MONDAY + timedelta(hours=3)), prediction("a", MONDAY)], name="x")
    write_predictions(store, [prediction("b", MONDAY + timedelta(hours=1))], name="y")
    assert [row.id for row in read(store).predictions] == ["a", "b", "c"]


def test_an_empty_log_is_an_empty_window(store):
    assert read(store) == LogWindow([], {}, [])


def test_of_a_log_with_one_old_stray_file_the_days_are_listed_together(store):
    write_predictions(store, [prediction("old", MONDAY - timedelta(days=9_999)), prediction("p1")], name="api")
    write_outcomes(store, [outcome("p1")], name="desk")
    listed = []
    store.keys = lambda prefix: listed.append(prefix) or MemoryStore.keys(store, prefix)
    found = read(store, Window(MONDAY - timedelta(days=9_999), NEXT_WEEK.start, "all"))
    assert [row.id for row in found.predictions] == ["old", "p1"]
    assert list(found.outcomes) == ["p1"]
    assert listed == ["log/predictions/", "log/outcomes/"]


def test_outcomes_come_in_time_order_and_only_until_the_moment_asked_for(store):
    write_predictions(store, [prediction("p1")], name="api")
    times = [timedelta(days=9), timedelta(hours=1), timedelta(days=8), timedelta(days=10)]
    said = [outcome("p1", MONDAY + passed, answer=str(passed.days)) for passed in times]
    write_outcomes(store, said, name="desk")
    found = read(store, until=MONDAY + timedelta(days=10))
    assert [row.answer for row in found.outcomes["p1"]] == ["0", "8", "9"]  # the one of day 10 was not known yet
    assert [row.answer for row in read(store).outcomes["p1"]] == ["0"]


def test_outcomes_of_other_predictions_are_left_out(store):
    write_predictions(store, [prediction("p1"), prediction("p2", NEXT_WEEK.start)], name="api")
    said = [outcome("earlier", MONDAY), outcome("earlier", MONDAY + timedelta(days=6)), outcome("p2", NEXT_WEEK.start)]
    write_outcomes(store, said, name="desk")
    assert read(store, until=NEXT_WEEK.end).outcomes == {}
    assert list(read(store, NEXT_WEEK).outcomes) == ["p2"]


def test_of_a_doubled_id_the_first_counts(store):
    write_predictions(store, [prediction("p1", output="first"), prediction("p1", output="second")], name="a")
    write_predictions(store, [prediction("p1", MONDAY + timedelta(days=1), output="third")], name="a")
    write_predictions(store, [prediction("p1", output="fourth")], name="b")
    found = read(store)
    assert [row.output for row in found.predictions] == ["first"]
    assert [(row.file, row.line, row.reason) for row in found.quarantined] == [
        ("log/predictions/2026-11-23/a.jsonl", 2, "duplicate id"),
        ("log/predictions/2026-11-23/b.jsonl", 1, "duplicate id"),
        ("log/predictions/2026-11-24/a.jsonl", 1, "duplicate id"),
    ]
    assert {row.subject for row in found.quarantined} == {"duplicate id"}


def test_marks_of_other_tools_are_no_logs(store):
    for name in ("_SUCCESS", ".part-0.jsonl.crc", "_temporary/0/part-0.jsonl"):
        store.write(f"{FIRST_DAY}/{name}", b"anything")
    store.write(f"{FIRST_DAY}/host-7/api.jsonl", jsonl(PREDICTION))
    assert (len(read(store).predictions), read(store).quarantined) == (1, [])


def test_a_bad_row_is_counted_in_one_week_only(store):
    for folder, good in (("predictions", PREDICTION), ("outcomes", OUTCOME)):
        for day, at in (("2026-11-23", "2026-11-23T10:00:00Z"), ("2026-11-30", "2026-11-30T10:00:00Z")):
            bad = good | {"timestamp": at, "confidence": 7, "source": "nobody"}
            store.write(f"log/{folder}/{day}/a.jsonl", jsonl(bad, b"broken"))
    first = read(store, until=NEXT_WEEK.end)
    second = read(store, NEXT_WEEK, until=NEXT_WEEK.end + timedelta(days=30))
    assert [row.file[-18:-8] for row in first.quarantined] == ["2026-11-23"] * 4
    assert [row.file[-18:-8] for row in second.quarantined] == ["2026-11-30"] * 4


def test_on_a_day_that_two_weeks_share_a_bad_row_goes_to_the_week_of_its_time(store):
    berlin = ZoneInfo("Europe/Berlin")
    edge = datetime(2026, 11, 23, tzinfo=berlin)  # Sunday 23:00 UTC
    before = Window(edge - timedelta(days=7), edge, "2026-W47")
    after = Window(edge, edge + timedelta(days=7), "2026-W48")
    rows = [PREDICTION | {"timestamp": f"2026-11-22T{hour}:30:00Z", "confidence": 7} for hour in (22, 23)]
    store.write("log/predictions/2026-11-22/a.jsonl", jsonl(*rows, b"no time at all"))
    assert [row.line for row in read(store, before).quarantined] == [1, 3]
    assert [row.line for row in read(store, after).quarantined] == [2, 3]


def test_a_bad_outcome_is_not_known_before_it_was_given(store):
    store.write(f"{FIRST_OUTCOMES}/a.jsonl", jsonl(OUTCOME | {"source": "nobody"}))
    assert reasons(read(store, until=MONDAY + timedelta(hours=12))) == []  # it was given at 12:00
    assert len(reasons(read(store, until=MONDAY + timedelta(hours=13)))) == 1


def test_the_log_is_read_from_a_real_folder(tmp_path: Path):
    store = open_store(str(tmp_path))
    write_predictions(store, [prediction("p1", MONDAY + timedelta(days=day)) for day in (0, 6)], name="api")
    write_outcomes(store, [outcome("p1", MONDAY + timedelta(days=2))], name="desk")
    (tmp_path / "log" / "predictions" / "2026-11-24").mkdir()
    found = read(store)
    assert [len(found.predictions), len(found.outcomes["p1"]), reasons(found)] == [1, 1, ["duplicate id"]]


def test_the_example_in_its_documentation_runs_as_it_says(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "log.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == re.findall(r"# (.*)", code)[0].split()


def test_files_in_no_folder_of_a_day_are_told_as_they_are_never_read(store):
    write_predictions(store, [prediction("a")], name="api")
    assert never_read(store) == []
    for key in ("date=2026-11-24/api.jsonl", "20261125/api.jsonl", "api.jsonl", "_temporary/api.jsonl", ".lock"):
        store.write(f"log/predictions/{key}", b"")
    assert never_read(store) == [
        "log/predictions: 3 of its files never read, found log/predictions/20261125/api.jsonl, expected "
        "log/predictions/<UTC day>/, such as log/predictions/2026-11-02/"
    ]
