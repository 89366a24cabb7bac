"""Is what a model was taught kept, and can it be told again from the facts?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.small_client import configure
from tests.small_encoder import CONFIGS
from tests.texts import case, text
from upkeep import records
from upkeep.__main__ import main
from upkeep.adapters.store import open_store
from upkeep.cases.case import Item, valid_at
from upkeep.cases.collection import Fold
from upkeep.cases.label_history import label_history
from upkeep.cases.relabel_rules import Themed
from upkeep.cases.review_batch import Choice, ReviewDecision
from upkeep.cases.split import Side
from upkeep.config import Relabel, load_client
from upkeep.desk import GOLDEN, LAUNCH_CASES, Desk, open_desk
from upkeep.entitlement import UseCase
from upkeep.errors import LeakError, SnapshotError
from upkeep.release import Action, Entry
from upkeep.stages.evaluation import Service, evaluation_sets, frozen_items
from upkeep.stages.locking import locked_items
from upkeep.stages.snapshot import differences, rebuild, snapshot, stamp, take_snapshot

APRIL, MAY = datetime(2026, 4, 1, 6, tzinfo=UTC), datetime(2026, 5, 1, 6, tzinfo=UTC)
RULE = {"old": "warranty_claim", "new": "repair_partner", "since": "2026-04-15"}


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    # the texts are hashes: digits in a row are nobody's
    configure(tmp_path / "configs", monkeypatch, relabel=[RULE], redaction={"kinds": []})
    desk = open_desk("northwind")
    labels = ["warranty_claim", "order_status"]
    records.save_rows(desk.store, LAUNCH_CASES, [case(n, labels[n % 2]) for n in range(80)])
    records.save_rows(desk.store, GOLDEN, [Item("g1", text(3), "order_status")])
    take_snapshot(desk, "2026-04", APRIL)
    collected = [replace(case(n, "order_status", at=MAY - timedelta(days=9))) for n in range(100, 160)]
    records.save_rows(desk.store, "cases/2026-W17.jsonl", collected)
    records.save_rows(desk.store, "folded/2026-W17.jsonl", [Fold("5", 7, 1, MAY)])
    return desk


def test_a_snapshot_can_be_rebuilt_byte_for_byte_whatever_has_happened_since(desk):
    take_snapshot(desk, "2026-05", MAY)
    kept = {period: desk.store.read(f"snapshots/{period}.jsonl") for period in ("2026-04", "2026-05")}
    later = [case(n, "warranty_claim", at=MAY + timedelta(days=9)) for n in range(200, 220)]
    records.save_rows(desk.store, "cases/2026-W20.jsonl", later)
    decided = [ReviewDecision("6", Choice.REJECT, None, "ada", MAY, "")]
    records.save_rows(desk.store, f"reviewed/{stamp(MAY + timedelta(days=1))}-x.jsonl", decided)
    other = Desk(
        desk.agreement.model_copy(update={"client": desk.client.model_copy(update={"relabel": ()})}),
        desk.store,
        desk.registry,
    )
    for period, data in kept.items():
        assert rebuild(other, period) == data


def test_a_snapshot_of_cases_without_values_to_ask_by_has_none_and_one_with_them_rebuilds_too(desk):
    assert b'"by"' not in desk.store.read("snapshots/2026-04.jsonl")
    new = [case(n, "order_status", at=MAY - timedelta(days=2), by={"channel": "mail"}) for n in range(300, 320)]
    records.save_rows(desk.store, "cases/2026-W18.jsonl", new)
    take_snapshot(desk, "2026-05", MAY)
    rows = desk.store.read("snapshots/2026-05.jsonl")
    assert b'"by":{"channel":"mail"}}}\n' in rows
    assert rebuild(desk, "2026-05") == rows


ANSWERS = st.sampled_from(["warranty_claim", "order_status", "repair_partner", "new"])
COLLECTED = st.lists(st.tuples(st.integers(0, 40), ANSWERS, st.sampled_from("ard-")), max_size=25)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(COLLECTED, min_size=1, max_size=4))
def test_snapshots_of_any_history_rebuild_byte_for_byte(tmp_path_factory, desk, history):
    desk = replace(desk, store=open_store(str(tmp_path_factory.mktemp("store"))))
    records.save_rows(desk.store, LAUNCH_CASES, [case(n, "order_status") for n in range(20)])
    records.save_rows(desk.store, GOLDEN, [Item("g1", text(3), "order_status")])
    for month, collected in enumerate(history, start=4):
        at = datetime(2026, month, 1, 6, tzinfo=UTC)
        cases = [case(n, answer, at=at) for n, answer, _ in collected]
        records.save_rows(desk.store, f"cases/2026-{month:02}.jsonl", cases)
        said = {"a": Choice.ACCEPT, "r": Choice.REJECT}
        decided = [
            ReviewDecision(str(n), said[what], None if what == "r" else answer, "ada", at, "")
            for n, answer, what in collected
            if what in said
        ]
        records.save_rows(desk.store, f"reviewed/{stamp(at)}-{month}.jsonl", decided)
        take_snapshot(desk, f"2026-{month:02}", at)
    for month in range(4, 4 + len(history)):
        assert rebuild(desk, f"2026-{month:02}") == desk.store.read(f"snapshots/2026-{month:02}.jsonl")


def test_what_was_taught_stays_so_and_is_never_locked_when_the_recipe_holds_out_more(desk):
    first = {one.case.text for one in take_snapshot(desk, "2026-05", MAY).lessons}
    before = {one.text for one in locked_items(desk)}
    more = [case(n, "order_status", at=MAY + timedelta(days=9)) for n in range(200, 260)]
    records.save_rows(desk.store, "cases/2026-W20.jsonl", more)
    recipe = desk.recipe.model_copy(update={"holdout_share": 0.45})
    wider = replace(desk, agreement=desk.agreement.model_copy(update={"recipe": recipe}))
    taken = take_snapshot(wider, "2026-06", MAY + timedelta(days=31))
    new = {one.text for one in locked_items(desk)} - before
    assert len(new) > 10
    assert new <= {one.text for one in more}
    assert first <= {one.case.text for one in taken.lessons}
    records.save_rows(desk.store, "cases/2026-W25.jsonl", [case(300, "order_status", at=MAY + timedelta(days=40))])
    again = take_snapshot(wider, "2026-07", MAY + timedelta(days=61))
    assert first <= {one.case.text for one in again.lessons}
    assert list(desk.store.keys("evaluation/open/")) == ["evaluation/open/2026-06.jsonl"]
    for period in ("2026-05", "2026-06", "2026-07"):
        rebuild(desk, period)


def test_labels_that_differ_have_another_version_though_the_moment_is_the_same_and_equal_ones_the_same(desk, capsys):
    more, fewer = ("warranty_claim", "order_status", "gift_card"), ("warranty_claim", "order_status")
    taken = [("2026-05", fewer), ("2026-05-a", more), ("2026-05-b", fewer), ("2026-05-c", more)]
    versions = [take_snapshot(desk, period, MAY, head=labels).label_set for period, labels in taken]
    assert versions == [1, 2, 1, 2]
    assert take_snapshot(desk, "2026-06", MAY + timedelta(days=31), head=more).label_set == 2
    between = take_snapshot(desk, "2026-04-b", APRIL + timedelta(days=9), head=more)
    assert between.label_set == 3  # what came later was another change
    assert main(["data", "northwind"]) == 0
    listed = [line.partition(" cases, ")[2] for line in capsys.readouterr().out.splitlines()]
    assert listed[:2] == ["2 labels (version 1), 2026-04-01", "3 labels (version 3), 2026-04-10"]


def test_a_belated_one_and_its_items_are_as_they_would_have_been_before_a_later_run(desk, tmp_path):
    in_time = replace(desk, store=open_store(str(tmp_path / "in-time")))
    for key in desk.store.keys(""):
        in_time.store.write(key, desk.store.read(key))
    soon, labels = MAY + timedelta(days=30), ("warranty_claim", "order_status", "gift_card")
    later = [case(n, "gift_card", at=MAY + timedelta(days=9)) for n in range(200, 260)]
    records.save_rows(desk.store, "cases/2026-W20.jsonl", later)
    take_snapshot(desk, "2026-Q2-variant-gift-card", soon, head=labels)
    taken = [take_snapshot(one, "2026-05", MAY) for one in (desk, in_time)]
    found = [evaluation_sets(one, MAY, frozen_items(one, "2026-05"), Service()) for one in (desk, in_time)]
    assert found[0] == found[1]
    assert len(found[0]["recent"]) > 3
    assert taken[0].lessons == taken[1].lessons
    assert not {one.text for one in locked_items(desk)} & {one.case.text for one in taken[0].lessons}


def test_taking_it_again_gives_the_one_that_is_there(desk):
    first = take_snapshot(desk, "2026-05", MAY)
    records.save_rows(desk.store, "cases/2026-W18.jsonl", [case(300, "order_status", at=MAY)])
    assert take_snapshot(desk, "2026-05", MAY) == first


def test_a_fact_that_was_changed_or_is_gone_is_named(desk):
    key = "cases/2026-W17.jsonl"
    take_snapshot(desk, "2026-05", MAY)
    desk.store.write(key, desk.store.read(key).replace(b"order_status", b"warranty_claim"))
    with pytest.raises(SnapshotError, match=r"cases/2026-W17\.jsonl: SHA-256 is \w+, expected \w+ as in 2026-05"):
        rebuild(desk, "2026-05")
    desk.store.delete(key)
    with pytest.raises(SnapshotError, match=r"cases/2026-W17\.jsonl: gone, snapshot 2026-05 was chosen from it"):
        rebuild(desk, "2026-05")
    rebuild(desk, "2026-04")


def test_a_run_that_died_before_the_record_is_finished_by_the_next(desk):
    take_snapshot(desk, "2026-05", MAY)
    rows, locked = desk.store.read("snapshots/2026-05.jsonl"), locked_items(desk)
    desk.store.delete("snapshots/2026-05.json")
    take_snapshot(desk, "2026-05", MAY)
    assert desk.store.read("snapshots/2026-05.jsonl") == rows
    assert locked_items(desk) == locked


def test_two_snapshots_are_told_apart_in_words(desk):
    taken = take_snapshot(desk, "2026-05", MAY)
    # 80 launch cases, one of them golden; the even ones were warranty claims
    n = len([one for one in taken.lessons if one.case.answer == "order_status"]) - 39
    assert differences(desk, "2026-04", "2026-05") == [
        f"{n} added (most of them `order_status` {n})",
        "40 superseded: `warranty_claim` -> `repair_partner`, from 2026-04-15",
        "1 said by more requests",
    ]
    with pytest.raises(SnapshotError, match=r"no snapshot '2026-06', expected one of \['2026-04', '2026-05'\]"):
        differences(desk, "2026-05", "2026-06")


def test_a_case_that_was_rejected_before_it_was_ever_taught_is_told_once(desk):
    rejected = [ReviewDecision("100", Choice.REJECT, None, "ada", MAY - timedelta(days=1), "")]
    records.save_rows(desk.store, f"reviewed/{stamp(MAY - timedelta(days=1))}-x.jsonl", rejected)
    take_snapshot(desk, "2026-05", MAY)
    take_snapshot(desk, "2026-06", MAY + timedelta(days=31))
    assert differences(desk, "2026-04", "2026-05")[-1] == "1 rejected in review"
    assert differences(desk, "2026-05", "2026-06") == ["nothing"]


def test_what_it_was_made_up_of_is_told_and_a_record_of_before_it_was_counted_is_read(desk, capsys):
    taken = take_snapshot(desk, "2026-05", MAY)
    assert main(["data", "northwind", "2026-05"]) == 0
    assert f"  trained on {len(taken.train):,} other new cases (100.0%)\n" in capsys.readouterr().out
    record = json.loads(desk.store.read("snapshots/2026-05.json"))
    assert record.pop("mix") == {"other new cases": len(taken.train)}
    desk.store.write("snapshots/2026-05.json", json.dumps(record).encode())
    assert snapshot(desk, "2026-05").mix == {}
    assert main(["data", "northwind", "2026-05"]) == 0
    assert "trained on" not in capsys.readouterr().out


def test_what_it_was_chosen_by_is_on_record(desk):
    taken = take_snapshot(desk, "2026-05", MAY)
    made = snapshot(desk, "2026-05")
    assert made.digest == taken.digest
    assert made.terms.rules == (Relabel.model_validate(RULE),)
    assert made.proof.locked == len(locked_items(desk)) > 1
    assert made.left_out["nearly an evaluation item"] == 1
    by_id = {one.case.id: one for one in taken.lessons}
    assert by_id["5"].case.requests == 8
    held = {one.text for one in locked_items(desk)} - {text(3)}
    assert held
    assert not held & {one.case.text for one in taken.lessons if one.use is not Side.HOLDOUT}


def test_one_with_an_evaluation_item_in_it_is_refused_and_leaves_no_record(desk, monkeypatch):
    monkeypatch.setattr("upkeep.cases.snapshot.open_to_learn", lambda cases, *_, **__: [*cases])
    with pytest.raises(LeakError, match=r"case 3 is 1\.00 alike to evaluation item g1, .* nothing was trained"):
        take_snapshot(desk, "2026-05", MAY)
    assert list(desk.store.keys("snapshots/2026-05")) == []


def test_new_is_what_the_model_in_service_was_not_taught_whatever_was_held_since(desk):
    came = [
        Entry(1, APRIL, Action.LAUNCH, "1", None, "onboarding", "", "test"),
        Entry(2, MAY, Action.PROMOTE, "2", "1", "gate", "", "test", decision="2026-04"),
        Entry(3, MAY + timedelta(days=40), Action.PROMOTE, "4", "2", "ada", "", "test", decision="2026-Q2-variant-x"),
        Entry(4, MAY + timedelta(days=70), Action.ROLLBACK, "1", "4", "ada", "", "test"),
    ]
    for one in came:
        records.save(desk.store, f"releases/log/{one.number:06}.json", one)
    take_snapshot(desk, "2026-05", MAY + timedelta(days=1))  # its model was held
    take_snapshot(desk, "2026-06", MAY + timedelta(days=31))
    take_snapshot(desk, "2026-Q2-variant-x", MAY + timedelta(days=39), head=("warranty_claim", "order_status", "x"))
    take_snapshot(desk, "2026-07", MAY + timedelta(days=61))  # version 4 is version 2 with another row
    take_snapshot(desk, "2026-08", MAY + timedelta(days=92))  # nobody knows when version 1 was taught
    periods = ("2026-05", "2026-06", "2026-07", "2026-08")
    assert [snapshot(desk, one).terms.new_since for one in periods] == [APRIL, APRIL, APRIL, None]


def test_a_new_category_is_a_label_like_others_once_its_model_has_gone_into_service(desk):
    claim = UseCase("2026-Q2", MAY, "gift_card", "asked for", "ada")
    records.save(desk.store, "use-cases/claims/2026-Q2.json", claim)
    take_snapshot(desk, claim.key, MAY, head=("warranty_claim", "order_status", "gift_card"))
    june, july = MAY + timedelta(days=31), MAY + timedelta(days=61)
    take_snapshot(desk, "2026-06", june)  # it was trained, and refused
    assert "gift_card" not in snapshot(desk, "2026-06").terms.labels
    promoted = Entry(1, july - timedelta(days=9), Action.PROMOTE, "2", "1", "ada", "", "test", decision=claim.key)
    records.save(desk.store, "releases/log/000001.json", promoted)
    take_snapshot(desk, "2026-07", july)
    assert "gift_card" in snapshot(desk, "2026-07").terms.labels


TENTS = ["my tent leaks in the rain", "water comes into the tent", "the tent is not waterproof any more"]
BOOTS = ["the sole of my boot came off", "my hiking boots fall apart at the sole", "the boot's sole is loose"]


def test_a_rule_for_a_theme_outdates_what_is_about_it_and_is_told_again_without_a_model(desk):
    rules = [
        {"old": "order_status", "new": "warranty_claim", "since": "2026-04-10", "text": "tent"},
        {"old": "warranty_claim", "new": "repair_partner", "since": "2026-04-15", "theme": [TENTS[0]]},
    ]
    eyes = load_client(CONFIGS, "northwind").base_model.model_dump()  # two layers of it do not tell boots from tents
    client = type(desk.client).model_validate(desk.client.model_dump() | {"relabel": rules, "eyes": eyes})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    begun = MAY - timedelta(days=40)
    answers = ["warranty_claim", "order_status", "warranty_claim"]  # the first rule makes the second a claim too
    asked = [
        case(400 + at, answer, at=begun, text_of=said)
        for at, (said, answer) in enumerate(zip(TENTS + BOOTS, answers + ["warranty_claim"] * 3, strict=True))
    ]
    records.save_rows(desk.store, "cases/2026-W13.jsonl", asked)
    take_snapshot(desk, "2026-05", MAY)
    rule = snapshot(desk, "2026-05").terms.rules[1]
    assert isinstance(rule, Themed)
    assert rule.texts == tuple(sorted(TENTS))
    moment = desk.local(MAY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("upkeep.stages.rules_in_force.request_encoder", lambda _: pytest.fail("a model was asked"))
        rows = rebuild(desk, "2026-05")
    history = label_history(asked, rules=[rule], decided={}, moment=moment, zone=desk.zone)
    assert {one.text: one.answer for one in valid_at(history.versions, moment)} == (
        {TENTS[0]: "repair_partner", TENTS[1]: "order_status", TENTS[2]: "repair_partner"}
        | dict.fromkeys(BOOTS, "warranty_claim")
    )
    assert b'"answer":"repair_partner"' in rows
