"""Which answers should people check this week, and what did they say?

Outcomes that come back by themselves are mostly errors, so accuracy is estimated from a simple random sample. Beside it
people are asked about the answers the model was least sure of and about the oddest requests, where nobody has said yet
what is right: those teach most, and are left out of every estimate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from upkeep.cases import fraction
from upkeep.config import Audit, Client
from upkeep.errors import SheetError
from upkeep.log import Outcome, OutcomeSource, Prediction
from upkeep.sheet import Column, Rejected, alike, read_workbook, write_workbook

ID, WHEN, REQUEST, GIVEN, VERDICT, ANSWER = "id", "when", "request", "answer given", "right or wrong", "right answer"
RIGHT, WRONG = "right", "wrong"


class Sheet(NamedTuple):
    """A returned sheet: its week, and below the first row each row by column."""

    week: str
    rows: list[dict[str, str]]


class Why(StrEnum):
    """Why somebody is asked about an answer."""

    RANDOM = "random"
    UNSURE = "unsure"
    EDGE_CASE = "edge case"


SOURCES = {
    Why.RANDOM: OutcomeSource.AUDIT,
    Why.UNSURE: OutcomeSource.UNSURE,
    Why.EDGE_CASE: OutcomeSource.UNSURE,
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What a returned sheet said: the outcomes, how many rows were left blank, and the rows that cannot be used."""

    outcomes: tuple[Outcome, ...]
    blank: int
    rejected: tuple[Rejected, ...]


def draw(
    predictions: Sequence[Prediction],
    wanted: Audit,
    *,
    seed: str,
    answered: Collection[str] = (),
    edges: Iterable[str] = (),
) -> dict[str, Why]:
    """Choose some predictions by chance, some of the least confident others, and the first of the `edges`; by id.

    The random part depends on the ids and the seed alone: every subset of its size is as likely, and doing it again
    gives the same. Of the others those whose right answer is known (`answered`) are not asked about.
    """
    shuffled = sorted(predictions, key=lambda one: (fraction(f"{seed} {one.id}"), one.id))
    chosen = {one.id: Why.RANDOM for one in shuffled[: wanted.random]}
    others = {one.id: one.confidence for one in shuffled[wanted.random :] if one.id not in answered}
    unsure = sorted(others, key=lambda id: (others[id], id))[: wanted.unsure]
    chosen |= dict.fromkeys(unsure, Why.UNSURE)
    odd = [id for id in edges if id in others and id not in chosen][: wanted.edge_cases]
    return chosen | dict.fromkeys(odd, Why.EDGE_CASE)


def write_sheet(predictions: Sequence[Prediction], *, week: str, client: Client) -> bytes:
    """An Excel workbook (.xlsx) to be filled in, its tab named after the week.

    One row is one request, its right answer to be chosen from a list. Why a row was chosen is not shown, nor for a
    classifier what the model said: both would sway whoever answers. Ids are text, which a CSV file opened in a
    spreadsheet would not keep.
    """
    rows = [
        {
            ID: one.id,
            WHEN: f"{one.at.astimezone(client.zone):%Y-%m-%d %H:%M}",
            REQUEST: one.input,
            GIVEN: one.output or "",
        }
        for one in predictions
    ]
    return write_workbook(week, _columns(client), rows)


def read_sheet(data: bytes) -> Sheet:
    """A returned sheet's week and rows. Raises SheetError where it is not an Excel workbook with a first row."""
    first = read_workbook(data)[0]
    rows = [[cell.strip() for cell in row] for row in first.rows]
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


def _columns(client: Client) -> list[Column]:
    asked = [Column(ID, 14), Column(WHEN, 17), Column(REQUEST, 90)]
    if client.free_text:
        asked += [Column(GIVEN, 60), Column(VERDICT, 16, (RIGHT, WRONG))]
    return [*asked, Column(ANSWER, 34, tuple(_labels(client)))]


def _labels(client: Client) -> list[str]:
    return [*sorted(client.labels), client.out_of_scope_label] if client.labels else []


def _problem(row_id: str, answer: str, verdict: str, asked: Mapping[str, Why], client: Client) -> str | None:
    if row_id not in asked:
        return f"id: found {row_id!r}, expected one of the {len(asked)} that were asked about"
    if verdict not in ("", RIGHT, WRONG):
        return f"{VERDICT}: found {verdict!r}, expected {RIGHT!r} or {WRONG!r}"
    if client.free_text and not verdict:  # a better wording alone does not say that the given one was wrong
        return f"{VERDICT}: found nothing beside an answer, expected {RIGHT!r} or {WRONG!r}"
    known = _labels(client)
    if not answer or not known or answer in known:
        return None
    near = alike(known, answer)
    return f"{ANSWER}: found {answer!r}, did you mean {near}?" if near else None
