"""When do outcomes speak once more for a rule that was settled?"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tests.cases.test_relabel_rules import AFTER, BEFORE, BERLIN, weeks
from tests.texts import case
from upkeep.cases.case import valid_at
from upkeep.cases.label_history import label_history
from upkeep.cases.relabel_rules import Found, becomes, changed
from upkeep.cases.settled_rules import contradicted_again, settled
from upkeep.config import Relabel
from upkeep.statistics.rates import Rate

SPRING, SUMMER, AUTUMN = date(2026, 3, 16), date(2026, 6, 22), date(2026, 9, 28)
THERE, BACK = Relabel(old="a", new="b", since=SPRING), Relabel(old="b", new="a", since=SUMMER)
AGAIN = Relabel(old="a", new="b", since=AUTUMN)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


def day(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=BERLIN)


def proposed(rule: Relabel, turn: int = 1) -> Found:
    return Found(rule, "2026-W13", day(3, 30), "9 of 9", turn=turn)


def accepted(rule: Relabel, at: datetime) -> Found:
    return proposed(rule).decide(accepted=True, by="ada", at=at)


@pytest.mark.parametrize(
    ("given", "found", "moment"),
    [
        ([], [proposed(THERE)], None),  # it waits for an answer
        ([], [accepted(THERE, day(4, 2))], day(4, 2)),
        ([], [accepted(AGAIN, day(4, 2))], day(9, 28)),  # accepted in advance
        ([], [proposed(THERE).decide(accepted=False, by="ada", at=day(4, 2))], day(4, 2)),
        ([THERE], [], day(3, 16)),
        ([], [accepted(THERE, day(4, 2)), accepted(BACK, day(7, 1))], day(6, 22)),
        ([BACK], [accepted(THERE, day(7, 1))], day(7, 1)),
        ([THERE, BACK], [], day(6, 22)),
        ([THERE, BACK], [proposed(AGAIN)], None),
        ([THERE, BACK.model_copy(update={"since": date(2026, 12, 1)})], [], day(3, 16)),  # not yet in force
        ([THERE, BACK.model_copy(update={"text": "tent"})], [], day(3, 16)),  # for a part only
    ],
)
def test_outcomes_of_after_what_settled_a_rule_speak_for_another_one(given, found, moment):
    assert settled(given, found, at=NOVEMBER, zone=BERLIN)["a", "b"] == moment


def test_a_rule_for_a_part_of_a_label_settles_nothing_for_all_of_it():
    part = THERE.model_copy(update={"theme": ("my tent leaks",)})
    assert settled([], [proposed(part), accepted(part, day(4, 2))], at=NOVEMBER, zone=BERLIN) == {}


def told(run, moment):
    return [
        (one.old, one.new, one.now.n, one.before.n) for one, _ in contradicted_again(run, {("a", "b"): moment}, BERLIN)
    ]


def test_only_the_weeks_after_it_speak_and_they_have_to_do_so_by_themselves():
    run = weeks((10, BEFORE), (12, AFTER))  # week 11, from 9 March
    assert not told(run, day(3, 30))  # it goes on as it was when somebody answered
    assert not told(run, None)
    back = weeks((10, BEFORE), (4, AFTER), (8, BEFORE), (4, AFTER))
    assert told(back, day(4, 1)) == [("a", "b", 12, 24)]  # 3 a week: 4 weeks now, and the 8 from 6 April before them
    assert told(back, day(5, 4)) == [("a", "b", 12, 12)]  # from 4 May on 4 weeks are left before, the fewest that count
    assert not told(back, day(5, 5))
    assert not told(back[:-2], day(4, 1))  # 6 of 12 are not beyond chance yet


def test_what_was_never_settled_is_not_looked_at_again():
    back = weeks((10, BEFORE), (4, AFTER), (8, BEFORE), (4, AFTER))
    assert not list(contradicted_again(back, {("a", "c"): day(4, 1)}, BERLIN))


def test_a_share_that_was_large_fell_and_rose_again_changed_when_it_rose():
    # the 13 weeks of the old policy are more than the 8 between: the fall parts the weeks better than the rise does
    shares = [Rate(10, 10)] * 13 + [Rate(0, 10)] * 8 + [Rate(10, 10)] * 4
    run = [(f"2026-W{number:02}", share) for number, share in enumerate(shares, start=1)]
    assert changed(run, BERLIN) == date(2026, 6, 1)  # after week 22, from 25 May


def test_rules_that_go_back_and_forth_give_the_answer_of_each_day_in_the_order_of_their_days():
    asked = [case(1, "a"), case(2, "b", at=day(5, 1)), case(3, "a", at=day(8, 1)), case(4, "c")]
    history = label_history(asked, rules=[AGAIN, THERE, BACK], decided={}, moment=NOVEMBER, zone=BERLIN)

    def right(at: datetime) -> dict[str, str]:
        return {one.id.partition("@")[0]: one.answer for one in valid_at(history.versions, at)}

    assert right(day(3, 15)) == {"1": "a", "4": "c"}
    assert right(day(3, 16)) == {"1": "b", "4": "c"}
    assert right(day(6, 21)) == {"1": "b", "2": "b", "4": "c"}
    assert right(day(6, 22)) == {"1": "a", "2": "a", "4": "c"}
    assert right(day(9, 27)) == {"1": "a", "2": "a", "3": "a", "4": "c"}
    assert right(day(9, 28)) == {"1": "b", "2": "b", "3": "b", "4": "c"}
    assert [becomes("a", rules) for rules in ([THERE], [BACK, THERE], [AGAIN, BACK, THERE])] == ["b", "a", "b"]
    # nobody ruled that it went back, and what was answered in between is outdated all the same
    between = label_history(asked, rules=[THERE, AGAIN], decided={}, moment=NOVEMBER, zone=BERLIN).versions
    assert sorted(one.answer for one in valid_at(between, NOVEMBER)) == ["b", "b", "b", "c"]


def test_rules_for_the_same_labels_have_ids_of_their_own_and_the_first_one_has_the_one_it_had():
    themed = THERE.model_copy(update={"theme": ("2",)})
    found = [proposed(THERE), proposed(AGAIN, turn=2), proposed(AGAIN, turn=3), proposed(themed)]
    assert len({one.id for one in found}) == 4
    assert found[0].id == "59b271ae"  # of "a", NUL and "b", by `printf 'a\0b' | sha256sum`
    moved = found[1].decide(accepted=True, by="ada", at=day(10, 1), since=date(2026, 9, 21))
    assert moved.id == found[1].id
