"""Which texts say the same thing in nearly the same words?

Two texts are near-duplicates when the Jaccard similarity of their character 5-grams (Broder, 1997), punctuation left
out, is `ALIKE` or more.
Every such pair is found, not most of them as MinHash would: on that rests that no evaluation item is ever trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

from upkeep.cases.case import normalise
from upkeep.progress import Progress, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALIKE = 0.8
"""Of pairs of questions so alike, 98 % (of 218, banking77) and 99 % (of 285, clinc150) have the same answer."""
GRAM = 5
TOGETHER = 8
"""So many rare shingles two texts must share before they are compared in full; two would do, and take five times as
long on long texts."""
BLOCK, VERIFIED = 1000, 200_000


class Pair(NamedTuple):
    """A text, another one, by their rows, and their similarity in 0..1."""

    row: int
    other: int
    similarity: float


class Nearest(NamedTuple):
    """For each text the row of the most alike of the others, and how alike; -1 and 0.0 where none shares a shingle."""

    other: NDArray[np.int64]
    similarity: NDArray[np.float64]


def similar_pairs(
    texts: Sequence[str], others: Sequence[str], *, least: float = ALIKE, progress: Progress = silent
) -> Iterator[Pair]:
    """All pairs of a text and another text whose similarity is `least` or more, by row of the text.

    Prefix filtering (Chaudhuri, Ganti and Kaushik, 2006; Wang, Li and Feng, 2012): with their shingles in order of
    rarity, two texts that share `o` of them share `l` of the first (size - o + l), for every l up to o.
    """
    import numpy as np

    if not texts or not others:
        return
    here, there = _shingled(texts, others)
    sizes, other_sizes = np.diff(here.indptr), np.diff(there.indptr)
    rarity = np.argsort(np.argsort(there.getnnz(axis=0), kind="stable"))
    rare, other_rare = _rarest(here, rarity, least), _rarest(there, rarity, least).T.tocsr()
    for start in range(0, len(texts), BLOCK):
        shared = (rare[start : start + BLOCK] @ other_rare).tocoo()
        rows, columns = shared.row + start, shared.col
        smaller, larger = np.minimum(sizes[rows], other_sizes[columns]), np.maximum(sizes[rows], other_sizes[columns])
        likely = (smaller >= least * larger) & (shared.data >= np.minimum(TOGETHER, np.ceil(least * larger)))
        yield from sorted(_verified(here, there, rows[likely], columns[likely], least))
        progress("looking for near-duplicates", min(start + BLOCK, len(texts)), len(texts))


def nearest(texts: Sequence[str], others: Sequence[str], *, progress: Progress = silent) -> Nearest:
    """The most alike of the others for each text, by comparing each with each."""
    import numpy as np

    found = Nearest(np.full(len(texts), -1), np.zeros(len(texts)))
    if not texts or not others:
        return found
    here, there = _shingled(texts, others)
    sizes, other_sizes = np.diff(here.indptr), np.diff(there.indptr)
    turned = there.T.tocsr()
    for start in range(0, len(texts), BLOCK // 4):
        shared = (here[start : start + BLOCK // 4] @ turned).tocsr()
        counts = np.diff(shared.indptr)
        rows = np.flatnonzero(counts)
        counts, begins = counts[rows], shared.indptr[rows]
        both = np.repeat(sizes[rows + start], counts) + other_sizes[shared.indices]
        similarity = shared.data / (both - shared.data)
        most = np.maximum.reduceat(similarity, begins)
        first = np.where(similarity == np.repeat(most, counts), shared.indices, len(others))
        found.similarity[rows + start] = most
        found.other[rows + start] = np.minimum.reduceat(first, begins)
        progress("comparing with the evaluation items", min(start + BLOCK // 4, len(texts)), len(texts))
    return found


def _shingled(texts: Sequence[str], others: Sequence[str]) -> tuple[Any, Any]:
    """Which shingles each text has: two sparse matrices of ones with a row for each text and the same columns."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(  # into 2^31 - 1 columns: that two of a million shingles fall together is rare
        analyzer="char", ngram_range=(GRAM, GRAM), binary=True, norm=None, alternate_sign=False, lowercase=False,
        n_features=2**31 - 1, dtype=np.int32,
    )  # fmt: skip
    # marks at both ends, so that a text of one letter has a shingle too
    both = hashing.transform([f"\x02\x02{_words(text)}\x03\x03" for text in (*texts, *others)])
    used, columns = np.unique(both.indices, return_inverse=True)
    narrow = csr_matrix((np.ones(len(columns), np.int32), columns, both.indptr), shape=(both.shape[0], len(used)))
    narrow.sort_indices()
    return narrow[: len(texts)], narrow[len(texts) :]


def _words(text: str) -> str:
    """A text without its punctuation: in a short one a question mark more is a fifth of all shingles."""
    normal = normalise(text)
    return " ".join(normal.translate(_punctuation()).split()) or normal


@cache
def _punctuation() -> dict[int, str]:
    """What stands for each mark: a space for a dash, as in "top-up", nothing for any other."""
    kinds = ((code, category(chr(code))) for code in range(sys.maxunicode))
    return {code: " " if kind == "Pd" else "" for code, kind in kinds if kind.startswith("P")}


def _rarest(shingles: Any, rarity: NDArray[np.int64], least: float) -> Any:
    """Of each text the rarest shingles by which one that is alike can be found."""
    import numpy as np
    from scipy.sparse import csr_matrix

    sizes = np.diff(shingles.indptr)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((rarity[shingles.indices], rows))
    place = np.arange(len(rows)) - np.repeat(shingles.indptr[:-1], sizes)
    kept = place < np.repeat(sizes - np.ceil(least * sizes).astype(np.int64) + TOGETHER, sizes)
    columns = shingles.indices[order][kept]
    return csr_matrix((np.ones(len(columns), np.int32), (rows[kept], columns)), shape=shingles.shape)


def _verified(
    here: Any, there: Any, rows: NDArray[np.int64], columns: NDArray[np.int64], least: float
) -> Iterator[Pair]:
    import numpy as np

    for start in range(0, len(rows), VERIFIED):
        one, other = here[rows[start : start + VERIFIED]], there[columns[start : start + VERIFIED]]
        shared = np.asarray(one.multiply(other).sum(axis=1)).ravel()
        similarity = shared / (np.diff(one.indptr) + np.diff(other.indptr) - shared)
        for at in np.flatnonzero(similarity >= least):
            yield Pair(int(rows[start + at]), int(columns[start + at]), float(similarity[at]))
