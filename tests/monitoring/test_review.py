"""What a week's log says, and when it is an alarm."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from upkeep import records
from upkeep.adapters.store import open_store
from upkeep.config import Thresholds, load_client
from upkeep.entitlement import ChangeOrder, Claim, entitled
from upkeep.log.entries import LogWindow, Outcome, OutcomeSource, Prediction, Quarantined
from upkeep.monitoring.alarms import State
from upkeep.monitoring.figures import Basis, figures
from upkeep.monitoring.judgement import Metric, Status
from upkeep.monitoring.review import Review, review
from upkeep.monitoring.trouble import Kind
from upkeep.statistics.rates import Rate

CONFIGS = Path(__file__).parents[2] / "configs"
START = datetime(2026, 2, 2, tzinfo=UTC)
CLIENT = load_client(CONFIGS, "northwind").model_copy(
    update={"labels": ("a", "b"), "thresholds": Thresholds(accuracy=0.9), "minimum_labels": 50}
)


def prediction(number: int, output: str = "a", *, automatic: bool = True, version: str = "1") -> Prediction:
    at = START + timedelta(minutes=number)
    return Prediction(str(number), at, f"text {number}", output, 0.8, version, automatic, None, {})


def outcome(number: int, answer: str | None = "a", source=OutcomeSource.AUDIT, correct: bool | None = None) -> Outcome:
    return Outcome(str(number), START + timedelta(days=1, minutes=number), source, answer, correct)


def window(predictions, outcomes) -> LogWindow:
    found: dict[str, list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(one.prediction_id, []).append(one)
    return LogWindow(list(predictions), found, [])


def week(right: int, wrong: int, *, version: str = "1"):
    rows = [prediction(number, version=version) for number in range(right + wrong)]
    return figures(window(rows, [outcome(n, "a" if n < right else "b") for n in range(right + wrong)]), CLIENT)


def judged(now, *earlier):
    before: list[Review] = []
    for number, one in enumerate(earlier, 1):
        before.append(review(CLIENT, week=f"2026-W0{number}", as_of=START, figures=one, earlier=before))
    return review(CLIENT, week="2026-W09", as_of=START, figures=now, earlier=before)


def test_rows_that_cannot_be_used_are_told_by_field_with_a_reason_of_the_worst_and_where_they_are():
    times = [f"timestamp: found {found}, expected a time" for found in ("None", "'noon'", "'noon'")]
    reasons = [*times, *["id: found None, expected a text"] * 2]
    bad = [Quarantined("a.jsonl", line, reason, "{}") for line, reason in enumerate(reasons)]
    found = judged(figures(window([], [])._replace(quarantined=bad), CLIENT))
    assert found.unusable == (
        "5 log rows cannot be used (timestamp 3, id 2), such as `timestamp: found 'noon', expected a time`; "
        "see quarantine/2026-W09.jsonl in the client's store"
    )
    assert judged(week(9, 1)).unusable is None


def test_of_the_rows_that_cannot_be_used_the_outcomes_are_told_apart_and_so_are_the_good_ones():
    bad = [
        Quarantined(f"log/{part}/2026-03-02/a.jsonl", 1, "timestamp: x", "{}") for part in ("predictions", "outcomes")
    ]
    found = figures(window([], [])._replace(quarantined=bad, given=7), CLIENT)
    assert (found.quarantined, found.bad_outcomes, found.given) == ({"timestamp": 2}, {"timestamp": 1}, 7)


def test_quality_is_counted_on_the_audit_sample_and_not_on_what_was_escalated():
    rows = [prediction(number, automatic=number >= 4) for number in range(10)]
    escalated = [outcome(number, "b", OutcomeSource.ESCALATION) for number in range(4)]  # all of them wrong
    audited = [outcome(4), outcome(5), outcome(6), outcome(7, "b")]
    found = figures(window(rows, escalated + audited), CLIENT)
    assert found.basis is Basis.AUDIT
    assert found.accuracy == Rate(3, 4)
    assert found.precision == Rate(3, 4)
    assert found.escalation == Rate(4, 10)
    assert found.labelled == Rate(8, 10)


def test_where_nearly_everything_is_labelled_everything_counts():
    rows = [prediction(number) for number in range(10)]
    complaints = [outcome(number, source=OutcomeSource.CUSTOMER) for number in range(9)]
    found = figures(window(rows, complaints), CLIENT)
    assert (found.basis, found.accuracy) == (Basis.ALL, Rate(9, 9))


def test_an_audit_to_speak_of_is_not_replaced_by_the_labels_of_nine_in_ten():
    rows = [prediction(number) for number in range(200)]  # of the last ten, all wrong, only audits tell
    told = [outcome(number, source=OutcomeSource.CUSTOMER) for number in range(190)]
    audited = [outcome(number, "a" if number < 190 else "b") for number in range(2, 200, 8)]
    found = figures(window(rows, [*told, *audited]), CLIENT)
    assert (found.labelled, len(audited), found.basis) == (Rate(191, 200), 25, Basis.AUDIT)
    assert found.accuracy == Rate(24, 25)
    everything = [outcome(number, "b", OutcomeSource.CUSTOMER) for number in range(190, 199)]
    assert figures(window(rows, [*told, *audited, *everything]), CLIENT).basis is Basis.ALL


def test_where_most_go_to_a_person_the_automatic_answers_are_not_counted_by_their_complaints():
    rows = [prediction(number, automatic=number >= 95) for number in range(100)]  # 5 automatic, one of them wrong
    told = [outcome(number, source=OutcomeSource.ESCALATION) for number in range(95)]
    told.append(outcome(99, "b", OutcomeSource.CUSTOMER))
    found = figures(window(rows, [*told, outcome(95), outcome(0)]), CLIENT)  # 97 of 100 labelled, two of them audited
    assert (found.basis, found.accuracy, found.precision) == (Basis.AUDIT, Rate(2, 2), Rate(1, 1))


def test_a_slice_that_is_not_nearly_all_labelled_is_counted_on_its_audit():
    client = CLIENT.model_copy(update={"review_by": ("channel",)})
    rows = [replace(prediction(n), metadata={"channel": "app" if n < 10 else "mail"}) for n in range(200)]
    told = [outcome(number, source=OutcomeSource.CUSTOMER) for number in range(10, 200)]
    found = figures(window(rows, [*told, outcome(0, "b", OutcomeSource.CUSTOMER), outcome(1)]), client)
    assert (found.basis, found.accuracy) == (Basis.ALL, Rate(191, 192))
    app = found.slices["channel"]["app"]
    assert app.accuracy == Rate(1, 1)  # not 1 of 2, of which one came by its complaint
    assert (app.macro_f1, round(app.calibration_error, 6)) == (1, 0.2)  # right and 80 % sure; of both it would be 1 / 3


def test_escalations_alone_give_no_figure():
    rows = [prediction(number, automatic=number > 2) for number in range(10)]
    found = figures(window(rows, [outcome(n, "b", OutcomeSource.ESCALATION) for n in range(3)]), CLIENT)
    assert (found.basis, found.accuracy, found.auto_resolution) == (Basis.NONE, Rate(0, 0), Rate(0, 0))


def test_a_request_no_label_fits_is_right_when_a_person_got_it():
    rows = [prediction(0, automatic=False), prediction(1, automatic=True)]
    found = figures(window(rows, [outcome(0, "oos"), outcome(1, "oos")]), CLIENT)
    assert found.accuracy == Rate(1, 2)
    assert found.auto_resolution == Rate(0, 2)


def test_right_or_wrong_without_an_answer_counts_too():
    told = [outcome(0, None, correct=True), outcome(1, None, correct=False)]
    found = figures(window([prediction(0), prediction(1)], told), CLIENT)
    assert found.accuracy == Rate(1, 2)


def test_only_the_model_in_service_is_judged_and_unknown_answers_are_listed():
    rows = [prediction(0, version="1"), prediction(1, version="2"), prediction(2, version="2")]
    found = figures(window(rows, [outcome(0, "b"), outcome(1, "new"), outcome(2)]), CLIENT)
    assert (found.model_version, found.accuracy, found.requests) == ("2", Rate(1, 2), 3)
    assert found.unknown_labels == {"new": 1}
    late = figures(window(rows, [outcome(0, "new"), outcome(2)]), CLIENT)  # as `labelled`: of the model in service
    assert (late.unknown_labels, late.labelled) == ({}, Rate(1, 2))


def test_personal_data_typed_for_a_label_is_in_no_figure():
    told = [outcome(0, "ask ada@example.org"), outcome(1, "ask bob@example.org"), outcome(2, "FAQ-10023")]
    found = figures(window([prediction(n) for n in range(3)], told), CLIENT)
    assert found.unknown_labels == {"ask [e-mail]": 2, "FAQ-10023": 1}
    assert {one.answer for one in (*found.named, *found.confusion)} == {"ask [e-mail]", "FAQ-10023"}
    learned = figures(window([prediction(0, output="ask ada@example.org")], told[:1]), CLIENT)
    assert learned.unknown_labels == {"ask ada@example.org": 1}  # a model's own answer is a label, whatever is in it


def test_a_stray_answer_at_the_end_of_the_week_does_not_decide_for_which_model_it_is_counted():
    rows = [replace(prediction(n), at=START + timedelta(minutes=15 * n)) for n in range(500)]  # from Monday to Saturday
    stray = replace(prediction(500, version="debug"), at=START + timedelta(days=6, hours=23))
    found = figures(window([*rows, stray], [outcome(number) for number in range(60)]), CLIENT)
    assert (found.model_version, found.accuracy) == ("1", Rate(60, 60))
    assert found.versions == {"1": 500, "debug": 1}
    old = [replace(one, model_version="0") if int(one.id) % 4 == 0 else one for one in rows]  # one of four servers
    assert figures(window(old, []), CLIENT).model_version == "1"


def test_a_model_promoted_within_the_week_is_judged_once_it_answers_most_of_a_days_worth():
    def promoted(at: int) -> str | None:
        rows = [prediction(n, version="2" if n >= at else "1") for n in range(7 * 96)]
        spread = [replace(one, at=START + timedelta(minutes=15 * int(one.id))) for one in rows]
        return figures(window(spread, []), CLIENT).model_version

    # a day's worth are the last 96 of 672; with 48 each the one that answered more in all is in service
    assert [promoted(at) for at in (96, 3 * 96, 623, 624, 671)] == ["2", "2", "2", "1", "1"]


def test_a_threshold_broken_beyond_chance_is_an_alert_and_recommends_a_retrain():
    found = judged(week(70, 30))  # 70 % of 100, 5.5 standard deviations below
    assert [finding.status for finding in found.findings] == [Status.ALERT]
    assert found.retrain_recommended
    assert "below the agreed 90.0%" in found.alerts[0].text


def test_a_shortfall_that_chance_explains_is_no_alert():
    found = judged(week(86, 14))
    assert [finding.status for finding in found.findings] == [Status.OK]
    assert not found.retrain_recommended


def test_a_raised_limit_is_not_applied_to_the_weeks_before_it_was_agreed():
    lower = CLIENT.model_copy(update={"thresholds": Thresholds(accuracy=0.75)})
    before: list[Review] = []

    def reviewed(client, number: int) -> Review:
        before.append(
            review(client, week=f"2026-W{number:02}", as_of=START, figures=week(82, 18), earlier=list(before))
        )
        return before[-1]

    assert not any(reviewed(lower, number).alerts for number in range(1, 9))
    # 82 of 100 is 2 standard deviations below 90 %: once is chance, nine times in a row are not
    raised = reviewed(CLIENT, 9)
    assert [finding.status for finding in raised.findings] == [Status.OK]
    alarmed = next(one for number in range(10, 20) if (one := reviewed(CLIENT, number)).alerts)
    assert alarmed.alerts[0].weeks[0] >= "2026-W09"
    assert "below the agreed 90.0%" in alarmed.alerts[0].text


def test_weeks_of_the_same_model_are_pooled_and_those_of_another_are_not():
    # 80 of 100 is 2.8 standard deviations below: once is chance, four times is not
    weeks = [week(80, 20)] * 3
    assert judged(week(80, 20)).findings[0].status is Status.OK
    together = judged(week(80, 20), *weeks[:2])
    assert together.findings[0].status is Status.ALERT
    assert together.findings[0].observed == Rate(240, 300)
    assert judged(week(80, 20, version="2"), *weeks).findings[0].status is Status.OK


def test_too_few_labels_are_said_to_be_too_few():
    found = judged(week(6, 6))
    assert found.findings[0].status is Status.NOT_ENOUGH_DATA
    assert "accuracy: have 12, need 50" in found.findings[0].text
    assert found.findings[0].metric is Metric.ACCURACY
    client = CLIENT.model_copy(update={"thresholds": Thresholds(escalation=0.2)})  # of every request, labelled or not
    escalation = review(client, week="2026-W09", as_of=START, figures=week(6, 6), earlier=[]).findings[0]
    assert escalation.text == "escalation: have 12, need 50 requests"


def test_a_contract_without_retrains_makes_each_a_change_order_and_a_used_one_says_when_the_next_is():
    from upkeep.tiers import load_tiers

    tiers = load_tiers(CONFIGS).tiers
    at, zone = datetime(2026, 5, 4, tzinfo=UTC), CLIENT.zone
    assert isinstance(entitled(tiers[1], as_of=at, zone=zone, claims={}, reason="x"), ChangeOrder)
    assert entitled(tiers[2], as_of=at, zone=zone, claims={}, reason="x") == Claim("2026-Q2", at, "x")
    used = {"2026-Q2": Claim("2026-Q2", at, "scheduled")}
    assert entitled(tiers[2], as_of=at, zone=zone, claims=used, reason="again") == used["2026-Q2"]
    later = entitled(tiers[2], as_of=at + timedelta(days=1), zone=zone, claims=used, reason="more")
    assert isinstance(later, ChangeOrder)
    assert "used on 2026-05-04 (scheduled)" in later.why_extra
    june = at + timedelta(days=30)
    assert entitled(tiers[3], as_of=june, zone=zone, claims=used, reason="x") == Claim("2026-06", june, "x")


def test_the_newest_answer_counts():
    said = [outcome(0, "b", OutcomeSource.ESCALATION), outcome(0, "a")]
    assert figures(window([prediction(0)], said), CLIENT).accuracy == Rate(1, 1)
    assert figures(window([prediction(0)], said[::-1]), CLIENT).accuracy == Rate(0, 1)


def test_an_empty_log_has_no_figures_and_is_not_judged():
    found = figures(window([], []), CLIENT)
    assert (found.requests, found.model_version, found.basis) == (0, None, Basis.NONE)
    assert [found.accuracy.value, found.escalation.value, found.labelled.value, found.mean_confidence] == [None] * 4
    seen = judged(found)
    assert "have 0, need 50" in seen.findings[0].text
    assert not seen.retrain_recommended


def test_from_the_agreed_number_of_labels_on_a_week_is_judged():
    assert judged(week(0, 49)).findings[0].status is Status.NOT_ENOUGH_DATA
    assert judged(week(0, 50)).findings[0].status is Status.ALERT


def test_too_small_weeks_are_enough_together():
    assert judged(week(12, 0), *[week(12, 0)] * 3).findings[0].status is Status.NOT_ENOUGH_DATA  # 48 in four weeks
    assert judged(week(13, 0), *[week(13, 0)] * 3).findings[0].status is Status.OK  # 52


def test_an_alarm_is_told_with_all_the_weeks_since_it_began():
    found = judged(week(82, 18), week(0, 100), *[week(82, 18)] * 3).findings[0]
    assert found.weeks == ("2026-W01", "2026-W02", "2026-W03", "2026-W04", "2026-W09")
    assert found.observed == Rate(82, 100)
    assert "n=100) in 2026-W09, below the agreed 90.0% since 2026-W01 (one week far out)" in found.text


def test_of_an_alarm_that_goes_on_it_is_told_where_the_newest_week_alone_is_as_it_should_be():
    found = judged(week(95, 5), week(0, 100), *[week(82, 18)] * 3).findings[0]
    assert found.text.endswith("since 2026-W01 (one week far out); 2026-W09 alone is not, which may be chance")
    assert "may be chance" not in judged(week(82, 18), week(0, 100), *[week(82, 18)] * 3).findings[0].text


def test_weeks_below_what_is_agreed_count_whatever_model_answers():
    # each of them 2.8 standard deviations below, once for each model, and no chance three times in a row
    found = judged(week(80, 20, version="3"), week(80, 20), week(80, 20, version="2")).findings[0]
    assert (found.status, found.new) == (Status.ALERT, True)
    assert found.weeks == ("2026-W01", "2026-W02", "2026-W09")
    assert (
        "n=300) in 2026-W01..2026-W09 is below the agreed 90.0% beyond chance (three of four weeks out)" in found.text
    )


def test_every_agreed_figure_is_judged_by_itself_and_beside_them_only_accuracy():
    floors = Thresholds(auto_resolution=0.9, precision=0.9)
    client = CLIENT.model_copy(update={"thresholds": floors})
    rows = [prediction(number, automatic=number < 60) for number in range(120)]  # 60 of 120 go to a person
    found = figures(window(rows, [outcome(number) for number in range(120)]), client)
    assert (found.auto_resolution, found.precision) == (Rate(60, 120), Rate(60, 60))
    seen = review(client, week="2026-W09", as_of=START, figures=found, earlier=[])
    assert [(one.metric, one.status) for one in seen.findings] == [
        (Metric.AUTO_RESOLUTION, Status.ALERT),
        (Metric.PRECISION, Status.OK),
        (Metric.ACCURACY, Status.NOT_ENOUGH_DATA),
    ]
    assert [one.metric for one in seen.alerts] == [Metric.AUTO_RESOLUTION]


NOTHING_AGREED = CLIENT.model_copy(update={"thresholds": Thresholds()})


def in_a_row(*weeks, client=NOTHING_AGREED) -> list[Review]:
    """A review of each of some weeks, from W01 on."""
    found: list[Review] = []
    for number, one in enumerate(weeks, 1):
        found.append(review(client, week=f"2026-W{number:02}", as_of=START, figures=one, earlier=list(found)))
    return found


def test_accuracy_is_held_against_the_model_s_first_weeks_where_no_limit_is_agreed():
    found = in_a_row(*[week(261, 39)] * 26, week(120, 180), week(120, 180))  # 87 %, and then 40 %
    assert not any(one.alerts for one in found[:26])
    (fell,), (going_on,) = found[26].findings, found[27].findings
    assert (fell.status, fell.limit, fell.new, found[26].retrain_recommended) == (Status.ALERT, None, True, True)
    assert fell.text == (
        "accuracy 40.0% (95% CI 34.6%..45.6%, n=300) in 2026-W27 is below the 87.0% of the model's first weeks beyond "
        "chance (one week far out); no limit agreed"
    )
    assert (going_on.status, found[27].opened) == (Status.ALERT, [])
    assert going_on.text.endswith("since 2026-W27 (one week far out); no limit agreed")


def test_a_young_model_with_nothing_agreed_is_not_called_ok_before_its_eighth_week_with_labels():
    found = in_a_row(*[week(261, 39)] * 3, replace(week(261, 39), **UNLABELLED), *[week(261, 39)] * 5)
    assert [one.findings[0].status for one in found] == [Status.NOT_ENOUGH_DATA] * 8 + [Status.OK]
    told = "accuracy 87.0% (95% CI 82.7%..90.3%, n=300), no limit agreed"
    assert found[7].findings[0].text == (f"{told}, and too few weeks of the model to compare with: have 7, need 8")
    assert found[8].findings[0].text == f"{told}, no worse than in the model's first weeks beyond chance"
    assert found[8].findings[0].word == "ok"
    other = in_a_row(*[week(261, 39)] * 8, week(120, 180, version="2"))[-1]
    assert other.findings[0].status is Status.NOT_ENOUGH_DATA


def test_weeks_below_what_was_agreed_are_no_alarm_any_more_once_nothing_is():
    below = in_a_row(week(60, 40), week(60, 40), client=CLIENT)
    assert all(one.alerts for one in below)
    (found,) = review(NOTHING_AGREED, week="2026-W03", as_of=START, figures=week(60, 40), earlier=below).findings
    assert (found.status, found.limit) == (Status.NOT_ENOUGH_DATA, None)


def test_what_is_worse_when_it_rises_has_a_highest_agreed_share():
    client = CLIENT.model_copy(update={"thresholds": Thresholds(escalation=0.2)})

    def escalated(people: int):
        rows = [prediction(number, automatic=number >= people) for number in range(100)]
        return review(client, week="2026-W09", as_of=START, figures=figures(window(rows, []), client), earlier=[])

    few, many = escalated(10).findings[0], escalated(60).findings[0]
    assert (few.status, many.status) == (Status.OK, Status.ALERT)
    assert few.text == "escalation 10.0% (95% CI 5.5%..17.4%, n=100), agreed at most 20.0%"
    assert many.text.endswith("n=100) in 2026-W09 is above the agreed 20.0% beyond chance (one week far out)")


def test_an_alarm_asks_for_one_change_order_and_goes_on_without_another():
    assert judged(week(70, 30)).opened
    going_on = judged(week(70, 30), week(70, 30))
    assert going_on.alerts
    assert not going_on.opened


def test_weeks_with_too_few_labels_do_not_make_an_alarm_new_again():
    found = judged(week(60, 40), week(60, 40), *[week(2, 1)] * 4)
    assert found.alerts
    assert not found.opened
    few = judged(week(2, 1), week(60, 40), *[week(2, 1)] * 3)
    assert [one.status for one in few.findings] == [Status.NOT_ENOUGH_DATA]


USUAL = [replace(week(270, 30), requests=300)] * 5
BURST = replace(week(180, 120), requests=900)
UNLABELLED = {"accuracy": Rate(0, 0), "labelled": Rate(0, 300)}


def in_turn(*weeks):
    """A review of each week after the usual ones; they are W06 and on."""
    found: list[Review] = []
    for number, one in enumerate([*USUAL, *weeks], 1):
        found.append(review(CLIENT, week=f"2026-W{number:02}", as_of=START, figures=one, earlier=found))
    return found[len(USUAL) :]


def asked(reviews):
    """By review: does it recommend a retrain, and does it ask for a change order?"""
    return [(one.retrain_recommended, bool(one.opened)) for one in reviews]


def test_an_alarm_of_the_week_in_which_a_traffic_incident_begins_asks_for_no_retrain_before_the_next_shows_it_too():
    first, second, third = in_turn(BURST, BURST, BURST)
    assert [one.held for one in (*first.alerts, *second.alerts, *third.alerts)] == [True, False, False]
    assert asked([first, second, third]) == [(False, False), (True, True), (True, False)]


def test_where_the_weeks_after_it_are_fine_it_asks_for_none_and_is_over_as_any_other():
    *open_, closed = in_turn(BURST, *USUAL[:2])  # one fine week ends no alarm
    assert [[one.held for one in found.alerts] for found in open_] == [[True], [True]]
    assert asked([*open_, closed]) == [(False, False)] * 3
    assert "the trouble since 2026-W06 is over" in closed.findings[0].text


def test_a_lesser_loss_that_stays_asks_for_one_as_soon_as_it_would_be_an_alarm_by_itself():
    lesser = replace(week(225, 75), requests=300)  # 75 % where 90 % is agreed, alone: an alarm at once
    assert asked(in_turn(lesser)) == [(True, True)]
    assert asked(in_turn(BURST, lesser)) == [(False, False), (True, True)]
    least = replace(week(246, 54), requests=300)  # 82 %: three of four weeks
    assert asked(in_turn(least, least, least)) == [(False, False), (False, False), (True, True)]
    assert asked(in_turn(BURST, least, least, least)) == [(False, False)] * 3 + [(True, True)]


def test_it_asks_for_none_either_while_no_later_week_has_a_label_or_a_request():
    weeks = [BURST, replace(USUAL[0], **UNLABELLED), week(0, 0), week(180, 120)]
    first, unlabelled, silent, again = in_turn(*weeks)
    assert all(one.alerts for one in (first, unlabelled, silent, again))
    assert asked([first, unlabelled, silent, again]) == [(False, False)] * 3 + [(True, True)]


def test_where_labels_come_a_week_late_it_is_the_next_weeks_that_count():
    before = in_turn(replace(BURST, **UNLABELLED))
    earlier = [*(judged(one) for one in USUAL), *before]
    earlier = [replace(one, week=f"2026-W{number:02}") for number, one in enumerate(earlier, 1)]
    known, late = {"2026-W06": BURST}, replace(USUAL[0], **UNLABELLED)
    second = review(CLIENT, week="2026-W07", as_of=START, figures=late, earlier=earlier, recounted=known)
    known["2026-W07"] = week(180, 120)
    third = review(CLIENT, week="2026-W08", as_of=START, figures=late, earlier=[*earlier, second], recounted=known)
    assert not before[0].alerts
    assert [one.weeks[0] for one in (*second.alerts, *third.alerts)] == ["2026-W06", "2026-W06"]
    assert asked([second, third]) == [(False, False), (True, True)]


def traffic_incidents(reviews):
    return [any(one.kind is Kind.TRAFFIC for one in found.changes) for found in reviews]


def test_a_burst_in_the_week_after_one_is_the_same_and_holds_back_nothing():
    reviews = in_turn(BURST, replace(BURST, requests=900_000))
    assert traffic_incidents(reviews) == [True, True]
    assert asked(reviews) == [(False, False), (True, True)]


def test_a_later_burst_takes_back_no_retrain_that_was_recommended_after_the_first():
    reviews = in_turn(BURST, replace(week(180, 120), requests=300), replace(BURST, requests=900_000))
    assert traffic_incidents(reviews) == [True, False, True]
    assert asked(reviews) == [(False, False), (True, True), (True, False)]


def test_a_burst_takes_back_no_retrain_that_was_recommended_before_it():
    assert asked(in_turn(replace(week(180, 120), requests=300), BURST)) == [(True, True), (True, False)]


def test_a_review_that_was_written_with_fields_that_are_no_more_is_read_without_them(tmp_path):
    store, found = open_store(str(tmp_path / "acme")), judged(week(70, 30))
    raw = json.loads(records.dump(found)) | {"waits": True}
    raw["figures"]["orphan_outcomes"] = 3
    store.write("reviews/2026-W09.json", json.dumps(raw).encode())
    assert records.load(store, "reviews/2026-W09.json", Review) == found


def test_an_estimate_without_labels_neither_hides_that_there_are_none_nor_ends_an_alarm():
    unlabelled = figures(window([prediction(number) for number in range(100)], []), CLIENT)
    quiet = judged(unlabelled, *[week(95, 5)] * 4, *[unlabelled] * 3)  # labels of the four newest weeks count together
    assert quiet.estimate is not None
    assert quiet.estimate.value > 0.9
    assert (quiet.findings[0].status, quiet.findings[0].observed) == (Status.NOT_ENOUGH_DATA, Rate(0, 0))
    alarmed = judged(unlabelled, *[week(95, 5)] * 4, week(60, 40))
    assert alarmed.estimate is not None
    assert (alarmed.findings[0].status, alarmed.findings[0].standing.state) == (Status.ALERT, State.CONTINUING)
