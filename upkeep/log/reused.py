"""Does a week give its requests ids that weeks before it have given?

Of two requests with one id the first of a week counts. In two weeks both do, and what is said of one counts for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from upkeep.log.belonging import PLACE, file_of, requests_kept
from upkeep.log.entries import LogMapping
from upkeep.log.files import predictions_at
from upkeep.log.scan import database
from upkeep.periods import Window
from upkeep.store import Store


class Reused(NamedTuple):
    """How many requests of a week have an id that was there before, and the first of them: its id, file and line."""

    requests: int
    id: str = ""
    file: str = ""
    line: int = 0


NONE = Reused(0)


def reused_rows(store: Store, week: Window, before: Sequence[Window], *, mapping: LogMapping) -> Reused:
    """Requests of a week with an id of the weeks before, read row by row."""
    there = chain.from_iterable(predictions_at(store, one, mapping=mapping) for one in before)
    ids = {row.id for _, row in there}
    again = [(line, row) for line, row in predictions_at(store, week, mapping=mapping) if row.id in ids]
    if not again:
        return NONE
    line, row = again[0]
    return Reused(len(again), row.id, line.file, line.number)


def reused_kept(store: Store, week: Window, before: Sequence[Window], *, mapping: LogMapping) -> Reused:
    """The same from what is kept of each day; days that are not kept are read and kept."""
    with TemporaryDirectory() as name, database(Path(name)) as made:
        now, *there = (requests_kept(made, store, one, mapping=mapping, scratch=Path(name)) for one in (week, *before))
        ids = " UNION ALL ".join(f"SELECT id FROM {one.rows}" for one in there) or "SELECT NULL::VARCHAR AS id"
        made.execute(f"CREATE TABLE again AS SELECT * FROM {now.rows} SEMI JOIN ({ids}) USING (id)")
        found = made.execute(f"SELECT count(*) OVER (), id, {PLACE} FROM again ORDER BY {PLACE} LIMIT 1").fetchone()
        if found is None:
            return NONE
        requests, id, day, file, line = found
        return Reused(requests, id, file_of(now.days, day, file), line)
