"""What a log's rows and files look like in the tests."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from upkeep.errors import NotFoundError
from upkeep.log.entries import LogMapping, LogWindow, Outcome, OutcomeSource, Prediction
from upkeep.log.files import read_window
from upkeep.periods import Window
from upkeep.store import Store

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
WEEK = Window(MONDAY, MONDAY + timedelta(days=7), "2026-W48")
NEXT_WEEK = Window(MONDAY + timedelta(days=7), MONDAY + timedelta(days=14), "2026-W49")
FIRST_DAY = "log/predictions/2026-11-23"
FIRST_OUTCOMES = "log/outcomes/2026-11-23"

PREDICTION: dict[str, Any] = {
    "id": "p1",
    "timestamp": "2026-11-23T10:00:00+01:00",
    "input": "Where is my card?",
    "output": "card_arrival",
    "confidence": 0.93,
    "model_version": "acme-tickets-v3",
    "automatic": True,
    "latency_ms": 12.5,
    "metadata": {"channel": "email"},
}
OUTCOME: dict[str, Any] = {
    "prediction_id": "p1",
    "timestamp": "2026-11-23T12:00:00Z",
    "source": "audit",
    "answer": "card_arrival",
    "correct": True,
}


class MemoryStore:
    """A store in a dictionary."""

    uri = "memory://acme"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, key: str) -> bytes:
        if key not in self.files:
            raise NotFoundError(f"{self.uri}/{key}: not there")
        return self.files[key]

    def write(self, key: str, data: bytes) -> None:
        self.files[key] = data

    def create(self, key: str, data: bytes) -> None:
        self.files.setdefault(key, data)

    def exists(self, key: str) -> bool:
        return key in self.files

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.files if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        self.files.pop(key, None)


def prediction(id: str = "p1", at: datetime = MONDAY, **changed: Any) -> Prediction:
    values: dict[str, Any] = {"input": "Hi", "output": "greeting", "confidence": 0.5, "model_version": "v1"}
    return Prediction(**({"id": id, "at": at, "automatic": True} | values | changed))


def outcome(id: str = "p1", at: datetime = MONDAY, **changed: Any) -> Outcome:
    return Outcome(**({"prediction_id": id, "at": at, "source": OutcomeSource.AUDIT, "answer": "x"} | changed))


def jsonl(*rows: object) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def read(
    store: Store, window: Window = WEEK, *, mapping: LogMapping | None = None, until: datetime | None = None
) -> LogWindow:
    return read_window(store, window, mapping=mapping or LogMapping(), outcomes_until=until or window.end)


def reasons(found: LogWindow) -> list[str]:
    return [row.reason for row in found.quarantined]


def parquet(rows: list[dict[str, Any]], unit: str = "us", zone: str | None = "UTC", **columns: pa.Array) -> bytes:
    table = pa.Table.from_pylist([row | {"timestamp": datetime.fromisoformat(row["timestamp"])} for row in rows])
    stamps = table["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, zone))
    table = table.set_column(table.column_names.index("timestamp"), "timestamp", stamps)
    for name, column in columns.items():
        table = table.append_column(name, column)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
