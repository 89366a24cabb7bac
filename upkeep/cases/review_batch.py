"""How do cases go out to people before a model learns from them, and what is in the file that comes back?

A case is a request with the answer that outcomes say is right. It goes out in a workbook, a CSV file or a Label Studio
import, and is opened in whatever people have. What the rows that come back say is judged in review_decisions.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated, NamedTuple

from pydantic import Field

from upkeep.cases import label_studio
from upkeep.cases.broken_csv import read_whole_rows
from upkeep.cases.case import ASKED, Case, Source
from upkeep.cases.mangled_text import comparable
from upkeep.cases.spreadsheet import (
    Column,
    Rejected,
    decode,
    read_csv_rows,
    read_workbook,
    write_csv_file,
    write_workbook,
)
from upkeep.errors import SheetError
from upkeep.redaction import EVERY_KIND, for_name, shown

ID, WHEN, REQUEST, OFFERED = "id", "when", "request", "answer said to be right"
WHY, GIVEN = "asked because", "model answered"
DECISION, ANSWER, COMMENT, REVIEWER = "decision", "answer", "comment", "reviewer"
IN_SHEET = (ID, WHEN, REQUEST, OFFERED, WHY, GIVEN)
LONGEST = 16_000
"""Characters of a cell: a spreadsheet keeps 32,767 UTF-16 units, and half as many of the widest characters."""
WRONG = "answered wrong"
DELIMITERS = ",;\t"
HEAD = 20
"""The rows in which the names of the columns are looked for: people put notes above them."""
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
WHOSE: Mapping[str, str] = {
    Source.BACK_SCORING: "the answer is a suggestion, as the request is like the category's examples: nobody gave it",
    Source.UNSURE: "right answer from somebody who was asked because the model was unsure",
}
"""Who has given the answer that is offered, where that is not plain from the source's name."""
WANTED = "a workbook (.xlsx), a CSV file or a Label Studio export (JSON) of the cases that were sent out"
COLUMNS = (ID, REQUEST, OFFERED, DECISION, ANSWER, COMMENT, REVIEWER)
"""The columns that are read on return."""


class Choice(StrEnum):
    """What a person says of the answer offered: it is right, another one is, or the case is to be left out."""

    ACCEPT = "accept"
    CHANGE = "change"
    REJECT = "reject"


class Format(StrEnum):
    """The kinds of file in which cases go out and come back."""

    XLSX = "xlsx"
    CSV = "csv"
    LABEL_STUDIO = "json"


@dataclass(frozen=True, slots=True)
class Question:
    """A case to look over: the answer that `said_by` says is right, why it is asked about, what the model gave.

    `until` is when the case was asked about again with another answer; a batch that was just sent out has none.
    `known_from` is the case's; old questions have none.
    """

    id: str
    text: str
    answer: str
    why: tuple[str, ...]
    given: str | None
    said_by: str
    at: datetime
    until: Annotated[datetime | None, Field(exclude_if=lambda value: value is None)] = None
    known_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What came back about one case, as it stands there; `number` as the spreadsheet or the export counts.

    `offered` is None where the file has no such column, `at` where it does not say when this was decided. `tab` is
    named where several tabs of a workbook have cases; `fault` is why the row cannot be read.
    """

    number: int
    id: str
    request: str
    offered: str | None
    decision: str
    answer: str
    comment: str
    reviewer: str
    at: datetime | None = None
    tab: str = ""
    fault: str = ""


class FilledFile(NamedTuple):
    """A returned file: its format and its rows, without those that are empty."""

    format: Format
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """What somebody decided about a case; `answer` is the right one, None for a case to be left out.

    `at` is when, of a question that was asked again with another answer no later than that: what is decided about the
    newer one counts.
    """

    id: str
    decision: Choice
    answer: str | None
    by: str
    at: datetime
    comment: str


@dataclass(frozen=True, slots=True)
class ReturnedBatch:
    """What a returned file said: the decisions, how many rows nobody looked over, and the rows that cannot be used.

    `words` are the decisions by case and time, in words with the row.
    """

    decided: tuple[ReviewDecision, ...]
    blank: int
    rejected: tuple[Rejected, ...]
    words: Mapping[tuple[str, datetime], str] = field(default_factory=dict)


def why_asked(case: Case) -> tuple[str, ...]:
    """Why somebody should look at a case; nothing where nobody needs to."""
    why = [WRONG] if case.was_error and case.source not in ASKED else []
    why += [case.conflict] if case.conflict else []
    why += [doubt.value for doubt in case.doubts]
    if case.suspect is not None:
        why.append(f"a likely mistake: requests like it mostly have another answer ({case.suspect:.0%} for this one)")
    return tuple(why)


def write_xlsx(questions: Sequence[Question], *, labels: Sequence[str], tab: str = "review") -> bytes:
    """The cases as a workbook with drop-down lists; no `labels` where answers are free text. Times keep their zone."""
    return write_workbook(tab, _columns(labels), [_cells(one) for one in questions])


def write_csv(questions: Sequence[Question]) -> bytes:
    """The cases as a CSV file that Excel shows as it is; nothing in it is taken for a formula."""
    return write_csv_file(_columns(()), [_cells(one) for one in questions])


def write_label_studio(questions: Sequence[Question], *, labels: Sequence[str]) -> bytes:
    """The cases as a Label Studio import, answers filled in; for a project with the interface `label_studio_config`."""
    return label_studio.write_tasks([_told(one, label_studio.DATA) for one in questions], labels=labels)


def label_studio_config(labels: Sequence[str]) -> str:
    """The labelling interface (XML) of a Label Studio project for these cases."""
    return label_studio.write_config(list(Choice), labels)


def read_back(data: bytes) -> FilledFile:
    """The rows of a returned file, told by its content whatever it is called. Raises SheetError where it is none."""
    if data.startswith(OLE):
        raise SheetError(f"an old (.xls) or password-protected Office file, expected {WANTED}")
    if data.startswith(ZIP):
        return FilledFile(Format.XLSX, _workbook_rows(data))
    text = decode(data)
    if text.lstrip()[:1] in ("[", "{"):
        return FilledFile(Format.LABEL_STUDIO, _task_rows(text))
    return FilledFile(Format.CSV, _csv_rows(text))


def cut(text: str) -> str:
    """As much of a text as a cell takes; a Label Studio import has it whole."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _columns(labels: Sequence[str]) -> list[Column]:
    return [
        Column(ID, 18),
        Column(WHEN, 17, returns=False),
        Column(REQUEST, 80),
        Column(OFFERED, 34),
        Column(WHY, 30, returns=False),
        Column(GIVEN, 34, returns=False),
        Column(DECISION, 12, tuple(Choice)),
        Column(ANSWER, 34, tuple(labels)),
        Column(COMMENT, 40),
        Column(REVIEWER, 18),
    ]


def _cells(question: Question) -> dict[str, str]:
    return {name: cut(text) for name, text in _told(question, IN_SHEET).items()}


def _told(question: Question, names: Sequence[str]) -> dict[str, str]:
    why = "; ".join((*question.why, WHOSE.get(question.said_by, f"right answer from {question.said_by}")))
    when = f"{question.at:%Y-%m-%d %H:%M}"
    values = (question.id, when, question.text, question.answer, why, question.given or "")
    return dict(zip(names, values, strict=True))


def _workbook_rows(data: bytes) -> tuple[Row, ...]:
    """The rows of all tabs that have the head of a batch: people put their copies, or two weeks' batches, into one."""
    tabs = read_workbook(data)
    filled = [one for one in tabs if _head(one.rows) is not None] or tabs[:1]
    found = [_table_rows(one.rows, f"tab {one.title!r}") for one in filled]
    if len(filled) == 1:
        return found[0]
    titles = [shown(one.title, for_name(one.title, EVERY_KIND)) for one in filled]
    names = [f"{title} ({at})" if titles.count(title) > 1 else title for at, title in enumerate(titles, start=1)]
    return tuple(replace(row, tab=name) for name, rows in zip(names, found, strict=True) for row in rows)


def _csv_rows(text: str) -> tuple[Row, ...]:
    firsts = {delimiter: _first_rows(text, delimiter) for delimiter in DELIMITERS}
    heads = {delimiter: at for delimiter, rows in firsts.items() if (at := _head(rows)) is not None}
    if not heads:
        return _table_rows(firsts[DELIMITERS[0]], "as a CSV file")
    own, head = next(iter(heads.items()))
    rows = read_whole_rows(text, delimiter=own, head=head)
    found = _table_rows([one.cells for one in rows], "as a CSV file")
    return tuple(replace(row, fault=rows[row.number - 1].fault) for row in found)


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    rows = []
    with suppress(SheetError):  # under another delimiter than its own, a file may look broken
        for row in islice(read_csv_rows(text, delimiter=delimiter), HEAD):
            rows.append(row)  # one by one: those before the break are kept
    return rows


def _task_rows(text: str) -> tuple[Row, ...]:
    return tuple(_task_row(one) for one in label_studio.read_tasks(text))


def _task_row(one: label_studio.Annotation) -> Row:
    return Row(
        number=one.task,
        id=one.data.get(label_studio.ID, ""),
        request=one.data.get(label_studio.REQUEST, ""),
        offered=one.data.get(label_studio.OFFERED),
        decision=_tidy(one.said.get(label_studio.DECISION, "")),
        answer=_chosen(one),
        comment=_tidy(one.said.get(label_studio.COMMENT, "")),
        reviewer=one.by,
        at=one.at,
        fault=one.fault,
    )


def _chosen(one: label_studio.Annotation) -> str:
    """The answer written where the list has none, unless that is only what was filled in before one was chosen."""
    listed, written = (_tidy(one.said.get(name, "")) for name in (label_studio.ANSWER, label_studio.NEW_ANSWER))
    untouched = comparable(written) == comparable(one.data.get(label_studio.OFFERED, ""))
    return listed if listed and untouched else written or listed


def _table_rows(rows: Sequence[Sequence[str]], where: str) -> tuple[Row, ...]:
    at = _head(rows)
    if at is None:
        first = [shown(cell, EVERY_KIND) for cell in rows[0][:10]] if rows else []
        raise SheetError(
            f"{where}: found {first} first, expected columns {ID!r}, {REQUEST!r}, {DECISION!r} in {WANTED}"
        )
    names = [_name(cell) for cell in rows[at]]
    doubled = [name for name in COLUMNS if names.count(_name(name)) > 1]
    if doubled:
        raise SheetError(f"{where}: columns {doubled} are there twice, expected each once")
    places = {name: names.index(_name(name)) for name in COLUMNS if _name(name) in names}
    found = [{name: row[place] for name, place in places.items() if place < len(row)} for row in rows[at + 1 :]]
    return tuple(
        _table_row(number, cells, has_offered=OFFERED in places)
        for number, cells in enumerate(found, start=at + 2)
        if any(cell.strip() for cell in cells.values())
    )


def _table_row(number: int, cells: Mapping[str, str], *, has_offered: bool) -> Row:
    return Row(
        number=number,
        id=cells.get(ID, ""),
        request=cells.get(REQUEST, ""),
        offered=cells.get(OFFERED, "").strip() if has_offered else None,
        decision=_tidy(cells.get(DECISION, "")),
        answer=_tidy(cells.get(ANSWER, "")),
        comment=_tidy(cells.get(COMMENT, "")),
        reviewer=_tidy(cells.get(REVIEWER, "")),
    )


def _head(rows: Sequence[Sequence[str]]) -> int | None:
    """The place of the row that names the columns."""
    for at, row in enumerate(rows[:HEAD]):
        names = {_name(cell) for cell in row}
        if names >= {_name(ID), _name(REQUEST)} and names & {_name(DECISION), _name(ANSWER)}:
            return at
    return None


def _name(cell: str) -> str:
    """A column's name whatever became of its case and its spaces."""
    return "".join(one for one in cell.casefold() if one.isalnum())


def _tidy(cell: str) -> str:
    return cell.replace("\r\n", "\n").replace("\r", "\n").strip()
