"""Has a week that is counted again still all that was counted before?

Labels come late, so the newest weeks are counted again, and older ones that a new label belongs to. But raw files are
taken away after a while, and rows can no longer be read once a mapping has changed: then what was counted first stands,
and of the newest weeks, whose files should be there, somebody is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from upkeep.monitoring.figures import Figures
from upkeep.monitoring.trouble import Change, Kind, change_of
from upkeep.periods import from_to

RECOUNTED = 3
"""So many weeks before the reviewed one are counted again, whatever has come in."""
LOOK_BACK = 26
"""So many weeks, the reviewed one among them, can still get a label; charts are as long."""
EARLIER = "earlier weeks"
"""What data trouble is about where weeks have lost rows that they had."""
KEEP = "Keep the log's files as long as docs/log.md asks for, and earlier rows readable when the mapping changes."


def newest(known: Mapping[str, Figures], recounted: Mapping[str, Figures]) -> dict[str, Figures]:
    """The known weeks with what was counted again of them, but where rows have gone."""
    again = {key: now for key, now in recounted.items() if key in known and not cut_short(now, known[key])}
    return {**known, **again}


def cut_short(now: Figures, was: Figures) -> bool:
    """Is there less of a week than was counted, because rows are gone or can no longer be used?

    Fewer rows on the same days, with no more that are spoiled, are a log that somebody has put right.
    """
    unlabelled = bool(was.labelled.hits and not now.labelled.hits)
    if now.requests >= was.requests and now.labelled.hits >= was.labelled.hits:
        return False
    spoiled = sum(now.quarantined.values()) > sum(was.quarantined.values())
    return not now.requests or unlabelled or spoiled or _days_gone(now, was)


def lost_rows(known: Mapping[str, Figures], recounted: Mapping[str, Figures]) -> Iterator[Change]:
    """One finding for all of the newest known weeks that have lost rows since they were counted."""
    newest = sorted(known)[-RECOUNTED:]
    weeks = [key for key in newest if key in recounted and cut_short(recounted[key], known[key])]
    if weeks:
        is_there, was = (sum(those[key].requests for key in weeks) for those in (recounted, known))
        text = (
            f"of {was:,} requests that were counted in {from_to(weeks)} the log has {is_there:,} now, or their outcomes"
            " are gone: the figures of then are kept"
        )
        yield replace(change_of(Kind.DATA, text, was, old=EARLIER), action=KEEP)


def _days_gone(now: Figures, was: Figures) -> bool:
    days = ((was.days, now.days), (was.utc_days, now.utc_days))
    return any(requests and not there.get(day) for before, there in days for day, requests in before.items())
