"""What log do the benchmarks read? Made-up requests in Parquet, one file a day, some of them audited two days later.

The texts are of a support desk: a few hundred words and order numbers of five digits, so that their vocabulary does
not grow with the log.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from upkeep.progress import OnTerminal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

START = datetime(2024, 1, 1, tzinfo=UTC)
LATE = 2
"""Days until an audit."""
AUDITED = 30
"""One request in so many is audited."""
LABELS = tuple(f"label {number}" for number in range(20))

OPENINGS = (
    "Where is", "I am still waiting for", "Please cancel", "Can I change", "How do I send back", "Who has signed for",
    "I was charged twice for", "The seller says nothing about", "I cannot find the invoice for", "When will I get",
)  # fmt: skip
THINGS = (
    "the parcel", "my order", "the refund", "a jacket", "two pairs of boots", "the tent", "this rucksack", "a lamp",
    "the sleeping bag", "my voucher", "the gift card", "the stove", "a rope", "those gloves", "my membership",
)  # fmt: skip
ENDINGS = (
    "Thanks in advance", "It is urgent", "I have asked before", "My neighbour has seen nothing", "I move house soon",
    "The tracking page is empty", "Nobody picks up the phone", "It was a present", "The colour is wrong", "Best wishes",
    "The zip is broken", "I paid by card", "The address was right", "Is there a branch near me", "It does not fit",
)  # fmt: skip


def write_log(folder: Path, weeks: int, rows: int) -> None:
    """A log with so many rows in so many weeks, under the folder's `log/`."""
    import duckdb

    a_day = rows // (7 * weeks)
    progress = OnTerminal()
    with duckdb.connect() as made:
        for day in range(7 * weeks + LATE):
            at = START + timedelta(days=day)
            if day < 7 * weeks:
                _write(made, folder / "log" / "predictions" / f"{at:%Y-%m-%d}", _predictions(day * a_day, a_day, at))
            if day >= LATE:
                first = (day - LATE) * a_day
                _write(made, folder / "log" / "outcomes" / f"{at:%Y-%m-%d}", _outcomes(first, a_day, at))
            progress(f"{rows:,} rows, days written", day + 1, 7 * weeks + LATE)


def _write(made: DuckDBPyConnection, folder: Path, query: str) -> None:
    folder.mkdir(parents=True)
    made.execute(f"COPY ({query}) TO '{folder}/api.parquet' (FORMAT parquet)")


def _predictions(first: int, n: int, day: datetime) -> str:
    return f"""
        SELECT 'request-' || i AS id, to_timestamp({day.timestamp()} + (i - {first}) * 86400.0 / {n}) AS timestamp,
            {_one_of(OPENINGS, 4)} || ' ' || {_one_of(THINGS, 5)} || ' of order ' || (10000 + hash(i + 6) % 90000)
                || '? ' || {_one_of(ENDINGS, 7)} || '. ' || {_one_of(ENDINGS, 8)} || '.' AS input,
            'label ' || hash(i) % {len(LABELS)} AS output,
            (hash(i + 1) % 1000) / 1000.0::DOUBLE AS confidence, 'v1' AS model_version, hash(i) % 10 < 8 AS automatic,
            5.0::DOUBLE + hash(i + 2) % 100 AS latency_ms, {{'channel': 'email'}} AS metadata
        FROM range({first}, {first + n}) t(i)"""


def _one_of(words: tuple[str, ...], seed: int) -> str:
    return f"({list(words)}::VARCHAR[])[1 + (hash(i + {seed}) % {len(words)})::INTEGER]"


def _outcomes(first: int, n: int, day: datetime) -> str:
    return f"""
        SELECT 'request-' || i AS prediction_id,
            to_timestamp({day.timestamp()} + (i - {first}) * 86400.0 / {n}) AS timestamp, 'audit' AS source,
            'label ' || (hash(i) + (hash(i + 3) % 8 = 0)::INT) % {len(LABELS)} AS answer
        FROM range({first}, {first + n}) t(i) WHERE i % {AUDITED} = 0"""
