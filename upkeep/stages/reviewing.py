"""Which cases do people look over, and what have they decided?

In the client's store: batches/ (what is asked, by period), to-review/ (the same as .xlsx, .csv and .json for Label
Studio, with its labelling page), inbox/ (files that people drop), reviewed/ (decisions, by when they came back),
returned/ (what each returned file brought, and the rows of those that lay in the inbox), waiting/ (retrains that have
waited for people). Where an MLflow server runs, the questions are a review queue there too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from os.path import splitext

from upkeep import records
from upkeep.adapters import review_queue
from upkeep.adapters.registry import tracking_uri
from upkeep.cases.case import ASKED, Case
from upkeep.cases.collection import Fold
from upkeep.cases.label_history import decision_on
from upkeep.cases.returned import kept_decisions, kept_rows
from upkeep.cases.review_batch import (
    Choice,
    Format,
    Question,
    ReturnedBatch,
    ReviewDecision,
    Row,
    label_studio_config,
    read_back,
    write_csv,
    write_label_studio,
    write_xlsx,
)
from upkeep.cases.review_decisions import Judge, understand
from upkeep.cases.spreadsheet import Rejected, clean
from upkeep.config import Unreviewed
from upkeep.desk import Desk
from upkeep.errors import NotFoundError, SheetError, StoreError
from upkeep.stages.auditing import Drawn, return_audit, returned_rows
from upkeep.stages.contract import undecided
from upkeep.stages.snapshot import decided_by, snapshots, stamp
from upkeep.store import address

TAB = 31
"""Characters that a spreadsheet program takes in the name of a tab."""
INBOX, SENT = "inbox/", "to-review/"
ANSWERABLE = timedelta(days=92)
"""So long answers to a batch are looked for in MLflow. By then a retrain, where the tier has any, has had to decide
what people left open; to ask about all that was ever left open would take a review longer with every week."""
SCHEDULED = re.compile(r"batches/\d{4}-([QW]?)\d+\.json")
"""The record of a week's, a month's or a quarter's batch."""
NAMED = 40
"""Characters of a returned file's name that stand in the name of its copy."""
WRONG = "answered wrong"


@dataclass(frozen=True, slots=True)
class Batch:
    """What people are asked to look over: how many cases, the files by format, and the page where MLflow has them.

    `problem` says why MLflow does not, where it should.
    """

    period: str
    as_of: datetime
    questions: int
    files: dict[Format, str]
    page: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """What one returned file brought; `problem` where it could not be read at all.

    `redacted` counts the answers with personal data in what somebody wrote, in the comment too. `again` where this very
    file had been taken in before, at that time.
    """

    name: str
    at: datetime
    decided: int = 0
    blank: int = 0
    rejected: tuple[Rejected, ...] = ()
    problem: str | None = None
    redacted: int = 0
    again: bool = False

    def __str__(self) -> str:
        if self.problem:
            return f"{self.name}: {self.problem}"
        lines = [f"{self.name}: {self.decided} answers taken in, {self.blank} rows left blank"]
        if self.again:
            before = f"this very file was taken in on {self.at:%Y-%m-%d %H:%M} already ({self.decided} answers)"
            lines = [f"{self.name}: {before}; nothing changed"]
        lines += [f"  personal data taken out of {self.redacted} of them"] if self.redacted else []
        return "\n".join(lines + [f"  row {one.row} not used: {one.reason}" for one in self.rejected])


@dataclass(frozen=True, slots=True)
class Waiting:
    """A retrain that waits until people have looked over some cases."""

    period: str
    as_of: datetime
    reason: str
    cases: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.period} waits until all of {len(self.cases):,} cases are reviewed"


def offer_cases(desk: Desk, period: str, as_of: datetime) -> Batch:
    """Write the batch of a collection: whatever is doubtful, and answers that nobody had been asked for.

    Of more than the client's people are asked about at a time, the doubtful come first, and then what was asked most.
    """
    key = f"batches/{period}.json"
    done = records.load_if_there(desk.store, key, Batch)
    if done:
        return done
    cases = records.load_rows(desk.store, f"cases/{period}.jsonl", Case)
    again = {fold.case: fold.requests for fold in records.load_rows(desk.store, f"folded/{period}.jsonl", Fold)}
    told = [(case, why) for case in cases if (why := _why(case))]
    told.sort(key=lambda one: (one[1] == (WRONG,), -again.get(one[0].id, 0)))
    questions = [_question(desk, case, why) for case, why in told[: desk.client.asked_at_most]]
    records.save_rows(desk.store, f"batches/{period}.jsonl", questions)
    files: dict[Format, str] = {}
    if questions:
        labels = _labels(desk)
        made = {
            Format.XLSX: write_xlsx(questions, labels=labels, tab=period[:TAB]),
            Format.CSV: write_csv(questions),
            Format.LABEL_STUDIO: write_label_studio(questions, labels=labels),
        }
        files = {kind: f"{SENT}{period}.{kind}" for kind in made}
        for kind, data in made.items():
            desk.store.write(files[kind], data)
        desk.store.write(f"{SENT}label-studio.xml", label_studio_config(labels).encode())
    batch = Batch(period, desk.local(as_of), len(questions), files)
    try:
        batch = replace(batch, page=_queue(desk, period, questions))
    except StoreError as exc:  # the files are there
        batch = replace(batch, problem=str(exc))
    records.save(desk.store, key, batch)
    return batch


def return_file(desk: Desk, data: bytes, *, name: str, by: str, at: datetime) -> Returned:
    """Take in a returned batch, all of it or part, or an audit sheet; the same file again changes nothing, and says so.

    Rows that cannot be used come back with the reason, and the others count. A file of which a run that was killed took
    in the decisions came back then. Raises SheetError where it is neither.
    """
    name, by, digest = clean(name), clean(by), _digest(data)
    known = [one for one in desk.store.keys("returned/") if one.endswith(f"{digest}.json")]
    if known:
        return replace(records.load(desk.store, known[0], Returned), name=name, again=True)
    begun = [one for one in desk.store.keys("reviewed/") if one.endswith(f"-{digest}.jsonl")]
    key = begun[0].removeprefix("reviewed/").removesuffix(".jsonl") if begun else f"{stamp(desk.local(at))}-{digest}"
    try:
        filled = read_back(data)
    except SheetError as not_a_batch:
        try:
            audit = return_audit(desk, data, at=at)
        except SheetError:
            raise not_a_batch from None
        found = Returned(name, audit.at, audit.answered, audit.blank, audit.rejected, again=audit.again)
    else:
        back = understand(
            filled,
            asked=list(asked(desk).values()),
            labels=_labels(desk),
            redaction=desk.client.redaction,
            by=by,
            at=desk.local(at),
        )
        found = _keep(desk, back, key, name=name, at=at)
    records.save(desk.store, f"returned/{key}.json", found)
    return found


def take_returns(desk: Desk, as_of: datetime) -> list[Returned]:
    """Take in what people dropped into the inbox and what they answered in MLflow; a file that is none stays there.

    So does one that was saved again while it was taken in: that is the next run's. What is there at `as_of` was given
    before it, so the run that finds it counts it. A run for a time before the newest sheet or batch was sent out leaves
    all to the next one: nobody had answered by then. An MLflow that is down is one of the problems that are returned,
    and holds up nothing.
    """
    desk.store.offer_folder(INBOX)
    if any(sent > desk.local(as_of) for sent in _sent(desk)):
        return []
    given = as_of - timedelta(microseconds=1)
    found: list[Returned] = []
    for key in list(desk.store.keys(INBOX)):
        name = clean(key.removeprefix(INBOX))  # a folder takes names that no text can hold
        try:
            data = _read(desk, key)
            found.append(return_file(desk, data, name=name, by=f"{INBOX}{name}", at=given))
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


def _read(desk: Desk, key: str) -> bytes:
    try:
        return desk.store.read(key)
    except StoreError as exc:
        raise SheetError(f"cannot be read: {exc}") from exc


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


def asked(desk: Desk) -> dict[str, Question]:
    """Every case that people were ever asked to look over, with the answer that they were asked about last."""
    keys = [key for key in desk.store.keys("batches/") if key.endswith(".jsonl")]
    sent = {f"batches/{batch.period}.jsonl": batch.as_of for batch in _batches(desk)}
    keys.sort(key=lambda key: (key not in sent, sent.get(key)))  # a batch of a run that died is the newest
    return {one.id: one for key in keys for one in records.load_rows(desk.store, key, Question)}


def wait_for_review(desk: Desk, period: str, as_of: datetime, reason: str) -> Waiting | None:
    """Note that a retrain waits for people; None where it need not: by the agreement, or because all is done.

    It waits for what they had been asked about when it first did, not for what they are asked about each week since.
    """
    key = f"waiting/{period}.json"
    before = records.load_if_there(desk.store, key, Waiting)
    waiting = before or Waiting(period, desk.local(as_of), reason, tuple(asked(desk)))
    if desk.store.exists(f"claims/{period}.json") or not _undecided(desk, waiting, as_of):
        return None
    if before is None:
        records.save(desk.store, key, waiting)
    return waiting


def waiting(desk: Desk) -> list[Waiting]:
    """The retrains that wait for people, or did and have no decision yet."""
    return [records.load(desk.store, key, Waiting) for key in desk.store.keys("waiting/")]


def no_longer_waiting(desk: Desk, as_of: datetime) -> Waiting | None:
    """A retrain that waited for people and need not any more, as of when it is to be done; None where there is none.

    It is one until it, or another one since, has its decision: a run that was killed goes on as it was booked.
    """
    newest = max(waiting(desk), key=lambda one: one.as_of, default=None)
    if newest is None or _undecided(desk, newest, as_of):
        return None
    claims = desk.claims()
    since = [one for one in claims.values() if one.period == newest.period or one.as_of >= newest.as_of]
    if {one.period for one in since} - undecided(desk, claims):
        return None
    return replace(newest, as_of=max((one.as_of for one in since), default=desk.local(as_of)))


def _batches(desk: Desk) -> list[Batch]:
    return [records.load(desk.store, key, Batch) for key in desk.store.keys("batches/") if key.endswith(".json")]


def _undecided(desk: Desk, waiting: Waiting, as_of: datetime) -> set[str]:
    if desk.client.unreviewed is not Unreviewed.WAIT:
        return set()
    questions, decided = asked(desk), decided_by(desk, desk.local(as_of))
    there = (one for one in waiting.cases if one in questions)  # a person may have been erased
    return {one for one in there if decision_on(questions[one], decided) is None}


def _keep(desk: Desk, back: ReturnedBatch, key: str, *, name: str, at: datetime) -> Returned:
    kept = kept_decisions(back.decided, labels=_labels(desk), redaction=desk.client.redaction)
    if kept.decided and not desk.store.exists(f"reviewed/{key}.jsonl"):
        records.save_rows(desk.store, f"reviewed/{key}.jsonl", kept.decided)
    return Returned(name, desk.local(at), len(back.decided), back.blank, back.rejected, redacted=kept.redacted)


def _copy(desk: Desk, data: bytes) -> bytes:
    """The rows of a file that was taken in, as they may be kept: somebody may have no other copy."""
    try:
        rows: Iterable[Row] = read_back(data).rows
    except SheetError:
        rows = returned_rows(desk, data)
    return kept_rows(rows, labels=_labels(desk), redaction=desk.client.redaction)


def _why(case: Case) -> tuple[str, ...]:
    """Why somebody should look at a case; nothing where nobody needs to."""
    why = [WRONG] if case.was_error and case.source not in ASKED else []
    why += [case.conflict] if case.conflict else []
    why += [doubt.value for doubt in case.doubts]
    if case.suspect is not None:
        why.append(f"a likely mistake: requests like it mostly have another answer ({case.suspect:.0%} for this one)")
    return tuple(why)


def _question(desk: Desk, case: Case, why: tuple[str, ...]) -> Question:
    at = case.valid_from or case.known_from
    if at is None:
        raise StoreError(f"client {desk.client.client}: case {case.id} of a collection has no time")
    return Question(case.id, case.text, case.answer, why, case.given, case.source.value, desk.local(at))


def _labels(desk: Desk) -> list[str]:
    """The labels to choose from: those agreed, those taught since, new categories, what rules lead to; none for free
    text."""
    if desk.client.free_text:
        return []
    taught = {label for one in snapshots(desk)[-1:] for label in one.labels}
    ruled = {rule.new for rule in (*desk.client.relabel, *(one.rule for one in desk.found_rules()))}
    known = {*desk.client.labels, *taught, *ruled, *(one.label for one in desk.use_cases())}
    return [*sorted(known - {desk.client.out_of_scope_label}), desk.client.out_of_scope_label]


def _queue(desk: Desk, period: str, questions: Iterable[Question]) -> str | None:
    """Offer the questions in MLflow too, where a server runs."""
    shown = [review_queue.Shown(one.id, one.text, one.answer, "; ".join(one.why), one.given or "") for one in questions]
    if not shown or not review_queue.available(tracking_uri()):
        return None
    days = None if desk.client.unreviewed is Unreviewed.WAIT else ANSWERABLE.days
    return review_queue.offer(desk.client.client, period, shown, labels=_labels(desk), uri=tracking_uri(), days=days)


def _from_queue(desk: Desk, as_of: datetime) -> list[Returned]:
    """What was answered in MLflow since the last time, of batches with a case that nobody has decided about.

    Only of those lately sent out, but where retrains wait for people: they wait for the old ones too.
    """
    if not review_queue.available(tracking_uri()):
        return []
    before = decided_by(desk, desk.local(as_of))
    waits, labels = desk.client.unreviewed is Unreviewed.WAIT, _labels(desk)
    found = []
    for batch in _batches(desk):
        if batch.page is None or not (waits or batch.as_of >= desk.local(as_of) - ANSWERABLE):
            continue
        rows = records.load_rows(desk.store, f"batches/{batch.period}.jsonl", Question)
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
    if one.decision == Choice.CHANGE and one.answer is None:  # none was chosen, or several
        return Rejected(0, f"{one.id}: change without the right answer")
    row = Row(
        number=0,
        id=one.id,
        request=question.text,
        offered=question.answer,
        decision=one.decision.strip(),
        answer=(one.answer or "").strip(),
        comment=one.comment,
        reviewer=one.by,
        at=one.at,
    )
    try:
        return judge.decide(row, question, by=one.by, at=one.at)
    except SheetError as exc:
        return Rejected(0, f"{one.id}: {exc}")


def to_look_over(desk: Desk, batch: Batch) -> list[str]:
    """What people are asked to look over and where it lies, and what is the matter with it; nothing of no cases."""
    if not batch.questions:
        return []
    place = batch.page or address(desk.store, batch.files[Format.XLSX])
    return [*([batch.problem] if batch.problem else []), f"{batch.questions} cases to look over: {place}"]
