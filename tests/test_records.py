"""Do records come back from a store as they went in, and does a bad one say where it stands?"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from upkeep.adapters.store import open_store
from upkeep.cases.case import Case, Item, Source
from upkeep.entitlement import Claim
from upkeep.errors import NotFoundError, StoreError
from upkeep.evaluation.comparison import Verdict, compare
from upkeep.evaluation.verdict import ItemResult
from upkeep.monitoring.figures import Slice
from upkeep.records import dump, dump_rows, load, load_if_there, load_rows, save, save_rows
from upkeep.stages.decisions import Decision
from upkeep.statistics.rates import Rate

NOON = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/Berlin"))
DECISION = Decision(
    period="2026-11",
    as_of=NOON,
    reason="scheduled",
    champion="1",
    challenger="2",
    verdict=Verdict.HOLD,
    reasons=("no clear gain",),
    compared=(compare("golden", champion=[True, False], challenger=[True, True]),),
    metrics={"1": {"golden/accuracy": 0.5}, "2": {"golden/accuracy": 1.0}},
)
CASES = [
    Case("c1", "Where is my Paket?\n\u2028\x85", "delivery", Source.CUSTOMER, NOON, "p1", "3", True, "billing"),
    Case("c2", "ü", "billing", Source.LAUNCH),
]


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "acme"))


def test_a_record_with_records_inside_comes_back_equal(store):
    save(store, "decisions/2026-11.json", DECISION)
    assert load(store, "decisions/2026-11.json", Decision) == DECISION


def test_a_time_keeps_its_moment_and_its_offset(store):
    save(store, "claims/a.json", Claim("2026-Q4", NOON, "scheduled"))
    assert load(store, "claims/a.json", Claim).as_of.isoformat() == "2026-11-23T12:00:00+01:00"


def test_saving_again_replaces_what_was_there(store):
    for reason in ("first", "second"):
        save(store, "claims/a.json", Claim("2026-Q4", NOON, reason))
    assert load(store, "claims/a.json", Claim).reason == "second"


def test_a_record_is_readable_json_that_ends_its_line():
    assert dump(Rate(3, 4)) == b'{\n "hits": 3,\n "n": 4\n}\n'


def test_a_missing_record_is_an_error_or_none_as_asked(store):
    with pytest.raises(NotFoundError, match=r"claims/a\.json"):
        load(store, "claims/a.json", Claim)
    assert load_if_there(store, "claims/a.json", Claim) is None


@pytest.mark.parametrize("found", [b"", b"not json", b"[]", b'{"period": "2026-Q4"}', b'{"hits": 3}'])
def test_what_is_not_such_a_record_is_an_error_that_names_address_and_kind(store, found):
    store.write("claims/a.json", found)
    for read in (load, load_if_there):
        with pytest.raises(StoreError) as caught:
            read(store, "claims/a.json", Claim)
        assert f"{store.uri}/claims/a.json: not a Claim" in str(caught.value)


def test_a_record_that_breaks_its_own_rule_is_refused(store):
    store.write("rate.json", b'{"hits": 5, "n": 4}')
    with pytest.raises(StoreError, match="5 of 4"):
        load(store, "rate.json", Rate)


def test_rows_come_back_in_their_order_whatever_line_ends_are_in_their_texts(store):
    save_rows(store, "cases/2026-11.jsonl", CASES)
    assert store.read("cases/2026-11.jsonl").count(b"\n") == len(CASES)
    assert load_rows(store, "cases/2026-11.jsonl", Case) == CASES


OLD_CASE = (
    b'{"id":"c1","text":"x","answer":"a","source":"audit","valid_from":null,"prediction_id":null,"model_version":null,'
    b'"was_error":false,"replaced":null,"valid_to":null,"superseded_by":null,"known_from":null,"given":null,'
    b'"reviewer":null,"requests":1,"like":null,"group":null,"conflict":null,"doubts":[],"suspect":null}\n'
)
OLD_ITEM = b'{"id":"g1","text":"x","answer":"a","valid_from":null,"valid_to":null}\n'


@pytest.mark.parametrize(("kind", "old"), [(Case, OLD_CASE), (Item, OLD_ITEM)])
def test_what_was_stored_before_there_were_slices_is_written_again_with_the_same_bytes(store, kind, old):
    store.write("old.jsonl", old)
    (found,) = load_rows(store, "old.jsonl", kind)
    assert found.by == {}
    assert dump_rows([found]) == old
    (again,) = dump_rows([replace(found, by={"channel": "mail"})]).splitlines()
    assert again == old.rstrip(b"}\n") + b',"by":{"channel":"mail"}}'


@pytest.mark.parametrize("row", [b'["golden","x",true,false]', b'["golden","x",true,false,"g1","a","a","b"]'])
def test_an_outcome_from_before_there_were_slices_is_in_none(store, row):
    store.write("outcomes/2026-01.jsonl", row + b"\n")
    (found,) = load_rows(store, "outcomes/2026-01.jsonl", ItemResult)
    assert (found.champion, found.challenger, found.by) == (True, False, {})


def test_a_slice_from_before_it_had_more_than_rates_knows_nothing_of_the_rest(store):
    rates = {name: {"hits": 1, "n": 2} for name in ("accuracy", "auto_resolution", "precision", "escalation")}
    store.write("slice.json", json.dumps({"requests": 2, **rates}).encode())
    found = load(store, "slice.json", Slice)
    assert found == Slice(2, *[Rate(1, 2)] * 4)
    assert (found.macro_f1, found.calibration_error, found.latency_p50_ms, found.latency_p95_ms) == (None,) * 4


def test_no_rows_are_a_file_too(store):
    save_rows(store, "cases/2026-11.jsonl", [])
    assert load_rows(store, "cases/2026-11.jsonl", Case) == []


def test_a_bad_row_is_named_by_its_line(store):
    save_rows(store, "golden.jsonl", [Item("g1", "x", "a"), Item("g2", "y", "b")])
    store.write("golden.jsonl", store.read("golden.jsonl") + b'{"id": "g3", "text": "z"}\n')
    with pytest.raises(StoreError, match=r"golden\.jsonl line 3: not a Item"):
        load_rows(store, "golden.jsonl", Item)


@given(
    st.builds(
        Case,
        id=st.text(min_size=1),
        text=st.text(),
        answer=st.text(),
        source=st.sampled_from(Source),
        valid_from=st.none() | st.datetimes(timezones=st.just(UTC)),
        was_error=st.booleans(),
    )
)
def test_any_case_survives_the_way_through_json(case):
    assert TypeAdapter(Case).validate_json(dump(case)) == case
