"""What would three companies' tickets have looked like, from launch until their classifiers have gone stale?

The words are in `themes/*.yaml`; this file tells the story, by month from the start:
* month 1: the same mix of requests as at launch, 2 % of it out of scope;
* from the 15th of month 2: a policy change, three kinds of request get another right answer;
* from month 3: a new product line, three kinds of request that the launch labels do not know, in full swing by month 5;
* from month 3: requests that nobody could answer automatically grow from 2 % to 6 % in month 6.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BeforeValidator

from upkeep.errors import ConfigError, TimelineError
from upkeep.strict_yaml import Strict
from upkeep.timeline import OUT_OF_SCOPE, Split, TimelineRow

THEMES = ("northwind", "brightbill", "clearline")

POLICY_MONTH, POLICY_DAY = 2, 15
ARRIVAL_MONTH = 3
ARRIVAL_SHARES = {3: 0.02, 4: 0.05, 5: 0.08}  # of a month's tickets; the last one holds from then on
OUT_OF_SCOPE_SHARES = {1: 0.02, 3: 0.03, 4: 0.04, 5: 0.05, 6: 0.06}

LAUNCH_PER_CATEGORY = (60, 70)
GOLDEN_PER_CATEGORY = (22, 25)

AMBIGUOUS = 0.02  # share of a category's tickets whose words fit another category as well
TWO_TOPICS = 0.04  # share that mentions another category in passing
FIRST_ASIDE = 0.1  # how often the passing mention comes first
USUAL = 3  # the smaller, the more often a category's first wordings are used
OPENED, CLOSED = 0.2, 0.2
REPHRASED = 0.15  # how often a phrase with other ways to say it is said another way
LOWER_CASE, UNPUNCTUATED, ABBREVIATED, MISTYPED = 0.35, 0.3, 0.12, 0.15

WEEKDAY_WEIGHTS = (1.5, 1.1, 1.0, 1.0, 0.95, 0.4, 0.35)  # Monday first
HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 8, 16, 22, 22, 20, 15, 18, 20, 20, 18, 14, 9, 7, 6, 5, 3, 2)  # midnight first
ATTEMPTS = 500

CHOICE = re.compile(r"\(([^()|]*(?:\|[^()|]*)+)\)")
SLOT = re.compile(r"\{(\w+)\}")
QUESTION = re.compile(
    r"(how|can|could|where|when|what|which|who|why|is|are|am|do|does|did|will|would|should|until what)\b", re.IGNORECASE
)
KEY_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _lines(value: object) -> object:
    return tuple(line for line in value.splitlines() if line.strip()) if isinstance(value, str) else value


Lines = Annotated[tuple[str, ...], BeforeValidator(_lines)]


class Category(Strict):
    """How one kind of request is put, and how it is touched on in tickets about something else."""

    says: Lines
    asides: Lines


class Ambiguity(Strict):
    """Wordings that fit two categories; only the person who asks knows which."""

    between: tuple[str, str]
    says: Lines


class Theme(Strict):
    """One company's vocabulary; categories are listed busiest first."""

    company: str
    slots: Mapping[str, tuple[str, ...]]
    categories: Mapping[str, Category]
    either: tuple[Ambiguity, ...]
    policy: Mapping[str, str]
    arrivals: Mapping[str, Category]
    out_of_scope: Lines


class Manner(Strict):
    """How people write to any company, and what they write that no company can answer."""

    slots: Mapping[str, tuple[str, ...]]
    phrases: Mapping[str, tuple[str, ...]]
    openers: Lines
    closers: Lines
    abbreviations: Mapping[str, str]
    out_of_scope: Lines


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """From `since`, what was rightly answered `old` is rightly answered `new`."""

    old: str
    new: str
    since: date


@dataclass(frozen=True, slots=True)
class Arrival:
    """A label that nobody needed before `since`."""

    label: str
    since: date


def launch_labels(theme: str) -> list[str]:
    """The labels that the theme's first model knows, busiest first. Raises ConfigError for an unknown theme."""
    return list(_theme(theme).categories)


def policy_changes(theme: str, start: date) -> list[PolicyChange]:
    """The kinds of request whose right answer changes, for a history that starts in the month of `start`."""
    since = _month(start, POLICY_MONTH).replace(day=POLICY_DAY)
    return [PolicyChange(old=old, new=new, since=since) for old, new in _theme(theme).policy.items()]


def arrivals(theme: str, start: date) -> list[Arrival]:
    """The new product line's labels, for a history that starts in the month of `start`."""
    return [Arrival(label=label, since=_month(start, ARRIVAL_MONTH)) for label in _theme(theme).arrivals]


def month_shares(theme: str, month: int) -> dict[str, float]:
    """What share of a month's tickets is about what, by category and `oos`; month 1 is the first.

    Launch categories share what new and unanswerable requests leave, in proportion to 1 / (rank + 1).
    """
    words = _theme(theme)
    new, nobody = _reached(ARRIVAL_SHARES, month), _reached(OUT_OF_SCOPE_SHARES, month)
    weights = {name: 1 / (rank + 1) for rank, name in enumerate(words.categories, start=1)}
    known = (1 - new - nobody) / sum(weights.values())
    shares = {name: known * weight for name, weight in weights.items()}
    shares |= {name: new / len(words.arrivals) for name in words.arrivals}
    return shares | {OUT_OF_SCOPE: nobody}


def history(theme: str, *, seed: int, start: date, months: int, per_month: int) -> list[TimelineRow]:
    """A company's launch cases, acceptance set and `months` calendar months of traffic from the month of `start`.

    The same arguments give the same rows; more months only add rows at the end. No text comes twice, but for golden
    requests under the policy change, which come once with the old answer and once with the new.
    Raises ConfigError for an unknown theme.
    """
    writer = Writer(theme=theme, rng=random.Random(f"{theme}/{seed}"))
    rows = [*_launch(writer), *_golden(writer, start)]
    numbers = iter(range(months * per_month))
    for month in range(1, months + 1):
        rows += _stream(writer, start=start, month=month, per_month=per_month, numbers=numbers)
    return rows


@dataclass(slots=True)
class Writer:
    """Words tickets for one company and never the same one twice."""

    theme: str
    rng: random.Random
    seen: set[str] = field(default_factory=set)

    def ticket(self, category: str) -> str:
        """A new ticket about `category`, or about nothing the company can answer for `oos`.

        Raises TimelineError where the category's words are used up.
        """
        for _ in range(ATTEMPTS):
            text = self._worded(category)
            key = " ".join(text.lower().split())
            if key not in self.seen:
                self.seen.add(key)
                return text
        raise TimelineError(
            f"{self.theme}.yaml: {category} has no more wordings, found {len(self.seen)} tickets so far"
        )

    def _worded(self, category: str) -> str:
        words, manner, rng = _theme(self.theme), _manner(), self.rng
        parts = [_rephrased(_chosen(part, rng), manner.phrases, rng) for part in self._core(category)]
        if rng.random() < OPENED:
            parts.insert(0, rng.choice(manner.openers))
        if rng.random() < CLOSED:
            parts.append(rng.choice(manner.closers))
        slots = {**manner.slots, **words.slots, "company": (words.company,)}
        filled = [" ".join(_filled(_chosen(part, rng), slots, rng).split()) for part in parts]
        return _roughen(filled, manner.abbreviations, rng)

    def _core(self, category: str) -> list[str]:
        words, rng = _theme(self.theme), self.rng
        if category == OUT_OF_SCOPE:
            return [rng.choice((*_manner().out_of_scope, *words.out_of_scope))]
        ambiguous = [pair for pair in words.either if category in pair.between]
        kind = rng.random()
        if ambiguous and kind < AMBIGUOUS:
            return [rng.choice(rng.choice(ambiguous).says)]
        parts = [_usual(_everything(words)[category].says, rng)]
        if kind > 1 - TWO_TOPICS:
            parts.insert(0 if rng.random() < FIRST_ASIDE else 1, self._aside(category, ambiguous))
        return parts

    def _aside(self, category: str, ambiguous: Sequence[Ambiguity]) -> str:
        known = _theme(self.theme).categories
        kin = [name for pair in ambiguous for name in pair.between if name != category]
        others = [name for name in known if name != category]
        return self.rng.choice(known[self.rng.choice(kin if kin and self.rng.random() < 0.5 else others)].asides)


def _launch(writer: Writer) -> Iterator[TimelineRow]:
    wanted = [name for name in _theme(writer.theme).categories for _ in range(writer.rng.randint(*LAUNCH_PER_CATEGORY))]
    writer.rng.shuffle(wanted)
    for number, name in enumerate(wanted):
        yield TimelineRow(f"{writer.theme}-l{number:05d}", writer.ticket(name), name, Split.LAUNCH)


def _golden(writer: Writer, start: date) -> Iterator[TimelineRow]:
    changed = {change.old: change for change in policy_changes(writer.theme, start)}
    arrived = {arrival.label: _midnight(arrival.since) for arrival in arrivals(writer.theme, start)}
    number = 0
    for name in _everything(_theme(writer.theme)):
        for _ in range(writer.rng.randint(*GOLDEN_PER_CATEGORY)):
            key, text = f"{writer.theme}-g{number:05d}", writer.ticket(name)
            number += 1
            if name not in changed:
                yield TimelineRow(key, text, name, Split.GOLDEN, valid_from=arrived.get(name))
                continue
            switch = _midnight(changed[name].since)
            yield TimelineRow(f"{key}-old", text, name, Split.GOLDEN, valid_to=switch)
            yield TimelineRow(f"{key}-new", text, changed[name].new, Split.GOLDEN, valid_from=switch)


def _stream(
    writer: Writer, *, start: date, month: int, per_month: int, numbers: Iterator[int]
) -> Iterator[TimelineRow]:
    changed = {change.old: change for change in policy_changes(writer.theme, start)}
    names = _apportion(month_shares(writer.theme, month), per_month)
    writer.rng.shuffle(names)
    for ts, name in zip(_times(_month(start, month), per_month, writer.rng), names, strict=True):
        change = changed.get(name)
        label = change.new if change and ts.date() >= change.since else name
        key = f"{writer.theme}-s{next(numbers):05d}"
        yield TimelineRow(key, writer.ticket(name), label, Split.STREAM, ts=ts)


def _apportion(shares: Mapping[str, float], total: int) -> list[str]:
    """`total` names in the given shares, by largest remainder."""
    exact = {name: share * total for name, share in shares.items()}
    counts = {name: int(value + 1e-9) for name, value in exact.items()}
    owed = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in owed[: total - sum(counts.values())]:
        counts[name] += 1
    return [name for name, count in counts.items() for _ in range(count)]


def _times(first: date, count: int, rng: random.Random) -> list[datetime]:
    """`count` moments of the month of `first`, in order: mostly in working hours (UTC), most on Mondays."""
    length = (_month(first, 2) - first).days
    days = [first + timedelta(days=offset) for offset in range(length)]
    weights = [WEEKDAY_WEIGHTS[day.weekday()] for day in days]
    drawn = rng.choices(days, weights, k=count)
    hours = rng.choices(range(24), HOUR_WEIGHTS, k=count)
    return sorted(
        datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)), UTC)
        for day, hour in zip(drawn, hours, strict=True)
    )


def _usual(lines: Sequence[str], rng: random.Random) -> str:
    """One of the lines; the first ones are what most people say."""
    return rng.choices(lines, [1 / (place + USUAL) for place in range(len(lines))])[0]


def _chosen(line: str, rng: random.Random) -> str:
    def one(match: re.Match[str]) -> str:
        ways: list[str] = match[1].split("|")
        return rng.choice(ways)

    return CHOICE.sub(one, line)


def _rephrased(line: str, phrases: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    def other(match: re.Match[str]) -> str:
        return rng.choice(phrases[match[0]]) if rng.random() < REPHRASED else match[0]

    return _any_of(tuple(phrases)).sub(other, line)


def _filled(line: str, slots: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    line = SLOT.sub(lambda match: rng.choice(slots[match[1]]), line)
    return re.sub("#", lambda _: rng.choice("123456789"), line)


def _roughen(parts: Sequence[str], abbreviations: Mapping[str, str], rng: random.Random) -> str:
    """Join the parts as a person in a hurry might: not every capital, stop or letter is where it belongs."""
    bare = rng.random() < UNPUNCTUATED
    text = " ".join(part if bare else _punctuated(part) for part in parts)
    if bare:
        text = re.sub(r"(?<!\d)[,?!]|[.](?!\d)", "", text)
    text = text.lower() if rng.random() < LOWER_CASE else _capitalised(text)
    if rng.random() < ABBREVIATED:
        text = re.sub(r"\b[a-z]+\b", lambda match: abbreviations.get(match[0], match[0]), text)
    return _mistyped(text, rng) if rng.random() < MISTYPED else text


def _punctuated(part: str) -> str:
    if part[-1] in ".!?,:":
        return part
    return part + ("?" if QUESTION.match(part) else ".")


def _capitalised(text: str) -> str:
    return re.sub(r"(^|[.!?] )([a-z])", lambda match: match[1] + match[2].upper(), text)


def _mistyped(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 2)):
        places = [place for place in range(1, len(text) - 1) if text[place].isalpha() and text[place + 1].isalpha()]
        if places:
            text = rng.choice(SLIPS)(text, rng.choice(places), rng)
    return text


def _swapped(text: str, place: int, _: random.Random) -> str:
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _dropped(text: str, place: int, _: random.Random) -> str:
    return text[:place] + text[place + 1 :]


def _doubled(text: str, place: int, _: random.Random) -> str:
    return text[:place] + text[place] + text[place:]


def _neighboured(text: str, place: int, rng: random.Random) -> str:
    row = next((row for row in KEY_ROWS if text[place].lower() in row), text[place].lower())
    at = row.index(text[place].lower())
    return text[:place] + rng.choice(row[max(at - 1, 0) : at] + row[at + 1 : at + 2] or row) + text[place + 1 :]


SLIPS: tuple[Callable[[str, int, random.Random], str], ...] = (_swapped, _dropped, _doubled, _neighboured)


@lru_cache
def _any_of(phrases: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(phrases, key=len, reverse=True)
    return re.compile(r"(?<![{\w])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w}'])")


def _reached(shares: Mapping[int, float], month: int) -> float:
    """The share that the latest month up to `month` names; 0 before the first."""
    return max((at, share) for at, share in {0: 0.0, **shares}.items() if at <= month)[1]


def _month(start: date, number: int) -> date:
    """The first day of the history's month `number`, 1 being the month of `start`."""
    past = start.month - 1 + number - 1
    return date(start.year + past // 12, past % 12 + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _everything(words: Theme) -> dict[str, Category]:
    return {**words.categories, **words.arrivals}


@lru_cache
def _theme(name: str) -> Theme:
    if name not in THEMES:
        raise ConfigError(f"theme is {name!r}, expected one of {list(THEMES)}")
    return Theme.model_validate(_words(name))


@lru_cache
def _manner() -> Manner:
    return Manner.model_validate(_words("manner"))


def _words(name: str) -> object:
    return yaml.safe_load((Path(__file__).parent / "themes" / f"{name}.yaml").read_text(encoding="utf-8"))
