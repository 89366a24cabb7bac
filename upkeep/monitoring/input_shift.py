"""Do people's requests still look as they did?

What a week's requests look like is kept as a few numbers on a sample of them: where their embeddings by the untrained
base model lie on average, how many of their words no training text has, how long they are, in which language. Of a
conversation what the user has said counts: another model answers otherwise, which is no shift of the requests. A model
may answer new kinds of request well or badly: a shift is a reason to look, and only labels tell whether it hurts.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from upkeep.conversations import asked
from upkeep.statistics.overdispersion import chance_beyond
from upkeep.statistics.rates import Rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_WEEKS = 4
LEAST_TEXTS = 30
LEAST_POOLED = 5
"""A week with fewer than `LEAST_TEXTS` is looked at only with those before it, one with fewer than this not at all."""
REFERENCE = 26
"""A week is compared with so many before it at most."""
SPANS = (1, 4)
"""So many newest weeks are looked at together: one shows a sudden shift, four a slow one."""
NOTABLE_DISTANCE = 0.005
"""Squared distance, as a share of the variance within a week, below which a shift is certain at best, not notable."""
NOTABLE_WORDS = 1.25
NOTABLE_LENGTH = 1.25
NOTABLE_LANGUAGE = 0.05
LEAST_CHARACTERS = 25
"""The language of a shorter text is anybody's guess."""

UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, Kana and Han: between their words stands no space, so that no word can be told."""
SPACED = re.compile(rf"[^\W\d_{UNSPACED}]{{3,}}")


@dataclass(frozen=True, slots=True)
class Inputs:
    """A week's requests, on `n` of them.

    `centre` is the mean of their L2-normalised embeddings by the base model `base` (its digest), `dimensions` in how
    many directions they vary: tr(S)^2 / tr(S^2) of their covariance S. `words` are those no training text has, of all;
    none where nothing was taught. `known` is the digest of the words that training texts have; old records kept none.
    `length` is the mean of log2 characters and `length_sd` its standard deviation. `languages` counts texts. `answered`
    are the conversations, whose answers were left out; None in old records, which have the answers in them.
    """

    n: int
    base: str
    centre: tuple[float, ...]
    dimensions: float
    words: Rate
    length: float
    length_sd: float
    languages: dict[str, int]
    known: str = ""
    answered: int | None = None

    @property
    def variance(self) -> float:
        """The trace of the embeddings' covariance: their length is 1, so it follows from the centre."""
        return max(1 - sum(part * part for part in self.centre), 1e-9) * self.n / max(self.n - 1, 1)


@dataclass(frozen=True, slots=True)
class Sign:
    """One way in which requests have come to look different, in words, and how likely it is by chance.

    It was seen on `n` requests of so many newest `weeks`.
    """

    about: str
    text: str
    chance: float
    n: int = 0
    weeks: int = 1


def vocabulary(texts: Iterable[str]) -> set[str]:
    """The words of some texts."""
    return {word for text in texts for word in words_of(text)}


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case; three letters at least, of scripts that put spaces between words."""
    return SPACED.findall(text.lower())


def describe_inputs(
    requests: Sequence[str], embeddings: NDArray[np.float32], *, known: Collection[str], base: str
) -> Inputs:
    """What a week's requests look like; `embeddings` are of what users `asked` in them, shape (len(requests), width),
    each row of length 1."""
    import numpy as np

    texts = [asked(one) for one in requests]
    words = [word for text in texts for word in words_of(text)] if known else []
    lengths = np.log2([len(text) + 1 for text in texts])
    centre = embeddings.mean(axis=0)
    return Inputs(
        n=len(texts),
        base=base,
        centre=tuple(round(float(part), 6) for part in centre),
        dimensions=_dimensions(embeddings - centre),
        words=Rate(sum(word not in known for word in words), len(words)),
        length=float(lengths.mean()),
        length_sd=float(lengths.std(ddof=1)) if len(texts) > 1 else 0.0,
        languages=dict(Counter(language(text) for text in texts if len(text) >= LEAST_CHARACTERS).most_common()),
        known=hashlib.sha256("\n".join(sorted(known)).encode()).hexdigest() if known else "",
        answered=sum(text != one for text, one in zip(texts, requests, strict=True)),
    )


def language(text: str) -> str:
    """The ISO 639 code of the language that a text is most likely in."""
    return str(_identifier().classify(text)[0])


def language_chances(text: str) -> dict[str, float]:
    """How likely a text is in each language, by ISO 639 code; together 1. `zxx` is none: a log, keys hit at random."""
    return dict(_identifier().rank(text))


def signs_of_shift(now: Inputs, earlier: Sequence[Inputs], *, budget: float) -> list[Sign]:
    """What is different about the newest weeks; `budget` is the chance of any false finding.

    Each sign is told once, of the newest week if it shows it alone, and those of the newest week come first. Weeks with
    few texts are taken where the newest has few too: beside others they only make the comparison restless.
    """
    weeks = [*comparable(now, earlier), now]
    found: dict[str, Sign] = {}
    for span in SPANS:
        recent, usual = weeks[-span:], weeks[:-span][-REFERENCE:]
        if len(usual) >= LEAST_WEEKS and all(sum(one.n for one in some) >= LEAST_TEXTS for some in (recent, usual)):
            signs = [sign for test in (_meaning, _words, _length, _language) for sign in test(recent, usual)]
            for sign in signs:
                if sign.chance < budget / len(SPANS) / 4:
                    found.setdefault(sign.about, replace(sign, n=sum(one.n for one in recent), weeks=span))
    return list(found.values())


def comparable(now: Inputs, earlier: Sequence[Inputs]) -> list[Inputs]:
    """The earlier weeks that were looked at as the newest was; none where that has too few requests, or fewer than
    LEAST_WEEKS were: then no sign is told, whatever the requests are."""
    least = LEAST_TEXTS if now.n >= LEAST_TEXTS else LEAST_POOLED
    alike = [one for one in earlier if one.n >= least and one.base == now.base]
    if any(one.answered for one in (*alike, now)):
        alike = [one for one in alike if one.answered is not None and now.answered is not None]
    return alike if now.n >= least and len(alike) >= LEAST_WEEKS else []


def distance(one: Inputs, other: Inputs) -> float:
    """Squared distance of two centres as a multiple of what chance alone makes it: 1 on average without a shift."""
    squared: float = sum((a - b) ** 2 for a, b in zip(one.centre, other.centre, strict=True))
    return squared / (_pooled(one, other) * (1 / one.n + 1 / other.n))


def weekly_distances(weeks: Sequence[Inputs]) -> list[float]:
    """Each week's `distance` from the others together, with the variance within all of them."""
    import numpy as np

    n = np.array([[one.n] for one in weeks])
    others = n.sum() - n
    centres = np.array([one.centre for one in weeks])
    theirs = ((n * centres).sum(axis=0) - n * centres) / others
    within = (n[:, 0] * [one.variance for one in weeks]).sum() / n.sum()
    squared = ((centres - theirs) ** 2).sum(axis=1, keepdims=True)
    return [float(one) for one in (squared / (within * (1 / n + 1 / others)))[:, 0]]


def pooled(weeks: Sequence[Inputs]) -> Inputs:
    """Several weeks as one."""
    n = sum(one.n for one in weeks)
    languages: Counter[str] = Counter()
    for one in weeks:
        languages.update(one.languages)
    return Inputs(
        n=n,
        base=weeks[0].base,
        centre=tuple(
            sum(one.n * part for one, part in zip(weeks, parts, strict=True)) / n
            for parts in zip(*(one.centre for one in weeks), strict=True)
        ),
        dimensions=sum(one.n * one.dimensions for one in weeks) / n,
        words=sum((one.words for one in weeks), Rate(0, 0)),
        length=sum(one.n * one.length for one in weeks) / n,
        length_sd=sum(one.n * one.length_sd for one in weeks) / n,
        languages=dict(languages.most_common()),
    )


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _dimensions(centred: NDArray[np.float32]) -> float:
    """tr(S)^2 / tr(S^2) from n rows; what the sample's own noise adds to tr(S^2), tr(S)^2 / n, is taken off."""
    n = len(centred)
    if n < 3:
        return 1.0
    gram = centred @ centred.T / (n - 1)
    trace = float(gram.trace())
    squared = float((gram**2).sum()) - trace**2 / (n - 1)
    return trace**2 / max(squared, trace**2 / min(n, int(centred.shape[1])))


def _pooled(one: Inputs, other: Inputs) -> float:
    return (one.n * one.variance + other.n * other.variance) / (one.n + other.n)


def _meaning(recent: Sequence[Inputs], usual: Sequence[Inputs]) -> Iterator[Sign]:
    """The centres' distance, as a multiple of what chance makes it with as many degrees of freedom as the embeddings
    have dimensions (Box, 1954), beside what the earlier weeks come to against each other."""
    now, before = pooled(recent), pooled(usual)
    distances = weekly_distances(usual)
    seen, spread = distance(now, before), max(fmean(distances), 1.0)
    notable = (seen - spread) * (1 / now.n + 1 / before.n)
    if notable >= NOTABLE_DISTANCE:
        times = f"{seen / spread:.1f} times as far from the weeks before as those are from each other"
        yield Sign("topics", f"they are about other things, {times}", chance_beyond(seen, distances, before.dimensions))


def _words(recent: Sequence[Inputs], usual: Sequence[Inputs]) -> Iterator[Sign]:
    """Of weeks that were held against the same texts: a model that was taught others makes no word of a request new."""
    known = recent[-1].known
    recent, usual = ([one for one in weeks if one.words.n and one.known == known] for weeks in (recent, usual))
    if not recent or len(usual) < LEAST_WEEKS:
        return
    now = pooled(recent).words
    seen, before = now.value, pooled(usual).words.value
    if seen is not None and before is not None and seen >= NOTABLE_WORDS * before:
        # a rare thing's share scatters more the higher it is, its square root does not
        weekly = [(one.words.value or 0.0) ** 0.5 for one in usual]
        chance = _beyond(seen**0.5, weekly, 0.5 / now.n**0.5, weeks=len(recent))
        yield Sign("words", f"{seen:.1%} of their words are in no training text, before {before:.1%}", chance)


def _length(recent: Sequence[Inputs], usual: Sequence[Inputs]) -> Iterator[Sign]:
    now, before = pooled(recent), pooled(usual)
    ratio = 2 ** (now.length - before.length)
    if max(ratio, 1 / ratio) >= NOTABLE_LENGTH:
        noise = before.length_sd / now.n**0.5
        chance = 2 * _beyond(now.length, [one.length for one in usual], noise, weeks=len(recent))
        yield Sign("length", f"they have {2**now.length:.0f} characters, before {2**before.length:.0f}", chance)


def _language(recent: Sequence[Inputs], usual: Sequence[Inputs]) -> Iterator[Sign]:
    now, before = pooled(recent).languages, pooled(usual).languages
    n, m = sum(now.values()), sum(before.values())
    for code, hits in now.items():
        share, was = hits / n, before.get(code, 0) / max(m, 1)
        if m and share - was >= NOTABLE_LANGUAGE:
            weekly = [(one.languages.get(code, 0) / max(sum(one.languages.values()), 1)) ** 0.5 for one in usual]
            chance = _beyond(share**0.5, weekly, 0.5 / n**0.5, weeks=len(recent)) * len(now)
            yield Sign(f"language {code}", f"{share:.1%} of them are in {code!r}, before {was:.1%}", chance)


def _beyond(seen: float, weekly: Sequence[float], noise: float, *, weeks: int) -> float:
    """Chance that the mean of so many more weeks like the others is so far from theirs (Student's t).

    `noise` is the standard error of `seen` if all of its requests were drawn alike.
    """
    from scipy.stats import t

    spread = max(stdev(weekly) * (1 / weeks + 1 / len(weekly)) ** 0.5, noise * (1 + weeks / len(weekly)) ** 0.5)
    return float(t.sf(abs(seen - fmean(weekly)) / max(spread, 1e-12), len(weekly) - 1))
