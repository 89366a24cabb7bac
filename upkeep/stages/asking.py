"""Which cases are people asked to look over?

In the client's store: batches/ (what is asked, by period), to-review/ (the same as .xlsx, .csv and .json for Label
Studio, with its labelling page). Where an MLflow server runs, the questions are a review queue there too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from upkeep import records
from upkeep.adapters import review_queue
from upkeep.adapters.registry import tracking_uri
from upkeep.cases.case import Case
from upkeep.cases.collection import Fold
from upkeep.cases.label_history import decision_on
from upkeep.cases.review_batch import (
    WRONG,
    Format,
    Question,
    label_studio_config,
    why_asked,
    write_csv,
    write_label_studio,
    write_xlsx,
)
from upkeep.config import Unreviewed
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.errors import StoreError
from upkeep.locks import only_one
from upkeep.stages.snapshot import decided_by, snapshots
from upkeep.store import address

TAB = 31
"""Characters that a spreadsheet program takes in the name of a tab."""
SENT = "to-review/"
WEEKLY = re.compile(r"\d{4}-W\d{2}")
ANSWERABLE = timedelta(days=92)
"""So long answers to a batch are looked for in MLflow. By then a retrain, where the tier has any, has had to decide
what people left open; to ask about all that was ever left open would take a review longer with every week."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What people are asked to look over: how many cases, the files by format, and the page where MLflow has them.

    `problem` says why MLflow does not, where it should. `beyond` are the cases that there was a reason to ask about
    too, more than the client's people are asked about at a time: a later batch that has room for them has them.
    """

    period: str
    as_of: datetime
    questions: int
    files: dict[Format, str]
    page: str | None = None
    problem: str | None = None
    beyond: int = 0


def offer_cases(desk: Desk, period: str, as_of: datetime) -> Batch:
    """Write the batch of a collection: whatever is doubtful, and answers that nobody had been asked for.

    Of more than the client's people are asked about at a time, the doubtful come first, and then what was asked most.
    Where a week's batch has room, what those of earlier weeks had none for follows.
    """
    with only_one(desk.client.client, "batch"):
        return _offer_cases(desk, period, as_of)


def _offer_cases(desk: Desk, period: str, as_of: datetime) -> Batch:
    key = f"batches/{period}.json"
    done = records.load_if_there(desk.store, key, Batch)
    if done:
        return done
    told, most = _reasons(desk, period), desk.client.asked_at_most
    left = _left_over(desk, period, as_of) if len(told) < most and WEEKLY.fullmatch(period) else []
    questions = [_question(desk, case, why) for case, why in [*told, *left][:most]]
    records.save_rows(desk.store, f"batches/{period}.jsonl", questions)
    files: dict[Format, str] = {}
    if questions:
        labels = answers_to_choose(desk)
        made = {
            Format.XLSX: write_xlsx(questions, labels=labels, tab=period[:TAB]),
            Format.CSV: write_csv(questions),
            Format.LABEL_STUDIO: write_label_studio(questions, labels=labels),
        }
        files = {kind: f"{SENT}{period}.{kind}" for kind in made}
        for kind, data in made.items():
            desk.store.write(files[kind], data)
        desk.store.write(f"{SENT}label-studio.xml", label_studio_config(labels).encode())
    batch = Batch(period, desk.local(as_of), len(questions), files, beyond=max(len(told) - most, 0))
    try:
        batch = replace(batch, page=_queue(desk, period, questions))
    except StoreError as exc:  # the files are there
        batch = replace(batch, problem=str(exc))
    records.save(desk.store, key, batch)
    return batch


def _reasons(desk: Desk, period: str) -> list[tuple[Case, tuple[str, ...]]]:
    """The cases of a collection that there is a reason to ask about, with it; the most telling first."""
    cases = records.load_rows(desk.store, f"cases/{period}.jsonl", Case)
    again = {fold.case: fold.requests for fold in records.load_rows(desk.store, f"folded/{period}.jsonl", Fold)}
    told = [(case, why) for case in cases if (why := why_asked(case))]
    return sorted(told, key=lambda one: (one[1] == (WRONG,), -again.get(one[0].id, 0)))


def _left_over(desk: Desk, period: str, as_of: datetime) -> list[tuple[Case, tuple[str, ...]]]:
    """The same of earlier weeks' batches that nobody was asked about, the newest week's first."""
    moment = desk.local(as_of)
    weekly = [one for one in batches(desk) if one.beyond and WEEKLY.fullmatch(one.period)]
    lately = [one for one in weekly if moment - ANSWERABLE <= one.as_of <= moment]
    if not lately:
        return []
    done = asked(desk, but=period)  # whose rows a run that died may have written
    newest = sorted(lately, key=lambda one: one.as_of, reverse=True)
    return [one for batch in newest for one in _reasons(desk, batch.period) if one[0].id not in done]


def batches(desk: Desk) -> list[Batch]:
    """All that people were ever asked to look over."""
    return [records.load(desk.store, key, Batch) for key in desk.store.keys("batches/") if key.endswith(".json")]


def asked(desk: Desk, *, but: str = "") -> dict[str, Question]:
    """Every case that people were ever asked to look over, with the answer that they were asked about last.

    What they were asked in the period `but` is left out.
    """
    return {one.id: one for rows in ever_asked(desk, but=but).values() for one in rows}


def ever_asked(desk: Desk, *, but: str = "") -> dict[str, list[Question]]:
    """All questions by period, those of the oldest batch first; each with the time from which on the case is asked
    about with another answer, if it is.
    """
    keys = [key for key in desk.store.keys("batches/") if key.endswith(".jsonl") and key != f"batches/{but}.jsonl"]
    sent = {f"batches/{batch.period}.jsonl": batch.as_of for batch in batches(desk)}
    keys.sort(key=lambda key: (key not in sent, sent.get(key)))  # a batch of a run that died is the newest
    found = {key: records.load_rows(desk.store, key, Question) for key in keys}
    newer: dict[str, tuple[Question, datetime | None]] = {}
    for key in reversed(keys):
        for at, one in enumerate(found[key]):
            after, since = newer.get(one.id, (one, None))
            found[key][at] = replace(one, until=after.until if after.answer == one.answer else since)
            newer[one.id] = found[key][at], sent.get(key)
    return {key.removeprefix("batches/").removesuffix(".jsonl"): rows for key, rows in found.items()}


def answers_to_choose(desk: Desk) -> list[str]:
    """The labels to choose from: those agreed, those taught since, new categories, what rules lead to; none for free
    text."""
    if desk.client.free_text:
        return []
    taught = {label for one in snapshots(desk)[-1:] for label in one.labels}
    ruled = {rule.new for rule in (*desk.client.relabel, *(one.rule for one in desk.found_rules()))}
    known = {*desk.client.labels, *taught, *ruled, *(one.label for one in desk.new_categories())}
    return [*sorted(known - {desk.client.out_of_scope_label}), desk.client.out_of_scope_label]


def left_to_look_over(desk: Desk, batch: Batch, as_of: datetime) -> int:
    """How many of the cases that people were asked about had no decision at a moment."""
    if not batch.questions:
        return 0
    decided = decided_by(desk, desk.local(as_of))
    questions = records.load_rows(desk.store, f"batches/{batch.period}.jsonl", Question)
    return sum(decision_on(one, decided) is None for one in questions)


def to_look_over(desk: Desk, batch: Batch, as_of: datetime) -> list[str]:
    """What people have yet to look over and where it lies, and what is the matter with it; nothing of no cases."""
    left = left_to_look_over(desk, batch, as_of)
    if not left:
        return []
    place = batch.page or address(desk.store, batch.files[Format.XLSX])
    beyond = f" ({batch.beyond:,} more beyond asked_at_most)" if batch.beyond else ""
    return [*([batch.problem] if batch.problem else []), f"{count_of(left, 'case')} to look over{beyond}: {place}"]


def _question(desk: Desk, case: Case, why: tuple[str, ...]) -> Question:
    at = case.asked_at or case.valid_from or case.known_from
    if at is None:
        raise StoreError(f"client {desk.client.client}: case {case.id} of a collection has no time")
    asked = Question(case.id, case.text, case.answer, why, case.given, case.source.value, desk.local(at))
    return replace(asked, known_from=None if case.known_from is None else desk.local(case.known_from))


def _queue(desk: Desk, period: str, questions: Iterable[Question]) -> str | None:
    """Offer the questions in MLflow too, where a server runs."""
    shown = [review_queue.Shown(one.id, one.text, one.answer, "; ".join(one.why), one.given or "") for one in questions]
    if not shown or not review_queue.available(tracking_uri()):
        return None
    days = None if desk.client.unreviewed is Unreviewed.WAIT else ANSWERABLE.days
    return review_queue.offer(
        desk.client.client, period, shown, labels=answers_to_choose(desk), uri=tracking_uri(), days=days
    )
