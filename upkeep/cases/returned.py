"""What is kept of what people returned? All that they wrote, without personal data, but for who they are.

A decision is somebody's: a placeholder would be nobody's name, so `by` stays as it was written, as it does in every
other record of who decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from upkeep.cases.review_batch import COLUMNS, Choice, ReviewDecision, Row
from upkeep.cases.spreadsheet import Column, write_csv_file
from upkeep.counts import count_of
from upkeep.redaction import Redaction, for_name, redact, redact_answer, shown


class Kept(NamedTuple):
    """Decisions as they may be kept, and in how many of them was personal data."""

    decided: tuple[ReviewDecision, ...]
    redacted: int


def kept_decisions(decided: Sequence[ReviewDecision], *, labels: Collection[str], redaction: Redaction) -> Kept:
    """Decisions without personal data in a comment or in a right answer that somebody wrote.

    `labels` are the answers a classifier knows, none for free text. Raises ConfigError when the client's own redactor
    cannot be used.
    """
    kept = tuple(
        replace(
            one,
            # an answer that was accepted is that of the case, and has to stay the same
            answer=_answer(one.answer, labels, redaction) if one.decision is Choice.CHANGE else one.answer,
            comment=redact(one.comment, redaction),
        )
        for one in decided
    )
    return Kept(kept, sum(before != after for before, after in zip(decided, kept, strict=True)))


def new_labels(answers: Iterable[str | None], *, labels: Collection[str], redaction: Redaction) -> dict[str, int]:
    """How often people gave each answer that is none of the `labels`, without personal data; none for free text."""
    if not labels:
        return {}
    named = (one for one in answers if one and one not in labels)
    return dict(sorted(Counter(shown(one, for_name(one, redaction)) for one in named).items()))


def told_new(labels: Mapping[str, int]) -> str:
    """The same in words, as a slip of the pen would be one of them; "" of none."""
    if not labels:
        return ""
    names = ", ".join(f"{label!r} ({n})" if n > 1 else repr(label) for label, n in labels.items())
    there_are = count_of(sum(labels.values()), "answer is a new label", "answers are new labels")
    return f"{there_are}: {names}; where that is a slip, answer the case once more"


def kept_rows(rows: Iterable[Row], *, labels: Collection[str], redaction: Redaction) -> bytes:
    """The rows of a returned file without personal data, as a CSV file; arguments and errors as above."""
    table = (
        (
            redact(row.id, for_name(row.id, redaction)),
            redact(row.request, redaction),
            _answer(row.offered, labels, redaction) or "",
            redact(row.decision, for_name(row.decision, redaction)),
            _answer(row.answer, labels, redaction) or "",
            redact(row.comment, redaction),
            row.reviewer,
        )
        for row in rows
    )
    columns = [Column(name, 0) for name in COLUMNS]
    return write_csv_file(columns, (dict(zip(COLUMNS, cells, strict=True)) for cells in table))


def _answer(answer: str | None, labels: Collection[str], redaction: Redaction) -> str | None:
    if not answer:
        return None
    return (redact_answer(answer, redaction, labels=labels) if labels else redact(answer, redaction)) or None
