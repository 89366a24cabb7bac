"""Is the forum's set arranged as a history: its first months to learn from, the rest by their real dates?"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from benchmarks.forum import arranged


def question(at: str, label: str = "sync", *, is_oos: bool = False) -> dict[str, object]:
    return {"id": f"{at} {label}", "date": at, "text": "where is it?", "label": label, "is_oos": is_oos}


def test_the_first_months_are_taught_or_agreed_and_what_comes_after_them_is_asked_in_its_own_order():
    early = [question(f"2019-03-{day:02}T12:00:00") for day in range(1, 11)]
    later = [question("2019-04-01T00:00:00"), question("2022-07-01T09:30:00", "tabs", is_oos=True)]
    found = arranged([*early, *later])
    assert Counter(one["split"] for one in found) == {"launch": 8, "golden": 2, "stream": 2}
    assert [one["label"] for one in found[-2:]] == ["sync", "oos"]
    assert found[-1]["ts"] == datetime(2022, 7, 1, 16, 30, tzinfo=UTC)  # Pacific daylight time


def test_in_utc_the_last_evening_of_march_is_april():
    assert [one["split"] for one in arranged([question("2019-03-31T18:00:00")])] == ["stream"]


def test_what_no_topic_fits_and_topics_of_few_questions_are_not_taught():
    early = [question(f"2019-03-0{day}T12:00:00", "tips") for day in range(1, 5)]
    assert arranged([*early, *(question(f"2019-03-0{day}T13:00:00", is_oos=True) for day in range(1, 9))]) == []
