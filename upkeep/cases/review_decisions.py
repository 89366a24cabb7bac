"""What did people decide about the cases that they were asked to look over?

Every row is judged on its own. A decision counts only for the case that was seen: id, request and the answer offered
have to fit each other, for a column that was sorted on its own would teach a model what nobody said. A case that was
asked about again with another answer has several questions, and a row decides about the one that it has the answer of.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from upkeep.cases.mangled_text import LOST, Known, comparable, damaged, merged, mostly_lost
from upkeep.cases.review_batch import (
    ANSWER,
    DECISION,
    ID,
    OFFERED,
    REQUEST,
    Choice,
    FilledFile,
    Question,
    ReturnedBatch,
    ReviewDecision,
    Row,
    cut,
)
from upkeep.cases.spreadsheet import Rejected, likely_typos_of, made_by_spreadsheet, place
from upkeep.errors import SheetError
from upkeep.redaction import Redaction, for_name, shown

CELL_ERRORS = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A")
"""What a spreadsheet shows where it took a text for a formula."""
BETWEEN = re.compile("[,;\n]")
"""What people, and an export of several choices, write between two labels. A `/` may be a part of one."""
JUST = timedelta(microseconds=1)


Said = TypeVar("Said")


class RowClaim(NamedTuple, Generic[Said]):
    """What a row about a case says, in `words` too: rows have to agree in its `content`.

    Of a row that cannot be used nothing is said, and its content is the reason.
    """

    row: int
    said: Said | None
    content: object
    words: str = "one that cannot be used"
    tab: str = ""


class Settled(NamedTuple, Generic[Said]):
    """What all rows about a case come to: one saying or none, and those of them that do not count."""

    said: Said | None
    rejected: list[Rejected]


def understand(
    filled: FilledFile,
    *,
    asked: Sequence[Question],
    labels: Sequence[str],
    redaction: Redaction,
    by: str,
    at: datetime,
    contested: Mapping[tuple[str, datetime], str] = {},
) -> ReturnedBatch:
    """What was decided about the questions `asked`, oldest first; rows that cannot be used come back with the reason.

    `labels` are the answers a classifier knows, none for free text; the reasons show texts as `redaction` lets them be.
    `by` and `at` count where the file itself does not say who decided and when. `contested` are the cases, with the
    time, that another file decides differently, each with the reason that its rows do not count.
    """
    judge = Judge(asked, labels, redaction)
    claims: dict[tuple[str, datetime | None], list[RowClaim[ReviewDecision]]] = defaultdict(list)
    rejected: list[Rejected] = []
    blank = 0
    for row in filled.rows:
        if not (row.decision or row.answer or row.comment or row.fault):
            blank += 1
            continue
        try:
            questions = judge.find(row)
        except SheetError as exc:
            rejected.append(Rejected(row.number, row.fault or str(exc), row.tab))
            continue
        claims[questions[-1].id, questions[-1].until].append(_claim(row, judge, questions, by=by, at=at))
    settled = [_settled(id, about, contested) for (id, _), about in claims.items()]
    decided = tuple(one.said for one in settled if one.said)
    words = {(about[0].said.id, about[0].said.at): _with_row(about[0]) for about in claims.values() if about[0].said}
    rejected += [row for one in settled for row in one.rejected]
    order = {(row.tab, row.number): at for at, row in enumerate(filled.rows)}
    in_order = tuple(sorted(rejected, key=lambda one: order[one.tab, one.row]))
    return ReturnedBatch(decided, blank, in_order, words)


def contradictions(files: Sequence[tuple[str, ReturnedBatch]]) -> list[dict[tuple[str, datetime], str]]:
    """For each file, by name, the cases that another decides differently, when, and who said what in which of them.

    Of two decisions of which one was made before the other there is none, for the later one holds.
    """
    said: dict[tuple[str, datetime], list[tuple[ReviewDecision, str]]] = defaultdict(list)
    for name, back in files:
        for one in back.decided:
            said[one.id, one.at].append((one, f"{back.words[one.id, one.at]} of {name!r}"))
    differ = {
        about: _conflict(DECISION, [words for _, words in at_once])
        for about, at_once in said.items()
        if len({(one.decision, one.answer) for one, _ in at_once}) > 1
    }
    return [
        {about: differ[about] for one in back.decided if (about := (one.id, one.at)) in differ} for _, back in files
    ]


class Judge:
    """Knows what was asked, and says of a row what it is about and what it decides.

    `column` is the one with the right answer.
    """

    def __init__(
        self, asked: Sequence[Question], labels: Sequence[str], redaction: Redaction, *, column: str = ANSWER
    ) -> None:
        self.column, self.redaction = column, redaction
        self.asked: defaultdict[str, list[Question]] = defaultdict(list)
        # labels come first: a slip of the pen is one also where the answer offered for another case has it too
        others = sorted({one.answer for one in asked} - {*labels, ""})
        self.known = [{comparable(one): one for one in group} for group in (labels, others)]
        self.by_id: defaultdict[str, list[Question]] = defaultdict(list)
        self.by_text: dict[str, str] = {}
        for one in asked:
            self.asked[one.id].append(one)
            self.by_text.setdefault(comparable(one.text), one.id)
            for form in {comparable(one.id), *damaged(one.id)}:
                self.by_id[form].append(one)
        self.texts = Known(text for one in asked for text in (one.text, cut(one.text)))
        self.answers = Known(text for one in asked for text in (one.answer, cut(one.answer)))

    def find(self, row: Row) -> list[Question]:
        """The questions about a case that a row may answer, the oldest first.

        Raises SheetError where its id, request and offered answer fit none.
        """
        sent = self.about(row)
        fit = [one for one in sent if self.fits_offer(row, one)]
        if not fit:
            raise SheetError(
                f"{OFFERED}: found {self.shown(row.offered or '')!r}, expected {self._offered(sent)} as it was sent; "
                f"another answer goes into column {self.column!r}"
            )
        return fit

    def about(self, row: Row) -> list[Question]:
        """The questions about the case whose id and request a row has. Raises SheetError where there is none."""
        named = self.asked.get(row.id) or self.by_id.get(comparable(row.id)) or self.by_id.get(merged(row.id)) or []
        if not named:
            found = shown(row.id, for_name(row.id, self.redaction))
            raise SheetError(f"{ID}: found {found!r}, expected one of the {len(self.asked)} that were asked about")
        meant = [one for one in named if _is(self.texts, row.request, one.text)]
        if not meant:
            raise SheetError(self._other_request(row, named[0]))
        ids = list(dict.fromkeys(one.id for one in meant))
        if len(ids) > 1:
            raise SheetError(f"{ID}: found {row.id!r}, which may be any of {ids}, expected one")
        return meant

    def shown(self, text: str) -> str:
        """A text as it may be shown: without personal data, shortened."""
        return shown(text, self.redaction)

    def _offered(self, sent: Iterable[Question]) -> str:
        return " or ".join(dict.fromkeys(repr(self.shown(one.answer)) for one in sent))

    def _other_request(self, row: Row, question: Question) -> str:
        whose = self.by_text.get(comparable(row.request))
        found = f"that of {whose!r} (was a column sorted on its own?)" if whose else repr(self.shown(row.request))
        lost = "; characters were lost when the file was saved" if _damaged(row.request, question.text) else ""
        return f"{REQUEST}: found {found}, expected that of {question.id!r}, {self.shown(question.text)!r}{lost}"

    def fits_offer(self, row: Row, question: Question) -> bool:
        """Does a row have the answer that was sent out, if it has any?"""
        nothing_to_compare = not row.offered and (row.answer or row.decision.casefold() != Choice.ACCEPT)
        return row.offered is None or bool(nothing_to_compare) or _is(self.answers, row.offered, question.answer)

    def decide(self, row: Row, questions: Sequence[Question], *, by: str, at: datetime) -> ReviewDecision:
        """What a row decides about its case, whichever of some questions it answers.

        Raises SheetError where that cannot be used, or is not the same for all of them.
        """
        said: dict[tuple[Choice, str | None], Question] = {}
        faults: list[SheetError] = []
        for one in questions:
            try:
                said[self._decision(row, one)] = one
            except SheetError as exc:
                faults.append(exc)
        if not said:
            raise faults[-1]
        if len(said) > 1:
            raise SheetError(
                f"{OFFERED}: found nothing, expected {self._offered(questions)}: the case was asked about with each"
            )
        [((decision, answer), question)] = said.items()
        when = row.at or at
        before = question.until - JUST if question.until else when  # the newer answer was not seen
        return ReviewDecision(question.id, decision, answer, row.reviewer or by, min(when, before), row.comment)

    def _decision(self, row: Row, question: Question) -> tuple[Choice, str | None]:
        word = row.decision.casefold()
        offered = self.shown(question.answer)
        as_offered = not row.answer or _same(row.answer, question.answer) or _damaged(row.answer, question.answer)
        if word == Choice.REJECT:
            return Choice.REJECT, None
        if word == Choice.ACCEPT and not as_offered:
            raise SheetError(
                f"{ANSWER}: found {self.shown(row.answer)!r} beside 'accept', expected {offered!r} or nothing"
            )
        if word == Choice.ACCEPT or (not word and row.answer and as_offered):
            return Choice.ACCEPT, question.answer
        if word not in ("", Choice.CHANGE) or not (word or row.answer):
            raise SheetError(f"{DECISION}: found {self.shown(row.decision)!r}, expected one of {[*map(str, Choice)]}")
        if not row.answer:
            raise SheetError(f"{ANSWER}: found nothing beside 'change', expected the right answer")
        if as_offered:
            raise SheetError(f"{ANSWER}: found {offered!r} beside 'change', expected another one than was offered")
        row_lost = not _same(row.request, question.text) and LOST in row.answer
        return Choice.CHANGE, self.right_answer(row.answer, named=word == Choice.CHANGE, lost=row_lost)

    def right_answer(self, answer: str, *, named: bool, lost: bool = False) -> str:
        """The right answer that somebody gave: a known label, or a new one that is `named` as such.

        Raises SheetError where it is neither, or what a spreadsheet or an old code page made of one.
        """
        if comparable(answer) not in self.known[0] and (lost or mostly_lost(answer) or answer in CELL_ERRORS):
            raise SheetError(
                f"{self.column}: found {self.shown(answer)!r}, expected words: characters were lost on the way"
            )
        if not self.known[0]:
            return answer
        for known in self.known:
            if comparable(answer) in known:
                return known[comparable(answer)]
            near = _near(known.values(), answer)
            if near:
                raise SheetError(f"{self.column}: found {self.shown(answer)!r}, did you mean {near}?")
        if all(comparable(part) in self.known[0] for part in BETWEEN.split(answer)):
            raise SheetError(f"{self.column}: found {self.shown(answer)!r}, which are several labels, expected one")
        if made_by_spreadsheet(answer):
            raise SheetError(
                f"{self.column}: found {self.shown(answer)!r}, which is no label and may be what a spreadsheet made of "
                "one, expected words"
            )
        if not named:
            raise SheetError(
                f"{self.column}: found {self.shown(answer)!r}, which is no label, expected 'change' beside a new one"
            )
        return comparable(answer)


def agreed(id: str, claims: Sequence[RowClaim[Said]], *, column: str) -> Settled[Said]:
    """One saying where all rows about a case agree; a row that cannot be used agrees with none.

    `column` is the one that the rows contradict each other in.
    """
    first, rows = claims[0], _rows(claims)
    if first.said is not None and len({one.content for one in claims}) == 1:
        again = f"{ID}: found {id!r} again, decided alike in {place(first.row, first.tab)}; that one counts"
        return Settled(first.said, [Rejected(row, again, tab) for row, tab in rows[1:]])
    conflict = _conflict(column, map(_with_row, claims))
    faults = {(one.row, one.tab): str(one.content) for one in claims if one.said is None}
    return Settled(None, [Rejected(row, faults.get((row, tab), conflict), tab) for row, tab in rows])


def _settled(
    id: str, claims: Sequence[RowClaim[ReviewDecision]], contested: Mapping[tuple[str, datetime], str]
) -> Settled[ReviewDecision]:
    found = agreed(id, claims, column=DECISION)
    differs = found.said and contested.get((found.said.id, found.said.at))
    return _none_of(claims, differs) if differs else found


def _none_of(claims: Sequence[RowClaim[Said]], why: str) -> Settled[Said]:
    return Settled(None, [Rejected(row, why, tab) for row, tab in _rows(claims)])


def _rows(claims: Sequence[RowClaim[Said]]) -> list[tuple[int, str]]:
    """The rows with their tabs, each once: two people's annotations of a task are one row."""
    return list(dict.fromkeys((one.row, one.tab) for one in claims))


def _with_row(claim: RowClaim[Said]) -> str:
    return f"{claim.words} in {place(claim.row, claim.tab)}"


def _conflict(column: str, said: Iterable[str]) -> str:
    return f"{column}: found {'; '.join(said)}, expected one decision for one {ID}"


def _claim(row: Row, judge: Judge, questions: Sequence[Question], *, by: str, at: datetime) -> RowClaim[ReviewDecision]:
    try:
        if row.fault:
            raise SheetError(row.fault)
        said = judge.decide(row, questions, by=by, at=at)
    except SheetError as exc:
        return RowClaim(row.number, None, str(exc), tab=row.tab)
    answer = f" {judge.shown(said.answer)!r}" if said.decision is Choice.CHANGE and said.answer else ""
    return RowClaim(row.number, said, (said.decision, said.answer), f"{said.decision}{answer} by {said.by}", row.tab)


def _is(known: Known, found: str, wanted: str) -> bool:
    return known.is_it(found, wanted) or known.is_it(found, cut(wanted))


def _same(found: str, wanted: str) -> bool:
    return comparable(found) in (comparable(wanted), comparable(cut(wanted)))


def _damaged(found: str, wanted: str) -> bool:
    forms = damaged(wanted) | damaged(cut(wanted))
    return bool(forms) and merged(found) in forms


def _near(labels: Collection[str], answer: str) -> list[str]:
    """The labels of which the answer may be a slip of the pen, or what a spreadsheet or an old code page left."""
    slips, bare = likely_typos_of(labels, answer), answer.lstrip("0")
    return [one for one in labels if one in slips or one.lstrip("0") == bare or _damaged(answer, one)]
