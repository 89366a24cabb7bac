"""What do Evidently's presets take for the figures of a review? Run by `benchmarks.review`, in Evidently's environment.

It reads the same Parquet log as Upkeep does, only the columns and days it needs, and prints one JSON object: seconds
by step after the imports, MB at most, and the figures that both sides have to agree on.

* summary: DataSummaryPreset on requests;
* quality: ClassificationPreset on those of them that were audited;
* drift: DataDriftPreset of a week against the weeks before it.

They are measured on all requests as one report with the last week's drift, on the last week, and, where asked, on each
week by itself. Each preset runs by itself and without a reference where it needs none, which is the least work.
Evidently keeps no aggregates of rows, so the weeks before have to be read again for each review.
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


def since(rows: pd.DataFrame, first: date) -> pd.Series:
    """Which of some rows are of this day or later?"""
    return rows["timestamp"] >= pd.Timestamp(first, tz="UTC")


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
    for name in ("since", "week", "end", "until"):
        parser.add_argument(f"--{name}", type=date.fromisoformat, required=True)
    parser.add_argument("--text", action="store_true", help="declare the input as a text column")
    parser.add_argument("--each", action="store_true", help="also make a report of each week")
    warnings.simplefilter("ignore")
    print(json.dumps(measure(parser.parse_args())))
    return 0


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Figures and seconds of one report on all requests, of the last week's, and of one report a week."""
    begun = time.perf_counter()
    text = TEXT if chosen.text else []
    requests, outcomes = (log := load(chosen, text)).found
    new = since(requests, chosen.week)
    drifted = timed(drift, requests[new], requests[~new], text)
    both = {"read": log.seconds, "drift": drifted.seconds}
    last = judge(requests[new], outcomes[since(outcomes, chosen.week)], text)
    found = {"all": told(judge(requests, outcomes, text), both), "last": told(last, both)}
    if chosen.each:
        weeks = [week(requests, outcomes, at, text) for at in mondays(chosen.since, chosen.end)]
        found["each"] = told(together(weeks), {"read": log.seconds})
    return {"measured": time.perf_counter() - begun, **found}


def mondays(first: date, stop: date) -> Iterator[date]:
    """The first day of every week."""
    return (first + timedelta(weeks=passed) for passed in range((stop - first).days // 7))


def week(requests: pd.DataFrame, outcomes: pd.DataFrame, first: date, text: list[str]) -> dict[str, Any]:
    """A week's report: its figures, and its drift against all weeks before it, if there are any."""
    before = ~since(requests, first)
    these = requests[~before & ~since(requests, first + timedelta(weeks=1))]
    found = judge(these, outcomes[since(outcomes, first)], text)
    drifted = timed(drift, these, requests[before], text).seconds if before.any() else 0.0
    return told(found, {"drift": drifted})


def together(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Several weeks as one: requests and seconds summed, and the accuracy of all audited requests."""
    audited = sum(part["audited"] for part in parts)
    return {
        "seconds": {name: sum(part["seconds"][name] for part in parts) for name in parts[0]["seconds"]},
        "requests": sum(part["requests"] for part in parts),
        "audited": audited,
        "accuracy": sum(part["accuracy"] * part["audited"] for part in parts) / audited,
    }


def judge(requests: pd.DataFrame, outcomes: pd.DataFrame, text: list[str]) -> dict[str, Any]:
    """Number and accuracy of some requests, and what they took."""
    counted = timed(summary, requests, text)
    answers = timed(labelled, requests, outcomes)
    right = timed(quality, answers.found)
    seconds = {"summary": counted.seconds, "quality": answers.seconds + right.seconds}
    found = {"requests": counted.found, "audited": len(answers.found), "accuracy": right.found}
    return found | {"seconds": seconds}


def told(part: dict[str, Any], more: dict[str, float]) -> dict[str, Any]:
    """The same with what further steps took, and with the memory that was needed so far."""
    return part | {"seconds": part["seconds"] | more, "memory": peak()}


def load(chosen: argparse.Namespace, text: list[str]) -> Timed:
    """All requests and all outcomes."""
    columns = ["id", "timestamp", *NUMBERS, *CATEGORIES, *text]
    return timed(
        lambda: (
            read(chosen.log / "predictions", chosen.since, chosen.end, columns),
            read(chosen.log / "outcomes", chosen.since, chosen.until, ["prediction_id", "timestamp", "answer"]),
        )
    )


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
