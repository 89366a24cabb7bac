"""Does one process at a time train and compare what a client has asked for?"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from queue import Queue

import pytest
import yaml

from tests.released import DECIDED, gift_card_begun, released_desk, released_template  # noqa: F401 -- fixtures
from upkeep import records
from upkeep.__main__ import main
from upkeep.chain import retrain, variant
from upkeep.desk import Desk, open_desk
from upkeep.entitlement import Claim
from upkeep.errors import TrainingError
from upkeep.home import configs
from upkeep.stages.contract import change_orders
from upkeep.stages.sole_training import sole_training

HOLDS = """
import sys, time
from upkeep.stages.sole_training import sole_training
with sole_training("northwind", "2026-Q1"):
    print("begun", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def asked(desk) -> Desk:
    """The client under a tier with a retrain each quarter and new categories, booked for the day of its decision."""
    page = configs() / "clients" / "northwind.yaml"
    page.write_text(yaml.safe_dump(yaml.safe_load(page.read_text()) | {"tier": 2}))
    records.save(desk.store, "claims/2026-Q1.json", Claim("2026-Q1", DECIDED, "scheduled"))
    return open_desk("northwind")


def keys(desk: Desk) -> dict[str, bytes]:
    return {key: desk.store.read(key) for key in desk.store.keys("")}


def test_a_second_process_is_refused_at_once_and_changes_nothing(asked, capsys):
    before = keys(asked)
    wanted = "client northwind: another process is at work on 2026-Q1 already, expected one at a time"
    later = DECIDED + timedelta(hours=3)
    with sole_training("northwind", "2026-Q1"):
        with pytest.raises(TrainingError, match=wanted):
            retrain(asked, later, reason="new prices")
        assert main(["retrain", "northwind", "--as-of", later.isoformat()]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.startswith(f"upkeep: {wanted}")) == ("", True)  # nor does it say that it goes on
    assert keys(asked) == before


def test_a_new_category_is_taught_by_one_process_at_a_time_too(asked):
    key = gift_card_begun(asked)
    with sole_training("northwind", key), pytest.raises(TrainingError, match=f"at work on {key} already"):
        variant(asked, "gift_card", [], DECIDED, reason="asked")
    assert not asked.store.exists(f"challengers/{key}.json")


@pytest.mark.parametrize("other", ["2025-Q4", "2026-Q1-variant-gift-card"])
def test_a_retrain_is_refused_while_the_client_is_trained_for_anything_else(asked, other):
    before = keys(asked)
    with sole_training("northwind", other), pytest.raises(TrainingError, match=f"at work on {other} already"):
        retrain(asked, DECIDED, reason="new prices")
    assert keys(asked) == before


def test_a_new_category_is_refused_while_a_retrain_is_trained(asked):
    key = gift_card_begun(asked)
    with sole_training("northwind", "2026-Q1"), pytest.raises(TrainingError, match="at work on 2026-Q1 already"):
        variant(asked, "gift_card", [], DECIDED, reason="asked")
    assert not asked.store.exists(f"challengers/{key}.json")


def test_a_client_is_onboarded_by_one_process_at_a_time(desk, tmp_path, capsys):
    given = tmp_path / "given.jsonl"
    given.write_text('{"id": "1", "text": "Where is my parcel?", "answer": "order_status"}\n')
    before = keys(desk)
    with sole_training("northwind", "launch"):
        assert main(["onboard", "northwind", "--cases", str(given), "--golden", str(given)]) == 1
    assert "another process is at work on launch already" in capsys.readouterr().err
    assert keys(desk) == before


def test_what_is_not_included_becomes_a_change_order_whatever_is_trained(desk):
    with sole_training("northwind", "2026-Q1"):
        made = retrain(desk, DECIDED, reason="new prices")
    assert [made] == change_orders(desk)


def test_another_client_waits_for_nobody_and_the_same_one_for_none_that_is_done(desk):
    with sole_training("northwind", "2026-Q1"), sole_training("acme", "2026-Q1"):
        pass
    with sole_training("northwind", "2026-Q1"), pytest.raises(TrainingError), sole_training("northwind", "2026-Q2"):
        pass
    with pytest.raises(RuntimeError), sole_training("northwind", "2026-Q2"):
        raise RuntimeError
    with sole_training("northwind", "2026-Q2"):
        pass


def test_one_that_waits_goes_on_when_the_other_is_done_and_says_for_what_it_waits(desk):
    heard: Queue[str] = Queue()

    def trained() -> str:
        with sole_training("northwind", "2026-Q1", waits=heard.put):
            return "trained"

    with ThreadPoolExecutor() as pool:
        with sole_training("northwind", "2025-Q4"):
            waiting = pool.submit(trained)
            told = heard.get(timeout=60)
            assert not waiting.done()
        assert waiting.result(timeout=60) == "trained"
    assert told == "client northwind: another process is at work on 2025-Q4 already; 2026-Q1 waits for it"


def test_nobody_waits_for_the_same_training(desk):
    heard: list[str] = []
    with sole_training("northwind", "2026-Q1"), pytest.raises(TrainingError, match="at work on 2026-Q1 already"):  # noqa: SIM117
        with sole_training("northwind", "2026-Q1", waits=heard.append):
            pass
    assert heard == []


def test_the_lock_goes_with_its_process_when_that_is_killed(desk):
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        with pytest.raises(TrainingError, match="at work on 2026-Q1"), sole_training("northwind", "2026-Q2"):
            pass
        process.kill()
    with sole_training("northwind", "2026-Q1"):
        pass
