"""Is the model as sure as it is right, and which labels does it mix up?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tests.monitoring.test_review import CLIENT, START, outcome, prediction, window
from upkeep.config import Task
from upkeep.log.entries import OutcomeSource, Prediction
from upkeep.log.tally import (
    SCALE,
    Cell,
    Count,
    Opinion,
    Tally,
    add_up,
    latency_at,
    latency_bin,
    latency_of,
    tally,
)
from upkeep.metrics.quality import Calibrated, Confusion, by_label, calibration_error, macro_f1
from upkeep.monitoring.figures import Slice, WeightedQuality, figures, figures_of, weigh
from upkeep.statistics.rates import Rate


def sure(number: int, confidence: float, output: str | None = "a", latency: float | None = None) -> Prediction:
    at = START + timedelta(minutes=number)
    return Prediction(str(number), at, "text", output, confidence, "1", output is not None, latency)


def test_confidence_is_compared_with_what_was_right_by_tenths():
    rows = [sure(0, 0.95), sure(1, 1.0), sure(2, 0.91), sure(3, 0.3)]
    found = figures(window(rows, [outcome(0), outcome(1), outcome(2, "b"), outcome(3)]), CLIENT).calibration
    assert found == (Calibrated(0.3, 0.3, Rate(1, 1)), Calibrated(0.9, pytest.approx(2.86 / 3), Rate(2, 3)))
    # |1 - 0.3| of one request and |2 - 2.86| of three: (0.7 + 0.86) / 4
    assert calibration_error(found) == pytest.approx(0.39)
    assert calibration_error(()) is None


def test_a_request_that_no_label_fits_was_answered_wrong_however_it_was_treated():
    handed_on = prediction(0, automatic=False)
    found = figures(window([handed_on], [outcome(0, "oos")]), CLIENT)
    assert found.accuracy == Rate(1, 1)
    assert found.calibration[0].right == Rate(0, 1)


def test_answers_are_counted_as_given_and_right():
    rows = [prediction(0), prediction(1), prediction(2, "b"), prediction(3, "b"), sure(4, 0.1, None)]
    told = [outcome(0), outcome(1), outcome(2), outcome(3, "b"), outcome(4, "b")]
    found = figures(window(rows, told), CLIENT).confusion
    assert found == (Confusion("a", "a", 2), Confusion("", "b", 1), Confusion("b", "a", 1), Confusion("b", "b", 1))
    labels = by_label(found)
    assert (labels["a"].precision, labels["a"].recall) == (Rate(2, 2), Rate(2, 3))
    assert (labels["b"].precision, labels["b"].recall) == (Rate(1, 2), Rate(1, 2))
    # F1 of a: 2 * 2 / (2 + 3) = 0.8, of b: 2 * 1 / (2 + 2) = 0.5
    assert macro_f1(found) == pytest.approx(0.65)
    assert macro_f1(()) is None


def test_a_bare_wrong_names_no_answer_and_is_not_in_the_confusion():
    found = figures(window([prediction(0)], [outcome(0, None, correct=False)]), CLIENT)
    assert found.accuracy == Rate(0, 1)
    assert found.confusion == ()


BY_CHANNEL = CLIENT.model_copy(update={"review_by": ("channel",)})


def test_figures_are_broken_down_by_the_metadata_that_the_config_names():
    rows = [replace(prediction(n), metadata={"channel": "email" if n < 3 else "chat"}) for n in range(5)]
    rows.append(replace(prediction(5, automatic=False), metadata={}))
    told = [outcome(0), outcome(1, "b"), outcome(3)]
    found = figures(window(rows, told), BY_CHANNEL).slices["channel"]
    assert list(found) == ["email", "chat", "(none)"]
    # F1 of a: 2 * 1 / (2 + 1), of b: 0; one of two right where both were 80 % sure
    assert found["email"] == Slice(
        3, Rate(1, 2), Rate(1, 2), Rate(1, 2), Rate(0, 3), pytest.approx(1 / 3), pytest.approx(0.3)
    )
    assert found["(none)"] == Slice(1, Rate(0, 0), Rate(0, 0), Rate(0, 0), Rate(1, 1), None, None, None, None)


def test_a_slice_has_its_own_macro_f1_and_calibration_error():
    mail = [sure(0, 0.95), sure(1, 0.95), sure(2, 0.65, "b"), sure(3, 0.65, "b")]
    rows = [replace(row, metadata={"channel": "mail"}) for row in mail]
    rows += [replace(sure(n, 0.55), metadata={"channel": "chat"}) for n in (4, 5)]
    told = [outcome(0), outcome(1), outcome(2, "b"), outcome(3), outcome(4), outcome(5)]
    found = figures(window(rows, told), BY_CHANNEL)
    # mail: F1 of a 2 * 2 / (2 + 3) = 0.8, of b 2 * 1 / (2 + 1) = 2 / 3; |2 - 1.9| and |1 - 1.3| of four requests
    one = found.slices["channel"]["mail"]
    assert (one.macro_f1, one.calibration_error) == (pytest.approx(11 / 15), pytest.approx(0.1))
    # chat: both right, 55 % sure
    other = found.slices["channel"]["chat"]
    assert (other.macro_f1, other.calibration_error) == (1, pytest.approx(0.45))
    # the whole: F1 of a 2 * 4 / (4 + 5), of b as before; 0.1, 0.3 and 0.9 of six requests
    assert macro_f1(found.confusion) == pytest.approx((8 / 9 + 2 / 3) / 2)
    assert calibration_error(found.calibration) == pytest.approx(1.3 / 6)


def test_a_slice_of_free_text_has_no_macro_f1():
    client = BY_CHANNEL.model_copy(update={"task": Task.GENERATION, "labels": ()})
    rows = [replace(sure(n, 0.9, f"Answer {n}"), metadata={"channel": "mail"}) for n in range(4)]
    told = [outcome(n, f"Answer {n}" if n else "Another one", correct=n > 0) for n in range(4)]
    one = figures(window(rows, told), client).slices["channel"]["mail"]
    # three of four right, 90 % sure
    assert (one.accuracy, one.macro_f1, one.calibration_error) == (Rate(3, 4), None, pytest.approx(0.15))


def test_latency_of_a_slice_is_that_of_its_requests_to_the_model_in_service():
    took = {"mail": [10.0] * 9 + [1_000.0], "chat": [100.0] * 10}
    rows = [(name, ms) for name, many in took.items() for ms in many]
    answered = [replace(sure(n, 0.5, latency=ms), metadata={"channel": name}) for n, (name, ms) in enumerate(rows)]
    before = [replace(row, id=f"before {row.id}", model_version="0", latency_ms=5_000.0) for row in answered[:12]]
    before = [replace(row, at=row.at - timedelta(days=1)) for row in before]
    silent = replace(sure(20, 0.5), metadata={"channel": "app"})
    counted = tally(window([*before, *answered, silent], []), ("channel",))
    found = figures_of(counted, BY_CHANNEL)
    times = {name: (one.latency_p50_ms, one.latency_p95_ms) for name, one in found.slices["channel"].items()}
    # a step has its middle at 2 ** (26.5 / 8) = 9.94, 2 ** (53.5 / 8) = 103 and 2 ** (79.5 / 8) = 981
    assert times == {"mail": (9.9, 980.0), "chat": (100.0, 100.0), "app": (None, None)}
    assert found.latency_p95_ms == pytest.approx(5_000, rel=0.05)  # all requests of the week, whoever answered
    every = figures_of(counted, BY_CHANNEL, every_model=True).slices["channel"]["mail"]
    assert every.latency_p50_ms == 980.0  # 9 of 20 took 10 ms, ten 5,000


def test_rare_values_are_taken_together():
    client = CLIENT.model_copy(update={"review_by": ("shop",)})
    shops = [n if n < 30 else 0 for n in range(40)]
    rows = [
        replace(prediction(n), metadata={"shop": shop}, latency_ms=100.0 if shop else 10.0)
        for n, shop in enumerate(shops)
    ]
    found = figures(window(rows, []), client).slices["shop"]
    assert len(found) == 21
    assert (found["0"].requests, found["(others)"].requests) == (11, 10)
    assert (found["0"].latency_p50_ms, found["(others)"].latency_p50_ms) == (9.9, 100.0)


def test_latency_is_known_within_five_percent():
    counted = tally(window([sure(n, 0.5, latency=float(n)) for n in range(1, 101)], []))
    assert latency_at(counted.latency.values(), 0.5) == pytest.approx(50, rel=0.05)
    assert latency_at(counted.latency.values(), 0.95) == pytest.approx(95, rel=0.05)
    assert latency_at(tally(window([sure(0, 0.5)], [])).latency.values(), 0.5) is None
    for milliseconds in (0.01, 1, 37, 4_000):
        assert latency_of(latency_bin(milliseconds)) == pytest.approx(milliseconds, rel=0.05)


def test_label_delay_is_counted_in_whole_days_until_the_first_opinion():
    found = figures(window([prediction(0), prediction(1)], [outcome(0), outcome(1), outcome(1, "b")]), CLIENT)
    assert found.label_delay == {1: 2}


def counted(requests: int, given: dict[str, int], audits: dict[tuple[str, str], int]) -> Tally:
    """A week that was answered so often with each label, and of which so many (given, right) were audited."""
    told = sum(audits.values())
    assert told <= requests
    rows = [
        (Cell("1", out, True, 9, (Opinion(OutcomeSource.AUDIT, right, None),), (f"as {right}",)), Count(n, n * SCALE))
        for (out, right), n in audits.items()
        if n
    ]
    for out, n in given.items():
        more = n - sum(audited for (answer, _), audited in audits.items() if answer == out)
        rows.append((Cell("1", out, True, 9, (), ("as a",)), Count(more, more * SCALE)))
    return Tally(add_up(rows), {}, {}, {0: {"1": requests}}, [])


def weighed(weeks: list[Tally]) -> WeightedQuality:
    client = CLIENT.model_copy(update={"review_by": ("kind",)})
    cells = add_up(cell for week in weeks for cell in week.cells.items())
    whole = replace(weeks[0], cells=cells)
    return weigh(weeks, client, figures_of(whole, client, every_model=True))


def test_a_label_and_a_slice_of_a_busy_week_have_its_weight():
    quiet = counted(10, {"a": 8, "b": 2}, {("a", "a"): 4, ("a", "b"): 0, ("b", "b"): 1})
    busy = counted(90, {"a": 60, "b": 30}, {("a", "a"): 2, ("a", "b"): 2, ("b", "b"): 1})
    found = weighed([quiet, busy])
    assert found.accuracy.value == pytest.approx(0.1 * 5 / 5 + 0.9 * 3 / 5)
    # 8 of the first week's requests were given `a` and 60 of the second's: of 4 and 4 audited 4 and 2 were right
    assert found.labels["a"].precision.value == pytest.approx((8 * 4 / 4 + 60 * 2 / 4) / 68)
    assert found.labels["a"].precision.effective == pytest.approx(1 / ((8 / 68) ** 2 / 4 + (60 / 68) ** 2 / 4))
    # `b` is right for 1 of 5 of the first week's 10 requests, which were given it, and for 3 of 5 of the second's 90
    recall = found.labels["b"].recall
    assert (recall.value, recall.n) == (pytest.approx((2 * 1 / 1 + 54 * 1 / 3) / 56), 4)
    assert found.labels["b"].precision.value == found.labels["a"].recall.value == 1
    one = found.slices["kind"]["as a"]
    assert (one.accuracy.value, one.auto_resolution.n) == (1, 6)
    assert found.slices["kind"]["as b"].accuracy.value == pytest.approx((1 * 1 + 3 * 1 / 3) / 4)


def test_where_all_is_audited_the_weights_change_nothing():
    weeks = [
        counted(12, {"a": 7, "b": 5}, {("a", "a"): 6, ("a", "b"): 1, ("b", "b"): 2, ("b", "a"): 3}),
        counted(5, {"a": 1, "b": 4}, {("a", "b"): 1, ("b", "b"): 4}),
    ]
    found, plain = (
        weighed(weeks),
        by_label((Confusion("a", "a", 6), Confusion("a", "b", 2), Confusion("b", "b", 6), Confusion("b", "a", 3))),
    )
    for label, quality in plain.items():
        assert found.labels[label].precision.value == pytest.approx(quality.precision.value)
        assert found.labels[label].recall.value == pytest.approx(quality.recall.value)
        assert found.labels[label].recall.interval() == pytest.approx(quality.recall.interval(), abs=1e-9)


def test_the_interval_of_a_label_s_recall_holds_it_where_a_busy_week_is_a_worse_one():
    # `b` is right for 40 % of requests and found in 9 of 10 of those, in the busy week in 6 of 10; 60 audited a week
    rng, weeks, truth = np.random.default_rng(11), [(1_000, 0.9)] * 3 + [(5_000, 0.6)], (3 * 0.9 + 5 * 0.6) / 8
    held = plain_held = 0
    for _ in range(1_000):
        month, pooled = [], Rate(0, 0)
        for requests, found in weeks:
            missed, hits, others = map(int, rng.multinomial(60, [0.4 * (1 - found), 0.4 * found, 0.6]))
            given = round(0.4 * found * requests)
            audits = {("a", "b"): missed, ("b", "b"): hits, ("a", "a"): others}
            month.append(counted(requests, {"a": requests - given, "b": given}, audits))
            pooled += Rate(hits, hits + missed)
        low, high = weighed(month).labels["b"].recall.interval()
        held += low <= truth <= high
        plain_held += pooled.interval().low <= truth <= pooled.interval().high
    assert held >= 930
    assert plain_held < 800
