"""Do cases that people look over come back whole from Label Studio?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from tests.returned_batch import (
    LABELS,
    NOON,
    annotation,
    csv_table,
    exported,
    judged,
    question,
)
from upkeep.cases.returned import kept_rows
from upkeep.cases.review_batch import (
    Choice,
    Format,
    ReviewDecision,
    label_studio_config,
    read_back,
    write_label_studio,
)
from upkeep.errors import SheetError
from upkeep.redaction import Redaction


def test_a_label_studio_import_has_the_answer_filled_in():
    tasks = json.loads(write_label_studio([question(1), question(2, answer="gift cards")], labels=LABELS))
    assert tasks[0]["data"] == {
        "case_id": "p-001",
        "when": "2026-03-01 12:00",
        "request": "Wo ist Paket Nummer 1, über das ich schrieb?",
        "offered": "order_status",
        "why": "wrong in production; right answer from escalation",
        "given": "refund_status",
    }
    regions = [one["predictions"][0]["result"][0] for one in tasks]
    assert [(one["from_name"], one["type"], one["value"]) for one in regions] == [
        ("answer", "choices", {"choices": ["order_status"]}),
        ("new_answer", "textarea", {"text": ["gift cards"]}),
    ]
    free = json.loads(write_label_studio([question(1)], labels=()))[0]["predictions"][0]["result"][0]
    assert (free["from_name"], free["value"]) == ("answer", {"text": ["order_status"]})


def test_the_labelling_interface_names_what_the_import_and_the_export_have():
    view = ElementTree.fromstring(label_studio_config([*LABELS, '<"&>']))
    shown = {one.get("value") for one in view.iter("Text")}
    data = json.loads(write_label_studio([question(1)], labels=LABELS))[0]["data"]
    assert shown == {f"${name}" for name in data} - {"$case_id"}
    offered = {one.get("name"): [choice.get("value") for choice in one] for one in view.iter("Choices")}
    assert offered == {"decision": ["accept", "change", "reject"], "answer": [*LABELS, '<"&>']}
    assert [one.get("name") for one in view.iter("TextArea")] == ["new_answer", "comment"]
    assert {one.get("toName") for tag in ("Choices", "TextArea") for one in view.iter(tag)} == {"request"}
    free = ElementTree.fromstring(label_studio_config(()))
    assert [one.get("name") for one in free.iter("TextArea")] == ["answer", "comment"]


def test_an_import_that_is_returned_as_it_is_says_nothing():
    asked = [question(1), question(2)]
    back = judged(write_label_studio(asked, labels=LABELS), asked)
    assert (back.decided, back.blank, back.rejected) == ((), 2, ())


def test_annotations_count_with_their_author_and_their_time():
    asked = [question(number) for number in range(1, 5)]
    ada = {"id": 3, "email": "ada@example.com", "first_name": "Ada"}
    said = {
        "p-001": [(ada, "accept", "order_status")],
        "p-002": [(7, "change", "gift cards")],
        "p-003": [(None, "reject", "")],
    }
    found = read_back(exported(asked, said))
    back = judged(found, asked)
    assert found.format is Format.LABEL_STUDIO
    nine = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
    assert back.decided == (
        ReviewDecision("p-001", Choice.ACCEPT, "order_status", "ada@example.com", nine, ""),
        ReviewDecision("p-002", Choice.CHANGE, "gift cards", "user 7", nine, ""),
        ReviewDecision("p-003", Choice.REJECT, None, "ada", nine, ""),
    )
    assert (back.blank, back.rejected) == (1, ())


def test_people_who_agree_on_a_task_count_once_and_people_who_do_not_are_both_named():
    asked = [question(1), question(2)]
    said = {
        "p-001": [(1, "accept", ""), (2, "accept", "order_status")],
        "p-002": [(1, "accept", ""), (2, "change", "oos")],
    }
    back = judged(exported(asked, said), asked)
    assert [(one.id, one.by) for one in back.decided] == [("p-001", "user 1")]
    both = "accept by user 1 in row 2; change 'oos' by user 2 in row 2"
    assert [(one.row, one.reason) for one in back.rejected] == [
        (2, f"decision: found {both}, expected one decision for one id")
    ]


def test_cancelled_annotations_do_not_count():
    asked = [question(1), question(2)]
    tasks = json.loads(exported(asked, {"p-001": [(1, "reject", ""), (2, "accept", "")], "p-002": [(1, "reject", "")]}))
    for task in tasks:
        task["annotations"][0]["was_cancelled"] = True
    back = judged(json.dumps(tasks).encode(), asked)
    assert ([one.by for one in back.decided], back.blank, back.rejected) == (["user 2"], 1, ())


def test_a_label_chosen_beside_the_new_one_that_was_filled_in_is_what_counts():
    asked = [question(1, answer="gift cards")]
    tasks = json.loads(exported(asked, {"p-001": [(1, "change", "gift cards")]}))
    tasks[0]["annotations"][0]["result"] += annotation(1, "", "oos")["result"]
    assert [one.answer for one in judged(json.dumps(tasks).encode(), asked).decided] == ["oos"]


@pytest.mark.parametrize("task", [None, 5, {"data": None}, {"data": 5}, {"data": "case_id"}, {"data": ["case_id"]}])
def test_a_list_of_something_else_is_refused(task):
    with pytest.raises(SheetError, match="no list of tasks with 'case_id' in their data"):
        read_back(json.dumps([task]).encode())


def test_a_comment_that_is_nested_without_end_is_refused():
    asked = [question(1)]
    tasks = json.loads(exported(asked, {"p-001": [(1, "accept", "")]}))
    nested: object = "so deep"
    for _ in range(490):
        nested = [nested]
    tasks[0]["annotations"][0]["result"].append({"from_name": "comment", "value": nested})
    with pytest.raises(SheetError, match="task 1: lists in lists"):
        read_back(json.dumps(tasks).encode())


def test_a_task_that_cannot_be_read_comes_back_with_the_reason_and_the_others_count():
    asked = [question(number) for number in range(1, 5)]
    said = {one.id: [(3, "accept", "")] for one in asked}
    tasks = json.loads(exported(asked, said))
    tasks[1]["annotations"][0]["created_at"] = "yesterday"
    tasks[2] = 7
    tasks.append(tasks[3] | {"annotations": "accept"})  # the fourth again, so that nobody knows which was meant
    back = judged(json.dumps(tasks).encode(), asked)
    assert ([one.id for one in back.decided], back.blank) == (["p-001"], 0)
    assert [(one.row, one.reason.partition(":")[0]) for one in back.rejected] == [
        (2, "annotations.0.created_at"), (3, "it"), (4, "decision"), (5, "annotations")
    ]  # fmt: skip
    assert back.rejected[0].reason.endswith("input is too short, expected a Label Studio 1.x export")
    assert "accept by user 3 in row 4; one that cannot be used in row 5" in back.rejected[2].reason


def test_of_a_task_that_cannot_be_read_what_stands_there_is_kept():
    asked = [question(1), question(2)]
    tasks = json.loads(exported(asked, {"p-001": [(3, "accept", "")], "p-002": [("ada@example.org", "reject", "")]}))
    tasks[1]["annotations"][0]["created_at"] = "yesterday"
    rows = read_back(json.dumps(tasks).encode()).rows
    kept = list(csv_table(kept_rows(rows, labels=LABELS, redaction=Redaction())))[2]
    assert kept[:4] == ["p-002", asked[1].text, "order_status", ""]
    assert '"choices": ["reject"]' in kept[5]
    assert "[e-mail]" in kept[5]


def test_half_a_character_that_no_file_can_hold_becomes_a_space():
    asked = [question(1)]
    tasks = json.loads(exported(asked, {"p-001": [("ada\ud83d", "change", "gift cards")]}))
    tasks[0]["annotations"][0]["result"].append({"from_name": "comment", "value": {"text": ["so\ud83d!"]}})
    (decided,) = judged(json.dumps(tasks).encode(), asked).decided
    assert (decided.by, decided.comment) == ("ada ", "so !")


def test_the_flat_export_is_understood_as_well():
    asked = [question(1), question(2), question(3)]
    data = [json.loads(write_label_studio([one], labels=LABELS))[0]["data"] for one in asked]
    said = [
        data[0] | {"id": 11, "decision": "accept", "answer": "order_status", "annotator": 4, "comment": ["a", "b"]},
        data[1] | {"id": 12, "decision": "accept", "annotator": "ada@example.com", "updated_at": "2026-03-01T09:00:00"},
        data[1] | {"id": 12, "decision": {"choices": ["reject"]}, "annotator": 5},
        data[2] | {"id": 13},
    ]
    back = judged(json.dumps(said).encode("utf-8-sig"), asked)
    assert back.decided == (ReviewDecision("p-001", Choice.ACCEPT, "order_status", "user 4", NOON, "a\nb"),)
    assert (back.blank, [one.row for one in back.rejected]) == (1, [2])
    assert "accept by ada@example.com in row 2; reject by user 5 in row 2" in back.rejected[0].reason
