"""Is a rule proposed by itself where outcomes contradict old answers, and does it hold only where that was agreed?"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest

from tests.audited import FIRST, agreed, serve
from upkeep import records
from upkeep.cases.case import Case, Source
from upkeep.config import load_client
from upkeep.errors import PersonError
from upkeep.home import configs
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.stages.monitoring import review_week
from upkeep.stages.rules import ITSELF, decide_rule, propose_rules
from upkeep.stages.rules_in_force import rules_in_force


@pytest.mark.parametrize("way", ["propose", "apply"])
def test_a_contradiction_is_proposed_once_with_its_evidence_and_holds_by_itself_only_where_that_was_agreed(
    tmp_path, monkeypatch, way
):
    desk = agreed(tmp_path, monkeypatch, rules=way, relabel=[], base_model={"path": "models/nowhere"})
    weeks = []
    for number in range(9):  # from the fifth on the other answer is right
        serve(desk, number, wrong=60 if number >= 4 else 0)
        weeks.append(propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1))))
    assert [len(week) for week in weeks] == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    (found,) = weeks[7]
    assert (found.rule.old, found.rule.new, found.rule.since) == ("order_status", "refund_status", date(2026, 3, 9))
    assert found.evidence.startswith(
        "240 of 240 'order_status' answers that people looked at in the last 4 weeks should "
    )
    assert len(found.examples) == 3
    assert all("ask [e-mail]" in one for one in found.examples)
    later = FIRST + timedelta(weeks=9)
    if way == "propose":
        assert found.state == "proposed"
        assert desk.rules(later) == []
        with pytest.raises(PersonError):
            decide_rule(desk, found.id, accepted=True, by="", at=later)
        found = decide_rule(desk, found.id, accepted=True, by="ada", at=later)
    assert found.state == f"accepted by {'ada' if way == 'propose' else ITSELF}"
    assert desk.rules(later) == [found.rule]
    assert desk.rules(FIRST + timedelta(weeks=7)) == []  # nobody knew of it then


@pytest.mark.parametrize("way", ["propose", "apply"])
def test_what_is_likely_beside_certain_changes_is_applied_when_a_later_review_shows_it_still(
    tmp_path, monkeypatch, way
):
    desk = agreed(tmp_path, monkeypatch, rules=way, relabel=[], base_model={"path": "models/nowhere"})
    a, r, f, new, other = "order_status", "card_lost", "transfer_failed", "refund_status", "opening_hours"
    before = [(a, a, 10), (r, r, 6), (f, f, 6)]
    after = [(a, new, 10), (r, new, 1), (f, new, 1)]
    weeks = [before] * 4 + [[(a, new, 10)]] + [after] * 2 + [[*after, (r, other, 1), (f, other, 1)]]
    weeks.append([(a, new, 10), (f, f, 10)])  # in which the other is seen not to have changed
    weeks.append([(a, new, 10), (r, new, 3)])
    found = []
    for number, answers in enumerate(weeks):
        say(desk, number, [pair for *pair, n in answers for _ in range(n)])
        found.append(propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1))))
    # in the last week it is certain, too late where it is applied
    assert [len(week) for week in found] == [0, 0, 0, 0, 0, 0, 0, 3, *([1, 0] if way == "apply" else [0, 1])]
    by = ITSELF if way == "apply" else None
    told = [(one.rule.old, one.certain, one.by) for one in found[7]]
    assert told == [(a, True, by), (r, False, None), (f, False, None)]
    (again,) = found[8 if by else 9]
    assert (again.rule.old, again.by, again.certain, again.week) == (r, by, not by, found[7][0].week)
    assert ("likely only" in again.evidence) is not again.certain
    assert {rule.old for rule in desk.rules(FIRST + timedelta(weeks=9))} == ({a, r} if by else set())
    assert desk.rules(FIRST + timedelta(weeks=8, days=1)) == ([found[7][0].rule] if by else [])


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("way", ["propose", "apply"])
def test_an_answer_given_while_a_review_looks_into_a_rule_stands(tmp_path, monkeypatch, way, accepted):
    desk = agreed(tmp_path, monkeypatch, rules=way, relabel=[], base_model={"path": "models/nowhere"})
    old, new, at = "order_status", "refund_status", FIRST + timedelta(weeks=9)
    for number in range(9):
        say(desk, number, [(old, new if number > 4 else old)] * 20)
        found = review_week(desk, FIRST + timedelta(weeks=number + 1))
    with monkeypatch.context() as before_it:  # what the slower of two reviews of the week has read
        before_it.setattr(type(desk), "found_rules", lambda _: [])
        (one,) = propose_rules(desk, found)
    decide_rule(desk, one.id, accepted=accepted, by="ada", at=at)
    with monkeypatch.context() as before_it:
        before_it.setattr(type(desk), "found_rules", lambda _: [])
        (again,) = propose_rules(desk, found)
    assert (again.accepted, again.by) == (accepted, "ada")
    assert [(rule.accepted, rule.by) for rule in desk.found_rules()] == [(accepted, "ada")]


def say(desk, week, pairs):
    """A week of audited answers, each given and right."""
    start = FIRST + timedelta(weeks=week)
    rows = [
        Prediction(f"{week}-{i}", start + timedelta(minutes=i), f"{given} {i}", given, 0.9, "1", True, None, {})
        for i, (given, _) in enumerate(pairs)
    ]
    write_predictions(desk.store, rows, name="test")
    said = [
        Outcome(row.id, row.at + timedelta(hours=1), OutcomeSource.AUDIT, right)
        for row, (_, right) in zip(rows, pairs, strict=True)
    ]
    write_outcomes(desk.store, said, name="test")


DELIVERY = [
    f"{ask} {what}{rest}"
    for ask, what, rest in product(
        ["how long does", "how many days does", "when does"],
        ["the delivery of my tent take", "my parcel take to be delivered", "delivery of the boots take"],
        ["", ", please", " to Berlin", "? Ask ada@example.com"],
    )
]
TORN = [
    f"{part} {what}{rest}"
    for part, what, rest in product(
        ["the zip of", "a seam of", "one pole of"],
        ["my rucksack is torn", "my jacket has come apart", "the boots broke"],
        ["", ", what now", " after a week", " in the rain"],
    )
]


def ask(desk, week, texts, right):
    """A week in which each text was asked, answered `order_status`, and audited."""
    start = FIRST + timedelta(weeks=week)
    rows = [
        Prediction(
            f"{week}-{i}", start + timedelta(minutes=i), text, "order_status", 0.9, "1", True, None, {}
        )
        for i, text in enumerate(texts)
    ]  # fmt: skip
    write_predictions(desk.store, rows, name="test")
    said = [
        Outcome(row.id, row.at + timedelta(hours=1), OutcomeSource.AUDIT, right.get(row.input, row.output))
        for row in rows
    ]
    write_outcomes(desk.store, said, name="test")


@pytest.mark.parametrize("way", ["propose", "apply"])
def test_where_only_answers_about_one_thing_are_contradicted_the_rule_is_for_that_theme(tmp_path, monkeypatch, way):
    encoder = load_client(configs(), "northwind").base_model.model_dump()
    desk = agreed(tmp_path, monkeypatch, rules=way, relabel=[], base_model=encoder)
    weeks = []
    for number in range(9):  # from the fifth on it is the other answer to half of what is asked
        ask(desk, number, DELIVERY + TORN, dict.fromkeys(DELIVERY, "refund_status") if number >= 4 else {})
        weeks.append(propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1))))
    assert [len(week) for week in weeks] == [0, 0, 0, 0, 0, 0, 0, 1, 0]
    (found,) = weeks[7]
    assert (found.rule.old, found.rule.new, found.rule.since) == ("order_status", "refund_status", date(2026, 3, 9))
    kept = {text.replace("ada@example.com", "[e-mail]") for text in DELIVERY}
    assert 1 <= len(found.rule.theme) <= 8
    assert kept.issuperset(found.rule.theme)
    assert found.examples == found.rule.theme
    day = "2026-03-09 at the latest" if way == "propose" else "2026-03-09"
    assert f"from {day} where a request is near one of its examples: " in str(found)
    later = FIRST + timedelta(weeks=9)
    if way == "propose":
        found = decide_rule(desk, found.id, accepted=True, by="ada", at=later)
    cases = [Case(text, text, "order_status", Source.LAUNCH) for text in (*kept, *TORN)]
    (held,) = rules_in_force(desk, cases, {}, later)
    outdated = {one.text for one in cases if held.covers(one.answer, one.text)}
    assert outdated <= kept
    assert len(outdated) > 0.8 * len(kept)


def test_a_rule_for_a_theme_that_nobody_accepted_keeps_none_for_the_whole_label_from_being_proposed(
    tmp_path, monkeypatch
):
    encoder = load_client(configs(), "northwind").base_model.model_dump()
    desk = agreed(tmp_path, monkeypatch, relabel=[], base_model=encoder)
    found = []
    for number in range(13):  # from the fifth week on half of it, from the ninth on all
        changed = DELIVERY + TORN if number >= 8 else DELIVERY if number >= 4 else []
        ask(desk, number, DELIVERY + TORN, dict.fromkeys(changed, "refund_status"))
        new = propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1)))
        found += [(number, bool(one.rule.theme), one.id) for one in new]
        for one in new if number == 7 else ():
            decide_rule(desk, one.id, accepted=False, by="ada", at=FIRST + timedelta(weeks=number + 1))
    (theme, refused, first), (_, whole, second) = found
    assert (theme, refused, whole) == (7, True, False)
    assert {one.id: one.accepted for one in desk.found_rules()} == {first: False, second: None}


def test_nothing_is_proposed_for_a_theme_where_no_model_can_say_what_is_about_it(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, relabel=[], base_model={"path": "models/nowhere"})
    for number in range(8):
        ask(desk, number, DELIVERY + TORN, dict.fromkeys(DELIVERY, "refund_status") if number >= 4 else {})
        assert propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1))) == []


@pytest.mark.parametrize("arrived", [True, False], ids=["a new category", "mistakes about anything"])
def test_what_only_looks_like_a_change_of_one_theme_is_no_rule(tmp_path, monkeypatch, arrived):
    encoder = load_client(configs(), "northwind").base_model.model_dump()
    desk = agreed(tmp_path, monkeypatch, relabel=[], base_model=encoder)
    wrong = DELIVERY if arrived else DELIVERY[::2] + TORN[::2]
    for number in range(9):
        texts = TORN if arrived and number < 4 else DELIVERY + TORN
        ask(desk, number, texts, dict.fromkeys(wrong, "refund_status") if number >= 4 else {})
        assert propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1))) == []


@pytest.mark.parametrize(("own", "proposed"), [(DELIVERY, False), (TORN, True), (TORN[:1], True)])
def test_a_label_whose_own_requests_have_ceased_to_come_has_not_become_what_others_are_corrected_to(
    tmp_path, monkeypatch, own, proposed
):
    encoder = load_client(configs(), "northwind").base_model.model_dump()
    desk = agreed(tmp_path, monkeypatch, relabel=[], base_model=encoder)
    cases = [Case(f"c{at}", text, "order_status", Source.LAUNCH) for at, text in enumerate(own)]
    records.save_rows(desk.store, "cases/launch.jsonl", cases)
    found = []
    for number in range(8):  # of the label's own none is asked from the fifth week on
        asked = TORN[::2] if number >= 4 else DELIVERY
        ask(desk, number, asked, dict.fromkeys(TORN, "refund_status"))
        found += propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1)))
    assert [(one.rule.old, one.rule.new) for one in found] == [("order_status", "refund_status")] * proposed


@pytest.fixture
def themed(tmp_path, monkeypatch):
    """A client of which the rule for a theme was accepted after the eighth week."""
    encoder = load_client(configs(), "northwind").base_model.model_dump()
    desk = agreed(tmp_path, monkeypatch, relabel=[], base_model=encoder)
    for number in range(8):
        ask(desk, number, DELIVERY + TORN, dict.fromkeys(DELIVERY, "refund_status") if number >= 4 else {})
        for one in propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1))):
            decide_rule(desk, one.id, accepted=True, by="ada", at=FIRST + timedelta(weeks=number + 1))
    assert [(bool(one.rule.theme), one.accepted) for one in desk.found_rules()] == [(True, True)]
    return desk


def proposed_later(desk, weeks, texts, changed):
    """What is proposed, week by week, while some texts are asked and some of their answers contradicted."""
    found = []
    for number in weeks:
        ask(desk, number, texts, dict.fromkeys(changed, "refund_status"))
        found += [(number, one) for one in propose_rules(desk, review_week(desk, FIRST + timedelta(weeks=number + 1)))]
    return found


@pytest.mark.parametrize("taught", [True, False])
def test_once_the_rest_of_a_label_is_contradicted_too_a_rule_for_all_of_it_follows_the_accepted_one_for_a_theme(
    themed, taught
):
    assert not proposed_later(themed, range(8, 10), TORN if taught else DELIVERY + TORN, [] if taught else DELIVERY)
    ((number, whole),) = proposed_later(themed, range(10, 15), TORN if taught else DELIVERY + TORN, DELIVERY + TORN)
    assert not whole.rule.theme
    assert number == (13 if taught else 12)  # once a quarter at most is left of what it was right for
    assert whole.rule.since == date(2026, 4, 20)  # after the week of 13 April, the theme's was 9 March
    assert "without requests that a rule for a part of it covers" in whole.evidence
    assert TORN[-1] in whole.examples


def test_corrections_about_the_theme_of_an_accepted_rule_speak_for_none_for_all_of_the_label(themed):
    # 36 of 42 a week are contradicted, more than three in four, but of those the rule covers more than 28
    assert not proposed_later(themed, range(8, 14), DELIVERY + TORN[:6], DELIVERY)


def test_a_refused_rule_for_the_rest_of_a_label_is_proposed_again_by_the_rest_of_it_alone(themed):
    ((number, whole),) = proposed_later(themed, range(8, 11), DELIVERY + TORN, DELIVERY + TORN)
    decide_rule(themed, whole.id, accepted=False, by="ada", at=FIRST + timedelta(weeks=number + 1))  # 20 April, at ten
    # of what the rule for the theme covers some is contradicted all along; the rest is right again for six weeks
    assert not proposed_later(themed, range(11, 17), DELIVERY[:4] + TORN, DELIVERY[:4])
    ((_, again),) = proposed_later(themed, range(17, 21), DELIVERY[:4] + TORN, DELIVERY[:4] + TORN)
    assert again.id != whole.id
    assert "a rule for a part of it covers; all from 2026-04-27 on, as there was a rule for it before" in again.evidence
    assert again.rule.since == date(2026, 6, 8)  # after the week of 1 June, the 18th
