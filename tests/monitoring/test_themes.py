"""Are errors and unusual requests grouped by what they are about, told in words, and followed over weeks?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tests.audited import FIRST, agreed, serve
from upkeep import records
from upkeep.cases.case import Item
from upkeep.conversations import Role, Turn, as_text
from upkeep.desk import Desk
from upkeep.evaluation.scores import Scores
from upkeep.log.entries import Prediction
from upkeep.log.files import write_predictions
from upkeep.monitoring.edge_cases import EdgeCase, Reason
from upkeep.monitoring.themes import NotedRequest, Theme, find_themes, follow, hardly_labelled, nearest
from upkeep.periods import week
from upkeep.redaction import Redaction
from upkeep.stages.candidates import candidates_for
from upkeep.stages.comparison import _on_themes
from upkeep.stages.request_analysis import TrackedThemes, edges_key, themes_of, track_themes, tracked_themes
from upkeep.statistics.rates import Rate

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


def trouble(text: str, week: str = "2026-W13", *, wrong: bool = True, right: str = "tents") -> NotedRequest:
    return NotedRequest(week, text, wrong, "stock", right)


TENTS = [trouble(f"Can I rent the tent for {n} days please", WEEKS[min(n, 3)], wrong=n > 0) for n in range(6)]
COATS = [trouble(f"My coat has hole number {n}, please help", "2026-W10", right="repairs") for n in range(4)]
ODD = [trouble("Do you like cats")]


def themes(*groups: list[NotedRequest]) -> list[Theme]:
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


def talk(asked: str, answer: str) -> str:
    """A conversation in which a user asks, is answered and asks once more."""
    return as_text([Turn(Role.USER, asked), Turn(Role.ASSISTANT, answer), Turn(Role.USER, "Please tell me")])


def test_of_a_conversation_a_theme_is_told_by_what_the_user_has_said():
    thanks = "Thank you for contacting Northwind"
    (tents,) = themes([trouble(talk(one.text, thanks)) for one in TENTS])
    assert tents.words == themes(TENTS)[0].words
    assert tents.examples == ("Please tell me",) * 3  # the turn that was to be answered
    others = [*ORDINARY, *(talk("Where is it", "Can I rent you a tent for some days") for _ in range(200))]
    vectors = np.stack([direction(0, seed) for seed in range(6)])
    (same,) = find_themes(TENTS, vectors, weeks=WEEKS, others=others, redaction=Redaction())
    assert {"tent", "rent", "days"} <= set(same.words)


def test_of_a_script_without_spaces_no_word_is_told():
    tracked = [trouble(f"请问我的包裹一直没有来 tracking {end}") for end in "啊呢吧吗"]
    sentences = [trouble("请问我的包裹一直没有来") for _ in range(4)]
    assert [one.words for one in themes(tracked, sentences)] == [("tracking",), ()]


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
    (found,) = themes_of(desk, windows, until=FIRST + timedelta(weeks=3)).troubled
    assert found.by_week == {"2026-W06": 6, "2026-W07": 3}
    assert (found.given, found.right) == ("order_status", "refund_status")
    assert themes_of(desk, windows[:0], until=FIRST) == ((), ())


def test_a_theme_is_followed_from_review_to_review_and_keeps_the_weeks_it_has_left_behind():
    later = [one._replace(week="2026-W14") for one in TENTS]
    vectors = np.stack([direction(0, seed) for seed in range(90, 96)])
    (tents,) = find_themes(later, vectors, weeks=[*WEEKS[1:], "2026-W14"], others=ORDINARY, redaction=Redaction())
    (followed,) = follow([tents], [themes(TENTS, COATS)])
    assert (tents.since, followed.since) == ("2026-W14", "2026-W10")
    assert followed.by_week == {"2026-W10": 1, "2026-W11": 0, "2026-W12": 0, "2026-W13": 0, "2026-W14": 6}
    assert follow([tents], [themes(ODD, COATS)]) == follow([tents], [[]]) == follow([tents], []) == [tents]


def one_theme(topic: float, counts: dict[str, int]) -> Theme:
    """A theme whose centre is turned by so many right angles."""
    centre = (round(float(np.cos(topic * np.pi / 2)), 4), round(float(np.sin(topic * np.pi / 2)), 4))
    since = next(week for week, n in counts.items() if n)
    return Theme(("tent",), sum(counts.values()), 0, counts, None, None, (), since, centre)


def test_a_theme_that_was_too_small_for_some_reviews_is_still_the_same():
    first = one_theme(0, {"2026-W10": 5, "2026-W11": 1})
    coats = one_theme(1, {"2026-W11": 4, "2026-W12": 0})
    again = one_theme(0.1, {"2026-W11": 1, "2026-W12": 0, "2026-W13": 4})
    (followed,) = follow([again], [[first], [coats], []])
    assert followed.since == "2026-W10"
    assert followed.by_week == {"2026-W10": 5, "2026-W11": 1, "2026-W12": 0, "2026-W13": 4}
    (apart,) = follow([one_theme(0, {"2026-W14": 4})], [[first], []])
    assert "2026-W12" not in apart.by_week  # of weeks in which nobody counted there is no count


def test_what_a_newer_review_has_taken_up_is_no_other_themes_history():
    first, moved = one_theme(0, {"2026-W10": 5}), one_theme(0.35, {"2026-W11": 5})  # 0.15 apart
    # 0.08 from the one that moved; 0.01 from what that was, 0.24 from the one that moved
    found = [one_theme(0.6, {"2026-W12": 5}), one_theme(-0.1, {"2026-W12": 4})]
    (_, new) = followed = follow(found, [[first], follow([moved], [[first]])])
    assert [one.since for one in followed] == ["2026-W10", "2026-W12"]
    assert new == found[1]


def test_a_review_of_another_models_themes_is_passed_over():
    first, again = one_theme(0, {"2026-W10": 5}), one_theme(0, {"2026-W12": 4})
    anothers = replace(one_theme(0, {"2026-W11": 4}), centre=(1.0, 0.0, 0.0))
    for nobodys in (anothers, replace(anothers, centre=())):  # as old records have it
        assert [one.since for one in follow([again], [[first], [nobodys]])] == ["2026-W10"]


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


def test_a_theme_is_looked_for_in_the_reviews_of_as_many_weeks_as_themes_are_made_of(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number, wrong in enumerate((6, 0, 0, 5, 0, 0, 0, 6)):
        serve(desk, number, wrong=wrong)
    windows = [week(f"2026-W{6 + number:02}", desk.zone) for number in range(8)]
    since = []
    for newest in range(1, 9):
        found = track_themes(desk, windows[max(newest - 2, 0) : newest], until=FIRST + timedelta(weeks=newest))
        since.append([one.since for one in found.themes])
    assert since == [["2026-W06"], ["2026-W06"], [], ["2026-W06"], ["2026-W06"], [], [], ["2026-W13"]]


def serve_talks(desk: Desk, answer: str) -> None:
    """Six conversations of the first week, handed to a person."""
    log = [
        Prediction(f"talk-{n}", FIRST, talk(f"Where is tent {n}", answer), None, 0.2, "1", False, None, {})
        for n in range(6)
    ]
    write_predictions(desk.store, log, name="talks")


QUESTION, OFFER = "Which order is it?", "Kann ich Ihnen mit einer Rechnung weiterhelfen? Das ist jederzeit möglich."


def test_a_theme_of_conversations_is_found_by_what_the_user_has_said(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    found = []
    for answer in (QUESTION, OFFER):
        serve_talks(desk, answer)
        found.append(themes_of(desk, [week("2026-W06", desk.zone)], until=FIRST + timedelta(weeks=1)))
    english, german = found
    assert len(english.troubled) == 1
    assert german == english


def test_held_out_conversations_are_a_themes_by_what_the_user_has_said(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve_talks(desk, QUESTION)
    track_themes(desk, [week("2026-W06", desk.zone)], until=FIRST + timedelta(weeks=1))
    items = [Item(str(n), talk(f"Where is tent {n + 10}", OFFER * 5), "order_status") for n in range(6)]
    scored = [Scores("recent", tuple(one.id for one in items), (), (True,) * 6, {})]
    (told,) = _on_themes(desk, FIRST + timedelta(weeks=1), {"recent": items}, champion=scored, challenger=scored)
    assert told.champion == Rate(6, 6)


@pytest.mark.parametrize("counts", [(0, 0, 1, 0), (2, 2, 2, 3), (1, 0, 1, 1)])
def test_a_few_more_are_no_trend(counts):
    by_week = dict(zip(WEEKS, counts, strict=True))
    assert Theme((), sum(counts), 0, by_week, None, None, ()).trend == "steady"


@pytest.mark.parametrize(
    ("counts", "unlabelled", "shown", "trend"),
    [
        ((20, 20, 20, 0), [WEEKS[3]], "20 20 20 0+", "steady"),  # else shrinking: 20 + 0 is less than half of 40
        ((40, 20, 9, 0), [WEEKS[3]], "40 20 9 0+", "shrinking"),  # what is known shrinks: 9 of 40
        ((2, 4, 9, 0), [WEEKS[3]], "2 4 9 0+", "growing"),
        ((0, 0, 20, 20), WEEKS[:2], "0+ 0+ 20 20", "steady"),  # audits began in the third week
        ((20, 0, 0, 0), WEEKS[1:], "20 0+ 0+ 0+", "too early to tell"),
    ],
)
def test_a_week_that_hardly_anybody_has_looked_at_tells_no_trend(counts, unlabelled, shown, trend):
    by_week = dict(zip(WEEKS, counts, strict=True))
    theme = Theme((), sum(counts), sum(counts), by_week, None, None, (), unlabelled=tuple(unlabelled))
    assert (theme.counts, theme.trend) == (shown, trend)


@pytest.mark.parametrize(
    ("newest", "hardly"),
    [
        (Rate(0, 300), True),
        (Rate(9, 300), True),  # complaints alone: the mean of 50, 50, 50 and 9 is 39.75
        (Rate(25, 300), False),
        (Rate(50, 3000), False),  # a burst, audited as ever
        (Rate(15, 60), False),  # a quiet week, of which a larger share is audited
        (Rate(0, 0), False),  # nothing was asked, and so nothing was wrong
    ],
)
def test_a_week_is_hardly_labelled_by_number_and_share_beside_the_others(newest, hardly):
    weeks = dict(zip(WEEKS, [Rate(50, 300), Rate(50, 300), Rate(50, 300), newest], strict=True))
    assert hardly_labelled(weeks) == ({WEEKS[3]} if hardly else set())
    assert hardly_labelled({WEEKS[0]: Rate(0, 300)}) == set()  # nobody ever looks: what is handed on is all there is


def test_what_was_handed_to_a_person_is_known_without_a_label():
    handed = [one._replace(wrong=False, handed=True) for one in TENTS]
    vectors = np.stack([direction(0, seed) for seed in range(6)])
    known = {"weeks": WEEKS, "others": ORDINARY, "redaction": Redaction(), "unlabelled": {WEEKS[3]}}
    assert [find_themes(those, vectors, **known)[0].counts for those in (TENTS, handed)] == ["1 1 1 3+", "1 1 1 3"]


def test_errors_are_not_called_shrinking_as_the_newest_sheet_is_not_back(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number in range(3):
        serve(desk, number, wrong=12, audited=number < 2)
    windows = [week(f"2026-W0{6 + number}", desk.zone) for number in range(3)]
    track_themes(desk, windows[:2], until=FIRST + timedelta(weeks=2))
    (found,) = track_themes(desk, windows, until=FIRST + timedelta(weeks=3)).themes
    assert (found.counts, found.trend) == ("12 12 0+", "steady")
    serve(desk, 2, wrong=12)
    serve(desk, 3, wrong=12, audited=False)
    (found,) = track_themes(desk, [*windows[1:], week("2026-W09", desk.zone)], until=FIRST + timedelta(weeks=4)).themes
    assert found.counts == "12 12 12 0+"


def test_of_many_errors_as_many_are_looked_at_in_each_week_so_that_counts_tell_a_trend(tmp_path, monkeypatch):
    monkeypatch.setattr("upkeep.stages.request_analysis.MOST", 20)
    desk = agreed(tmp_path, monkeypatch)
    for number, wrong in enumerate((50, 30)):
        serve(desk, number, wrong=wrong)
    windows = [week(f"2026-W0{6 + number}", desk.zone) for number in range(2)]
    (found,) = themes_of(desk, windows, until=FIRST + timedelta(weeks=3)).troubled
    assert found.by_week == {"2026-W06": 10, "2026-W07": 10}


def list_edges(desk: Desk, week: str, *ids: str) -> None:
    """What a review leaves behind of the week's edge cases."""
    odd = [EdgeCase(id, "redacted", "order_status", 0.4, None, (Reason.UNSURE,)) for id in ids]
    records.save_rows(desk.store, edges_key(week), odd)


def test_edge_cases_that_nobody_found_wrong_are_themes_of_their_own_and_no_request_is_counted_twice(
    tmp_path, monkeypatch
):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=6)
    serve(desk, 1, wrong=0)
    windows, until = [week(f"2026-W0{6 + number}", desk.zone) for number in range(2)], FIRST + timedelta(weeks=3)
    without = themes_of(desk, windows, until=until)
    list_edges(desk, "2026-W06", *(f"0-{at}" for at in (0, 1, 20, 21, 22)))  # the first two of the six wrong ones
    list_edges(desk, "2026-W07", "1-30", "1-31", "of a request that is not in the log")
    found = themes_of(desk, windows, until=until)
    (troubled,), (unusual,) = found
    assert (troubled.requests, troubled.wrong, troubled.unusual) == (6, 6, 2)
    assert (unusual.requests, unusual.wrong, unusual.unusual) == (5, 0, 5)
    assert unusual.by_week == {"2026-W06": 3, "2026-W07": 2}
    assert (unusual.given, unusual.right) == ("order_status", "order_status")
    assert not any("example.com" in text for text in unusual.examples)
    (before,) = without.troubled
    assert (troubled.by_week, troubled.words, troubled.centre) == (before.by_week, before.words, before.centre)
    assert without.unusual == ()


def test_a_week_whose_edge_cases_nobody_could_list_is_not_one_without_any(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number in range(3):
        serve(desk, number, wrong=0)
    list_edges(desk, "2026-W06", "0-1", "0-2", "0-3", "0-4")
    list_edges(desk, "2026-W08")
    windows = [week(f"2026-W0{6 + number}", desk.zone) for number in range(3)]
    (found,) = themes_of(desk, windows, until=FIRST + timedelta(weeks=3)).unusual
    assert found.by_week == {"2026-W06": 4, "2026-W08": 0}


def test_unusual_themes_are_followed_and_propose_no_category(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number, ids in enumerate((range(4), range(10))):
        serve(desk, number, wrong=0, audited=False)  # else it has a right answer, and a category of its own already
        list_edges(desk, f"2026-W0{6 + number}", *(f"{number}-{at}" for at in ids))
    windows = [week(f"2026-W0{6 + number}", desk.zone) for number in range(2)]
    track_themes(desk, windows[:1], until=FIRST + timedelta(weeks=1))
    found = track_themes(desk, windows[1:], until=FIRST + timedelta(weeks=2))
    assert [(one.since, one.by_week, one.trend) for one in found.unusual] == [
        ("2026-W06", {"2026-W06": 4, "2026-W07": 10}, "growing")
    ]
    assert found.themes == ()
    assert candidates_for(desk, FIRST + timedelta(weeks=2)) == []


def test_themes_recorded_before_edge_cases_were_grouped_are_read(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    was = b"""{"week": "2026-W06", "as_of": "2026-02-09T09:00:00Z", "themes": [{"words": ["tent"], "requests": 4,
        "wrong": 4, "by_week": {"2026-W06": 4}, "given": "stock", "right": "tents", "examples": ["a tent"]}]}"""
    desk.store.write("themes/2026-W06.json", was)
    read = records.load(desk.store, "themes/2026-W06.json", TrackedThemes)
    assert (read.unusual, read.themes[0].unusual) == ((), None)
