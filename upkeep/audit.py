"""Which answers should people check this week, and what did they say?

Outcomes that come back by themselves are mostly errors, so accuracy is estimated from a simple random sample. Beside it
people are asked about the answers the model was least sure of: those teach most, and are left out of every estimate.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

from upkeep.cases import fraction
from upkeep.config import Client
from upkeep.errors import SheetError
from upkeep.log import Outcome, OutcomeSource, Prediction

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

ID, WHEN, REQUEST, GIVEN, VERDICT, ANSWER = "id", "when", "request", "answer given", "right or wrong", "right answer"
WIDTHS = {ID: 14, WHEN: 17, REQUEST: 90, GIVEN: 60, VERDICT: 16, ANSWER: 34}
RIGHT, WRONG = "right", "wrong"
CLOSE = 0.8
"""How alike (difflib ratio) an unknown answer must be to a label to be taken for a slip of the pen."""


class Sheet(NamedTuple):
    """A returned sheet: its week, and below the first row each row by column."""

    week: str
    rows: list[dict[str, str]]


class Why(StrEnum):
    """Why somebody is asked about an answer."""

    RANDOM = "random"
    UNSURE = "unsure"


SOURCES = {Why.RANDOM: OutcomeSource.AUDIT, Why.UNSURE: OutcomeSource.UNSURE}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of a returned sheet that could not be used, and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What a returned sheet said: the outcomes, how many rows were left blank, and the rows that cannot be used."""

    outcomes: tuple[Outcome, ...]
    blank: int
    rejected: tuple[Rejected, ...]


def draw(predictions: Sequence[Prediction], *, random: int, unsure: int, seed: str) -> dict[str, Why]:
    """Choose `random` predictions by chance and, of the others, the `unsure` least confident; by prediction id.

    The random part depends on the ids and the seed alone: every subset of its size is as likely, and doing it again
    gives the same.
    """
    shuffled = sorted(predictions, key=lambda one: (fraction(f"{seed} {one.id}"), one.id))
    others = sorted(shuffled[random:], key=lambda one: (one.confidence, one.id))
    chosen = {one.id: Why.RANDOM for one in shuffled[:random]}
    return chosen | {one.id: Why.UNSURE for one in others[:unsure]}


def write_sheet(predictions: Sequence[Prediction], *, week: str, client: Client) -> bytes:
    """An Excel workbook (.xlsx) to be filled in, its tab named after the week.

    One row is one request, its right answer to be chosen from a list. Why a row was chosen is not shown, nor for a
    classifier what the model said: both would sway whoever answers. Ids are text, which a CSV file opened in a
    spreadsheet would not keep.
    """
    from openpyxl import Workbook

    book = Workbook()
    sheet: Worksheet = book.active  # type: ignore[assignment]  # a new workbook has one
    sheet.title = week
    columns = _columns(client)
    sheet.append(columns)
    for one in predictions:
        cells = {ID: one.id, WHEN: f"{one.at.astimezone(client.zone):%Y-%m-%d %H:%M}", REQUEST: one.input}
        cells[GIVEN] = one.output or ""
        for at, name in enumerate(columns, start=1):
            _put(sheet, sheet.max_row + (at == 1), at, cells.get(name, ""))
    _dress(sheet, columns)
    _offer(book, sheet, columns, client)
    made = BytesIO()
    book.save(made)
    return made.getvalue()


def read_sheet(data: bytes) -> Sheet:
    """A returned sheet's week and rows. Raises SheetError where it is not an Excel workbook with a first row."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        first = load_workbook(BytesIO(data), read_only=True, data_only=True).worksheets[0]
        rows = [["" if value is None else str(value).strip() for value in row] for row in first.values]
    except (BadZipFile, InvalidFileException, IndexError, KeyError, ValueError) as exc:
        raise SheetError(f"not an Excel workbook (.xlsx): {exc}") from exc
    head = rows[0] if rows else []
    missing = [name for name in (ID, ANSWER) if name not in head]
    if missing:
        raise SheetError(f"tab {first.title!r}: the first row is {head}, expected columns {missing} too")
    return Sheet(first.title, [dict(zip(head, row, strict=False)) for row in rows[1:]])


def understand(sheet: Sheet, *, asked: Mapping[str, Why], client: Client, at: datetime) -> Answers:
    """What was filled in, as outcomes given at `at`; rows that cannot be used come back with the reason."""
    outcomes: list[Outcome] = []
    rejected: list[Rejected] = []
    blank = 0
    for number, cells in enumerate(sheet.rows, start=2):
        asked_about, answer, verdict = cells.get(ID, ""), cells.get(ANSWER, ""), cells.get(VERDICT, "").lower()
        if not answer and not verdict:
            blank += any(cells.values())
            continue
        problem = _problem(asked_about, answer, verdict, asked, client)
        if problem:
            rejected.append(Rejected(number, problem))
            continue
        correct = verdict == RIGHT if verdict else None
        outcomes.append(Outcome(asked_about, at, SOURCES[asked[asked_about]], answer or None, correct))
    return Answers(tuple(outcomes), blank, tuple(rejected))


def _columns(client: Client) -> list[str]:
    return [ID, WHEN, REQUEST, GIVEN, VERDICT, ANSWER] if client.free_text else [ID, WHEN, REQUEST, ANSWER]


def _put(sheet: Worksheet, row: int, column: int, value: str) -> None:
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell = sheet.cell(row, column, ILLEGAL_CHARACTERS_RE.sub(" ", value))
    cell.data_type = "s"  # text, also where it begins like a formula
    cell.number_format = "@"


def _dress(sheet: Worksheet, columns: Sequence[str]) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    sheet.freeze_panes = "A2"
    for at, name in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(at)].width = WIDTHS[name]
        sheet.cell(1, at).font = Font(bold=True)
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, at).alignment = Alignment(wrap_text=True, vertical="top")


def _offer(book: Any, sheet: Worksheet, columns: Sequence[str], client: Client) -> None:
    """Drop-down lists; a new label may be typed all the same."""
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    lists = {VERDICT: [RIGHT, WRONG], ANSWER: _labels(client)}
    choices = book.create_sheet("choices")
    for at, name in enumerate(columns, start=1):
        if not lists.get(name):
            continue
        letter = get_column_letter(at)
        for row, value in enumerate(lists[name], start=1):
            choices[f"{letter}{row}"] = value
        offered = DataValidation(
            type="list", formula1=f"choices!${letter}$1:${letter}${len(lists[name])}", showErrorMessage=False
        )
        offered.add(f"{letter}2:{letter}{max(sheet.max_row, 2)}")
        sheet.add_data_validation(offered)


def _labels(client: Client) -> list[str]:
    return [*sorted(client.labels), client.out_of_scope_label] if client.labels else []


def _problem(row_id: str, answer: str, verdict: str, asked: Mapping[str, Why], client: Client) -> str | None:
    if row_id not in asked:
        return f"id: found {row_id!r}, expected one of the {len(asked)} that were asked about"
    if verdict not in ("", RIGHT, WRONG):
        return f"{VERDICT}: found {verdict!r}, expected {RIGHT!r} or {WRONG!r}"
    known = _labels(client)
    if not answer or not known or answer in known:
        return None
    alike = [label for label in known if _alike(label, answer)]
    return f"{ANSWER}: found {answer!r}, did you mean {alike}?" if alike else None


def _alike(label: str, answer: str) -> bool:
    mine, theirs = (text.casefold().replace(" ", "_").replace("-", "_") for text in (label, answer))
    return difflib.SequenceMatcher(None, mine, theirs).ratio() >= CLOSE
