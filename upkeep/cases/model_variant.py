"""What does a model of its own for a part of a client's requests begin with?

What people said of that part, which the client's cases and evaluation items know by the metadata of their requests; the
client's first cases, which are of no request; and examples that somebody gives. What was held out stays held out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from upkeep.cases.case import Case, Item, Source, normalise

OF_OTHERS = "of other requests"
HELD_OUT = "held out for evaluation"
NOT_AGREED = "with an answer that is not agreed for the variant"
SAID_ALREADY = "with a text that the given examples have"


class Part(NamedTuple):
    """The requests whose metadata have a value under a key."""

    key: str
    value: str

    def has(self, one: Case | Item) -> bool:
        """Is it of one of them?"""
        return one.by.get(self.key) == self.value

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class Beginning:
    """First cases and evaluation items of a variant, and how many of the client's cases were not taken along and why.

    `taken` of the cases and `agreed` of the items are the client's; the others were given.
    """

    cases: tuple[Case, ...]
    golden: tuple[Item, ...]
    taken: int
    agreed: int
    left_out: dict[str, int] = field(default_factory=dict)


def beginning(
    cases: Iterable[Case],
    golden: Iterable[Item],
    *,
    client: str,
    part: Part,
    held_out: Container[str],
    labels: Container[str] | None,
    given: Sequence[Case] = (),
    given_golden: Sequence[Item] = (),
) -> Beginning:
    """What a variant for a `part` of a client's requests is taught and compared on.

    `cases` and `golden` are the client's that are right now, one of a text; `held_out` the normalised texts that no
    model is to learn; `labels` those that the variant may answer, None where it writes. What is given stands where both
    have a text. Of what is held out the variant is compared on what chance drew: the rest came back as a model was
    wrong or unsure.
    """
    said = {normalise(one.text) for one in given} | {normalise(one.text) for one in given_golden}
    left_out: Counter[str] = Counter()
    taken: list[Case] = []
    drawn: list[Item] = []
    for case in cases:
        text = normalise(case.text)
        why = _why_not(case, text, part=part, said=said, labels=labels)
        if why is None and text in held_out:
            drawn += [_item(case)] if part.has(case) and case.by_chance else []
            why = HELD_OUT
        if why:
            left_out[why] += 1
        else:
            taken.append(case)
    agreed = [
        one
        for one in golden
        if part.has(one) and normalise(one.text) not in said and (labels is None or one.answer in labels)
    ]
    items = {normalise(one.text): replace(one, id=f"{client}-{one.id}") for one in (*drawn, *agreed)}
    return Beginning(
        (*(_first(case, client) for case in taken), *given),
        (*items.values(), *given_golden),
        len(taken),
        len(items),
        dict(left_out),
    )


def _why_not(case: Case, text: str, *, part: Part, said: Container[str], labels: Container[str] | None) -> str | None:
    """Why a case is not for the variant, if so."""
    if case.source is not Source.LAUNCH and not part.has(case):
        return OF_OTHERS
    if labels is not None and case.answer not in labels:
        return NOT_AGREED
    return SAID_ALREADY if text in said else None


def _first(case: Case, client: str) -> Case:
    """The case as one that a model begins with; its id is none of the variant's own requests."""
    return Case(f"{client}-{case.id}", case.text, case.answer, Source.LAUNCH, valid_from=case.valid_from, by=case.by)


def _item(case: Case) -> Item:
    return Item(case.id, case.text, case.answer, case.valid_from, case.valid_to, case.by)
