"""Does what was decided about a rule stay on record, so that a past moment gives what it gave?"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.audited import agreed
from tests.texts import case, text
from upkeep import records
from upkeep.__main__ import main
from upkeep.cases.case import Item
from upkeep.cases.relabel_rules import Found
from upkeep.config import Relabel
from upkeep.desk import GOLDEN, LAUNCH_CASES
from upkeep.stages.candidates import labels_to_be
from upkeep.stages.rules import decide_rule
from upkeep.stages.snapshot import snapshot, take_snapshot

PROPOSED, ACCEPTED, REFUSED = (datetime(2026, 4, day, 10, tzinfo=UTC) for day in (6, 8, 28))
BETWEEN, AFTER = datetime(2026, 4, 20, 6, tzinfo=UTC), datetime(2026, 5, 1, 6, tzinfo=UTC)
RULE = Relabel(old="refund_status", new="refund_office", since=date(2026, 3, 9))


@pytest.fixture
def proposed(tmp_path, monkeypatch):
    """A client of which a rule was proposed."""
    desk = agreed(tmp_path, monkeypatch, relabel=[], redaction={"kinds": []})
    records.save_rows(desk.store, LAUNCH_CASES, [case(n, ["refund_status", "order_status"][n % 2]) for n in range(80)])
    records.save_rows(desk.store, GOLDEN, [Item("g1", text(3), "order_status")])
    one = Found(RULE, "2026-W14", PROPOSED, "5 of 5")
    records.save(desk.store, f"rules/{one.id}.json", one)
    return desk, one.id


def test_a_run_for_a_moment_before_a_rule_was_refused_chooses_what_it_chose(proposed):
    desk, rule = proposed
    decide_rule(desk, rule, accepted=True, by="ada", at=ACCEPTED, since=date(2026, 3, 16))
    in_force = desk.rules(BETWEEN)
    take_snapshot(desk, "2026-04", BETWEEN)
    chosen = desk.store.read("snapshots/2026-04.jsonl")
    decide_rule(desk, rule, accepted=False, by="bob", at=REFUSED)
    assert [one.since for one in in_force] == [date(2026, 3, 16)]
    assert [len(desk.rules(at)) for at in (PROPOSED, BETWEEN, AFTER)] == [0, 1, 0]
    assert desk.rules(BETWEEN) == in_force
    for key in list(desk.store.keys("snapshots/2026-04")):
        desk.store.delete(key)
    take_snapshot(desk, "2026-04", BETWEEN)
    assert desk.store.read("snapshots/2026-04.jsonl") == chosen
    assert "refund_office" in snapshot(desk, "2026-04").labels
    take_snapshot(desk, "2026-05", AFTER)
    assert "refund_office" not in snapshot(desk, "2026-05").labels


def test_each_answer_holds_from_when_it_was_given_with_its_own_day_until_the_next(proposed):
    desk, rule = proposed
    given = [(True, "ada", date(2026, 3, 16)), (False, "bob", None), (True, "eve", date(2026, 3, 23))]
    for week, (accepted, by, since) in enumerate(given):
        decide_rule(desk, rule, accepted=accepted, by=by, at=ACCEPTED + timedelta(weeks=week), since=since)
    days = [[one.since.day for one in desk.rules(ACCEPTED + timedelta(weeks=week, days=1))] for week in range(-1, 4)]
    assert days == [[], [16], [], [23], [23]]
    # what a refused rule leads to is a label that may be a new category; who accepts it knows it
    leads = ["refund_office" in labels_to_be(desk, None, ACCEPTED + timedelta(weeks=week, days=1)) for week in range(3)]
    assert leads == [True, False, True]
    assert [(one.accepted, one.by) for one in desk.found_rules()[0].answers] == [(yes, by) for yes, by, _ in given]


def test_the_same_answer_once_more_is_no_second_one_and_one_for_a_day_in_the_past_stands_in_its_place(proposed):
    desk, rule = proposed
    for _ in range(2):  # a run that is done again
        decide_rule(desk, rule, accepted=False, by="bob", at=REFUSED)
    decide_rule(desk, rule, accepted=True, by="ada", at=ACCEPTED)
    (one,) = desk.found_rules()
    assert [said.by for said in one.answers] == ["ada", "bob"]
    assert (one.state, desk.rules(BETWEEN), desk.rules(AFTER)) == ("refused by bob", [RULE], [])


def test_who_decided_what_and_when_is_shown(proposed, capsys):
    _, rule = proposed
    for by, answer, day in (("ada", ["--accept", "--since", "2026-03-16"], 8), ("bob", ["--refuse"], 28)):
        assert main(["rules", "northwind", rule, *answer, "--by", by, "--as-of", f"2026-04-{day:02}T10:00"]) == 0
    capsys.readouterr()
    assert main(["rules", "northwind"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{rule} refused by bob: 'refund_status' becomes 'refund_office' from 2026-03-16: 5 of 5",
        "  accepted from 2026-03-16 on by ada on 2026-04-08 10:00",
        "  refused by bob on 2026-04-28 10:00",
    ]


def test_a_record_from_before_answers_were_kept_has_the_one_it_has(proposed):
    desk, rule = proposed
    key = f"rules/{rule}.json"
    decide_rule(desk, rule, accepted=True, by="ada", at=ACCEPTED)
    old = json.loads(desk.store.read(key))
    assert old.pop("earlier") == []
    desk.store.write(key, json.dumps(old).encode())
    assert [len(desk.rules(at)) for at in (PROPOSED, BETWEEN)] == [0, 1]
    decide_rule(desk, rule, accepted=False, by="bob", at=REFUSED)
    assert [len(desk.rules(at)) for at in (PROPOSED, BETWEEN, AFTER)] == [0, 1, 0]
