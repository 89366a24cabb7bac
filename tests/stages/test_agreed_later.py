"""When is a golden line that was added between two retrains evaluated on?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.released import DECIDED, LABELS, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep import records
from upkeep.__main__ import main
from upkeep.cases.case import Case, Item, Source
from upkeep.desk import GOLDEN, LAUNCH_CASES, Desk
from upkeep.errors import NotEnoughDataError
from upkeep.stages.card import write_card
from upkeep.stages.challengers import Challenger
from upkeep.stages.comparison import compare_models
from upkeep.stages.decisions import Decision
from upkeep.stages.evaluation import load_outcomes
from upkeep.stages.snapshot import take_snapshot, taught_texts

SOON = DECIDED + timedelta(days=29)
LATER = SOON + timedelta(days=31)
TAUGHT = "my tent pole broke in the first night of our holiday by the sea"
LATE = Item("late", "My tent pole broke in the first night of our holiday by the sea!", LABELS[2])


@pytest.fixture(name="taught")
def desk_of_a_challenger_that_was_taught(desk) -> Desk:
    """A period's model is taught a case of which a near-duplicate is agreed since; 40 items were agreed before."""
    more = [f"Item {n} has come to my house without a {part}" for n, part in enumerate(("peg", "pan", "lid", "rope"))]
    cases = [Case(f"c{n}", text, LABELS[n % 3], Source.LAUNCH) for n, text in enumerate((TAUGHT, *more))]
    records.save_rows(desk.store, LAUNCH_CASES, cases)
    trained(desk, "2026-05", SOON)
    assert TAUGHT in taught_texts(desk, "2026-05")
    records.save_rows(desk.store, GOLDEN, [*desk.golden(), LATE])
    return desk


def trained(desk: Desk, period: str, at) -> None:
    take_snapshot(desk, period, at)
    made = records.load(desk.store, "challengers/made-2.json", Challenger)
    records.save(desk.store, f"challengers/{period}.json", replace(made, period=period))


def compared(desk: Desk, period: str, at) -> tuple[Decision, list[str]]:
    """The decision, and the golden items that it rests on."""
    made = compare_models(desk, period, at, reason="scheduled")
    return made, [one.id for one in load_outcomes(desk, period)[0] if one.items == "golden"]


def test_it_waits_for_the_retrain_that_locks_it_and_that_is_told(taught, capsys):
    made, items = compared(taught, "2026-05", SOON)
    assert (made.waiting, items) == (1, [f"g{n}" for n in range(40)])
    told = "1 golden line not compared on: agreed after this challenger's snapshot, locked by the next retrain"
    assert made.notes == (told,)
    assert main(["decisions", "northwind"]) == 0
    assert f"\n  {told}\n" in capsys.readouterr().out
    trained(taught, "2026-06", LATER)
    assert TAUGHT not in taught_texts(taught, "2026-06")
    made, items = compared(taught, "2026-06", LATER)
    assert (made.waiting, made.notes, items) == (0, (), [*(f"g{n}" for n in range(40)), "late"])


def test_one_that_another_run_has_locked_since_is_none_of_the_earlier_challenger(taught):
    take_snapshot(taught, "2026-Q2-variant-gift-card", SOON, head=(*LABELS, "gift_card"))
    made, items = compared(taught, "2026-05", SOON)
    assert (made.waiting, len(items)) == (1, 40)


def test_one_that_is_deleted_again_has_never_been_evaluated_on_and_ends_nothing(taught):
    compared(taught, "2026-05", SOON)
    records.save_rows(taught.store, GOLDEN, taught.golden()[:-1])
    trained(taught, "2026-06", LATER)
    assert TAUGHT in taught_texts(taught, "2026-06")
    assert len(compared(taught, "2026-06", LATER)[1]) == 40


def test_a_new_answer_to_a_text_that_is_locked_counts_at_once(taught):
    first, *others = taught.golden()[:-1]
    renewed = replace(first, id="renewed", answer=LABELS[1], valid_from=DECIDED)
    records.save_rows(taught.store, GOLDEN, [replace(first, valid_to=DECIDED), renewed, *others])
    made, items = compared(taught, "2026-05", SOON)
    assert (made.waiting, items[0]) == (0, "renewed")


def test_where_all_lines_were_agreed_since_nothing_is_compared(taught):
    records.save_rows(taught.store, GOLDEN, [LATE])
    with pytest.raises(NotEnoughDataError, match=r"golden items valid then and locked before its training, 1 are not"):
        compare_models(taught, "2026-05", SOON, reason="scheduled")


def test_a_first_model_is_not_scored_on_one_either(taught):
    write_card(taught, "2")
    assert "n=40)" in taught.store.read("releases/models/2/README.md").decode()
