"""The whole chain on real weights: watched, retrained, compared, promoted, rolled back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.audited import FIRST, agreed, serve
from tests.released import decide
from tests.small_client import FEEDBACK, configure, live, timeline
from upkeep import records
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.chain import report, retrain, run_due, watch
from upkeep.desk import Desk, open_desk
from upkeep.entitlement import ChangeOrder, Claim
from upkeep.errors import BaseModelError, DecisionError, NoChampionError, NoLogError
from upkeep.evaluation.comparison import Verdict
from upkeep.monitoring.figures import Basis
from upkeep.monitoring.judgement import Status
from upkeep.monitoring.trouble import Kind, change_of
from upkeep.replay import JudgedAgain, alarmed, by_month, go_live, judged_again, play
from upkeep.stages.approval import approve
from upkeep.stages.asking import asked
from upkeep.stages.auditing import draw_audit
from upkeep.stages.collection import collect_cases
from upkeep.stages.contract import book_retrain, change_orders, goes_on, order_if_extra
from upkeep.stages.decisions import Decision, decision, decisions
from upkeep.stages.finetuning import load_model
from upkeep.stages.monitoring import review_week, reviews
from upkeep.stages.release import current_release, roll_back
from upkeep.stages.snapshot import snapshot, stamp
from upkeep.stages.troubles import Trouble
from upkeep.stages.waiting import Waiting, no_longer_waiting

APRIL = datetime(2026, 4, 1, 6, tzinfo=UTC)
MONDAY = datetime(2026, 2, 2, 6, tzinfo=UTC)


def test_a_month_of_retrains_is_compared_logged_promoted_and_taken_back(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, tier=3, thresholds={"accuracy": 0.99})
    history = timeline()
    desk, floors = live(history)
    assert 0.5 < floors.accuracy < 1
    played = play(desk, history, act=run_due, feedback=FEEDBACK, seed=0)
    made = retrain(desk, APRIL, reason="the new policy")

    # every request was answered and counted in its own month
    months = by_month(desk, played)
    assert [month["month"] for month in months] == ["2026-01", "2026-02", "2026-03"]
    assert sum(month["n"] for month in months) == len(history.stream) == 450
    # an accuracy of 99 % was agreed and cannot be kept: that is alarmed, and the scheduled retrains were decided on
    assert any(alert["metric"] == "accuracy" for month in months for alert in month["alerts"])
    assert [one.period for one in decisions(desk)] == ["2026-02", "2026-03", "2026-04"]

    # the policy of 15 March is learned in one retrain and the model that knows it goes into service
    assert isinstance(made, Decision)
    assert made.verdict is Verdict.PROMOTE, made.reasons
    assert made.applied
    assert desk.registry.champion() == made.challenger
    changed = {rule.old: rule.new for rule in desk.client.relabel}
    moved = [item for item in history.golden if item.label in changed and item.valid_to]
    answers = load_model(desk, made.challenger).answer([item.text for item in moved])
    learned = [answer.output == changed[item.label] for item, answer in zip(moved, answers, strict=True)]
    assert sum(learned) / len(learned) > 0.8

    # both models' figures stand in MLflow under the same names
    client = desk.registry.client
    runs = client.search_runs([desk.registry.experiment()], "tags.`upkeep.period` = '2026-04'")
    by_stage = {run.data.tags["upkeep.stage"]: run for run in runs}
    assert set(by_stage) == {"training", "champion score", "challenger score", "comparison"}
    names = (set(by_stage[f"{role} score"].data.metrics) for role in ("champion", "challenger"))
    # a model that answers none of a set by itself has no precision there: no data is not zero
    assert {one.rpartition("/")[2] for one in set.symmetric_difference(*names)} <= {"automatic_precision"}
    assert "golden/accuracy" in by_stage["challenger score"].data.metrics
    assert by_stage["comparison"].data.metrics["difference/golden/accuracy"] == made.compared[0].difference
    (used,) = by_stage["training"].inputs.dataset_inputs
    taught = snapshot(desk, "2026-04").digest
    assert (used.dataset.name, used.dataset.digest) == ("northwind/cases", taught[:36])  # MLflow keeps no more
    assert taught != snapshot(desk, "2026-03").digest

    # doing it again does nothing again
    assert retrain(open_desk("northwind"), APRIL, reason="the new policy") == made
    assert len(client.search_runs([desk.registry.experiment()], "tags.`upkeep.period` = '2026-04'")) == 4

    # the application is told the same as MLflow, and every decision of the year comes out the same again
    pointer = current_release(desk)
    assert pointer is not None
    assert (pointer.version, pointer.model) == (made.challenger, f"models:/northwind/{made.challenger}")
    assert judged_again(desk) == JudgedAgain(decisions=3, identical=3, different={})

    # one command goes back
    assert roll_back(desk, by="ada", reason="a client called", at=APRIL).version == made.champion
    assert desk.registry.champion() == made.champion


def test_a_retrain_that_waits_for_people_is_done_by_the_review_that_finds_them_ready(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, tier=3, unreviewed="wait")
    history = timeline(months=1)
    desk, _ = live(history)
    play(desk, history, act=lambda client, at: watch(open_desk(client), at), feedback=FEEDBACK, seed=0)
    waiting = retrain(desk, MONDAY - timedelta(days=1), reason="scheduled")
    assert isinstance(waiting, Waiting)
    assert waiting.cases
    run_due("northwind", MONDAY)
    assert (desk.claims(), decisions(desk)) == ({}, [])
    said = [ReviewDecision(one.id, Choice.ACCEPT, one.answer, "ada", MONDAY, "") for one in asked(desk).values()]
    records.save_rows(desk.store, f"reviewed/{stamp(MONDAY)}-ada.jsonl", said)
    run_due("northwind", MONDAY + timedelta(days=7))
    assert [(one.period, one.reason) for one in decisions(desk)] == [("2026-02", "scheduled")]
    assert list(desk.claims()) == ["2026-02"]
    assert no_longer_waiting(desk, MONDAY + timedelta(days=14)) is None


def test_a_review_and_a_retrain_of_the_same_moment_collect_each_case_once(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=20)
    monday = FIRST + timedelta(days=7)
    first = collect_cases(desk, "2026-W06", monday)
    assert first.cases > 0
    assert (collect_cases(desk, "2026-02", monday).cases, len(desk.cases())) == (0, first.cases)
    # a run that died after the cases and before the record is done again
    desk.store.delete("collections/2026-W06.json")
    desk.store.delete("collections/2026-02.json")
    assert collect_cases(desk, "2026-W06", monday) == first
    assert len(desk.cases()) == first.cases


def test_a_retrain_under_tier_1_becomes_a_change_order(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    log_requests(desk)  # by a model of the client's own
    order = retrain(desk, APRIL, reason="the client asked")
    assert isinstance(order, ChangeOrder)
    assert order.reason == "the client asked"
    assert change_orders(desk) == [order]
    assert not list(desk.store.keys("challengers/"))


def test_a_second_reason_for_a_change_order_joins_the_first_and_the_same_one_is_told_once(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    log_requests(desk)
    for reason in ("the client asked", "new price list", "the client asked"):
        retrain(desk, APRIL, reason=reason)
    order = retrain(desk, APRIL, reason="new price list")
    assert order.reason == "the client asked; new price list"
    assert change_orders(desk) == [order]


def test_a_recommended_retrain_becomes_a_change_order_under_any_tier_once_the_period_s_is_used(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, tier=2, base_model={"path": "models/nowhere"})
    records.save(desk.store, "claims/2026-Q1.json", Claim("2026-Q1", FIRST, "scheduled"))
    decide(desk, "2026-Q1", at=FIRST)
    for number, wrong in enumerate((2, 2, 30)):
        serve(desk, number, wrong=wrong)
        order = order_if_extra(desk, found := review_week(desk, FIRST + timedelta(weeks=number + 1)))
    assert isinstance(order, ChangeOrder)
    assert order.why_extra == "the quarterly retrain of 2026-Q1 was used on 2026-02-02 (scheduled)"
    assert change_orders(desk) == [order]
    # one that was used after the review is what it recommended
    desk.store.delete("claims/2026-Q1.json")
    records.save(desk.store, "claims/2026-Q1.json", Claim("2026-Q1", found.as_of + timedelta(days=1), "the alarm"))
    assert order_if_extra(desk, found) is None


def test_change_orders_are_told_oldest_first_whatever_their_periods_are_called(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for key, month in (("2026-Q1", 2), ("2026-05", 5)):  # the tier was 2 until April
        order = ChangeOrder(key, datetime(2026, month, 10, 9, tzinfo=UTC), "accuracy fell", "why", None)
        records.save(desk.store, f"change-orders/{key}.json", order)
    assert [one.period for one in change_orders(desk)] == ["2026-Q1", "2026-05"]


def test_of_eight_who_ask_at_once_no_reason_is_lost(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    log_requests(desk)
    reasons = [f"reason {number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda reason: book_retrain(desk, APRIL, reason), reasons))
    (order,) = change_orders(desk)
    assert sorted(order.reason.split("; ")) == reasons


def test_an_alarm_is_one_reason_beside_what_people_asked(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number, wrong in enumerate((2, 2, 2, 2, 30, 30, 30)):
        serve(desk, number, wrong=wrong)
        watch(desk, FIRST + timedelta(weeks=number + 1))
    (alarmed,) = change_orders(desk)
    assert alarmed.period == "2026-03"  # opened on the 9th, and still open on the 16th and 23rd
    order = retrain(desk, FIRST + timedelta(weeks=7), reason="the client asked")
    assert order.reason == f"{alarmed.reason}; the client asked"
    assert change_orders(desk) == [order]


def test_a_replay_says_which_week_told_of_an_alarm_and_which_one_that_it_was_over(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    for number, wrong in enumerate((40, 40, 4, 4)):  # 2026-W06 to W09
        serve(desk, number, wrong=wrong)
        watch(desk, FIRST + timedelta(weeks=number + 1))
    (found,) = alarmed(desk)
    said = "accuracy 33.3% (95% CI 22.7%..45.9%, n=60) in 2026-W06 is below the agreed 90.0%"
    assert str(found.pop("text")).startswith(said)  # 20 of 60
    assert str(found.pop("end")).startswith("accuracy 93.3%")  # 56 of 60
    about = {"incident": "2026-W06-accuracy", "subject": "accuracy", "kind": None, "old": None, "new": None}
    assert found == {"week": "2026-W06", "since": "2026-W06", "over": "2026-W09"} | about


def test_a_review_tells_how_far_it_is_with_what_it_collects(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=5)
    told: list[tuple[str, int, int]] = []
    watch(desk, FIRST + timedelta(weeks=1), progress=lambda *said: told.append(said))
    assert {what for what, done, total in told if done == total} >= {"looking for near-duplicates"}


def test_a_replay_says_which_labels_a_change_was_about_and_since_when(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch)
    change = change_of(Kind.POLICY, "6 of 7 should be b", 7, old="a", new="b")
    subject, monday = "label or policy change a to b", FIRST + timedelta(weeks=4)  # the review of 2026-W09
    noted = Trouble(subject, "2026-W09", "1", monday, change.text, change.action, replace(change, weeks=4))
    records.save(desk.store, "incidents/2026-W09-any.json", noted)
    (found,) = alarmed(desk)
    assert (found["kind"], found["old"], found["new"]) == ("label or policy change", "a", "b")
    assert (found["since"], found["week"], found["over"], found["end"]) == ("2026-W06", "2026-W09", None, None)


def test_a_second_retrain_in_a_quarter_becomes_a_change_order_that_says_when_the_next_is_included(
    tmp_path, monkeypatch
):
    configure(tmp_path / "configs", monkeypatch, tier=2)
    desk, _ = live(timeline(months=1))
    may = datetime(2026, 5, 5, 9, tzinfo=UTC)
    assert book_retrain(desk, may - timedelta(days=20), "too early") == desk.claims()["2026-Q2"]
    # its run is killed before it chose what to teach: who asks again begins anew
    booked = book_retrain(desk, APRIL, "scheduled")
    assert (booked.as_of, booked.reason) == (APRIL, "scheduled")
    # and after that: who asks again goes on with it, and is told so
    desk.store.write("snapshots/2026-Q2.json", b"{}")
    assert book_retrain(open_desk("northwind"), may, "again") == booked == desk.claims()["2026-Q2"]
    assert goes_on(desk, booked, APRIL) == ""
    told = "goes on with the retrain of 2026-Q2 as booked on 2026-04-01 08:00 (scheduled), which has no decision yet"
    assert goes_on(desk, booked, may) == told
    decide(desk, "2026-Q2", at=APRIL)
    order = retrain(desk, may, reason="again")
    assert isinstance(order, ChangeOrder)
    assert order.next_included is not None
    assert order.next_included.date().isoformat() == "2026-07-01"


def log_requests(desk: Desk, day: str = "2026-01-27", n: int = 80) -> None:
    """A day of requests that nobody has judged."""
    row = (
        '{{"id": "{0}", "timestamp": "{1}T09:00:00+01:00", "input": "order {0}?", "output": "order_status", '
        '"confidence": 0.9, "model_version": "1", "automatic": true, "latency_ms": 12, "metadata": {{}}}}\n'
    )
    lines = "".join(row.format(number, day) for number in range(n))
    desk.store.write(f"log/predictions/{day}/api.jsonl", lines.encode())


def test_a_client_without_model_and_log_is_told_how_to_onboard_and_nothing_is_written_or_used_up(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, tier=2)
    desk = open_desk("northwind")
    asked = (
        lambda: watch(desk, MONDAY),
        lambda: report(desk, MONDAY),
        lambda: draw_audit(desk, MONDAY),
        lambda: retrain(desk, MONDAY, reason="scheduled"),
        lambda: decision(desk, "2026-Q1"),
        lambda: roll_back(desk, by="ada", reason="complaints", at=MONDAY),
    )
    for ask in asked:
        with pytest.raises(NoChampionError, match=r"never onboarded.* python -m upkeep onboard northwind --cases"):
            ask()
    assert list(desk.store.keys("")) == []


def test_under_tier_1_nothing_is_ordered_for_a_client_of_whom_nothing_is_there(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    with pytest.raises(NoChampionError, match=r"or log what another model answers under .*/log/predictions/"):
        retrain(desk, APRIL, reason="the client asked")
    assert not change_orders(desk)


def test_a_period_from_before_the_log_is_not_counted_and_leaves_no_record(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    log_requests(desk, "2026-02-02")  # 09:00 in Berlin on the Monday after 2026-W05
    before = list(desk.store.keys(""))
    for ask in (watch, report, draw_audit):
        with pytest.raises(NoLogError, match=r"has ended and the log begins on 2026-02-02; expected predictions"):
            ask(desk, MONDAY)
    assert list(desk.store.keys("")) == before
    # the same week once rows of it have come in late
    log_requests(desk, "2026-02-01")
    assert review_week(desk, MONDAY).figures.requests == 80


def test_an_onboarded_client_that_logs_nothing_yet_is_told_so(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk, _ = live(timeline(months=1))
    with pytest.raises(NoLogError, match="2026-W05 has ended and nothing is logged yet"):
        review_week(desk, MONDAY)
    desk.store.write("log/predictions/2026/02/api.jsonl", b"")
    with pytest.raises(NoLogError, match=r"logged yet \(log/predictions: 1 of its files never read"):
        review_week(desk, MONDAY)
    with pytest.raises(DecisionError, match="no decision '2026-01', nor any other; `upkeep retrain` makes one"):
        decision(desk, "2026-01")


def test_a_silent_week_is_a_clear_finding(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    log_requests(desk, "2026-01-20")
    found = review_week(desk, MONDAY)
    assert found.figures.requests == 0
    assert {finding.status for finding in found.findings} == {Status.NOT_ENOUGH_DATA}
    assert "have 0, need 50" in found.findings[0].text


def test_a_log_full_of_malformed_rows_is_quarantined_and_counted(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    desk.store.write("log/predictions/2026-01-27/api.jsonl", b"not json\n" * 3 + b'{"id": "a"}\n')
    found = review_week(desk, MONDAY)
    assert found.figures.requests == 0
    assert sum(found.figures.quarantined.values()) == 4
    assert len(desk.store.read("quarantine/2026-W05.jsonl").splitlines()) == 4
    assert not found.retrain_recommended


def test_a_window_without_labels_is_not_judged(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    log_requests(desk)
    found = review_week(desk, MONDAY)
    assert found.figures.requests == 80
    assert found.figures.basis is Basis.NONE
    assert found.figures.accuracy.value is None
    assert "have 0, need 50" in found.findings[0].text


def test_nothing_is_half_written_when_the_base_model_is_missing(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, base_model={"path": "models/nowhere"})
    with pytest.raises(BaseModelError, match="nowhere"):
        go_live(open_desk("northwind"), timeline(months=1), seed=0)
    desk = open_desk("northwind")
    assert not list(desk.store.keys("challengers/"))
    with pytest.raises(NoChampionError, match="onboard the client first"):
        desk.registry.champion()


def test_a_manual_promotion_waits_for_a_person_and_carries_their_name(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch, tier=3, promotion="manual")
    history = timeline()
    desk, _ = live(history)
    play(desk, history, act=lambda client, as_of: None, feedback=FEEDBACK, seed=0)
    made = retrain(desk, APRIL, reason="scheduled")
    assert isinstance(made, Decision)
    assert made.verdict is Verdict.PROMOTE, made.reasons
    assert not made.applied
    assert desk.registry.champion() == made.champion
    approved = approve(desk, "2026-04", by="ada", reason="looks right", at=APRIL)
    assert (approved.applied, approved.applied_by) == (True, "ada")
    assert desk.registry.champion() == made.challenger
    with pytest.raises(DecisionError, match="no decision '2026-05'"):
        decision(desk, "2026-05")
    # the weeks of the stream are reviewed once each, whoever asks
    first = watch(desk, MONDAY)
    assert first.order is None
    assert [one.week for one in reviews(desk)] == ["2026-W05"]
