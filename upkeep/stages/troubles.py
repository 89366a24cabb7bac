"""What has gone wrong and is not over?

A trouble is a figure that got worse, or a change of another kind, from the week that opened it until there is
evidence that it is over. It is recorded as `incidents/<week>-<subject>` in the client's store before anybody is told.
Troubles that are likely to have one cause are one incident: what a review finds while a figure is worse belongs
with it, and so does all that one review finds. People are told of incidents (`upkeep.stages.incidents`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from upkeep import records
from upkeep.desk import Desk
from upkeep.monitoring.alarms import State
from upkeep.monitoring.changes import Seen
from upkeep.monitoring.judgement import Finding, Metric, Status
from upkeep.monitoring.lasting_changes import Week, why_over
from upkeep.monitoring.probation import SUBJECT
from upkeep.monitoring.review import Review, as_known
from upkeep.monitoring.trouble import Change, Kind
from upkeep.periods import Cadence, last_full, weeks_before
from upkeep.release import Action
from upkeep.slug import slug
from upkeep.stages.examples import ExamplesOf
from upkeep.stages.monitoring import HISTORY, NoWayBack, reviewed_weeks, reviews
from upkeep.stages.release import release_log

FOLDER = "incidents/"
RETRAIN = "We recommend a retrain."
RETRAIN_LATER = "We recommend a retrain once it is clear that the week's traffic incident is not the cause."
OVER_ALREADY = "The labels of these weeks came in when it was over: no retrain is recommended for it."
GO_BACK = (
    "We recommend to go back to the version before (`upkeep rollback {client} --to {version} --by NAME --reason WHY`), "
    "unless the requests themselves have got harder."
)
GONE_BACK = "Version {version} has been put back into service; nothing is to be done."


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble from its first week to its end.

    `subject` is the figure or what has changed, and then `change` is what was found. `joined` is the key of the
    trouble that began the incident it belongs to; None where it began one itself. `stored_as` is the name that its
    record has in the store: one that has come back has a number behind it, and one of before keeps its own and lists in
    `told` what was delivered of it then. `words` are those that its weeks' requests have more often than those of the
    weeks before, so many as they were `compared` with; None where an old record does not say. A retrain that the first
    week of a traffic incident held back is recommended since `asked`, as the alarm `still` was there. Of one
    that was over before it was known `last` is the newest week that shows it.
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
    joined: str | None = None
    asked: datetime | None = None
    still: str | None = None
    words: tuple[str, ...] = ()
    compared: int | None = None
    last: str | None = None

    @property
    def key(self) -> str:
        """Its name in the store."""
        return self.stored_as or f"{self.week}-{slug(self.subject)}"

    @property
    def incident(self) -> str:
        """The key of its incident: that of the trouble which began it."""
        return self.joined or self.key

    @property
    def alarm(self) -> bool:
        """Is it about how good the answers are, and not about what has changed?"""
        return self.change is None

    @property
    def since(self) -> str:
        """The first of the weeks that show it."""
        return weeks_before(self.week, self.change.weeks - 1) if self.change else self.week


def troubles(desk: Desk, *, at: datetime | None = None) -> list[Trouble]:
    """All troubles of the client, by the week and the name under which they are recorded.

    What was recommended in them is as it was known `at` a moment, or as it is known now.
    """
    found = (key.removeprefix(FOLDER).removesuffix(".json") for key in desk.store.keys(FOLDER))
    return [_load(desk, key, at) for key in sorted(found)]


def open_troubles(desk: Desk, as_of: datetime) -> list[Trouble]:
    """What was going on at a moment, oldest first."""
    found = [
        one for one in troubles(desk, at=as_of) if one.opened <= as_of and (one.closed is None or one.closed > as_of)
    ]
    return sorted(found, key=lambda one: one.opened)


def note_troubles(desk: Desk, found: Review, stuck: NoWayBack | None = None) -> list[Trouble]:
    """Record what a review opened, asks for and closed; returns the troubles it touched. Safe to run again.

    `stuck` is why the model before did not come back by itself.
    """
    known = troubles(desk)
    # a past week may be reviewed again, or this one by a run after one that was killed: what was open by then
    then_open = [
        one for one in known if one.opened <= found.as_of and (one.closed is None or one.closed >= found.as_of)
    ]
    still_open = [one for one in then_open if one.closed is None]
    weeks = _weeks(desk, found) if any(one.change for one in still_open) else []
    ends = {one.key: end for one in still_open if (end := _end(one, found, weeks, desk))}
    ended = [replace(one, closed=found.as_of, end=ends[one.key]) for one in still_open if one.key in ends]
    asking = [it for one in still_open if one.key not in ends and (it := _asks(one, found))]
    over = ends.keys() | {one.key for one in then_open if one.closed == found.as_of}
    going_on = {one.subject for one in then_open if one.change or one.key not in over}
    going_on |= _opened_later(desk, found, known)
    there = {(one.week, one.subject) for one in known if not _over_before(one, found.as_of)}
    begun = [
        _apart(one, known)
        for one in _troubles(found, stuck)
        if one.subject not in going_on and (one.week, one.subject) not in there
    ]
    begun += [_apart(one, known) for one in _past(found) if not any(_is_recorded_as(desk, one, it) for it in known)]
    # what this review has recorded as over already still leads to the incident of what it finds beside it
    lasting = [one for one in then_open if one.key not in over or one.opened == found.as_of]
    incident = _incident(lasting, begun, found.as_of)
    joined = [replace(one, joined=None if one.key == incident else incident) for one in begun]
    new = _with_examples(desk, found, joined)
    for one in (*ended, *asking):
        records.save(desk.store, _record(one.key), one)
    return [*ended, *asking, *(records.create(desk.store, _record(one.key), one) for one in new)]


def _opened_later(desk: Desk, found: Review, known: Sequence[Trouble]) -> set[str]:
    """The figures whose alarm a review of the next week that judged them has opened: this earlier week's is belated."""
    later = sum(key > found.week for key in reviewed_weeks(desk)) if found.alerts else 0
    after = reviews(desk, newest=later) if later else []
    return {
        one.subject
        for alert in found.alerts
        if (judged := next((one for one in after if _judges(one, alert.metric)), None))
        for one in known
        if one.subject == alert.metric and found.as_of < one.opened <= judged.as_of
        if found.figures.model_version in (None, one.model_version)
    }


def _judges(found: Review, metric: Metric) -> bool:
    return any(one.metric is metric and one.status is not Status.NOT_ENOUGH_DATA for one in found.findings)


def _over_before(one: Trouble, as_of: datetime) -> bool:
    """Was it over when a review that it did not open was made? What that finds of it then has come back."""
    return one.opened < as_of and one.closed is not None and one.closed <= as_of


def _apart(new: Trouble, known: Sequence[Trouble]) -> Trouble:
    """A new trouble under a name of its own: an alarm that comes back may begin with the same week as before."""
    taken = {one.key for one in known}
    if new.key not in taken:
        return new
    return replace(new, stored_as=next(key for n in count(2) if (key := f"{new.key}-{n}") not in taken))


def _incident(going_on: Sequence[Trouble], begun: Sequence[Trouble], as_of: datetime) -> str | None:
    """Where what a review has found belongs: to an alarm that goes on, or to what the same review has found before."""
    there = [one for one in going_on if one.alarm or one.opened == as_of]
    return there[0].incident if there else begun[0].key if begun else None


def _troubles(found: Review, stuck: NoWayBack | None) -> list[Trouble]:
    """Each trouble that a review has found, as it would be recorded; the figures first."""
    version, at = found.figures.model_version, found.as_of
    alarms = [
        Trouble(one.metric.value, one.weeks[0], version, at, one.text, RETRAIN_LATER if one.held else RETRAIN)
        for one in found.alerts
    ]
    changes = [Trouble(subject_of(one), found.week, version, at, one.text, one.action, one) for one in found.changes]
    doubt = found.probation
    if doubt and doubt.worse:
        action = GO_BACK.format(client=found.client, version=doubt.previous)
        action += f" By itself it {stuck}." if stuck else ""
        changes.append(Trouble(SUBJECT, found.week, doubt.version, at, str(doubt), action))
    return alarms + changes


def _past(found: Review) -> list[Trouble]:
    """Each alarm that was over before the review could find it, as it would be recorded."""
    at = found.as_of
    return [
        Trouble(
            one.metric, one.weeks[0], one.version, at, one.text, OVER_ALREADY,
            closed=at, end=one.end, last=one.weeks[-1],
        )
        for one in found.past_alarms
    ]  # fmt: skip


def _is_recorded_as(desk: Desk, past: Trouble, known: Trouble) -> bool:
    """Is the alarm recorded already: have both a week in common?"""
    if known.subject != past.subject or past.last is None or known.week > past.last:
        return False
    closed = last_full(known.closed, Cadence.WEEKLY, desk.zone).key if known.closed else None
    last = known.last or (weeks_before(closed, 1) if closed else past.week)
    return last >= past.week


def _asks(trouble: Trouble, found: Review) -> Trouble | None:
    """A trouble with the retrain that it asks for now and did not while it was held; None of any other."""
    mine = next((one for one in found.alerts if one.metric == trouble.subject and not one.held), None)
    if mine is None or trouble.action != RETRAIN_LATER or trouble.opened == found.as_of:  # old reviews say not `held`
        return None
    return replace(trouble, action=RETRAIN, asked=found.as_of, still=mine.text)


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


def _end(trouble: Trouble, found: Review, weeks: Sequence[Week], desk: Desk) -> str | None:
    """Why a trouble is over, or None while it goes on."""
    if trouble.change and trouble.change.kind is Kind.DATA and trouble.subject in map(subject_of, found.changes):
        return None
    if trouble.change:
        return why_over(trouble.change, opened=trouble.week, weeks=weeks, client=desk.client)
    version = found.figures.model_version
    if version not in (None, trouble.model_version):
        return f"Version {version} is in service now"
    if trouble.subject == SUBJECT:
        doubt = found.probation
        return None if doubt and doubt.worse else f"No longer so: {doubt}" if doubt else "Its probation is over"
    mine = next((one for one in found.findings if one.metric == trouble.subject), None)
    if mine is None or _held_against_nothing(mine):
        return "It is no longer an agreed figure"
    return mine.text if mine.status is Status.OK else None


def _held_against_nothing(mine: Finding) -> bool:
    """Is no limit agreed any more of a model that has too few weeks of its own?"""
    quiet = mine.standing is not None and mine.standing.state is State.QUIET
    return mine.limit is None and mine.status is Status.NOT_ENOUGH_DATA and quiet


def _load(desk: Desk, key: str, at: datetime | None) -> Trouble:
    """A recorded trouble; to go back is recommended no more once that is done: it would lead one version too far."""
    one = replace(records.load(desk.store, _record(key), Trouble), stored_as=key)
    if one.asked and at and at < one.asked:
        return replace(one, action=RETRAIN_LATER)
    log = release_log(desk) if one.subject == SUBJECT else []
    last = [it for it in log if at is None or it.at <= at][-1:]
    back = [it for it in last if it.action is Action.ROLLBACK and it.previous == one.model_version]
    return replace(one, action=GONE_BACK.format(version=back[0].version)) if back else one


def _record(key: str) -> str:
    return f"{FOLDER}{key}.json"


def _with_examples(desk: Desk, found: Review, begun: Sequence[Trouble]) -> list[Trouble]:
    examples = ExamplesOf(desk, found)
    shown = [(one, examples(one.subject, one.change, since=_first(one, found), last=one.last)) for one in begun]
    return [replace(one, examples=those.requests, words=those.words, compared=those.compared) for one, those in shown]


def _first(trouble: Trouble, found: Review) -> str:
    """The first of the weeks that a trouble of a review is about."""
    return found.probation.weeks[0] if trouble.subject == SUBJECT and found.probation else trouble.since
