"""Which answers should people check this week, and what did they say?

Outcomes that come back by themselves are mostly errors, so accuracy is estimated from a simple random sample. Beside it
people are asked about the answers the model was least sure of and about the oddest requests, where nobody has said yet
what is right: those teach most, and are left out of every estimate. What another audit by chance has answered counts in
the sample without being asked again: two samples by chance are one together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from upkeep.cases.case import fraction, normalise
from upkeep.cases.review_batch import ID, REQUEST, Question, Row, cut
from upkeep.cases.review_decisions import Judge, RowClaim, agreed
from upkeep.cases.spreadsheet import Column, Rejected, Tab, read_workbook, write_workbook
from upkeep.config import Audit, Client
from upkeep.errors import SheetError
from upkeep.log.entries import Outcome, OutcomeSource, Prediction

WHEN, GIVEN, VERDICT, ANSWER = "when", "answer given", "right or wrong", "right answer"
COLUMNS = (ID, REQUEST, ANSWER)
"""The columns that a returned sheet has to have."""
RIGHT, WRONG = "right", "wrong"


class Sheet(NamedTuple):
    """A returned sheet: its week, and below the first row each row by column."""

    week: str
    rows: list[dict[str, str]]


class DrawReason(StrEnum):
    """Why somebody is asked about an answer."""

    RANDOM = "random"
    UNSURE = "unsure"
    EDGE_CASE = "edge case"


SOURCES = {
    DrawReason.RANDOM: OutcomeSource.AUDIT,
    DrawReason.UNSURE: OutcomeSource.UNSURE,
    DrawReason.EDGE_CASE: OutcomeSource.UNSURE,
}


@dataclass(frozen=True, slots=True)
class AuditAnswers:
    """What a returned sheet said: the outcomes, how many rows were left blank, and the rows that cannot be used."""

    outcomes: tuple[Outcome, ...]
    blank: int
    rejected: tuple[Rejected, ...]


def draw(
    predictions: Sequence[Prediction],
    wanted: Audit,
    *,
    seed: str,
    audited: Collection[str] = (),
    answered: Collection[str] = (),
    edges: Iterable[str] = (),
) -> dict[str, DrawReason]:
    """Choose some predictions by chance, some of the least confident others, and the first of the `edges`; by id.

    The random part depends on the ids and the seed alone: every subset of its size is as likely, and doing it again
    gives the same. Those of it that an audit has answered (`audited`) are left out, and none is drawn in their place;
    what anybody else has answered is not, as that is mostly errors. Of the others those whose right answer is known
    (`answered`) are not asked about.
    """
    shuffled = sorted(predictions, key=lambda one: (fraction(f"{seed} {one.id}"), one.id))
    chosen = {one.id: DrawReason.RANDOM for one in shuffled[: wanted.random] if one.id not in audited}
    others = {one.id: one.confidence for one in shuffled[wanted.random :] if one.id not in answered}
    unsure = sorted(others, key=lambda id: (others[id], id))[: wanted.unsure]
    chosen |= dict.fromkeys(unsure, DrawReason.UNSURE)
    odd = [id for id in edges if id in others and id not in chosen][: wanted.edge_cases]
    return chosen | dict.fromkeys(odd, DrawReason.EDGE_CASE)


def write_sheet(predictions: Sequence[Prediction], *, week: str, labels: Sequence[str], client: Client) -> bytes:
    """An Excel workbook (.xlsx) to be filled in, its tab named after the week.

    One row is one request, its right answer to be chosen from `labels`, none for free text. Why a row was chosen is not
    shown, nor for a classifier what the model said: both would sway whoever answers. Ids are text, which a CSV file
    opened in a spreadsheet would not keep.
    """
    rows = [
        {
            ID: one.id,
            WHEN: f"{one.at.astimezone(client.zone):%Y-%m-%d %H:%M}",
            REQUEST: cut(one.input),
            GIVEN: cut(one.output or ""),
        }
        for one in predictions
    ]
    return write_workbook(week, _columns(client, labels), rows)


def read_sheet(data: bytes) -> Sheet:
    """A returned sheet's week and rows: the tab that is filled in, the first where none is.

    Raises SheetError where it is not an Excel workbook with a first row, or several tabs are filled in.
    """
    tabs = read_workbook(data)
    filled = _filled_in(tabs)
    if len(filled) > 1:
        titles = [one.week for one in filled]
        why = "its name says which week a tab is of, so save each as a file of its own"
        raise SheetError(f"tabs {titles} are filled in, expected one: {why}")
    if filled:
        return filled[0]
    head, _ = _table(tabs[0])
    missing = [name for name in COLUMNS if name not in head]
    if missing:
        raise SheetError(f"tab {tabs[0].title!r}: the first row is {head}, expected columns {missing} too")
    return _sheet(tabs[0])


def is_sheet(data: bytes) -> bool:
    """Is a file a workbook with an audit sheet, whatever is the matter with it?"""
    try:
        return any(map(_has_columns, read_workbook(data)))
    except SheetError:
        return False


def refuse_beside_batch(data: bytes) -> None:
    """Raises SheetError where a workbook that has a batch has filled in audit sheets too: nobody would read those."""
    titles = [one.week for one in _filled_in(read_workbook(data))]
    if titles:
        raise SheetError(f"tabs {titles} of an audit beside a batch, expected each in a file of its own")


def rows_of(sheet: Sheet, client: Client) -> Iterator[Row]:
    """The rows of a returned sheet as those of a batch, a verdict being the decision."""
    return (_row(number, cells, client) for number, cells in enumerate(sheet.rows, start=2))


def question(prediction: Prediction) -> Question:
    """A request as it was asked about."""
    given = prediction.output or ""
    return Question(prediction.id, prediction.input, given, (), None, "", prediction.at)


def understand(
    sheet: Sheet,
    *,
    asked: Mapping[str, DrawReason],
    sent: Iterable[Question],
    labels: Sequence[str],
    client: Client,
    at: datetime,
) -> AuditAnswers:
    """What was filled in, as outcomes given at `at`; rows that cannot be used come back with the reason.

    An answer counts only for the request that was seen: id and request have to be those that were `sent`. `labels` are
    the answers a classifier knows, none for free text.
    """
    judge = Judge([one for one in sent if one.id in asked], labels, client.redaction, column=ANSWER)
    claims: dict[str, list[RowClaim[Outcome]]] = defaultdict(list)
    rejected: list[Rejected] = []
    blank = 0
    for row, cells in zip(rows_of(sheet, client), sheet.rows, strict=True):
        if not row.answer and not row.decision:
            blank += any(cells.values())
            continue
        try:
            about = judge.about(row)[-1]
        except SheetError as exc:
            rejected.append(Rejected(row.number, str(exc)))
            continue
        claims[about.id].append(_claim(row, judge, about, source=SOURCES[asked[about.id]], client=client, at=at))
    settled = [agreed(id, about, column=ANSWER) for id, about in claims.items()]
    rejected += [row for one in settled for row in one.rejected]
    outcomes = tuple(one.said for one in settled if one.said)
    return AuditAnswers(outcomes, blank, tuple(sorted(rejected, key=lambda one: one.row)))


def _filled_in(tabs: Iterable[Tab]) -> list[Sheet]:
    """The sheets of an audit among the tabs of a workbook in which somebody has answered."""
    sheets = [_sheet(tab) for tab in tabs if _has_columns(tab)]
    return [one for one in sheets if any(row.get(ANSWER) or row.get(VERDICT) for row in one.rows)]


def _has_columns(tab: Tab) -> bool:
    return set(COLUMNS) <= set(_table(tab)[0])


def _sheet(tab: Tab) -> Sheet:
    head, rows = _table(tab)
    return Sheet(tab.title, [dict(zip(head, row, strict=False)) for row in rows])


def _table(tab: Tab) -> tuple[list[str], list[list[str]]]:
    """The first row and those below it."""
    rows = [[cell.strip() for cell in row] for row in tab.rows]
    return (rows[0], rows[1:]) if rows else ([], [])


def _columns(client: Client, labels: Sequence[str]) -> list[Column]:
    asked = [Column(ID, 14), Column(WHEN, 17), Column(REQUEST, 90)]
    if client.free_text:
        asked += [Column(GIVEN, 60), Column(VERDICT, 16, (RIGHT, WRONG))]
    return [*asked, Column(ANSWER, 34, tuple(labels))]


def _row(number: int, cells: Mapping[str, str], client: Client) -> Row:
    given = cells.get(GIVEN) if client.free_text else None
    verdict, answer = cells.get(VERDICT, "").lower(), cells.get(ANSWER, "")
    return Row(number, cells.get(ID, ""), cells.get(REQUEST, ""), given, verdict, answer, comment="", reviewer="")


def _claim(
    row: Row, judge: Judge, about: Question, *, source: OutcomeSource, client: Client, at: datetime
) -> RowClaim[Outcome]:
    """What a row says about its request, or why that cannot be used."""
    try:
        _check_verdict(row, judge, about, client)
        answer = judge.right_answer(row.answer, named=True) if row.answer else None
    except SheetError as exc:
        return RowClaim(row.number, None, str(exc))
    said = Outcome(about.id, at, source, answer, row.decision == RIGHT if row.decision else None)
    words = " ".join(filter(None, (row.decision, judge.shown(answer) if answer else "")))
    return RowClaim(row.number, said, (said.answer, said.correct), repr(words))


def _check_verdict(row: Row, judge: Judge, about: Question, client: Client) -> None:
    if row.decision not in ("", RIGHT, WRONG):
        raise SheetError(f"{VERDICT}: found {judge.shown(row.decision)!r}, expected {RIGHT!r} or {WRONG!r}")
    if client.free_text and not row.decision:  # a better wording alone does not say that the given one was wrong
        raise SheetError(f"{VERDICT}: found nothing beside an answer, expected {RIGHT!r} or {WRONG!r}")
    if row.decision == WRONG and row.answer and normalise(row.answer) == normalise(about.answer):
        raise SheetError(f"{ANSWER}: found the given answer, expected another one beside {WRONG!r}")
    if not judge.fits_offer(row, about):
        raise SheetError(
            f"{GIVEN}: found {judge.shown(row.offered or '')!r}, expected {judge.shown(about.answer)!r} as it was sent"
        )
