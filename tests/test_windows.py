"""Do the kept days say exactly what the raw rows say, and are raw rows read only once?"""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.test_log import (
    FIRST_DAY,
    FIRST_OUTCOMES,
    GOOD_LINES,
    OUTCOME,
    PREDICTION,
    SAID,
    THEIRS,
    WEEK,
    ZENDESK,
    mangled,
)
from upkeep import scan
from upkeep.adapters.store import open_store
from upkeep.log import LogMapping, read_window
from upkeep.periods import Window
from upkeep.store import Store
from upkeep.tally import Tally, tally
from upkeep.windows import tally_window


class Counting:
    """A store that notes which keys of the raw log were read."""

    def __init__(self, store: Store) -> None:
        self.store, self.raw = store, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def read(self, key: str) -> bytes:
        self._note(key)
        return self.store.read(key)

    def fetch(self, key: str, folder: Path) -> Path:
        self._note(key)
        return self.store.fetch(key, folder)

    def _note(self, key: str) -> None:
        if key.startswith("log/"):
            self.raw.append(key)

    def since(self) -> list[str]:
        """What was read since the last time this was asked."""
        found, self.raw = self.raw, []
        return found


@pytest.fixture(scope="module", autouse=True, params=[0, scan.SMALL], ids=["duckdb", "small days"])
def way_of_reading(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "SMALL", request.param)
        yield


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(open_store(str(tmp_path / "acme")))


def counted(
    store: Any, window: Window = WEEK, *, mapping: LogMapping | None = None, until: datetime | None = None
) -> Tally:
    return tally_window(store, window, mapping=mapping or LogMapping(), outcomes_until=until or window.end)


def row_by_row(
    store: Any, window: Window = WEEK, *, mapping: LogMapping | None = None, until: datetime | None = None
) -> Tally:
    return tally(read_window(store, window, mapping=mapping or LogMapping(), outcomes_until=until or window.end))


def requests(found: Tally) -> int:
    return sum(count.requests for count in found.cells.values())


def labelled(found: Tally) -> int:
    return sum(count.requests for cell, count in found.cells.items() if cell.said)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    lines=st.lists(mangled() | st.sampled_from(GOOD_LINES), max_size=8),
    mapping=st.sampled_from([LogMapping(), ZENDESK]),
)
def test_whatever_is_in_a_line_the_kept_days_say_what_the_rows_say(lines: list[bytes], mapping: LogMapping):
    with tempfile.TemporaryDirectory() as folder:
        store, data = open_store(folder), b"\n".join(lines)
        store.write(f"{FIRST_DAY}/a.jsonl", data)
        store.write(f"{FIRST_OUTCOMES}/a.jsonl", data)
        assert counted(store, mapping=mapping) == row_by_row(store, mapping=mapping)


ODD = [
    b'{"a":1,}', b"[1,]", b'{"x": NaN}', b'{"x": -Infinity}', b'{"x": 1e400}', b'{"id": "other", "id": "p1"}',
    b'{"x": "\\ud800"}', b'{"id": "\\u0000"}', b'{"id": "\\u00e4\\n"}', b'{"id": "\\n"}', b'{"id": " "}',
    b'{"input": "\\n\\t"}', b'{"input": "  x"}', b'{"input": "!?"}', b'{"input": "\xc2\xa0"}', b'{"input": 5}',
    b'{"confidence": true}', b'{"confidence": "0.5"}', b'{"confidence": 1.0000001}', b'{"confidence": -0.0}',
    b'{"confidence": 1e-3}', b'{"confidence": 1E0}', b'{"confidence": 0.1234567890123456789}', b'{"confidence": null}',
    b'{"automatic": 1}', b'{"automatic": null}', b'{"automatic": false, "output": null}', b'{"output": null}',
    b'{"latency_ms": 0}', b'{"latency_ms": null}', b'{"latency_ms": 1e308}', b'{"latency_ms": -1}',
    b'{"latency_ms": 123456789012345678901234567890}', b'{"metadata": []}', b'{"metadata": null}',
    b'{"timestamp": "2026-11-23T24:00:00Z"}', b'{"timestamp": "20261123T100000Z"}', b'{"timestamp": "2026-11-23"}',
    b'{"timestamp": "2026-11-23T10:00:00.123456789Z"}', b'{"timestamp": "2026-11-23T10:00:00.123Z"}',
    b'{"timestamp": "2026-11-24T10:00:00+23:59"}', b'{"timestamp": "2026-11-23 10:00:00.123456-14:00"}',
    b'{"timestamp": "2026-11-23T10:00:00"}', b'{"timestamp": 1795428000}', b'{"model_version": ""}',
    b'{"source": "AUDIT"}', b'{"correct": 1}', b'{"correct": null}', b'{"answer": null}', b'{"answer": ""}',
    b'{"answer": null, "correct": null}', b'{"prediction_id": 1}', b'{"x": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"x": ' + b"9" * 5000 + b"}",
]  # fmt: skip
"""What is put over a good row; a part that is not JSON by itself is put before its end as text."""


def odd_lines(good: dict[str, Any]) -> list[bytes]:
    """A good row with each oddity at its end, where Python takes it in place of what stands before."""
    text = json.dumps(good).encode()
    return [text[:-1] + b", " + one.removeprefix(b"{") for one in ODD] + ODD


@pytest.mark.parametrize("good", [PREDICTION, OUTCOME, THEIRS, SAID], ids=["ours", "said", "theirs", "told"])
@pytest.mark.parametrize("mapping", [LogMapping(), ZENDESK], ids=["plain", "mapped"])
def test_what_duckdb_would_read_otherwise_is_read_as_python_reads_it(store, good, mapping):
    for number, line in enumerate(odd_lines(good)):
        store.write(f"{FIRST_DAY}/{number:03}.jsonl", line)
        store.write(f"{FIRST_OUTCOMES}/{number:03}.jsonl", line)
    assert counted(store, mapping=mapping) == row_by_row(store, mapping=mapping)
