"""Which answers are likely to be a mistake?

A case is suspect when its answer is hardly believed by the answers of all other cases, and no recent ones contradict
the old answers in the same way: many who do so together have a new policy, not each a slip. To be suspect is a reason
for a person to look at a case, never to drop it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from upkeep.cases.case import Case
from upkeep.log.entries import draw_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHANCE = 0.5
"""An answer is suspect when it is believed less than half as much as by chance, which is 1 / labels. Of 8 % wrong
answers planted at random among 1,000 or 5,000 new cases 87 to 93 % are flagged, and of what is flagged 86 to 92 % were
planted (banking77, 77 labels, which has mistakes of its own); 94 to 96 % and 96 to 99 % (clinc150, 150 labels). Where
the wrong answer is one of the five labels most like the right one: 54 to 60 % and 75 to 87 %; 63 to 68 % and 95 to
98 %. Where nothing was planted about 1 % are flagged, of those that no label fits 4 %."""
LEAST = 5
"""A label with fewer cases is not judged, and not judged by: one slip among four cases is no outlier."""
NEAREST, TOGETHER = 15, 2
"""A suspect is let off when among so many of the nearest recent cases of which the same other answer is believed two
say what it says. Of 288 cases whose right answer a new policy had changed (banking77_policy) 9 are flagged when all are
collected weekly, 2 when monthly. Were each changed into an answer nothing like the old one, it would be 6 % and 5 %,
and 18 % and 17 % without this; with only 29 labelled cases a week 17 % instead of 45 %, mostly the first two of each
pattern, which nothing tells from slips yet. Of planted mistakes this lets off 0 to 4 in a hundred; were one other
enough, 0 to 16."""
LATELY = timedelta(days=92)
"""Production that is recent: a new policy shows in it, and a label has a dozen cases at 70 a week."""
KNOWN = 2500
"""So many known cases judge at most: short ones are embedded in 1.4 to 3 s, so that none need be kept.
Four times as many find as much of what is planted at random, and 5 to 10 % more of what is like the right answer."""
SHRINKAGE = 0.3
"""From .1 to .5 nothing changes. Cross-validated logistic regression ranks what was planted somewhat better (average
precision .98 for .96, banking77) and takes fifty times as long; nearest neighbours rank it worse (.90)."""
FITTED, BLOCK = 5000, 10_000


class Answered(NamedTuple):
    """Texts as embeddings, shape (n, width), each row of length 1, and the answer to each."""

    embeddings: NDArray[np.float32]
    answers: Sequence[str]


class _Beliefs(NamedTuple):
    """Of each case how far its own answer is believed, and the answer that is believed most."""

    own: NDArray[np.float64]
    most: NDArray[np.int64]


def find_suspects(new: Answered, *, lately: Answered, before: Answered) -> list[float | None]:
    """How little the answer of each new case is believed, a share below `CHANCE` / labels; None where nothing speaks
    against it or it cannot be judged.

    `lately` and `before` are known cases with the answers that are right now, the former from production of late. The
    share is cleanlab's label quality (Northcutt, Jiang and Chuang, 2021) of what all other cases say. Takes a second
    or two for 5,000 new cases with 150 labels, 20 s and 1.3 GiB for 100,000.
    """
    import numpy as np

    answers = [*new.answers, *lately.answers, *before.answers]
    counts = Counter(answers)
    labels = sorted(label for label, count in counts.items() if count >= LEAST)
    found: list[float | None] = [None] * len(new.answers)
    if len(labels) < 2:
        return found
    number = {label: at for at, label in enumerate(labels)}
    given = np.array([number.get(answer, -1) for answer in answers])
    kept = np.flatnonzero(given >= 0)
    embeddings, given = np.concatenate([new.embeddings, lately.embeddings, before.embeddings])[kept], given[kept]
    beliefs = _beliefs(embeddings, given, len(labels))
    recent = kept < len(new.answers) + len(lately.answers)
    doubted = np.flatnonzero((kept < len(new.answers)) & (beliefs.own < CHANCE / len(labels)))
    for row in doubted:
        if not _together(row, embeddings, given, beliefs.most, recent):
            found[kept[row]] = float(beliefs.own[row])
    return found


def reference_cases(known: Iterable[Case], most: int) -> list[Case]:
    """Of the cases that are right now so many at most: of each answer the newest, taken in turn."""
    always = datetime.min.replace(tzinfo=UTC)
    newest = sorted(known, key=lambda case: (case.valid_from or always, draw_order(case.id)))[::-1]
    seen: Counter[str] = Counter()
    turns = []
    for case in newest:
        seen[case.answer] += 1
        turns.append(seen[case.answer])
    return [case for _, case in sorted(zip(turns, newest, strict=True), key=lambda one: one[0])][:most]


def _beliefs(embeddings: NDArray[np.float32], given: NDArray[np.int64], labels: int) -> _Beliefs:
    """What a linear discriminant that has not seen a case says of it."""
    import numpy as np
    from cleanlab.rank import get_label_quality_scores

    discriminant = Discriminant(embeddings, given, labels)
    sampled = np.arange(0, len(given), -(-len(given) // FITTED))
    heat = _heat(discriminant.scores(sampled), given[sampled])
    own, most = np.zeros(len(given)), np.zeros(len(given), np.int64)
    for start in range(0, len(given), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(given)))
        probabilities = _softmax(heat * discriminant.scores(rows))
        own[rows] = get_label_quality_scores(given[rows], probabilities, method="self_confidence")
        most[rows] = probabilities.argmax(axis=1)
    return _Beliefs(own, most)


class Discriminant:
    """Linear discriminant analysis with a shrunken covariance, whose scores of a case are told without that case."""

    def __init__(self, embeddings: NDArray[np.float32], given: NDArray[np.int64], labels: int) -> None:
        import numpy as np

        self.given = given
        self.counts = np.bincount(given, minlength=labels)
        means = np.zeros((labels, embeddings.shape[1]))
        np.add.at(means, given, embeddings)
        means /= self.counts[:, None]
        rest = embeddings - means[given].astype(np.float32)
        free, width = max(len(given) - labels, 1), embeddings.shape[1]
        covariance = (rest.T @ rest).astype(np.float64) / free
        even = np.eye(width) * (covariance.trace() / width + 1e-9)
        white = np.linalg.inv(np.linalg.cholesky((1 - SHRINKAGE) * covariance + SHRINKAGE * even)).T
        self.points, self.means = embeddings @ white.astype(np.float32), means @ white
        self.share = (1 - SHRINKAGE) / free

    def scores(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log-likelihood of each label, shape (len(rows), labels), but for a constant.

        What a case adds to the mean of its label and to the covariance (Sherman and Morrison, 1950) is taken off.
        """
        import numpy as np

        points, own, each = self.points[rows].astype(np.float64), self.given[rows], np.arange(len(rows))
        weight = self.counts[own] / (self.counts[own] - 1)
        rest = points - self.means[own]
        distance = (points**2).sum(1)[:, None] - 2 * points @ self.means.T + (self.means**2).sum(1)
        along = (points * rest).sum(1)[:, None] - rest @ self.means.T
        distance[each, own] *= weight**2
        along[each, own] *= weight
        taken = self.share * weight
        distance += (taken / (1 - taken * (rest**2).sum(1)))[:, None] * along**2
        others = np.tile(self.counts, (len(rows), 1))
        others[each, own] -= 1
        scores: NDArray[np.float64] = -distance / (1 + 1 / others) / 2  # a mean of few is itself uncertain
        return scores


def _heat(scores: NDArray[np.float64], given: NDArray[np.int64]) -> float:
    """By what the scores are multiplied so that their shares are as often right as they say (Guo et al., 2017)."""
    import numpy as np
    from scipy.optimize import minimize_scalar

    scores = scores - scores.max(axis=1, keepdims=True)
    own = scores[np.arange(len(given)), given]

    def loss(log_heat: float) -> float:
        heat = np.exp(log_heat)
        return float(np.mean(np.log(np.exp(heat * scores).sum(axis=1)) - heat * own))

    return float(np.exp(minimize_scalar(loss, bounds=(-8, 1), method="bounded").x))


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    shares: NDArray[np.float64] = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _together(
    row: np.int64,
    embeddings: NDArray[np.float32],
    given: NDArray[np.int64],
    most: NDArray[np.int64],
    recent: NDArray[np.bool_],
) -> bool:
    """Do others among the nearest recent cases of which the same is believed say the same as this one?"""
    import numpy as np

    alike = np.flatnonzero(recent & (most == most[row]))
    alike = alike[alike != row]
    near = alike[np.argsort(-(embeddings[alike] @ embeddings[row]), kind="stable")[:NEAREST]]
    return bool((given[near] == given[row]).sum() >= TOGETHER)
