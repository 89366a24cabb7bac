"""What exactly is a model taught, and what has changed since the model before?

A snapshot is chosen from the facts, by terms that are written down with it: the same facts and terms give the same
snapshot at any later time.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from upkeep.cases.case import Case, normalise, valid_at
from upkeep.cases.label_history import RULED, History, as_appended, as_reviewed, decision_on, label_history
from upkeep.cases.mix import compose, counted
from upkeep.cases.relabel_rules import Themed
from upkeep.cases.review_batch import ReviewDecision, why_asked
from upkeep.cases.split import Locked, Proof, Side, open_to_learn, prove, sides
from upkeep.config import NewLabels, Relabel, Unreviewed
from upkeep.progress import Progress, silent
from upkeep.recipes import ChatRecipe, Outdated, Recipe


class Facts(NamedTuple):
    """All that is known of a client's cases: as stored, what reviewers were asked and decided, what is locked away.

    `opened` are the hashes that were taught before the recipe held them out.
    """

    cases: Sequence[Case]
    asked: frozenset[str]
    decided: Mapping[str, ReviewDecision]
    locked: Sequence[Locked]
    opened: frozenset[float] = frozenset()


@dataclass(frozen=True, slots=True)
class SnapshotTerms:
    """By what a snapshot is chosen. `new_since` is when the model in service was taught: what is known since is new.

    `head` are the labels of a head that grows by a row, with the new one: no others are taught. `reviews_hold` says
    that no customer ends a reviewer's answer, `append_waits` that what contradicts one waits also where a recipe only
    appends, `unasked_wait` that `unreviewed` is also about what nobody was asked about, though there was a reason to,
    `later_open` that reviewers have said nothing of an answer to the same request which was known later, and a rule
    nothing of an old answer that is given again; snapshots of before that was so do not have it.
    """

    moment: datetime
    new_since: datetime | None
    zone: str
    labels: tuple[str, ...]
    out_of_scope: str
    new_labels: NewLabels
    unreviewed: Unreviewed
    rules: tuple[Themed | Relabel, ...]
    recipe: Recipe
    head: tuple[str, ...] = ()
    reviews_hold: bool = False
    append_waits: bool = False
    unasked_wait: bool = False
    later_open: bool = False


@dataclass(frozen=True, slots=True)
class Lesson:
    """A case as one model was taught it: `use` is training, or calibration of its confidence threshold."""

    use: Side
    case: Case


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one model is taught, and in counts why other cases are not in it.

    `waiting` are new labels with too few cases so far; `left_out` counts by reason, `rejected` are the ids of the cases
    that a reviewer rejected, `label_set` is the version of the labels, `mix` counts the cases trained on by their kind.
    """

    lessons: tuple[Lesson, ...]
    labels: tuple[str, ...]
    waiting: dict[str, int]
    superseded: int
    left_out: dict[str, int]
    rejected: tuple[str, ...]
    proof: Proof
    label_set: int = 1
    mix: dict[str, int] = field(default_factory=dict)

    @property
    def train(self) -> tuple[Case, ...]:
        """The cases that the model learns."""
        return tuple(one.case for one in self.lessons if one.use is Side.TRAIN)

    @property
    def calibration(self) -> tuple[Case, ...]:
        """The cases on which its confidence threshold is fitted."""
        return tuple(one.case for one in self.lessons if one.use is Side.CALIBRATION)

    @property
    def digest(self) -> str:
        """SHA-256 over all that changes the training: the labels, and use, text, answer and weight of each lesson, in
        order.
        """
        taught = [(one.use.value, one.case.text, one.case.answer, one.case.requests) for one in self.lessons]
        return hashlib.sha256(json.dumps([self.labels, taught]).encode()).hexdigest()


def choose(facts: Facts, terms: SnapshotTerms, *, progress: Progress = silent) -> Snapshot:
    """Choose what a model is taught: the answers that are right now, without any evaluation item.

    A label that the client did not start with is taught once it has `minimum_examples` cases to train on, if the client
    wants new labels learned. Raises LeakError where an evaluation item is in it after all.
    """
    read, unread = _by_people(facts, terms)
    history = label_history(
        read, rules=terms.rules, decided=facts.decided, moment=terms.moment, zone=ZoneInfo(terms.zone),
        reviews_hold=terms.reviews_hold, later_open=terms.later_open,
    )  # fmt: skip
    right = _right(read, history, facts, terms)
    on = sides(right, {case.id: case for case in facts.cases}, terms.recipe, facts.opened)
    open_side = [case for case in right if on[case.id] is not Side.HOLDOUT]
    free = open_to_learn(open_side, facts.locked, progress=progress)
    mixed = compose([case for case in free if on[case.id] is Side.TRAIN], terms.recipe.mix, terms.new_since)
    labels, waiting = _taught([part.case for part in mixed], terms)
    parts = [part for part in mixed if part.case.answer in labels] if labels else mixed
    train = [part.case for part in parts]
    calibration = [case for case in free if on[case.id] is Side.CALIBRATION]
    left_out = Counter(f"unread and doubtful: {case.doubts[0]}" for case in history.unread)
    left_out["against a reviewed answer"] = len(history.contested)
    left_out["not yet reviewed"] = sum(case.id in facts.asked for case in unread)
    left_out["never asked about"] = sum(case.id not in facts.asked for case in unread)
    left_out["held out for evaluation"] = len(right) - len(open_side)
    left_out["nearly an evaluation item"] = len(open_side) - len(free)
    left_out["not in the mix"] = len(free) - len(calibration) - len(mixed)
    left_out["label not taught"] = len(mixed) - len(train)
    lessons = [Lesson(Side.TRAIN, case) for case in train] + [Lesson(Side.CALIBRATION, case) for case in calibration]
    return Snapshot(
        lessons=tuple(sorted(lessons, key=lambda one: (one.case.id, one.use))),
        labels=labels,
        waiting=waiting,
        superseded=sum(case.replaced is not None for case in train),
        left_out={reason: n for reason, n in left_out.items() if n},
        rejected=tuple(sorted({case.id for case in history.rejected})),
        mix=counted(parts),
        proof=prove([one.case for one in lessons], facts.locked, progress=progress),
    )


def difference(
    before: Iterable[Lesson],
    after: Iterable[Lesson],
    *,
    rejected: Collection[str] = (),
    rejected_before: Collection[str] = (),
    zone: tzinfo = UTC,
) -> list[str]:
    """What has changed from one snapshot to the other, in words; an answer is superseded where it is no longer taught.

    `rejected` are the cases that a reviewer had rejected by the later one, `rejected_before` by the one before: who was
    rejected since is told, whether or not a model had been taught it. Days are in the `zone`.
    """
    old, new = _by_text(before), _by_text(after)
    added, gone, turned = _taught_otherwise(old, new)
    changed = sorted(turned.items(), key=lambda one: -len(one[1]))
    facts = [_fact_of(case.id, rejected) for case in gone]
    taken_back = {fact for fact in facts if fact in rejected}
    left_out = sum(fact not in rejected for fact in facts)
    in_review = len(taken_back | ({*rejected} - {*rejected_before}))
    told = [(len(added), "added" + _by_answer(added))]
    told += [(len(some), f"superseded: `{one}` -> `{other}`{_since(some, zone)}") for (one, other), some in changed]
    kept = [(old[text][answer], now[answer]) for text, now in new.items() for answer in now.keys() & old[text]]
    told += [(sum(was.requests < now.requests for was, now in kept), "said by more requests")]
    told += [(sum(was.requests > now.requests for was, now in kept), "said by fewer requests")]
    told += [(in_review, "rejected in review"), (left_out, "left out")]
    return [f"{n:,} {what}" for n, what in told if n] or ["nothing"]


def _by_text(lessons: Iterable[Lesson]) -> defaultdict[str, dict[str, Case]]:
    """What is taught by text and answer: a recipe that only appends teaches several answers to a text."""
    found: defaultdict[str, dict[str, Case]] = defaultdict(dict)
    for one in lessons:
        found[normalise(one.case.text)][one.case.answer] = one.case
    return found


def _taught_otherwise(
    old: Mapping[str, Mapping[str, Case]], new: Mapping[str, Mapping[str, Case]]
) -> tuple[list[Case], list[Case], dict[tuple[str, str], list[Case]]]:
    """What came beside all that was taught, what went without another answer to its text, and by old and new answer
    what took the place of one.
    """
    added: list[Case] = []
    gone: list[Case] = []
    turned: defaultdict[tuple[str, str], list[Case]] = defaultdict(list)
    for text in dict.fromkeys([*new, *old]):
        was, now = old.get(text, {}), new.get(text, {})
        come = [case for answer, case in now.items() if answer not in was]
        left = [case for answer, case in was.items() if answer not in now]
        for one, other in zip(left, come, strict=False):
            turned[one.answer, other.answer].append(other)
        added += come[len(left) :]
        gone += left[len(come) :]
    return added, gone, turned


def _by_people(facts: Facts, terms: SnapshotTerms) -> tuple[list[Case], list[Case]]:
    """The cases that can be taught, and those that are left out until a reviewer has looked at them."""
    read: list[Case] = []
    unread: list[Case] = []
    for case in facts.cases:
        (unread if _waits(case, facts, terms) else read).append(case)
    return read, unread


def _waits(case: Case, facts: Facts, terms: SnapshotTerms) -> bool:
    """Is it left out until a reviewer has looked at it? A doubtful one always is, by its history."""
    if terms.unreviewed is Unreviewed.USE_OUTCOMES or case.doubts:
        return False
    asked = case.id in facts.asked or (terms.unasked_wait and bool(why_asked(case)))
    return asked and decision_on(case, facts.decided, later_open=terms.later_open) is None


def _right(read: Sequence[Case], history: History, facts: Facts, terms: SnapshotTerms) -> list[Case]:
    """The answers that are right; where the recipe only appends, all ever given that do not wait for people."""
    if terms.recipe.mix.outdated is not Outdated.APPEND:
        return valid_at(history.versions, terms.moment)
    waiting = {(case.id, case.answer) for case in history.contested} if terms.append_waits else set()
    given = as_reviewed(read, facts.decided, later_open=terms.later_open)[0]
    return as_appended(case for case in given if (case.id, case.answer) not in waiting)


def _taught(cases: Sequence[Case], terms: SnapshotTerms) -> tuple[tuple[str, ...], dict[str, int]]:
    if isinstance(terms.recipe, ChatRecipe):  # answers are texts
        return (), {}
    counts = Counter(case.answer for case in cases)
    arrivals = sorted(label for label in counts if label not in terms.labels)
    learn = terms.new_labels is NewLabels.LEARN
    if terms.head:
        return terms.head, {label: counts[label] for label in arrivals if label not in terms.head}
    taught = [
        label
        for label in arrivals
        if counts[label] >= terms.recipe.minimum_examples and (learn or label == terms.out_of_scope)
    ]
    waiting = {label: counts[label] for label in arrivals if label not in taught}
    return tuple(label for label in terms.labels if counts[label]) + tuple(taught), waiting


def _since(cases: Iterable[Case], zone: tzinfo) -> str:
    """The day from which on they are right, or the first and the last."""
    days = sorted({f"{one.valid_from.astimezone(zone):%Y-%m-%d}" for one in cases if one.valid_from})
    return f", from {' to '.join(dict.fromkeys((days[0], days[-1])))}" if days else ""


def _fact_of(version: str, known: Collection[str]) -> str:
    """The case that a version is of, if it is a known one: a rule's version has the rule's day behind the case's id."""
    while version not in known and RULED.search(version):
        version = RULED.sub("", version)
    return version


def _by_answer(cases: Sequence[Case]) -> str:
    most = Counter(case.answer for case in cases).most_common(3)
    return f" (most of them {', '.join(f'`{answer}` {n}' for answer, n in most)})" if most else ""
