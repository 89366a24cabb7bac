"""What is known of six years of a browser's support forum, and how is it a history to play?

A third of its questions, by their real dates: the model is made from those of the first four months.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from upkeep.timeline import OUT_OF_SCOPE, Split

FORUM = "sumo_firefox_third"
ZONE = ZoneInfo("America/Los_Angeles")
"""The set's dates are told in it."""
BEGUN = datetime(2019, 4, 1, tzinfo=UTC)
FEWEST = 5
"""A topic of which the first months have fewer questions is none that a model could be made for."""
GOLDEN = 5
"""Of the first months' questions one in so many is agreed instead of taught."""


class Event(NamedTuple):
    """What is known to have happened from a day on."""

    day: date
    what: str


EVENTS = (
    Event(date(2019, 5, 4), "a certificate outage disables all add-ons for three days"),
    Event(date(2020, 8, 11), "no data until 2020-10-09"),
    Event(date(2021, 6, 1), "the interface is redesigned"),
    Event(date(2022, 5, 10), "topic `websites` is renamed"),
    Event(date(2024, 7, 8), "three topics are renamed"),
    Event(date(2024, 9, 4), "all topics are replaced"),
    Event(date(2024, 12, 1), "a second level of topics begins; spam about telephone numbers since late 2024"),
)


def write_forum(data: Path, folder: Path) -> Path:
    """Write the set as a timeline into a folder; returns its file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["id", "date", "text", "label", "is_oos"]
    rows = arranged(pq.read_table(data / FORUM / f"{FORUM}.parquet", columns=columns).to_pylist())
    moment = pa.timestamp("us", tz="UTC")
    types = {"ts": moment, "valid_from": moment, "valid_to": moment}
    names = ("id", "ts", "text", "label", "split", "valid_from", "valid_to")
    made = {name: pa.array([one.get(name) for one in rows], types.get(name, pa.string())) for name in names}
    path = folder / f"{FORUM}.parquet"
    pq.write_table(pa.table(made), path)
    return path


def arranged(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The timeline's rows, from those of the set: id, date, text, label and whether no topic fits."""
    found = [
        {
            "id": one["id"],
            "ts": datetime.fromisoformat(one["date"]).replace(tzinfo=ZONE).astimezone(UTC),
            "text": one["text"],
            "label": OUT_OF_SCOPE if one["is_oos"] else one["label"],
        }
        for one in rows
    ]
    early = [one for one in found if one["ts"] < BEGUN and one["label"] != OUT_OF_SCOPE]
    counts = Counter(one["label"] for one in early)
    first = [one for one in early if counts[one["label"]] >= FEWEST]
    made = [one | {"split": Split.LAUNCH if at % GOLDEN else Split.GOLDEN} for at, one in enumerate(first)]
    return made + [one | {"split": Split.STREAM} for one in found if one["ts"] >= BEGUN]
