"""A promoted model that does worse than the one before is found out, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tests.audited import FIRST, reviewed, serve
from tests.released import BEGUN, decide, released_desk, released_template  # noqa: F401 -- fixtures
from tests.small_client import configure
from tests.weeks import week as ordinary
from upkeep.chain import watch
from upkeep.config import Rollback, load_agreement
from upkeep.desk import desk_of
from upkeep.errors import ConfigError
from upkeep.monitoring.probation import SUBJECT, WEEKS, on_probation
from upkeep.release import Action
from upkeep.stages.approval import approve
from upkeep.stages.incidents import compose, news
from upkeep.stages.monitoring import go_back_if_worse, review_week
from upkeep.stages.release import in_service, release_log, roll_back
from upkeep.stages.troubles import troubles
from upkeep.statistics.rates import Rate


def week(number: int, version: str, hits: int, n: int = 100):
    nothing = Rate(0, 0)
    counted = replace(
        ordinary(0), model_version=version, accuracy=Rate(hits, n), auto_resolution=nothing, precision=nothing
    )
    return f"2026-W{number:02}", counted


def judged(*weeks, spread=0.0, minimum=50):
    return on_probation(weeks, version="2", previous="1", spread=spread, minimum=minimum)


def test_the_chance_of_a_loss_is_that_of_two_pooled_shares():
    # 90 of 100 against 80 of 100: pooled .85, sd = sqrt(.85 * .15 * .02) = .0505, z = .1 / .0505 = 1.980, P = .0238
    found = judged(week(1, "1", 90), week(2, "2", 80))
    assert found.chance == pytest.approx(0.0238, abs=1e-4)
    assert not found.worse
    # with a spread of 2 points, one week each: sd = sqrt(.0505 ** 2 + .02 ** 2 * 2) = .0579, z = 1.728, P = .0420
    assert judged(week(1, "1", 90), week(2, "2", 80), spread=0.02).chance == pytest.approx(0.0420, abs=1e-4)


def test_a_model_whose_weeks_differed_more_than_assumed_leaves_more_room_for_the_next():
    calm = [week(n, "1", 900, 1000) for n in range(1, 27)]
    restless = [week(n, "1", 960 if n % 2 else 840, 1000) for n in range(1, 27)]  # sd 6 points, 90 % in all
    now = week(27, "2", 800, 1000)
    assert judged(*calm, now, spread=0.02).worse
    assert not judged(*restless, now, spread=0.02).worse


def test_a_clear_loss_is_worse_and_told_with_both_figures():
    found = judged(*(week(n, "1", 90) for n in range(1, 5)), week(5, "2", 70), week(6, "2", 70), spread=0.02)
    assert found.worse
    assert (found.now, found.before, found.weeks) == (Rate(140, 200), Rate(360, 400), ("2026-W05", "2026-W06"))
    assert str(found).startswith("version 2: accuracy 70.0%")
    assert " in 2026-W05..2026-W06, version 1 had 90.0%" in str(found)


def test_nothing_is_said_of_few_labels_of_no_model_before_and_after_probation():
    assert judged(week(1, "1", 90), week(2, "2", 20, 40)) is None
    assert judged(week(1, "2", 70), week(2, "2", 70)) is None
    assert judged(week(1, "2", 70), week(2, "1", 90)) is None  # what came later is no model before
    many = [week(2 + n, "2", 70) for n in range(WEEKS)]
    assert judged(week(1, "1", 90), *many).worse
    assert judged(week(1, "1", 90), *many, week(2 + WEEKS, "2", 70)) is None


def test_an_equal_model_is_seldom_called_worse():
    rng, called = np.random.default_rng(0), 0
    for _ in range(2000):
        shares = np.clip(rng.normal(0.87, 0.02, 16), 0, 1)
        hits = rng.binomial(100, shares)
        weeks = [week(n + 1, "1" if n < 8 else "2", int(hit)) for n, hit in enumerate(hits)]
        called += any(judged(*weeks[:upto], spread=0.02).worse for upto in range(9, 17))
    assert called / 2000 < 0.01


def test_a_review_recommends_to_go_back_and_closes_when_that_is_done(desk):
    found = lived_through(desk)
    assert found.subject == SUBJECT
    assert found.text.startswith("version 2: accuracy 50.0%")
    assert "recommend to go back to the version before" in found.action
    last = review_week(desk, FIRST + timedelta(weeks=6))
    assert go_back_if_worse(desk, last) is None  # nobody agreed to that
    assert in_service(desk) == "2"
    serve(desk, 6, wrong=3)
    (closed,) = [one for one in reviewed(desk, 6) if one.subject == SUBJECT]
    assert closed.end == "Version 1 is in service now"


def test_where_it_was_agreed_the_model_before_comes_back_by_itself(desk):
    agreed = desk.agreement.model_copy(
        update={"client": desk.client.model_copy(update={"rollback": Rollback.AUTOMATIC})}
    )
    automatic = desk_of(agreed)
    lived_through(automatic)
    last = review_week(automatic, FIRST + timedelta(weeks=6))
    assert "`upkeep rollback northwind --to 1 --by NAME" in told_of_the_doubt(automatic)
    done = go_back_if_worse(automatic, last)
    assert (done.action, done.version, done.by) == (Action.ROLLBACK, "1", "probation")
    told = told_of_the_doubt(automatic)  # to go back once more would be one model too far
    assert "Version 1 has been put back into service; nothing is to be done." in told
    assert "upkeep rollback" not in told
    (then,) = (one for one in troubles(automatic, at=done.at - timedelta(hours=1)) if one.subject == SUBJECT)
    assert "upkeep rollback" in then.action  # a brief of the past that is written now knows no more
    assert go_back_if_worse(automatic, last) is None
    assert len(release_log(automatic)) == 3


def test_a_model_that_cannot_come_back_by_itself_is_told_and_holds_up_no_review(desk):
    automatic = desk_of(
        desk.agreement.model_copy(update={"client": desk.client.model_copy(update={"rollback": Rollback.AUTOMATIC})})
    )
    key = "releases/models/1/known.jsonl"
    desk.store.write(key, desk.store.read(key).replace(b'"output":"', b'"output":"x_'))
    lived_through(automatic)
    for one in desk.store.keys("incidents/"):
        desk.store.delete(one)
    watched = watch(automatic, FIRST + timedelta(weeks=5))
    said = str(watched.noted.back)
    assert said.startswith("could not go back to version 1: client northwind: version 1 answers 10 of 10 known inputs")
    assert said in troubles(desk)[-1].action
    assert len(release_log(desk)) == 2
    assert list(desk.store.keys("collections/"))


def test_a_past_review_that_is_done_again_does_not_undo_what_a_person_did_since(desk):
    agreed = desk.agreement.model_copy(
        update={"client": desk.client.model_copy(update={"rollback": Rollback.AUTOMATIC})}
    )
    automatic = desk_of(agreed)
    lived_through(automatic)
    moment = FIRST + timedelta(weeks=6)
    assert go_back_if_worse(automatic, review_week(automatic, moment))
    # dated to the day, which is before the review's hour
    back = roll_back(automatic, by="ada", reason="the requests were harder", at=moment - timedelta(hours=9), to="2")
    assert go_back_if_worse(automatic, review_week(automatic, moment + timedelta(days=3))) is None
    assert (in_service(automatic), release_log(automatic)[-1]) == ("2", back)


def told_of_the_doubt(desk) -> str:
    (found,) = (one for one in news(desk) if any(it.subject == SUBJECT for it in one.began))
    return compose(desk, found, found.at).text


def lived_through(desk):
    """Four weeks of version 1, 5 % wrong, and two of version 2, half wrong; returns what the last review opened."""
    made = decide(desk, "2026-03", at=BEGUN + timedelta(weeks=4))
    for number in range(4):
        serve(desk, number, wrong=3)
        assert not [one for one in reviewed(desk, number) if one.subject == SUBJECT]
    approve(desk, made.period, by="ada", reason="looks right", at=FIRST + timedelta(weeks=4))
    for number in (4, 5):
        serve(desk, number, wrong=30, version="2")
        opened = [one for one in reviewed(desk, number) if one.subject == SUBJECT]
        if opened:
            return opened[0]
    raise AssertionError("nothing was opened")


def test_going_back_by_itself_needs_a_tier_that_includes_it(tmp_path, monkeypatch):
    folder = configure(tmp_path / "configs", monkeypatch, tier=2, rollback="automatic")
    with pytest.raises(ConfigError, match=r"rollback is 'automatic', expected 'recommend': tier 2 includes no more"):
        load_agreement(folder, "northwind")
    folder = configure(tmp_path / "third", monkeypatch, tier=3, rollback="automatic")
    assert load_agreement(folder, "northwind").client.rollback is Rollback.AUTOMATIC


def test_the_budget_of_false_alarms_is_shared_by_all_weeks_and_both_figures():
    # 1 % / 8 / 2 = 0.000625; of 100 against 90 of 100: 72 has a chance of 0.00059, 73 of 0.00098
    assert judged(week(1, "1", 90), week(2, "2", 72)).worse
    assert not judged(week(1, "1", 90), week(2, "2", 73)).worse


def test_where_another_model_answers_again_nothing_is_said_and_in_a_silent_week_it_goes_on():
    before, bad = week(1, "1", 90), week(2, "2", 70)
    assert judged(before, bad, week(3, "1", 90)) is None
    assert judged(before, bad, week(3, None, 0, 0)) == judged(before, bad)


def test_a_model_is_compared_with_the_last_weeks_of_the_one_before_and_of_no_other():
    early, late = [week(n, "1", 50) for n in range(1, 3)], [week(n, "1", 90) for n in range(3, 11)]
    assert judged(*early, *late, week(11, "2", 80)).before == Rate(720, 800)
    assert judged(week(1, "0", 20), week(2, "1", 90), week(3, "2", 80)).before == Rate(90, 100)


def test_few_labels_of_the_model_before_are_too_few_as_well():
    assert judged(week(1, "1", 36, 40), week(2, "2", 20)) is None
    assert judged(week(1, "1", 45, 50), week(2, "2", 20)).worse


def test_a_week_without_labels_makes_nobody_surer():
    # as with one week each: z = 1.728
    assert judged(week(1, "1", 90), week(2, "2", 80), week(3, "2", 0, 0), spread=0.02).chance == pytest.approx(
        0.0420, abs=1e-4
    )


def test_the_figure_that_is_more_in_doubt_is_told():
    weeks = [
        (key, replace(figures, auto_resolution=Rate(hits, 100)))
        for (key, figures), hits in ((week(1, "1", 90), 80), (week(2, "2", 89), 50))
    ]
    found = judged(*weeks)
    assert (found.figure, found.now, found.before, found.worse) == (
        "auto-resolution",
        Rate(50, 100),
        Rate(80, 100),
        True,
    )


def test_answers_of_a_version_that_was_trained_and_never_put_into_service_are_data_trouble(desk):
    decide(desk, "2026-03", at=BEGUN + timedelta(weeks=4))
    serve(desk, 0, wrong=3, version="2")
    (change,) = review_week(desk, FIRST + timedelta(weeks=1)).changes
    assert change.text == "model version '2' answered 60 requests, but released were only ['1']"
