"""Which cases does a new category begin with, and which one may be next?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tests import texts
from upkeep.cases.case import Case, Source
from upkeep.cases.doubts import Doubt
from upkeep.cases.split import Side, sides
from upkeep.cases.variant import (
    MOST,
    Folded,
    Past,
    candidates,
    check_label,
    check_seeds,
    likeliest,
    may_belong,
    proposed_cases,
    seed_cases,
)
from upkeep.errors import VariantError
from upkeep.log.entries import Prediction
from upkeep.log.truth import Truth
from upkeep.monitoring.themes import Theme
from upkeep.monitoring.trouble import Change, Kind
from upkeep.recipes import load_recipe
from upkeep.redaction import PersonalData, Redaction

MAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
RECIPE = load_recipe(Path(__file__).parents[2] / "configs", "lora-encoder")
LABELS = {"order_status", "refund"}
NO_DIGITS = str.maketrans("0123456789", "ghijklmnop")


def text(number: int) -> str:
    """A text that is nearly no other number's and has nothing to redact."""
    return texts.text(number).translate(NO_DIGITS)


def case(number: int, answer: str) -> Case:
    return texts.case(number, answer, at=MAY, text_of=text(number))


def seeds(texts, known=(), label="gift_card") -> Folded:
    return seed_cases(label, texts, known=known, redaction=Redaction(), by="ada", at=MAY)


def asked(number: int, *, automatic=False, confidence=0.9, right: str | None = None) -> Past:
    prediction = Prediction(str(number), MAY, text(number), "order_status", confidence, "3", automatic)
    return Past(prediction, Truth(False, right) if right else None)


def test_examples_are_cases_from_now_on_with_who_gave_them_and_without_personal_data():
    found = seeds([" Is my gift card still valid? Write to ada@example.com ", "", "Can I buy a voucher for my sister?"])
    first, second = found.cases
    assert (found.redacted, found.changed) == ({PersonalData.E_MAIL: 1}, 1)
    assert first.text == "Is my gift card still valid? Write to [e-mail]"
    assert {one.answer for one in found.cases} == {"gift_card"}
    assert (second.source, second.reviewer, second.valid_from, second.known_from) == (Source.SEED, "ada", MAY, MAY)
    assert first.id != second.id


def test_an_example_that_says_nearly_the_same_as_another_is_told_once():
    found = seeds(["Where do I enter my gift card code?", "where do i enter my gift card code", text(1)])
    assert (len(found.cases), found.folded) == (2, 1)


def test_an_example_that_was_a_case_of_another_label_is_on_the_side_of_that():
    old = Case("p-7", "Where do I enter my gift card code?", "oos", Source.ESCALATION, valid_from=MAY)
    again = Case("p-8", text(8), "gift_card", Source.AUDIT, valid_from=MAY)
    found = seeds(["where do I enter my gift card code", text(8)], known=[old, again])
    assert [one.like for one in found.cases] == ["p-7"]
    assert found.folded == 1


@pytest.mark.parametrize("label", ["order_status", "Order status", "oos", "", " gift"])
def test_a_label_that_is_none_or_not_new_is_refused(label):
    with pytest.raises(VariantError, match=r"acme: the new label is '.*', expected"):
        check_label(label, [*LABELS, "oos"], where="acme")
    check_label("order_state", [*LABELS, "oos"], where="acme")


def test_too_few_examples_are_refused_with_how_many_are_missing():
    recipe = RECIPE.model_copy(update={"minimum_examples": 10})
    few = seeds([text(n) for n in range(10)])
    train = sum(side is Side.TRAIN for side in sides(few.cases, {}, recipe).values())
    assert 0 < train < 10
    wanted = f"has 10 examples that differ, of which {train} may be trained on .* {10 - train} (is|are) missing"
    with pytest.raises(VariantError, match=wanted):
        check_seeds("gift_card", few, [], recipe, where="acme")
    check_seeds("gift_card", few, [case(n, "gift_card") for n in range(20, 40)], recipe, where="acme")


def test_what_may_belong_was_handed_over_or_unsure_or_fits_no_label():
    def looked_at(past: Past) -> bool:
        return may_belong(past, labels=LABELS, label="gift_card")

    assert looked_at(asked(1))
    assert looked_at(asked(2, automatic=True, confidence=0.4))
    assert looked_at(asked(3, automatic=True, right="oos"))
    assert looked_at(asked(4, automatic=True, right="voucher"))
    assert not looked_at(asked(5, automatic=True))
    assert not looked_at(asked(6, automatic=True, right="refund"))
    assert not looked_at(asked(7, right="gift_card"))  # is a case of it already


def unit(*rows):
    found = np.array(rows, dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_likeliest_are_nearer_to_the_examples_than_to_any_label_and_as_near_as_examples_are():
    examples = unit([1, 0, 0.1], [1, 0, -0.1], [1, 0.1, 0])
    taught = {"refund": unit([0, 1, 0]), "order_status": unit([1, 0, 1], [1, 0, 1.2])}
    past = unit([1, 0.3, 0], [1, 0, 0], [0, 1, 0.1], [1, 0, 1.1], [1, -2, 0])
    # the third is a refund, the fourth an order's status, the fifth is like nothing
    assert likeliest(past, seeds=examples, taught=taught) == [1, 0]
    assert likeliest(past, seeds=examples[:0], taught=taught) == []
    assert likeliest(past[:0], seeds=examples, taught=taught) == []
    many = unit(*[[1, 0, 0]] * (MOST + 5))
    assert len(likeliest(many, seeds=examples, taught={})) == MOST


def test_a_proposal_counts_for_nothing_before_it_is_read_and_has_an_id_of_its_own():
    collected = Case("p-1", text(1), "oos", Source.ESCALATION, valid_from=MAY)
    found = proposed_cases(
        "gift_card",
        [asked(1, right="oos, says ada@example.com"), asked(1), asked(2)],
        known=[collected],
        redaction=Redaction(),
        at=MAY,
    )
    first, second = found.cases
    assert found.folded == 1
    assert (first.answer, first.doubts, first.source) == ("gift_card", (Doubt.PROPOSED,), Source.BACK_SCORING)
    assert (first.prediction_id, first.model_version, first.given, first.like) == ("1", "3", "order_status", "p-1")
    assert first.conflict == "people said 'oos, says [e-mail]' of it before"
    assert (second.like, second.conflict) == (None, None)
    assert len({first.id, second.id, "p-1", "p-2"}) == 4


def theme(words: str, counts, *, wrong=0, right: str | None = None) -> Theme:
    weeks = {f"2026-W{10 + at}": n for at, n in enumerate(counts)}
    return Theme((words,), sum(counts), wrong, weeks, "refund", right, (f"about {words}",))


def test_candidates_are_labels_that_people_use_and_growing_themes_that_no_label_fits():
    growing, steady = [1, 1, 1, 1, 2, 4, 5, 6], [3] * 8
    themes = [
        theme("gift", growing, wrong=2),  # 19 of 21 handed over
        theme("parcel", growing, wrong=20),  # answered wrong, and nobody has said what is right
        theme("late", growing, wrong=2, right="refund"),
        theme("rent", growing, wrong=15, right="oos"),
        theme("old", steady),
        theme("repair", growing, wrong=15, right="repair_partner"),
    ]
    new = Change(Kind.NEW_CATEGORY, "25 requests were 'repair_partner'", "Agree on it.", 25, new="repair_partner")
    booked = Change(Kind.NEW_CATEGORY, "9 requests were 'leasing'", "Agree on it.", 9, new="leasing")
    cases = [case(1, "repair_partner"), case(2, "refund")]
    found = named(booked, new, themes=themes, labels={*LABELS, "leasing"}, cases=cases)
    assert [(one.label, one.requests, one.examples) for one in found] == [
        ("repair_partner", 25, (text(1),)),
        (None, 21, ("about gift",)),
        (None, 21, ("about rent",)),
    ]
    assert found[0].command("acme") == "upkeep variant acme --label repair_partner --seeds FILE.txt"
    assert found[1].command("acme") == "upkeep variant acme --label LABEL --seeds FILE.txt"
    spaced = Change(Kind.NEW_CATEGORY, "8 requests were 'rent a tent'", "Agree on it.", 8, new="rent a tent")
    assert named(spaced)[0].command("acme") == "upkeep variant acme --label 'rent a tent' --seeds FILE.txt"
    assert found[2].why == "growing: rent, 1 1 1 1 2 4 5 6 by week, people mostly say 'oos'"


def test_a_known_label_spelled_otherwise_is_no_candidate_for_it_would_be_refused():
    said = [Change(Kind.NEW_CATEGORY, "said", "Agree on it.", 9, new=new) for new in ("Order status", "OOS")]
    assert named(*said, themes=[theme("late", [1, 1, 1, 1, 2, 4, 5, 6], right="Order-Status")]) == []


def test_a_label_that_people_use_is_a_candidate_whatever_the_newest_review_found():
    used = {"repair_partner": 22, "Order status": 9, "leasing": 7}
    late = theme("lease", [1, 1, 1, 1, 2, 4, 5, 6], right="leasing")
    new = Change(Kind.NEW_CATEGORY, "9 requests were 'leasing'", "Agree on it.", 9, new="leasing")
    found = named(new, themes=[late], used=used, cases=[case(1, "repair_partner")])
    assert [(one.label, one.requests, one.examples) for one in found] == [
        ("repair_partner", 22, (text(1),)),
        ("leasing", 9, ()),
    ]
    wanted = "22 labelled requests of the last 12 reviewed weeks were 'repair_partner', which the model does not know"
    assert [one.why for one in found] == [wanted, "9 requests were 'leasing'"]


def named(*changes: Change, themes=(), used: Mapping[str, int] = {}, labels: Collection[str] = LABELS, cases=()):
    return candidates(
        themes,
        changes,
        used=used,
        weeks=12,
        labels=labels,
        out_of_scope="oos",
        cases=cases,
        redaction=Redaction(),
    )
