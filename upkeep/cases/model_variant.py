"""What does a model of its own for a part of a client's requests begin with?

What people said of that part, which the client's cases and evaluation items know by the metadata of their requests; the
client's first cases, which are of no request; and examples that somebody gives. What was held out stays held out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from upkeep.cases.case import Case, Item, Source, normalise
from upkeep.slug import hash_suffix

HELD_OUT = "held out for evaluation"
NOT_AGREED = "with an answer that is not agreed for the variant"
SAID_ALREADY = "with a text that the given examples have"


OF_NO_REQUEST = (Source.LAUNCH, Source.SEED)


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


Given = TypeVar("Given", Case, Item)


def joined(before: Iterable[Given], given: Iterable[Given], *, client: str) -> tuple[Given, ...]:
    """What was given before and now: of two that say the same the newer one, each with an id of its own.

    None has an id that a row of the client's has.
    """
    by_text = {normalise(one.text): one for one in (*before, *given)}
    ids = Counter(one.id for one in by_text.values())
    apart = ((one, f"-{hash_suffix(text)}" if ids[one.id] > 1 else "") for text, one in by_text.items())
    own = ((one, f"{'given-' if of_client(one, client) else ''}{one.id}{suffix}") for one, suffix in apart)
    return tuple(replace(one, id=id) for one, id in own)  # type: ignore[misc]  # mypy loses the type in `replace`


def of_client(one: Case | Item, client: str) -> bool:
    """Is a variant's first case or evaluation item the client's, and was not given?"""
    return one.id.startswith(_prefix(client))


def _prefix(client: str) -> str:
    return f"{client}/"


def of_part(cases: Iterable[Case], part: Part) -> list[Case]:
    """The cases that a variant may be taught: of the part's requests, and those of no request at all."""
    return [case for case in cases if part.has(case) or (case.source in OF_NO_REQUEST and not case.by)]


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

    `cases` are those `of_part` that are right now, one of a text, and `golden` the client's items that are right now;
    `held_out` are the normalised texts that no model is to learn, `labels` those that the variant may answer, None
    where it writes. What is given stands where both have a text. Of what is held out the variant is compared on what
    chance drew, one of each conversation: the rest came back as a model was wrong or unsure.
    """
    said = {normalise(one.text) for one in given} | {normalise(one.text) for one in given_golden}
    left_out: Counter[str] = Counter()
    taken: list[Case] = []
    drawn: dict[str, Case] = {}
    for case in cases:
        text = normalise(case.text)
        if labels is not None and case.answer not in labels:
            left_out[NOT_AGREED] += 1
        elif text in said:
            left_out[SAID_ALREADY] += 1
        elif text in held_out:
            left_out[HELD_OUT] += 1
            if part.has(case) and case.by_chance:
                drawn.setdefault(case.conversation or case.id, case)
        else:
            taken.append(case)
    agreed = [
        one
        for one in golden
        if part.has(one) and normalise(one.text) not in said and (labels is None or one.answer in labels)
    ]
    brought = [_item(case) for case in drawn.values()]
    items = {normalise(one.text): replace(one, id=f"{_prefix(client)}{one.id}") for one in (*brought, *agreed)}
    return Beginning(
        (*(_first(case, client) for case in taken), *given),
        (*items.values(), *given_golden),
        len(taken),
        len(items),
        dict(left_out),
    )


def _first(case: Case, client: str) -> Case:
    """The case as one that a model begins with; its id is none of the variant's own requests."""
    return Case(
        f"{_prefix(client)}{case.id}",
        case.text,
        case.answer,
        Source.LAUNCH,
        valid_from=case.valid_from,
        like=f"{_prefix(client)}{case.like}" if case.like else None,
        group=case.group,
        by=case.by,
    )


def _item(case: Case) -> Item:
    return Item(case.id, case.text, case.answer, case.valid_from, case.valid_to, case.by)
