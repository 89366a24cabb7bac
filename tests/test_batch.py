"""Do cases that people look over come back whole from whatever opened them, and does only what was meant count?"""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from xml.etree import ElementTree
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from upkeep.batch import (
    Choice,
    Decided,
    Filled,
    Format,
    Question,
    label_studio_config,
    read_back,
    write_csv,
    write_label_studio,
    write_xlsx,
)
from upkeep.deciding import understand
from upkeep.errors import SheetError
from upkeep.sheet import Column, read_csv_rows, write_csv_file

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LABELS = ("order_status", "refund_status", "Rückgabe", "007", "oos")
HEAD = [
    "id", "when", "request", "answer said to be right", "asked because", "model answered",
    "decision", "answer", "comment", "reviewer",
]  # fmt: skip
ID, REQUEST, OFFERED, DECISION, ANSWER, COMMENT, REVIEWER = (
    HEAD.index(name) for name in [HEAD[0], *HEAD[2:4], *HEAD[6:]]
)


def question(number: int, text: str = "", answer: str = "order_status", *, id: str = "") -> Question:
    text = text or f"Wo ist Paket Nummer {number}, über das ich schrieb?"
    at = NOON - timedelta(days=number)
    return Question(id or f"p-00{number}", text, answer, ("wrong in production",), "refund_status", "escalation", at)


def csv_table(data: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(data.decode("utf-8-sig"), newline="")))


def csv_bytes(table: list[list[str]], *, delimiter: str = ",", encoding: str = "utf-8-sig") -> bytes:
    made = StringIO(newline="")
    csv.writer(made, delimiter=delimiter).writerows(table)
    return made.getvalue().encode(encoding, errors="replace")


def xlsx_table(data: bytes) -> list[list[str]]:
    return [[value or "" for value in row] for row in load_workbook(BytesIO(data)).worksheets[0].values]


def xlsx_bytes(table: list[list[str]]) -> bytes:
    book = Workbook()
    for row, cells in enumerate(table, start=1):
        for at, value in enumerate(cells, start=1):
            book.active.cell(row, at, value).data_type = "s"
    saved = BytesIO()
    book.save(saved)
    return saved.getvalue()


def filled(questions: list[Question], *answers: tuple[str, str]) -> list[list[str]]:
    """The CSV's table with a decision and an answer for each case."""
    table = csv_table(write_csv(questions))
    for row, (decision, answer) in zip(table[1:], answers, strict=True):
        row[DECISION], row[ANSWER] = decision, answer
    return table


def judged(found: Filled | bytes | list[list[str]], asked: list[Question], *, labels: tuple[str, ...] = LABELS):
    if isinstance(found, list):
        found = csv_bytes(found)
    found = read_back(found) if isinstance(found, bytes) else found
    return understand(found, asked=asked, labels=labels, by="ada", at=NOON)


def reason(decision: str, answer: str = "", *, offered: str = "order_status", labels: tuple[str, ...] = LABELS) -> str:
    """Why a row that says this is rejected."""
    asked = [question(1, answer=offered)]
    back = judged(filled(asked, (decision, answer)), asked, labels=labels)
    assert (back.decided, back.blank, [one.row for one in back.rejected]) == ((), 0, [2])
    return back.rejected[0].reason


def test_a_workbook_shows_each_case_as_text_and_offers_decisions_and_labels():
    asked = [question(7, "=HYPERLINK(1)", id='p-007,"=1+1'), question(8)]
    book = load_workbook(BytesIO(write_xlsx(asked, labels=LABELS)))
    sheet = book.worksheets[0]
    assert [cell.value for cell in sheet[1]] == HEAD
    assert [cell.value for cell in sheet[2]] == [
        'p-007,"=1+1', "2026-02-23 12:00", "=HYPERLINK(1)", "order_status",
        "wrong in production; right answer from escalation", "refund_status", None, None, None, None,
    ]  # fmt: skip
    assert {cell.data_type for cell in sheet[2] if cell.value} == {"s"}
    offered = {str(one.sqref): one.formula1 for one in sheet.data_validations.dataValidation}
    assert offered == {"G2:G3": "choices!$G$1:$G$3", "H2:H3": "choices!$H$1:$H$5"}
    assert not any(one.showErrorMessage for one in sheet.data_validations.dataValidation)  # a new label may be typed
    assert [row[0].value for row in book["choices"]["G1:G3"]] == ["accept", "change", "reject"]
    assert [row[0].value for row in book["choices"]["H1:H5"]] == list(LABELS)


def test_a_csv_file_has_the_mark_that_excel_needs_for_umlauts():
    data = write_csv([question(1, "Größe?")])
    assert data.startswith(b"\xef\xbb\xbf")
    assert csv_table(data)[1][REQUEST] == "Größe?"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@;,\t\r\n\"' 19é日"), max_size=12)


@settings(deadline=None)
@given(text=TEXTS)
@example(text="x;=1+1;")
@example(text='x\n"=1+1')
@example(text="\uff1d1+1")
def test_no_cell_of_a_csv_file_runs_wherever_a_spreadsheet_splits_it(text: str):
    line = write_csv([question(1, f"{text} ", text, id=f"p-{text}")]).decode("utf-8-sig").split("\r\n", 1)[1]
    for cell in re.split(r"[;\t\r\n]|(?<=\"),(?=\")", line):
        assert not re.match(r"[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell)


@settings(deadline=None)
@given(text=TEXTS)
@example(text="'=1")
@example(text="'5")
@example(text="-5")
@example(text="''- a\n'- b")
def test_what_is_put_before_a_cell_is_taken_off_again(text: str):
    data = write_csv_file([Column("request", 9)], [{"request": text}])
    rows = list(read_csv_rows(data.decode("utf-8-sig"), delimiter=",", strict=True))
    assert rows[1] == [re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", " ", text)]


@pytest.mark.parametrize("text", ["007", "1E5", "3/4", "12:30", "2026-02-01", "Mar 3", "TRUE", "5 %", "-1"])
def test_what_a_spreadsheet_would_rewrite_as_a_number_or_a_date_is_kept_from_it(text):
    assert csv_table(write_csv([question(1, text)]))[1][REQUEST].startswith("'")


@pytest.mark.parametrize(
    ("decision", "answer", "expected"),
    [
        ("accept", "", (Choice.ACCEPT, "order_status")),
        (" Accept ", "order_status", (Choice.ACCEPT, "order_status")),
        ("", "order_status", (Choice.ACCEPT, "order_status")),
        ("change", "refund_status", (Choice.CHANGE, "refund_status")),
        ("", " refund_status", (Choice.CHANGE, "refund_status")),
        ("change", "Ru\u0308ckgabe", (Choice.CHANGE, "Rückgabe")),
        ("CHANGE", "gift  cards", (Choice.CHANGE, "gift cards")),
        ("reject", "", (Choice.REJECT, None)),
        ("reject", "order_status", (Choice.REJECT, None)),
    ],
)
def test_a_decision_is_understood(decision, answer, expected):
    asked = [question(1)]
    back = judged(filled(asked, (decision, answer)), asked)
    assert [(one.decision, one.answer) for one in back.decided] == [expected]
    assert (back.blank, back.rejected) == (0, ())


@pytest.mark.parametrize(
    ("decision", "answer", "expected"),
    [
        ("yes", "", "decision: found 'yes', expected one of ['accept', 'change', 'reject']"),
        ("accept", "oos", "answer: found 'oos' beside 'accept', expected 'order_status' or nothing"),
        ("change", "", "answer: found nothing beside 'change', expected the right answer"),
        (
            "change",
            "order_status",
            "answer: found 'order_status' beside 'change', expected another one than was offered",
        ),
        ("change", "Refund status", "answer: found 'Refund status', did you mean ['refund_status']?"),
        ("change", "7", "answer: found '7', did you mean ['007']?"),
        ("", "gift cards", "answer: found 'gift cards', which is no label, expected 'change' beside a new one"),
        ("change", "??", "answer: found '??', expected words: characters were lost on the way"),
        ("change", "#NAME?", "answer: found '#NAME?', expected words: characters were lost on the way"),
    ],
)
def test_what_cannot_be_used_comes_back_with_what_was_found_and_what_was_expected(decision, answer, expected):
    assert reason(decision, answer) == expected


def test_a_near_miss_of_a_new_label_that_is_offered_elsewhere_is_asked_about_too():
    asked = [question(1), question(2, answer="gift cards")]
    back = judged(filled(asked, ("change", "gift card"), ("accept", "")), asked)
    assert back.rejected[0].reason == "answer: found 'gift card', did you mean ['gift cards']?"
    assert [one.answer for one in back.decided] == ["gift cards"]


def test_for_free_text_any_answer_counts_that_is_no_ruin():
    asked = [question(1, answer="It is on its way."), question(2, answer="Посылка в пути")]
    back = judged(filled(asked, ("change", "On Monday.\r\nSorry!"), ("change", "Завтра")), asked, labels=())
    assert [one.answer for one in back.decided] == ["On Monday.\nSorry!", "Завтра"]
    assert "beside 'change', expected another" in reason("change", "It is  here.", offered="It is here.", labels=())
    assert "characters were lost" in reason("change", "?????? ? 5", labels=())


def test_rows_that_nobody_looked_over_are_counted_and_empty_ones_are_not():
    asked = [question(1), question(2), question(3)]
    table = filled(asked, ("accept", ""), ("", ""), ("", ""))
    table[2][REVIEWER] = "grace"
    table[3:3] = [[], ["", " ", ""]]
    back = judged(table, asked)
    assert (len(back.decided), back.blank, back.rejected) == (1, 2, ())


def test_a_comment_without_a_decision_is_not_passed_over():
    asked = [question(1)]
    table = filled(asked, ("", ""))
    table[1][COMMENT] = "this one is wrong!"
    assert "decision: found '', expected one of" in judged(table, asked).rejected[0].reason


def test_the_reviewer_of_a_row_is_named_there_or_by_whoever_returns_the_file():
    asked = [question(1), question(2)]
    table = filled(asked, ("accept", ""), ("accept", ""))
    table[1][REVIEWER], table[1][COMMENT] = "grace", "sure"
    assert judged(table, asked).decided == (
        Decided("p-001", Choice.ACCEPT, "order_status", "grace", NOON, "sure"),
        Decided("p-002", Choice.ACCEPT, "order_status", "ada", NOON, ""),
    )


@pytest.mark.parametrize("write", [csv_bytes, xlsx_bytes])
def test_where_the_requests_were_sorted_on_their_own_each_row_that_no_longer_fits_says_so(write):
    asked = [question(1, "b"), question(2, "a"), question(3, "c, for Ada in row 471112")]
    table = filled(asked, *[("accept", "")] * 3)
    table[1][REQUEST], table[2][REQUEST] = "a", "b"
    table[3][REQUEST] = "c"
    back = judged(write(table), asked)
    assert back.decided == ()
    assert [one.reason for one in back.rejected] == [
        "request: found that of 'p-002' (was a column sorted on its own?), expected that of 'p-001', 'b'",
        "request: found that of 'p-001' (was a column sorted on its own?), expected that of 'p-002', 'a'",
        "request: found 'c', expected that of 'p-003', 'c, for Ada in row [number]'",
    ]


def test_where_another_answer_stands_in_place_of_the_one_offered_a_row_is_rejected():
    asked = [question(1), question(2, answer="oos")]
    table = filled(asked, ("accept", ""), ("accept", ""))
    table[1][OFFERED], table[2][OFFERED] = "oos", ""
    assert [one.reason for one in judged(table, asked).rejected] == [
        "answer said to be right: found 'oos', expected 'order_status' as it was sent; "
        "another answer goes into column 'answer'",
        "answer said to be right: found '', expected 'oos' as it was sent; another answer goes into column 'answer'",
    ]


def test_of_rows_that_agree_one_counts_and_of_rows_that_do_not_none():
    asked = [question(1), question(2), question(3)]
    table = filled(asked, ("accept", ""), ("accept", ""), ("change", "oos"))
    other, vague = list(table[2]), list(table[3])
    other[DECISION], other[REVIEWER], vague[DECISION], vague[ANSWER] = "reject", "grace", "chnge", ""
    back = judged([*table, table[1], other, vague], asked)
    assert [one.id for one in back.decided] == ["p-001"]
    one = "expected one decision for one id"
    conflict = f"decision: found accept by ada in row 3; reject by grace in row 6, {one}"
    half = f"decision: found change 'oos' by ada in row 4; one that cannot be used in row 7, {one}"
    assert [(one.row, one.reason) for one in back.rejected] == [
        (3, conflict),
        (4, half),
        (5, "id: found 'p-001' again, decided alike in row 2; that one counts"),
        (6, conflict),
        (7, "decision: found 'chnge', expected one of ['accept', 'change', 'reject']"),
    ]


def test_an_id_that_was_not_asked_about_is_rejected():
    asked = [question(1)]
    table = filled(asked, ("accept", ""))
    table[1][ID] = "p-01"
    assert judged(table, asked).rejected[0].reason == "id: found 'p-01', expected one of the 1 that were asked about"


@pytest.mark.parametrize("said", ["A1", "A1:XFD1048576"])
def test_a_workbook_may_be_wrong_about_its_own_size(said):
    asked = [question(1), question(2)]
    saved = BytesIO()
    with (
        ZipFile(BytesIO(xlsx_bytes(filled(asked, ("accept", ""), ("reject", ""))))) as whole,
        ZipFile(saved, "w", ZIP_DEFLATED) as wrong,
    ):
        for name in whole.namelist():
            wrong.writestr(name, re.sub(b'(?<=dimension ref=")[A-Z0-9:]+', said.encode(), whole.read(name)))
    assert [one.decision for one in judged(saved.getvalue(), asked).decided] == ["accept", "reject"]


def test_an_id_is_known_again_where_only_its_spaces_changed():
    asked = [question(1, id="p-a??  b"), question(2, id="p-c??")]
    table = filled(asked, ("accept", ""), ("accept", ""))
    table[1][ID], table[2][ID] = "p-a?? b", "p-c?"
    back = judged(table, asked)
    assert ([one.id for one in back.decided], [one.row for one in back.rejected]) == (["p-a??  b"], [3])


def test_a_label_that_lost_characters_is_not_taken_for_a_new_one():
    said = reason("change", "?ó?ko", labels=("order_status", "łóżko"))
    assert said == "answer: found '?ó?ko', did you mean ['łóżko']?"


def test_a_german_excel_may_save_the_csv_file_as_it_does():
    asked = [question(1, "Größe „M“?\nDanke; bis dann", answer="Rückgabe"), question(2, "=SUMME(1)", id="p-=1")]
    table = filled(asked, ("accept", ""), ("Change", "Rückgabe"))
    table[0] = [name.title() + " " for name in table[0]]
    data = csv_bytes([["Bitte bis Freitag!"], *table], delimiter=";", encoding="cp1252")
    back = judged(data, asked)
    assert [one.answer for one in back.decided] == ["Rückgabe", "Rückgabe"]


def test_requests_that_differ_only_in_lost_characters_cannot_be_told_apart_and_others_can():
    asked = [question(1, "где посылка 1"), question(2, "ква посылка 1"), question(3, "где посылка 3", id="p-日")]
    data = csv_bytes(filled(asked, *[("accept", "")] * 3), encoding="cp1252")
    back = judged(data, asked)
    assert [one.id for one in back.decided] == ["p-日"]
    assert [one.row for one in back.rejected] == [2, 3]
    assert "characters were lost when the file was saved" in back.rejected[0].reason


def test_an_answer_with_characters_lost_does_not_count_as_a_new_one():
    asked = [question(1, "где?", answer="возврат"), question(2, "Where is it?")]
    labels = ("order_status", "возврат", "обмен")
    data = csv_bytes(filled(asked, ("change", "wo?rd"), ("change", "обмен")), encoding="cp1252")
    back = judged(data, asked, labels=labels)
    assert [one.reason.split(": ", 1)[1] for one in back.rejected] == [
        "found 'wo?rd', expected words: characters were lost on the way",
        "found '?????', expected words: characters were lost on the way",
    ]


def test_a_text_longer_than_a_cell_is_cut_and_known_again():
    asked = [question(1, "ü" * 200_000), question(2, "ü" * 15_999 + "zz")]
    for data in (xlsx_table(write_xlsx(asked, labels=LABELS)), csv_table(write_csv(asked))):
        assert len(data[1][REQUEST]) == 16_000
        for row in data[1:]:
            row[DECISION] = "accept"
        assert len(judged(xlsx_bytes(data), asked).decided) == 2
        assert len(judged(data, asked).decided) == 2
    assert len(judged(exported(asked, {"p-001": [("ada", "accept", "")]}), asked).decided) == 1


def exported(questions: list[Question], said: dict[str, list[tuple[object, str, str]]]) -> bytes:
    """A Label Studio export (JSON): what people said, as (who, decision, answer) by id."""
    tasks = json.loads(write_label_studio(questions, labels=LABELS))
    for number, task in enumerate(tasks, start=1):
        task |= {"id": 100 + number, "annotations": []}
        for who, decision, answer in said.get(task["data"]["case_id"], []):
            task["annotations"].append(annotation(who, decision, answer))
    return json.dumps(tasks).encode()


def annotation(who: object, decision: str, answer: str, comment: str = "") -> dict[str, object]:
    listed = answer in LABELS
    said = [
        ("decision", "choices", decision),
        ("answer" if listed else "new_answer", "choices" if listed else "text", answer),
    ]
    return {
        "completed_by": who,
        "was_cancelled": False,
        "created_at": "2026-03-01T08:00:00.123456Z",
        "updated_at": "2026-03-01T09:00:00.123456Z",
        "result": [
            {
                "from_name": name,
                "to_name": "request",
                "type": kind.replace("text", "textarea"),
                "value": {kind: [value]},
            }
            for name, kind, value in [*said, ("comment", "text", comment)]
            if value
        ],
    }


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
        Decided("p-001", Choice.ACCEPT, "order_status", "ada@example.com", nine, ""),
        Decided("p-002", Choice.CHANGE, "gift cards", "user 7", nine, ""),
        Decided("p-003", Choice.REJECT, None, "ada", nine, ""),
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
    assert back.decided == (Decided("p-001", Choice.ACCEPT, "order_status", "user 4", NOON, "a\nb"),)
    assert (back.blank, [one.row for one in back.rejected]) == (1, [2])
    assert "accept by ada@example.com in row 2; reject by user 5 in row 2" in back.rejected[0].reason


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"as a CSV file: found \[\] first, expected columns 'id', 'request', 'decision'"),
        (b"name,age\nAda,36\n", r"found \['name', 'age'\] first"),
        (b"%PDF-1.7 \xff\xfe\x00", r"expected columns 'id'"),
        (b"PK\x03\x04 no zip", r"not an Excel workbook \(.xlsx\)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"an old \(.xls\) or password-protected Office file, expected a workbook"),
        (b"[1, 2", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"id": "p-1"}', "no list of tasks with 'case_id'"),
        (b'[{"data": {"text": "hi"}}]', "no list of tasks with 'case_id'"),
        (b'[{"data": {"case_id": "p-1"}, "annotations": 3}]', r"task 1: annotations: Input should be a valid list"),
        (b'[{"case_id": "p-1"}, 7]', "task 2: it: "),
        (b'id,request,decision\np-1,"open,accept\n', r"line 2: unexpected end of data, expected every quoted cell"),
        (b'id,request,decision\np-1,"' + b"x" * 140_000 + b'",accept\n', r"line 2: field larger than field limit"),
        (b"id,request,decision,Decision\np-1,a,accept,reject\n", r"columns \['decision'\] are there twice"),
        (xlsx_bytes([["id", "right answer"], ["1", "oos"]]), r"tab 'Sheet': found \['id', 'right answer'\] first"),
    ],
)
def test_what_is_no_file_of_ours_says_what_was_found_and_what_was_wanted(data, said):
    with pytest.raises(SheetError, match=said):
        read_back(data)


@settings(deadline=None)
@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_whatever_is_in_a_file_it_is_read_or_refused(data: bytes):
    refused_or_read(data)


@settings(max_examples=150, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), instead=st.binary(max_size=3), kept=st.floats(0.5, 1))
def test_whatever_became_of_a_workbook_it_is_read_or_refused(at: float, instead: bytes, kept: float):
    whole = write_xlsx([question(1), question(2)], labels=LABELS)
    place = int(at * len(whole))
    refused_or_read((whole[:place] + instead + whole[place + len(instead) :])[: int(kept * len(whole)) + 1])
    refused_or_read(whole[:place] + instead + whole[place + len(instead) :])


def refused_or_read(data: bytes) -> None:
    try:
        judged(data, [question(1)])
    except SheetError as exc:
        assert str(exc)  # noqa: PT017 -- either way is right


# What people do to a file, and what it is then worth: known to the test because it did it.

SAID = {
    ("accept", ""): "accept",
    ("Accept ", "{offered}"): "accept",
    ("", "{offered}"): "accept",
    ("change", "{other}"): "{other}",
    ("", "{other}"): "{other}",
    ("change", "gift cards"): "gift cards",
    ("reject", ""): "reject",
    ("", ""): "blank",
    ("acept", ""): "bad",
    ("change", ""): "bad",
    ("change", "{offered}"): "bad",
    ("accept", "{other}"): "bad",
    ("change", "Refund-statu"): "bad",
    ("", "gift cards"): "bad",
}
"""What may be written under decision and answer, and what it comes to."""


@dataclass(frozen=True)
class Touched:
    """A row of a returned file: its cells, and what its decision comes to if it is still about one case."""

    cells: tuple[str, ...]
    worth: str


@st.composite
def batches(draw) -> list[Question]:
    """Cases with any ids and texts, each told apart by a letter, so that none is by chance another's."""
    answers = st.sampled_from([*LABELS[:3], "退款"])
    return [
        question(number, f"{draw(TEXTS)} {letter}", draw(answers), id=f"p-{letter}{draw(TEXTS)}")
        for number, letter in enumerate("abcdefg"[: draw(st.integers(1, 7))])
    ]


@st.composite
def returned(draw, asked: list[Question], table: list[list[str]]) -> list[Touched]:
    """The rows of a table after people had it: filled in, dropped, doubled, spoiled and put into another order."""
    rows = []
    for about, cells in zip(asked, table, strict=True):
        for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2]))):
            rows.append(spoiled(draw, fill_in(draw, cells, about)))
    rows = draw(st.permutations(rows))
    column = draw(st.sampled_from([None, None, ID, REQUEST, OFFERED]))
    if column is None:
        return rows
    values = sorted(row.cells[column] for row in rows)
    return [replace(row, cells=put(row.cells, column, value)) for row, value in zip(rows, values, strict=True)]


def fill_in(draw, cells: list[str], about: Question) -> Touched:
    names = {"offered": about.answer, "other": next(one for one in LABELS if one != about.answer)}
    said, worth = draw(st.sampled_from(list(SAID.items())))
    decision, answer = (one.format(**names) for one in said)
    return Touched(put(put(tuple(cells), DECISION, decision), ANSWER, answer), worth.format(**names))


def spoiled(draw, row: Touched) -> Touched:
    """The row, or one with an id that is a character off, or without its id or its request."""
    before, letter, after = re.fullmatch(r"(.*?p-)(.)(.*)", row.cells[ID], re.DOTALL).groups()
    ids = {"another": before + draw(st.sampled_from("abz")) + after, "longer": f"{before}¤{letter}{after}", "no id": ""}
    how = draw(st.sampled_from(["", "", "", "", *ids, "no request"]))
    if how in ids:
        return replace(row, cells=put(row.cells, ID, ids[how]))
    return replace(row, cells=put(row.cells, REQUEST, "")) if how else row


def put(cells: tuple[str, ...], at: int, value: str) -> tuple[str, ...]:
    return (*cells[:at], value, *cells[at + 1 :])


def expected(
    rows: list[Touched], asked: list[Question], table: list[list[str]]
) -> tuple[set[tuple[str, str]], int, int]:
    """The decisions that have to be found, how many rows are blank, and how many have to be rejected."""
    whose = {(cells[ID], cells[REQUEST], cells[OFFERED]): about.id for about, cells in zip(asked, table, strict=True)}
    worths = defaultdict(set)
    for row in rows:
        if row.worth != "blank":
            worths[whose.get((row.cells[ID], row.cells[REQUEST], row.cells[OFFERED]))].add(row.worth)
    good = {(id, *said) for id, said in worths.items() if id and len(said) == 1 and said != {"bad"}}
    blank = sum(row.worth == "blank" for row in rows)
    return good, blank, len(rows) - blank - len(good)


def found(data: bytes, asked: list[Question]) -> tuple[set[tuple[str, str]], int, int]:
    back = judged(data, asked)
    decided = {(one.id, one.answer if one.decision is Choice.CHANGE else str(one.decision)) for one in back.decided}
    assert all(one.answer == one_of(asked, one.id).answer for one in back.decided if one.decision == "accept")
    assert len(decided) == len(back.decided)
    return decided, back.blank, len(back.rejected)


@st.composite
def laid_out(draw, rows: list[Touched]) -> list[list[str]]:
    """A table as another program may leave it: columns moved and added, names respelled, empty rows in between."""
    order = draw(st.permutations(range(len(HEAD))))
    respell = draw(st.sampled_from([str, str.upper, str.title, lambda name: f" {name.replace(' ', '  ')} "]))
    table = [[*(respell(HEAD[at]) for at in order), "Größe", ""]]
    for row in rows:
        table += [[""] * 3] * draw(st.sampled_from([0, 0, 1]))
        table.append([*(row.cells[at] for at in order), "ö", ""])
    return table


ANY = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@ANY
@given(
    asked=batches(),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    data=st.data(),
)
def test_of_a_csv_file_no_good_row_is_lost_and_no_bad_one_counts(asked, delimiter, encoding, data):
    sent = csv_table(write_csv(asked))[1:]
    rows = data.draw(returned(asked, sent))
    back = csv_bytes(data.draw(laid_out(rows)), delimiter=delimiter, encoding=encoding)
    assert found(back, asked) == expected(rows, asked, sent)


@settings(ANY, max_examples=100)
@given(asked=batches(), data=st.data())
def test_of_a_workbook_no_good_row_is_lost_and_no_bad_one_counts(asked, data):
    sent = xlsx_table(write_xlsx(asked, labels=LABELS))[1:]
    rows = data.draw(returned(asked, sent))
    assert found(xlsx_bytes(data.draw(laid_out(rows))), asked) == expected(rows, asked, sent)


@settings(ANY, max_examples=100)
@given(asked=batches(), flat=st.booleans(), data=st.data())
def test_of_a_label_studio_export_no_good_row_is_lost_and_no_bad_one_counts(asked, flat, data):
    tasks = [one["data"] for one in json.loads(write_label_studio(asked, labels=LABELS))]
    names = dict(zip(tasks[0], range(6), strict=True))
    sent = [[*task.values(), "", "", "", ""] for task in tasks]
    rows = data.draw(returned(asked, sent))
    assume(rows)
    export: list[dict[str, object]] = []
    for number, row in enumerate(rows):
        task = {name: row.cells[at] for name, at in names.items()}
        said = annotation(7, row.cells[DECISION], row.cells[ANSWER])
        plain = {one["from_name"]: next(iter(one["value"].values()))[0] for one in said["result"]}
        export.append(task | plain | {"id": number} if flat else {"data": task, "annotations": [said]})
    assert found(json.dumps(export).encode(), asked) == expected(rows, asked, sent)


@ANY
@given(texts=st.lists(TEXTS, min_size=2, max_size=5, unique=True), data=st.data())
def test_whatever_an_old_code_page_destroyed_no_decision_counts_for_another_request(texts: list[str], data):
    asked = [question(number, text, LABELS[number % 3]) for number, text in enumerate(texts)]
    table = filled(asked, *[("accept", "")] * len(asked))
    moved = data.draw(st.permutations([row[REQUEST] for row in table[1:]]))
    for row, text in zip(table[1:], moved, strict=True):
        row[REQUEST] = text
    back = judged(csv_bytes(table, encoding="cp1252"), asked)
    for one in back.decided:
        stands, own = moved[int(one.id[-1])], table[int(one.id[-1]) + 1]
        assert own[ID] == one.id
        assert read(one_of(asked, one.id).text) in (
            read(stands),
            read(stands.encode("cp1252", "replace").decode("cp1252")),
        )


def one_of(asked: list[Question], id: str) -> Question:
    return next(one for one in asked if one.id == id)


def read(text: str) -> str:
    """A text as a person reads it."""
    plain = unicodedata.normalize("NFC", re.sub("[\x00-\x1f\x7f-\x9f\ufffe\uffff]", " ", text))
    return " ".join(re.sub(r"(^|[;\s])([\s\"]*)'+", r"\1\2", plain).split())
