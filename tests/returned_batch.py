"""Cases that people are asked about, and the files they come back in, filled in by a test."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO

from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from upkeep.cases.review_batch import (
    FilledFile,
    Question,
    read_back,
    write_csv,
    write_label_studio,
)
from upkeep.cases.review_decisions import understand
from upkeep.redaction import Redaction

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


def csv_bytes(
    table: list[list[str]], *, delimiter: str = ",", encoding: str = "utf-8-sig", quoted: bool = False
) -> bytes:
    """A CSV file, every cell of it `quoted` or those alone that have to be."""
    made = StringIO(newline="")
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    csv.writer(made, delimiter=delimiter, quoting=quoting).writerows(table)
    return made.getvalue().encode(encoding, errors="replace")


def xlsx_table(data: bytes) -> list[list[str]]:
    return [[value or "" for value in row] for row in load_workbook(BytesIO(data)).worksheets[0].values]


def xlsx_bytes(table: list[list[str]], **more: list[list[str]]) -> bytes:
    """A workbook of one tab, and of `more` by their title."""
    book = Workbook()
    tabs = [(book.active, table), *((book.create_sheet(title), rows) for title, rows in more.items())]
    for tab, rows in tabs:
        for row, cells in enumerate(rows, start=1):
            for at, value in enumerate(cells, start=1):
                tab.cell(row, at, value).data_type = "s"
    saved = BytesIO()
    book.save(saved)
    return saved.getvalue()


def filled(questions: list[Question], *answers: tuple[str, str]) -> list[list[str]]:
    """The CSV's table with a decision and an answer for each case."""
    table = csv_table(write_csv(questions))
    for row, (decision, answer) in zip(table[1:], answers, strict=True):
        row[DECISION], row[ANSWER] = decision, answer
    return table


def judged(found: FilledFile | bytes | list[list[str]], asked: list[Question], *, labels: tuple[str, ...] = LABELS):
    if isinstance(found, list):
        found = csv_bytes(found)
    found = read_back(found) if isinstance(found, bytes) else found
    return understand(found, asked=asked, labels=labels, redaction=Redaction(), by="ada", at=NOON)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@;,\t\r\n\"' 19é日"), max_size=12)


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
