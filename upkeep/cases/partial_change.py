"""Do people contradict the answers of one label about one thing only, and which requests are about that?

A policy may change for a part of what a label is for: the corrections are then all about the same, while the label
stays right for the rest. Half of the texts that people looked at, by a stable hash, choose the examples of a theme.
What speaks for a rule is counted on the other half, and on the texts of the weeks before. Corrections that are spread
over all that a label is for make no theme. Of a new category there were no such requests before for which the label was
right, or it is as right as ever for those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from upkeep.cases.case import normalise
from upkeep.cases.relabel_rules import BUDGET, GIVEN_UP, GONE, LEAST_CASES, NEAR, contradicted
from upkeep.log.entries import draw_order
from upkeep.monitoring.changed_answers import SPANS, corrections, spans
from upkeep.monitoring.figures import Figures
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import less_often

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXAMPLES = 8
BEFORE = 12
"""The texts of so many weeks are read before the newest ones: the request of one text in fifty is among them."""
MOST = 1000
"""So many texts of a label are embedded at most, chosen by chance."""
STANDS_FOR = 2
"""So many contradicted texts an example adds, itself among them: one that stands alone may be an ordinary mistake."""
COSTS = GIVEN_UP / (1 - GIVEN_UP)
"""So many contradicted texts outweigh one for which the label is still right."""


class Checked(NamedTuple):
    """An answer that people looked at: the week of the request, its text as cases keep it, and what is right."""

    week: str
    text: str
    right: str


class Looked(NamedTuple):
    """The checked answers that were one label in some weeks, oldest first; `labelled` counts those of any label."""

    weeks: Sequence[str]
    answers: Sequence[Checked]
    labelled: int


class Part(NamedTuple):
    """What speaks for a rule about a theme, which `examples` tell.

    Of the texts that did not choose them: how many of the theme should have been the other label `now`, and how many of
    the `rest`; and of the theme `before`. `chance` is the larger one of so great a difference from either. `by_week`
    counts all answers to the theme's texts.
    """

    old: str
    new: str
    weeks: int
    examples: tuple[str, ...]
    now: Rate
    rest: Rate
    before: Rate
    chance: float
    by_week: tuple[tuple[str, Rate], ...]

    def __str__(self) -> str:
        return (
            f"{self.now.hits} of {self.now.n} {self.old!r} answers to requests near an example, which people looked at "
            f"in the last {self.weeks} weeks, should be {self.new!r}, before {self.before.hits} of {self.before.n}; "
            f"of its other answers {self.rest.hits} of {self.rest.n} (p = {self.chance:.0e}, Fisher's exact test, "
            "each text once, without those that chose the examples)"
        )


Look = Callable[[str, Sequence[str]], Looked]
"""The checked answers that were a label in some weeks, by their keys."""
Embed = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""The embeddings of some texts, shape (len(texts), width), each row of length 1."""


def partial_changes(
    weeks: Sequence[tuple[str, Figures]], *, known: Collection[tuple[str, str]], look: Look, embed: Embed
) -> Iterator[Part]:
    """The themes of which answers are contradicted in the newest weeks, one for two labels; `known` pairs are left out.

    A label's texts are looked at only where more of its answers are contradicted than chance explains.
    """
    keys, told = [key for key, _ in weeks], set(known)
    for span, recent, before in spans([one for _, one in weeks]):
        enough = [pair for pair, hits in corrections(recent).items() if pair[0] != pair[1] and hits >= 2 * LEAST_CASES]
        doubted = [(one.old, one.new) for one in contradicted(recent, before, sorted(enough))]
        for old, new in doubted:
            if (old, new) in told:
                continue
            one = find_part(old, new, look(old, keys[-span:]), look(old, keys[:-span][-BEFORE:]), embed=embed)
            if one and one.chance < BUDGET / len(SPANS) / len(doubted):
                told.add((old, new))
                yield one


def find_part(old: str, new: str, recent: Looked, before: Looked, *, embed: Embed) -> Part | None:
    """The theme among a label's recent texts of which the other label is right now.

    None where the texts make none, the label is not given up in it, or it is as right there as before.
    """
    import numpy as np

    now, then = _some(_folded(recent, {old, new}), _folded(before, {old, new}))
    outdated, outdated_then = _are(new, now), _are(new, then)
    chooses = np.array([int(draw_order(key)[-1], 16) % 2 == 0 for key in now], dtype=bool)
    judges = np.logical_not(chooses)
    if min((outdated & chooses).sum(), (outdated & judges).sum()) < LEAST_CASES:
        return None
    texts = [one.text for one in now.values()]
    seen = embed(texts)
    candidates = np.flatnonzero(outdated & chooses)
    chosen = candidates[_examples(seen[chooses] @ seen[candidates].T >= NEAR, outdated[chooses])]
    about = _near(seen, seen[chosen])
    about_then = _near(embed([one.text for one in then.values()]), seen[chosen])
    inside, rest = _rate(outdated, judges & about), _rate(outdated, judges & np.logical_not(about))
    earlier = _rate(outdated_then, about_then)
    if inside.hits < LEAST_CASES or inside.hits < GIVEN_UP * inside.n:
        return None
    still, used_to = Rate(inside.n - inside.hits, recent.labelled // 2), Rate(earlier.n - earlier.hits, before.labelled)
    if less_often(still, used_to) >= GONE:
        return None
    return Part(
        old=old,
        new=new,
        weeks=len(recent.weeks),
        examples=tuple(texts[at] for at in chosen),
        now=inside,
        rest=rest,
        before=earlier,
        chance=max(_more_often(inside, rest), _more_often(inside, earlier)),
        by_week=(*_by_week(before, then, about_then, new), *_by_week(recent, now, about, new)),
    )


def rest_of(
    weeks: Sequence[tuple[str, Figures]], old: str, looked: Looked, covered: Container[str]
) -> list[tuple[str, Figures]]:
    """The weeks without the answers of a label to texts that are covered by rules for a part of it.

    Of each answer to it the share that was `looked` at and is not covered; none where the texts are gone.
    """
    every = Counter((one.week, one.right) for one in looked.answers)
    rest = Counter((one.week, one.right) for one in looked.answers if one.text not in covered)
    found = []
    for key, one in weeks:
        cells = [
            replace(cell, requests=cell.requests * rest[key, cell.answer] // max(every[key, cell.answer], 1))
            if cell.given == old
            else cell
            for cell in one.named
        ]
        found.append((key, replace(one, named=tuple(cells))))
    return found


def _folded(looked: Looked, labels: set[str]) -> dict[str, Checked]:
    """One of each text for which one of some labels is right, the newest: what was asked often is said once."""
    return {normalise(one.text): one for one in looked.answers if one.right in labels}


def _some(now: Mapping[str, Checked], then: Mapping[str, Checked]) -> tuple[dict[str, Checked], dict[str, Checked]]:
    """The texts with the lowest lots: of both the same share, so that rates of the two can be compared."""
    few = set(sorted({*now, *then}, key=draw_order)[:MOST])
    first, second = ({key: one for key, one in some.items() if key in few} for some in (now, then))
    return first, second


def _examples(near: NDArray[np.bool_], outdated: NDArray[np.bool_]) -> list[int]:
    """The columns that together are near the most contradicted texts and to few others, the best first.

    `near` has shape (texts, candidates). Each is worth what it adds: the greedy choice for a weighted coverage.
    """
    import numpy as np

    worth = np.where(outdated, 1.0, -COSTS)
    chosen: list[int] = []
    left = np.ones(len(near), dtype=bool)
    while len(chosen) < EXAMPLES:
        added = (worth * left) @ near
        best = int(added.argmax())
        if added[best] < STANDS_FOR:
            break
        chosen.append(best)
        left &= ~near[:, best]
    return chosen


def _near(seen: NDArray[np.float32], examples: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which texts are near one of the examples, by the embeddings of both."""
    near: NDArray[np.bool_] = (seen @ examples.T).max(axis=1, initial=-1.0) >= NEAR
    return near


def _are(label: str, texts: Mapping[str, Checked]) -> NDArray[np.bool_]:
    """For which texts it is right."""
    import numpy as np

    return np.array([one.right == label for one in texts.values()], dtype=bool)


def _rate(hits: NDArray[np.bool_], which: NDArray[np.bool_]) -> Rate:
    return Rate(int((hits & which).sum()), int(which.sum()))


def _more_often(now: Rate, other: Rate) -> float:
    """Chance of so many more hits here than there if they were as likely in both."""
    from scipy.stats import fisher_exact

    table = [[one.hits, one.n - one.hits] for one in (now, other)]
    return float(fisher_exact(table, alternative="greater").pvalue)


def _by_week(
    looked: Looked, texts: Mapping[str, Checked], about: NDArray[np.bool_], new: str
) -> Iterator[tuple[str, Rate]]:
    theme = {key for key, is_about in zip(texts, about, strict=True) if is_about}
    answers = [one for one in looked.answers if normalise(one.text) in theme]
    for week in looked.weeks:
        yield week, Rate.of(one.right == new for one in answers if one.week == week)
