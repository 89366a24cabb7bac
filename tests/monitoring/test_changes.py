"""Is each kind of change found when it is there, told from the others, and not found when it is not?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.weeks import CLIENT, ORDINARY, turned, week
from upkeep.config import Relabel
from upkeep.log.tally import SCALE, Cell, Count, Tally, quarter
from upkeep.metrics.quality import Calibrated, Confusion
from upkeep.monitoring.changed_requests import MISSING, WEEKDAYS, input_shift, missing_days, traffic
from upkeep.monitoring.changes import Seen, find_changes
from upkeep.monitoring.figures import Figures, figures_of
from upkeep.monitoring.input_shift import Inputs
from upkeep.monitoring.trouble import ACTIONS, Change, Kind
from upkeep.periods import Cadence, period
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import more_often


def changes_in(*weeks: Figures, versions: Sequence[str] = ()) -> tuple[Change, ...]:
    history = [Seen(one) for one in weeks[:-1]]
    return find_changes(Seen(weeks[-1]), weeks[:-1], CLIENT, history=history, versions=versions)


def found(*weeks: Figures) -> list[Kind]:
    return [one.kind for one in changes_in(*weeks)]


def test_ordinary_weeks_bring_next_to_no_findings():
    rng = np.random.default_rng(0)
    many = [week(seed) for seed in range(400)]
    runs = [[many[int(at)] for at in rng.choice(400, 30, replace=False)] for _ in range(180)]
    kinds = [kind for run in runs for kind in found(*run)]
    # 180 weeks at 0.01 / 52 for each of seven kinds: 0.24 are expected
    assert len(kinds) <= 2


def test_chance_alone_is_told_from_more_often():
    assert more_often(Rate(5, 1000), Rate(5, 1000)) == pytest.approx(
        0.623, abs=1e-3
    )  # P(X >= 5), X ~ Binomial(10, 1/2)
    assert more_often(Rate(10, 1000), Rate(0, 1000)) == pytest.approx(2**-10)
    assert more_often(Rate(0, 0), Rate(3, 10)) == 1.0


def test_answers_that_people_now_correct_to_one_other_label_are_a_policy_change_with_its_rule():
    def turned(one: Figures) -> Figures:
        others = tuple(cell for cell in one.named if cell.given != "return_item")
        return replace(one, named=(*others, Confusion("return_item", "repair_partner", 9)))

    flipped = [replace(turned(one), unknown_labels={"repair_partner": 9}) for one in ORDINARY[:4]]
    changes = changes_in(*ORDINARY, *flipped)
    assert [(one.kind, one.old, one.new) for one in changes] == [(Kind.POLICY, "return_item", "repair_partner")]
    # Wilson's lower end of 36 of 36 is 36 / (36 + 1.96 ** 2)
    told = "of the 'return_item' answers that people looked at 36 of 36 (100.0%, 95% CI 90.4%..100.0%) should be"
    assert changes[0].text.startswith(f"{told} 'repair_partner'; before")
    assert changes[0].action == ACTIONS[Kind.POLICY]


def test_where_a_new_label_comes_from_is_told_by_a_few_cases_once_it_is_certain_that_it_is_new():
    parts = (Confusion("return_item", "repairs", 1), Confusion("cancel_order", "repairs", 1))
    given = {"return_item", "cancel_order"}
    new = [
        replace(
            one, named=(*(cell for cell in one.named if cell.given not in given), *parts), unknown_labels={"repairs": 2}
        )
        for one in ORDINARY[:4]
    ]
    changes = changes_in(*ORDINARY, *new)
    assert [(one.kind, one.old, one.new, one.n) for one in changes] == [
        (Kind.POLICY, "cancel_order", "repairs", 4),  # 4 cases would be too few by themselves
        (Kind.POLICY, "return_item", "repairs", 4),
    ]


def test_a_right_answer_the_model_does_not_have_is_a_new_category_unless_it_is_learned_by_now():
    new = [replace(one, unknown_labels={"gift_card": 3}) for one in ORDINARY[:4]]
    (change,) = changes_in(*ORDINARY, *new)
    assert (change.kind, change.new) == (Kind.NEW_CATEGORY, "gift_card")
    learned = [replace(one, answered={**one.answered, "gift_card": 3}) for one in new]
    assert found(*ORDINARY, *learned) == []


def test_a_label_that_nobody_used_before_is_new_by_a_few_cases():
    new = [replace(one, unknown_labels={"gift_card": 2}) for one in ORDINARY[:4]]
    assert found(*ORDINARY, *new) == [Kind.NEW_CATEGORY]
    before = [replace(one, unknown_labels={"gift_card": 1}) for one in ORDINARY]
    assert found(*before, *new) == []  # twice as often as before, on eight cases


def test_an_old_record_with_more_of_a_new_label_than_labelled_requests_is_read():
    # it counted the label for two models and the labelled requests for one, that of the last days
    new = [replace(one, unknown_labels={"gift_card": 11}, labelled=Rate(4, 500)) for one in ORDINARY[:4]]
    (change,) = changes_in(*ORDINARY, *new)
    assert (change.new, change.n) == ("gift_card", 16)


def of_length(length: float, unknown: int = 5) -> Inputs:
    """A look at a week of 100 requests, so long in log2 characters, with so many of 500 words unknown."""
    return Inputs(100, "b", (0.1,), 20.0, Rate(unknown, 500), length, 1.0, {"en": 100}, known="theirs")


def test_a_shift_of_requests_is_told_of_the_weeks_that_show_it():
    before = [of_length(one) for one in [4.9, 5.1] * 6]
    slow = [of_length(5.5)] * 4
    (shift,) = input_shift(slow[-1], [*before, *slow[:-1]])
    assert (shift.n, shift.weeks) == (400, 4)
    assert shift.text == "of 400 requests looked at in the last 4 weeks, they have 45 characters, before 32"
    (sudden,) = input_shift(of_length(7.0), before)
    assert (sudden.n, sudden.weeks) == (100, 1)
    assert sudden.text == "of 100 requests looked at, they have 128 characters, before 32"


def test_what_only_the_newest_weeks_together_show_is_told_apart_from_what_the_newest_shows():
    before = [of_length(one) for one in [4.9, 5.1] * 6]
    (shift,) = input_shift(of_length(5.5, unknown=250), [*before, *[of_length(5.5)] * 3])
    assert (shift.n, shift.weeks) == (100, 1)
    assert shift.text == (
        "of 100 requests looked at, 50.0% of their words are in no training text, before 1.0%; "
        "of 400 requests looked at in the last 4 weeks, they have 45 characters, before 32"
    )


def test_out_of_scope_growth_is_found_among_the_checked_requests():
    grown = [replace(one, out_of_scope=Rate(9, 60)) for one in ORDINARY[:4]]
    assert found(*ORDINARY, *grown) == [Kind.OUT_OF_SCOPE]


def test_a_moved_mix_is_found_and_names_the_label_that_moved_most():
    moved = week(77, shares=(0.2, 0.25, 0.35, 0.12, 0.08))
    (change,) = changes_in(*ORDINARY, moved)
    assert change.kind is Kind.LABEL_MIX
    assert change.text.startswith(("'order_status' was", "'size_advice' was"))


def test_a_moved_mix_may_be_one_of_a_label_that_was_never_answered_before():
    mix = ORDINARY[-1].label_mix
    new = {label: n // 2 for label, n in mix.items()} | {"gift_card": sum(mix.values()) // 2}
    (change,) = changes_in(*ORDINARY, replace(ORDINARY[-1], label_mix=new))
    assert change.text.startswith("'gift_card' was 5")
    assert change.label == "gift_card"


def test_many_labels_on_few_requests_are_no_moved_mix():
    rng = np.random.default_rng(5)
    names = [f"label {number}" for number in range(120)]
    mixes = [dict(zip(names, rng.multinomial(500, [1 / 120] * 120).tolist(), strict=True)) for _ in range(60)]
    weeks = [replace(ORDINARY[0], requests=500, label_mix=mix) for mix in mixes]
    assert [found(*weeks[at : at + 9]) for at in range(50)] == [[]] * 50


def test_a_burst_is_a_traffic_incident_that_says_not_to_retrain():
    burst = week(5, requests=1500)
    changes = [one for one in changes_in(*ORDINARY, burst) if one.kind is Kind.TRAFFIC]
    assert len(changes) == 1
    assert "do not retrain" in changes[0].action


def on_days(*requests: int) -> Figures:
    """A week with so many requests on its days, Monday first."""
    days = {date(2026, 2, 2) + timedelta(days=at): n for at, n in enumerate(requests)}
    return replace(week(0), requests=sum(requests), days=days)


def test_one_day_s_burst_in_a_week_that_is_not_out_of_the_ordinary_is_a_traffic_incident():
    rng = np.random.default_rng(4)
    usual = [on_days(*(int(n) for n in rng.poisson([40, 40, 40, 40, 40, 8, 0]))) for _ in range(12)]
    (change,) = changes_in(*usual, on_days(40, 40, 140, 40, 40, 8, 0))  # a week of 1.4 times the usual
    assert (change.kind, change.weeks, change.n, change.day) == (Kind.TRAFFIC, 1, 140, date(2026, 2, 4))
    assert change.text == "140 requests on Wednesday 2026-02-04, 3.2 times the usual 43 of that weekday"
    assert found(*usual, on_days(40, 40, 110, 40, 40, 8, 0)) == []  # less than three times as many
    assert found(*usual, on_days(40, 40, 40, 40, 40, 8, 9)) == []  # on a day that never had any
    assert found(*usual[:3], on_days(40, 40, 140, 40, 40, 8, 0)) == []  # three weeks tell nothing


def with_requests(*counts: int) -> list[Figures]:
    return [replace(ORDINARY[0], requests=one, days={}) for one in counts]


def traffic_incidents(*counts: int) -> list[Change]:
    *usual, now = with_requests(*counts)
    return list(traffic(now, usual, UTC))


def test_a_slack_week_of_few_requests_is_chance():
    usual = [10, 8, 12, 11, 9, 13, 7, 10, 9, 11, 12, 8, 10] * 2
    # P(X <= 2) = 0.0028 and P(X <= 1) = 0.0005, X ~ Poisson(10): half the budget of a week is 0.0001
    assert traffic_incidents(*usual, 2) == []
    assert traffic_incidents(*usual, 1) == []
    # with X ~ Poisson(40) 2 P(X <= 18) = 0.00016 and 2 P(X <= 17) = 0.00007
    assert traffic_incidents(*[30 + one for one in usual], 18) == []
    assert len(traffic_incidents(*[30 + one for one in usual], 17)) == 1
    # and of four weeks of ten together 2 P(X <= 16) = 0.00003
    assert [one.weeks for one in traffic_incidents(*usual, 4, 4, 4, 4)] == [4]


def test_a_stable_client_with_few_requests_has_next_to_no_traffic_incident():
    rng = np.random.default_rng(10)
    looked = 0
    for _ in range(25):
        counts = rng.poisson(10 * np.exp(rng.normal(0, 0.15, 78))).tolist()
        looked += sum(bool(traffic_incidents(*counts[at - 26 : at + 1])) for at in range(26, 78))
    assert looked <= 1  # of 25 client-years a quarter of one is expected at most


def test_traffic_that_halves_for_good_is_seen_though_no_single_week_is_far_out():
    rng = np.random.default_rng(3)
    usual = [week(seed, requests=int(500 * np.exp(rng.normal(0, 0.15)))) for seed in range(26)]
    halved = [week(seed, requests=int(250 * np.exp(rng.normal(0, 0.15)))) for seed in range(50, 54)]
    assert Kind.TRAFFIC not in found(*usual)
    (change,) = [one for one in changes_in(*usual, *halved) if one.kind is Kind.TRAFFIC]
    assert change.weeks == 4
    assert "requests a week in the last 4" in change.text


def test_a_share_that_is_restless_anyway_is_no_growth():
    restless = [replace(one, out_of_scope=Rate(hits, 300)) for one, hits in zip(ORDINARY, [9, 21] * 6, strict=True)]
    high = [
        replace(one, out_of_scope=Rate(hits, 300)) for one, hits in zip(ORDINARY[:4], [27, 29, 23, 29], strict=True)
    ]
    assert found(*restless, *high) == []  # 9 % after 5 %: a chance of two in a million if the share never varied


def test_rows_that_break_the_contract_and_a_log_that_stops_are_data_trouble():
    spoiled = replace(ORDINARY[0], quarantined={"confidence": 80, "timestamp": 3})
    (change,) = changes_in(*ORDINARY, spoiled)
    assert change.kind is Kind.DATA
    assert "most of them for 'confidence'" in change.text
    silent = replace(ORDINARY[0], requests=0, label_mix={}, answered={}, named=(), quarantined={})
    assert found(*ORDINARY, silent) == [Kind.DATA]


def test_a_log_that_is_mostly_unusable_is_data_trouble_from_its_first_week_on():
    unread = replace(ORDINARY[0], requests=3, quarantined={"automatic": 497})
    (change,) = changes_in(unread)
    assert change.text.startswith("99.4%")
    assert change.text.endswith("of the log's requests cannot be used, most of them for 'automatic'")
    assert found(unread, unread) == [Kind.DATA]
    assert found(replace(unread, requests=498)) == []


def test_outcomes_that_cannot_be_used_are_many_by_what_there_is_of_outcomes_and_requests_by_requests():
    bad = replace(ORDINARY[0], requests=51, given=41, quarantined={"id": 35, "answer": 21}, bad_outcomes={"answer": 21})
    assert found(bad) == []  # 35 of 86 and 21 of 62, though 56 are more than 51
    assert found(replace(bad, quarantined={"id": 72, "answer": 21})) == [Kind.DATA]  # 72 of 123, whatever the outcomes
    (change,) = changes_in(replace(bad, given=14))
    assert change.text.startswith("60.0%")
    assert change.text.endswith("n=35) of the log's outcomes cannot be used, most of them for 'answer'")
    both = replace(bad, given=14, quarantined={"id": 72, "answer": 21})
    (change,) = changes_in(both)
    assert change.text.count("cannot be used, most of them for 'id'; 60.0%") == 1
    assert change.n == 123 + 35


def test_outcomes_of_which_far_more_than_before_cannot_be_used_are_data_trouble():
    usual = [replace(one, given=100) for one in ORDINARY]
    worse = replace(usual[0], quarantined={"answer": 20}, bad_outcomes={"answer": 20})
    (change,) = changes_in(*usual, worse)
    assert change.text.startswith("16.7%")
    said = "n=120) of the log's outcomes cannot be used, most of them for 'answer'; before, it was 0 of 1,200"
    assert change.text.endswith(said)
    assert found(*ORDINARY, worse) == []  # weeks of before outcomes were counted say nothing of them


def test_a_week_without_requests_is_ordinary_where_chance_explains_it():
    def of(requests: int) -> Figures:
        return replace(ORDINARY[0], requests=requests, label_mix={}, answered={}, named=(), quarantined={}, days={})

    # exp(-8) = 0.00034 and exp(-9) = 0.00012, between them is 0.01 / 52 = 0.00019
    assert found(*[of(8)] * 6, of(0)) == []
    assert found(*[of(9)] * 6, of(0)) == [Kind.DATA]
    assert found(*[of(9)] * 6, of(0), of(0)) == []  # told once
    (change,) = changes_in(*[of(3)] * 6, *[of(0)] * 3)  # exp(-3 * 3) = exp(-9)
    assert change.text == "no request was logged for 3 weeks"


def test_too_few_weeks_say_nothing():
    assert found(*ORDINARY[:3], week(5, requests=1500)) == []


def test_a_model_that_is_surer_than_it_is_right_has_lost_its_calibration():
    worse = [replace(one, calibration=(Calibrated(0.9, 0.92, Rate(42, 60)),)) for one in ORDINARY[:4]]
    (change,) = changes_in(*ORDINARY, *worse)
    assert change.kind is Kind.CALIBRATION
    assert change.text.startswith("the model was 92% sure and right in 70.0% (95% CI 63.9%..75.4%, n=240); before, 92%")


def test_a_model_of_a_month_is_compared_with_the_weeks_of_those_before_it():
    too_sure = (Calibrated(0.9, 0.92, Rate(39, 60)),)
    young = [replace(one, model_version="2", calibration=too_sure) for one in ORDINARY[:4]]

    def kinds(weeks: Sequence[Figures]) -> list[Kind]:
        there = [Seen(one) for one in (*ORDINARY, *weeks[:-1])]
        found = find_changes(Seen(weeks[-1]), weeks[:-1], CLIENT, history=there)
        return [one.kind for one in found if one.kind is not Kind.DATA]

    assert kinds(young) == [Kind.CALIBRATION]
    assert kinds(young[:3]) == []  # four weeks of its own are what it is judged by
    as_before = [replace(one, model_version="2") for one in ORDINARY[:4]]
    assert kinds(as_before) == []


def test_a_model_that_gets_less_sure_as_it_gets_worse_is_calibrated():
    honest = [replace(one, calibration=(Calibrated(0.7, 0.72, Rate(42, 60)),)) for one in ORDINARY[:4]]
    assert found(*ORDINARY, *honest) == []


def test_a_model_that_was_less_sure_than_right_and_is_as_sure_as_right_is_calibrated():
    modest = [replace(one, calibration=(Calibrated(0.8, 0.85, Rate(95, 100)),)) for one in ORDINARY]
    honest = [replace(one, calibration=(Calibrated(0.8, 0.85, Rate(85, 100)),)) for one in ORDINARY[:4]]
    assert found(*modest, *honest) == []


def test_a_day_without_a_request_is_data_trouble_where_there_usually_are_some():
    days = {day: n for day, n in ORDINARY[0].days.items() if day.isoweekday() != 2}
    (change,) = changes_in(*ORDINARY, replace(ORDINARY[0], days=days))
    assert (change.kind, change.old) == (Kind.DATA, MISSING)
    assert change.text.startswith("no request was logged on Tuesday; usually there are 7")
    few = [
        replace(one, days={day: 11 if day.isoweekday() == 2 else n for day, n in one.days.items()}) for one in ORDINARY
    ]
    assert found(*few, replace(ORDINARY[0], days=days)) == []  # eleven usually: none may be chance


def test_a_day_on_which_nothing_is_asked_any_more_is_the_usual_after_twelve_weeks():
    without = replace(ORDINARY[0], days={day: n for day, n in ORDINARY[0].days.items() if day.isoweekday() != 6})
    assert found(*ORDINARY, *[without] * 11, without) == [Kind.DATA]
    assert found(*ORDINARY, *[without] * 12, without) == []
    assert found(*ORDINARY, *[without] * 6, ORDINARY[1], *[without] * 6, without) == [Kind.DATA]
    # half the traffic of before is told again, too
    assert found(*ORDINARY, *[without] * 12, replace(without, requests=100)) == [Kind.TRAFFIC]


EVERY_DAY, ANY_HOUR = range(7), range(24)


def hourly(
    number: int,
    zone: str,
    *,
    lost: tuple[datetime, datetime] | None = None,
    weekdays: range = EVERY_DAY,
    work: range = ANY_HOUR,
    each: int = 10,
) -> Figures:
    """A week with so many requests each hour, night and day or at some hours of the client's, less those of the lost
    time."""
    client = CLIENT.model_copy(update={"time_zone": zone})
    window = period(datetime(2026, 2, 4, tzinfo=UTC) + timedelta(weeks=number), Cadence.WEEKLY, client.zone)
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    hours = [start + timedelta(hours=n) for n in range((end - start) // timedelta(hours=1))]
    local = {hour: hour.astimezone(client.zone) for hour in hours if not (lost and lost[0] <= hour < lost[1])}
    logged = [hour for hour, at in local.items() if at.weekday() in weekdays and at.hour in work]
    cells = {Cell("1", "order_status", True, 9, ()): Count(each * len(logged), each * SCALE * len(logged))}
    return figures_of(Tally(cells, {}, {}, {quarter(hour): {"1": each} for hour in logged}, []), client)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kathmandu"])
@pytest.mark.parametrize("day", range(7))
def test_a_lost_day_is_seen_though_there_are_requests_at_night(zone, day):
    usual = [hourly(number, zone) for number in range(4)]
    for lost_in in dict.fromkeys((zone, "UTC")):  # a day of the client's, or a folder of the log
        start = datetime(2026, 3, 2, tzinfo=ZoneInfo(lost_in)) + timedelta(days=day)
        (change,) = missing_days(hourly(4, zone, lost=(start, start + timedelta(days=1))), usual, ZoneInfo(zone))
        name = WEEKDAYS[day] + (" (UTC)" if lost_in != zone else "")
        assert change.text.startswith(f"no request was logged on {name}; usually there are ")
    night = datetime(2026, 3, 2, tzinfo=ZoneInfo(zone)) + timedelta(days=day)
    assert list(missing_days(hourly(4, zone, lost=(night, night + timedelta(hours=5))), usual, ZoneInfo(zone))) == []


def office(number: int, zone: str, *, opens: int, first: int = 0, lost: int | None = None) -> Figures:
    """A week with twenty requests in each of eight hours on five days, less those of a lost UTC day."""
    at = datetime(2026, 2, 2, tzinfo=UTC) + timedelta(weeks=number, days=lost or 0)
    gone = None if lost is None else (at, at + timedelta(days=1))
    return hourly(number, zone, lost=gone, weekdays=range(first, first + 5), work=range(opens, opens + 8), each=20)


@pytest.mark.parametrize(
    ("zone", "opens", "first"),
    [("America/Los_Angeles", 9, 0), ("Australia/Sydney", 10, 1), ("Europe/Berlin", 9, 0)],
)
def test_a_utc_day_that_the_clock_takes_the_only_hour_of_is_not_lost(zone, opens, first):
    weeks = [office(number, zone, opens=opens, first=first) for number in range(-40, 60)]
    for at in range(4, len(weeks)):
        assert list(missing_days(weeks[at], weeks[max(at - 26, 0) : at], ZoneInfo(zone))) == []


def test_a_lost_utc_day_is_seen_beside_weeks_of_the_same_offset():
    zone = "America/Los_Angeles"
    weeks = [office(number, zone, opens=9) for number in range(20, 43)]  # up to 29 November, winter from the 39th on
    saturday = office(43, zone, opens=9, lost=5)  # what is asked on Friday after four o'clock
    (change,) = missing_days(saturday, weeks, ZoneInfo(zone))
    assert change.text == "no request was logged on Saturday (UTC); usually there are 20"
    assert list(missing_days(saturday, weeks[:-1], ZoneInfo(zone))) == []  # three weeks tell nothing
    old = [replace(one, utc_days={}) for one in weeks]  # of before UTC days were kept
    assert list(missing_days(saturday, old, ZoneInfo(zone))) == list(missing_days(old[0], weeks, ZoneInfo(zone))) == []


def test_an_outage_is_one_data_trouble_and_no_traffic_incident():
    days = dict(list(ORDINARY[0].days.items())[:2])
    broken = replace(ORDINARY[0], days=days, requests=sum(days.values()))
    (change,) = changes_in(*ORDINARY, broken)
    assert (change.kind, change.old) == (Kind.DATA, MISSING)
    assert change.text.startswith("no request was logged on Wednesday, Thursday, Friday, Saturday, Sunday; usually")
    assert found(*ORDINARY, *[broken] * 3, week(50)) == []  # and four weeks later the broken ones are no measure
    silent = replace(broken, days={}, requests=0)
    assert [(one.kind, one.old) for one in changes_in(*ORDINARY, silent)] == [(Kind.DATA, MISSING)]


def test_a_model_that_nobody_released_is_data_trouble():
    odd = replace(ORDINARY[0], versions={"1": 480, "v7-hotfix": 20})
    (change,) = changes_in(*ORDINARY, odd, versions=["1", "2"])
    assert (change.kind, change.n) == (Kind.DATA, 20)
    assert "'v7-hotfix' answered 20 requests, but released were only ['1', '2']" in change.text
    assert changes_in(*ORDINARY, odd) == ()  # a client whose models were not released here


def test_what_is_not_the_models_doing_is_compared_with_weeks_of_any_model():
    burst, other = week(5, requests=1500), [replace(one, model_version="0") for one in ORDINARY]
    kinds = [one.kind for one in find_changes(Seen(burst), [], CLIENT, history=[Seen(one) for one in other])]
    assert kinds == [Kind.TRAFFIC]


def test_a_label_that_goes_on_being_right_has_lost_requests_to_a_new_category_and_is_no_policy():
    def split(one: Figures) -> Figures:
        others = tuple(cell for cell in one.named if cell.given != "return_item")
        kept, lost = Confusion("return_item", "return_item", 6), Confusion("return_item", "rental", 7)
        return replace(one, named=(*others, kept, lost), unknown_labels={"rental": 7})

    (change,) = changes_in(*ORDINARY, *(split(one) for one in ORDINARY[:4]))
    assert (change.kind, change.new) == (Kind.NEW_CATEGORY, "rental")


def test_a_policy_change_whose_rule_is_there_asks_for_no_other():
    ruled = CLIENT.model_copy(update={"relabel": (Relabel(old="return_item", new="repairs", since=date(2026, 3, 15)),)})
    weeks = [*ORDINARY, *turned("return_item", "repairs", weeks=4)]
    history = [Seen(one) for one in weeks[:-1]]
    (change,) = find_changes(Seen(weeks[-1]), weeks[:-1], ruled, history=history)
    assert change.action == "There is a rule for it, from 2026-03-15: the next retrain unlearns the old answer."


@pytest.mark.parametrize(("days", "there"), [((2, 5), None), ((2, 5, 9), "2026-09-15"), ((5, 2), "2026-05-15")])
def test_a_rule_that_a_later_one_led_back_from_is_not_there_for_the_policy_that_comes_again(days, there):
    turns = [("return_item", "repairs"), ("repairs", "return_item"), ("return_item", "repairs")]
    rules = [Relabel(old=a, new=b, since=date(2026, month, 15)) for (a, b), month in zip(turns, days, strict=False)]
    ruled = CLIENT.model_copy(update={"relabel": tuple(rules)})
    weeks = [*ORDINARY, *turned("return_item", "repairs", weeks=4)]
    (change,) = find_changes(Seen(weeks[-1]), weeks[:-1], ruled, history=[Seen(one) for one in weeks[:-1]])
    wanted = f"There is a rule for it, from {there}: " if there else "Ask the client since when, and accept the rule"
    assert change.action.startswith(wanted)


def test_a_policy_change_is_found_across_models_and_not_where_the_newest_has_unlearned_the_old_answer():
    flipped = turned("return_item", "repairs", weeks=4)
    two_models = [replace(one, model_version=version) for one, version in zip(flipped, "2233", strict=True)]
    assert found(*ORDINARY, *two_models) == [Kind.POLICY]
    mended = [replace(one, model_version="2") for one in ORDINARY[:3]]
    assert found(*ORDINARY, *flipped, *mended) == []
