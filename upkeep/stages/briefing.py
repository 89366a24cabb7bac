"""What is there to talk about with a client, once a quarter?

The paper for the strategy session, of the quarter before: what the model was worth, what went wrong, what was done,
what the contract included and what of it was used, and what has to be decided. It is made of what reviews and decisions
have written down, and reads no log: briefs/2026-Q3.json, .md and .html in the client's store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from upkeep import records
from upkeep.desk import Desk
from upkeep.entitlement import ChangeOrder
from upkeep.monitoring.review import Review
from upkeep.monitoring.stretch import Stretch
from upkeep.monitoring.themes import Theme
from upkeep.periods import Cadence, Window, last_full, periods_in
from upkeep.release import Action, Entry
from upkeep.stages.agenda import Seen, agenda
from upkeep.stages.approval import not_in_service
from upkeep.stages.contract import change_orders
from upkeep.stages.decisions import Decision, decisions
from upkeep.stages.month_activity import changes_of, promotions
from upkeep.stages.release import release_log
from upkeep.stages.reporting import draw_chart, ended_in, known_reviews, render_page, write_pages
from upkeep.stages.request_analysis import tracked_themes
from upkeep.stages.troubles import Trouble, troubles
from upkeep.tiers import Allowance, Service, Work

IN_A_QUARTER = {Cadence.WEEKLY: 13, Cadence.MONTHLY: 3, Cadence.QUARTERLY: 1}
"""How often such a period begins in a quarter."""
SHOWN_THEMES = 6


@dataclass(frozen=True, slots=True)
class Included:
    """What the contract included in the quarter, how often, and what was made of it, in words."""

    what: str
    times: int
    used: tuple[str, ...]

    @property
    def left(self) -> int:
        """How often it was not used."""
        return max(self.times - len(self.used), 0)


@dataclass(frozen=True, slots=True)
class Brief:
    """A client's quarter, and what to talk about.

    `before` is the quarter before, where any week of it was reviewed. `troubles` are those that opened in the
    quarter or went on at its beginning. `promotions` are those that no decision of the quarter tells, and
    `not_in_service` says by period why a challenger that won was not. `included` is empty after a change of tier: what
    was used cannot be set against one of the `tiers`. `extra` where the tier of the time includes no brief.
    """

    client: str
    name: str
    tiers: tuple[str, ...]
    quarter: str
    as_of: datetime
    whole: Stretch
    before: Stretch | None
    months: tuple[Stretch, ...]
    troubles: tuple[Trouble, ...]
    themes: tuple[Theme, ...]
    decisions: tuple[Decision, ...]
    promotions: tuple[Entry, ...]
    rollbacks: tuple[Entry, ...]
    included: tuple[Included, ...]
    change_orders: tuple[ChangeOrder, ...]
    agenda: tuple[str, ...]
    not_in_service: dict[str, str]
    unusual: tuple[Theme, ...] = ()
    extra: bool = False


def write_brief(desk: Desk, as_of: datetime) -> Brief:
    """Write the brief of the last full quarter as JSON, Markdown and HTML; returns what is written already."""
    quarter = last_full(as_of, Cadence.QUARTERLY, desk.zone)
    key = f"briefs/{quarter.key}"
    done = records.load_if_there(desk.store, f"{key}.json", Brief)
    if done:
        return done
    moment = desk.local(as_of)
    reviewed = known_reviews(desk, moment)
    brief = assemble(desk, quarter, moment, reviewed)
    markdown = render_page("brief.md.j2", brief=brief, client=desk.client)
    before = last_full(quarter.start, Cadence.QUARTERLY, desk.zone)
    chart = draw_chart([*ended_in(desk, before, reviewed), *ended_in(desk, quarter, reviewed)], desk.client)
    write_pages(desk, key, title=f"{brief.name}, {brief.quarter}", markdown=markdown, chart=chart)
    records.save(desk.store, f"{key}.json", brief)
    return brief


def assemble(desk: Desk, quarter: Window, as_of: datetime, reviewed: Sequence[Review]) -> Brief:
    """Gather a quarter from the records, as they were known at `as_of`."""
    weekly = ended_in(desk, quarter, reviewed)
    last = last_full(quarter.end, Cadence.WEEKLY, desk.zone).key
    before = last_full(quarter.start, Cadence.QUARTERLY, desk.zone)
    earlier = ended_in(desk, before, reviewed)
    decided = tuple(one for one in decisions(desk, at=as_of) if quarter.start <= one.as_of < quarter.end)
    known = [one for one in troubles(desk, at=as_of) if one.opened <= as_of and one.week <= last]
    there = [one for one in known if one.closed is None or one.closed > quarter.start]
    whole, months = _stretch(quarter.key, weekly), periods_in(quarter, Cadence.MONTHLY, desk.zone)
    tracked = tracked_themes(desk, quarter.end)
    newest = tracked if tracked and weekly and tracked.week >= weekly[0].week else None
    themes = newest.themes if newest else ()
    idle = {one.period: why for one in decided if (why := not_in_service(desk, one, as_of))}
    tiers = tuple(dict.fromkeys(one.contract.tier for one in weekly if one.contract)) or (desk.tier.name,)
    return Brief(
        client=desk.client.client,
        name=desk.client.name,
        tiers=tiers,
        quarter=quarter.key,
        as_of=as_of,
        whole=whole,
        before=_stretch(before.key, earlier) if earlier else None,
        months=tuple(_stretch(one.key, ended_in(desk, one, weekly)) for one in months),
        troubles=tuple(there),
        themes=themes[:SHOWN_THEMES],
        unusual=newest.unusual[:SHOWN_THEMES] if newest else (),
        decisions=decided,
        promotions=promotions(desk, quarter, decided),
        rollbacks=changes_of(desk, quarter, Action.ROLLBACK),
        included=tuple(_included(desk, quarter, decided)) if tiers == (desk.tier.name,) else (),
        change_orders=tuple(one for one in change_orders(desk) if quarter.start <= one.as_of < quarter.end),
        agenda=tuple(agenda(desk, quarter, as_of, Seen(weekly, whole, there, themes, decided, idle))),
        not_in_service=idle,
        extra=Work.BRIEF not in desk.tier.schedule,
    )


def _stretch(key: str, weekly: Sequence[Review]) -> Stretch:
    return Stretch.of(key, [one.figures for one in weekly])


def _included(desk: Desk, quarter: Window, decided: Sequence[Decision]) -> Iterator[Included]:
    """What the tier includes in a quarter, and what of it was used."""
    if desk.tier.retrain:
        booked = [one for one in desk.claims().values() if quarter.start <= one.as_of < quarter.end]
        retrains = {one.period: "no decision yet" for one in booked}
        retrains |= {one.period: one.verdict.value for one in decided if one.label is None}
        used = tuple(f"{key}: {became}" for key, became in sorted(retrains.items()))
        yield _retrains(desk, quarter, desk.tier.retrain, used)
    if desk.tier.new_use_case:
        used = tuple(str(one) for one in desk.use_cases() if quarter.start <= one.as_of < quarter.end)
        what = "model variants" if desk.client.free_text else "new categories or model variants"
        yield Included(what, _times(desk.tier.new_use_case), used)
    for asked in Service:
        allowance = desk.tier.allowance(asked)
        if allowance:
            done = [one for one in desk.bookings() if one.service is asked and quarter.start <= one.as_of < quarter.end]
            used = tuple(f"{one.reason} on {one.as_of:%Y-%m-%d}" for one in done)
            yield Included(f"{asked.words}s", _times(allowance), used)


def _retrains(desk: Desk, quarter: Window, cadence: Cadence, used: tuple[str, ...]) -> Included:
    """The retrains of the periods that were not over when the client's first model came into service."""
    begun = [one.at for one in release_log(desk)[:1]]
    since = [one for one in periods_in(quarter, cadence, desk.zone) if not begun or one.end > begun[0]]
    whole = len(since) == IN_A_QUARTER[cadence]
    return Included("retrains" if whole else f"retrains, since {begun[0]:%Y-%m-%d}", len(since), used)


def _times(allowance: Allowance) -> int:
    return allowance.count * IN_A_QUARTER[allowance.per]
