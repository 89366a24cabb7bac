"""Which labelled cases did production bring since the last retrain?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from upkeep.cases import Case, Source, normalise
from upkeep.log import LogWindow, OutcomeSource, Prediction
from upkeep.truth import settle

LATE = timedelta(days=31)
"""How long after its prediction an outcome is still waited for."""


@dataclass(frozen=True, slots=True)
class Collected:
    """New cases, and how many outcomes did not become one: no right answer given, or the case was known already."""

    cases: tuple[Case, ...]
    without_answer: int
    known: int
    errors: int


def collect(window: LogWindow, *, since: datetime | None, known: Iterable[Case], out_of_scope: str) -> Collected:
    """Turn outcomes that arrived at or after `since` into cases.

    Errors come with the right answer a person gave; answers confirmed as right are kept too, they hold the old ground
    and carry the present mix. The newest answer counts. A case whose text was answered so already, with no other answer
    since, is folded into that.
    """
    in_order = sorted(known, key=lambda case: (case.valid_from is not None, case.valid_from))
    newest = {normalise(case.text): case.answer for case in in_order}
    cases: list[Case] = []
    without_answer = folded = 0
    for prediction in window.predictions:
        outcomes = window.outcomes.get(prediction.id, [])
        if not outcomes or (since is not None and outcomes[-1].at < since):
            continue
        right, answer = settle(prediction, outcomes, out_of_scope=out_of_scope)
        if answer is None:
            without_answer += 1
            continue
        key = normalise(prediction.input)
        if newest.get(key) == answer:
            folded += 1
            continue
        newest[key] = answer
        cases.append(_case(prediction, answer, outcomes[-1].source, was_error=not right))
    return Collected(tuple(cases), without_answer, folded, sum(case.was_error for case in cases))


def first_day(keys: Iterable[str]) -> datetime | None:
    """Midnight UTC of the log's first day, from the keys of its files; None for an empty log."""
    days = [day for key in keys if (day := _day(key)) is not None]
    return min(days, default=None)


def _day(key: str) -> datetime | None:
    try:
        return datetime.fromisoformat(key.split("/")[2]).replace(tzinfo=UTC)
    except (IndexError, ValueError):
        return None  # not a day's file; the reader of the log says so


def _case(prediction: Prediction, answer: str, source: OutcomeSource, *, was_error: bool) -> Case:
    return Case(
        id=f"p-{prediction.id}",
        text=prediction.input,
        answer=answer,
        source=Source(source.value),
        valid_from=prediction.at,
        prediction_id=prediction.id,
        model_version=prediction.model_version,
        was_error=was_error,
    )
