"""Which rows of a CSV file can be read where a stray quote has broken some of its lines?

A quote in the midst of a quoted cell may end it, or run on into the rows below. So a line is left out by itself only
where it holds a whole row and all other lines do too; else nobody can tell what belongs to which row.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from typing import NamedTuple

from upkeep.cases.spreadsheet import bare
from upkeep.errors import SheetError


class CsvRow(NamedTuple):
    """A row and the lines it stands on; `fault` is why it cannot be read, and its cells are then what they may be."""

    cells: list[str]
    lines: Sequence[str]
    fault: str = ""


def read_whole_rows(text: str, *, delimiter: str, head: int) -> list[CsvRow]:
    """The rows of a CSV text, the first being 1 in a spreadsheet; blank ones are there and empty.

    `head` is the place of the row that names the columns. Raises SheetError where a quote is opened that nothing
    closes, or closed in the midst of a cell, and more than rows of their own would be lost by that.
    """
    rows = _rows(list(StringIO(text, newline="")), delimiter)
    faults = [row.fault for row in rows if row.fault]
    below = rows[head + 1 :]
    width = len(rows[head].cells) if head < len(rows) else 0
    if faults and (
        any(row.fault for row in rows[: head + 1])
        or all(row.fault for row in below)
        or not all(_is_whole(row, width, delimiter, faults[0]) for row in below)
    ):
        raise SheetError(faults[0])
    return rows


def _rows(lines: Sequence[str], delimiter: str) -> list[CsvRow]:
    rows: list[CsvRow] = []
    start = 0
    while start < len(lines):
        first = start
        reader = csv.reader((lines[at] for at in range(first, len(lines))), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                end = first + reader.line_num
                rows.append(CsvRow([bare(cell) for cell in cells], lines[start:end]))
                start = end
        except csv.Error as exc:
            fault = f"line {first + reader.line_num}: {exc}, expected every quoted cell to be closed"
            if first + reader.line_num > start + 1:  # it may have run on from one row into another
                raise SheetError(next((row.fault for row in rows if row.fault), fault)) from exc
            cells = _cells(lines[start], delimiter, fault)
            rows.append(CsvRow([bare(cell) for cell in cells], lines[start : start + 1], fault))
            start += 1
    return rows


def _is_whole(row: CsvRow, width: int, delimiter: str, fault: str) -> bool:
    """Has a row as many cells as the head, or none at all, and is there none that it has swallowed?

    Raises SheetError with the fault where that cannot be told.
    """
    if row.fault:
        return len(row.cells) >= width
    inner = (len(_cells(line, delimiter, fault)) for line in row.lines[1:])
    return not any(row.cells) or (len(row.cells) == width and all(cells < width for cells in inner))


def _cells(line: str, delimiter: str, fault: str) -> list[str]:
    """What the cells of a line may be, read by itself. Raises SheetError with the fault where that cannot be told."""
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as exc:
        raise SheetError(fault) from exc
