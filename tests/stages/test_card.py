"""A release's card says what it was taught, how it did, and what to mind."""

from __future__ import annotations

from dataclasses import replace

from tests.chatty import chat_base  # noqa: F401 -- a fixture
from tests.released import DECIDED, agree, register, released_desk, released_template  # noqa: F401 -- fixtures
from tests.writing_client import begun, desk_of_a_writer  # noqa: F401 -- fixtures
from upkeep import records
from upkeep.base_model import resolve_base
from upkeep.cases.case import Item
from upkeep.stages.approval import approve
from upkeep.stages.card import write_card
from upkeep.stages.challengers import Challenger
from upkeep.stages.finetuning import load_model
from upkeep.stages.release import current_release
from upkeep.statistics.rates import Rate


def card(desk, version: str) -> str:
    return desk.store.read(f"releases/models/{version}/README.md").decode()


def test_a_promoted_version_tells_how_it_did_against_the_one_before(desk):
    made = approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    told = card(desk, "2")
    assert told.startswith("---\nlibrary_name: peft\n")  # base_model names one of the hub, as the hub itself insists
    assert "# Northwind Outdoors, version 2\n" in told
    assert "gives a request one of\n3 labels" in told
    # 290 and 255 of 300
    assert "- golden: 96.7% (95% CI 94.0%..98.2%, n=300), version 1 85.0% (95% CI 80.5%..88.6%, n=300)\n" in told
    assert f"promote: {made.reasons[0]}" in told
    assert "From a confidence of 0.300 on" in told
    assert "README.md" in current_release(desk).files
    assert "on the golden items" not in told.lower()


def test_it_is_written_once(desk):
    write_card(desk, "2")
    first = card(desk, "2")
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert card(desk, "2") == first
    assert "The first model: nothing to compare it with." in first


def test_a_first_model_is_scored_on_the_agreed_items_and_says_how(desk):
    golden = [
        *desk.golden(),
        Item("o0", "What is the meaning of life?", "oos"),
        Item("late", "Where is my order?", "refund_status", valid_from=DECIDED),
    ]
    agree(desk, golden)
    answers = load_model(desk, "2").answer([item.text for item in golden[:-1]])
    alone = [one.automatic for one in answers]
    right = [
        one.output == item.answer or (item.answer == "oos" and not one.automatic)
        for one, item in zip(answers, golden, strict=False)
    ]
    write_card(desk, "2")
    told = card(desk, "2")
    both = sum(a and b for a, b in zip(alone, right, strict=True))
    assert f"- right: {Rate(sum(right), 41)}\n" in told
    assert f"- answered without a person: {Rate(sum(alone), 41)}\n" in told
    assert f"- right of those: {Rate(both, sum(alone))}\n" in told
    assert 0 < sum(right) < 41
    assert "none of which it was taught" in told
    assert "of an item that no label fits, that it goes to a person" in told


def test_the_card_says_on_how_many_cases_the_threshold_was_fitted_where_that_was_kept(desk):
    key = "challengers/made-2.json"
    write_card(desk, "2")
    assert "The threshold was fitted on held-out cases, and 0% of those are\nanswered without" in card(desk, "2")
    records.save(desk.store, key, replace(records.load(desk.store, key, Challenger), held_out=1234))
    desk.store.delete("releases/models/2/README.md")
    write_card(desk, "2")
    told = card(desk, "2")
    assert "The threshold was fitted on 1,234 other held-out cases, and 0% of those are\nanswered without" in told
    assert "of requests that nothing was fitted on it will be rather\nfewer" in told


def test_the_card_says_how_to_load_a_base_that_is_not_on_the_hub(desk):
    write_card(desk, "2")
    told = card(desk, "2")
    assert 'base = AutoModel.from_pretrained("./small-encoder")\nmodel = PeftModel' in told
    assert "`folder:small-encoder` is no model of the Hugging Face hub" in told
    assert f"`{resolve_base(desk.client.base_model).settings_digest}`" in told


def test_a_version_that_answers_nothing_without_a_person_says_so_and_names_no_confidence(desk):
    version = register(desk, 3, threshold=1.01)
    key = f"challengers/made-{version}.json"
    made = replace(records.load(desk.store, key, Challenger), held_out=12, superseded=1)
    records.save(desk.store, key, made)
    write_card(desk, version)
    told = card(desk, version)
    assert "- No answer is given without a person: no confidence kept 95% of such answers right.\n" in told
    assert "1.010" not in told
    wanted = "every answer goes to a person: at no confidence enough of 12 held-out cases were right"
    assert str(made) == f"version 4 trained on 0 cases, 3 labels (0 new), 1 answer superseded, {wanted}"
    assert str(replace(made, labels=(), threshold=0.8)) == (
        "version 4 trained on 0 cases, 1 answer superseded, threshold 0.800"  # a model that writes has no labels
    )


def test_a_version_for_which_nothing_was_held_out_says_that_nothing_tells_its_threshold(desk):
    version = register(desk, 3, threshold=1.01)
    write_card(desk, version)
    told = card(desk, version)
    assert "No case was held out to fit a threshold on, so that every answer goes to a person.\n" in told
    assert "- No answer is given without a person: no case was held out to judge it by.\n" in told
    assert "0% of those" not in told
    made = records.load(desk.store, f"challengers/made-{version}.json", Challenger)
    assert made.alone == "every answer goes to a person: no case was held out to judge it by"


def test_a_version_nobody_has_a_record_of_has_no_card(desk):
    desk.store.delete("challengers/made-3.json")
    write_card(desk, "3")
    assert not desk.store.exists("releases/models/3/README.md")


def test_a_model_that_writes_tells_what_it_was_taught_and_has_no_labels(writer):
    told = card(writer, "1")
    assert "that writes answers to requests. Made for launch, on 2026-02-02." in told
    assert "cases, 0 of them with an answer that took another" in told
    assert "Right is an answer with 70% of its words in common with the agreed one (token F1)." in told
    assert "n=100)" in told  # of 100 agreed requests some get another answer after a week, from then on
    assert 'AutoModelForCausalLM.from_pretrained("./chat")' in told
    assert "reads 32 tokens, and nothing after them; of a longer conversation the\n  newest turns" in told
    assert "no label" not in told
    assert "{" not in told
    assert "\n\n\n" not in told
