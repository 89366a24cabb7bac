"""How does a client begin?

In the client's store: cases/launch.jsonl and evaluation/golden.jsonl, and how much personal data was in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from upkeep import records
from upkeep.cases.case import Case, Item
from upkeep.counts import count_of
from upkeep.desk import GOLDEN, LAUNCH, LAUNCH_CASES, Desk
from upkeep.errors import AlreadyExistsError, NotEnoughDataError
from upkeep.progress import Progress, silent
from upkeep.redaction import PersonalData, Redacted, redact_cases
from upkeep.stages.card import write_card
from upkeep.stages.challengers import Challenger, challengers
from upkeep.stages.finetuning import train_challenger
from upkeep.stages.release import apply_log, launch, release_log
from upkeep.stages.snapshot import forget, snapshots
from upkeep.store import address

Row = TypeVar("Row", Case, Item)

REDACTED = "evaluation/redacted.json"


@dataclass(frozen=True, slots=True)
class Redaction:
    """In how many launch cases and golden items personal data was found, and of the cases how much by kind.

    The same of the answers that are texts, of both: in how many, and how much by kind.
    """

    cases: int
    golden: int
    counts: dict[PersonalData, int]
    answers: int = 0
    in_answers: dict[PersonalData, int] = field(default_factory=dict)

    def __add__(self, other: Redaction) -> Redaction:
        counts = Counter(self.counts) + Counter(other.counts)
        in_answers = Counter(self.in_answers) + Counter(other.in_answers)
        cases, golden, answers = self.cases + other.cases, self.golden + other.golden, self.answers + other.answers
        return Redaction(cases, golden, dict(counts), answers, dict(in_answers))

    def __str__(self) -> str:
        told = f"personal data taken out of {count_of(self.cases, 'case')} and {count_of(self.golden, 'golden item')}"
        if not self.answers:
            return told
        kinds = ", ".join(f"{kind.value} {n:,}" for kind, n in self.in_answers.items() if n)
        wanted = "redaction.keep names what answers are to say"
        return f"{told}; out of {count_of(self.answers, 'answer')}{f' ({kinds})' if kinds else ''}: {wanted}"


def onboard(
    desk: Desk,
    *,
    cases: Sequence[Case],
    golden: Sequence[Item],
    as_of: datetime,
    seed: int,
    progress: Progress = silent,
) -> Challenger:
    """Store a client's first cases and golden set without personal data, train the first model, put it into service.

    Where a run failed or was stopped, the next one begins with what it is given. Raises AlreadyExistsError where the
    first model is there and was onboarded with something else.
    """
    if not golden:
        raise NotEnoughDataError(what="a golden set", have=0, need=1, where=f"client {desk.client.client}")
    plain, items, hidden = without_personal_data(desk, cases, golden)
    if any(one.period == LAUNCH for one in challengers(desk)):
        _expect_same(desk, LAUNCH_CASES, records.load_rows(desk.store, LAUNCH_CASES, Case), plain)
        _expect_same(desk, GOLDEN, desk.golden(), items)
    else:
        store_first(desk, plain, items, hidden)
    first = train_challenger(desk, LAUNCH, as_of, seed=seed, progress=progress)
    if release_log(desk):
        apply_log(desk)
    elif desk.registry.version("champion") is None:  # where there is one, the client is older than the log
        write_card(desk, first.version, progress=progress)
        launch(desk, first.version, at=as_of)
    return first


def store_first(desk: Desk, cases: Sequence[Case], golden: Sequence[Item], hidden: Redaction) -> None:
    """Store what a first model is taught and compared on, and what personal data was in it, whatever was there."""
    records.save_rows(desk.store, LAUNCH_CASES, cases)
    records.save_rows(desk.store, GOLDEN, golden)
    records.save(desk.store, REDACTED, hidden)
    forget(desk, LAUNCH)


def without_personal_data(
    desk: Desk, cases: Sequence[Case], golden: Sequence[Item]
) -> tuple[list[Case], list[Item], Redaction]:
    """The same as they may be kept, and what was taken out."""
    learned = redact_cases((case.text for case in cases), desk.client.redaction)
    agreed = redact_cases((item.text for item in golden), desk.client.redaction)
    answers = _answers(desk, [*(case.answer for case in cases), *(item.answer for item in golden)])
    taught, wanted = answers.texts[: len(cases)], answers.texts[len(cases) :]
    plain = [
        replace(case, text=text, answer=answer) for case, text, answer in zip(cases, learned.texts, taught, strict=True)
    ]
    items = [
        replace(item, text=text, answer=answer) for item, text, answer in zip(golden, agreed.texts, wanted, strict=True)
    ]
    return plain, items, Redaction(learned.changed, agreed.changed, learned.counts, answers.changed, answers.counts)


def not_trained_on(desk: Desk, made: Challenger, given: int) -> str:
    """Where those of the `given` cases are that a first model was not trained on, in counts.

    Empty where it was trained on all, and where it is not on record what it was taught.
    """
    taught = next((one for one in snapshots(desk) if one.period == LAUNCH), None)
    if taught is None:
        return ""
    counts = {"kept to fit the threshold": taught.lessons - made.trained_on, **taught.left_out}
    counts["with the text of another"] = given - made.trained_on - sum(counts.values())
    return ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)


def _expect_same(desk: Desk, key: str, there: Sequence[Row], given: Sequence[Row]) -> None:
    """Raise AlreadyExistsError unless these are the rows that the client was onboarded with."""
    if records.dump_rows(there) != records.dump_rows(given):
        raise AlreadyExistsError(
            f"client {desk.client.client}: onboarded already, found other rows than the {len(there)} in "
            f"{address(desk.store, key)}, expected the same; nothing was changed"
        )


def _answers(desk: Desk, answers: Sequence[str]) -> Redacted:
    """Labels as they are, texts without personal data."""
    return redact_cases(answers, desk.client.redaction) if desk.client.free_text else Redacted(tuple(answers), {}, 0)
