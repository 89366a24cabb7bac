"""What do several opinions about one answer come to?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.truth import Truth, truth_of

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)


def said(*opinions: str | bool) -> list[Outcome]:
    """One outcome an hour: a text is a right answer, True and False say right and wrong."""
    found = []
    for hour, opinion in enumerate(opinions):
        answer, correct = (opinion, None) if isinstance(opinion, str) else (None, opinion)
        found.append(Outcome("1", MONDAY + timedelta(hours=hour), OutcomeSource.AUDIT, answer, correct))
    return found


def settled(*opinions: str | bool, output: str | None = "billing", automatic: bool = True) -> Truth:
    answer = Prediction("1", MONDAY, "text", output, 0.9, "v3", automatic=automatic)
    return truth_of(answer, said(*opinions), out_of_scope="oos")


@pytest.mark.parametrize(
    ("opinions", "truth"),
    [
        (("billing",), Truth(True, "billing")),
        (("delivery",), Truth(False, "delivery")),
        ((True,), Truth(True, "billing")),
        ((False,), Truth(False, None)),
        (("delivery", "billing"), Truth(True, "billing")),  # the newest counts
        (("billing", "delivery"), Truth(False, "delivery")),
        (("billing", False), Truth(False, None)),  # taken back, and nobody said what is right instead
        (("delivery", False), Truth(False, "delivery")),  # agrees with what was said before
        (("delivery", "billing", False), Truth(False, "delivery")),
        (("delivery", True), Truth(True, "billing")),
        ((False, True), Truth(True, "billing")),
    ],
)
def test_the_newest_opinion_counts(opinions, truth):
    assert settled(*opinions) == truth


def test_a_request_no_label_fits_was_treated_right_when_a_person_got_it():
    assert settled("oos", automatic=True) == Truth(False, "oos")
    assert settled("oos", automatic=False) == Truth(True, "oos")


def test_of_an_answer_that_was_not_given_right_or_wrong_is_all_that_is_known():
    assert settled(True, output=None, automatic=False) == Truth(True, None)
    assert settled("billing", output=None, automatic=False) == Truth(False, "billing")
