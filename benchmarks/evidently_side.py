"""What do Evidently's presets take for the figures of a review? Run by `benchmarks.review`, in Evidently's environment.

It reads the same Parquet log as Upkeep does, only the columns and days it needs, and prints one JSON object: seconds
by step after the imports, MB at most, and the figures that both sides have to agree on.

* summary: DataSummaryPreset, on all requests and on those of the last week;
* quality: ClassificationPreset on those of them that were audited;
* drift: DataDriftPreset of the last week against the weeks before it.

Each preset runs by itself and without a reference where it needs none, which is the least work. Evidently keeps no
aggregates of rows, so the weeks before have to be read again for each review.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from evidently import DataDefinition, Dataset, MulticlassClassification, Report
from evidently.presets import ClassificationPreset, DataDriftPreset, DataSummaryPreset

NUMBERS = ["confidence", "latency_ms"]
CATEGORIES = ["output", "automatic", "model_version"]
DRIFTING = ["output", "confidence", "latency_ms", "automatic"]
TEXT = ["input"]


def read(folder: Path, first: date, stop: date, columns: list[str]) -> pd.DataFrame:
    """The columns of the days first..stop (exclusive) of one half of the log."""
    files = [folder / f"{day:%Y-%m-%d}" / "api.parquet" for day in days(first, stop)]
    return pd.concat((pd.read_parquet(path, columns=columns) for path in files if path.exists()), ignore_index=True)


def days(first: date, stop: date) -> Iterator[date]:
    """Every day from the first until before the last."""
    return (first + timedelta(days=passed) for passed in range((stop - first).days))


def labelled(requests: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Answers beside what was said to be right; of several sayings the last counts."""
    last = outcomes.sort_values("timestamp", kind="stable").drop_duplicates("prediction_id", keep="last")
    both = requests[["id", "output"]].merge(last[["prediction_id", "answer"]], left_on="id", right_on="prediction_id")
    return both[["output", "answer"]]


def summary(requests: pd.DataFrame, text: list[str]) -> int:
    """The number of requests, by DataSummaryPreset."""
    known = DataDefinition(
        timestamp="timestamp", numerical_columns=NUMBERS, categorical_columns=CATEGORIES, text_columns=text
    )
    told = requests[["timestamp", *NUMBERS, *CATEGORIES, *text]]
    return int(value_of(Report([DataSummaryPreset()]), Dataset.from_pandas(told, data_definition=known), "RowCount"))


def quality(answers: pd.DataFrame) -> float:
    """The accuracy, by ClassificationPreset."""
    known = DataDefinition(
        categorical_columns=["output", "answer"],
        classification=[MulticlassClassification(target="answer", prediction_labels="output")],
    )
    return value_of(Report([ClassificationPreset()]), Dataset.from_pandas(answers, data_definition=known), "Accuracy")


def drift(week: pd.DataFrame, before: pd.DataFrame, text: list[str]) -> float:
    """The share of columns that have drifted, by DataDriftPreset with the methods it chooses itself."""
    columns = [*DRIFTING, *text]
    known = DataDefinition(
        numerical_columns=NUMBERS,
        categorical_columns=[name for name in CATEGORIES if name in columns],
        text_columns=text,
    )
    now, then = (Dataset.from_pandas(rows[columns], data_definition=known) for rows in (week, before))
    found = Report([DataDriftPreset(columns=columns)]).run(now, then).dict()
    return next(float(one["value"]["share"]) for one in found["metrics"] if "DriftedColumns" in one["metric_name"])


def value_of(report: Report, rows: Dataset, metric: str) -> float:
    """One figure of a report."""
    found = report.run(rows, None).dict()
    return next(float(one["value"]) for one in found["metrics"] if one["metric_name"].partition("(")[0] == metric)


def peak() -> float:
    """The most memory that this process had, in MB."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def main() -> int:
    """Measure Evidently on one log."""
    parser = argparse.ArgumentParser(description="What Evidently's presets take for the figures of a review.")
    parser.add_argument("log", type=Path, help="the folder with predictions/ and outcomes/")
    for name in ("since", "week", "end", "told"):
        parser.add_argument(f"--{name}", type=date.fromisoformat, required=True)
    parser.add_argument("--text", action="store_true", help="declare the input as a text column")
    warnings.simplefilter("ignore")
    print(json.dumps(measure(parser.parse_args())))
    return 0


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Figures and seconds of all requests and of those of the last week, and of the steps that both need."""
    text = TEXT if chosen.text else []
    requests, week, before, outcomes = (log := load(chosen, text)).found
    drifted = timed(drift, week, before, text)
    new = outcomes[outcomes["timestamp"] >= pd.Timestamp(chosen.week, tz="UTC")]
    found = {"all": judge(requests, outcomes, text), "last": judge(week, new, text)}
    both = {"read": log.seconds, "drift": drifted.seconds}
    return {"both": both, "memory": peak(), "drifted": drifted.found, **found}


def judge(requests: pd.DataFrame, outcomes: pd.DataFrame, text: list[str]) -> dict[str, Any]:
    """Number and accuracy of some requests, and what they took."""
    counted = timed(summary, requests, text)
    right = timed(lambda: quality(labelled(requests, outcomes)))
    seconds = {"summary": counted.seconds, "quality": right.seconds}
    return {"seconds": seconds, "requests": counted.found, "accuracy": right.found}


def load(chosen: argparse.Namespace, text: list[str]) -> Timed:
    """All requests, those of the last week, those before it, and all outcomes."""
    columns = ["id", "timestamp", *NUMBERS, *CATEGORIES, *text]

    def work() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        requests = read(chosen.log / "predictions", chosen.since, chosen.end, columns)
        outcomes = read(chosen.log / "outcomes", chosen.since, chosen.told, ["prediction_id", "timestamp", "answer"])
        new = requests["timestamp"] >= pd.Timestamp(chosen.week, tz="UTC")
        return requests, requests[new], requests[~new], outcomes

    return timed(work)


class Timed(NamedTuple):
    """What was found, in how many seconds."""

    found: Any
    seconds: float


def timed(work: Callable[..., Any], *arguments: Any) -> Timed:
    """Do some work and take the time."""
    start = time.perf_counter()
    return Timed(work(*arguments), time.perf_counter() - start)


if __name__ == "__main__":
    raise SystemExit(main())
