"""What does an alert recommend that is told after the retrain which it asks for?"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.released import DECIDED, OUTCOMES, decide, released_desk, released_template, swapped  # noqa: F401
from upkeep.desk import Desk
from upkeep.stages.approval import approve, refuse
from upkeep.stages.incidents import News, compose
from upkeep.stages.troubles import RETRAIN, RETRAIN_LATER, Trouble

NOW = DECIDED + timedelta(hours=1)
BEFORE, AFTER = DECIDED - timedelta(days=1), DECIDED + timedelta(minutes=1)
WAITS = (
    "Version 2 won in 2026-03 and waits for approval until 2026-04-01: `upkeep approve northwind 2026-03 --by NAME "
    "--reason WHY`, or the deployment `approval`."
)


def advice(desk: Desk, seen: datetime, *, action: str = RETRAIN, now: datetime = NOW) -> list[str]:
    """What the alert of a review recommends, after what it has seen."""
    alarm = Trouble("accuracy", "2026-W09", "1", seen, "accuracy 40% is below the agreed 90%", action)
    alert = compose(desk, News(alarm.key, seen, began=(alarm,), asking=(), over=(), going_on=()), now)
    return alert.text.strip().split("\n\n")[1:]


@pytest.mark.parametrize("action", [RETRAIN, RETRAIN_LATER])
def test_where_its_challenger_won_and_waits_the_alert_says_that_and_recommends_no_other(desk, action):
    assert advice(desk, BEFORE, action=action) == [WAITS]


def test_where_its_challenger_is_in_service_meanwhile_the_alert_says_that(desk):
    approve(desk, "2026-03", by="ada", reason="", at=NOW)
    assert advice(desk, BEFORE) == ["Version 2, of a retrain since then, is in service."]


def test_what_was_seen_after_the_retrain_asks_for_another_beside_the_one_that_waits(desk):
    found = advice(desk, AFTER)
    assert (found[0], found[-1], len(found)) == (RETRAIN, WAITS, 3)


def test_where_its_challenger_has_expired_has_lost_or_was_refused_one_is_recommended_as_before(desk):
    found = [advice(desk, BEFORE, now=DECIDED + timedelta(days=40))]
    decide(desk, outcomes=swapped(OUTCOMES))
    found.append(advice(desk, BEFORE))
    decide(desk)
    refuse(desk, "2026-03", by="ada", reason="sale", at=NOW)
    found.append(advice(desk, BEFORE))
    assert [one[0] for one in found] == [RETRAIN] * 3
    assert WAITS not in {line for one in found for line in one}
