"""What is kept of what people returned?"""

from __future__ import annotations

import pytest

from tests.returned_batch import LABELS, NOON, csv_table
from tests.test_redaction import shouting
from upkeep.cases.returned import kept_decisions, kept_rows
from upkeep.cases.review_batch import COLUMNS, Choice, ReviewDecision, Row
from upkeep.redaction import Redaction

BY = "ada.byron@acme.example"
PRIVATE = "Jane asked from jane@example.com"


def decision(answer: str | None, comment: str = "", choice: Choice = Choice.CHANGE) -> ReviewDecision:
    return ReviewDecision("p-1", choice, answer, BY, NOON, comment)


def test_comments_and_written_answers_are_kept_without_personal_data_and_who_decided_as_it_is():
    said = [decision("refund_status", PRIVATE), decision(PRIVATE), decision("007"), decision(None, "", Choice.REJECT)]
    kept = kept_decisions(said, labels=LABELS, redaction=Redaction())
    hidden = "Jane asked from [e-mail]"
    assert [(one.answer, one.comment) for one in kept.decided] == [
        ("refund_status", hidden),
        (hidden, ""),
        ("007", ""),
        (None, ""),
    ]
    assert kept.redacted == 2
    assert {one.by for one in kept.decided} == {BY}


def test_an_answer_that_was_accepted_stays_that_of_the_case():
    accepted = decision(PRIVATE, choice=Choice.ACCEPT)
    assert kept_decisions([accepted], labels=(), redaction=Redaction()).decided == (accepted,)


@pytest.mark.parametrize(("labels", "answer"), [(LABELS, "FAQ-10023"), ((), "FAQ-[number]")])
def test_a_number_in_one_word_is_a_part_of_a_label_and_none_of_a_written_answer(labels, answer):
    kept = kept_decisions([decision("FAQ-10023")], labels=labels, redaction=Redaction())
    assert kept.decided[0].answer == answer


def test_the_rows_of_a_file_are_kept_without_personal_data_whatever_column_it_is_in():
    row = Row(2, "p-10023", PRIVATE, PRIVATE, PRIVATE, "007", PRIVATE, BY)
    blank = Row(3, "p-2", "+49 30 901820", None, "", "", "4711 4711", "")
    head, one, other = csv_table(kept_rows([row, blank], labels=LABELS, redaction=Redaction()))
    assert tuple(head) == COLUMNS
    hidden = "Jane asked from [e-mail]"
    assert one == ["p-10023", hidden, hidden, hidden, "'007", hidden, BY]  # a spreadsheet would read a number
    assert other == ["p-2", "[phone]", "", "", "", "[number]", ""]


def test_a_clients_own_redactor_decides():
    own = Redaction(by=f"{shouting.__module__}:{shouting.__name__}")
    kept = kept_decisions([decision("refund_status", "Ada: mine")], labels=LABELS, redaction=own)
    assert (kept.decided[0].answer, kept.decided[0].comment) == ("refund_status", shouting("Ada: mine"))
