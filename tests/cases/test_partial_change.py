"""When do people contradict a label about one thing only, and when does it merely look so?"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.weeks import week
from upkeep.cases.partial_change import MOST, Checked, Looked, find_part, partial_changes, rest_of
from upkeep.cases.relabel_rules import changed, contradictions, rule_of
from upkeep.metrics.quality import Confusion
from upkeep.statistics.rates import Rate

TOPICS = ("delivery", "limit", "pin", "lost", "design", "parcel")
BEFORE, AFTER = 10, 4


def embed(texts):
    """What a text is about is its first word: two about the same are alike, two others have nothing in common."""
    return np.eye(len(TOPICS))[[TOPICS.index(text.lower().split()[0]) for text in texts]]


class Log:
    """Checked answers, all of them `card` but a few, by week: how many of each topic, and the right answer."""

    def __init__(self) -> None:
        self.weeks: list[list[tuple[str, str, str]]] = []

    def add(self, **asked: tuple[int, str]) -> None:
        """A week in which so many asked about each topic."""
        at = len(self.weeks)
        rows = [("card", right, f"{topic} {at}-{i}") for topic, (n, right) in asked.items() for i in range(n)]
        self.weeks.append([*rows, *[("refund", "refund", f"limit r{at}-{i}") for i in range(20)]])

    @property
    def figures(self):
        found = []
        for at, rows in enumerate(self.weeks, start=1):
            named = Counter((given, right) for given, right, _ in rows)
            cells = tuple(Confusion(given, right, n) for (given, right), n in named.items())
            found.append((f"2026-W{at:02}", replace(week(1), named=cells, labelled=Rate(len(rows), len(rows)))))
        return found

    def look(self, label, keys):
        chosen = [(key, self.weeks[int(key[-2:]) - 1]) for key in keys]
        rows = [Checked(key, text, right) for key, one in chosen for given, right, text in one if given == label]
        return Looked(keys, rows, sum(len(one) for _, one in chosen))

    def parts(self, known=()):
        return list(partial_changes(self.figures, known=known, look=self.look, embed=embed))

    def without(self, topic):
        """The figures without what a rule for a topic covers."""
        looked = self.look("card", [key for key, _ in self.figures])
        covered = {one.text for one in looked.answers if one.text.startswith(topic)}
        return rest_of(self.figures, "card", looked, covered)


def logged(before: dict[str, tuple[int, str]], after: dict[str, tuple[int, str]], *, weeks: int = AFTER) -> Log:
    log = Log()
    for _ in range(BEFORE):
        log.add(**before)
    for _ in range(weeks):
        log.add(**after)
    return log


STEADY = {"delivery": (6, "card"), "limit": (8, "card")}
POLICY = STEADY | {"delivery": (6, "sent")}


def test_a_label_whose_answers_about_one_thing_have_all_become_another_one_is_contradicted_for_that_theme():
    log = logged(STEADY, POLICY)
    assert not list(contradictions(log.figures))  # it is right for the rest: 32 of 56
    (one,) = log.parts()
    assert (one.old, one.new, one.weeks) == ("card", "sent", 4)
    assert {text.split()[0] for text in one.examples} == {"delivery"}
    assert (one.now.hits, one.rest.hits) == (one.now.n, 0)
    assert 3 <= one.now.n < 24  # the others of the 24 have chosen the example
    assert one.before == Rate(0, 60)
    assert dict(one.by_week)["2026-W11"] == Rate(6, 6)
    # week 11 is from 9 March; the whole weeks after it are all the other answer's
    assert changed(one.by_week, ZoneInfo("Europe/Berlin")) == date(2026, 3, 16)
    assert str(one).startswith(
        f"{one.now.n} of {one.now.n} 'card' answers to requests near an example, which people looked at in the last "
        "4 weeks, should be 'sent', before 0 of 60; of its other answers 0 of "
    )


def test_known_labels_are_left_out_and_no_text_is_read_where_nothing_is_contradicted():
    assert not logged(STEADY, POLICY).parts(known={("card", "sent")})
    log = logged(STEADY, STEADY)
    log.look = lambda *_: pytest.fail("texts were read")
    assert not log.parts()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.65])
def test_corrections_spread_by_chance_over_all_that_a_label_is_for_make_no_theme(share):
    for seed in range(20):
        rng, log = random.Random(seed), Log()
        for at in range(18):
            asked = {topic: (rng.randint(2, 5), "card") for topic in TOPICS}
            log.add(**asked)
            if at >= BEFORE:
                log.weeks[-1] = [
                    (given, "sent" if given == "card" and rng.random() < share else right, text)
                    for given, right, text in log.weeks[-1]
                ]
            assert not log.parts()


@pytest.mark.parametrize(
    ("usual", "beside"), [((0, "card"), 0), ((3, "card"), 3)], ids=["nobody asked before", "like what was asked before"]
)
def test_a_new_category_that_is_answered_with_a_label_is_none_while_the_label_is_right_for_its_own(usual, beside):
    log = Log()
    for at in range(BEFORE + 8):
        log.add(limit=(8, "card"), delivery=usual)
        if at >= BEFORE:  # 20 new ones a week, and what is like them comes as before
            log.weeks[-1] += [("card", "sent", f"delivery new {at}-{i}") for i in range(20)]
            assert sum(right == "card" for _, right, text in log.weeks[-1] if "delivery" in text) == beside
        assert not log.parts()


def test_what_was_confused_before_and_is_asked_more_often_is_no_policy():
    always = STEADY | {"delivery": (3, "sent")}
    assert not logged(always, always | {"delivery": (15, "sent")}).parts()


def test_one_request_made_over_and_over_is_one_text():
    log = logged(STEADY, POLICY)
    for rows in log.weeks[BEFORE:]:
        rows[:] = [(given, right, "Delivery  now?" if right == "sent" else text) for given, right, text in rows]
    assert not log.parts()


def test_of_many_texts_some_are_embedded_of_now_and_before_the_same_share():
    topics = {"delivery": "sent", "limit": "card"}
    now = [Checked("2026-W20", f"{topic} {i}", right) for topic, right in topics.items() for i in range(900)]
    then = [one._replace(week="2026-W19", right="card") for one in now]
    embedded: list[str] = []
    one = find_part(
        "card", "sent", Looked(["2026-W20"], now, 4000), Looked(["2026-W19"], then, 4000),
        embed=lambda texts: embedded.extend(texts) or embed(texts),
    )  # fmt: skip
    assert one is not None
    assert len(set(embedded)) == MOST  # of 1,800, which were asked in both weeks
    counted = dict(one.by_week)
    assert counted["2026-W19"] == Rate(0, counted["2026-W20"].n)


def test_what_a_rule_for_a_theme_covers_makes_no_contradiction_of_the_whole_label():
    log = logged(STEADY, {"delivery": (27, "sent"), "limit": (2, "card")})
    (one,) = contradictions(log.figures)
    assert one.now == Rate(108, 116)  # 4 x 27 of 4 x 29
    assert not list(contradictions(log.without("delivery")))  # the other 2 a week are right


@pytest.mark.parametrize("theme", ["card", "sent"], ids=["answered rightly by now", "still contradicted"])
def test_the_rest_of_a_label_that_is_contradicted_too_is_a_contradiction_since_then(theme):
    log = logged(STEADY, POLICY)
    asked = {"delivery": (6, "sent")} if theme == "sent" else {}
    for _ in range(4):
        log.add(**asked, limit=(8, "sent"))
    (one,) = contradictions(log.without("delivery"))
    assert (one.now, one.before) == (Rate(32, 32), Rate(0, 112))  # 4 weeks of 8, and 14 before
    # after 2026-W15, the first of the 4
    assert rule_of(one, log.without("delivery"), ZoneInfo("Europe/Berlin")).since == date(2026, 4, 13)


def test_of_a_large_log_the_share_is_left_out_that_is_covered_among_what_was_looked_at():
    log = logged(STEADY, POLICY)
    some = log.look("card", [f"2026-W{at:02}" for at in range(1, 14)])  # the texts of the last week are gone
    some = some._replace(answers=[one for at, one in enumerate(some.answers) if at % 2 == 0])
    covered = {one.text for one in some.answers if one.text.startswith("delivery")}
    rest = [one.named for _, one in rest_of(log.figures, "card", some, covered)]
    # of 14 a week every other one was looked at: 3 of the 6 covered ones, and 4 of the others
    assert rest[0] == (Confusion("card", "card", 8), Confusion("refund", "refund", 20))
    assert rest[12] == (Confusion("card", "sent", 0), Confusion("card", "card", 8), Confusion("refund", "refund", 20))
    assert rest[13] == (Confusion("card", "sent", 0), Confusion("card", "card", 0), Confusion("refund", "refund", 20))
