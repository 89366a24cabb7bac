"""Does the demo's history tell the story it promises?"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

import pytest

from upkeep.demo.tickets import THEMES, arrivals, history, launch_labels, month_shares, policy_changes
from upkeep.errors import ConfigError
from upkeep.timeline import OUT_OF_SCOPE, Split, Timeline, TimelineRow, arrange

START = date(2026, 2, 1)
SWITCH = datetime(2026, 3, 15, tzinfo=UTC)
OPENING = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="module", params=THEMES)
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def told(theme: str) -> Timeline:
    return arrange(history(theme, seed=1, start=START, months=8, per_month=400))


def in_month(told: Timeline, month: int) -> list[TimelineRow]:
    return [row for row in told.stream if row.ts and row.ts.month == START.month + month - 1]


def key(text: str) -> str:
    return " ".join(text.lower().split())


def test_the_same_seed_tells_the_same_history(theme):
    first, second = (history(theme, seed=3, start=START, months=2, per_month=50) for _ in range(2))
    assert first == second


def test_another_seed_tells_another_history(theme):
    one, other = (history(theme, seed=seed, start=START, months=1, per_month=50) for seed in (3, 4))
    assert [row.text for row in one] != [row.text for row in other]


def test_more_months_only_add_rows_at_the_end(theme):
    short = history(theme, seed=3, start=START, months=3, per_month=50)
    longer = history(theme, seed=3, start=START, months=5, per_month=50)
    assert longer[: len(short)] == short
    assert len(longer) == len(short) + 2 * 50


def test_no_text_comes_twice_but_for_golden_requests_under_the_policy_change(told):
    known = [row for row in told.golden if not row.id.endswith("-new")]
    texts = Counter(key(row.text) for row in [*told.launch, *told.stream, *known])
    assert [text for text, count in texts.items() if count > 1] == []


def test_ids_are_stable_and_number_the_stream_in_time_order(theme, told):
    assert [row.id for row in told.stream] == [f"{theme}-s{number:05d}" for number in range(3200)]
    ids = [row.id for row in [*told.launch, *told.stream, *told.golden]]
    assert len(ids) == len(set(ids))


def test_no_ticket_keeps_a_slot_or_a_choice_of_the_template(told):
    left = [row.text for row in [*told.launch, *told.stream, *told.golden] if set(row.text) & set("{}|#")]
    assert left == []


def test_every_calendar_month_has_its_tickets_in_utc(told):
    assert Counter(row.ts.month for row in told.stream) == dict.fromkeys(range(2, 10), 400)
    assert {row.ts.tzinfo for row in told.stream} == {UTC}
    assert {row.ts.year for row in told.stream} == {2026}


def test_a_history_may_run_over_the_turn_of_the_year():
    told = arrange(history("northwind", seed=1, start=date(2025, 11, 20), months=3, per_month=20))
    months = Counter((row.ts.year, row.ts.month) for row in told.stream)
    assert months == {(2025, 11): 20, (2025, 12): 20, (2026, 1): 20}  # month 1 is the whole of November


def test_people_write_in_working_hours_and_most_on_mondays(told):
    days = Counter(row.ts.weekday() for row in told.stream)
    assert days.most_common(1)[0][0] == 0
    assert days[0] > 2 * days[6]
    working = sum(8 <= row.ts.hour < 18 for row in told.stream)
    assert working > 0.6 * len(told.stream)  # the weights of those ten hours are 187 of 257, 73 %


def test_launch_has_60_to_70_cases_of_every_label_and_nothing_else(theme, told):
    counts = Counter(row.label for row in told.launch)
    assert set(counts) == set(launch_labels(theme))
    assert len(counts) == 14
    assert all(60 <= count <= 70 for count in counts.values())


def test_the_first_month_holds_the_launch_labels_and_2_percent_out_of_scope(theme, told):
    counts = Counter(row.label for row in in_month(told, 1))
    assert set(counts) == {*launch_labels(theme), OUT_OF_SCOPE}
    assert counts[OUT_OF_SCOPE] == 8  # 2 % of 400


def test_the_busiest_category_has_seven_and_a_half_times_the_tickets_of_the_last(theme):
    shares = month_shares(theme, 1)
    labels = launch_labels(theme)
    assert shares[labels[0]] / shares[labels[-1]] == pytest.approx(7.5)  # (14 + 1) / (1 + 1)
    assert sum(shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(("month", "new", "nobody"), [(2, 0, 8), (3, 3, 12), (4, 7, 16), (5, 11, 20), (8, 11, 24)])
def test_the_new_product_line_and_the_unanswerable_grow(theme, told, month, new, nobody):
    fresh = {arrival.label for arrival in arrivals(theme, START)}
    counts = Counter(row.label for row in in_month(told, month))
    assert {counts[label] for label in fresh} == {new}  # a third of 2, 5 and 8 % of 400 is 2.7, 6.7 and 10.7
    assert counts[OUT_OF_SCOPE] == nobody  # 2, 3, 4, 5 and 6 % of 400


def test_new_labels_arrive_on_the_first_day_of_month_3(theme):
    assert [arrival.since for arrival in arrivals(theme, START)] == [date(2026, 4, 1)] * 3
    assert not {arrival.label for arrival in arrivals(theme, START)} & set(launch_labels(theme))


def test_old_answers_stop_and_new_answers_start_on_the_day_of_the_policy_change(theme, told):
    changes = policy_changes(theme, START)
    assert {change.since for change in changes} == {SWITCH.date()}
    old, new = {change.old for change in changes}, {change.new for change in changes} - set(launch_labels(theme))
    assert len(old) == 3
    assert old <= set(launch_labels(theme))
    assert new
    assert {row.label for row in told.stream if row.ts < SWITCH} >= old
    assert not {row.label for row in told.stream if row.ts >= SWITCH} & old
    assert {row.label for row in told.stream if row.ts >= SWITCH} >= new
    assert not {row.label for row in told.stream if row.ts < SWITCH} & new


def test_the_policy_change_touches_about_a_tenth_of_the_traffic(theme):
    shares = month_shares(theme, 1)
    assert 0.08 < sum(shares[change.old] for change in policy_changes(theme, START)) < 0.12


def test_golden_rows_of_new_labels_count_from_the_day_they_arrive(theme, told):
    for arrival in arrivals(theme, START):
        rows = [row for row in told.golden if row.label == arrival.label]
        assert 22 <= len(rows) <= 25
        assert {(row.valid_from, row.valid_to) for row in rows} == {(OPENING, None)}


def test_golden_rows_under_the_policy_change_hand_over_from_the_old_answer_to_the_new(theme, told):
    for change in policy_changes(theme, START):
        before = {row.text: row for row in told.golden if row.label == change.old}
        after = [row for row in told.golden if row.label == change.new and row.text in before]
        assert 22 <= len(before) == len(after) <= 25
        assert {(row.valid_from, row.valid_to) for row in before.values()} == {(None, SWITCH)}
        assert {(row.valid_from, row.valid_to) for row in after} == {(SWITCH, None)}


def test_golden_rows_of_unchanged_labels_are_right_throughout(theme, told):
    steady = set(launch_labels(theme)) - {change.old for change in policy_changes(theme, START)}
    rows = [row for row in told.golden if row.label in steady and not row.id.endswith("-new")]
    assert {(row.valid_from, row.valid_to) for row in rows} == {(None, None)}
    assert all(22 <= count <= 25 for count in Counter(row.label for row in rows).values())


def test_only_stream_rows_carry_a_time(told):
    assert {row.split for row in [*told.launch, *told.golden] if row.ts is None} == {Split.LAUNCH, Split.GOLDEN}
    assert all(row.ts is None for row in [*told.launch, *told.golden])


def test_some_people_write_in_lower_case_and_some_without_a_full_stop(told):
    texts = [row.text for row in told.stream]
    # 35 % are lowered and 30 % stripped on purpose; some others are short enough, or end in a name, anyway
    assert 0.25 < sum(text == text.lower() for text in texts) / len(texts) < 0.6
    assert 0.2 < sum(text[-1].isalnum() for text in texts) / len(texts) < 0.6


def test_an_unknown_theme_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"theme is 'acme', expected one of .*'clearline'"):
        history("acme", seed=1, start=START, months=1, per_month=10)
