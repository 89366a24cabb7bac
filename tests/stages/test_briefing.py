"""Does the quarter's paper say what the model was worth, what was used of the contract, and what has to be decided?"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.audited import FIRST, agreed, reviewed, serve
from tests.stages.test_reporting import DECISION
from tests.stages.test_reporting import week as review_of
from upkeep import chain, records
from upkeep.__main__ import main
from upkeep.desk import Desk, open_desk
from upkeep.entitlement import UseCase
from upkeep.errors import NoLogError
from upkeep.evaluation.comparison import Verdict
from upkeep.monitoring.judgement import Metric, is_worse
from upkeep.monitoring.review import Contract, Review
from upkeep.monitoring.themes import Theme
from upkeep.release import Action, Entry
from upkeep.stages.briefing import Brief, write_brief
from upkeep.stages.contract import book_service
from upkeep.stages.request_analysis import TrackedThemes
from upkeep.statistics.rates import Rate, WeightedRate
from upkeep.tiers import Service

APRIL = datetime(2026, 4, 1, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A client of tier 3 whose model was good for three weeks until one of twice the requests, half of them wrong."""
    folder = tmp_path_factory.mktemp("quarter")
    with pytest.MonkeyPatch.context() as patch:
        desk = agreed(folder, patch, tier=3, base_model={"path": "models/nowhere"})
        for week in (2, 3, 4):
            serve(desk, week, wrong=0)
        serve(desk, 5, wrong=60, n=120)
        for week in range(2, 6):
            reviewed(desk, week)
    return folder


@pytest.fixture
def desk(template, tmp_path, monkeypatch) -> Desk:
    shutil.copytree(template, tmp_path / "copy")
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path / "copy" / "home"))
    monkeypatch.setenv("UPKEEP_CONFIGS", str(tmp_path / "copy" / "configs"))
    return open_desk("northwind")


def test_the_quarter_is_told_by_its_weeks_each_with_the_weight_of_its_requests(desk):
    made = write_brief(desk, APRIL)
    assert made.quarter == "2026-Q1"
    assert (made.whole.requests, made.whole.escalation) == (300, Rate(0, 300))
    right = WeightedRate.of([(60, Rate(60, 60))] * 3 + [(120, Rate(60, 120))])
    assert made.whole.accuracy == made.whole.auto_resolution == made.whole.precision == right
    assert [(one.key, one.requests) for one in made.months] == [("2026-01", 0), ("2026-02", 60), ("2026-03", 240)]
    assert made.months[1].accuracy.value == 1
    assert made.before is None
    page = desk.store.read("briefs/2026-Q1.md").decode()
    # (180 + 60) of 300; Wilson of 0.8 for 300: 0.751, 0.841
    assert "300 requests came, of which about 240 (225 to 252) were\nanswered rightly without a person." in page
    assert "| Requests | 300 | 0 | 60 | 240 | |" in page
    assert "data:image/png;base64," in desk.store.read("briefs/2026-Q1.html").decode()
    assert records.load(desk.store, "briefs/2026-Q1.json", Brief) == made


def test_what_has_to_be_decided_is_told_the_most_pressing_first(desk):
    hold = replace(DECISION, period="2026-03", as_of=APRIL - timedelta(days=30), verdict=Verdict.HOLD, applied=False)
    records.save(desk.store, "decisions/2026-03.json", hold)
    records.save(desk.store, "themes/2026-W11.json", TrackedThemes("2026-W11", APRIL, (TENTS,)))
    for week in (6, 7):
        serve(desk, week, wrong=0, audited=False)
        reviewed(desk, week)  # of the newest one the audits are not back yet
    made = write_brief(desk, APRIL)
    rate, trouble, alarm, held, category, audits = made.agenda
    assert rate.startswith("Accuracy: 80.0 % (75-84 %, of 300) over the quarter, agreed 90.0 %.")
    assert trouble.startswith("Since 2026-W08: requests were not compared with those before: base model")
    assert alarm.startswith("Since 2026-W11: accuracy 50.0%")
    assert alarm.endswith("We recommend a retrain.")
    assert held == "The challenger of 2026-03 was held: clearly better on golden."
    assert category == "The contract includes 1 new category in 2026-Q2. Candidates: what is about 'tent, rent'."
    assert audits == "In 1 of 6 weeks nobody knows how good the answers were (2026-W12): who audits?"
    page = desk.store.read("briefs/2026-Q1.md").decode()
    assert f"1. {rate}" in page
    assert "| tent, rent | 2026-W06 | 6 | 5 | - | rental | growing |" in page


TENTS = Theme(("tent", "rent"), 6, 5, {"2026-W11": 1, "2026-W12": 5}, "stock", "rental", ("A tent?",), "2026-W06")


def test_a_growing_theme_of_unusual_requests_is_shown_and_is_no_candidate_for_a_category(desk):
    odd = replace(TENTS, wrong=0, right=None, unusual=6)
    records.save(desk.store, "themes/2026-W11.json", TrackedThemes("2026-W11", APRIL, (), (odd,)))
    made = write_brief(desk, APRIL)
    assert (made.themes, made.unusual) == ((), (odd,))
    assert "The contract includes 1 new category in 2026-Q2. No candidate was seen." in made.agenda
    assert "| tent, rent | 2026-W06 | 6 | stock | growing |" in desk.store.read("briefs/2026-Q1.md").decode()


def test_a_category_that_is_booked_already_is_not_offered_again(desk):
    records.save(desk.store, "use-cases/claims/2026-Q2-1.json", UseCase("2026-Q2", APRIL, "tents", "shop", "ada"))
    assert not any("new category in" in line for line in write_brief(desk, APRIL).agenda)


def test_what_was_used_of_the_contract_stands_beside_what_it_includes(desk):
    march = datetime(2026, 3, 10, 12, tzinfo=UTC)
    for day in range(2):
        book_service(desk, Service.INTEGRATION_UPDATE, march + timedelta(days=day), reason=f"webhook v{day}", by="ada")
    worse = replace(DECISION, period="2026-03", as_of=march, verdict=Verdict.REJECT, applied=False)
    records.save(desk.store, "decisions/2026-03.json", worse)
    made = write_brief(desk, APRIL)
    assert [(one.what, one.times, one.used, one.left) for one in made.included] == [
        ("retrains", 3, ("2026-03: reject",), 2),
        ("new categories or model variants", 1, (), 1),
        ("integration updates", 1, ("webhook v0 on 2026-03-10",), 0),
        ("strategy sessions", 1, (), 1),
    ]
    page = desk.store.read("briefs/2026-Q1.md").decode()
    assert "| retrains | 3 | 2026-03: reject | 2 |" in page
    assert (
        "- 2026-03-11: the integration update (webhook v1); tier 'monitoring and monthly retrain' includes 1 " in page
    )


@pytest.mark.parametrize(
    ("day", "what", "times"),
    [
        ("2026-01-31T12:00", "retrains", 3),
        ("2026-02-10", "retrains, since 2026-02-10", 2),
        ("2025-11-03", "retrains", 3),
    ],
)
def test_of_the_quarter_in_which_a_client_began_the_retrains_since_are_included(desk, day, what, times):
    began = Entry(1, desk.local(datetime.fromisoformat(day)), Action.LAUNCH, "1", None, "onboarding", "first", "test")
    records.save(desk.store, "releases/log/000001.json", began)
    made = write_brief(desk, APRIL)
    assert next((one.what, one.times) for one in made.included) == (what, times)
    assert not made.extra
    assert "is no part of it" not in desk.store.read("briefs/2026-Q1.md").decode()


def test_a_brief_stands_as_it_was_written_and_the_next_quarter_has_it_before(desk):
    first = write_brief(desk, APRIL)
    for week in (8, 9):
        serve(desk, week, wrong=0)
        reviewed(desk, week)
    assert write_brief(desk, APRIL + timedelta(days=20)) == first
    second = write_brief(desk, datetime(2026, 7, 1, 9, tzinfo=UTC))
    assert second.quarter == "2026-Q2"
    assert second.before == first.whole
    assert "| Requests | 300 | 120 | 120 | 0 | 0 | |" in desk.store.read("briefs/2026-Q2.md").decode()


def test_of_a_quarter_that_nobody_reviewed_the_brief_says_so_and_of_one_before_the_log_there_is_none(
    tmp_path, monkeypatch
):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 0, wrong=0)
    wanted = "Not reviewed, and not counted here: 8 of 8 weeks (2026-W06, 2026-W07, 2026-W08, ...)."
    assert write_brief(desk, APRIL).agenda == (wanted,)
    assert "No request of this quarter was counted: see below" in desk.store.read("briefs/2026-Q1.md").decode()
    with pytest.raises(NoLogError, match="2025-Q4 has ended and the log begins on 2026-02-02"):
        chain.brief(desk, FIRST)
    assert not desk.store.exists("briefs/2025-Q4.json")


def test_a_client_whose_tier_has_no_session_can_be_told_the_same_by_hand(tmp_path, monkeypatch, capsys):
    desk = agreed(tmp_path, monkeypatch)
    serve(desk, 7, wrong=0)
    fine = review_of("2026-W13")
    fine = replace(fine, as_of=FIRST, figures=replace(fine.figures, accuracy=Rate(95, 100)))
    records.save(desk.store, "reviews/2026-W13.json", fine)
    made = write_brief(desk, APRIL)
    assert (made.included, made.agenda, made.extra) == ((), (), True)
    assert main(["brief", "northwind", "--as-of", "2026-04-01"]) == 0
    assert "  tier 'monitoring' includes no brief: this one is extra\n" in capsys.readouterr().out
    page = desk.store.read("briefs/2026-Q1.md").decode()
    quiet = {
        "This paper is no part of it: the tier includes none.",
        "Nothing has to be decided.",
        "No alert was raised.",
        "The model was watched and not changed.",
    }
    assert quiet <= set(page.splitlines())


def test_a_brief_knows_nothing_that_came_after_it(desk):
    before = write_brief(desk, APRIL)
    for name in ("json", "md", "html"):
        desk.store.delete(f"briefs/2026-Q1.{name}")
    later = APRIL + timedelta(days=50)
    hold = replace(DECISION, period="2026-05", as_of=later, verdict=Verdict.HOLD, applied=False)
    records.save(desk.store, "decisions/2026-05.json", hold)
    records.save(desk.store, "use-cases/claims/2026-Q2-1.json", UseCase("2026-Q2", later, "tents", "shop", "ada"))
    assert write_brief(desk, APRIL) == before


def test_after_a_change_of_tier_nothing_is_said_to_have_been_due_under_the_other_one(desk):
    launched = Entry(1, FIRST, Action.LAUNCH, "1", None, "onboarding", "the first model", "test")
    records.save(desk.store, "releases/log/000001.json", launched)
    assert "The retrain of 2026-03 was due and was not done." in write_brief(desk, APRIL).agenda
    desk.store.delete("briefs/2026-Q1.json")
    for key in desk.store.keys("reviews/"):
        found = records.load(desk.store, key, Review)
        records.save(desk.store, key, replace(found, contract=Contract("monitoring", None)))
    made = write_brief(desk, APRIL)
    assert not any("was due" in line for line in made.agenda)
    assert (made.tiers, made.included) == (("monitoring",), ())


def test_what_people_write_marks_nothing_up_in_the_paper(desk):
    rude = "one\n\n# Two <b>x</b> [y](http://a.example)"
    march = datetime(2026, 3, 10, 12, tzinfo=UTC)
    for day in range(2):
        book_service(desk, Service.STRATEGY_SESSION, march + timedelta(days=day), reason=rude, by="ada\n# bob")
    write_brief(desk, APRIL)
    page = desk.store.read("briefs/2026-Q1.md").decode()
    assert page.count("# Two") == 3  # used, extra, and why that is
    assert not any(line.startswith("# ") for line in page.splitlines()[1:])
    assert "<b>" not in page
    assert "](" not in page


def test_a_share_that_is_the_limit_but_for_rounding_is_not_below_it():
    weeks = WeightedRate.of([(60, Rate(54, 60))] * 3)
    assert weeks.value < 0.9
    assert not is_worse(Metric.ACCURACY, weeks, 0.9)
    assert is_worse(Metric.ACCURACY, Rate(8_999, 10_000), 0.9)
