"""What has gone wrong and is not over, and what must people be told of it, once?

An incident is one trouble from the week that opened it until there is evidence that it is over: an alarm of an agreed
figure, or a change of another kind. It is recorded as `incidents/<week>-<subject>` in the client's store before anybody
is told; incidents-told/ has one empty note for each event and channel that has been delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from upkeep import records
from upkeep.desk import Desk
from upkeep.entitlement import ChangeOrder, entitled
from upkeep.log.entries import Prediction
from upkeep.log.tally import opinions
from upkeep.log.truth import Truth, truth_of
from upkeep.monitoring.changes import Seen
from upkeep.monitoring.lasting_changes import Week, why_over
from upkeep.monitoring.probation import SUBJECT
from upkeep.monitoring.review import Metric, Review, Status, as_known
from upkeep.monitoring.trouble import Change, Kind
from upkeep.periods import week
from upkeep.redaction import inert, shown
from upkeep.release import Action
from upkeep.slug import slug
from upkeep.stages.monitoring import HISTORY, NoWayBack, reviews
from upkeep.stages.release import release_log

FOLDER = "incidents/"
TOLD = "incidents-told/"
EXAMPLES = 3
NEWS = timedelta(weeks=4)
"""What has been over for longer is no news any more."""
RETRAIN = "We recommend a retrain."
RETRAIN_LATER = "We recommend a retrain once it is clear that the week's traffic incident is not the cause."
GO_BACK = (
    "We recommend to go back to the version before (`upkeep rollback {client} --to {version} --by NAME --reason WHY`), "
    "unless the requests themselves have got harder."
)
GONE_BACK = "Version {version} has been put back into service; nothing is to be done."
CURED_BY_A_RETRAIN = {Kind.POLICY, Kind.NEW_CATEGORY, Kind.OUT_OF_SCOPE, Kind.CALIBRATION}


class Event(StrEnum):
    """What can happen to an incident that people want to hear of."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble from its first week to its end.

    `subject` is the agreed figure or what has changed, and then `change` is what was found. `stored_as` is the name
    that its record has in the store: one of before keeps its own, and lists in `told` what was delivered of it then.
    """

    subject: str
    week: str
    model_version: str | None
    opened: datetime
    text: str
    action: str
    change: Change | None = None
    examples: tuple[str, ...] = ()
    closed: datetime | None = None
    end: str | None = None
    told: tuple[str, ...] = ()
    stored_as: str | None = None

    @property
    def key(self) -> str:
        """Its name in the store."""
        return self.stored_as or f"{self.week}-{slug(self.subject)}"

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
    found = (key.removeprefix(FOLDER).removesuffix(".json") for key in desk.store.keys(FOLDER))
    return [_load(desk, key) for key in found]


def open_incidents(desk: Desk, as_of: datetime) -> list[Incident]:
    """What was going on at a moment, oldest first."""
    found = [one for one in incidents(desk) if one.opened <= as_of and (one.closed is None or one.closed > as_of)]
    return sorted(found, key=lambda one: one.opened)


def note_incidents(desk: Desk, found: Review, stuck: NoWayBack | None = None) -> list[Incident]:
    """Record what a review opened and closed; returns the incidents it touched. Safe to run again.

    `stuck` is why the model before did not come back by itself.
    """
    known = incidents(desk)
    # a past week may be reviewed again, or this one by a run after one that was killed: what was open by then
    then_open = [
        one for one in known if one.opened <= found.as_of and (one.closed is None or one.closed >= found.as_of)
    ]
    still_open = [one for one in then_open if one.closed is None]
    weeks = _weeks(desk, found) if any(one.change for one in still_open) else []
    ends = {one.key: end for one in still_open if (end := _end(one, found, weeks, desk))}
    ended = [replace(one, closed=found.as_of, end=ends[one.key]) for one in still_open if one.key in ends]
    over = ends.keys() | {one.key for one in then_open if one.closed == found.as_of}
    going_on = {one.subject for one in then_open if one.change or one.key not in over}
    there = {(one.week, one.subject) for one in known}
    begun = [
        one for one in _troubles(found, stuck) if one.subject not in going_on and (one.week, one.subject) not in there
    ]
    new = [replace(one, examples=_examples(desk, found, one.subject)) for one in begun]
    for one in ended:
        records.save(desk.store, _record(one.key), one)
    return [*ended, *(records.create(desk.store, _record(one.key), one) for one in new)]


def channels(desk: Desk) -> tuple[str, ...]:
    """Whom the client's incidents are told to: nobody where the tier includes no alerts."""
    return desk.client.alert_channels if desk.tier.alerts else ()


def untold(desk: Desk, channels: Sequence[str]) -> list[tuple[Incident, Event, str]]:
    """What has not been delivered yet: incident, event and channel, oldest first.

    A channel that is new is not sent what was over long before the newest review.
    """
    newest, told = reviews(desk, newest=1), set(desk.store.keys(TOLD))
    return [
        (one, event, channel)
        for one in incidents(desk)
        if one.closed is None or not newest or one.closed > newest[0].as_of - NEWS
        for event in one.events
        for channel in channels
        if f"{event} {channel}" not in one.told and _note(one.key, event, channel) not in told
    ]


def mark_told(desk: Desk, key: str, event: Event, channel: str) -> None:
    """Remember that an event has reached a channel, beside the incident, which a review may be closing meanwhile."""
    desk.store.write(_note(key, event, channel), b"")


def compose(desk: Desk, incident: Incident, event: Event) -> Alert:
    """Put an event into words: what, since when, how sure, examples, what we recommend and what the tier includes."""
    alarm = incident.subject in set(Metric)
    name = f"{Metric(incident.subject).words} alarm" if alarm else f"{incident.subject}:"
    title = f"{desk.client.name}: {name} {event.value}"
    lines = [f"{incident.text}."]
    if event is Event.CLOSED:
        lines += ["", f"{incident.end}."]
    else:
        version = f"; model version {incident.model_version}" if incident.model_version else ""
        lines += ["", f"Since {incident.week}{version}."]
        lines += ["", "Answered wrong in the reviewed week, among others:", ""] if incident.examples else []
        lines += [f"- {one}" for one in incident.examples]
        retrain = alarm or (incident.change and incident.change.kind in CURED_BY_A_RETRAIN)
        included = f" {_included(desk, incident.opened)}" if retrain else ""
        lines += ["", f"{incident.action}{included}"]
        lines += ["", "The contract includes a priority response."] if desk.tier.priority_response else []
    return Alert(desk.client.client, incident.key, event, inert(title), inert("\n".join(lines)) + "\n")


def _troubles(found: Review, stuck: NoWayBack | None) -> list[Incident]:
    """Each trouble that a review has found, as the incident that it would begin."""
    version, at = found.figures.model_version, found.as_of
    action = recommended(found)
    alarms = [Incident(one.metric.value, one.weeks[0], version, at, one.text, action) for one in found.alerts]
    changes = [Incident(subject_of(one), found.week, version, at, one.text, one.action, one) for one in found.changes]
    doubt = found.probation
    if doubt and doubt.worse:
        action = GO_BACK.format(client=found.client, version=doubt.previous)
        action += f" By itself it {stuck}." if stuck else ""
        changes.append(Incident(SUBJECT, found.week, doubt.version, at, str(doubt), action))
    return alarms + changes


def recommended(found: Review) -> str:
    """What is to be done about an agreed figure that has got worse: a burst may be all there is to it."""
    return RETRAIN_LATER if any(one.kind is Kind.TRAFFIC for one in found.changes) else RETRAIN


def _weeks(desk: Desk, found: Review) -> list[Week]:
    """All weeks that were reviewed up to this one, as they are known now."""
    reviewed = reviews(desk, upto=found.week, newest=HISTORY)
    looks = {one.week: one.inputs for one in reviewed}
    known = as_known(reviewed, found.recounted)
    return [Week(key, Seen(figures, looks[key])) for key, figures in known]


def subject_of(change: Change) -> str:
    """What a change is about; the same one is found again under the same name."""
    labels = " to ".join(label for label in (change.old, change.new) if label)
    return f"{change.kind.value} {labels}".strip()


def _end(incident: Incident, found: Review, weeks: Sequence[Week], desk: Desk) -> str | None:
    """Why an incident is over, or None while it goes on."""
    if incident.change and incident.change.kind is Kind.DATA and incident.subject in map(subject_of, found.changes):
        return None
    if incident.change:
        return why_over(incident.change, opened=incident.week, weeks=weeks, client=desk.client)
    version = found.figures.model_version
    if version not in (None, incident.model_version):
        return f"Version {version} is in service now"
    if incident.subject == SUBJECT:
        doubt = found.probation
        return None if doubt and doubt.worse else f"No longer so: {doubt}" if doubt else "Its probation is over"
    mine = next((one for one in found.findings if one.metric == incident.subject), None)
    if mine is None:
        return "It is no longer an agreed figure"
    return mine.text if mine.status is Status.OK else None


def _load(desk: Desk, key: str) -> Incident:
    """A recorded incident; to go back is recommended no more once that is done: it would lead one version too far."""
    one = replace(records.load(desk.store, _record(key), Incident), stored_as=key)
    last = release_log(desk)[-1:] if one.subject == SUBJECT else []
    back = [it for it in last if it.action is Action.ROLLBACK and it.previous == one.model_version]
    return replace(one, action=GONE_BACK.format(version=back[0].version)) if back else one


def _record(key: str) -> str:
    return f"{FOLDER}{key}.json"


def _note(key: str, event: Event, channel: str) -> str:
    return f"{TOLD}{key}-{event}-{channel}"


def _examples(desk: Desk, found: Review, subject: str) -> tuple[str, ...]:
    """A few requests of the week that show the trouble, redacted, each with the answer and the right one."""
    shows = _shows(found, subject, desk.client.out_of_scope_label)
    if shows is None:
        return ()
    log, hide = desk.sample_log(week(found.week, desk.zone), until=found.as_of), desk.client.redaction
    examples: list[str] = []
    for prediction in log.predictions:
        said = log.outcomes.get(prediction.id)
        if not said or len(examples) == EXAMPLES:
            continue
        counted = opinions(said, desk.client.free_text)
        if not counted:
            continue
        truth = truth_of(prediction, counted, out_of_scope=desk.client.out_of_scope_label)
        if not truth.right and shows(prediction, truth):
            request, given, right = (
                shown(one or "", hide) for one in (prediction.input, prediction.output, truth.answer)
            )
            examples.append(f"“{request}” was answered {given}{f'; right: {right}' if right else ''}")
    return tuple(examples)


def _shows(found: Review, subject: str, out_of_scope: str) -> Callable[[Prediction, Truth], bool] | None:
    """Does a wrong answer belong to the trouble? None where no single answer shows it."""
    change = next((one for one in found.changes if subject_of(one) == subject), None)
    if change is None:
        return lambda *_: True
    right = {Kind.POLICY: change.new, Kind.NEW_CATEGORY: change.new, Kind.OUT_OF_SCOPE: out_of_scope}.get(change.kind)
    return (
        None
        if right is None
        else lambda prediction, truth: truth.answer == right and change.old in (None, prediction.output)
    )


def _included(desk: Desk, as_of: datetime) -> str:
    answer = entitled(desk.tier, as_of=desk.local(as_of), zone=desk.zone, claims=desk.claims(), reason="alarm")
    if isinstance(answer, ChangeOrder):
        later = f"; the next one included is on {answer.next_included:%Y-%m-%d}" if answer.next_included else ""
        return f"It would be a change order: {answer.why_extra}{later}."
    return f"The tier {desk.tier.name!r} includes one in {answer.period}."
