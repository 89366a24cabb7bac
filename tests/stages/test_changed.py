"""Which items have another right answer than the champion was taught?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from tests.released import BEGUN, DECIDED, LABELS, agree, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep import records
from upkeep.cases.case import Case, Item, Source, group_of, normalise
from upkeep.cases.collection import Fold
from upkeep.cases.relabel_rules import Themed
from upkeep.cases.split import Locked
from upkeep.config import Relabel
from upkeep.evaluation.comparison import Verdict
from upkeep.evaluation.verdict import ItemResult, VerdictTerms, verdict
from upkeep.stages.evaluation import (
    RECENT,
    Lessons,
    Service,
    evaluation_sets,
    first_asked_since,
    frozen_items,
    save_outcomes,
)

SOON = DECIDED + timedelta(days=29)
PERIOD = "2026-04"
TAUGHT = Lessons(BEGUN, frozenset(LABELS), ())
ORDER, REFUND, REPAIR = LABELS


def held_out(desk, *cases: Case) -> None:
    records.save_rows(desk.store, "cases/2026-W10.jsonl", cases)
    locked = [Locked(case.id, case.text, case.known_from) for case in cases]
    records.save_rows(desk.store, "evaluation/locked/2026-03.jsonl", locked)


def case(name: str, text: str, answer: str, *, known=BEGUN) -> Case:
    return Case(name, text, answer, Source.AUDIT, known, known_from=known)


def changed(desk, taught: Lessons | None = TAUGHT) -> set[str]:
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service(), taught=taught)
    return {item.id for item in found.get("changed", [])}


def test_an_agreed_item_with_a_new_answer_is_and_its_neighbours_are_not(desk):
    turn = DECIDED
    golden = desk.golden()
    golden[0] = replace(golden[0], valid_to=turn)
    renewed = Item("renewed", golden[0].text, REPAIR, valid_from=turn)
    late = Item("late", "Where is my tent?", ORDER, valid_from=turn)  # agreed since, with no other answer before
    agree(desk, [*golden, renewed, late])
    assert changed(desk) == {"renewed"}
    assert changed(desk, TAUGHT._replace(moment=turn + timedelta(days=1))) == set()


def test_a_held_out_case_is_that_a_rule_has_given_another_answer_since(desk):
    rule = Relabel(old=REFUND, new=REPAIR, since=date(2026, 3, 15))
    client = desk.client.model_copy(update={"relabel": (rule,)})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    held_out(
        desk,
        case("ruled", "My tent has come back, where is my money?", REFUND, known=BEGUN - timedelta(days=1)),
        case("stays", "Where have you left my stove?", ORDER, known=BEGUN - timedelta(days=1)),
        case("new", "A pole broke at night", REPAIR, known=DECIDED),
    )
    assert changed(desk) == {"ruled@2026-03-15"}
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service(), taught=TAUGHT)
    assert [item.answer for item in found["changed"]] == [REPAIR]
    assert {item.id for item in found["recent"]} == {"ruled@2026-03-15", "stays", "new"}


def test_only_what_chance_drew_is_recent_and_what_the_model_was_wrong_about_is_told_apart(desk):
    complained = replace(case("wrong", "My stove burns blue", REPAIR), source=Source.CUSTOMER, was_error=True)
    held_out(
        desk,
        case("drawn", "Where have you left my stove?", ORDER),
        complained,
        replace(case("both", "A pole broke at night", REPAIR), source=Source.CUSTOMER, was_error=True, drawn=True),
    )
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service())
    assert {name: {item.id for item in items} for name, items in found.items() if name != "golden"} == {
        "recent": {"drawn", "both"},
        "reported": {"wrong"},
        "errors": {"wrong", "both"},
    }


def test_of_a_conversation_one_recent_item_counts(desk):
    turns = [case(f"turn-{n}", text, ORDER) for n, text in enumerate(("Where is it?", "And the stove?", "My tent?"))]
    ids = ("c-7", group_of("c-7"))  # the first is from before an id was kept as a digest
    held_out(desk, *(replace(one, group=id) for one, id in zip(turns, ids, strict=False)), turns[2])
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service())
    assert [item.id for item in found["recent"]] == ["turn-0", "turn-2"]


def test_of_a_conversation_one_reported_and_one_changed_item_counts_and_the_one_drawn_comes_first(desk):
    texts = ("Can I rent one?", "And two of them?", "For a month?", "Is a stove for rent?", "And a lamp?")
    turns = [replace(case(f"turn-{n}", text, "rental"), source=Source.CUSTOMER) for n, text in enumerate(texts)]
    told, other = [replace(one, group="c-7") for one in turns[:3]], [replace(one, group="c-8") for one in turns[3:]]
    stays = replace(case("stays", "Where is my lamp?", ORDER), group="c-8", drawn=True)
    held_out(desk, *told[:2], replace(told[2], drawn=True), stays, *other)
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service(), taught=TAUGHT)
    assert {item.id for item in found["recent"]} == {"turn-2", "stays"}
    assert [item.id for item in found["reported"]] == ["turn-0", "turn-3"]
    assert [item.id for item in found["changed"]] == ["turn-2", "turn-3"]


def test_a_rule_written_after_the_champion_was_taught_counts_though_it_is_for_a_day_before(desk):
    rule = Relabel(old=REFUND, new=REPAIR, since=date(2026, 1, 20))
    client = desk.client.model_copy(update={"relabel": (rule,)})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    held_out(desk, case("ruled", "My tent has come back, where is my money?", REFUND, known=BEGUN - timedelta(days=20)))
    assert changed(desk) == {"ruled@2026-01-20"}
    assert changed(desk, TAUGHT._replace(rules=(rule,))) == set()


def test_what_was_asked_since_is_that_a_rule_has_changed_which_the_champion_was_not_taught_by(desk):
    rule = Relabel(old=REFUND, new=REPAIR, since=date(2026, 3, 15))
    client = desk.client.model_copy(update={"relabel": (rule,)})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    known, late = DECIDED, SOON - timedelta(days=1)
    corrected = "Where have you left my stove?"
    held_out(
        desk,
        case("ruled", "My tent has come back, where is my money?", REFUND, known=known),
        replace(case("told", "And my money for the stove?", REFUND, known=known), source=Source.ESCALATION),
        case("after", "Do I get money for a torn tent?", REPAIR, known=late),  # it has never had another answer
        case("first", corrected, ORDER, known=known),  # one of the two is mistaken, and the champion was taught neither
        case("second", corrected, REPAIR, known=late),
    )
    assert changed(desk) == {"ruled@2026-03-15", "told@2026-03-15"}
    # a rule that is known beforehand teaches nothing before its day
    assert changed(desk, TAUGHT._replace(rules=(rule,))) == {"ruled@2026-03-15", "told@2026-03-15"}
    assert changed(desk, TAUGHT._replace(moment=SOON - timedelta(days=2), rules=(rule,))) == {"second"}


def test_what_is_about_a_theme_whose_rule_the_champion_was_taught_by_has_not_changed(desk):
    asked = "My tent has come back, where is my money?"
    rule = Relabel(old=REFUND, new=REPAIR, since=date(2026, 1, 20), theme=(asked,))
    client = desk.client.model_copy(update={"relabel": (rule,)})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    # asked before the rule's day; what came of it was known only after the champion was taught
    held_out(desk, replace(case("late", asked, REFUND, known=DECIDED), valid_from=BEGUN - timedelta(days=20)))
    assert changed(desk) == {"late@2026-01-20"}
    assert changed(desk, TAUGHT._replace(rules=(Themed(**rule.model_dump(), texts=()),))) == set()


def test_a_label_that_the_champion_does_not_have_is_and_being_out_of_scope_is_none(desk):
    held_out(
        desk,
        case("arrived", "Can I rent a kayak for a week?", "rental", known=DECIDED),
        case("outside", "What do you think of my poem?", "oos", known=DECIDED),
    )
    assert changed(desk) == {"arrived"}
    assert changed(desk, TAUGHT._replace(labels=frozenset())) == set()  # one that writes knows every answer


def test_where_it_is_not_known_what_the_champion_was_taught_nothing_is(desk):
    held_out(desk, case("arrived", "Can I rent a kayak for a week?", "rental", known=DECIDED))
    assert changed(desk, None) == set()


def outcomes(items: str, start: int, champion: str, challenger: str) -> list[ItemResult]:
    """One item a character, 1 where the model was right."""
    pairs = zip(champion, challenger, strict=True)
    return [
        ItemResult(items, f"text {number}", old == "1", new == "1", id=f"i{number}")
        for number, (old, new) in enumerate(pairs, start)
    ]


def test_what_did_not_change_is_told_apart_item_by_item():
    # 300 items of which 20 changed: all of these become right, and 16 of the others wrong
    champion, challenger = "1" * 280 + "0" * 20, "1" * 264 + "0" * 16 + "1" * 20
    golden = outcomes("golden", 0, champion, challenger)
    changed = outcomes("changed", 280, champion[280:], challenger[280:])
    terms = VerdictTerms(margin=0.10, minimum_items=100, same_weights=False, reload_exact=True)
    judged = verdict([*golden, *changed], terms).judgement
    assert judged.verdict is Verdict.HOLD
    assert judged.reasons[0].startswith("perhaps worse on what did not change: challenger 94.3%, champion 100.0%")
    assert judged.reasons[0].split("n=")[1].startswith("280;")
    assert verdict([*golden, *outcomes("changed", 264, "1" * 16, "0" * 16)], terms).judgement.verdict is Verdict.REJECT


def test_what_became_known_more_than_three_months_ago_is_in_no_set_of_recent_ones(desk):
    old = replace(
        case("old", "Where have you left my stove?", ORDER, known=SOON - RECENT - timedelta(days=1)), was_error=True
    )
    held_out(desk, old, case("new", "My money has not come back", REFUND, known=SOON - RECENT))
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service())
    assert {name: [item.id for item in items] for name, items in found.items() if name != "golden"} == {
        "recent": ["new"]
    }


def test_a_held_out_request_that_was_agreed_since_is_a_golden_item_only(desk):
    held_out(desk, case("held", f" {desk.golden()[0].text.upper()}", ORDER))
    assert set(evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service())) == {"golden"}


LONG_AGO = SOON - RECENT - timedelta(days=30)


def wrong(name: str, text: str, answer: str, known=LONG_AGO):
    return replace(case(name, text, answer, known=known), was_error=True)


def test_what_a_model_in_service_had_put_right_is_the_regression_set_once_it_is_no_recent_error(desk):
    fixed, missed = wrong("fixed", "Where have you left my stove?", ORDER), wrong("missed", "A pole broke", REPAIR)
    recent = wrong("recent", "My money has not come back", REFUND, known=SOON - timedelta(days=1))
    never = case("never", "My tent is late", ORDER, known=LONG_AGO)
    held_out(desk, fixed, missed, recent, never)
    put_right = [
        ItemResult("errors", normalise(one.text), False, one is not missed, id=one.id)
        for one in (fixed, missed, recent)
    ]
    save_outcomes(desk, "2025-12", [*put_right, ItemResult("recent", normalise(never.text), True, True, id="never")])
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service(before=("2025-12",)))
    assert [item.id for item in found["regression"]] == ["fixed"]
    assert [item.id for item in found["errors"]] == ["recent"]
    assert "regression" not in evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service())


def test_what_the_model_before_the_champion_got_wrong_is_compared_on_whether_the_champion_put_it_right_or_not(desk):
    errors = wrong("fixed", "Where have you left my stove?", ORDER), wrong("missed", "A pole broke", REPAIR)
    held_out(desk, *errors, case("never", "My tent is late", ORDER, known=LONG_AGO))
    told = [ItemResult("errors", normalise(one.text), False, one.id == "fixed", id=one.id) for one in errors]
    save_outcomes(desk, "2025-12", [*told, ItemResult("recent", "my tent is late", True, True, id="never")])
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service(chosen=("2025-12",)))
    assert [item.id for item in found["inherited"]] == ["fixed", "missed"]
    assert "regression" not in found


def test_a_known_case_that_is_answered_wrong_again_is_an_error_of_the_days_in_which_it_was(desk):
    cases = case("again", "Where have you left my stove?", ORDER, known=LONG_AGO), case("right", "A pole broke", REPAIR)
    held_out(desk, *cases)
    late = SOON - timedelta(days=2)
    folds = [Fold("again", 4, 1, late), Fold("again", 9, 0, SOON), Fold("right", 2, 0, late)]
    records.save_rows(desk.store, "folded/2026-W15.jsonl", folds)
    frozen = frozen_items(desk, PERIOD)
    assert [item.id for item in evaluation_sets(desk, SOON, frozen, Service())["errors"]] == ["again"]
    assert "errors" not in evaluation_sets(desk, late - timedelta(days=1), frozen, Service())
    assert "errors" not in evaluation_sets(desk, late + RECENT + timedelta(days=1), frozen, Service())


def test_what_a_later_run_locked_is_an_item_of_an_earlier_moment_by_which_it_was_known(desk):
    cases = case("known", "Where have you left my stove?", ORDER), case("new", "A pole broke", REPAIR, known=SOON)
    held_out(desk, *cases)
    records.save_rows(desk.store, "evaluation/locked/2026-03.jsonl", [Locked(one.id, one.text, SOON) for one in cases])
    frozen, moments = frozen_items(desk, PERIOD), (SOON, SOON - timedelta(days=1))
    items = [evaluation_sets(desk, moment, frozen, Service())["recent"] for moment in moments]
    assert [[one.id for one in found] for found in items] == [["known", "new"], ["known"]]


def test_what_was_locked_after_the_champion_was_taught_is_known_by_the_answer_of_then(desk):
    asked, known = "Where have you left my stove?", BEGUN - timedelta(days=1)
    held_out(desk, case("first", asked, ORDER, known=known), case("second", asked, REPAIR, known=DECIDED))
    records.save_rows(desk.store, "evaluation/locked/2026-03.jsonl", [Locked("first", asked, SOON)])
    assert changed(desk) == {"second"}


def test_what_came_back_as_wrong_is_among_what_changed_too(desk):
    known = SOON - timedelta(days=1)
    complained = replace(wrong("told", "Can I rent a kayak for a week?", "rental", known=known), source=Source.CUSTOMER)
    held_out(desk, complained)
    found = evaluation_sets(desk, SOON, frozen_items(desk, PERIOD), Service(), taught=TAUGHT)
    assert [item.id for item in found["reported"]] == [item.id for item in found["changed"]] == ["told"]


def test_what_was_first_asked_since_a_cut_goes_by_the_request_and_not_by_a_rule_or_when_it_was_collected(desk):
    rule = Relabel(old=REFUND, new=REPAIR, since=date(2026, 3, 15))
    client = desk.client.model_copy(update={"relabel": (rule,)})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    cut, again = BEGUN, "Where have you left my stove?"
    held_out(
        desk,
        case("ruled", "My tent has come back, where is my money?", REFUND, known=cut),
        replace(case("told late", "The shop is shut", ORDER, known=cut - timedelta(days=20)), known_from=DECIDED),
        case("first", again, ORDER, known=cut - timedelta(days=1)),
        case("again", again.upper(), REPAIR, known=DECIDED),
        replace(case("undated", "Is it in stock?", ORDER, known=DECIDED), valid_from=None),
        case("new", "A pole broke at night", REPAIR, known=cut + timedelta(minutes=1)),
        case("yet to come", "Can I rent one?", ORDER, known=SOON + timedelta(days=1)),
    )
    assert first_asked_since(desk, cut, SOON) == {"a pole broke at night"}
