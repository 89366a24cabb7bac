"""A shop whose partners want other answers than its customers: a month of audited requests, and a variant's config."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from tests.small_client import configure, live, timeline
from upkeep.cases.model_variant import Part
from upkeep.demo.tickets import Writer
from upkeep.desk import Desk, open_desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.stages.collection import collect_cases

SERVED = datetime(2026, 4, 6, 9, tzinfo=UTC)
MAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
PART = Part("channel", "partner")
OLD, NEW = "refund_request", "return_item"
"""What customers ask to be refunded partners send back."""
TICKETS = Writer("northwind", random.Random(5))
REFUNDS = [TICKETS.ticket(OLD) for _ in range(80)]
OTHERS = [TICKETS.ticket("order_status") for _ in range(12)]
VARIANT = "northwind-partners"


def configured(folder, patch) -> None:
    """Two clients: the shop, and a variant of it that has one label less."""
    configure(folder, patch, tier=3, relabel=[], review_by=["channel"], new_labels="hold")
    raw = yaml.safe_load((folder / "clients" / "northwind.yaml").read_text())
    raw |= {"client": VARIANT, "name": "Northwind for partners", "store": f"clients/{VARIANT}", "minimum_items": 10}
    raw["labels"].remove(OLD)
    (folder / "clients" / f"{VARIANT}.yaml").write_text(yaml.safe_dump(raw))


@pytest.fixture(scope="session", name="audited_home")
def shop_home(tmp_path_factory):
    """The home of a client whose requests, of partners and of others, were audited for a month."""
    folder = tmp_path_factory.mktemp("audited")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPKEEP_HOME", str(folder / "home"))
        configured(folder / "configs", patch)
        desk, _ = live(timeline(months=1, per_month=60))
        texts = [*REFUNDS, *OTHERS]
        right = [*([NEW] * len(REFUNDS)), *(["order_status"] * len(OTHERS))]
        channel = ["partner"] * len(REFUNDS) + ["web"] * len(OTHERS)
        rows = [
            Prediction(
                f"r{n}", SERVED + timedelta(hours=n), text, OLD, 0.9, "1", True, metadata={"channel": channel[n]}
            )
            for n, text in enumerate(texts)
        ]
        write_predictions(desk.store, rows, name="api")
        said = [
            Outcome(one.id, one.at + timedelta(hours=1), OutcomeSource.AUDIT, answer)
            for one, answer in zip(rows, right, strict=True)
        ]
        write_outcomes(desk.store, said, name="audit")
        collect_cases(desk, "2026-04", MAY - timedelta(days=1))
    return folder / "home"


@pytest.fixture(name="shop")
def audited_shop(audited_home, state_folder, tmp_path, monkeypatch) -> Desk:
    shutil.copytree(audited_home, state_folder)
    configured(tmp_path / "configs", monkeypatch)
    return open_desk("northwind")
