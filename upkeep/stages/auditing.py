"""What does an audit leave behind for one client?

Records in the client's store: audits/2026-W47.json (who was drawn), audits/2026-W47.xlsx (the sheet), and what came
back, in audits/returned/ and as outcomes in the production log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from upkeep import records
from upkeep.cases.audit import GIVEN, DrawReason, draw, question, read_sheet, rows_of, understand, write_sheet
from upkeep.cases.returned import new_labels
from upkeep.cases.review_batch import ID, REQUEST, Question, Row
from upkeep.cases.spreadsheet import Rejected
from upkeep.config import Client
from upkeep.desk import Desk
from upkeep.errors import BaseModelError, NotFoundError, SheetError
from upkeep.locks import only_one
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes
from upkeep.log.lines import own_file
from upkeep.log.truth import truth_of
from upkeep.periods import Cadence, Window, last_full, week
from upkeep.stages.asking import answers_to_choose
from upkeep.stages.prerequisites import require_log
from upkeep.stages.request_analysis import edge_cases


@dataclass(frozen=True, slots=True)
class Drawn:
    """A week's audit: out of how many requests, and why each of those asked about was chosen, by id."""

    week: str
    as_of: datetime
    requests: int
    asked: dict[str, DrawReason]


@dataclass(frozen=True, slots=True)
class Returned:
    """What one returned sheet brought, in counts, and the rows that could not be used.

    `again` where this very sheet had been taken in before, at that time. `new` counts the right answers that are no
    label yet.
    """

    week: str
    at: datetime
    answered: int
    blank: int
    rejected: tuple[Rejected, ...]
    again: bool = False
    new: dict[str, int] = field(default_factory=dict)


def sheet_key(week: str) -> str:
    """Where a week's sheet stands in the store."""
    return f"audits/{week}.xlsx"


def draw_audit(desk: Desk, as_of: datetime) -> Drawn:
    """Draw the audit sample of the last full week before `as_of` and write its sheet; once for a week.

    Raises NoLogError where the log began later.
    """
    week = last_full(as_of, Cadence.WEEKLY, desk.zone)
    with only_one(desk.client.client, "audit"):
        return _draw_audit(desk, week, as_of)


def _draw_audit(desk: Desk, week: Window, as_of: datetime) -> Drawn:
    key = f"audits/{week.key}.json"
    done = records.load_if_there(desk.store, key, Drawn)
    if done:
        return done
    require_log(desk, week)
    moment = desk.local(as_of)
    requests, predictions, outcomes = desk.sample_log(week, until=moment, least=desk.client.audit.most)
    asked = draw(
        predictions,
        desk.client.audit,
        seed=f"{desk.client.client} {week.key} audit",
        audited={one.id for one in predictions if _audited(desk.client, one, outcomes.get(one.id, []))},
        answered={one.id for one in predictions if _answered(desk.client, one, outcomes.get(one.id, []))},
        edges=_edges(desk, week, moment),
    )
    if asked:
        rows = [one for one in predictions if one.id in asked]
        sheet = write_sheet(rows, week=week.key, labels=answers_to_choose(desk), client=desk.client)
        desk.store.write(sheet_key(week.key), sheet)
    drawn = Drawn(week.key, moment, requests, asked)
    records.save(desk.store, key, drawn)
    return drawn


def return_audit(desk: Desk, data: bytes, *, at: datetime) -> Returned:
    """Take in a filled sheet, all of it or part: the answers become outcomes given at `at`.

    The same sheet again changes nothing, and says so. Raises SheetError where it is none of a week that was drawn.
    """
    sheet = read_sheet(data)
    drawn = records.load_if_there(desk.store, f"audits/{sheet.week}.json", Drawn)
    if drawn is None:
        known = [key.removeprefix("audits/") for key in desk.store.keys("audits/") if key.endswith(".xlsx")]
        raise SheetError(f"client {desk.client.client}: tab {sheet.week!r} is of no sheet sent out, those are {known}")
    digest = hashlib.sha256(data).hexdigest()[:12]
    record = f"audits/returned/{sheet.week}-{digest}.json"
    done = records.load_if_there(desk.store, record, Returned)
    if done:
        return replace(done, again=True)
    sent, labels = _sent(desk, drawn), answers_to_choose(desk)
    answers = understand(sheet, asked=drawn.asked, sent=sent, labels=labels, client=desk.client, at=desk.local(at))
    write_outcomes(desk.store, answers.outcomes, name=own_file(sheet.week, digest))
    given = (one.answer for one in answers.outcomes)
    new = new_labels(given, labels=labels, redaction=desk.client.redaction)
    back = Returned(sheet.week, desk.local(at), len(answers.outcomes), answers.blank, answers.rejected, new=new)
    records.save(desk.store, record, back)
    return back


def returned_rows(desk: Desk, data: bytes) -> list[Row]:
    """What stands in the rows of a filled sheet. Raises SheetError where it is none."""
    return list(rows_of(read_sheet(data), desk.client))


def _sent(desk: Desk, drawn: Drawn) -> list[Question]:
    """What was asked: as it stands in the log, and what is no longer found there as it stands in the sheet."""
    log = desk.sample_log(week(drawn.week, desk.zone), until=drawn.as_of, least=desk.client.audit.most)
    found = {one.id: question(one) for one in log.predictions if one.id in drawn.asked}
    if found.keys() >= drawn.asked.keys():
        return list(found.values())
    try:
        sheet = read_sheet(desk.store.read(sheet_key(drawn.week)))
    except NotFoundError:  # deleted, as a person in it was erased
        return list(found.values())
    rows = {
        row[ID]: Question(row[ID], row[REQUEST], row.get(GIVEN, ""), (), None, "", drawn.as_of) for row in sheet.rows
    }
    return list({**rows, **found}.values())


def _audited(client: Client, one: Prediction, said: Sequence[Outcome]) -> bool:
    """Has an audit answered what its sheet asks: of free text right or wrong, else the right answer?"""
    by_chance = [opinion for opinion in said if opinion.source is OutcomeSource.AUDIT]
    if client.free_text:
        return any(opinion.correct is not None for opinion in by_chance)
    return _answered(client, one, by_chance)


def _answered(client: Client, one: Prediction, said: Sequence[Outcome]) -> bool:
    """Has anybody said what is right?"""
    return bool(said) and truth_of(one, said, out_of_scope=client.out_of_scope_label).answer is not None


def _edges(desk: Desk, week: Window, moment: datetime) -> list[str]:
    """The week's edge cases, the oddest first, as far as somebody is asked about them and the base model is there."""
    try:
        return [one.id for one in edge_cases(desk, week, until=moment)] if desk.client.audit.edge_cases else []
    except BaseModelError:  # the review says so
        return []
