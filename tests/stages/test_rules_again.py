"""Is a rule for labels that had one proposed again where outcomes of later speak for it, and only there?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from tests.audited import FIRST, agreed
from tests.stages.test_rules import say
from upkeep.cases.case import Case, Source, valid_at
from upkeep.stages.monitoring import review_week
from upkeep.stages.rules import ITSELF, decide_rule, propose_rules
from upkeep.stages.rules_in_force import history_in_force

A, B, OTHER = "order_status", "refund_status", "opening_hours"


def after(weeks: int) -> datetime:
    return FIRST + timedelta(weeks=weeks)


def played(desk, *phases, answer=None):
    """What is proposed, by week, while for so many weeks an answer is given and one is right; `answer` decides it."""
    found = []
    for number, pair in enumerate([(given, right) for n, given, right in phases for _ in range(n)]):
        say(desk, number, [pair] * 20 + [(OTHER, OTHER)] * 10)
        for one in propose_rules(desk, review_week(desk, after(number + 1))):
            found.append((number, one))
            if answer is not None:
                decide_rule(desk, one.id, accepted=answer, by="ada", at=after(number + 1))
    return found


SPRING = [(5, A, A), (6, A, B), (6, B, B)]  # the model learns it, with the retrain of a month or two
SUMMER = [(6, B, A), (8, A, A)]
AUTUMN = [(6, A, B)]


@pytest.mark.parametrize("way", ["propose", "apply", "config"])
def test_a_policy_that_comes_back_is_proposed_again_and_each_day_has_its_answer(tmp_path, monkeypatch, way):
    given = [{"old": A, "new": B, "since": "2026-03-16"}] if way == "config" else []
    rules = "propose" if way == "config" else way
    desk = agreed(tmp_path, monkeypatch, rules=rules, relabel=given, base_model={"path": "models/nowhere"})
    found = played(desk, *SPRING, *SUMMER, *AUTUMN, answer=None if way == "apply" else True)
    told = [(one.rule.old, one.rule.new) for _, one in found]
    assert told == [(A, B), (B, A), (A, B)][len(given) :]
    number, last = found[-1]
    assert number == 33  # it comes back in the 32nd week, of 7 September, after 17 + 14: the third of it
    assert last.rule.since == date(2026, 9, 14)
    assert " on, as there was a rule for it before" in last.evidence
    assert len({one.id for one in desk.found_rules()}) == len(found)

    days = [rule.since for rule in desk.rules(after(40))]
    assert days[0] == date(2026, 3, 16)
    held = history_in_force(desk, [Case("c", "where is it", A, Source.LAUNCH)], {}, after(40)).versions

    def right(day: date) -> list[str]:
        return [one.answer for one in valid_at(held, datetime(day.year, day.month, day.day, tzinfo=desk.zone))]

    assert [right(day) for day in days] == [[B], [A], [B]]
    assert [right(day - timedelta(days=1)) for day in days] == [[A], [B], [A]]


@pytest.mark.parametrize("way", ["propose", "apply"])
def test_a_refused_rule_is_proposed_again_only_once_outcomes_after_the_refusal_show_a_change_by_themselves(
    tmp_path, monkeypatch, way
):
    desk = agreed(tmp_path, monkeypatch, rules=way, relabel=[], base_model={"path": "models/nowhere"})
    # three odd weeks, which the shop was testing, then the old policy for three months, and the new one for good
    found = played(desk, (5, A, A), (3, A, B), (12, A, A), (8, A, B), answer=False)
    (first, refused), (second, again) = found
    assert (first, second) == (7, 22)  # the third week of three: 60 of 80 in the four newest
    assert (refused.by, again.by) == (ITSELF if way == "apply" else None, None)  # people said no once: they are asked
    assert [one.state for one in desk.found_rules()] == ["refused by ada"] * 2
    assert again.rule.since == date(2026, 6, 29)


def test_whatever_goes_on_as_it_was_when_people_answered_is_not_asked_about_again(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, rules="propose", relabel=[], base_model={"path": "models/nowhere"})
    assert len(played(desk, (5, A, A), (20, A, B), answer=False)) == 1


def test_a_review_that_is_done_again_proposes_nothing_again(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, rules="propose", relabel=[], base_model={"path": "models/nowhere"})
    found = played(desk, *SPRING, *SUMMER, *AUTUMN, answer=True)
    assert all(earlier.proposed < later.proposed for (_, earlier), (_, later) in pairwise(found))
    for number in range(45):
        assert propose_rules(desk, review_week(desk, after(number + 1))) == []
