"""On which items is a challenger that learned a new category compared?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.released import DECIDED, LABELS, agree, released_desk, released_template  # noqa: F401 -- fixtures
from tests.stages.test_changed import case, held_out
from upkeep.cases.case import Item
from upkeep.evaluation.verdict import EACH_ONCE
from upkeep.stages.evaluation import Service, frozen_items, variant_sets

SOON = DECIDED + timedelta(days=29)
PERIOD = "2026-04"
NEW = "rental"
ORDER, REFUND, _ = LABELS


def test_what_is_of_the_new_category_or_of_another_unknown_label_lifts_no_set_of_the_old_ones(desk):
    golden = [Item("g1", "Where is my tent?", ORDER), Item("g2", "Can I rent a tent for June?", NEW)]
    agree(desk, golden)
    held_out(
        desk,
        case("old", "Where have you left my stove?", ORDER, known=DECIDED),
        case("outside", "What do you think of my poem?", "oos", known=DECIDED),
        case("other", "Do you lease bicycles to companies?", "leasing", known=DECIDED),
        replace(case("new", "Can I rent a kayak for a week?", NEW, known=DECIDED), was_error=True),
        replace(case("wrong", "My money has not come back", REFUND, known=DECIDED), was_error=True),
    )
    found = variant_sets(desk, SOON, frozen_items(desk, PERIOD), Service(), label=NEW, known={*LABELS, "oos"})
    assert {name: {item.id for item in items} for name, items in found.items()} == {
        "golden": {"g1"},
        "recent": {"old", "outside", "wrong"},
        "errors": {"wrong"},
        "new": {"g2", "new"},
    }
    ids = [item.id for name in EACH_ONCE for item in found[name]]
    assert len(ids) == len(set(ids))


def test_of_a_conversation_one_item_of_the_new_category_counts(desk):
    texts = ("Can I rent a kayak for a week?", "And two of them?", "Is a stove for rent?")
    turns = [case(f"turn-{n}", text, NEW, known=DECIDED) for n, text in enumerate(texts)]
    held_out(desk, *(replace(one, group="c-7") for one in turns[:2]), turns[2])
    found = variant_sets(desk, SOON, frozen_items(desk, PERIOD), Service(), label=NEW, known={*LABELS, "oos"})
    assert [item.id for item in found["new"]] == ["turn-0", "turn-2"]
