"""A release's card says what it was taught, how it did, and what to mind."""

from __future__ import annotations

from tests.chatty import chat_base  # noqa: F401 -- a fixture
from tests.released import DECIDED, register, released_desk, released_template  # noqa: F401 -- fixtures
from tests.writing_client import begun, desk_of_a_writer  # noqa: F401 -- fixtures
from upkeep.stages.approval import approve
from upkeep.stages.card import write_card
from upkeep.stages.release import current_release


def card(desk, version: str) -> str:
    return desk.store.read(f"releases/models/{version}/README.md").decode()


def test_a_promoted_version_tells_how_it_did_against_the_one_before(desk):
    made = approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    told = card(desk, "2")
    assert told.startswith("---\nbase_model: folder:small-encoder\nlibrary_name: peft\n")
    assert "# Northwind Outdoors, version 2\n" in told
    assert "gives a request one of\n3 labels" in told
    # 290 and 255 of 300
    assert "- golden: 96.7% (95% CI 94.0%..98.2%, n=300), version 1 85.0% (95% CI 80.5%..88.6%, n=300)\n" in told
    assert f"promote: {made.reasons[0]}" in told
    assert "From a confidence of 0.300 on" in told
    assert "README.md" in current_release(desk).files


def test_it_is_written_once(desk):
    write_card(desk, "2")
    first = card(desk, "2")
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert card(desk, "2") == first
    assert "The first model: nothing to compare it with." in first


def test_a_version_that_answers_nothing_without_a_person_says_so_and_names_no_confidence(desk):
    version = register(desk, 3, threshold=1.01)
    write_card(desk, version)
    told = card(desk, version)
    assert "- No answer is given without a person: no confidence kept 95% of such answers right.\n" in told
    assert "1.010" not in told


def test_a_version_nobody_has_a_record_of_has_no_card(desk):
    desk.store.delete("challengers/made-3.json")
    write_card(desk, "3")
    assert not desk.store.exists("releases/models/3/README.md")


def test_a_model_that_writes_tells_what_it_was_taught_and_has_no_labels(writer):
    told = card(writer, "1")
    assert "that writes answers to requests. Made for launch, on 2026-02-02." in told
    assert "cases, 0 of them with an answer that took another" in told
    assert "reads 32 tokens, and nothing after them; of a longer conversation the\n  newest turns" in told
    assert "no label" not in told
    assert "{" not in told
    assert "\n\n\n" not in told
