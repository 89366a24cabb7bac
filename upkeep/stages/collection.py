"""What did production teach since the last collection?

In the client's store, by period: collections/ in counts, cases/ row by row, folded/ what said the same as a case that
is there already, taken/ of which predictions all that was taken. What is held out for evaluation stands among the
cases, and so does what is likely a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from upkeep import records
from upkeep.cases.case import Case
from upkeep.cases.collection import LATE, Collected, Taken, collect
from upkeep.cases.doubts import Doubt, languages_of
from upkeep.cases.label_errors import KNOWN, LATELY, Answered, find_suspects, reference_cases
from upkeep.cases.label_history import decision_on
from upkeep.cases.review_batch import ReviewDecision
from upkeep.config import Relabel
from upkeep.counts import count_of
from upkeep.desk import Desk
from upkeep.errors import BaseModelError
from upkeep.locks import only_one
from upkeep.log.entries import draw_order
from upkeep.patterns import of_client
from upkeep.periods import Window
from upkeep.progress import Progress, silent
from upkeep.redaction import PersonalData, told
from upkeep.stages.prerequisites import log_begins
from upkeep.stages.request_encoder import request_encoder
from upkeep.stages.rules_in_force import rules_in_force
from upkeep.stages.snapshot import decided_by, known_cases, right_at

JUDGED, EMBEDDED = 3400, 4400
"""So many cases of a collection are looked at for mistakes, drawn by chance, and so many are embedded for it, with
known ones to judge by: that takes longer than all the rest, and people are asked about a few hundred. Of mistakes
planted among many new cases (banking77, clinc150) 3,400 with 1,000 known ones show 2 to 11 % more than 3,000 with
2,500."""
TAKEN = "taken/"


@dataclass(frozen=True, slots=True)
class Collection:
    """What one collection brought, in counts; its cases stand in cases/<period>.jsonl.

    `suspects` have an answer that is likely a mistake; `unjudged` says in how many that was looked into, if not in all.
    """

    period: str
    as_of: datetime
    cases: int
    errors: int
    without_answer: int
    known: int
    quarantined: int
    conflicts: int = 0
    doubtful: int = 0
    suspects: int = 0
    unjudged: str | None = None
    redacted: dict[PersonalData, int] = field(default_factory=dict)
    redacted_answers: int = 0
    redacted_requests: int = 0

    def __str__(self) -> str:
        counts = [
            (self.cases, "new case", "new cases"),
            (self.errors, "of them an error", "of them errors"),
            (self.conflicts, "with conflicting answers", "with conflicting answers"),
            (self.doubtful, "doubtful", "doubtful"),
            (self.suspects, "likely a mistake", "likely a mistake"),
            (self.known, "request said nothing new", "requests said nothing new"),
            (self.without_answer, "without a right answer", "without a right answer"),
            (self.quarantined, "row quarantined", "rows quarantined"),
        ]
        lines = [count_of(*one) for at, one in enumerate(counts) if one[0] or not at]
        hidden = told(self.redacted, self.redacted_requests, "request")
        lines += [hidden] if hidden else []
        answers = count_of(self.redacted_answers, "answer")
        lines += [f"personal data taken out of {answers}"] if self.redacted_answers else []
        return ", ".join(lines + ([f"mistakes looked for: {self.unjudged}"] if self.unjudged else []))


def collect_cases(desk: Desk, period: str, as_of: datetime, *, progress: Progress = silent) -> Collection:
    """Collect what production taught since the collection before, each week and once more for a retrain.

    One at a time on a machine. Where one on another machine ends meanwhile it begins anew, so that each case is
    collected once.
    """
    with only_one(desk.client.client, "collection"):
        return _collect_cases(desk, period, as_of, progress)


def _collect_cases(desk: Desk, period: str, as_of: datetime, progress: Progress) -> Collection:
    key, rows = f"collections/{period}.json", f"cases/{period}.jsonl"
    done = records.load_if_there(desk.store, key, Collection)
    if done:
        return done
    moment = desk.local(as_of)
    there = None
    while there != (now := set(desk.store.keys(TAKEN))):  # what another one took meanwhile is no longer to be taken
        there = now
        found, quarantined, unjudged = _collected(desk, period, moment, progress)
    records.save_rows(desk.store, rows, found.cases)
    records.save_rows(desk.store, f"folded/{period}.jsonl", found.folds)
    records.save(desk.store, f"{TAKEN}{period}.json", Taken(moment, found.taken))  # last: all of it is there
    counts = Collection(
        period=period,
        as_of=moment,
        cases=len(found.cases),
        errors=found.errors,
        without_answer=found.without_answer,
        known=found.known,
        quarantined=quarantined,
        conflicts=sum(case.conflict is not None for case in found.cases),
        doubtful=sum(bool(case.doubts) for case in found.cases),
        suspects=sum(case.suspect is not None for case in found.cases),
        unjudged=unjudged,
        redacted=found.redacted,
        redacted_answers=found.redacted_answers,
        redacted_requests=found.redacted_requests,
    )
    records.save(desk.store, key, counts)
    return counts


class _Found(NamedTuple):
    """What a collection has found, how many rows of the log were no good, and what was not looked at for mistakes."""

    collected: Collected
    quarantined: int
    unjudged: str | None


def _collected(desk: Desk, period: str, moment: datetime, progress: Progress) -> _Found:
    """What production taught since the collections there are, of which none but the period's own is left out."""
    earlier = [records.load(desk.store, one, Collection) for one in desk.store.keys("collections/")]
    since = max((one.as_of for one in earlier if one.as_of <= moment), default=None)
    start = since - LATE if since else log_begins(desk)
    if start is None:
        return _Found(Collected(()), 0, None)
    log = desk.read_log(Window(start, moment, period), until=moment)
    there = known_cases(desk, moment, but=f"cases/{period}.jsonl")
    decided = decided_by(desk, moment)
    # what somebody says is not folded into a mere proposal
    known = [case for case in there if Doubt.PROPOSED not in case.doubts or _accepted(case, decided)]
    taken, unkept = _taken(desk, earlier, but=period, since=start)
    rules = _rules(desk, known, decided, moment)
    with of_client(desk.client.client):
        found = collect(
            log,
            since=unkept,
            taken=taken,
            known=known,
            decided=decided,
            rules=rules,
            client=desk.client,
            at=moment,
            languages=languages_of(case.text for case in known if case.known_from is None),
            progress=progress,
        )
    try:
        found = replace(found, cases=_judged(desk, found.cases, known, moment, rules))
        unjudged = f"only in {JUDGED:,} of {len(found.cases):,}" if len(found.cases) > JUDGED else None
    except BaseModelError as exc:  # cases are cases without it
        unjudged = f"in none, {exc}"
    return _Found(found, len(log.quarantined), unjudged)


def _rules(
    desk: Desk, known: Sequence[Case], decided: Mapping[str, ReviewDecision], moment: datetime
) -> Sequence[Relabel]:
    """The rules in force; without the base model none for a theme, and people are asked about what one would settle."""
    try:
        return rules_in_force(desk, known, decided, moment)
    except BaseModelError:
        return [rule for rule in desk.rules(moment) if not rule.theme]


def _accepted(case: Case, decided: Mapping[str, ReviewDecision]) -> bool:
    said = decision_on(case, decided)
    return said is not None and said.answer is not None


def _taken(
    desk: Desk, earlier: Sequence[Collection], *, but: str, since: datetime
) -> tuple[list[Taken], datetime | None]:
    """What other collections took of predictions since a moment, and until when those took all that have not kept it.

    One whose run did not get to its end counts too: done again, it takes the same.
    """
    kept = set(desk.store.keys(TAKEN)) - {f"{TAKEN}{but}.json"}
    by_key = {f"{TAKEN}{one.period}.json": one.as_of for one in earlier}
    long_ago = {key for key, as_of in by_key.items() if as_of <= since}
    taken = [records.load(desk.store, key, Taken) for key in sorted(kept - long_ago)]
    return taken, max((as_of for key, as_of in by_key.items() if key not in kept), default=None)


def _judged(
    desk: Desk, cases: Sequence[Case], known: Sequence[Case], moment: datetime, rules: Sequence[Relabel]
) -> tuple[Case, ...]:
    """The new cases, with how little a label is believed that is likely a mistake. Raises BaseModelError."""
    some = sorted(cases, key=lambda case: draw_order(case.id))[:JUDGED]
    if not some or desk.client.free_text:
        return tuple(cases)
    judging = reference_cases(right_at(desk, known, moment, rules=rules), min(KNOWN, EMBEDDED - len(some)))
    lately = [case for case in judging if case.valid_from is not None and case.valid_from >= moment - LATELY]
    before = [case for case in judging if case.valid_from is None or case.valid_from < moment - LATELY]
    eyes = request_encoder(desk)
    new, recent, old = (
        Answered(eyes.embed([case.text for case in part]), [case.answer for case in part])
        for part in (some, lately, before)
    )
    shares = find_suspects(new, lately=recent, before=old)
    found = {case.id: share for case, share in zip(some, shares, strict=True)}
    return tuple(replace(case, suspect=found.get(case.id)) for case in cases)
