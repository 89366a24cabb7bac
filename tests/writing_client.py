"""A client whose model writes its answers, with a log of requests that came after a change of policy."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.chatty import BEFORE, SINCE, chat_base, recipe, requests  # noqa: F401 -- a fixture
from tests.small_client import configure
from upkeep.cases.case import Case, Item, Source
from upkeep.desk import Desk, open_desk
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.stages.finetuning import load_model
from upkeep.stages.onboarding import onboard
from upkeep.stages.release import in_service

BEGUN = datetime(2026, 2, 2, 9, tzinfo=UTC)
CHANGED = date(2026, 2, 9)
"""From this day on a refund is asked for in the portal."""
RULE = {"old": BEFORE["refund"], "new": SINCE["refund"], "since": CHANGED}
GOLDEN, LAUNCH = 100, 340
"""The first requests are agreed items, the next ones launch cases, the rest come in production."""


@pytest.fixture(scope="session", name="written")
def begun(chat_base, tmp_path_factory) -> Path:  # noqa: F811
    """A home with such a client: its first model in service, a month of audited answers."""
    folder = tmp_path_factory.mktemp("writing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPKEEP_HOME", str(folder / "home"))
        shutil.copytree(chat_base.folder, folder / "home" / "models" / "chat")
        configs = configure(
            folder / "configs", patch, task="generation", labels=[], training="tiny-chat", tier=3, relabel=[RULE],
            base_model={"path": "models/chat"}, promotion="automatic", minimum_items=80, minimum_labels=20,
        )  # fmt: skip
        path = configs / "training" / "tiny-chat.yaml"
        path.write_text(yaml.safe_dump(recipe().model_dump(mode="json")))
        desk = open_desk("northwind")
        onboard(desk, cases=_cases(), golden=_golden(), as_of=BEGUN, seed=0)
        serve(desk)
    return folder


@pytest.fixture(name="writer")
def desk_of_a_writer(written, tmp_path, monkeypatch) -> Desk:
    shutil.copytree(written, tmp_path / "copy")
    monkeypatch.setenv("UPKEEP_HOME", str(tmp_path / "copy" / "home"))
    monkeypatch.setenv("UPKEEP_CONFIGS", str(tmp_path / "copy" / "configs"))
    return open_desk("northwind")


def serve(desk: Desk) -> None:
    """Four weeks of requests after the change, each audited with the answer that is right now."""
    asked = requests()[LAUNCH:]
    answers = load_model(desk, in_service(desk)).answer([text for text, _ in asked])
    start = datetime(2026, 2, 9, 9, tzinfo=UTC)
    rows = [
        Prediction(
            f"w{number}", start + timedelta(days=number % 28, minutes=number), text, one.output, one.confidence,
            in_service(desk), one.automatic,
        )
        for number, ((text, _), one) in enumerate(zip(asked, answers, strict=True))
    ]  # fmt: skip
    said = [
        Outcome(
            row.id, row.at + timedelta(hours=2), OutcomeSource.AUDIT, SINCE[topic], correct=SINCE[topic] == row.output
        )
        for row, (_, topic) in zip(rows, asked, strict=True)
    ]
    write_predictions(desk.store, rows, name="test")
    write_outcomes(desk.store, said, name="test")


def _cases() -> list[Case]:
    return [
        Case(f"c{number}", text, BEFORE[topic], Source.LAUNCH)
        for number, (text, topic) in enumerate(requests()[GOLDEN:LAUNCH])
    ]


def _golden() -> list[Item]:
    """What was agreed: of a refund the old answer until the change, and the new one from then on."""
    turn = datetime(2026, 2, 9, tzinfo=UTC)
    items = []
    for number, (text, topic) in enumerate(requests()[:GOLDEN]):
        if topic == "refund":
            items.append(Item(f"g{number}", text, BEFORE[topic], valid_to=turn))
            items.append(Item(f"h{number}", text, SINCE[topic], valid_from=turn))
        else:
            items.append(Item(f"g{number}", text, BEFORE[topic]))
    return items
