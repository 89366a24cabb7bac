"""What exactly was each model taught?

In the client's store, for each period: snapshots/<period>.jsonl (the lessons) with snapshots/<period>.json: terms,
counts, proof, and the digests of all that it was chosen from.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from upkeep import records
from upkeep.cases.case import Case, Source, normalise, valid_at
from upkeep.cases.collection import Fold
from upkeep.cases.review_batch import Question, ReviewDecision
from upkeep.cases.snapshot import Facts, Lesson, Snapshot, SnapshotTerms, choose, difference
from upkeep.cases.split import Proof
from upkeep.config import Relabel
from upkeep.desk import LAUNCH, Desk
from upkeep.errors import NotFoundError, SnapshotError
from upkeep.patterns import of_client
from upkeep.progress import Progress, silent
from upkeep.release import Action
from upkeep.stages.challengers import challengers
from upkeep.stages.locking import LOCKED, OPEN, lock_away, locked_items, locking, open_hashes
from upkeep.stages.release import release_log
from upkeep.stages.rules_in_force import history_in_force, rules_in_force
from upkeep.store import address

SOURCES = ("cases/", "folded/", "batches/", "reviewed/", LOCKED, OPEN)
"""Where the facts stand; each is written once and never changed."""


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """How a snapshot came about: `sources` are the SHA-256 digests, by key, of all that it was chosen from.

    `label_set` is the version of its labels: that of the snapshot before, or one that none has had where they
    are others. `mix` counts the cases trained on by their kind; snapshots of before it was counted have none.
    """

    period: str
    terms: SnapshotTerms
    digest: str
    lessons: int
    labels: tuple[str, ...]
    waiting: dict[str, int]
    superseded: int
    left_out: dict[str, int]
    rejected: tuple[str, ...]
    proof: Proof
    sources: dict[str, str]
    label_set: int = 1
    mix: dict[str, int] = field(default_factory=dict)


def take_snapshot(
    desk: Desk, period: str, as_of: datetime, *, head: tuple[str, ...] = (), progress: Progress = silent
) -> Snapshot:
    """Lock what is for evaluation, choose what the period's model is taught, and write both down; once for a period.

    `head` are the labels of a head that grows. Raises LeakError where an evaluation item would be taught.
    """
    done = records.load_if_there(desk.store, _record(period), SnapshotRecord)
    if done:
        return _read(desk, done)
    moment = desk.local(as_of)
    lock_away(desk, period, moment, known_cases(desk, moment), taught=ever_taught(desk), progress=progress)
    keys = [key for prefix in SOURCES for key in desk.store.keys(prefix) if key.endswith(".jsonl")]
    facts = _facts(desk, keys, moment)
    terms = _terms(desk, facts, moment, head)
    with of_client(desk.client.client):
        chosen = choose(facts, terms, progress=progress)
    chosen = replace(chosen, label_set=_label_set(desk, chosen.labels, moment))
    records.save_rows(desk.store, _rows(period), chosen.lessons)
    made = SnapshotRecord(
        period=period,
        terms=terms,
        digest=chosen.digest,
        lessons=len(chosen.lessons),
        labels=chosen.labels,
        waiting=chosen.waiting,
        superseded=chosen.superseded,
        left_out=chosen.left_out,
        rejected=chosen.rejected,
        proof=chosen.proof,
        sources={key: _digest(desk.store.read(key)) for key in keys},
        label_set=chosen.label_set,
        mix=chosen.mix,
    )
    desk.store.create(_record(period), records.dump(made))
    return chosen


def forget(desk: Desk, period: str) -> None:
    """Take away what was locked and chosen for a model that was never made, so that both are done anew."""
    for key in (_record(period), _rows(period), *locking(period)):
        desk.store.delete(key)


def forget_choice(desk: Desk, period: str) -> None:
    """Take away what was chosen for a retrain that was never decided on, and which version it trained.

    What was locked for it stays: snapshots since then were chosen beside it.
    """
    for key in (f"challengers/{period}.json", _record(period), _rows(period)):
        desk.store.delete(key)


def snapshots(desk: Desk) -> list[SnapshotRecord]:
    """Every snapshot ever taken, oldest first."""
    keys = [key for key in desk.store.keys("snapshots/") if key.endswith(".json")]
    return sorted((records.load(desk.store, key, SnapshotRecord) for key in keys), key=lambda one: one.terms.moment)


def taught_by(desk: Desk, version: str) -> SnapshotRecord | None:
    """What a version was taught that came into service; None where that is not on record.

    A head that grew was taught nothing but its new row: of it, what the model that it grew on was taught.
    """
    return next((one for one in _lineage(desk, version) if not one.terms.head), None)


def known_texts(desk: Desk, version: str) -> set[str]:
    """The normalised texts of `lessons_of` a version in service."""
    return {normalise(one.case.text) for one in lessons_of(desk, version)}


def lessons_of(desk: Desk, version: str) -> list[Lesson]:
    """What a version in service was taught and, where its head grew, what the model was that it grew on.

    Empty where that is not known.
    """
    periods = {one.period for one in challengers(desk) if one.version == version}
    periods |= {one.period for one in _lineage(desk, version)}
    return [one for period in sorted(periods) for one in _taught_in(desk, period)]


def _lineage(desk: Desk, version: str) -> Iterator[SnapshotRecord]:
    """The snapshot of a version that came into service and, where its head grew, those of what it grew on."""
    made = {one.period: one for one in snapshots(desk)}
    came = {one.version: one for one in release_log(desk) if one.action is not Action.ROLLBACK}
    entry = came.get(version)
    while entry is not None and (found := made.get(entry.decision or LAUNCH)):
        yield found
        entry = came.get(entry.previous or "") if found.terms.head else None


def snapshot(desk: Desk, period: str) -> SnapshotRecord:
    """The snapshot of a period. Raises SnapshotError listing those there are."""
    found = records.load_if_there(desk.store, _record(period), SnapshotRecord)
    if found is None:
        there = [one.period for one in snapshots(desk)]
        raise SnapshotError(f"client {desk.client.client}: no snapshot {period!r}, expected one of {there}")
    return found


def rebuild(desk: Desk, period: str) -> bytes:
    """The lessons of a period once more from the facts and the terms, byte for byte as they were written.

    Raises SnapshotError where a fact has changed or is gone since, or they come to something else.
    """
    made = snapshot(desk, period)
    for key, was in made.sources.items():
        try:
            now = _digest(desk.store.read(key))
        except NotFoundError as exc:
            raise SnapshotError(f"{address(desk.store, key)}: gone, snapshot {period} was chosen from it") from exc
        if now != was:
            raise SnapshotError(f"{address(desk.store, key)}: SHA-256 is {now}, expected {was} as in {period}")
    facts = _facts(desk, made.sources, made.terms.moment)
    with of_client(desk.client.client):
        again = records.dump_rows(choose(facts, made.terms).lessons)
    if again != desk.store.read(_rows(period)):
        raise SnapshotError(f"{address(desk.store, _rows(period))}: not what its facts and terms come to")
    return again


def differences(desk: Desk, before: str, after: str) -> list[str]:
    """What changed between two snapshots, in words. Raises SnapshotError."""
    old, new = snapshot(desk, before), snapshot(desk, after)
    return difference(
        _lessons(desk, old), _lessons(desk, new), rejected=new.rejected, rejected_before=old.rejected, zone=desk.zone
    )


def taught_texts(desk: Desk, period: str) -> set[str]:
    """The normalised texts that a period's model was taught; empty where that is not known."""
    return {normalise(one.case.text) for one in _taught_in(desk, period)}


def _taught_in(desk: Desk, period: str) -> list[Lesson]:
    return records.load_rows(desk.store, _rows(period), Lesson) if desk.store.exists(_rows(period)) else []


def locked_for(desk: Desk, period: str) -> frozenset[str]:
    """The normalised texts that were locked when the snapshot of a period was taken; where it is not on record, all
    that ever were.
    """
    made = records.load_if_there(desk.store, _record(period), SnapshotRecord)
    keys = None if made is None else [key for key in made.sources if key.startswith(LOCKED)]
    return frozenset(normalise(one.text) for one in locked_items(desk, keys))


def ever_taught(desk: Desk) -> set[str]:
    """The normalised texts of all snapshots."""
    return {text for one in snapshots(desk) for text in taught_texts(desk, one.period)}


def known_cases(desk: Desk, moment: datetime, *, but: str | None = None) -> list[Case]:
    """Every case that was known at a moment, with how many requests said the same by then.

    `but` is a key whose cases are left out: those of a collection that a run which did not get to its end has left.
    """
    return _cases(desk, [key for part in ("cases/", "folded/") for key in desk.store.keys(part) if key != but], moment)


def folded_errors(desk: Desk, since: datetime, moment: datetime) -> set[str]:
    """The cases of which requests that said the same were answered wrong, as it became known between two moments."""
    folds = [fold for key in desk.store.keys("folded/") for fold in records.load_rows(desk.store, key, Fold)]
    return {fold.case for fold in folds if fold.errors and since <= fold.known_from <= moment}


def decided_by(desk: Desk, moment: datetime) -> dict[str, ReviewDecision]:
    """What reviewers had decided by a moment, by case."""
    return _decided(desk, desk.store.keys("reviewed/"), moment)


def right_at(
    desk: Desk, cases: Sequence[Case], moment: datetime, *, rules: Sequence[Relabel] | None = None
) -> list[Case]:
    """The cases that are right at a moment, one of a text, as reviewers had decided and by the rules in force.

    `rules` are others to tell them by. Raises BaseModelError as `rules_in_force` does.
    """
    return valid_at(history_in_force(desk, cases, decided_by(desk, moment), moment, rules=rules).versions, moment)


def stamp(moment: datetime) -> str:
    """A moment as the beginning of a key, so that keys sort by it."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _label_set(desk: Desk, labels: Iterable[str], moment: datetime) -> int:
    """The version of the labels: that of the snapshot before, a new one where they are others; the first is 1.

    Of several of one moment any may have been before.
    """
    there = snapshots(desk)
    newest = max((one.terms.moment for one in there if one.terms.moment <= moment), default=None)
    same = [one.label_set for one in there if one.terms.moment == newest and set(one.labels) == set(labels)]
    return max(same) if same else 1 + max((one.label_set for one in there), default=0)


def _terms(desk: Desk, facts: Facts, moment: datetime, head: tuple[str, ...]) -> SnapshotTerms:
    client = desk.client
    log = [one for one in release_log(desk) if one.at <= moment]
    taught = taught_by(desk, log[-1].version) if log and not head else None
    return SnapshotTerms(
        moment=moment,
        new_since=taught.terms.moment if taught else None,
        zone=client.time_zone,
        labels=tuple(dict.fromkeys([*client.labels, *_agreed_since(desk, moment)])),
        out_of_scope=client.out_of_scope_label,
        new_labels=client.new_labels,
        unreviewed=client.unreviewed,
        rules=rules_in_force(desk, facts.cases, facts.decided, moment),
        recipe=desk.recipe,
        head=head,
        reviews_hold=True,
        append_waits=True,
        unasked_wait=True,
        later_open=True,
    )


def _agreed_since(desk: Desk, moment: datetime) -> list[str]:
    """The new categories that the client asked for and a model in service has learned: they are labels like others."""
    served = {one.decision for one in release_log(desk) if one.at <= moment}
    taught = {label for one in snapshots(desk) if one.terms.head and one.period in served for label in one.labels}
    return [one.label for one in desk.new_categories() if one.label in taught]


def _facts(desk: Desk, keys: Iterable[str], moment: datetime) -> Facts:
    keys = list(keys)
    asked = [key for key in keys if key.startswith("batches/")]
    return Facts(
        cases=_cases(desk, keys, moment),
        asked=frozenset(one.id for key in asked for one in records.load_rows(desk.store, key, Question)),
        decided=_decided(desk, keys, moment),
        locked=locked_items(desk, [key for key in keys if key.startswith(LOCKED)]),
        opened=open_hashes(desk, [key for key in keys if key.startswith(OPEN)]),
    )


def _cases(desk: Desk, keys: Sequence[str], moment: datetime) -> list[Case]:
    stored = [case for key in keys if key.startswith("cases/") for case in records.load_rows(desk.store, key, Case)]
    folds = [fold for key in keys if key.startswith("folded/") for fold in records.load_rows(desk.store, key, Fold)]
    more: Counter[str] = Counter()
    drawn: set[str] = set()
    confirmed: dict[str, Source] = {}
    for fold in folds:
        if fold.known_from <= moment:
            more[fold.case] += fold.requests
            drawn |= {fold.case} if fold.drawn else set()
            confirmed |= {fold.case: fold.confirmed} if fold.confirmed else {}
    known = (case for case in stored if case.known_from is None or case.known_from <= moment)
    return [
        replace(
            case,
            requests=case.requests + more[case.id],
            drawn=case.drawn or case.id in drawn,
            confirmed=confirmed.get(case.id),
        )
        if case.id in more
        else case
        for case in known
    ]


def _decided(desk: Desk, keys: Iterable[str], moment: datetime) -> dict[str, ReviewDecision]:
    """The newest decision about each case, of those that had come back by the moment."""
    back = [key for key in keys if key.startswith("reviewed/") and key < f"reviewed/{stamp(moment)}~"]
    found = [one for key in sorted(back) for one in records.load_rows(desk.store, key, ReviewDecision)]
    return {one.id: one for one in sorted(found, key=lambda one: one.at)}


def _read(desk: Desk, made: SnapshotRecord) -> Snapshot:
    lessons = tuple(_lessons(desk, made))
    return Snapshot(
        lessons=lessons,
        labels=made.labels,
        waiting=made.waiting,
        superseded=made.superseded,
        left_out=made.left_out,
        rejected=made.rejected,
        proof=made.proof,
        label_set=made.label_set,
        mix=made.mix,
    )


def _lessons(desk: Desk, made: SnapshotRecord) -> list[Lesson]:
    return records.load_rows(desk.store, _rows(made.period), Lesson)


def _record(period: str) -> str:
    return f"snapshots/{period}.json"


def _rows(period: str) -> str:
    return f"snapshots/{period}.jsonl"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
