"""Has it begun: is there a model of ours for the client, and had the log begun by then?

A client may log what a model answers that was trained elsewhere: it is watched and reported on like any other. Only a
retrain needs a model of ours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from upkeep.cases.collection import first_day
from upkeep.desk import Desk
from upkeep.errors import NoChampionError, NoLogError
from upkeep.log.files import never_read
from upkeep.log.lines import PREDICTIONS
from upkeep.periods import Window
from upkeep.store import address

PREDICTED = f"{PREDICTIONS.folder}/"


def require_model(desk: Desk) -> None:
    """Raise NoChampionError, saying how to onboard, where no model was ever trained for the client."""
    if not _onboarded(desk):
        raise NoChampionError(f"client {desk.client.client}: never onboarded, no model to work with; {_onboard(desk)}")


def require_anything(desk: Desk) -> None:
    """Raise NoChampionError where there is neither a model of ours nor a log of another's."""
    if log_begins(desk) is None and not _onboarded(desk):
        raise NoChampionError(
            f"client {desk.client.client}: never onboarded, and nothing is logged{_lost(desk)}; {_onboard(desk)}, "
            f"or log what another model answers under {address(desk.store, PREDICTED)} (docs/log.md)"
        )


def require_log(desk: Desk, window: Window) -> None:
    """Raise NoLogError where the window ended before anything was logged, else as `require_anything` does.

    What is counted of a window stands for ever, so nothing is counted of one in which nothing could have been logged.
    """
    newest = (window.end - timedelta(microseconds=1)).astimezone(UTC).date()
    if any(desk.store.keys(f"{PREDICTED}{newest}/")):  # mostly so, and all days of a long log take long to list
        return
    begins = log_begins(desk)
    if begins is not None and begins < window.end:
        return
    require_anything(desk)
    since = f"nothing is logged yet{_lost(desk)}" if begins is None else f"the log begins on {begins:%Y-%m-%d}"
    where = f"predictions under {address(desk.store, PREDICTED)} (docs/log.md)"
    raise NoLogError(f"client {desk.client.client}: {window.key} has ended and {since}; expected {where} from before")


def log_begins(desk: Desk) -> datetime | None:
    """Midnight UTC of the log's first day; None for an empty log."""
    return first_day(desk.store.keys(PREDICTED))


def _lost(desk: Desk) -> str:
    return "".join(f" ({one})" for one in never_read(desk.store))


def _onboarded(desk: Desk) -> bool:
    return any(desk.store.keys("challengers/"))


def _onboard(desk: Desk) -> str:
    command = f"python -m upkeep onboard {desk.client.client} --cases CASES.jsonl --golden GOLDEN.jsonl"
    return f"train its first model with: {command}"
