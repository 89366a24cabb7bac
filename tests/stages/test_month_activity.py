"""What a month's report says was done, and what was to be done and was not: as it was known when it was written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from tests.audited import agreed, serve
from tests.stages.test_reporting import DECISION
from tests.stages.test_reporting import week as review_of
from tests.texts import case
from upkeep import records
from upkeep.cases.doubts import Doubt
from upkeep.desk import Desk, open_desk
from upkeep.entitlement import Claim, UseCase
from upkeep.errors import VariantError
from upkeep.home import configs
from upkeep.monitoring.review import Contract
from upkeep.periods import Cadence, last_full
from upkeep.release import Action, Entry
from upkeep.stages.monitoring import review_week
from upkeep.stages.reporting import Report, assemble, render_markdown
from upkeep.stages.variant import Round, begin_use_case, open_use_cases
from upkeep.stages.waiting import Waiting

JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, 8, tzinfo=UTC)
LAUNCH = Entry(1, JANUARY, Action.LAUNCH, "1", None, "onboarding", "the first model", "test")


def client(tmp_path, monkeypatch, *, tier: int) -> Desk:
    """A client onboarded on 1 January with a month of requests, and the first review of each of four months."""
    desk = agreed(tmp_path, monkeypatch, tier=tier, base_model={"path": "models/nowhere"})
    for week in range(4):
        serve(desk, week, wrong=2)
    records.save(desk.store, "releases/log/000001.json", LAUNCH)
    contract = Contract(desk.tier.name, desk.tier.retrain)
    for first in ("2026-W01", "2026-W05", "2026-W09", "2026-W14"):
        review = replace(review_of(first), as_of=JANUARY, contract=contract)
        records.save(desk.store, f"reviews/{first}.json", review)
    return desk


def changed(**agreement) -> Desk:
    """The client after a change of what was agreed."""
    page = configs() / "clients" / "northwind.yaml"
    page.write_text(yaml.safe_dump(yaml.safe_load(page.read_text()) | agreement))
    return open_desk("northwind")


def month(desk: Desk, written: datetime) -> Report:
    return assemble(desk, last_full(written, Cadence.MONTHLY, desk.zone), desk.local(written))


def done(desk: Desk, written: datetime) -> list[str]:
    """The lines of "What we did"."""
    text = render_markdown(month(desk, written), desk.client)
    return [line for line in text.partition("## What we did")[2].splitlines() if line.strip()]


def test_a_retrain_that_was_due_is_told_until_it_is_decided_on(tmp_path, monkeypatch):
    desk, march = client(tmp_path, monkeypatch, tier=3), datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert done(desk, march) == ["- The retrain of 2026-02 was due and was not done."]
    records.save(desk.store, "waiting/2026-02.json", Waiting("2026-02", desk.local(FEBRUARY), "scheduled", ("a", "b")))
    assert done(desk, march) == ["- The retrain of 2026-02 waits until 2 cases are reviewed."]
    desk.store.delete("waiting/2026-02.json")
    records.save(desk.store, "claims/2026-02.json", Claim("2026-02", desk.local(FEBRUARY), "scheduled"))
    assert done(desk, march) == ["- The retrain of 2026-02 was begun and has no decision yet."]
    held = replace(DECISION, period="2026-02", as_of=desk.local(FEBRUARY), champion="1", challenger="2", applied=False)
    records.save(desk.store, "decisions/2026-02.json", held)
    assert month(desk, march).undone == ()


def test_a_quarter_s_retrain_is_due_in_its_first_month_alone(tmp_path, monkeypatch):
    desk = client(tmp_path, monkeypatch, tier=2)
    written = [datetime(2026, number, 1, 7, tzinfo=UTC) for number in (2, 3, 5)]
    # onboarded on 1 January, an hour after it had begun in Berlin: the retrain of Q1 was never due
    assert [month(desk, one).undone for one in written] == [
        (),
        (),
        ("the retrain of 2026-Q2 was due and was not done",),
    ]


def test_a_month_is_told_by_the_contract_of_its_own_first_review(tmp_path, monkeypatch):
    desk, march = client(tmp_path, monkeypatch, tier=1), datetime(2026, 3, 1, 7, tzinfo=UTC)
    desk.store.delete("reviews/2026-W05.json")
    assert review_week(desk, datetime(2026, 2, 9, 6, tzinfo=UTC)).contract == Contract("monitoring", None)
    upgraded = changed(tier=3)
    assert (month(upgraded, march).tier, month(upgraded, march).undone) == ("monitoring", ())
    desk.store.delete("reviews/2026-W06.json")
    assert (month(upgraded, march).tier, month(upgraded, march).undone) == (upgraded.tier.name, ())  # nobody knows


def test_a_retrain_that_was_done_is_not_missed_after_a_change_of_zone(tmp_path, monkeypatch):
    desk, march = client(tmp_path, monkeypatch, tier=3), datetime(2026, 3, 2, 7, tzinfo=UTC)
    done = replace(DECISION, period="2026-02", as_of=desk.local(FEBRUARY))  # in Berlin; in Honolulu it was January
    records.save(desk.store, "decisions/2026-02.json", done)
    assert month(changed(time_zone="Pacific/Honolulu"), march).undone == ()


def test_a_promotion_is_told_in_the_month_in_which_somebody_approved_it_and_not_before(tmp_path, monkeypatch):
    desk, at = client(tmp_path, monkeypatch, tier=2), datetime(2026, 2, 2, 8, tzinfo=UTC)
    made = replace(DECISION, period="2026-Q1", as_of=at, champion="1", challenger="2", applied=False)
    records.save(desk.store, "decisions/2026-Q1.json", made)
    february = [
        "- 2026-02-02, scheduled retrain: **promote** version 2 against version 1; "
        "waits for approval until 2026-03-04.",
        "    - clearly better on golden",
    ]
    assert done(desk, datetime(2026, 3, 1, 7, tzinfo=UTC)) == february
    approved = Entry(
        2, datetime(2026, 3, 2, 9, tzinfo=UTC), Action.PROMOTE, "2", "1", "Ada", "checked", "test", decision="2026-Q1"
    )
    records.save(desk.store, "releases/log/000002.json", approved)
    assert done(desk, datetime(2026, 3, 1, 7, tzinfo=UTC)) == february  # as it was known then
    assert done(desk, datetime(2026, 4, 1, 7, tzinfo=UTC)) == [
        "- 2026-03-02: version 2 went **into service** in place of version 1, by Ada (checked), as decided in 2026-Q1."
    ]


def begun_category(desk: Desk, moment: datetime) -> Round:
    """A new category with examples, of which one past request is to be reviewed."""
    booked = UseCase("2026-Q1", desk.local(moment), "rental", "rentals have begun", "ada")
    first = Round(booked.key, 1, booked.label, desk.local(moment), seeds=1, folded=0, looked=9, proposed=1)
    records.save(desk.store, "use-cases/claims/2026-Q1-1.json", booked)
    records.save(desk.store, f"use-cases/rounds/{first.period}.json", first)
    proposed = case(1, booked.label, at=moment, doubts=(Doubt.PROPOSED,))
    records.save_rows(desk.store, f"cases/{first.period}.jsonl", [proposed])
    return first


def test_a_new_category_that_was_booked_is_told_each_month_until_it_is_decided_on(tmp_path, monkeypatch):
    desk = client(tmp_path, monkeypatch, tier=3)
    first = begun_category(desk, FEBRUARY)
    march, april = datetime(2026, 3, 1, 7, tzinfo=UTC), datetime(2026, 4, 1, 7, tzinfo=UTC)
    assert month(desk, FEBRUARY).open_categories == ()  # January's
    line = "the new category 'rental', booked on 2026-02-01, waits until 1 more case is reviewed"
    assert [month(desk, one).open_categories for one in (march, april)] == [(line,), (line,)]
    assert f"- T{line[1:]}." in done(desk, march)
    records.save_rows(desk.store, f"cases/{first.period}.jsonl", [])
    assert month(desk, march).open_categories == (line.partition(" waits")[0] + " has no decision yet",)
    made = replace(DECISION, period=first.period, as_of=desk.local(march), label="rental")
    records.save(desk.store, f"decisions/{first.period}.json", made)
    assert [len(month(desk, one).open_categories) for one in (FEBRUARY, april)] == [0, 0]


def test_a_new_category_that_a_rule_renamed_before_it_was_taught_is_told_and_holds_up_no_review(tmp_path, monkeypatch):
    desk = client(tmp_path, monkeypatch, tier=3)
    begun_category(desk, FEBRUARY)
    rule = {"old": "rental", "new": "repairs", "since": "2026-02-09"}
    renamed, before = changed(relabel=[rule]), datetime(2026, 2, 8, 7, tzinfo=UTC)
    later = datetime(2026, 2, 9, 7, tzinfo=UTC)
    assert isinstance(open_use_cases(renamed, before)[0].waiting, Waiting)
    said = (
        "2026-Q1-variant-rental: the relabel rule 'rental' -> 'repairs' from 2026-02-09 renamed its cases before it "
        "was taught; a retrain teaches them as 'repairs', or take the rule back to teach 'rental'"
    )
    assert str(open_use_cases(renamed, later)[0].waiting) == said
    with pytest.raises(VariantError, match=f"^client northwind: {said}$"):
        begin_use_case(renamed, "rental", [], later, reason="x", by="")
    back = changed(relabel=[rule, {"old": "repairs", "new": "rental", "since": "2026-03-02"}])
    assert isinstance(open_use_cases(back, datetime(2026, 3, 9, 7, tzinfo=UTC))[0].waiting, Waiting)
