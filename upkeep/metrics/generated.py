"""How good are the texts that a model writes?

Where people only said right or wrong, that is counted as for any model (monitoring/figures.py). Where an audit named
a good answer, the given one is compared with it, and one that an audit called right is itself a good answer: a
different text is not a wrong one, so these figures say how close answers are and never how many are right. Lengths
and refusals need no labels.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from upkeep.errors import ConfigError
from upkeep.log.entries import OutcomeSource, Prediction, Sample
from upkeep.log.truth import truth_of
from upkeep.patterns import is_in
from upkeep.statistics.rates import Rate

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF

SPACELESS = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u103f\u1050-\u108f\u1780-\u17d3\u17d7"  # Burmese, Khmer
    "\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese
)
"""Letters of scripts that put no spaces between words, without their digits and punctuation."""
WORD = re.compile(rf"[{SPACELESS}]|[^\W{SPACELESS}]+")


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of what is never negative, its 95 % interval (Student's t), and what it was taken over."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float], *, most: float = math.inf) -> Mean | None:
        """None where there is nothing to take a mean of; the interval of a single value is the value.

        No value can be higher than `most`, and so no mean.
        """
        from statistics import fmean, stdev

        from scipy.stats import t

        if not values:
            return None
        mean, n = fmean(values), len(values)
        reach = float(t.ppf(0.975, n - 1)) * stdev(values) / n**0.5 if n > 1 else 0.0
        return cls(mean, max(mean - reach, 0.0), min(mean + reach, most), n)

    def __str__(self) -> str:
        return f"{self.value:.3g} (95% CI {self.low:.3g}..{self.high:.3g}, n={self.n:,})"


@dataclass(frozen=True, slots=True)
class Generated:
    """A model's answers of a week, on a sample. `exact`, `token_f1` and `chrf` (0..1) compare with audited references;
    `words` is the length of answers, `refusals` those that say the model will not or cannot help."""

    exact: Rate
    token_f1: Mean | None
    chrf: Mean | None
    words: Mean | None
    refusals: Rate


def measure_answers(sample: Sample, *, version: str | None, refusals: Sequence[str]) -> Generated:
    """Compare a model version's answers in a sample with those that audits named or called right.

    `refusals` are regular expressions. Raises ConfigError where one of them takes too long.
    """
    of_it = [(one, one.output) for one in sample.predictions if one.model_version == version and one.output is not None]
    answers = [answer for _, answer in of_it]
    pairs = [(answer, reference) for one, answer in of_it if (reference := _reference(sample, one)) is not None]
    return Generated(
        exact=Rate.of(words(answer) == words(reference) for answer, reference in pairs),
        token_f1=Mean.of([token_f1(answer, reference) for answer, reference in pairs], most=1.0),
        chrf=Mean.of([chrf(answer, reference) for answer, reference in pairs], most=1.0),
        words=Mean.of([float(len(words(answer))) for answer in answers]),
        refusals=Rate.of(any(_refuses(pattern, answer) for pattern in refusals) for answer in answers),
    )


def described(found: Generated) -> dict[str, str]:
    """The figures that there are, for people."""
    named = {
        "answers equal to the audited reference": found.exact if found.exact.n else None,
        "words in common with it (token F1, 0..1)": found.token_f1,
        "characters in common with it (chrF, 0..1)": found.chrf,
        "words in an answer": found.words,
        "answers that refuse": found.refusals if found.refusals.n else None,
    }
    return {name: str(value) for name, value in named.items() if value is not None}


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the shares of words that two texts have in common, in 0..1 (Rajpurkar et al., 2016), without
    regard to case and punctuation; two texts without a word are alike."""
    given, wanted = Counter(words(answer)), Counter(words(reference))
    if not given or not wanted:
        return float(given == wanted)
    return 2 * (given & wanted).total() / (given.total() + wanted.total())


def chrf(answer: str, reference: str) -> float:
    """Character n-gram F-score, 0..1 (Popovic, 2015): any script, no word list. ROUGE's usual implementation finds
    nothing in common between equal Cyrillic texts."""
    return float(_chrf().sentence_score(answer, [reference]).score) / 100


@lru_cache(maxsize=1)
def _chrf() -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()


def words(text: str) -> list[str]:
    """The words of a text, in small letters; each letter of a script without spaces is one."""
    return WORD.findall(text.casefold())


def _refuses(pattern: str, answer: str) -> bool:
    try:
        return is_in(pattern, answer)
    except ConfigError as exc:
        raise ConfigError(f"refusals: {exc}") from exc


def _reference(sample: Sample, one: Prediction) -> str | None:
    audits = [said for said in sample.outcomes.get(one.id, []) if said.source is OutcomeSource.AUDIT]
    return truth_of(one, audits, out_of_scope="").answer if audits else None
