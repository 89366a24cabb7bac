"""What have people said of the cases that they were asked about?

In the client's store: inbox/ (files that people drop), reviewed/ (decisions, by when they came back), returned/ (what
each returned file brought, and the rows of those that lay in the inbox). What was answered in MLflow comes too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from os.path import splitext
from typing import NamedTuple

from upkeep import records
from upkeep.adapters import review_queue
from upkeep.adapters.registry import tracking_uri
from upkeep.cases.audit import is_sheet, refuse_beside_batch
from upkeep.cases.label_history import decision_on
from upkeep.cases.returned import kept_decisions, kept_rows, new_labels, told_new
from upkeep.cases.review_batch import (
    OLE,
    ZIP,
    Choice,
    FilledFile,
    Format,
    Question,
    ReturnedBatch,
    ReviewDecision,
    Row,
    read_back,
)
from upkeep.cases.review_decisions import Judge, contradictions, understand
from upkeep.cases.spreadsheet import Rejected, clean
from upkeep.config import Unreviewed
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.errors import NotFoundError, SheetError, StoreError, require_name
from upkeep.stages.asking import ANSWERABLE, Batch, answers_to_choose, batches, ever_asked
from upkeep.stages.auditing import Drawn, return_audit, returned_rows
from upkeep.stages.snapshot import decided_by, stamp

INBOX = "inbox/"
SCHEDULED = re.compile(r"batches/\d{4}-([QW]?)\d+\.json")
"""The record of a week's, a month's or a quarter's batch."""
NAMED = 40
"""Characters of a returned file's name that stand in the name of its copy."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What one returned file brought; `problem` where it could not be read at all.

    `redacted` counts the answers with personal data in what somebody wrote, in the comment too. `again` where this very
    file had been taken in before, at that time. `new` counts the right answers that are no label yet.
    """

    name: str
    at: datetime
    decided: int = 0
    blank: int = 0
    rejected: tuple[Rejected, ...] = ()
    problem: str | None = None
    redacted: int = 0
    again: bool = False
    new: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.problem:
            return f"{self.name}: {self.problem}"
        taken = count_of(self.decided, "answer")
        lines = [f"{self.name}: {taken} taken in, {count_of(self.blank, 'row')} left blank"]
        if self.again:
            before = f"this very file was taken in on {self.at:%Y-%m-%d %H:%M} already ({taken})"
            lines = [f"{self.name}: {before}; nothing changed"]
        lines += [f"  personal data taken out of {self.redacted} of them"] if self.redacted else []
        lines += [f"  {told_new(self.new)}"] if self.new else []
        return "\n".join(lines + [f"  {one}" for one in self.rejected])


class _Dropped(NamedTuple):
    """A file in the inbox: its key, its name as a text can hold it, and what is in it; or why it cannot be read."""

    key: str
    name: str
    data: bytes
    problem: str | None = None

    @property
    def by(self) -> str:
        """Who decided, where the file does not say."""
        return f"{INBOX}{self.name}"


def return_file(
    desk: Desk, data: bytes, *, name: str, by: str, at: datetime, contested: Mapping[tuple[str, datetime], str] = {}
) -> Returned:
    """Take in a returned batch, all of it or part, or an audit sheet; the same file again changes nothing, and says so.

    Rows that cannot be used come back with the reason, and the others count. A file of which a run that was killed took
    in the decisions came back then. `contested` are the cases, with the time, that another file decides differently,
    with the reason that they do not count. Raises SheetError where it is neither, and PersonError.
    """
    require_name(by)
    name, by, digest = clean(name), clean(by), _digest(data)
    known = _known(desk, data)
    if known:
        return replace(records.load(desk.store, known[0], Returned), name=name, again=True)
    begun = _begun(desk, data)
    key = begun[0].removeprefix("reviewed/").removesuffix(".jsonl") if begun else f"{stamp(desk.local(at))}-{digest}"
    try:
        filled = read_back(data)
    except SheetError as not_a_batch:
        try:
            audit = return_audit(desk, data, at=at)
        except SheetError:
            if is_sheet(data):
                raise
            no_workbook = splitext(name)[1].casefold() == ".xlsx" and not data.startswith((ZIP, OLE))
            raise SheetError(f"no Excel workbook, and {not_a_batch}") if no_workbook else not_a_batch from None
        counts = audit.answered, audit.blank, audit.rejected
        found = Returned(name, audit.at, *counts, again=audit.again, new=audit.new)
    else:
        if filled.format is Format.XLSX:
            refuse_beside_batch(data)
        back = _understood(desk, filled, by=by, at=at, contested=contested)
        found = _keep(desk, back, key, name=name, at=at)
    records.save(desk.store, f"returned/{key}.json", found)
    return found


def take_returns(desk: Desk, as_of: datetime) -> list[Returned]:
    """Take in what people dropped into the inbox and what they answered in MLflow; a file that is none stays there.

    So does one that was saved again while it was taken in: that is the next run's. What is there at `as_of` was given
    before it, so the run that finds it counts it. A run for a time before the newest sheet or batch was sent out leaves
    all to the next one: nobody had answered by then. An MLflow that is down is one of the problems that are returned,
    and holds up nothing. A case that two of the files decide differently is decided by neither, unless one of them says
    when that was: nobody knows which is the later one.
    """
    desk.store.offer_folder(INBOX)
    if any(sent > desk.local(as_of) for sent in _sent(desk)):
        return []
    given = as_of - timedelta(microseconds=1)
    found: list[Returned] = []
    dropped = [_dropped(desk, key) for key in list(desk.store.keys(INBOX))]
    contested = _contested(desk, dropped, at=given)
    for one in dropped:
        key, name, data, problem = one
        try:
            if problem:
                raise SheetError(problem)
            back = return_file(desk, data, name=name, by=one.by, at=given, contested=contested.get(key, {}))
            found.append(back)
        except SheetError as exc:
            found.append(Returned(name, desk.local(as_of), problem=clean(str(exc))))
            continue
        copy = re.sub(r"[^\w.-]", "_", f"{splitext(name)[0]}.csv")[-NAMED:]
        desk.store.write(f"returned/{stamp(desk.local(as_of))}-{_digest(data)}-{copy}", _copy(desk, data))
        with suppress(NotFoundError):  # somebody took it away
            if desk.store.read(key) == data:
                desk.store.delete(key)
    try:
        return [*found, *_from_queue(desk, as_of)]
    except StoreError as exc:
        return [*found, Returned("MLflow", desk.local(as_of), problem=str(exc))]


def _dropped(desk: Desk, key: str) -> _Dropped:
    name = clean(key.removeprefix(INBOX))  # a folder takes names that no text can hold
    try:
        return _Dropped(key, name, desk.store.read(key))
    except StoreError as exc:
        return _Dropped(key, name, b"", f"cannot be read: {exc}")


def _contested(desk: Desk, dropped: Sequence[_Dropped], *, at: datetime) -> dict[str, dict[tuple[str, datetime], str]]:
    """The cases that files of one run decide differently at one moment, by file and case, with the reason in words."""
    new = [one for one in dropped if one.problem is None and _is_of(desk, one.data, at)]
    backs: list[tuple[_Dropped, ReturnedBatch]] = []
    for one in new if len(new) > 1 else []:
        with suppress(SheetError):  # told when it is taken in; an audit sheet is another matter
            backs.append((one, _understood(desk, read_back(one.data), by=one.by, at=at)))
    found = contradictions([(one.name, back) for one, back in backs])
    return {one.key: cases for (one, _), cases in zip(backs, found, strict=True)}


def _is_of(desk: Desk, data: bytes, at: datetime) -> bool:
    """Does a file come back at a moment, and did not before? It does where a run for this moment was killed."""
    begun = _begun(desk, data)
    return not _known(desk, data) and (not begun or begun[0].startswith(f"reviewed/{stamp(desk.local(at))}"))


def _known(desk: Desk, data: bytes) -> list[str]:
    """The record of a file that was taken in, if it was."""
    return [one for one in desk.store.keys("returned/") if one.endswith(f"{_digest(data)}.json")]


def _begun(desk: Desk, data: bytes) -> list[str]:
    """The decisions of a file that were taken in, if any were."""
    return [one for one in desk.store.keys("reviewed/") if one.endswith(f"-{_digest(data)}.jsonl")]


def _understood(
    desk: Desk, filled: FilledFile, *, by: str, at: datetime, contested: Mapping[tuple[str, datetime], str] = {}
) -> ReturnedBatch:
    return understand(
        filled,
        asked=_sent_as(filled, list(ever_asked(desk).values())),
        labels=answers_to_choose(desk),
        redaction=desk.client.redaction,
        by=by,
        at=desk.local(at),
        contested=contested,
    )


def _sent_as(filled: FilledFile, batches: Sequence[Sequence[Question]]) -> list[Question]:
    """What people were asked. Where a file has lost the answers that were offered, and one batch alone has all of its
    cases, these were asked about as in that one.
    """
    ids = {row.id for row in filled.rows}
    own = [batch for batch in batches if ids <= {one.id for one in batch}]
    lost = all(row.offered is None for row in filled.rows)
    others = ids if lost and len(own) == 1 else set()
    return [one for batch in batches for one in batch if batch in own or one.id not in others]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _sent(desk: Desk) -> Iterator[datetime]:
    """When the newest audit sheet and the newest batches were sent out.

    Those of weeks, of months and of quarters went out in the order of their names; those of new categories, which are
    few, whenever there were examples.
    """
    drawn = [key for key in desk.store.keys("audits/") if key.endswith(".json") and key.count("/") == 1]
    yield from (records.load(desk.store, key, Drawn).as_of for key in drawn[-1:])
    keys = [key for key in desk.store.keys("batches/") if key.endswith(".json")]
    newest = {(named[1] if (named := SCHEDULED.fullmatch(key)) else key): key for key in sorted(keys)}
    yield from (records.load(desk.store, key, Batch).as_of for key in newest.values())


def _keep(desk: Desk, back: ReturnedBatch, key: str, *, name: str, at: datetime) -> Returned:
    labels, redaction = answers_to_choose(desk), desk.client.redaction
    kept = kept_decisions(back.decided, labels=labels, redaction=redaction)
    given = (one.answer for one in kept.decided if one.decision is Choice.CHANGE)
    new = new_labels(given, labels=labels, redaction=redaction)
    if kept.decided and not desk.store.exists(f"reviewed/{key}.jsonl"):
        records.save_rows(desk.store, f"reviewed/{key}.jsonl", kept.decided)
    return Returned(name, desk.local(at), len(back.decided), back.blank, back.rejected, redacted=kept.redacted, new=new)


def _copy(desk: Desk, data: bytes) -> bytes:
    """The rows of a file that was taken in, as they may be kept: somebody may have no other copy."""
    try:
        rows: Iterable[Row] = read_back(data).rows
    except SheetError:
        rows = returned_rows(desk, data)
    return kept_rows(rows, labels=answers_to_choose(desk), redaction=desk.client.redaction)


def _from_queue(desk: Desk, as_of: datetime) -> list[Returned]:
    """What was answered in MLflow since the last time, of batches with a case that nobody has decided about.

    Only of those lately sent out, but where retrains wait for people: they wait for the old ones too.
    """
    if not review_queue.available(tracking_uri()):
        return []
    before = decided_by(desk, desk.local(as_of))
    waits, labels = desk.client.unreviewed is Unreviewed.WAIT, answers_to_choose(desk)
    found = []
    sent = ever_asked(desk)
    for batch in batches(desk):
        if batch.page is None or not (waits or batch.as_of >= desk.local(as_of) - ANSWERABLE):
            continue
        rows = sent[batch.period]
        if all(decision_on(one, before) for one in rows):
            continue
        questions = {one.id: one for one in rows}
        try:
            answers = review_queue.collect(desk.client.client, batch.period, uri=tracking_uri())
        except NotFoundError:  # another server's
            continue
        judge = Judge(rows, labels, desk.client.redaction)
        said = [_decided(judge, one, questions[one.id]) for one in answers if one.id in questions]
        new = [one for one in said if isinstance(one, ReviewDecision) and _newer(one, before.get(one.id))]
        unused = [one for one in said if isinstance(one, Rejected)]
        if new or unused:
            back = ReturnedBatch(tuple(new), 0, tuple(unused))
            key = f"{stamp(desk.local(as_of))}-{_digest(records.dump_rows(new))}"
            found.append(_keep(desk, back, key, name=f"MLflow {batch.period}", at=as_of))
    return found


def _newer(one: ReviewDecision, before: ReviewDecision | None) -> bool:
    return before is None or (one.at > before.at and (one.decision, one.answer) != (before.decision, before.answer))


def _decided(judge: Judge, one: review_queue.Reviewed, question: Question) -> ReviewDecision | Rejected:
    """What somebody said in MLflow, judged as the row of a file about the case that was shown."""
    if len(one.answers) > 1 and one.decision != Choice.REJECT:
        found = [judge.shown(answer) for answer in one.answers]
        return Rejected(0, f"case {one.id}: {judge.column}: found {found} chosen, expected one of them")
    row = Row(
        number=0,
        id=one.id,
        request=question.text,
        offered=question.answer,
        decision=one.decision.strip(),
        answer="".join(one.answers[:1]).strip(),
        comment=one.comment,
        reviewer=one.by,
        at=one.at,
    )
    try:
        return judge.decide(row, [question], by=one.by, at=one.at)
    except SheetError as exc:
        return Rejected(0, f"case {one.id}: {exc}")
