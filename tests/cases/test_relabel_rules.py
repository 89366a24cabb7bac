"""When do people's answers speak for a rule, since when, and what becomes of it?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.audited import agreed
from tests.weeks import week
from upkeep import records
from upkeep.cases.case import Case, Source
from upkeep.cases.relabel_rules import Found, about_theme, contradictions, rule_of
from upkeep.commands.readiness import rule_notes
from upkeep.config import Relabel
from upkeep.errors import ConfigError, RuleError
from upkeep.metrics.quality import Confusion
from upkeep.stages.rules import decide_rule
from upkeep.stages.rules_in_force import history_in_force, rules_in_force
from upkeep.statistics.rates import Rate

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def told(named: dict[tuple[str, str], int]):
    """A week in which so many answers were given and so many right, by the two; 100 were looked at in all."""
    cells = tuple(Confusion(given, answer, n) for (given, answer), n in named.items())
    return replace(week(1), named=cells, labelled=Rate(100, 100))


BEFORE = {("a", "a"): 3, ("a", "b"): 0, ("b", "b"): 5, ("c", "c"): 4}
AFTER = {("a", "b"): 3, ("b", "b"): 5, ("c", "c"): 4}


def weeks(*spans: tuple[int, dict[tuple[str, str], int]]):
    named = [named for n, named in spans for _ in range(n)]
    return [(f"2026-W{number:02}", told(one)) for number, one in enumerate(named, start=1)]


def found(run):
    return [(one.old, one.new, str(one.now), str(one.before)) for one in contradictions(run)]


def test_answers_that_have_all_become_another_one_are_a_contradiction():
    (one,) = contradictions(weeks((10, BEFORE), (3, AFTER)))
    assert (one.old, one.new, one.weeks) == ("a", "b", 4)
    assert (one.now, one.before) == (Rate(9, 12), Rate(0, 27))
    assert one.right == (Rate(3, 400), Rate(27, 900))
    assert "9 of 12 'a' answers that people looked at in the last 4 weeks should be 'b', before 0 of 27" in str(one)


def test_a_new_category_whose_requests_all_go_to_one_label_is_none_while_the_label_is_right_for_its_own():
    # 3 of its own a week as ever, and 9 of the new sort
    assert not found(weeks((10, BEFORE), (4, {**BEFORE, ("a", "new"): 9})))
    # nor where the model gives it to a label that nobody asked for in these weeks by chance: 1 a week before, 0 in 4
    rare = {("r", "r"): 1, ("c", "c"): 4}
    assert not found(weeks((10, rare), (4, {("r", "new"): 4, ("c", "c"): 4})))


def test_labels_too_rare_by_themselves_are_seen_where_they_became_the_same():
    before = {("r", "r"): 1, ("s", "s"): 1, ("t", "t"): 1, ("c", "c"): 4}
    after = {("r", "new"): 1, ("s", "new"): 1, ("t", "new"): 1, ("c", "c"): 4}
    assert [(old, new) for old, new, *_ in found(weeks((20, before), (4, after)))] == [
        ("r", "new"), ("s", "new"), ("t", "new"),
    ]  # fmt: skip


def test_beside_a_certain_change_fewer_cases_make_another_one_likely():
    before = {**BEFORE, ("r", "r"): 2}
    some = [(12, before), (3, {**AFTER, ("r", "x"): 1}), (1, {**AFTER, ("r", "y"): 1})]
    certain, likely = contradictions(weeks(*some))
    assert (certain.old, certain.new, certain.certain) == ("a", "b", True)
    # 3 of 4 against 0 of 24: 4 of the 3,276 ways to choose 3 of 28, p = 0.0012; a certain one has to be below 0.00048
    assert (likely.old, likely.new, likely.certain) == ("r", "x", False)
    assert likely.chance == pytest.approx(4 / 3276)
    assert str(likely).endswith("; likely only because other answers have certainly changed in these weeks")
    assert "likely" not in str(certain)
    alone = [(n, {**one, ("a", "a"): 3, ("a", "b"): 0}) for n, one in some]
    assert not found(weeks(*alone))


def test_what_was_always_confused_is_no_change():
    always = {("a", "a"): 1, ("a", "b"): 3, ("c", "c"): 4}
    assert not found(weeks((20, always)))
    # nor that more is confused: of its answers c was a third and is 8 in 13, more by 0.28; by 0.4, most of the two
    # thirds that were its own, it would have to be
    before = {("a", "a"): 20, ("a", "c"): 10}
    assert not found(weeks((12, before), (4, {("a", "c"): 16, ("a", "d"): 10})))
    all_d = weeks((12, before), (4, {("a", "c"): 10, ("a", "d"): 20}))
    assert [(old, new) for old, new, *_ in found(all_d)] == [("a", "d")]


def test_a_label_that_is_right_in_more_than_a_quarter_of_what_it_was_has_not_become_another_one():
    before = {("a", "a"): 10, ("a", "b"): 2}
    # what is b's comes as ever and what is a's is rare these weeks: by other answers it is known to be right still
    assert not found(weeks((12, before), (4, {("a", "b"): 3, ("c", "a"): 3})))
    assert [(old, new) for old, new, *_ in found(weeks((12, before), (4, {("a", "b"): 3, ("c", "a"): 2})))] == [
        ("a", "b"),
    ]  # fmt: skip


def test_of_what_a_label_may_have_become_the_most_part_counts():
    before = {("a", "a"): 6, ("a", "c"): 6}  # what is c's is d's now, and a's own is b
    after = {("a", "b"): 6, ("a", "d"): 5}
    assert [(old, new) for old, new, *_ in found(weeks((12, before), (4, after)))] == [("a", "b")]


def test_what_is_known_is_not_told_again_and_four_weeks_before_are_needed():
    run = weeks((10, BEFORE), (4, AFTER))
    assert not list(contradictions(run, known={("a", "b")}))
    assert not found(run[-7:])


def test_a_rule_begins_after_the_week_in_which_the_answers_changed_so_that_none_of_its_old_ones_stays():
    run = weeks((10, BEFORE), (3, AFTER))
    (one,) = contradictions(run)
    # week 11, from 9 March; in a later one 3 of 3 would be chance, which is far less likely
    assert rule_of(one, run, BERLIN) == Relabel(old="a", new="b", since=date(2026, 3, 16))
    half = weeks((10, BEFORE), (1, {**AFTER, ("a", "a"): 1, ("a", "b"): 2}), (3, AFTER))
    assert rule_of(one, half, BERLIN).since == date(2026, 3, 16)


def test_a_rule_for_a_theme_is_for_texts_near_an_example_of_it():
    at = {"kettle": [1.0, 0.0], "pot": [0.0, 1.0], "Pan": [0.61, 0.79], "tent": [-0.55, 0.84], "rope": [-1.0, 0.0]}
    rule = Relabel(old="claim", new="repair", since=date(2026, 3, 9), text="^[kprt]", theme=("kettle", "pot"))
    # the pan's cosine to the pot is 0.79 and the tent's 0.84; the rope's is 0, and -1 to the kettle
    themed = about_theme(rule, ["rope", "tent", "Pan"], lambda texts: np.array([at[one] for one in texts]))
    assert themed.texts == ("pan", "tent")
    assert [text for text in at if themed.covers("claim", text)] == ["Pan", "tent"]
    assert not themed.covers("other", "tent")
    assert about_theme(rule, [], lambda texts: np.zeros((len(texts), 2))).texts == ()


def test_what_a_rule_for_a_theme_covers_is_not_guessed():
    rule = Relabel(old="claim", new="repair", since=date(2026, 3, 9), theme=("kettle",))
    with pytest.raises(ValueError, match="'claim' -> 'repair': nobody has said yet which texts are about its theme"):
        rule.covers("claim", "kettle")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    desk = agreed(tmp_path, monkeypatch, relabel=[])
    one = Found(
        Relabel(old="refund_status", new="refund_request", since=date(2026, 3, 9), text="money"),
        "2026-W13",
        NOON,
        "5 of 5",
    )
    records.save(desk.store, f"rules/{one.id}.json", one)
    return desk


def test_a_rule_holds_from_when_it_was_accepted(desk):
    (one,) = desk.found_rules()
    assert desk.rules(NOON) == []
    accepted = decide_rule(desk, one.id, accepted=True, by="ada", at=NOON, since=date(2026, 3, 11))
    assert (accepted.rule.since, accepted.rule.text) == (date(2026, 3, 11), "money")
    assert desk.rules(NOON) == [accepted.rule]
    assert desk.rules(datetime(2026, 5, 31, tzinfo=UTC)) == []


def test_a_refused_rule_does_not_hold_and_an_unknown_one_is_named(desk):
    (one,) = desk.found_rules()
    decide_rule(desk, one.id, accepted=False, by="ada", at=NOON)
    assert desk.rules(NOON) == []
    with pytest.raises(RuleError, match=f"no rule 'x', expected one of \\['{one.id}'\\]"):
        decide_rule(desk, "x", accepted=True, by="ada", at=NOON)


def test_a_writer_s_rule_covers_the_answers_as_they_are_kept_and_one_that_covers_none_is_told(tmp_path, monkeypatch):
    since = "2026-02-09"
    rules = [
        {"old": "Call us at +49 30 901820 now.\n", "new": " Write to a@acme.example.", "since": since},
        {"old": "Write to [e-mail].", "new": "Use the portal.", "since": since},  # follows on the first
        {"old": "Call us at once.", "new": "Wait.", "since": since},
        {"old": "Ask 0301 901820.", "new": "Ask 0301 901821.", "since": since},
    ]
    desk = agreed(tmp_path, monkeypatch, task="generation", training="lora-chat", labels=[], relabel=rules)
    case = Case("c1", "how can I reach you", "Call us at [phone] now.", Source.LAUNCH)
    records.save_rows(desk.store, "cases/launch.jsonl", [case])
    held = rules_in_force(desk, [case], {}, NOON)
    assert [one.new for one in held if one.covers(case.answer, case.text)] == ["Write to [e-mail]."]
    assert len(held) == 3  # the last one's answers are one and the same as they are kept
    assert rule_notes(desk) == [
        "relabel.2: covers no case: none that it is for has the answer 'Call us at once.'",
        "relabel.3: old and new are both 'Ask [number].' once personal data is taken out",
    ]


def test_the_day_of_a_rule_is_the_latest_one_until_somebody_has_agreed_to_it():
    rule = Relabel(old="claim", new="repairs", since=date(2026, 3, 9))
    found = Found(rule, "2026-W10", NOON, "9 of 12")
    assert str(found) == "'claim' becomes 'repairs' from 2026-03-09 at the latest: 9 of 12"
    accepted = found.decide(accepted=True, by="ada", at=NOON)
    assert str(accepted) == "'claim' becomes 'repairs' from 2026-03-09: 9 of 12"


def test_a_rule_whose_pattern_takes_too_long_is_an_error_that_names_the_client_s_file_and_the_rule(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("upkeep.patterns.SECONDS", 0.01)
    rule = {"old": "claim", "new": "repairs", "since": "2026-02-09", "text": "(.*?,){20}tent"}
    desk = agreed(tmp_path, monkeypatch, relabel=[rule])
    slow, quick = Case("c1", "a," * 40, "claim", Source.LAUNCH), Case("c2", "a, tent", "claim", Source.LAUNCH)
    where = "clients/northwind.yaml: relabel 'claim' -> 'repairs' from 2026-02-09: text"
    with pytest.raises(ConfigError, match=f"^{where} '.*' has taken more than 0.01 s on a text of 80 characters"):
        history_in_force(desk, [slow], {}, NOON)
    assert [one.answer for one in history_in_force(desk, [quick], {}, NOON).versions] == ["claim"]
