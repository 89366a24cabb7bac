"""What people see of a comparison in MLflow, on real weights: slices, confusions, and what a model costs to run."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from matplotlib.image import imread

from tests.released import BEGUN, DECIDED, LABELS, agree, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep import records
from upkeep.cases.case import Case, Source
from upkeep.cases.split import Locked
from upkeep.desk import LAUNCH, Desk
from upkeep.evaluation.after_cut import BETWEEN
from upkeep.stages.challengers import Challenger
from upkeep.stages.comparison import compare_models, judge_again
from upkeep.stages.evaluation import load_outcomes
from upkeep.stages.snapshot import take_snapshot

SOON = DECIDED + timedelta(days=29)
CHANNELS = ("mail", "app")


@pytest.fixture(name="asked")
def desk_asking_by_channel(desk) -> Desk:
    """Two golden items have a channel, and so has each of twelve recent cases, of which four were answered wrong."""
    client = desk.client.model_copy(update={"review_by": ("channel",)})
    desk = replace(desk, agreement=desk.agreement.model_copy(update={"client": client}))
    golden = desk.golden()
    for number, channel in enumerate(CHANNELS):
        golden[number] = replace(golden[number], by={"channel": channel, "floor": "2"})
    agree(desk, golden)
    cases = [
        Case(
            f"p{n}", f"My tent of {1990 + n} has a broken pole", LABELS[2], Source.AUDIT, DECIDED, known_from=DECIDED,
            was_error=n < 4, by={"channel": CHANNELS[n % 2], "shop": "7"},
        )
        for n in range(12)
    ]  # fmt: skip
    records.save_rows(desk.store, "cases/2026-W10.jsonl", cases)
    locked = [Locked(case.id, case.text, DECIDED) for case in cases]
    records.save_rows(desk.store, "evaluation/locked/2026-03.jsonl", locked)
    made = records.load(desk.store, "challengers/made-2.json", Challenger)
    records.save(desk.store, "challengers/2026-05.json", replace(made, period="2026-05"))
    return desk


class Logged:
    """The runs of a period in MLflow."""

    def __init__(self, desk: Desk, period: str) -> None:
        self.client = desk.registry.client
        runs = self.client.search_runs([desk.registry.experiment()], f"tags.`upkeep.period` = '{period}'")
        self.runs = {run.data.tags["upkeep.stage"]: run for run in runs}

    def metrics(self, stage: str) -> dict[str, float]:
        return self.runs[stage].data.metrics

    def file(self, name: str) -> bytes:
        return Path(self.client.download_artifacts(self.runs["comparison"].info.run_id, name)).read_bytes()

    def table(self, name: str) -> list[tuple]:
        found = json.loads(self.file(name))
        return [tuple(found["columns"]), *map(tuple, found["data"])]

    def names(self) -> set[str]:
        return {one.path for one in self.client.list_artifacts(self.runs["comparison"].info.run_id)}


def test_the_values_that_the_client_asks_by_come_from_the_item_to_the_record_and_to_a_table(asked):
    made = compare_models(asked, "2026-05", SOON, reason="scheduled")
    outcomes, _ = load_outcomes(asked, "2026-05")
    by = {one.id: one.by for one in outcomes}
    assert (by["g0"], by["g1"], by["g2"]) == ({"channel": "mail"}, {"channel": "app"}, {})
    assert (by["p0"], by["p1"]) == ({"channel": "mail"}, {"channel": "app"})
    assert judge_again(asked, made) == []

    head, *rows = Logged(asked, "2026-05").table("slices.json")
    assert head == ("slice", "n", "fixed", "introduced", "p_value", "p_for_all_slices")
    assert {(name, n) for name, n, *_ in rows} == {("channel=mail", 7), ("channel=app", 7)}
    for name, _, fixed, introduced, *_ in rows:
        here = [one for one in outcomes if f"channel={one.by.get('channel')}" == name and one.items != "errors"]
        assert fixed == sum(one.challenger and not one.champion for one in here)
        assert introduced == sum(one.champion and not one.challenger for one in here)


def test_without_values_to_ask_by_there_is_no_table_of_slices(asked):
    plain = asked.client.model_copy(update={"review_by": ()})
    desk = replace(asked, agreement=asked.agreement.model_copy(update={"client": plain}))
    compare_models(desk, "2026-05", SOON, reason="scheduled")
    names = Logged(desk, "2026-05").names()
    assert {"labels.json", "flips.json", "confusions.json", "comparison.png", "decision.md"} == names


def test_which_answers_are_taken_for_which_is_a_table_that_agrees_with_the_outcomes(asked):
    compare_models(asked, "2026-05", SOON, reason="scheduled")
    logged = Logged(asked, "2026-05")
    head, *rows = logged.table("confusions.json")
    assert head == ("right_answer", "answer", "champion", "challenger")
    outcomes, _ = load_outcomes(asked, "2026-05")
    assert {one.items for one in outcomes} == {"golden", "recent", "errors"}
    once = [one for one in outcomes if one.items != "errors"]  # the errors are recent items too
    assert sum(row[2] for row in rows) == sum(not one.champion for one in once)
    assert sum(row[3] for row in rows) == sum(not one.challenger for one in once)
    changes = [abs(row[3] - row[2]) for row in rows]
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > 0
    assert imread(BytesIO(logged.file("comparison.png"))).shape[1] == 1200


def test_recent_items_from_after_the_champions_training_cut_are_told_apart(asked):
    take_snapshot(asked, LAUNCH, BEGUN)
    cases = records.load_rows(asked.store, "cases/2026-W10.jsonl", Case)
    early = [replace(case, valid_from=BEGUN - timedelta(days=1)) for case in cases[:5]]
    records.save_rows(asked.store, "cases/2026-W10.jsonl", [*early, *cases[5:]])
    made = compare_models(asked, "2026-05", SOON, reason="scheduled")
    recent = next(one for one in made.compared if one.items == "recent")
    late = made.after_cut.compared
    assert (made.after_cut.cut, made.after_cut.recent, recent.champion.n, late.champion.n) == (BEGUN, 12, 12, 7)
    outcomes, _ = load_outcomes(asked, "2026-05")
    right = [one.challenger for one in outcomes if one.items == "recent" and one.id in {f"p{n}" for n in range(5, 12)}]
    assert late.challenger.hits == sum(right)
    logged = Logged(asked, "2026-05")
    assert logged.metrics("comparison")["difference/recent_after_cut/accuracy"] == late.difference
    assert f"{BETWEEN}:\n\n- {made.after_cut}\n" in logged.file("decision.md").decode()
    assert judge_again(asked, made) == []


def test_a_champion_of_which_it_is_not_on_record_what_it_was_taught_has_no_cut(asked):
    made = compare_models(asked, "2026-05", SOON, reason="scheduled")
    assert (made.after_cut.cut, made.after_cut.compared) == (None, None)
    assert "not on record" in Logged(asked, "2026-05").file("decision.md").decode()


def test_what_either_model_costs_to_run_is_told_beside_the_verdict_and_is_no_part_of_the_record(asked):
    made = compare_models(asked, "2026-05", SOON, reason="scheduled")
    logged = Logged(asked, "2026-05")
    assert logged.runs["comparison"].data.tags["upkeep.verdict"] == made.verdict
    names = {"latency_ms/median", "latency_ms/p95", "release_mb"}
    shipped = asked.store.size("releases/models/1/") - asked.store.size("releases/models/1/known.jsonl")
    for role in ("champion", "challenger"):
        found = logged.metrics(f"{role} score")
        assert names <= set(found)
        assert 0 < found["latency_ms/median"] <= found["latency_ms/p95"] < 60_000
        assert {name: logged.metrics("comparison")[f"{role}/{name}"] for name in names} == {
            name: found[name] for name in names
        }
    assert logged.metrics("champion score")["release_mb"] == pytest.approx(shipped / 1e6)
    told = logged.file("decision.md").decode()
    assert "- champion: an answer takes " in told
    assert "(median; 95 % of 30 within " in told
    assert b"latency" not in asked.store.read("decisions/2026-05.json")
