"""Are answers that are likely a mistake flagged, and those of a new policy not?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from tests.small_client import configure
from tests.texts import case
from upkeep import records
from upkeep.cases.case import Case, Source
from upkeep.cases.label_errors import CHANCE, SHRINKAGE, Answered, Discriminant, find_suspects, reference_cases
from upkeep.demo.tickets import history
from upkeep.desk import LAUNCH_CASES, Desk, open_desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.stages.collection import Collection, collect_cases
from upkeep.timeline import TimelineRow, arrange

TOPICS, WIDTH = "abcdef", 32
NONE = Answered(np.zeros((0, WIDTH), np.float32), [])


def about(topics: str, answers: str = "", *, seed: int = 0, width: int = WIDTH) -> Answered:
    """A text for each topic, near the others of its topic, and the answer to each: its topic, if none is named."""
    rng = np.random.default_rng(seed)
    found = 0.6 * np.eye(width)[[TOPICS.index(topic) for topic in topics]]
    found += rng.normal(0, 0.3 / np.sqrt(width), found.shape)
    return Answered((found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), list(answers or topics))


KNOWN = about(TOPICS * 30)


def flagged(new: Answered, *, lately: Answered = NONE, before: Answered = KNOWN) -> list[int]:
    found = find_suspects(new, lately=lately, before=before)
    assert len(found) == len(new.answers)
    return [row for row, share in enumerate(found) if share is not None]


def test_a_wrong_answer_is_flagged_with_how_little_it_is_believed_and_right_ones_are_not():
    found = find_suspects(about("abcdef", "abfdef", seed=1), lately=NONE, before=KNOWN)
    (share,) = (share for share in found if share is not None)
    assert found[2] == share
    assert 0 <= share < CHANCE / 6


def test_eight_wrong_among_a_hundred_are_found_and_nothing_else():
    topics = (TOPICS * 17)[:100]
    wrong = [3, 17, 29, 40, 58, 66, 81, 99]
    answers = [TOPICS[(TOPICS.index(one) + 1 + row % 4) % 6] if row in wrong else one for row, one in enumerate(topics)]
    assert flagged(about(topics, "".join(answers), seed=1)) == wrong


def test_no_case_vouches_for_itself():
    # with more dimensions than cases a judge that had seen a case would believe whatever is said of it
    new = about("aabb", "abbb", seed=1, width=200)
    none = Answered(np.zeros((0, 200), np.float32), [])
    assert flagged(new, lately=none, before=about("ab" * 20, width=200)) == [1]


def test_a_case_is_scored_as_if_it_had_not_been_there():
    some = about("ab" * 5 + "c" * 5, seed=3)
    points, given = some.embeddings.astype(float), np.array([TOPICS.index(topic) for topic in some.answers])
    even = spread(points, given).trace() / WIDTH * np.eye(WIDTH)  # of which all have their share
    found = Discriminant(some.embeddings, given, 3).scores(np.arange(15))
    for row in range(15):
        others = np.arange(15) != row
        means = np.array([points[others & (given == label)].mean(axis=0) for label in range(3)])
        covariance = (1 - SHRINKAGE) * spread(points[others], given[others]) + SHRINKAGE * even
        away = points[row] - means
        distance = (away * np.linalg.solve(covariance, away.T).T).sum(axis=1)
        counts = np.bincount(given[others])
        assert found[row] == pytest.approx(-distance / (1 + 1 / counts) / 2, rel=1e-3)


def spread(points: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Covariance about the means of three labels, by the freedom that fifteen cases have."""
    away = points - np.array([points[given == label].mean(axis=0) for label in range(3)])[given]
    return away.T @ away / (15 - 3)


def test_the_same_cases_are_judged_the_same():
    new = about(TOPICS * 3, "abcdea" + TOPICS * 2, seed=1)
    assert find_suspects(new, lately=NONE, before=KNOWN) == find_suspects(new, lately=NONE, before=KNOWN)


def test_a_label_with_few_cases_is_not_judged():
    assert flagged(about("a", "x", seed=1)) == []
    four = about("bbbb", "xxxx", seed=2)  # with the new one there are five
    assert flagged(about("a", "x", seed=1), before=Answered(*_both(KNOWN, four))) == [0]


@pytest.mark.parametrize("known", [NONE, about("a" * 30)])
def test_where_there_is_nothing_to_choose_from_nothing_is_judged(known):
    assert flagged(about("aab", seed=1), before=known) == []
    assert find_suspects(NONE, lately=NONE, before=KNOWN) == []


def test_a_policy_change_is_no_mistake():
    # from now on what was `a` is `f`; one slip among it is
    new = about("aaaaabcde", "ffffabcda", seed=1)
    assert flagged(new) == [8]


def test_one_that_says_otherwise_alone_is_flagged_until_two_have_said_so_before():
    new = about("abcde", "fbcde", seed=1)
    assert flagged(new) == [0]
    assert flagged(new, lately=about("ab", "fb", seed=2)) == [0]
    assert flagged(new, lately=about("aab", "ffb", seed=2)) == []


def test_what_was_said_long_ago_makes_no_new_policy():
    old = Answered(*_both(KNOWN, about("aab", "ffb", seed=2)))
    assert flagged(about("abcde", "fbcde", seed=1), before=old) == [0]


def test_slips_of_several_kinds_are_no_policy():
    assert flagged(about("aaaabcdef", "abcdbcdef", seed=1)) == [1, 2, 3]


def _both(one: Answered, other: Answered) -> tuple[np.ndarray, list[str]]:
    return np.concatenate([one.embeddings, other.embeddings]), [*one.answers, *other.answers]


MAY = datetime(2026, 5, 4, 6, tzinfo=UTC)


def test_the_newest_cases_of_each_answer_judge_in_turn():
    old = [case(n, "a") for n in range(50)]
    recent = [case(100 + n, "a", at=MAY + timedelta(days=n)) for n in range(3)]
    rare = [case(200, "b"), case(201, "b", at=MAY)]
    found = reference_cases([*old, *recent, *rare], 7)
    assert [one.id for one in found[:5]] == ["102", "201", "101", "200", "100"]
    assert {one.answer for one in found[5:]} == {"a"}
    assert reference_cases([*rare, *recent, *old[::-1]], 7) == found


def test_of_few_cases_all_judge():
    few = [case(n, "ab"[n % 2]) for n in range(9)]
    assert sorted(one.id for one in reference_cases(few, 100)) == sorted(one.id for one in few)


def served(desk: Desk, asked: list[TimelineRow], wrong: dict[int, str]) -> None:
    """A week of requests, each audited: with its label, or with a wrong one."""
    rows = [
        Prediction(str(n), MAY + timedelta(hours=n), row.text, "order_status", 0.9, "1", True)
        for n, row in enumerate(asked)
    ]
    said = [
        Outcome(one.id, one.at + timedelta(minutes=5), OutcomeSource.AUDIT, wrong.get(n, row.label))
        for n, (one, row) in enumerate(zip(rows, asked, strict=True))
    ]
    write_predictions(desk.store, rows, name="test")
    write_outcomes(desk.store, said, name="test")


def collected(tmp_path, monkeypatch, wrong: dict[int, str], **changes) -> tuple[Collection, list[Case]]:
    configure(tmp_path / "configs", monkeypatch, relabel=[], **changes)
    desk = open_desk("northwind")
    tickets = arrange(history("northwind", seed=1, start=date(2026, 1, 1), months=1, per_month=100))
    launch = [Case(row.id, row.text, row.label, Source.LAUNCH) for row in tickets.launch]
    records.save_rows(desk.store, LAUNCH_CASES, launch)
    served(desk, tickets.stream[:60], wrong)
    found = collect_cases(desk, "2026-W19", MAY + timedelta(weeks=1))
    assert collect_cases(desk, "2026-W19", MAY + timedelta(weeks=1)) == found
    return found, records.load_rows(desk.store, "cases/2026-W19.jsonl", Case)


WRONG = {7: "discount_code", 21: "size_advice", 33: "change_address"}


def test_a_collection_flags_likely_mistakes_keeps_them_and_counts_them(tmp_path, monkeypatch):
    found, cases = collected(tmp_path, monkeypatch, WRONG)
    suspects = {one.id for one in cases if one.suspect is not None}
    assert suspects >= {"p-7", "p-21", "p-33"}
    assert len(suspects) == found.suspects <= 5
    assert f"{found.suspects} likely a mistake" in str(found)
    assert found.unjudged is None


def test_without_its_base_model_a_client_has_cases_all_the_same_and_is_told_why_none_is_flagged(tmp_path, monkeypatch):
    found, cases = collected(tmp_path, monkeypatch, WRONG, base_model={"path": "models/nowhere"})
    assert len(cases) == found.cases > 40
    assert {one.suspect for one in cases} == {None}
    assert found.suspects == 0
    assert str(found).endswith(f"mistakes looked for: {found.unjudged}")
    assert "nowhere" in str(found.unjudged)


def test_written_answers_are_not_judged(tmp_path, monkeypatch):
    found, cases = collected(
        tmp_path, monkeypatch, WRONG, task="generation", training="lora-chat", base_model={"path": "models/nowhere"}
    )
    assert (found.suspects, found.unjudged, {one.suspect for one in cases}) == (0, None, {None})
