"""The least that DuckDB has to do for a first reading of a log, as `benchmarks.review` measures it.

What is kept of all days is written by two queries into two files, so that no day and no file costs anything by itself;
each week's requests are then counted, and those beside what was said of them, and ids that were used twice. No row is
checked, none can be found again by its day, and nothing is judged: a review that does these things takes longer.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.large_log import START
from upkeep.log.scan import PARQUET, database
from upkeep.log.sql_filter import quoted

KEPT = "id, timestamp, output, confidence, model_version, automatic, latency_ms"
CELL = "output, automatic, model_version, tenth"


class Counts(NamedTuple):
    """How many requests there are, of how many somebody said what is right, and how many were."""

    requests: int
    labelled: int
    hits: int


def least(folder: Path, weeks: int) -> Counts:
    """Keep and count a log of `benchmarks.large_log`."""
    found = Counts(0, 0, 0)
    with TemporaryDirectory() as name, database(Path(name)) as made:
        requests, said = (quoted(f"{name}/{half}.parquet") for half in ("requests", "said"))
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
