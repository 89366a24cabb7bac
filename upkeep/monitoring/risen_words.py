"""Which words do a week's requests have more often than those of the weeks before?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from upkeep.monitoring.input_shift import words_of
from upkeep.redaction import PLACEHOLDER, Redaction, redact_cases
from upkeep.statistics.rates import Rate
from upkeep.statistics.significance import more_often

LEAST = 4
"""A word of fewer requests is nobody's new topic."""
MOST = 6
CERTAIN = 0.05
"""Chance that any word of a week is told in which nothing has changed (Bonferroni over its words)."""
LETTER = r"[^\W\d_]"


@dataclass(frozen=True, slots=True)
class RisenWord:
    """A word, in how many of a week's requests it is, and in how many of those before."""

    word: str
    now: Rate
    before: Rate

    def __str__(self) -> str:
        return f"`{self.word}` in {self.now.hits:,} of {self.now.n:,} ({self.before.hits / self.before.n:.1%} before)"

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds it in a text."""
        return re.compile(rf"(?<!{LETTER}){self.word}(?!{LETTER})", re.IGNORECASE)


def risen_words(texts: Sequence[str], before: Sequence[str], redaction: Redaction) -> list[RisenWord]:
    """The words that are in more of the texts than chance explains, the surest first; none that is personal data."""
    told = [PLACEHOLDER.sub(" ", one) for one in redact_cases(texts, redaction).texts]
    here, there, n = _texts_with(told), _texts_with(before), len(before)
    tried = {word: RisenWord(word, Rate(k, len(texts)), Rate(there[word], n)) for word, k in here.items() if k >= LEAST}
    chances = sorted((more_often(one.now, one.before), word) for word, one in tried.items())
    return [tried[word] for chance, word in chances[:MOST] if chance * len(tried) < CERTAIN]


def most_worded(texts: Iterable[str], words: Sequence[RisenWord]) -> list[str]:
    """The texts that have any of the words, those with most of them first."""
    sought = {one.word for one in words}
    having = [(len(sought & set(words_of(text))), text) for text in texts]
    return [text for many, text in sorted(having, key=lambda one: -one[0]) if many]


def _texts_with(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in set(words_of(text)))
