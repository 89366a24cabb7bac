"""How does a client's model get a new category: from which cases, and which one next?

A person names the category and gives examples, the seeds. Past requests that lie nearer to the seeds than to what the
model was taught are proposed, and count once a reviewer has accepted them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from upkeep.cases.case import Case, Source, normalise
from upkeep.cases.collection import earlier_like
from upkeep.cases.doubts import Doubt
from upkeep.cases.split import Side, sides
from upkeep.counts import count_of
from upkeep.errors import VariantError
from upkeep.log.entries import Prediction
from upkeep.log.truth import Truth
from upkeep.monitoring.edge_cases import LIKELY_WRONG
from upkeep.monitoring.themes import EXAMPLES, Theme
from upkeep.monitoring.trouble import Change, Kind
from upkeep.recipes import HeadRecipe
from upkeep.redaction import PersonalData, Redacted, Redaction, for_name, redact, redact_cases, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 200
"""Past requests that people are asked about at most, the likeliest first."""


NEAR = 0.9
"""Share of the farthest seed's similarity that a request needs. With ten seeds of each of 29 new intents (clinc150) and
20 cases of each old one, 92 % of the past requests of the intent are found, and 78 % of those found are of it."""


class Folded(NamedTuple):
    """New cases, and how many texts say nearly the same as one of them or as an earlier one.

    `redacted` counts personal data in all the texts by its kind (nothing of a client's own redactor), `changed` the
    texts of which some was a part.
    """

    cases: tuple[Case, ...]
    folded: int
    redacted: dict[PersonalData, int]
    changed: int


class Past(NamedTuple):
    """A past request that may belong to a new category, and what people said of it, where they did."""

    prediction: Prediction
    truth: Truth | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be the next category: `label` is what people call it already, if they do; `why` says what was seen."""

    label: str | None
    why: str
    requests: int
    examples: tuple[str, ...]

    def command(self, client: str) -> str:
        """What starts it, once somebody has written its examples down."""
        return f"upkeep variant {client} --label {quote(self.label or 'LABEL')} --seeds FILE.txt"


def check_label(label: str, known: Iterable[str], *, where: str) -> None:
    """Raise VariantError where a new category has no name or one that is there already, however it is spelled."""
    if not label.strip() or label != label.strip():
        raise VariantError(f"{where}: the new label is {label!r}, expected a name without spaces around it")
    same = [one for one in known if _plain(one) == _plain(label)]
    if same:
        raise VariantError(f"{where}: the new label is {label!r}, expected one that is not there; there is {same[0]!r}")


def check_seeds(label: str, given: Folded, cases: Sequence[Case], recipe: HeadRecipe, *, where: str) -> None:
    """Raise VariantError where too few examples can be trained on, with those that people gave the label already: some
    are held out to evaluate with."""
    there = [case for case in cases if case.answer == label and Doubt.PROPOSED not in case.doubts]
    examples = [*given.cases, *there]
    on = sides(examples, {case.id: case for case in cases}, recipe)
    train, need = sum(side is Side.TRAIN for side in on.values()), recipe.minimum_examples
    if train < need:
        there_are = count_of(len(examples), "example", "examples that differ")
        raise VariantError(
            f"{where}: {label!r} has {there_are}, of which {train} may be trained on and the "
            f"others are held out, expected {need} or more to train on: {count_of(need - train, 'is', 'are')} missing"
        )


def seed_cases(
    label: str, texts: Sequence[str], *, known: Iterable[Case], redaction: Redaction, by: str, at: datetime
) -> Folded:
    """The examples of a new category as cases from a moment on; what says nearly the same is told once."""
    redacted = redact_cases((text.strip() for text in texts if text.strip()), redaction)
    cases = [
        Case(_id("seed", label, text), text, label, Source.SEED, valid_from=at, known_from=at, reviewer=by)
        for text in redacted.texts
    ]
    return _fold(cases, known, redacted)


def may_belong(past: Past, *, labels: Collection[str], label: str) -> bool:
    """May a past request belong to the new category: a person got it, no label fits it, or the model was not sure?

    Not where people have said already that it does: then it is a case of it.
    """
    prediction, right = past.prediction, past.truth.answer if past.truth else None
    if right == label:
        return False
    return (
        not prediction.automatic or prediction.confidence < LIKELY_WRONG or (right is not None and right not in labels)
    )


def likeliest(
    past: NDArray[np.float32], *, seeds: NDArray[np.float32], taught: Mapping[str, NDArray[np.float32]]
) -> list[int]:
    """Which past requests to ask about, the likeliest first, `MOST` at most.

    All are embeddings of length 1, `taught` those of some cases of each label. A request is nearer to the seeds' centre
    than to that of any label, and not much farther than the farthest seed is from the centre of the other ones.
    """
    import numpy as np

    if not len(past) or not len(seeds):
        return []
    alike = past @ _centre(seeds)
    least = NEAR * min(
        (float(seed @ _centre(np.delete(seeds, row, axis=0))) for row, seed in enumerate(seeds) if len(seeds) > 1),
        default=1.0,
    )
    others = np.array([_centre(known) for known in taught.values()]).reshape(len(taught), past.shape[1])
    nearest = (past @ others.T).max(axis=1, initial=-1.0)
    likely = np.flatnonzero((alike > nearest) & (alike >= least))
    return [int(row) for row in likely[np.argsort(-alike[likely], kind="stable")][:MOST]]


def proposed_cases(
    label: str, past: Sequence[Past], *, known: Iterable[Case], redaction: Redaction, at: datetime
) -> Folded:
    """Past requests as cases that are said to be of the new category from a moment on and that nobody has read.

    `past` has the likeliest first; of requests that say nearly the same the first one stands.
    """
    redacted = redact_cases((one.prediction.input for one in past), redaction)
    cases = [_proposed(label, one, text, at, redaction) for one, text in zip(past, redacted.texts, strict=True)]
    return _fold(cases, known, redacted)


def candidates(
    themes: Sequence[Theme],
    changes: Iterable[Change],
    *,
    used: Mapping[str, int],
    weeks: int,
    labels: Collection[str],
    out_of_scope: str,
    cases: Iterable[Case],
    redaction: Redaction,
) -> list[Candidate]:
    """What may be the next category: labels that people use and the model does not know, and growing themes of
    requests that no label fits or that mostly go to a person, the most frequent first.

    `used` counts the requests of the newest `weeks` of which people have said each right answer that was not agreed,
    whether a review found it to be new or not. `labels` are those the model knows or is about to learn, however people
    spell them; `cases` give examples of a label that people use.
    """
    there, outside = {_plain(one) for one in labels}, _plain(out_of_scope)
    by_label: dict[str, list[str]] = {}
    for case in cases:
        by_label.setdefault(case.answer, []).append(shown(case.text, redaction))
    told = {name: (_in_use(name, n, weeks), n) for name, n in used.items()}
    told |= {one.new: (one.text, one.n) for one in changes if one.kind is Kind.NEW_CATEGORY and one.new}
    named = {name: one for name, one in told.items() if _plain(name) not in {*there, outside}}
    found = [Candidate(name, *one, tuple(by_label.get(name, [])[-EXAMPLES:])) for name, one in named.items()]
    found += [
        Candidate(_unknown(one.right, {*there, outside}), _told(one), one.requests, one.examples)
        for one in themes
        if one.trend == "growing" and _fits_none(one, there, outside) and one.right not in named
    ]
    return sorted(found, key=lambda one: -one.requests)


def _centre(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Their mean at length 1."""
    mean = embeddings.mean(axis=0)
    centre: NDArray[np.float32] = mean / max(float(mean @ mean) ** 0.5, 1e-12)
    return centre


def _fits_none(theme: Theme, there: Collection[str], outside: str) -> bool:
    if theme.right is not None:
        return _plain(theme.right) == outside or _plain(theme.right) not in there
    return 2 * (theme.requests - theme.wrong) >= theme.requests  # the others were handed to a person


def _unknown(right: str | None, there: Collection[str]) -> str | None:
    return None if right is None or _plain(right) in there else right


def _in_use(label: str, n: int, weeks: int) -> str:
    labelled = f"{count_of(n, 'labelled request')} of the last {count_of(weeks, 'reviewed week')}"
    return f"{labelled} were {label!r}, which the model does not know"


def _told(theme: Theme) -> str:
    said = f"people mostly say {theme.right!r}" if theme.right else "mostly handed to a person"
    return f"growing: {theme.name}, {theme.counts} by week, {said}"


def _proposed(label: str, one: Past, text: str, at: datetime, redaction: Redaction) -> Case:
    prediction, said = one.prediction, one.truth.answer if one.truth else None
    right = said and redact(said, for_name(said, redaction))  # whatever somebody typed for a label
    return Case(
        id=_id("past", label, prediction.id),
        text=text,
        answer=label,
        source=Source.BACK_SCORING,
        valid_from=at,
        asked_at=prediction.at,
        prediction_id=prediction.id,
        model_version=prediction.model_version,
        known_from=at,
        given=prediction.output,
        conflict=f"people said {right!r} of it before" if right else None,
        doubts=(Doubt.PROPOSED,),
    )


def _fold(cases: Sequence[Case], known: Iterable[Case], redacted: Redacted) -> Folded:
    """The cases that say something new; one that is nearly a known one is on the side of that."""
    before = {normalise(case.text): case for case in known}
    texts = [normalise(case.text) for case in cases]
    like = earlier_like(texts, list(before))
    kept: list[Case] = []
    for row, (case, text) in enumerate(zip(cases, texts, strict=True)):
        same = before.get(text) or (before.get(like[row]) if row in like else None)
        if same is None or same.answer != case.answer:
            same = replace(case, like=(same.like or same.id) if same else None)
            kept.append(same)
        before[text] = same
    return Folded(tuple(kept), len(cases) - len(kept), redacted.found, redacted.changed)


def _id(kind: str, label: str, of: str) -> str:
    """Another one than any collected case has, p-<prediction>, and for each label."""
    digest = hashlib.sha256(f"{label}\0{of}".encode()).hexdigest()
    return f"{kind}-{digest[:12]}"


def _plain(label: str) -> str:
    return "".join(one for one in label.casefold() if one.isalnum())
