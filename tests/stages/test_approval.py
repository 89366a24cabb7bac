"""A person's word on a decision: kept once, in time, and never for what cannot be trusted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.released import (  # noqa: F401 -- fixtures
    BEGUN,
    DECIDED,
    LABELS,
    OUTCOMES,
    TERMS,
    changed,
    decide,
    gift_card_begun,
    register,
    released_desk,
    released_template,
    swapped,
)  # fmt: skip
from tests.stages.test_changed import case, held_out
from upkeep import records
from upkeep.cases.case import Case, Source, normalise
from upkeep.cases.snapshot import Lesson
from upkeep.cases.split import Side
from upkeep.chain import retrain
from upkeep.config import Promotion
from upkeep.desk import LAUNCH, LAUNCH_CASES, Desk, desk_of
from upkeep.entitlement import Claim
from upkeep.errors import DecisionError, LeakError, PersonError
from upkeep.evaluation.verdict import ItemResult, VerdictTerms, verdict
from upkeep.home import configs
from upkeep.release import Action, Entry
from upkeep.replay import judged_again
from upkeep.stages.approval import (
    Approval,
    Standing,
    apply_decision,
    approval,
    approve,
    not_in_service,
    pending,
    refuse,
    standing,
    waiting_for_approval,
)
from upkeep.stages.challengers import Challenger
from upkeep.stages.comparison import compare_models, judge_again
from upkeep.stages.contract import book_retrain
from upkeep.stages.decisions import decision, decisions
from upkeep.stages.evaluation import RECENT, load_outcomes, save_outcomes
from upkeep.stages.finetuning import load_model
from upkeep.stages.release import in_service, release_log, roll_back
from upkeep.stages.snapshot import take_snapshot
from upkeep.stages.variant import begin_use_case, open_use_cases
from upkeep.statistics.rates import Rate
from upkeep.tiers import load_tiers

SOON, LATE = DECIDED + timedelta(days=29), DECIDED + timedelta(days=30)


def test_a_manual_promotion_waits_and_expires(desk):
    made = decision(desk, "2026-03")
    assert apply_decision(desk, made) == made
    assert in_service(desk) == "1"
    assert [one.period for one in pending(desk, SOON)] == ["2026-03"]
    assert waiting_for_approval(desk, SOON) == [
        "Version 2 won in 2026-03 and waits for approval until 2026-04-01: "
        "`upkeep approve northwind 2026-03 --by NAME --reason WHY`, or the deployment `approval`"
    ]
    assert standing(desk, made, LATE) is Standing.EXPIRED
    assert pending(desk, LATE) == []
    with pytest.raises(DecisionError, match="expired on 2026-04-01; retrain, or override"):
        approve(desk, "2026-03", by="ada", reason="late", at=LATE)
    assert approval(desk, "2026-03") is None
    approve(desk, "2026-03", by="ada", reason="still right", at=LATE, override=True)
    assert (approval(desk, "2026-03").override, release_log(desk)[-1].reason) == (
        True,
        "still right (override: expired)",
    )
    assert standing(desk, made, LATE) is Standing.IN_SERVICE
    roll_back(desk, by="bob", reason="complaints", at=LATE)
    assert standing(desk, made, LATE) is Standing.REPLACED


def test_what_was_refused_is_not_approved_and_the_other_way_round(desk):
    for answer in (approve, refuse):
        with pytest.raises(PersonError, match="by: found ' ', expected the name of who says so"):
            answer(desk, "2026-03", by=" ", reason="the shop is on sale", at=SOON)
    said = refuse(desk, "2026-03", by="bob", reason="the shop is on sale", at=SOON)
    assert refuse(desk, "2026-03", by="ada", reason="me too", at=SOON) == said
    assert standing(desk, decision(desk, "2026-03"), SOON) is Standing.REFUSED
    with pytest.raises(DecisionError, match="refused on 2026-03-31 by bob: the shop is on sale"):
        approve(desk, "2026-03", by="ada", reason="looks right", at=SOON)
    assert in_service(desk) == "1"
    decide(desk, "2026-04", at=SOON)
    approve(desk, "2026-04", by="ada", reason="looks right", at=SOON)
    with pytest.raises(DecisionError, match="2026-04: in service, expected one that waits"):
        refuse(desk, "2026-04", by="bob", reason="no", at=SOON)


def test_what_was_refused_is_not_carried_out_by_a_run_that_goes_on_after_it(desk):
    automatic = automatically(desk)
    refuse(automatic, "2026-03", by="ada", reason="the price list is wrong", at=DECIDED)
    made = decision(automatic, "2026-03")
    assert apply_decision(automatic, made) == made
    assert in_service(automatic) == "1"


def test_a_new_category_that_won_in_a_run_that_was_killed_is_taken_up_until_it_is_in_service(desk):
    key = gift_card_begun(desk)
    desk.store.delete("decisions/2026-03.json")
    decide(desk, key)
    assert open_use_cases(desk, SOON) == []  # it waits for a person
    automatic = automatically(desk)
    ((one, begun, waiting),) = open_use_cases(automatic, SOON)
    assert (one.key, begun.period, waiting) == (key, key, None)
    assert apply_decision(automatic, decision(automatic, key)).applied
    assert open_use_cases(automatic, SOON) == []


@pytest.mark.parametrize("decided", [True, False])
def test_a_new_category_whose_model_grew_on_one_that_was_replaced_since_is_taught_again_on_the_present_one(
    desk, decided
):
    key = gift_card_begun(desk)
    if decided:
        decide(desk, key, challenger="3", at=DECIDED - timedelta(days=1))
    else:
        trained = records.load(desk.store, "challengers/made-3.json", Challenger)
        records.save(desk.store, f"challengers/{key}.json", replace(trained, period=key, grown_on="1"))
    desk = automatically(desk)
    assert begin_use_case(desk, "gift_card", [], SOON, reason="asked", by="ada").number == 1
    apply_decision(desk, decision(desk, "2026-03"))
    assert in_service(desk) == "2"
    ((one, begun, waiting),) = open_use_cases(desk, SOON)
    assert (one.key, begun.number, waiting) == (key, 1, None)
    assert begin_use_case(desk, "gift_card", [], SOON, reason="asked", by="ada").period == f"{key}.2"
    assert begin_use_case(desk, "gift_card", [], SOON, reason="asked", by="ada").period == f"{key}.2"


def test_a_decision_is_superseded_by_another_champion_and_by_a_later_one_that_won(desk):
    decide(desk, "2026-04", challenger="3", at=SOON)
    with pytest.raises(DecisionError, match=r"superseded: .* 2026-04 has a later one that won, version 3"):
        approve(desk, "2026-03", by="ada", reason="x", at=SOON, override=True)
    approve(desk, "2026-04", by="ada", reason="x", at=SOON)
    with pytest.raises(DecisionError, match="it compared version 2 with 1, but 3 is in service now"):
        approve(desk, "2026-03", by="ada", reason="x", at=SOON, override=True)
    assert standing(desk, decision(desk, "2026-03"), SOON) is Standing.SUPERSEDED
    assert [one.period for one in decisions(desk) if one.applied] == ["2026-04"]


def test_nothing_of_a_time_before_the_model_in_service_is_trained_or_goes_into_service(desk):
    made = records.load(desk.store, "challengers/made-2.json", Challenger)
    records.save(desk.store, "challengers/made-2.json", replace(made, as_of=desk.local(DECIDED)))
    approve(desk, "2026-03", by="ada", reason="x", at=SOON)
    before = DECIDED - timedelta(days=10)
    late = decide(desk, "2026-02", challenger="3", champion="2", at=before)
    why = "it compared version 3 with 2, as of 2026-02-20, and 2 in service is of 2026-03-02"
    assert standing(desk, late, SOON) is Standing.SUPERSEDED
    with pytest.raises(DecisionError, match=why):
        approve(desk, "2026-02", by="ada", reason="x", at=SOON, override=True)
    automatic = automatically(desk, tier=2)
    with pytest.raises(DecisionError, match=why):
        apply_decision(automatic, late)
    with pytest.raises(DecisionError, match="20 10:00 comes too late: version 2, of 2026-03-02 10:00, is in"):
        retrain(automatic, before, reason="scheduled")
    assert (in_service(desk), automatic.claims(), len(release_log(desk))) == ("2", {}, 2)
    assert not automatic.store.exists("cases/2026-Q1.jsonl")


def test_a_retrain_without_a_decision_that_a_newer_model_has_overtaken_is_booked_anew(desk):
    desk = automatically(desk, tier=2)
    begun, asked = DECIDED - timedelta(days=10), DECIDED + timedelta(days=10)
    records.save(desk.store, "claims/2026-Q1.json", Claim("2026-Q1", begun, "scheduled"))
    trained = records.load(desk.store, "challengers/made-3.json", Challenger)
    records.save(desk.store, "challengers/2026-Q1.json", replace(trained, period="2026-Q1", as_of=begun))
    newer = records.load(desk.store, "challengers/made-2.json", Challenger)
    records.save(desk.store, "challengers/made-2.json", replace(newer, as_of=desk.local(DECIDED)))
    apply_decision(desk, decision(desk, "2026-03"))
    desk.store.write("snapshots/2026-Q1.json", b"{}")  # it had got as far as choosing what it teaches
    with pytest.raises(DecisionError, match="comes too late"):
        book_retrain(desk, begun, "scheduled")
    booked = Claim("2026-Q1", desk.local(asked), "new prices")
    assert book_retrain(desk, asked, "new prices") == booked
    assert desk.claims() == {"2026-Q1": booked}
    assert not [key for key in desk.store.keys("") if key in ("challengers/2026-Q1.json", "snapshots/2026-Q1.json")]


def test_what_is_carried_out_late_stands_in_the_log_after_what_came_before(desk):
    approve(desk, "2026-03", by="ada", reason="x", at=SOON)
    roll_back(desk, by="bob", reason="complaints", at=LATE)
    apply_decision(automatically(desk), decide(desk, "2026-04", challenger="3", at=SOON))
    assert [(one.version, one.at) for one in release_log(desk)][2:] == [("1", LATE), ("3", LATE)]


def automatically(desk: Desk, tier: int = 1) -> Desk:
    """The same client with promotions without anybody's word."""
    client = desk.client.model_copy(update={"promotion": Promotion.AUTOMATIC})
    included = load_tiers(configs()).tiers[tier]
    return desk_of(desk.agreement.model_copy(update={"client": client, "tier": included}))


def test_what_did_not_win_needs_an_override_which_is_kept(desk):
    decide(desk, "2026-04", at=SOON, outcomes=OUTCOMES[:100])  # too few, and no gain
    with pytest.raises(DecisionError, match=r"the verdict is hold, expected promote \(or an override\)"):
        approve(desk, "2026-04", by="ada", reason="the client insists", at=SOON)
    with pytest.raises(DecisionError, match="not promoted, expected one that waits"):
        refuse(desk, "2026-04", by="ada", reason="x", at=SOON)
    made = approve(desk, "2026-04", by="ada", reason="the client insists", at=SOON, override=True)
    assert (made.applied, in_service(desk)) == (True, "2")
    assert approval(desk, "2026-04").override
    assert release_log(desk)[-1].reason == "the client insists (override: not promoted)"


def test_a_later_challenger_that_lost_supersedes_nothing_and_before_a_decision_nothing_waits(desk):
    decide(desk, "2026-04", challenger="3", at=SOON, outcomes=OUTCOMES[:100])
    assert [one.period for one in pending(desk, SOON)] == ["2026-03"]
    assert [one.period for one in pending(desk, DECIDED)] == ["2026-03"]
    assert pending(desk, DECIDED - timedelta(seconds=1)) == []


def serves(desk: Desk, version: str, period: str, *, at=SOON) -> None:
    """The log says that a decision was carried out."""
    number, previous = len(release_log(desk)) + 1, in_service(desk)
    entry = Entry(number, desk.local(at), Action.PROMOTE, version, previous, "ada", "looks right", "test", period)
    records.save(desk.store, f"releases/log/{number:06}.json", entry)


def test_it_is_told_why_a_challenger_that_won_was_not_in_service_by_a_moment(desk):
    def why(at) -> str:
        return not_in_service(desk, decision(desk, "2026-03"), at)

    before, waits = SOON - timedelta(seconds=1), "waits for approval until 2026-04-01"
    assert (why(SOON), why(LATE)) == (waits, "not approved until 2026-04-01")
    lost = decide(desk, "2026-04", challenger="3", at=SOON, outcomes=OUTCOMES[:100])
    assert (why(SOON), not_in_service(desk, lost, SOON)) == (waits, "")
    decide(desk, "2026-04", challenger="3", at=SOON)
    assert (why(before), why(SOON)) == (waits, "superseded by a later model")
    desk.store.delete("decisions/2026-04.json")
    serves(desk, "3", "another")
    assert (why(before), why(SOON)) == (waits, "superseded by a later model")
    desk.store.delete("releases/log/000002.json")
    refuse(desk, "2026-03", by="bob", reason="the shop is on sale", at=SOON)
    assert (why(before), why(SOON)) == (waits, "refused by bob (the shop is on sale)")
    serves(desk, "2", "2026-03")
    assert why(SOON) == ""


@pytest.mark.parametrize(
    ("won", "override", "logged"),
    [
        (True, False, "looks right"),
        (True, True, "looks right (override: expired)"),
        (False, True, "looks right (override: not promoted)"),
    ],
)
def test_a_person_s_word_whose_run_was_killed_is_carried_out_by_the_next_one_however_late(desk, won, override, logged):
    if not won:
        decide(desk, outcomes=OUTCOMES[:100])
    said = Approval("2026-03", True, "ada", "looks right", desk.local(SOON), override)
    records.save(desk.store, "approvals/2026-03.json", said)
    assert standing(desk, decision(desk, "2026-03"), LATE) is Standing.PENDING
    approve(desk, "2026-03", by="bob", reason="me too", at=LATE)
    assert [(one.version, one.by, one.reason) for one in release_log(desk)][1:] == [("2", "ada", logged)]


def test_what_was_carried_out_changes_nothing_when_its_run_goes_on_after_another_model_took_its_place(desk):
    decide(desk, "2026-04", challenger="3", champion="2", at=SOON)
    serves(desk, "2", "2026-03")
    serves(desk, "3", "2026-04")
    assert apply_decision(automatically(desk), decision(desk, "2026-03")).applied
    assert (in_service(desk), len(release_log(desk))) == ("3", 3)


def test_decisions_are_told_oldest_first_and_as_they_had_been_carried_out_by_a_moment(desk):
    decide(desk, "2026-01", challenger="3", at=SOON)  # as an onboarding of another year may leave it
    serves(desk, "2", "2026-03", at=LATE)
    told = [(one.period, one.applied, one.applied_by) for one in decisions(desk, at=LATE)]
    assert told == [("2026-03", True, "ada"), ("2026-01", False, None)]
    assert not any(one.applied for one in decisions(desk, at=LATE - timedelta(seconds=1)))


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        (changed(reload_exact=False), "read back from the registry gives other answers; retrain instead"),
        (changed(same_weights=True), "has the champion's weights, there is nothing to approve"),
    ],
)
def test_no_override_helps_what_reads_back_otherwise_or_learned_nothing(desk, terms, why):
    decide(desk, "2026-04", at=SOON, terms=terms)
    with pytest.raises(DecisionError, match=why):
        approve(desk, "2026-04", by="ada", reason="x", at=SOON, override=True)
    assert in_service(desk) == "1"


def test_a_decision_is_told_again_from_its_record_and_a_changed_record_is_found_out(desk):
    made = decision(desk, "2026-03")
    assert judge_again(desk, made) == []
    approve(desk, "2026-03", by="ada", reason="looks right", at=SOON)
    assert judge_again(desk, decision(desk, "2026-03")) == []
    save_outcomes(desk, "2026-03", swapped(OUTCOMES))
    found = judge_again(desk, made)
    assert found[0].startswith("SHA-256 of the outcomes: ")
    assert found[1] == "verdict: reject, decided on promote"
    desk.store.delete("outcomes/2026-03.jsonl")
    (gone,) = judge_again(desk, made)
    assert gone.startswith("outcomes: ")


def test_a_decision_whose_reasons_or_figures_were_changed_is_found_out_and_one_without_evidence_cannot_be_told(desk):
    made = decision(desk, "2026-03")
    assert [one.partition(":")[0] for one in judge_again(desk, replace(made, reasons=("a gift",)))] == ["reasons"]
    assert [one.partition(":")[0] for one in judge_again(desk, replace(made, compared=()))] == ["comparison"]
    for old in (replace(made, terms=None), replace(made, evidence=None)):
        with pytest.raises(DecisionError, match="2026-03: made before terms were kept, it cannot be told again"):
            judge_again(desk, old)


def test_a_replay_says_how_many_of_its_decisions_come_out_identical_and_what_differs_in_the_others(desk):
    decide(desk, "2026-04", at=SOON)
    assert str(judged_again(desk)) == "decisions judged again: 2 of 2 identical"
    save_outcomes(desk, "2026-04", swapped(OUTCOMES))
    found = judged_again(desk)
    assert (found.decisions, found.identical, list(found.different)) == (2, 1, ["2026-04"])
    lines = str(found).splitlines()
    assert lines[0] == "decisions judged again: 1 of 2 identical"
    assert "  2026-04: verdict: reject, decided on promote" in lines


def test_a_verdict_is_another_one_for_a_swapped_pair_the_same_model_and_one_answer_for_everything():
    assert verdict(OUTCOMES, TERMS).judgement.verdict == "promote"
    assert verdict(swapped(OUTCOMES), TERMS).judgement.verdict == "reject"
    same = [one._replace(challenger=one.champion) for one in OUTCOMES]
    assert verdict(same, TERMS).judgement.verdict == "hold"
    assert verdict(OUTCOMES, changed(same_weights=True)).judgement.verdict == "reject"
    one_class = [one._replace(challenger=number % 3 == 0) for number, one in enumerate(OUTCOMES)]  # one label in three
    assert verdict(one_class, TERMS).judgement.verdict == "reject"


def test_an_item_of_two_sets_counts_once():
    twice = [
        *OUTCOMES[200:],
        *(one._replace(items="recent") for one in OUTCOMES[200:]),
    ]  # 100 items, 40 fixed, 5 broken
    judged = verdict(twice, changed(minimum_items=101)).judgement
    assert judged.verdict == "hold"
    assert "not enough items: have 100, need 101" in judged.reasons


def compared(desk, *, taught: str):
    """Versions 1 and 2 compared on the golden set, one item of which a version was taught."""
    made = records.load(desk.store, "challengers/made-2.json", Challenger)
    records.save(desk.store, "challengers/2026-05.json", replace(made, period="2026-05"))
    lesson = Lesson(Side.TRAIN, Case("c1", "  where is my order number 3? ", "order_status", Source.AUDIT))
    records.save_rows(desk.store, f"snapshots/{taught}.jsonl", [lesson])
    return compare_models(desk, "2026-05", SOON, reason="scheduled")


def test_an_item_that_the_champion_was_taught_is_left_out_for_both_and_counted(desk):
    made = compared(desk, taught="made-1")
    assert (made.compared[0].champion.n, made.compared[0].challenger.n, made.left_out) == (39, 39, 1)
    assert judge_again(desk, made) == []
    assert compared(desk, taught="another").left_out == 1  # what was decided stands


def test_a_champion_whose_head_grew_knows_its_new_label_and_what_the_model_that_it_grew_on_was_taught(desk):
    texts = ("Where have you left my stove?", "My tent pole has not come", "My money is not back", "You owe me 30")
    known = [Case(f"c{n}", text, LABELS[n // 2], Source.LAUNCH) for n, text in enumerate(texts)]
    records.save_rows(desk.store, LAUNCH_CASES, known)
    take_snapshot(desk, LAUNCH, BEGUN)
    take_snapshot(desk, "2026-03", DECIDED, head=LABELS)  # the third one was the new category
    lesson = Lesson(Side.TRAIN, Case("c9", "where is my order number 3?", LABELS[0], Source.LAUNCH))
    records.save_rows(desk.store, "snapshots/launch.jsonl", [lesson])  # it was agreed later
    approve(desk, "2026-03", by="ada", reason="looks right", at=SOON)
    trained = records.load(desk.store, "challengers/made-3.json", Challenger)
    records.save(desk.store, "challengers/2026-05.json", replace(trained, period="2026-05"))
    made = compare_models(desk, "2026-05", SOON, reason="scheduled")
    assert (made.champion, made.left_out) == ("2", 1)
    assert "changed" not in {one.items for one in made.compared}


def test_a_challenger_that_was_taught_an_item_is_not_compared(desk):
    with pytest.raises(LeakError, match="version 2 was taught evaluation item g3, and 0 more; retrain it"):
        compared(desk, taught="2026-05")
    assert "decisions/2026-05.json" not in list(desk.store.keys("decisions/"))


def test_stored_metrics_decide_nothing_the_champion_is_scored_anew(desk):
    made = compared(desk, taught="another")
    right = load_model(desk, "1").answer([item.text for item in desk.golden()])
    hits = sum(one.output == item.answer for one, item in zip(right, desk.golden(), strict=True))
    assert made.compared[0].champion == Rate(hits, 40)


def test_the_log_says_who_is_champion_where_the_alias_is_behind(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=SOON)
    desk.registry.promote("1")  # as a run that was killed after the log leaves it
    made = records.load(desk.store, "challengers/made-3.json", Challenger)
    records.save(desk.store, "challengers/2026-06.json", replace(made, period="2026-06"))
    assert compare_models(desk, "2026-06", SOON, reason="scheduled").champion == "2"


def put_right(period_desk: Desk, period: str, held: Case) -> None:
    """The challenger of a period had right what was answered wrong before."""
    save_outcomes(period_desk, period, [*OUTCOMES, ItemResult("errors", normalise(held.text), False, True, id=held.id)])


def test_a_comparison_guards_what_a_model_before_the_champion_put_right_and_keeps_what_both_did(desk):
    long_ago = SOON - RECENT - timedelta(days=9)
    texts = ("Where have you left my stove?", "My tent pole has not come", "You owe me thirty euros")
    cases = [replace(case(f"c{n}", text, LABELS[n], known=long_ago), was_error=True) for n, text in enumerate(texts)]
    held_out(desk, *cases)
    decide(desk, "2026-04", challenger="3", champion="2", at=SOON)
    decide(desk, "2026-04-b", challenger="2", champion="3", at=SOON)  # which waits
    for period, held in zip(("2026-03", "2026-04", "2026-04-b"), cases, strict=True):
        put_right(desk, period, held)
    serves(desk, "2", "2026-03")
    serves(desk, "3", "2026-04")
    version = register(desk, 7, threshold=1.01)  # it answers nothing by itself
    trained = records.load(desk.store, f"challengers/made-{version}.json", Challenger)
    records.save(desk.store, "challengers/2026-05.json", replace(trained, period="2026-05", reload_exact=False))
    made = compare_models(desk, "2026-05", SOON, reason="scheduled")
    kept = load_outcomes(desk, "2026-05")[0]
    assert [one.id for one in kept if one.items == "regression"] == ["c0"]  # not what chose the champion
    assert made.champion == "3"
    assert made.terms == VerdictTerms(
        margin=0.03, minimum_items=300, same_weights=False, reload_exact=False, minimum_new_recall=0.7,
        minimum_new_items=10, promised=0.95,
    )  # fmt: skip
    golden, asked = [one for one in kept if one.items == "golden"], desk.golden()
    assert [one.wanted for one in golden] == [item.answer for item in asked]
    old, new = (load_model(desk, one).answer([item.text for item in asked]) for one in ("3", version))
    assert [(one.champion_answer, one.challenger_answer) for one in golden] == [
        (before.output, now.output) for before, now in zip(old, new, strict=True)
    ]
    assert {(one.champion_automatic, one.challenger_automatic) for one in golden} == {(True, False)}
    alone = next(one for one in made.figures if (one.items, one.figure) == ("golden", "automatic_share"))
    assert (alone.champion, alone.challenger) == (1.0, 0.0)


def test_no_version_is_compared_with_itself(desk):
    made = records.load(desk.store, "challengers/made-1.json", Challenger)
    records.save(desk.store, "challengers/2026-05.json", replace(made, period="2026-05"))
    with pytest.raises(DecisionError, match="version 1 would be compared with itself"):
        compare_models(desk, "2026-05", SOON, reason="scheduled")
