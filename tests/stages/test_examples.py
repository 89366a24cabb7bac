"""Is each kind of trouble shown by requests that are about it?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.audited import FIRST, agreed, agreed_on, reviewed, serve
from upkeep.config import Thresholds
from upkeep.desk import Desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.monitoring.trouble import Change, Kind
from upkeep.stages.incidents import compose, news
from upkeep.stages.monitoring import review_week
from upkeep.stages.troubles import Trouble, note_troubles

DAY = timedelta(days=1)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    return agreed(tmp_path, monkeypatch)


def begun(desk: Desk, *changes: Change, week: int = 0) -> tuple[Trouble, ...]:
    """The troubles that a week's review begins where it has found some changes."""
    found = review_week(desk, FIRST + timedelta(weeks=week + 1))
    return tuple(note_troubles(desk, replace(found, changes=changes)))


def told(desk: Desk) -> str:
    return compose(desk, news(desk)[0], FIRST).text


def ask(desk: Desk, id: str, text: str, output: str | None, *, days: int = 0, sure: float = 0.9) -> None:
    at = FIRST + days * DAY
    write_predictions(desk.store, [Prediction(id, at, text, output, sure, "1", output is not None)], name=id)


def test_a_moved_mix_is_shown_by_requests_that_got_the_answer_which_moved(desk):
    serve(desk, 0, wrong=2)
    serve(desk, 1, wrong=2)
    for number, days in enumerate((0, 7)):
        ask(desk, f"new-{number}", f"Tent or tarp {number}, ask ada@example.com", "size_advice", days=days)
    mix = Change(Kind.LABEL_MIX, "'size_advice' was 3%", "Check it.", 62, weeks=2, label="size_advice")
    (moved,) = begun(desk, mix, week=1)
    assert moved.examples == tuple(f"“Tent or tarp {n}, ask [e-mail]” was answered size_advice" for n in (1, 0))
    assert f"Among the requests of these weeks:\n\n- {moved.examples[0]}\n- " in told(desk)


def test_where_no_answer_has_moved_most_it_is_shown_by_requests_that_got_none(desk):
    serve(desk, 0, wrong=2)
    ask(desk, "none", "What now", None)
    (moved,) = begun(desk, Change(Kind.LABEL_MIX, "'' was 2%", "Check it.", 61, label=""))
    assert moved.examples == ("“What now” was handed to a person; the model had no answer",)


def test_of_a_mix_that_was_reviewed_before_labels_were_kept_nothing_is_shown(desk):
    serve(desk, 0, wrong=2)
    assert begun(desk, Change(Kind.LABEL_MIX, "'refund' was 3%", "Check it.", 60))[0].examples == ()


def test_lost_calibration_is_shown_by_the_wrong_answers_that_the_model_was_surest_of(desk):
    serve(desk, 0, wrong=0)
    for number, sure in enumerate((0.55, 0.99, 0.7, 0.97)):
        ask(desk, f"w{number}", f"Case {number}", "return_item", days=1, sure=sure)
        said = Outcome(f"w{number}", FIRST + 2 * DAY, OutcomeSource.AUDIT, "refund_status")
        write_outcomes(desk.store, [said], name=f"w{number}")
    (loss,) = begun(desk, Change(Kind.CALIBRATION, "too sure", "Retrain.", 64))
    assert loss.examples == (
        "“Case 1” was answered return_item; right: refund_status (99% sure)",
        "“Case 3” was answered return_item; right: refund_status (97% sure)",
        "“Case 2” was answered return_item; right: refund_status (70% sure)",
    )
    assert "Wrong in these weeks, the surest first:\n\n- “Case 1” was" in told(desk)


def test_more_of_the_same_is_shown_by_some_of_it(desk):
    serve(desk, 0, wrong=2)
    serve(desk, 1, wrong=2, n=90)
    (burst,) = begun(desk, Change(Kind.TRAFFIC, "90 requests", "Find out.", 90), week=1)
    assert (burst.words, len(set(burst.examples))) == ((), 1)  # their numbers are not shown
    assert burst.examples == ("“Where is order [number], ask [e-mail]”",) * 3
    assert "Among the requests of these weeks:\n\n- “Where is order [number], ask [e-mail]”\n\n" in told(desk)


def test_a_busy_day_is_shown_by_its_own_requests(desk):
    serve(desk, 0, wrong=2)
    for number in range(5):
        ask(desk, f"busy-{number}", f"Same as ever {number}", "order_status", days=2)
    busy = Change(Kind.TRAFFIC, "5 requests on Wednesday", "Find out.", 5, day=date(2026, 2, 4))
    (burst,) = begun(desk, busy)
    assert len(burst.examples) == 3
    assert all(one.startswith("“Same as ever ") for one in burst.examples)
    assert "Among the requests of that day:\n\n- “Same as ever " in told(desk)


def unsure(desk: Desk, *, wrong: int) -> None:
    """A week of 50 requests that a person got, all of which the model would have answered wrong, and 100 automatic
    answers, the last of them wrong."""
    for number in range(150):
        handed = number < 50
        at = FIRST + timedelta(minutes=number)
        text = f"{'Odd' if handed else 'Plain'} case"
        source = OutcomeSource.ESCALATION if handed else OutcomeSource.AUDIT
        right = "refund_status" if handed or number >= 150 - wrong else "order_status"
        asked = Prediction(str(number), at, text, "order_status", 0.4 if handed else 0.9, "1", not handed)
        write_predictions(desk.store, [asked], name=asked.id)
        write_outcomes(desk.store, [Outcome(asked.id, at + DAY, source, right)], name=asked.id)


ANSWERED = "“Plain case” was answered order_status; right: refund_status"
HANDED_OVER = "“Odd case” was handed to a person; the model would have answered order_status; right: refund_status"


def test_a_precision_alarm_is_shown_by_automatic_answers_alone(desk):
    desk = agreed_on(desk, Thresholds(precision=0.9))
    unsure(desk, wrong=40)
    (alarm,) = (one for one in reviewed(desk, 0) if one.subject == "precision")
    assert alarm.examples == (ANSWERED,) * 3
    assert f"Wrong in these weeks, among others:\n\n- {ANSWERED}\n" in told(desk)


def test_an_auto_resolution_alarm_is_shown_by_wrong_answers_first_and_then_by_what_a_person_got(desk):
    desk = agreed_on(desk, Thresholds(auto_resolution=0.9))
    unsure(desk, wrong=1)
    (alarm,) = (one for one in reviewed(desk, 0) if one.subject == "auto_resolution")
    assert alarm.examples == (ANSWERED, *("“Odd case” was handed to a person",) * 2)
    assert f"Not resolved automatically in these weeks, among others:\n\n- {ANSWERED}\n" in told(desk)


def test_a_wrong_prediction_that_a_person_got_is_not_called_answered(desk):
    desk = agreed_on(desk, Thresholds(accuracy=0.9))
    unsure(desk, wrong=0)
    checked = [Outcome(str(number), FIRST + 2 * DAY, OutcomeSource.AUDIT, "refund_status") for number in range(50)]
    write_outcomes(desk.store, checked, name="sheet")
    (alarm,) = reviewed(desk, 0)
    assert (alarm.subject, alarm.examples) == ("accuracy", (HANDED_OVER,) * 3)
