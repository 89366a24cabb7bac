"""Which kinds of request keep going wrong or keep being unusual, and are they becoming more?

Requests that were answered wrong or handed to a person are grouped by what they mean, and so are, apart from them, edge
cases that were neither: average-linkage clustering of
their embeddings by the untrained base model, so that a theme is the same thing whatever model answers. A theme is told
by the words it uses more than the other requests do, by its most typical requests, and by its count in each week. It is
the theme of an earlier review when the centres of the two lie close together. Of a conversation what the user has said
counts: what is answered is the same for many requests, and another model answers otherwise.

That an answer was wrong is known once somebody has looked at it: the sheet of the newest week is not back when it is
reviewed. So of a theme that is mostly known by that a week of which hardly anything is labelled tells no trend.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from upkeep.conversations import asked
from upkeep.monitoring.input_shift import words_of
from upkeep.redaction import PLACEHOLDER, Redaction, redact, shown
from upkeep.statistics.rates import Rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

APART = 0.62
"""Mean cosine distance from which two groups are two themes; requests of one intent are mostly nearer."""
SAME = 0.2
"""Cosine distance of centres below which a theme is one that was there before: reviews share most of their weeks."""
LEAST = 4
"""Requests that make a theme."""
MOST = 1000
"""Requests that are grouped at most, as many of each week."""
WORDS, EXAMPLES = 4, 3
TREND, FOLLOWED = 8, 26
"""Weeks that make a trend, and weeks for which counts are kept."""


class NotedRequest(NamedTuple):
    """A request that was answered wrong or handed to a person, or is an edge case, in the week it was made.

    `given` is what the model answered, None where a person got the request and nobody called the answer wrong.
    That it is troubled is known at once where it was `handed` to a person, else by its label alone.
    """

    week: str
    text: str
    wrong: bool
    given: str | None
    right: str | None
    unusual: bool = False
    troubled: bool = True
    handed: bool = False


@dataclass(frozen=True, slots=True)
class Theme:
    """Requests that are about the same thing: how many in each week, and how many of all were answered wrong.

    `given` and `right` are the most frequent answer of the model and right answer among them, where there are any.
    `since` is the first week that had one, `centre` the mean of their embeddings at length 1. `unusual` is how many of
    all their reviews listed as edge cases; None in what was recorded before that was counted. `unlabelled` are weeks
    whose count is what was found so far: hardly any of their answers has been looked at.
    """

    words: tuple[str, ...]
    requests: int
    wrong: int
    by_week: dict[str, int]
    given: str | None
    right: str | None
    examples: tuple[str, ...]
    since: str = ""
    centre: tuple[float, ...] = ()
    unusual: int | None = None
    unlabelled: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is about, in its words."""
        return ", ".join(self.words) or "(no word of its own)"

    @property
    def lately(self) -> dict[str, int]:
        """Its count in the newest weeks."""
        return dict(list(self.by_week.items())[-TREND:])

    @property
    def counts(self) -> str:
        """The same as people read it, with a plus where more may be found yet: 20 20 3+."""
        return " ".join(f"{n}{'+' if week in self.unlabelled else ''}" for week, n in self.lately.items())

    @property
    def trend(self) -> str:
        """The newer half of the newest weeks against the older half, in a word; of those of which enough is known."""
        counts = [n for week, n in self.lately.items() if week not in self.unlabelled]
        half = len(counts) // 2
        before, now = sum(counts[:half]), sum(counts[len(counts) - half :])
        if half and now >= 2 * before + 2:
            return "growing"
        return "shrinking" if half and before >= 2 * now + 2 else "steady" if half else "too early to tell"


def hardly_labelled(answered: Mapping[str, Rate]) -> set[str]:
    """The weeks of which less is labelled than half of what is of a week on average, where anything is.

    `answered` is how many of a week's automatic answers are labelled. Less by number and by share: as many may be
    audited of a busy week as of any other, and a quiet one has few answers.
    """
    some = [one for one in answered.values() if one.hits]
    if not some:
        return set()
    number, share = fmean(one.hits for one in some), fmean(one.hits / one.n for one in some)
    return {week for week, one in answered.items() if 2 * one.hits < number and 2 * one.hits < share * one.n}


def find_themes(
    noted: Sequence[NotedRequest],
    embeddings: NDArray[np.float32],
    *,
    weeks: Sequence[str],
    others: Sequence[str],
    redaction: Redaction,
    unlabelled: Collection[str] = (),
) -> list[Theme]:
    """The themes among some requests, the most frequent first; what fits none is left out.

    `embeddings` are of what users `asked` in them, shape (len(noted), width), each row of length 1; `others` are
    ordinary requests, against whose words those of a theme stand out; `weeks` are all weeks looked at, also those
    without a request, `unlabelled` those of them of which hardly anything is labelled. Words and examples are shown as
    `redaction` lets them be.
    """
    if len(noted) < LEAST:
        return []
    from sklearn.cluster import AgglomerativeClustering

    grouping = AgglomerativeClustering(n_clusters=None, distance_threshold=APART, metric="cosine", linkage="average")
    group_of = grouping.fit_predict(embeddings)
    usual = Counter(word for text in others for word in set(words_of(asked(text))))
    found = []
    for group, size in Counter(group_of.tolist()).most_common():
        if size >= LEAST:
            members = [at for at, one in enumerate(group_of) if one == group]
            chosen = [noted[at] for at in members]
            theme = _theme(chosen, embeddings[members], weeks, usual, len(others), redaction=redaction)
            by_label = sum(one.troubled and not one.handed for one in chosen)
            found.append(replace(theme, unlabelled=_those(unlabelled, weeks)) if 2 * by_label > size else theme)
    return found


def _those(unlabelled: Collection[str], weeks: Sequence[str]) -> tuple[str, ...]:
    return tuple(week for week in weeks if week in unlabelled)


def _theme(
    members: Sequence[NotedRequest],
    embeddings: NDArray[np.float32],
    weeks: Sequence[str],
    usual: Counter[str],
    n: int,
    *,
    redaction: Redaction,
) -> Theme:
    nearest = (embeddings @ embeddings.mean(axis=0)).argsort()[::-1][:EXAMPLES]
    counted = Counter(one.week for one in members)
    centre = embeddings.mean(axis=0)
    centre /= (centre @ centre) ** 0.5
    return Theme(
        words=_words([one.text for one in members], usual, n, redaction),
        requests=len(members),
        wrong=sum(one.wrong for one in members),
        by_week={week: counted[week] for week in weeks},
        given=_most([one.given for one in members]),
        right=_most([one.right for one in members]),
        examples=tuple(shown(members[int(at)].text, redaction) for at in nearest),
        since=next(week for week in weeks if counted[week]),
        centre=tuple(round(float(part), 4) for part in centre),
        unusual=sum(one.unusual for one in members),
    )


def follow(found: Sequence[Theme], before: Sequence[Sequence[Theme]]) -> list[Theme]:
    """The themes found now, those that were there before with their first week and their earlier counts.

    `before` are the themes of earlier reviews, the oldest review's first: one that had too few requests for a while is
    the same when it has enough again. What a later review has followed is looked for as that one has it.
    """
    known: list[Theme] = []
    for themes in before:
        alike = [one for one in themes if found and len(one.centre) == len(found[0].centre)]  # else of another base
        followed = _same(alike, known).values()
        known = [*alike, *(one for at, one in enumerate(known) if at not in followed)]
    then = _same(found, known)
    return [_continued(one, known[then[at]]) if at in then else one for at, one in enumerate(found)]


def _same(found: Sequence[Theme], known: Sequence[Theme]) -> dict[int, int]:
    """Which of the known themes is which of those found, by place; centres are paired nearest first, each once."""
    import numpy as np

    if not found or not known:
        return {}
    apart = 1 - _centres(found) @ _centres(known).T
    then: dict[int, int] = {}
    for new, old in sorted(np.argwhere(apart < SAME).tolist(), key=lambda pair: (apart[tuple(pair)], pair)):
        if new not in then and old not in then.values():
            then[new] = old
    return then


def nearest(themes: Sequence[Theme], embeddings: NDArray[np.float32]) -> list[int | None]:
    """For each text the theme whose centre is nearest, None where none is near; `embeddings` as in `find_themes`."""
    if not themes or len(themes[0].centre) != embeddings.shape[1]:  # found by another model
        return [None] * len(embeddings)
    alike = embeddings @ _centres(themes).T
    return [int(row.argmax()) if 1 - row.max() < APART / 2 else None for row in alike]


def _centres(themes: Sequence[Theme]) -> NDArray[np.float32]:
    import numpy as np

    return np.array([one.centre for one in themes], dtype=np.float32)


def _continued(now: Theme, before: Theme) -> Theme:
    by_week = dict(sorted((before.by_week | now.by_week).items()))
    kept = dict(list(by_week.items())[-FOLLOWED:])
    unlabelled = {*now.unlabelled, *(week for week in before.unlabelled if week not in now.by_week)}
    return replace(now, by_week=kept, since=min(now.since, before.since), unlabelled=_those(unlabelled, [*kept]))


def _words(texts: Sequence[str], usual: Counter[str], n: int, redaction: Redaction) -> tuple[str, ...]:
    """The words in most of the texts and in few others: share of texts times log of how much more often."""
    plain = (PLACEHOLDER.sub(" ", redact(asked(text), redaction)) for text in texts)
    here = Counter(word for text in plain for word in set(words_of(text)))

    def standing_out(word: str) -> float:
        share = here[word] / len(texts)
        return share * math.log((share + 0.01) / ((usual[word] + 0.5) / (n + 1) + 0.01))

    told = [word for word in here if here[word] >= 2 and standing_out(word) > 0]
    return tuple(sorted(told, key=lambda word: (-standing_out(word), word))[:WORDS])


def _most(answers: Sequence[str | None]) -> str | None:
    named = Counter(answer for answer in answers if answer is not None)
    return named.most_common(1)[0][0] if named else None
