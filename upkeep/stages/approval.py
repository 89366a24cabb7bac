"""Does a challenger that won go into service, and who says so?

In the client's store: approvals/<period>.json, written once. Nothing waits for a person: a decision stands as pending
until somebody answers or it expires.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from upkeep import records
from upkeep.config import Promotion
from upkeep.desk import Desk
from upkeep.errors import AlreadyExistsError, DecisionError, require_name
from upkeep.evaluation.comparison import Verdict
from upkeep.stages.card import write_card
from upkeep.stages.decisions import Decision, decision, decisions
from upkeep.stages.release import (
    PROMOTED_FROM,
    apply_log,
    in_service,
    newer_in_service,
    put_into_service,
    release_log,
)

GATE = "gate"


class Standing(StrEnum):
    """What has become of a decision."""

    IN_SERVICE = "in service"
    REPLACED = "was in service"
    PENDING = "waits for approval"
    REFUSED = "refused"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    NOT_PROMOTED = "not promoted"


class Answer(StrEnum):
    """What a person can say to a decision."""

    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person said to a decision; `override` where it goes against the verdict or comes too late."""

    period: str
    approved: bool
    by: str
    reason: str
    at: datetime
    override: bool = False


def approval(desk: Desk, period: str) -> Approval | None:
    """What a person said to a period's decision, or None."""
    return records.load_if_there(desk.store, f"approvals/{period}.json", Approval)


def standing(desk: Desk, made: Decision, at: datetime) -> Standing:
    """What has become of a decision by a moment."""
    entries = release_log(desk)
    carried_out = next((one for one in entries if one.decision == made.period), None)
    if carried_out or made.applied:
        return Standing.IN_SERVICE if in_service(desk) == made.challenger else Standing.REPLACED
    answer = approval(desk, made.period)
    if answer and not answer.approved:
        return Standing.REFUSED
    if made.verdict is not Verdict.PROMOTE and not (answer and answer.override):
        return Standing.NOT_PROMOTED
    if _overtaken(desk, made):
        return Standing.SUPERSEDED
    return Standing.EXPIRED if desk.local(at) >= _end(desk, made) and answer is None else Standing.PENDING


def pending(desk: Desk, at: datetime) -> list[Decision]:
    """The decisions that wait for a person at a moment, oldest first."""
    in_time = [one for one in decisions(desk) if one.as_of <= desk.local(at) < _end(desk, one)]
    return [one for one in in_time if standing(desk, one, at) is Standing.PENDING]


def waiting_for_approval(desk: Desk, at: datetime) -> list[str]:
    """The same for people: what waits, until when, and how to answer."""
    return [
        f"Version {one.challenger} won in {one.period} and waits for approval until {_end(desk, one):%Y-%m-%d}: "
        f"`upkeep approve {desk.client.client} {one.period} --by NAME --reason WHY`, or the deployment `approval`"
        for one in pending(desk, at)
    ]


def not_in_service(desk: Desk, made: Decision, at: datetime) -> str:
    """Why a challenger that won was not in service by a moment, for people; empty where it was, or has not won."""
    if made.applied or made.verdict is not Verdict.PROMOTE:
        return ""
    answer, end = approval(desk, made.period), _end(desk, made)
    if answer and not answer.approved and answer.at <= at:
        return f"refused by {answer.by} ({answer.reason})"
    serving = [one.version for one in release_log(desk) if one.at <= at][-1:]
    won = [one for one in decisions(desk) if made.as_of < one.as_of <= at and one.verdict is Verdict.PROMOTE]
    if won or serving not in ([], [made.champion]):
        return "superseded by a later model"
    return f"not approved until {end:%Y-%m-%d}" if at >= end else f"waits for approval until {end:%Y-%m-%d}"


def apply_decision(desk: Desk, made: Decision) -> Decision:
    """Put a challenger that won into service where promotion is automatic; where it is manual the decision waits.

    What a person has refused since is left. Raises DecisionError where another model than the one compared with is in
    service now, or one that is newer than the challenger.
    """
    apply_log(desk)
    answer = approval(desk, made.period)
    refused = answer is not None and not answer.approved
    if made.verdict is not Verdict.PROMOTE or desk.client.promotion is not Promotion.AUTOMATIC or refused:
        return made
    if not made.applied:
        _require_newest(desk, made)
    write_card(desk, made.challenger, made)
    at = max([made.as_of, *(one.at for one in release_log(desk))])  # what was carried out late has come after the rest
    return _carry_out(desk, made, by=GATE, reason=made.reasons[0], at=at)


def approve(desk: Desk, period: str, *, by: str, reason: str, at: datetime, override: bool = False) -> Decision:
    """Put a decision's challenger into service on a person's word, which is kept; the same word again changes nothing.

    `override` approves also what did not win or has expired, but nothing that reads back otherwise, learned nothing or
    was overtaken. Raises DecisionError saying which of these it is, or who has answered already, and PersonError.
    """
    require_name(by)
    apply_log(desk)
    made = decision(desk, period)
    where = f"client {desk.client.client}, decision {period}"
    now = standing(desk, made, at)
    if now is Standing.IN_SERVICE:
        return _carry_out(desk, made, by=by, reason=reason, at=at)
    if now is Standing.REPLACED:
        back = f"`upkeep rollback {desk.client.client} --to {made.challenger} --by NAME --reason WHY` brings it back"
        raise DecisionError(f"{where}: version {made.challenger} was in service and is no more; {back}")
    if made.terms is not None and made.terms.same_weights:
        raise DecisionError(f"{where}: the challenger has the champion's weights, there is nothing to approve")
    if made.terms is not None and not made.terms.reload_exact:
        raise DecisionError(f"{where}: the challenger read back from the registry gives other answers; retrain instead")
    _require_newest(desk, made)
    if now is Standing.NOT_PROMOTED and not override:
        raise DecisionError(f"{where}: the verdict is {made.verdict.value}, expected promote (or an override)")
    if now is Standing.EXPIRED and not override:
        raise DecisionError(f"{where}: expired on {_end(desk, made):%Y-%m-%d}; retrain, or override")
    write_card(desk, made.challenger, made)  # first: where MLflow is another one, nobody has said anything
    late = now in (Standing.NOT_PROMOTED, Standing.EXPIRED)
    said = _answer(desk, Approval(period, True, by, reason, desk.local(at), override=late))
    against = Standing.EXPIRED if made.verdict is Verdict.PROMOTE else Standing.NOT_PROMOTED
    why = f"{said.reason} (override: {against})" if said.override else said.reason  # also by a run after a kill
    return _carry_out(desk, made, by=said.by, reason=why, at=at)


def refuse(desk: Desk, period: str, *, by: str, reason: str, at: datetime) -> Approval:
    """Write down that a challenger that won is not to go into service.

    Raises DecisionError where it does not wait, and PersonError.
    """
    require_name(by)
    apply_log(desk)
    made = decision(desk, period)
    now = standing(desk, made, at)
    if now not in (Standing.PENDING, Standing.REFUSED):
        raise DecisionError(f"client {desk.client.client}, decision {period}: {now}, expected one that waits")
    return _answer(desk, Approval(period, False, by, reason, desk.local(at)))


def _carry_out(desk: Desk, made: Decision, *, by: str, reason: str, at: datetime) -> Decision:
    if made.applied and all(one.decision != made.period for one in release_log(desk)):
        return made  # before there was a log
    entry = put_into_service(
        desk,
        made.challenger,
        instead_of=made.champion,
        decision=made.period,
        evidence=made.evidence,
        at=at,
        by=by,
        reason=reason,
    )
    desk.registry.tag(made.challenger, {PROMOTED_FROM: made.champion, "upkeep.promoted_by": entry.by})
    return decision(desk, made.period)


def _answer(desk: Desk, answer: Approval) -> Approval:
    """Keep a person's word, or the same word that was there. Raises DecisionError where there is another."""
    try:
        desk.store.create(f"approvals/{answer.period}.json", records.dump(answer))
    except AlreadyExistsError as exc:
        there = records.load(desk.store, f"approvals/{answer.period}.json", Approval)
        if there.approved == answer.approved:
            return there
        word = "approved" if there.approved else "refused"
        where = f"client {desk.client.client}, decision {answer.period}"
        raise DecisionError(f"{where}: {word} on {there.at:%Y-%m-%d} by {there.by}: {there.reason}") from exc
    return answer


def _require_newest(desk: Desk, made: Decision) -> None:
    if by_what := _overtaken(desk, made):
        raise DecisionError(
            f"client {desk.client.client}, decision {made.period}: superseded: "
            f"it compared version {made.challenger} with {made.champion}, {by_what}"
        )


def _overtaken(desk: Desk, made: Decision) -> str:
    """Why a decision is superseded: another champion, a newer one, or a later challenger that won; empty if it is not.

    A challenger of a time before the champion's was compared on what was right then.
    """
    serving = in_service(desk)
    if serving not in (made.champion, made.challenger):
        return f"but {serving} is in service now"
    newer = newer_in_service(desk, made.as_of)
    if newer:
        return f"as of {made.as_of:%Y-%m-%d}, and {newer.version} in service is of {newer.as_of:%Y-%m-%d}"
    later = [one for one in decisions(desk) if one.as_of > made.as_of and one.verdict is Verdict.PROMOTE]
    return f"and {later[-1].period} has a later one that won, version {later[-1].challenger}" if later else ""


def _end(desk: Desk, made: Decision) -> datetime:
    return made.as_of + timedelta(days=desk.client.approval_days)
