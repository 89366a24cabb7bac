"""Is a retrain that a traffic incident held back asked for once the weeks after it ask for one too, and told once?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.audited import BURST, FIRST, agreed, serve, serve_burst
from upkeep.desk import Desk, desk_of, open_desk
from upkeep.home import configs
from upkeep.monitoring.review import Review
from upkeep.stages.contract import change_orders, order_if_extra
from upkeep.stages.incidents import Event, compose, mark_told, news, untold
from upkeep.stages.monitoring import review_week
from upkeep.stages.troubles import RETRAIN, RETRAIN_LATER, note_troubles, open_troubles, troubles
from upkeep.tiers import load_tiers

OUTLASTED = "accuracy alarm outlasted the traffic incident's first week, a retrain is recommended now"


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    """A client in tier 1 in the week after one with a burst, which has just been reviewed."""
    desk = agreed(tmp_path, monkeypatch)
    serve_burst(desk)
    review(desk, BURST)
    return desk


def review(desk: Desk, week: int) -> Review:
    found = review_week(desk, FIRST + timedelta(weeks=week + 1))
    note_troubles(desk, found)
    order_if_extra(desk, found)
    return found


def deliver(desk: Desk, channel: str) -> list[tuple[str, Event, str]]:
    """What a channel is told now: of which incident, the event and the title."""
    told = [one for one, _ in untold(desk, [channel])]
    for one in told:
        mark_told(desk, one, channel)
    return [(one.incident, one.event, compose(desk, one, one.at).title) for one in told]


def test_the_review_in_which_a_held_back_retrain_is_recommended_tells_it_once_and_opens_the_change_order(desk):
    ((incident, event, _),) = deliver(desk, "ops")
    assert (incident, event, change_orders(desk)) == ("2026-W12-accuracy", Event.OPENED, [])
    serve(desk, BURST + 1, wrong=75, n=150)
    found = review(desk, BURST + 1)
    assert (found.retrain_recommended, [one.as_of for one in change_orders(desk)]) == (True, [found.as_of])
    title = f"Northwind Outdoors: calibration loss opened; {OUTLASTED}; 2 more going on"
    text = compose(desk, news(desk)[-1], FIRST).text
    assert deliver(desk, "ops") == [(incident, Event.CONTINUING, title)]
    # 225 of 450 and 75 of 150
    assert "accuracy 50.0% (95% CI 46.0%..54.0%, n=600) in 2026-W12..2026-W13 is below the agreed 90.0%" in text
    assert "- input shift, since 2026-W12\n- traffic incident, since 2026-W12\n\n" in text
    assert f"\n\n{RETRAIN}\n\nA retrain would be a change order: tier 'monitoring' includes no retrain.\n" in text
    serve(desk, BURST + 2, wrong=75, n=150)
    review(desk, BURST + 2)
    assert (deliver(desk, "ops"), len(change_orders(desk))) == ([], 1)


def test_reviewing_the_weeks_again_tells_and_changes_nothing(desk):
    serve(desk, BURST + 1, wrong=75, n=150)
    review(desk, BURST + 1)
    deliver(desk, "ops")
    before = troubles(desk), change_orders(desk)
    for week in range(BURST + 2):
        review(desk, week)
    assert ((troubles(desk), change_orders(desk)), deliver(desk, "ops")) == (before, [])


def test_a_review_from_before_it_said_what_is_held_asks_for_nothing_when_it_is_run_again(desk):
    found = review_week(desk, FIRST + timedelta(weeks=BURST + 1))
    old = replace(found, findings=tuple(replace(one, held=False) for one in found.findings))
    assert note_troubles(desk, old) == []


def test_a_run_that_was_killed_before_it_noted_that_is_made_good_by_the_next_review(desk):
    deliver(desk, "ops")
    for week in (1, 2):
        serve(desk, BURST + week, wrong=75, n=150)
    review_week(desk, FIRST + timedelta(weeks=BURST + 2))
    review(desk, BURST + 2)
    ((incident, event, title),) = deliver(desk, "ops")
    assert (incident, event, OUTLASTED in title) == ("2026-W12-accuracy", Event.CONTINUING, True)


def test_where_the_burst_is_over_and_nothing_else_is_wrong_no_retrain_is_recommended(desk):
    deliver(desk, "ops")
    told = []
    for week in (1, 2):
        serve(desk, BURST + week, wrong=6, n=150)
        assert not review(desk, BURST + week).retrain_recommended
        told += [title.removeprefix("Northwind Outdoors: ") for *_, title in deliver(desk, "ops")]
    assert told == ["calibration loss opened; 3 more going on", "accuracy alarm closed; 3 more going on"]
    assert change_orders(desk) == []


def test_what_was_recommended_is_known_as_of_each_moment_and_for_good(desk):
    serve(desk, BURST + 1, wrong=75, n=150)
    then, now = FIRST + timedelta(weeks=BURST + 1), review(desk, BURST + 1).as_of

    def recommended(at):
        return [one.action for one in open_troubles(desk, at) if one.subject == "accuracy"]

    assert (recommended(then), recommended(now)) == ([RETRAIN_LATER], [RETRAIN])
    serve(desk, BURST + 2, wrong=0, n=150, version="2")
    review(desk, BURST + 2)
    assert (recommended(then), recommended(now)) == ([RETRAIN_LATER], [RETRAIN])


def test_each_client_hears_of_its_own_in_one_message_and_what_its_tier_includes(desk):
    other = open_desk("brightbill")  # tier 2, and its auto-resolution is agreed too
    serve_burst(other)
    review(other, BURST)
    first = desk_of(desk.agreement.model_copy(update={"tier": load_tiers(configs()).tiers[3]}))
    for one in (first, other):
        deliver(one, "ops")
    serve(other, BURST + 1, wrong=75, n=150)
    review(other, BURST + 1)
    text = compose(other, news(other)[-1], FIRST).text
    ((*_, title),) = deliver(other, "ops")
    assert f"accuracy alarm and auto-resolution alarm {OUTLASTED.removeprefix('accuracy alarm ')}" in title
    assert "The tier 'monitoring and quarterly retrain' includes a retrain in 2026-Q1." in text
    assert change_orders(other) == deliver(first, "ops") == []
    serve(first, BURST + 1, wrong=75, n=150)
    review(first, BURST + 1)
    text = compose(first, news(first)[-1], FIRST).text
    assert "includes a retrain in 2026-03.\n\nThe contract includes a priority response." in text
