"""How does a table go out to people as a spreadsheet, and what is in the file that they return?

A spreadsheet takes for a number, a date or a formula what looks like one. In a workbook every cell says that it is
text; in a CSV file what would be taken for something else begins with an apostrophe, which reading takes off again.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 -- zlib calls it `error`, which says too little here

from upkeep.errors import SheetError

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

CLOSE = 0.8
"""How alike (difflib ratio) an unknown answer must be to a label to be taken for a slip of the pen."""
FORMULA = re.compile(r"""(^|[;\t\r\n])([\s"]*+)('*+[=+\-@＝＋－＠])?""")  # noqa: RUF001 -- wide ones run too
"""Where a cell may begin, with a formula's start if there is one: other locales split cells at `;` or tab."""
TAKEN = re.compile(
    r"'*+(?:[\W_]*\d[\W\d_]*(?:[^\W\d_]{1,9}[\W\d_]*)?|[^\W\d_]{3,9}[\W_]*\d[\W\d_]*|true|false|wahr|falsch|vrai|faux)",
    re.IGNORECASE,
)
"""What a spreadsheet may take for a number, a date, a time or a truth value: digits, with one word at most."""
TAKEN_LENGTH = 40
MADE = re.compile(r"[\W\d_]*|\d{1,2}[-. ]+[^\W\d_]{3,4}\.?|true|false", re.IGNORECASE)
"""What a spreadsheet may have made of a label: a number, a date or time, `2-Jan`, a truth value; or signs alone."""
UNREADABLE = (
    BadZipFile, ZlibError, EOFError, SyntaxError, LookupError, ValueError, TypeError, AttributeError, OverflowError,
    RuntimeError, OSError,
)  # fmt: skip
"""What openpyxl and what it stands on raise for a file that is no workbook, or was one; XML errors are SyntaxErrors."""
MOST_ROWS = 1_048_576
"""The rows of a sheet in Excel."""
MOST_CELLS = 500_000
"""The cells of a workbook that are read, empty ones between others too: ten columns of 50,000 rows."""
MOST_BYTES = 64 << 20
"""What a workbook may hold unpacked; it is a ZIP archive, of which a few kilobytes may hold gigabytes."""
NOT_TEXT = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no spreadsheet can hold: most control characters and half pairs; nor a tab, which an ODS file loses."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its width in characters, what its drop-down list offers, and whether its text is read on return."""

    name: str
    width: int
    offered: tuple[str, ...] = ()
    returns: bool = True


class Tab(NamedTuple):
    """One tab of a workbook: its title, and every row from the first on as texts."""

    title: str
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of a returned sheet that could not be used, and why; 0 where there is no row, and the reason says what.

    `tab` is the row's, where several tabs of a workbook have such rows.
    """

    row: int
    reason: str
    tab: str = ""

    def __str__(self) -> str:
        return f"{place(self.row, self.tab)} not used: {self.reason}" if self.row else f"not used: {self.reason}"


def place(row: int, tab: str = "") -> str:
    """Where a row stands, in words."""
    return f"row {row} of tab {tab!r}" if tab else f"row {row}"


def write_workbook(title: str, columns: Sequence[Column], rows: Iterable[Mapping[str, str]]) -> bytes:
    """An Excel workbook (.xlsx) of one tab, with a second one for the drop-down lists.

    Every cell is text, also where it begins like a formula. What a list does not offer may be typed all the same.
    """
    from openpyxl import Workbook

    book = Workbook()
    sheet: Worksheet = book.active  # type: ignore[assignment]  # a new workbook has one
    sheet.title = title
    table = [{column.name: column.name for column in columns}, *rows]
    for row, cells in enumerate(table, start=1):
        for at, column in enumerate(columns, start=1):
            _put(sheet, row, at, cells.get(column.name, ""))
    last = len(table)
    _dress(sheet, columns, last)
    _offer(book, sheet, columns, last)
    made = BytesIO()
    book.save(made)
    return made.getvalue()


def read_workbook(data: bytes) -> list[Tab]:
    """The tabs of a workbook, one at least. Raises SheetError where it is none, or is too large."""
    from openpyxl import load_workbook

    tabs: list[Tab] = []
    try:
        unpacked = sum(one.file_size for one in ZipFile(BytesIO(data)).infolist())
        if unpacked > MOST_BYTES:
            raise SheetError(f"an Excel workbook of {unpacked:,} bytes unpacked, expected {MOST_BYTES:,} at most")
        for sheet in load_workbook(BytesIO(data), read_only=True, data_only=True).worksheets:
            tabs.append(_tab(sheet, MOST_CELLS - sum(len(row) for tab in tabs for row in tab.rows)))
    except UNREADABLE as exc:
        raise SheetError(f"not an Excel workbook (.xlsx): {exc}") from exc
    if not tabs:
        raise SheetError("an Excel workbook without a sheet of cells, expected one at least")
    return tabs


def write_csv_file(columns: Sequence[Column], rows: Iterable[Mapping[str, str]]) -> bytes:
    """A CSV file: UTF-8 with the byte order mark without which Excel shows no umlauts, and commas."""
    made = StringIO(newline="")
    writer = csv.writer(made, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow([column.name for column in columns])
    for cells in rows:
        writer.writerow([_guard(cells.get(column.name, ""), number=column.returns) for column in columns])
    return made.getvalue().encode("utf-8-sig")


def read_csv_rows(text: str, *, delimiter: str) -> Iterator[list[str]]:
    """The rows of a CSV text as far as they can be made out, whatever its quotes. Raises SheetError."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            yield [bare(cell) for cell in row]
    except csv.Error as exc:
        raise SheetError(f"line {reader.line_num}: {exc}") from exc


def decode(data: bytes) -> str:
    """The text of a file whose encoding nobody told: UTF-8 or UTF-16, with its mark or without, else Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:4]:  # the first character of any file of ours is ASCII
        return data.decode("utf-16-be" if data[0] == 0 else "utf-16-le", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def clean(text: str) -> str:
    """The text as a file can hold it, each character that none can hold being a space."""
    return NOT_TEXT.sub(" ", text)


def likely_typos_of(labels: Iterable[str], answer: str) -> list[str]:
    """The labels for which the answer may be a slip of the pen."""
    match = difflib.SequenceMatcher(b=_plain(answer))
    near = []
    for label in labels:
        match.set_seq1(_plain(label))
        # the first two are never below the third, and fast
        if all(ratio() >= CLOSE for ratio in (match.real_quick_ratio, match.quick_ratio, match.ratio)):
            near.append(label)
    return near


def made_by_spreadsheet(text: str) -> bool:
    """Does an answer that is no label look like what a spreadsheet takes a label for?"""
    return MADE.fullmatch(text) is not None


def without_guard(text: str) -> str:
    """The text without apostrophes where a cell may begin, whoever put them there."""
    return FORMULA.sub(lambda found: found[1] + found[2] + (found[3] or "").lstrip("'"), text.lstrip("'"))


def bare(cell: str) -> str:
    """A cell without the apostrophes that kept it from being taken for something else."""
    text = cell[1:] if cell.startswith("'") and _taken(cell[1:]) else cell
    return FORMULA.sub(lambda found: found[1] + found[2] + (found[3] or "").removeprefix("'"), text)


def _tab(sheet: Any, room: int) -> Tab:
    """A tab of `room` cells at most. Raises SheetError where it has more."""
    sheet.reset_dimensions()  # what a file says of its own size may be too little, or all that a sheet could hold
    rows = []
    for row in islice(sheet.values, MOST_ROWS):
        room -= len(row)
        if room < 0:
            raise SheetError(f"an Excel workbook of more than {MOST_CELLS:,} cells, expected that many at most")
        rows.append(["" if value is None else str(value) for value in row])
    return Tab(sheet.title, rows)


def _plain(label: str) -> str:
    return label.casefold().replace(" ", "_").replace("-", "_")


def _put(sheet: Worksheet, row: int, column: int, value: str) -> None:
    cell = sheet.cell(row, column, clean(value))
    cell.data_type = "s"  # text, also where it begins like a formula
    cell.number_format = "@"


def _dress(sheet: Worksheet, columns: Sequence[Column], last: int) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    bold, top = Font(bold=True), Alignment(wrap_text=True, vertical="top")
    sheet.freeze_panes = "A2"
    for at, column in enumerate(columns, start=1):
        sheet.column_dimensions[get_column_letter(at)].width = column.width
        sheet.cell(1, at).font = bold
        for row in range(2, last + 1):
            sheet.cell(row, at).alignment = top


def _offer(book: Any, sheet: Worksheet, columns: Sequence[Column], last: int) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    choices = book.create_sheet("choices")
    for at, column in enumerate(columns, start=1):
        if not column.offered:
            continue
        letter = get_column_letter(at)
        for row, value in enumerate(column.offered, start=1):
            _put(choices, row, at, value)
        offered = DataValidation(
            type="list", formula1=f"choices!${letter}$1:${letter}${len(column.offered)}", showErrorMessage=False
        )
        offered.add(f"{letter}2:{letter}{max(last, 2)}")
        sheet.add_data_validation(offered)


def _guard(text: str, *, number: bool) -> str:
    """With an apostrophe where it would be taken for something else; `bare` takes off what this puts on."""
    guarded = FORMULA.sub(lambda found: found[1] + found[2] + ("'" + found[3] if found[3] else ""), clean(text))
    return "'" + guarded if number and _taken(guarded) else guarded


def _taken(text: str) -> bool:
    return len(text) <= TAKEN_LENGTH and TAKEN.fullmatch(text) is not None
