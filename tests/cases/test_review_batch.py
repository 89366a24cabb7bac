"""Do cases that people look over come back whole from a spreadsheet, and does only what was meant count?"""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook, load_workbook

from tests.returned_batch import (
    ANSWER,
    COMMENT,
    DECISION,
    HEAD,
    ID,
    LABELS,
    NOON,
    OFFERED,
    REQUEST,
    REVIEWER,
    csv_bytes,
    csv_table,
    exported,
    filled,
    judged,
    question,
    xlsx_bytes,
    xlsx_table,
)
from upkeep.cases.returned import kept_rows
from upkeep.cases.review_batch import (
    Choice,
    ReviewDecision,
    read_back,
    write_csv,
    write_xlsx,
)
from upkeep.cases.spreadsheet import read_workbook
from upkeep.errors import SheetError
from upkeep.redaction import Redaction


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


def test_a_tab_in_a_request_goes_out_as_a_space_as_programs_lose_it():
    asked = [question(1, "tent\tbroken")]
    for table in (xlsx_table(write_xlsx(asked, labels=LABELS)), csv_table(write_csv(asked))):
        assert table[1][REQUEST] == "tent broken"
        table[1][DECISION] = "accept"
        assert len(judged(xlsx_bytes(table), asked).decided) == 1


def test_a_suggestion_of_ours_is_told_as_one_that_nobody_gave():
    sheet = csv_table(write_csv([replace(question(1), why=("proposed for a new category",), said_by="back-scoring")]))
    wanted = "the answer is a suggestion, as the request is like the category's examples: nobody gave it"
    assert sheet[1][HEAD.index("asked because")] == f"proposed for a new category; {wanted}"


def test_a_csv_file_has_the_mark_that_excel_needs_for_umlauts():
    data = write_csv([question(1, "Größe?")])
    assert data.startswith(b"\xef\xbb\xbf")
    assert csv_table(data)[1][:3] == ["p-001", "2026-03-01 12:00", "Größe?"]  # a time may become one: it is not read


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
        ("change", "order_status, gift cards", (Choice.CHANGE, "order_status, gift cards")),
        ("change", "order_status/refund_status", (Choice.CHANGE, "order_status/refund_status")),
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
        ("change", "Rückgabe, oos", "answer: found 'Rückgabe, oos', which are several labels, expected one"),
        ("change", "Rückgabe; 007", "answer: found 'Rückgabe; 007', which are several labels, expected one"),
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
        ReviewDecision("p-001", Choice.ACCEPT, "order_status", "grace", NOON, "sure"),
        ReviewDecision("p-002", Choice.ACCEPT, "order_status", "ada", NOON, ""),
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


@pytest.mark.parametrize(("typed", "told"), [("p-100234", "p-100234"), ("ask ada@example.org", "ask [e-mail]")])
def test_an_id_that_was_not_asked_about_is_rejected(typed, told):
    asked = [question(1)]
    table = filled(asked, ("accept", ""))
    table[1][ID] = typed
    assert judged(table, asked).rejected[0].reason == f"id: found {told!r}, expected one of the 1 that were asked about"


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


def test_a_stray_quote_in_a_csv_file_costs_its_row_alone():
    asked = [question(1, "two\nlines"), *(question(number) for number in range(2, 5))]
    data = write_csv(asked).replace(b'"","","",""\r\n', b'"accept","","",""\r\n')
    lines = data.splitlines(keepends=True)
    assert lines[3].startswith(b'"p-002"')
    lines[3] = lines[3].replace(b'"accept","",""', b'"accept","","he said "ok" to me"')
    back = judged(b"".join(lines), asked)
    assert ([one.id for one in back.decided], back.blank) == (["p-001", "p-003", "p-004"], 0)
    assert [str(one) for one in back.rejected] == [
        "row 3 not used: line 4: ',' expected after '\"', expected every quoted cell to be closed"
    ]
    kept = csv_table(kept_rows(read_back(b"".join(lines)).rows, labels=LABELS, redaction=Redaction()))
    assert kept[2][:6] == ["p-002", asked[1].text, "order_status", "accept", "", 'he said ok" to me"']


@pytest.mark.parametrize(
    "rows",
    [
        b'p-1,"op"en,accept\n',  # none can be read
        b'p-1,"open,accept\np-2,"a, b",accept\n',  # runs on into the next row
        b'p-1,"op"en,accept\np-2,a\n',  # a part of a row
        b'p-1,"op"en,accept\np-2,"a\np-3,b,reject\n",accept\n',  # a row in a cell, or swallowed
        b'p-1,"op"en\np-2,a,accept\n',  # may go on in the next line
    ],
)
def test_a_csv_file_of_which_nobody_can_tell_what_belongs_to_which_row_is_refused(rows):
    with pytest.raises(SheetError, match=r"line [23]: ',' expected after"):
        read_back(b"id,request,decision\n" + rows)


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


def test_rows_are_numbered_as_people_see_them_below_notes_and_on_a_second_tab():
    asked = [question(1)]
    table = [["Bitte bis Freitag!"], [], *filled(asked, ("yes", ""))]
    book = load_workbook(BytesIO(xlsx_bytes(table)))
    book.create_sheet("notes", 0).append(["Bitte bis Freitag!"])
    saved = BytesIO()
    book.save(saved)
    assert [one.row for one in judged(table, asked).rejected] == [4]
    assert [one.row for one in judged(saved.getvalue(), asked).rejected] == [4]


def test_all_tabs_of_a_workbook_count_that_have_cases_and_a_row_is_told_with_its_tab():
    asked = [question(number) for number in range(1, 5)]
    ada = filled(asked, ("accept", ""), ("accept", ""), ("reject", ""), ("", ""))
    bob = filled(asked, ("", ""), ("reject", ""), ("reject", ""), ("yes", ""))
    notes = [["Bob has the second half."], ["accept", "p-004"]]
    back = judged(xlsx_bytes(ada, notes=notes, **{"bob@example.org": bob}), asked)
    assert [(one.id, str(one.decision)) for one in back.decided] == [("p-001", "accept"), ("p-003", "reject")]
    assert back.blank == 2
    both = "accept by ada in row 3 of tab 'Sheet'; reject by ada in row 3 of tab '[e-mail]'"
    conflict = f"decision: found {both}, expected one decision for one id"
    alike = "id: found 'p-003' again, decided alike in row 4 of tab 'Sheet'; that one counts"
    assert [str(one) for one in back.rejected] == [
        f"row 3 of tab 'Sheet' not used: {conflict}",
        f"row 3 of tab '[e-mail]' not used: {conflict}",
        f"row 4 of tab '[e-mail]' not used: {alike}",
        "row 5 of tab '[e-mail]' not used: decision: found 'yes', expected one of ['accept', 'change', 'reject']",
    ]


def test_tabs_that_are_told_alike_are_told_apart_by_their_place():
    asked = [question(1)]
    table = filled(asked, ("yes", ""))
    data = xlsx_bytes(table, **{"ada@example.org": table, "bob@example.org": table})
    assert [one.tab for one in judged(data, asked).rejected] == ["Sheet", "[e-mail] (2)", "[e-mail] (3)"]


def test_a_tab_of_cases_with_a_column_twice_is_named_beside_one_that_can_be_read():
    table = filled([question(1)], ("accept", ""))
    with pytest.raises(SheetError, match=r"tab 'second': columns \['comment'\] are there twice"):
        read_back(xlsx_bytes(table, second=[[*row, "comment"] for row in table]))


def test_a_workbook_of_many_tabs_is_refused_as_one_of_a_large_tab_is(monkeypatch):
    book = Workbook()
    for name in ("one", "two"):
        book.create_sheet(name).append(["x"] * 6)
    written = BytesIO()
    book.save(written)
    monkeypatch.setattr("upkeep.cases.spreadsheet.MOST_CELLS", 12)
    assert [len(tab.rows) for tab in read_workbook(written.getvalue())] == [0, 1, 1]
    monkeypatch.setattr("upkeep.cases.spreadsheet.MOST_CELLS", 11)
    with pytest.raises(SheetError, match="of more than 11 cells, expected that many at most"):
        read_workbook(written.getvalue())


def test_a_workbook_that_would_take_minutes_to_read_is_refused():
    wide = Workbook()
    for row in range(1, 32):
        wide.active.cell(row, 16_384, "x")  # 31 rows of 16,384 cells
    written = BytesIO()
    wide.save(written)
    with pytest.raises(SheetError, match="of more than 500,000 cells, expected that many at most"):
        read_back(written.getvalue())
    bomb = BytesIO(write_xlsx([question(1)], labels=LABELS))
    with ZipFile(bomb, "a", ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.png", bytes(64 << 20))
    with pytest.raises(SheetError, match=r"of 67,\d{3},\d{3} bytes unpacked, expected 67,108,864 at most"):
        read_back(bomb.getvalue())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"as a CSV file: found \[\] first, expected columns 'id', 'request', 'decision'"),
        (b"name,age\nAda,36\n", r"found \['name', 'age'\] first"),
        (b"ask ada@example.org,5\n", r"found \['ask \[e-mail\]', '5'\] first"),
        (b"%PDF-1.7 \xff\xfe\x00", r"expected columns 'id'"),
        (b"PK\x03\x04 no zip", r"not an Excel workbook \(.xlsx\)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"an old \(.xls\) or password-protected Office file, expected a workbook"),
        (b"[1, 2", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"id": "p-1"}', "no list of tasks with 'case_id'"),
        (b'[{"data": {"text": "hi"}}]', "no list of tasks with 'case_id'"),
        (b'[{"data": {"case_id": "p-1"}, "annotations": 3}]', r"task 1: annotations: Input should be a valid list"),
        (b'[7, {"data": {"case_id": "p-1"}, "annotations": 3}]', "task 1: it: "),
        (b'id,request,decision\np-1,"open,accept\n', r"line 2: unexpected end of data, expected every quoted cell"),
        (b'id,request,decision\np-1,"' + b"x" * 140_000 + b'",accept\n', r"line 2: field larger than field limit"),
        (b"id,request,decision,Decision\np-1,a,accept,reject\n", r"columns \['decision'\] are there twice"),
        (xlsx_bytes([["id", "right answer"], ["1", "oos"]]), r"tab 'Sheet': found \['id', 'right answer'\] first"),
    ],
)
def test_what_is_no_file_of_ours_says_what_was_found_and_what_was_wanted(data, said):
    with pytest.raises(SheetError, match=said):
        read_back(data)
