"""Which alarms are open, and what must people be told of them, once?

An incident is one alarm of one agreed figure, from the week that opened it until it closes: `incidents/<week>-<metric>`
in the client's store. It is recorded before anybody is told, and says whom it has been told to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from upkeep import records
from upkeep.desk import Desk
from upkeep.entitlement import ChangeOrder, entitled
from upkeep.monitoring import Finding, Metric, Review, Status
from upkeep.periods import week
from upkeep.redaction import redact
from upkeep.truth import settle

EXAMPLES = 3
LONGEST = 160


class Event(StrEnum):
    """What can happen to an incident that people want to hear of."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Incident:
    """One alarm from its first week to its end; `told` lists `<event> <where>` for all that has been delivered."""

    metric: Metric
    week: str
    model_version: str | None
    opened: datetime
    text: str
    examples: tuple[str, ...] = ()
    closed: datetime | None = None
    end: str | None = None
    told: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name in the store."""
        return f"{self.week}-{self.metric.value}"

    @property
    def events(self) -> tuple[Event, ...]:
        """What has happened to it so far."""
        return (Event.OPENED,) if self.closed is None else (Event.OPENED, Event.CLOSED)


@dataclass(frozen=True, slots=True)
class Alert:
    """What people are told: the same words in a mail, a chat and on a run's page (Markdown)."""

    client: str
    incident: str
    event: Event
    title: str
    text: str


def incidents(desk: Desk) -> list[Incident]:
    """All incidents of the client, oldest first."""
    return [records.load(desk.store, key, Incident) for key in desk.store.keys("incidents/")]


def note_incidents(desk: Desk, found: Review) -> list[Incident]:
    """Record what a review opened and closed; returns the incidents it touched. Safe to run again."""
    known = incidents(desk)
    still_open = [one for one in known if one.closed is None and one.opened <= found.as_of]
    ended = [_end(one, found) for one in still_open if _is_over(one, found)]
    going_on = {one.metric for one in still_open} - {one.metric for one in ended}
    begun = [_begin(finding, found) for finding in found.alerts if finding.metric not in going_on]
    new = [one for one in begun if one.key not in {other.key for other in known}]
    examples = _examples(desk, found) if new else ()
    return [_save(desk, one) for one in (*ended, *(replace(one, examples=examples) for one in new))]


def untold(desk: Desk, channels: Sequence[str]) -> list[tuple[Incident, Event, str]]:
    """What has not been delivered yet: incident, event and channel, oldest first."""
    return [
        (one, event, channel)
        for one in incidents(desk)
        for event in one.events
        for channel in channels
        if f"{event} {channel}" not in one.told
    ]


def mark_told(desk: Desk, key: str, event: Event, channel: str) -> None:
    """Remember that an event has reached a channel."""
    now = records.load(desk.store, f"incidents/{key}.json", Incident)
    _save(desk, replace(now, told=(*now.told, f"{event} {channel}")))


def compose(desk: Desk, incident: Incident, event: Event) -> Alert:
    """Put an event into words: what, since when, how sure, examples, what we recommend and what the tier includes."""
    name = incident.metric.value.replace("_", "-")
    title = f"{desk.client.name}: {name} alarm {event.value}"
    lines = [f"{incident.text}."]
    if event is Event.CLOSED:
        lines += ["", f"{incident.end}."]
    else:
        lines += ["", f"Since {incident.week}; model version {incident.model_version}."]
        lines += ["", "Answered wrong in the reviewed week, among others:", ""] if incident.examples else []
        lines += [f"- {one}" for one in incident.examples]
        lines += ["", f"We recommend a retrain. {_included(desk, incident.opened)}"]
    return Alert(desk.client.client, incident.key, event, title, "\n".join(lines) + "\n")


def _is_over(incident: Incident, found: Review) -> bool:
    if found.figures.model_version not in (None, incident.model_version):
        return True
    mine = next((one for one in found.findings if one.metric is incident.metric), None)
    return mine is None or mine.status is Status.OK


def _end(incident: Incident, found: Review) -> Incident:
    version = found.figures.model_version
    if version not in (None, incident.model_version):
        why = f"Version {version} is in service now"
    else:
        why = next(
            (one.text for one in found.findings if one.metric is incident.metric), "It is no longer an agreed figure"
        )
    return replace(incident, closed=found.as_of, end=why)


def _begin(finding: Finding, found: Review) -> Incident:
    return Incident(
        metric=finding.metric,
        week=finding.weeks[0],
        model_version=found.figures.model_version,
        opened=found.as_of,
        text=finding.text,
    )


def _save(desk: Desk, incident: Incident) -> Incident:
    records.save(desk.store, f"incidents/{incident.key}.json", incident)
    return incident


def _examples(desk: Desk, found: Review) -> tuple[str, ...]:
    """A few requests of the week that were answered wrong, redacted, each with the answer and the right one."""
    log = desk.sample_log(week(found.week, desk.zone), until=found.as_of)
    shown: list[str] = []
    for prediction in log.predictions:
        said = log.outcomes.get(prediction.id)
        if not said or len(shown) == EXAMPLES:
            continue
        truth = settle(prediction, said, out_of_scope=desk.client.out_of_scope_label)
        if not truth.right:
            text = redact(" ".join(prediction.input.split()))
            cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
            right = f"; right: {truth.answer}" if truth.answer else ""
            shown.append(f"“{cut}” was answered {prediction.output}{right}")
    return tuple(shown)


def _included(desk: Desk, as_of: datetime) -> str:
    answer = entitled(desk.tier, as_of=desk.local(as_of), zone=desk.zone, claims=desk.claims(), reason="alarm")
    if isinstance(answer, ChangeOrder):
        later = f"; the next one included is on {answer.next_included:%Y-%m-%d}" if answer.next_included else ""
        return f"It would be a change order: {answer.why_extra}{later}."
    return f"The tier {desk.tier.name!r} includes one in {answer.period}."
