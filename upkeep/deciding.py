"""What did people decide about the cases that they were asked to look over?

Every row is judged on its own. A decision counts only for the case that was seen: id, request and the answer offered
have to fit each other, for a column that was sorted on its own would teach a model what nobody said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from upkeep.batch import ANSWER, DECISION, ID, OFFERED, REQUEST, Back, Choice, Decided, Filled, Question, Row, cut
from upkeep.config import Redaction
from upkeep.errors import SheetError
from upkeep.likeness import LOST, Known, damaged, key, merged, mostly_lost
from upkeep.redaction import shown
from upkeep.sheet import Rejected, alike

CELL_ERRORS = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A")
"""What a spreadsheet shows where it took a text for a formula."""


class _Claim(NamedTuple):
    """What a row about a case says: a decision, or why there is none."""

    row: Row
    said: Decided | str


def understand(
    filled: Filled, *, asked: Sequence[Question], labels: Sequence[str], redaction: Redaction, by: str, at: datetime
) -> Back:
    """What was decided about the cases in `asked`; rows that cannot be used come back with the reason.

    `labels` are the answers a classifier knows, none for free text; the reasons show texts as `redaction` lets them be.
    `by` and `at` count where the file itself does not say who decided and when.
    """
    judge = _Judge(asked, labels, redaction)
    claims: dict[str, list[_Claim]] = defaultdict(list)
    rejected: list[Rejected] = []
    blank = 0
    for row in filled.rows:
        if not (row.decision or row.answer or row.comment):
            blank += 1
            continue
        try:
            question = judge.find(row)
        except SheetError as exc:
            rejected.append(Rejected(row.number, str(exc)))
            continue
        claims[question.id].append(_Claim(row, judge.decide(row, question, by=by, at=at)))
    settled = [_settle(about, redaction) for about in claims.values()]
    decided = tuple(one.decided for one in settled if one.decided)
    rejected += [row for one in settled for row in one.rejected]
    return Back(decided, blank, tuple(sorted(rejected, key=lambda one: one.row)))


class _Settled(NamedTuple):
    """What all rows about a case come to: one decision or none, and those of them that do not count."""

    decided: Decided | None
    rejected: list[Rejected]


class _Judge:
    """Knows what was asked, and says of a row what it is about and what it decides."""

    def __init__(self, asked: Sequence[Question], labels: Sequence[str], redaction: Redaction) -> None:
        self.redaction = redaction
        self.asked = {one.id: one for one in asked}
        # labels come first: a slip of the pen is one also where the answer offered for another case has it too
        others = sorted({one.answer for one in asked} - set(labels))
        self.known = [{key(one): one for one in group} for group in (labels, others)]
        self.by_id: defaultdict[str, list[Question]] = defaultdict(list)
        self.by_text: dict[str, str] = {}
        for one in asked:
            self.by_text.setdefault(key(one.text), one.id)
            for form in {key(one.id), *damaged(one.id)}:
                self.by_id[form].append(one)
        self.texts = Known(text for one in asked for text in (one.text, cut(one.text)))
        self.answers = Known(text for one in asked for text in (one.answer, cut(one.answer)))

    def find(self, row: Row) -> Question:
        """The case that a row is about. Raises SheetError where its id, request and offered answer fit none."""
        exact = self.asked.get(row.id)
        named = [exact] if exact else self.by_id.get(key(row.id)) or self.by_id.get(merged(row.id)) or []
        if not named:
            raise SheetError(
                f"{ID}: found {row.id[:80]!r}, expected one of the {len(self.asked)} that were asked about"
            )
        meant = [one for one in named if _is(self.texts, row.request, one.text)]
        if not meant:
            raise SheetError(self._other_request(row, named[0]))
        if len(meant) > 1:
            raise SheetError(f"{ID}: found {row.id!r}, which may be any of {[one.id for one in meant]}, expected one")
        self._check_offer(row, meant[0])
        return meant[0]

    def _shown(self, text: str) -> str:
        return shown(text, self.redaction)

    def _other_request(self, row: Row, question: Question) -> str:
        whose = self.by_text.get(key(row.request))
        found = f"that of {whose!r} (was a column sorted on its own?)" if whose else repr(self._shown(row.request))
        lost = "; characters were lost when the file was saved" if _damaged(row.request, question.text) else ""
        return f"{REQUEST}: found {found}, expected that of {question.id!r}, {self._shown(question.text)!r}{lost}"

    def _check_offer(self, row: Row, question: Question) -> None:
        nothing_to_compare = not row.offered and (row.answer or row.decision.casefold() != Choice.ACCEPT)
        if row.offered is None or nothing_to_compare or _is(self.answers, row.offered, question.answer):
            return
        raise SheetError(
            f"{OFFERED}: found {self._shown(row.offered)!r}, expected {self._shown(question.answer)!r} as it was sent; "
            f"another answer goes into column {ANSWER!r}"
        )

    def decide(self, row: Row, question: Question, *, by: str, at: datetime) -> Decided | str:
        """What a row decides about its case, or why that cannot be used."""
        try:
            decision, answer = self._decision(row, question)
        except SheetError as exc:
            return str(exc)
        return Decided(question.id, decision, answer, row.reviewer or by, row.at or at, row.comment)

    def _decision(self, row: Row, question: Question) -> tuple[Choice, str | None]:
        word = row.decision.casefold()
        offered = self._shown(question.answer)
        as_offered = not row.answer or _same(row.answer, question.answer) or _damaged(row.answer, question.answer)
        if word == Choice.REJECT:
            return Choice.REJECT, None
        if word == Choice.ACCEPT and not as_offered:
            raise SheetError(
                f"{ANSWER}: found {self._shown(row.answer)!r} beside 'accept', expected {offered!r} or nothing"
            )
        if word == Choice.ACCEPT or (not word and row.answer and as_offered):
            return Choice.ACCEPT, question.answer
        if word not in ("", Choice.CHANGE) or not (word or row.answer):
            raise SheetError(f"{DECISION}: found {self._shown(row.decision)!r}, expected one of {[*map(str, Choice)]}")
        if not row.answer:
            raise SheetError(f"{ANSWER}: found nothing beside 'change', expected the right answer")
        if as_offered:
            raise SheetError(f"{ANSWER}: found {offered!r} beside 'change', expected another one than was offered")
        row_lost = not _same(row.request, question.text) and LOST in row.answer
        return Choice.CHANGE, self._changed(row.answer, named=word == Choice.CHANGE, lost=row_lost)

    def _changed(self, answer: str, *, named: bool, lost: bool) -> str:
        """The right answer that somebody gave: a known label, or a new one where `change` says that it is meant."""
        if key(answer) not in self.known[0] and (lost or mostly_lost(answer) or answer in CELL_ERRORS):
            raise SheetError(
                f"{ANSWER}: found {self._shown(answer)!r}, expected words: characters were lost on the way"
            )
        if not self.known[0]:
            return answer
        for known in self.known:
            if key(answer) in known:
                return known[key(answer)]
            near = _near(known.values(), answer)
            if near:
                raise SheetError(f"{ANSWER}: found {self._shown(answer)!r}, did you mean {near}?")
        if not named:
            raise SheetError(
                f"{ANSWER}: found {self._shown(answer)!r}, which is no label, expected 'change' beside a new one"
            )
        return key(answer)


def _settle(claims: Sequence[_Claim], redaction: Redaction) -> _Settled:
    """One decision where all rows about a case agree; a row that cannot be used agrees with none."""
    first = claims[0]
    rows = sorted({one.row.number for one in claims})  # two people's annotations of a task are one row
    sayings = {(one.said.decision, one.said.answer) if isinstance(one.said, Decided) else one.said for one in claims}
    if len(sayings) == 1 and isinstance(first.said, Decided):
        again = f"{ID}: found {first.said.id!r} again, decided alike in row {first.row.number}; that one counts"
        return _Settled(first.said, [Rejected(row, again) for row in rows[1:]])
    found = "; ".join(_saying(one, redaction) for one in claims)
    conflict = f"{DECISION}: found {found}, expected one decision for one {ID}"
    faults = {one.row.number: one.said for one in claims if isinstance(one.said, str)}
    return _Settled(None, [Rejected(row, faults.get(row, conflict)) for row in rows])


def _saying(claim: _Claim, redaction: Redaction) -> str:
    said = claim.said
    if isinstance(said, str):
        return f"one that cannot be used in row {claim.row.number}"
    answer = f" {shown(said.answer, redaction)!r}" if said.decision is Choice.CHANGE and said.answer else ""
    return f"{said.decision}{answer} by {said.by} in row {claim.row.number}"


def _is(known: Known, found: str, wanted: str) -> bool:
    return known.is_it(found, wanted) or known.is_it(found, cut(wanted))


def _same(found: str, wanted: str) -> bool:
    return key(found) in (key(wanted), key(cut(wanted)))


def _damaged(found: str, wanted: str) -> bool:
    forms = damaged(wanted) | damaged(cut(wanted))
    return bool(forms) and merged(found) in forms


def _near(labels: Collection[str], answer: str) -> list[str]:
    """The labels of which the answer may be a slip of the pen, or what a spreadsheet or an old code page left."""
    slips, bare = alike(labels, answer), answer.lstrip("0")
    return [one for one in labels if one in slips or one.lstrip("0") == bare or _damaged(answer, one)]
