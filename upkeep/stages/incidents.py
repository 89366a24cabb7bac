"""What are people told of an incident: that it opened, that it goes on otherwise than before, and that it is over?

An incident is one cause: the troubles that one review finds, and what is found while a figure is worse
(`upkeep.stages.troubles`). A review makes one message of an incident at most. incidents-told/ in the client's store has
one empty note for each trouble, event and channel that a message has reached, incidents-pending/ one for each that it
was tried on and has not reached yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from upkeep.desk import Desk
from upkeep.entitlement import ChangeOrder, Claim, UseCase, entitled
from upkeep.message import headed
from upkeep.monitoring.judgement import Metric
from upkeep.monitoring.trouble import Change, Kind
from upkeep.periods import from_to
from upkeep.stages.approval import Standing, standing, waiting_for_approval
from upkeep.stages.contract import use_case_of
from upkeep.stages.decisions import Decision, decisions
from upkeep.stages.monitoring import reviews
from upkeep.stages.telling import telling
from upkeep.stages.troubles import RETRAIN, RETRAIN_LATER, Trouble, troubles

TOLD, PENDING = "incidents-told/", "incidents-pending/"
NEWS = timedelta(weeks=4)
"""What has been over for longer is no news any more."""
SPEAKS_OF_A_RETRAIN = set(Kind) - {Kind.TRAFFIC, Kind.DATA}
"""The kinds of change whose action speaks of one: as the cure, or in case that answers are wrong."""
WRONG = "Wrong in these weeks, among others:"
SUREST = "Wrong in these weeks, the surest first:"
UNRESOLVED = "Not resolved automatically in these weeks, among others:"
AMONG = "Among the requests of these weeks:"
BUSY_DAY = "Among the requests of that day:"
WORDED = "Requests that have most of these words:"
UNUSUAL = "Among the requests that are unlike the training data:"
NAMED = 3


class Event(StrEnum):
    """What can happen to an incident that people want to hear of."""

    OPENED = "opened"
    CONTINUING = "continuing"
    CLOSED = "closed"


HAPPENED = {
    Event.OPENED: "opened",
    Event.CONTINUING: "outlasted the traffic incident's first week, a retrain is recommended now",
    Event.CLOSED: "closed",
}
"""What is said of a trouble in a title."""
KNOWN_LATE = "opened and closed before its labels came in"


@dataclass(frozen=True, slots=True)
class News:
    """What one review found of an incident: which troubles began, which are over and which go on.

    Those of them that ask for a retrain only now, which a traffic incident held back, are `asking`. One that was over
    before it was known both began and is over. `incident` is the key of the trouble that began it.
    """

    incident: str
    at: datetime
    began: tuple[Trouble, ...]
    asking: tuple[Trouble, ...]
    over: tuple[Trouble, ...]
    going_on: tuple[Trouble, ...]

    @property
    def event(self) -> Event:
        """It opened with its first trouble and is closed when none is left, be it at once."""
        if not (self.asking or self.going_on or any(one not in self.over for one in self.began)):
            return Event.CLOSED
        return Event.OPENED if any(one.key == self.incident for one in self.began) else Event.CONTINUING

    @property
    def past(self) -> tuple[Trouble, ...]:
        """What was over before it was known."""
        return tuple(one for one in self.began if one in self.over)


@dataclass(frozen=True, slots=True)
class Alert:
    """What people are told: the same words in a mail, a chat and on a run's page (Markdown)."""

    client: str
    incident: str
    event: Event
    title: str
    text: str


def channels(desk: Desk) -> tuple[str, ...]:
    """Whom the client's incidents are told to: nobody where the tier includes no alerts."""
    return desk.client.alert_channels if desk.tier.alerts else ()


def news(desk: Desk) -> list[News]:
    """All that has happened, oldest first."""
    found = sorted(troubles(desk), key=lambda one: one.incident)
    of_each = (
        sorted(those, key=lambda one: (not one.alarm, one.key))
        for _, those in groupby(found, key=lambda one: one.incident)
    )
    return sorted((one for those in of_each for one in _course(those)), key=lambda one: one.at)


def untold(desk: Desk, channels: Sequence[str]) -> list[tuple[News, str]]:
    """What has not been delivered yet, and the channel that has not heard it, oldest first.

    A channel that is new is not sent what was over long before the newest review; one that was down is.
    """
    newest, told, tried = reviews(desk, newest=1), set(desk.store.keys(TOLD)), set(desk.store.keys(PENDING))
    since = newest[0].as_of - NEWS if newest else None
    return [
        (one, channel)
        for one in news(desk)
        for channel in channels
        if _untold(one, channel, told.__contains__)
        if _is_news(one, since) or any(note in tried for note in _pending(one, channel))
    ]


def _is_news(one: News, since: datetime | None) -> bool:
    troubles = (*one.began, *one.asking, *one.over)
    return any(it.closed is None or since is None or it.closed > since for it in troubles)


def telling_of(desk: Desk, told: News, channel: str) -> AbstractContextManager[bool]:
    """Have a message for oneself while it is sent and marked; gives whether the channel is still to hear it."""
    first = next(note for _, _, note in _notes(told, channel))
    return telling(desk.store, first, lambda: not _untold(told, channel, desk.store.exists))


def mark_told(desk: Desk, told: News, channel: str) -> None:
    """Remember that a message has reached a channel, beside its troubles, which a review may be closing meanwhile."""
    for _, _, note in _notes(told, channel):
        desk.store.write(note, b"")
    for note in _pending(told, channel):
        desk.store.delete(note)


def mark_pending(desk: Desk, told: News, channel: str) -> None:
    """Remember that a message was tried on a channel and has not reached it: it stays to be sent, however long."""
    for note in _pending(told, channel):
        desk.store.write(note, b"")


def compose(desk: Desk, told: News, now: datetime) -> Alert:
    """Put it into words: what, since when, how sure, examples, what we recommend and what the tier includes.

    What was recommended may have been done by `now`, at which it is told.
    """
    happened = [(HAPPENED[event], [one for one in those if one not in told.past]) for event, those in _happened(told)]
    parts = [f"{_named(those)} {what}" for what, those in (*happened, (KNOWN_LATE, told.past)) if those]
    parts += [f"{len(told.going_on)} more going on"] if told.going_on else []
    title = "; ".join(parts)
    text = "\n\n".join([*_what(told), *_examples(told), *_advice(desk, told, now)]) + "\n"
    return Alert(desk.client.client, told.incident, told.event, *headed(f"{desk.client.name}: {title}", text))


def _course(of_one: Sequence[Trouble]) -> Iterator[News]:
    """What each review found of an incident."""
    for at in sorted({at for one in of_one for at in (one.opened, one.asked, one.closed) if at}):
        began = tuple(one for one in of_one if one.opened == at)
        asking = tuple(one for one in of_one if one.asked == at)
        over = tuple(one for one in of_one if one.closed == at)
        others = [one for one in of_one if one.opened < at and (one.closed is None or one.closed > at)]
        going_on = tuple(one for one in others if one not in asking)
        yield News(of_one[0].incident, at, began, asking, over, going_on)


def _untold(one: News, channel: str, noted: Callable[[str], bool]) -> bool:
    return any(f"{event} {channel}" not in it.told and not noted(note) for it, event, note in _notes(one, channel))


def _notes(told: News, channel: str) -> Iterator[tuple[Trouble, Event, str]]:
    for event, those in _happened(told):
        yield from ((one, event, f"{TOLD}{one.key}-{event}-{channel}") for one in those)


def _pending(told: News, channel: str) -> list[str]:
    return [f"{PENDING}{note.removeprefix(TOLD)}" for _, _, note in _notes(told, channel)]


def _happened(told: News) -> tuple[tuple[Event, tuple[Trouble, ...]], ...]:
    return (Event.OPENED, told.began), (Event.CONTINUING, told.asking), (Event.CLOSED, told.over)


def _named(those: Sequence[Trouble]) -> str:
    names = [_name(one) for one in those]
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    *first, last = [*names[:NAMED], *more]
    return f"{', '.join(first)} and {last}" if first else last


def _name(one: Trouble) -> str:
    """In one line, whatever a label in it has."""
    return f"{Metric(one.subject).words} alarm" if one.subject in set(Metric) else " ".join(one.subject.split())


def _what(told: News) -> Iterator[str]:
    over = [one for one in told.over if one not in told.past]
    several = len(told.began) + len(told.asking) + len(over) > 1
    for one in (*told.began, *told.asking):
        version = f"; model version {one.model_version}" if one.model_version else ""
        text = one.still if one in told.asking else one.text
        text = f"{text}. {one.end}" if one in told.past else text
        yield f"{_head(one) if several else ''}{text}. {_when(one)}{version}."
    yield from (f"{_head(one) if several else ''}{one.text}. {one.end}." for one in over)
    if told.going_on:
        yield "Still going on:"
        yield "\n".join(f"- {_name(one)}, since {one.since}" for one in told.going_on)


def _when(one: Trouble) -> str:
    if one.last:
        return f"In {from_to([one.week, one.last][: 1 + (one.last != one.week)])}"
    return f"Seen in {from_to([one.since, one.week])}" if one.since != one.week else f"Since {one.week}"


def _head(one: Trouble) -> str:
    return f"**{_name(one)}**: "


def _examples(told: News) -> Iterator[str]:
    yield from dict.fromkeys(_came_up(one) for one in told.began if one.words)
    for title in (WORDED, WRONG, UNRESOLVED, SUREST, AMONG, BUSY_DAY, UNUSUAL):
        of = [one for one in told.began if _title(one) == title]
        shown = dict.fromkeys(example for one in of for example in one.examples)
        if shown:
            yield title
            yield "\n".join(f"- {one}" for one in shown)


def _came_up(one: Trouble) -> str:
    """The words of its requests that there were fewer of before."""
    when = from_to(sorted({one.since, one.week}))
    many = "week" if one.compared == 1 else f"{one.compared} weeks"
    before = "" if one.compared is None else f"in the {many} with requests "
    return f"In more of the requests of {when} than {before}before: {', '.join(one.words)}."


def _title(one: Trouble) -> str:
    """What its examples are."""
    if one.words:
        return WORDED
    match one.change:
        case Change(kind=Kind.INPUTS):
            return UNUSUAL
        case Change(kind=Kind.CALIBRATION):
            return SUREST
        case Change(kind=Kind.LABEL_MIX | Kind.TRAFFIC, day=day):
            return BUSY_DAY if day else AMONG
    if one.subject == Metric.AUTO_RESOLUTION:
        return UNRESOLVED
    return AMONG if one.subject == Metric.ESCALATION else WRONG


def _advice(desk: Desk, told: News, now: datetime) -> Iterator[str]:
    """What to do, the likely causes first, and what of it the contract includes."""
    new, made = (*told.began, *told.asking), _retrained(desk, told.at, now)
    done = {RETRAIN, RETRAIN_LATER} if made else set()
    yield from dict.fromkeys(one.action for one in sorted(new, key=lambda one: one.alarm) if one.action not in done)
    asks = [one for one in new if one not in told.past]
    if any(one.alarm or (one.change and one.change.kind in SPEAKS_OF_A_RETRAIN) for one in asks):
        if not made:
            claims = desk.claims()
            answer = entitled(desk.tier, as_of=desk.local(told.at), zone=desk.zone, claims=claims, reason="alarm")
            yield _included(desk, answer, "a retrain")
        yield from (f"Version {one.challenger}, of a retrain since then, is in service." for one in made if one.applied)
        yield from (f"{one}." for one in waiting_for_approval(desk, now))
    for one in told.began:
        if one.change and one.change.kind is Kind.NEW_CATEGORY:
            asked = use_case_of(desk, one.change.new or "", told.at, reason="alarm", by="")
            yield _included(desk, asked, f"the new category {one.change.new!r}")
    if asks and desk.tier.priority_response:
        yield "The contract includes a priority response."


def _retrained(desk: Desk, since: datetime, now: datetime) -> list[Decision]:
    """The retrains of after a moment whose challenger is in service or waits for approval."""
    made = [one for one in decisions(desk) if one.as_of > since and one.label is None]
    return [one for one in made if standing(desk, one, now) in (Standing.IN_SERVICE, Standing.PENDING)]


def _included(desk: Desk, answer: Claim | UseCase | ChangeOrder, what: str) -> str:
    if isinstance(answer, ChangeOrder):
        later = f"; the next one included is on {answer.next_included:%Y-%m-%d}" if answer.next_included else ""
        return f"{what[0].upper()}{what[1:]} would be a change order: {answer.why_extra}{later}."
    return f"The tier {desk.tier.name!r} includes {what} in {answer.period}."
