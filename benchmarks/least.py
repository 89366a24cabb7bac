"""The least that DuckDB has to do for a first reading of a log, as `benchmarks.review` measures it, in two ways.

* `keep`: what is kept of all days is written by two queries into two files, so that no day and no file costs anything
  by itself; each week's requests are then counted, and those beside what was said of them, and ids that were used
  twice. No row is checked, and none can be found again by its day.
* `count`: every row is checked as a review checks it, and the same is counted, by day, with the latencies and the
  quarters of an hour. What is kept are these counts and, to tell which day a late label belongs to and whether an id
  is used twice, a hash of each id, in two files; what else is known of a request would have to be read again.

Nothing is judged in either: a review that does all of this takes longer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.large_log import LATE, START
from upkeep.log.entries import LogMapping
from upkeep.log.lines import OUTCOMES, PREDICTIONS, Kind, Row
from upkeep.log.scan import PARQUET, database
from upkeep.log.sql_filter import ALL, from_parquet, micros, quoted
from upkeep.log.windows import BIN, DAY, STEP, SURE, TIME

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEPT = "id, timestamp, output, confidence, model_version, automatic, latency_ms"
CELL = "output, automatic, model_version, tenth"


class Counts(NamedTuple):
    """How many requests there are, of how many somebody said what is right, and how many were."""

    requests: int
    labelled: int
    hits: int


Way = Callable[["DuckDBPyConnection", Path, Path, int], Counts]
"""How a log of so many weeks is read: its folder, and one for what is written."""


def least(folder: Path, weeks: int, way: Way) -> Counts:
    """Read a log of `benchmarks.large_log`."""
    with TemporaryDirectory() as name, database(Path(name)) as made:
        return way(made, folder, Path(name), weeks)


def keep(made: DuckDBPyConnection, folder: Path, scratch: Path, weeks: int) -> Counts:
    """Keep every row and count each week of what is kept."""
    found = Counts(0, 0, 0)
    requests, said = (quoted(f"{scratch}/{half}.parquet") for half in ("requests", "said"))
    raw = {half: quoted(f"{folder}/log/{half}/*/*.parquet") for half in ("predictions", "outcomes")}
    made.execute(f"COPY (SELECT {KEPT} FROM {raw['predictions']}) TO {requests} {PARQUET}")
    made.execute(f"COPY (FROM {raw['outcomes']}) TO {said} {PARQUET}")
    for week in range(weeks):
        begins = f"TIMESTAMPTZ {quoted(START.isoformat())} + INTERVAL {week} WEEK"
        made.execute(f"""
            CREATE OR REPLACE TABLE week AS
            SELECT hash(id) AS place, output, automatic, model_version, confidence, latency_ms // 10 AS step,
                floor(confidence * 10) AS tenth
            FROM {requests} WHERE timestamp >= {begins} AND timestamp < {begins} + INTERVAL 1 WEEK""")
        counted = made.execute(f"SELECT {CELL}, count(*), sum(confidence) FROM week GROUP BY {CELL}").fetchall()
        made.execute("SELECT step, count(*) FROM week GROUP BY step").fetchall()
        made.execute("SELECT count(*) - count(DISTINCT place) FROM week").fetchall()
        told = made.execute(f"""
            SELECT {CELL}, answer, count(*) FROM {said} JOIN week ON place = hash(prediction_id)
            GROUP BY {CELL}, answer""").fetchall()
        found = Counts(
            found.requests + sum(row[-2] for row in counted),
            found.labelled + sum(row[-1] for row in told),
            found.hits + sum(row[-1] for row in told if row[0] == row[-2]),
        )
    return found


def count(made: DuckDBPyConnection, folder: Path, scratch: Path, weeks: int) -> Counts:
    """Check every row, count it by day, and keep the counts and a hash of each id."""
    made.execute(f"""
        CREATE TABLE asked AS
        SELECT moment // {DAY} AS day, hash(id) AS place, {TIME} AS quarter, {STEP} AS step, {BIN} AS tenth, output,
            automatic, model_version, {SURE} AS sure
        FROM ({_checked(made, folder, PREDICTIONS, weeks)}) WHERE fine""")
    made.execute(f"""
        CREATE TABLE counted AS
        SELECT day, step, quarter, {CELL}, count(*) AS n, sum(sure) AS sure FROM asked GROUP BY GROUPING SETS (
            (day, model_version, step), (day, quarter, model_version), (day, {CELL}))""")
    made.execute(f"COPY (SELECT day, place FROM asked) TO {quoted(f'{scratch}/ids.parquet')} {PARQUET}")
    made.execute(f"COPY counted TO {quoted(f'{scratch}/counted.parquet')} {PARQUET}")
    counted = made.execute(f"SELECT step, quarter, {CELL}, n, sure FROM counted").fetchall()
    made.execute("SELECT day // 7, count(*) - count(DISTINCT place) FROM asked GROUP BY 1").fetchall()
    told = made.execute(f"""
        SELECT output, answer, count(*) FROM ({_checked(made, folder, OUTCOMES, weeks)}) JOIN asked
            ON place = hash(prediction_id) WHERE fine GROUP BY day, source, answer, {CELL}""").fetchall()
    requests = sum(row[-2] for row in counted if row[0] is None and row[1] is None)
    hits = sum(number for output, answer, number in told if output == answer)
    return Counts(requests, sum(row[-1] for row in told), hits)


def _checked(made: DuckDBPyConnection, folder: Path, kind: Kind[Row], weeks: int) -> str:
    """The rows of all days at once as `upkeep.log.sql_filter` checks them, without their texts."""
    files = f"read_parquet({quoted(f'{folder}/{kind.folder}/*/*.parquet')}, file_row_number = true)"
    types = dict(made.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM {files})").fetchall())
    query = from_parquet(kind, LogMapping(), START.date(), "0" * len(ALL), types)
    if query is None:
        raise ValueError(f"{folder}/{kind.folder}: found {types}, expected columns that DuckDB reads as Python does")
    a_day, all_days = (micros(START + timedelta(days=n)) for n in (1, 7 * weeks + LATE))
    return f"WITH file AS (SELECT * FROM {files}) {query.replace(str(a_day), str(all_days))}"
