"""Are errors grouped by what they are about, told in words, and followed over weeks?"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tests.audited import FIRST, agreed, serve
from upkeep.monitoring.themes import Theme, TroubledRequest, find_themes, follow, nearest
from upkeep.periods import week
from upkeep.redaction import Redaction
from upkeep.stages.request_analysis import themes_of, track_themes, tracked_themes

WEEKS = ["2026-W10", "2026-W11", "2026-W12", "2026-W13"]
ORDINARY = [
    "Can I wait for the parcel with number one",
    "Where is my parcel please",
    "Help, it has gone",
    "Please tell me where my order is",
    "How do I return my order please",
] * 10


def direction(topic: int, seed: int) -> np.ndarray:
    """A unit vector near the topic's axis: two of one topic are about 0.1 apart, two of different ones 1."""
    vector = np.zeros(16) + np.random.default_rng(seed).normal(scale=0.08, size=16)
    vector[topic] += 1
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def trouble(text: str, week: str = "2026-W13", *, wrong: bool = True, right: str = "tents") -> TroubledRequest:
    return TroubledRequest(week, text, wrong, "stock", right)


TENTS = [trouble(f"Can I rent the tent for {n} days please", WEEKS[min(n, 3)], wrong=n > 0) for n in range(6)]
COATS = [trouble(f"My coat has hole number {n}, please help", "2026-W10", right="repairs") for n in range(4)]
ODD = [trouble("Do you like cats")]


def themes(*groups: list[TroubledRequest]) -> list[Theme]:
    all_of_them = [one for group in groups for one in group]
    topics = [at for at, group in enumerate(groups) for _ in group]
    vectors = np.stack([direction(topic, seed) for seed, topic in enumerate(topics)])
    return find_themes(all_of_them, vectors, weeks=WEEKS, others=ORDINARY, redaction=Redaction())


def test_requests_about_the_same_thing_are_one_theme_and_what_fits_none_is_left_out():
    tents, coats = themes(TENTS, COATS, ODD)
    assert (tents.requests, tents.wrong, tents.given, tents.right) == (6, 5, "stock", "tents")
    assert (coats.requests, coats.right) == (4, "repairs")


def test_a_theme_is_told_by_words_that_ordinary_requests_lack():
    tents, coats = themes(TENTS, COATS)
    assert set(tents.words) >= {"tent", "rent", "days"}
    assert "please" not in tents.words
    assert {"coat", "hole"} <= set(coats.words)


def test_its_count_is_followed_over_the_weeks():
    tents, coats = themes(TENTS, COATS)
    assert tents.by_week == {"2026-W10": 1, "2026-W11": 1, "2026-W12": 1, "2026-W13": 3}
    assert (tents.trend, coats.trend) == ("steady", "shrinking")
    (growing,) = themes([trouble(f"tent {n}") for n in range(4)])
    assert growing.trend == "growing"


def test_its_examples_are_the_most_typical_and_show_nobodys_data():
    many = [trouble(f"Please mail ada{n}@example.com about the tent") for n in range(5)]
    (found,) = themes(many)
    assert found.examples == ("Please mail [e-mail] about the tent",) * 3
    assert not {"ada", "example"} & set(found.words)


def test_a_few_requests_make_no_theme():
    assert themes(TENTS[:3]) == []
    assert themes(TENTS[:3], COATS[:3]) == []


def test_the_themes_of_a_clients_weeks_are_found_in_its_log(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number, wrong in enumerate((6, 3)):
        serve(desk, number, wrong=wrong)
    windows = [week(f"2026-W0{6 + number}", desk.zone) for number in range(2)]
    (found,) = themes_of(desk, windows, until=FIRST + timedelta(weeks=3))
    assert found.by_week == {"2026-W06": 6, "2026-W07": 3}
    assert (found.given, found.right) == ("order_status", "refund_status")
    assert themes_of(desk, windows[:0], until=FIRST) == ()


def test_a_theme_is_followed_from_review_to_review_and_keeps_the_weeks_it_has_left_behind():
    later = [one._replace(week="2026-W14") for one in TENTS]
    vectors = np.stack([direction(0, seed) for seed in range(90, 96)])
    (tents,) = find_themes(later, vectors, weeks=[*WEEKS[1:], "2026-W14"], others=ORDINARY, redaction=Redaction())
    (followed,) = follow([tents], themes(TENTS, COATS))
    assert (tents.since, followed.since) == ("2026-W14", "2026-W10")
    assert followed.by_week == {"2026-W10": 1, "2026-W11": 0, "2026-W12": 0, "2026-W13": 0, "2026-W14": 6}
    assert follow([tents], themes(ODD, COATS)) == follow([tents], []) == [tents]


def test_a_text_belongs_to_the_theme_whose_centre_is_near_or_to_none():
    found = themes(TENTS, COATS)
    vectors = np.stack([direction(0, 70), direction(1, 71), direction(5, 72)])
    about = [found[at].right if at is not None else None for at in nearest(found, vectors)]
    assert about == ["tents", "repairs", None]
    assert nearest([], vectors) == [None] * 3
    assert nearest(found, vectors[:, :10]) == [None] * 3  # another model's


def test_the_themes_of_a_week_are_recorded_once_and_told_from_those_of_the_week_before(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number, wrong in enumerate((6, 0, 5)):
        serve(desk, number, wrong=wrong)
    windows = [week(f"2026-W0{6 + number}", desk.zone) for number in range(3)]
    track_themes(desk, windows[:1], until=FIRST + timedelta(weeks=1))
    found = track_themes(desk, windows[1:], until=FIRST + timedelta(weeks=3))
    assert [(one.since, one.by_week) for one in found.themes] == [
        ("2026-W06", {"2026-W06": 6, "2026-W07": 0, "2026-W08": 5})
    ]
    assert track_themes(desk, windows, until=FIRST + timedelta(weeks=9)) == found
    assert tracked_themes(desk, FIRST + timedelta(weeks=1)) == tracked_themes(desk, FIRST + timedelta(weeks=2))
    assert tracked_themes(desk, FIRST) is None


@pytest.mark.parametrize("counts", [(0, 0, 1, 0), (2, 2, 2, 3), (1, 0, 1, 1)])
def test_a_few_more_are_no_trend(counts):
    by_week = dict(zip(WEEKS, counts, strict=True))
    assert Theme((), sum(counts), 0, by_week, None, None, ()).trend == "steady"


def test_of_many_errors_as_many_are_looked_at_in_each_week_so_that_counts_tell_a_trend(tmp_path, monkeypatch):
    monkeypatch.setattr("upkeep.stages.request_analysis.MOST", 20)
    desk = agreed(tmp_path, monkeypatch)
    for number, wrong in enumerate((50, 30)):
        serve(desk, number, wrong=wrong)
    windows = [week(f"2026-W0{6 + number}", desk.zone) for number in range(2)]
    (found,) = themes_of(desk, windows, until=FIRST + timedelta(weeks=3))
    assert found.by_week == {"2026-W06": 10, "2026-W07": 10}
