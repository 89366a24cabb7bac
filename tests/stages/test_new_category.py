"""A new category on real weights: booked, proposed, reviewed, taught beside the old labels, and judged."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import torch

from tests.small_client import configure, live, timeline
from upkeep import records
from upkeep.__main__ import main
from upkeep.cases.case import Source, valid_at
from upkeep.chain import run_due, variant
from upkeep.demo.tickets import Writer
from upkeep.desk import GOLDEN, Desk, open_desk
from upkeep.entitlement import ChangeOrder, Claim, UseCase
from upkeep.errors import NoChampionError, UnsupportedTaskError, VariantError
from upkeep.evaluation.comparison import Verdict
from upkeep.log.entries import Outcome, OutcomeSource, Prediction
from upkeep.log.files import write_outcomes, write_predictions
from upkeep.models.manifest import read_manifest
from upkeep.redaction import PersonalData
from upkeep.stages.asking import asked, offer_cases, to_look_over
from upkeep.stages.challengers import Challenger
from upkeep.stages.collection import collect_cases
from upkeep.stages.contract import book_use_case, change_orders, is_included
from upkeep.stages.decisions import Decision, decisions
from upkeep.stages.finetuning import load_model
from upkeep.stages.release import roll_back
from upkeep.stages.returning import take_returns
from upkeep.stages.snapshot import snapshot, take_snapshot
from upkeep.stages.variant import open_use_cases, rounds
from upkeep.stages.waiting import Waiting

LABEL = "rental_booking"
SERVED = datetime(2026, 4, 6, 9, tzinfo=UTC)
MAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
MONDAY = datetime(2026, 5, 11, 6, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 6, tzinfo=UTC)
KEY = "2026-Q2-variant-rental-booking"
TICKETS = Writer("northwind", random.Random(5))
RENTALS = [TICKETS.ticket(LABEL) for _ in range(60)]
SEEDS, PAST, MORE = RENTALS[:20], RENTALS[20:45], RENTALS[45:]
ORDINARY = [TICKETS.ticket(label) for label in ("order_status", "return_item", "oos") for _ in range(12)]


def configured(folder, patch, **changes):
    return configure(folder, patch, **({"tier": 3, "new_labels": "hold", "relabel": []} | changes))


@pytest.fixture(scope="module")
def onboarded(tmp_path_factory):
    """The home of a client whose model has answered requests, some of them about what it does not know."""
    folder = tmp_path_factory.mktemp("onboarded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPKEEP_HOME", str(folder / "home"))
        configured(folder / "configs", patch)
        desk, _ = live(timeline(months=1, per_month=60))
        texts = [*PAST, *ORDINARY]
        answers = load_model(desk, "1").answer(texts)
        rows = [
            Prediction(f"r{n}", SERVED + timedelta(minutes=n), text, one.output, min(one.confidence, 1), "1", False)
            for n, (text, one) in enumerate(zip(texts, answers, strict=True))
        ]
        write_predictions(desk.store, rows, name="api")
    return folder / "home"


@pytest.fixture
def desk(onboarded, state_folder, tmp_path, monkeypatch) -> Desk:
    shutil.copytree(onboarded, state_folder)
    configured(tmp_path / "configs", monkeypatch)
    return open_desk("northwind")


def answer_batch(desk: Desk, period: str) -> None:
    """Somebody accepts what is about rentals, rejects the rest, and drops the file into the inbox."""
    rows = list(csv.DictReader(StringIO(desk.store.read(f"to-review/{period}.csv").decode("utf-8-sig"))))
    made = StringIO()
    writer = csv.DictWriter(made, list(rows[0]))
    writer.writeheader()
    writer.writerows(row | {"decision": "accept" if row["request"] in PAST else "reject"} for row in rows)
    desk.store.write("inbox/ada.csv", made.getvalue().encode())


def test_a_new_category_is_proposed_reviewed_taught_beside_the_old_labels_and_goes_into_service(desk):
    heard: list[str] = []
    waiting = variant(desk, LABEL, SEEDS, MAY, reason="rentals have begun", by="ada", hear=heard.append)
    assert isinstance(waiting, Waiting)
    assert desk.use_cases() == [UseCase("2026-Q2", desk.local(MAY), LABEL, "rentals have begun", "ada")]
    (begun,) = rounds(desk, desk.use_cases()[0])
    assert (begun.period, begun.seeds + begun.folded, begun.looked) == (KEY, len(SEEDS), len(PAST) + len(ORDINARY))

    # people are asked about most of what was about rentals, and about little else
    questions = [one for one in asked(desk).values()]
    about = [one.text in PAST for one in questions]
    assert len(questions) == len(waiting.cases) == begun.proposed
    assert sum(about) >= 0.7 * len(PAST)
    assert sum(about) >= 0.7 * len(questions)
    assert {one.why for one in questions} == {("proposed for a new category",)}
    assert {one.answer for one in questions} == {LABEL}
    assert all(SERVED <= one.at < SERVED + timedelta(hours=2) for one in questions)  # when the requests came
    (line,) = to_look_over(desk, offer_cases(desk, KEY, MAY), MAY)
    assert line.startswith(f"{begun.proposed} cases to look over: ")
    assert heard == [f"{KEY}: {begun}", line]

    # until they have answered, doing it again changes nothing, and a week's review does not take it up
    before = list(desk.store.keys(""))
    assert variant(desk, LABEL, SEEDS, MAY, reason="rentals have begun", by="ada") == waiting
    assert list(desk.store.keys("")) == before
    assert [one.waiting for one in open_use_cases(desk, MONDAY)] == [waiting]

    # what somebody says of a request is a case of its own, not folded into the mere proposal of it
    said = Outcome("r0", MAY + timedelta(hours=1), OutcomeSource.AUDIT, LABEL, None)
    write_outcomes(desk.store, [said], name="audit")
    collect_cases(desk, "2026-W18", MAY + timedelta(days=1))
    assert [case.id for case in desk.cases() if case.prediction_id == "r0" and case.source is Source.AUDIT] == ["p-r0"]

    answer_batch(desk, KEY)
    take_returns(desk, MONDAY - timedelta(hours=1))
    assert to_look_over(desk, offer_cases(desk, KEY, MAY), MONDAY) == []  # all are answered
    run_due("northwind", MONDAY)
    (made,) = decisions(desk)
    assert made.verdict is Verdict.PROMOTE, made.reasons
    assert (made.period, made.label, made.reason, made.applied) == (KEY, LABEL, "rentals have begun", True)
    by_set = {one.items: one for one in made.compared}
    assert by_set["new"].challenger.value > 0.7
    assert by_set["new"].champion.hits == 0
    assert by_set["golden"].difference > -0.01
    known = set(load_model(desk, made.champion).labels)
    agreed = [item for item in valid_at(desk.golden(), MONDAY) if item.answer in known]
    assert by_set["golden"].champion.n == len(agreed) < len(desk.golden())
    check_old_answers(desk, made)

    # it was part of the use case: the month's retrain is still there, and teaches it although new labels are held
    assert is_included(desk, MONDAY, "scheduled") == Claim("2026-05", desk.local(MONDAY), "scheduled")
    assert desk.claims() == {}
    taken = take_snapshot(desk, "2026-06", JUNE)
    assert LABEL in taken.labels
    assert taken.label_set == snapshot(desk, KEY).label_set == 2
    assert snapshot(desk, "2026-06").terms.new_since == snapshot(desk, "launch").terms.moment

    # and it can be taken back
    assert variant(desk, LABEL, [], JUNE, reason="again") == made
    assert roll_back(desk, by="ada", reason="a client called", at=JUNE).version == made.champion


def check_old_answers(desk: Desk, made: Decision) -> None:
    """Every old logit is the same to the bit, in the stored models, and each release says which labels it has."""
    old, new = load_model(desk, made.champion), load_model(desk, made.challenger)
    assert new.labels == (*old.labels, LABEL)
    assert (old.manifest.label_set, new.manifest.label_set) == (1, 2)
    assert records.load(desk.store, f"challengers/{KEY}.json", Challenger).grown_on == made.champion
    texts = [item.text for item in desk.golden()]
    with torch.inference_mode():
        for rows in (1, 7, len(texts)):
            before = old.logits(old.encoder.embed(texts[:rows]))
            after = new.logits(new.encoder.embed(texts[:rows]))[:, : len(old.labels)]
            assert (before - after).abs().max().item() == 0.0
    assert torch.equal(old.head.weight, new.head.weight[: len(old.labels)])


def test_a_category_taught_at_once_is_held_where_too_few_items_can_prove_it_and_more_examples_go_on(
    desk, tmp_path, monkeypatch
):
    # the config names another base model by now: the category is taught to the champion on its own
    own = desk.client.base_model.model_dump()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "model.safetensors").write_bytes(b"abc")
    configured(tmp_path / "other", monkeypatch, base_model={"path": str(tmp_path / "new")}, eyes=own)
    desk = open_desk("northwind")
    golden = [item for item in desk.golden() if item.answer != LABEL]
    records.save_rows(desk.store, GOLDEN, golden)
    made = variant(desk, LABEL, SEEDS, MAY, reason="rentals have begun", by="ada", wait=False)
    assert isinstance(made, Decision)
    assert made.verdict is Verdict.HOLD
    found = {one.items: one.challenger.n for one in made.compared}.get("new", 0)
    assert made.reasons[0] == (
        f"not enough evaluation items of '{LABEL}': have {found}, need 10, {10 - found} are missing"
    )
    assert desk.registry.champion() == made.champion
    assert desk.registry.base_model(made.challenger) == own
    # the proposals that nobody has read taught nothing
    assert snapshot(desk, KEY).left_out["unread and doubtful: proposed for a new category"] > 0
    again = variant(desk, LABEL, [*SEEDS, *MORE], JUNE, reason="more examples", by="ada")
    assert isinstance(again, Waiting)
    first, second = rounds(desk, desk.use_cases()[0])
    assert (second.period, second.number) == (f"{KEY}.2", 2)
    assert 0 < second.seeds <= len(MORE)
    # nobody has looked over those of the first round either
    assert len(again.cases) == first.proposed + second.proposed
    assert len(desk.use_cases()) == 1


def test_what_cannot_be_taught_is_refused_and_uses_nothing_up(desk, tmp_path, monkeypatch, capsys):
    with pytest.raises(VariantError, match=r"client northwind: the new label is 'Order status', expected one that"):
        variant(desk, "Order status", SEEDS, MAY, reason="x")
    with pytest.raises(
        VariantError, match=r"'rental_booking' has 1 example, .* expected 2 or more to train on: 1 is missing"
    ):
        variant(desk, LABEL, SEEDS[:1], MAY, reason="x")
    gone = tmp_path / "gone.txt"
    assert main(["variant", "northwind", "--label", LABEL, "--seeds", str(gone)]) == 1
    assert capsys.readouterr().err == f"upkeep: {gone}: no such file, expected a text file with one example a line\n"
    configured(tmp_path / "writer", monkeypatch, task="generation", labels=[], relabel=[], training="lora-chat")
    with pytest.raises(UnsupportedTaskError, match="a new category is for classification"):
        variant(open_desk("northwind"), LABEL, SEEDS, MAY, reason="x")
    assert not list(desk.store.keys("use-cases/"))
    assert not change_orders(desk)


def test_what_the_tier_does_not_include_becomes_a_change_order(desk, tmp_path, monkeypatch):
    assert isinstance(book_use_case(desk, "leasing", MAY, reason="x", by="ada"), UseCase)
    order = variant(desk, LABEL, SEEDS, MAY, reason="rentals have begun")
    assert isinstance(order, ChangeOrder)
    assert order.period == KEY
    assert "includes 1 new use case quarterly, used in 2026-Q2: 'leasing' on 2026-05-04" in order.why_extra
    nothing_new_is_ordered(desk)
    configured(tmp_path / "tier1", monkeypatch, tier=1)
    nothing_new_is_ordered(open_desk("northwind"))
    monday = variant(open_desk("northwind"), LABEL, SEEDS, MAY, reason="rentals have begun")
    assert monday.why_extra == "tier 'monitoring' includes no new use case"
    assert sorted(one.period for one in change_orders(desk)) == ["2026-05-variant-rental-booking", KEY]
    assert not list(desk.store.keys("use-cases/rounds/"))


def nothing_new_is_ordered(desk: Desk) -> None:
    """A label that is there, a misspelt one that has no examples, and too few examples open no change order."""
    for label, seeds in (("Order status", SEEDS), ("oos", SEEDS), ("rental_bookign", []), (LABEL, SEEDS[:1])):
        with pytest.raises(VariantError):
            variant(desk, label, seeds, MAY, reason="x")


def test_of_eight_who_ask_at_once_one_gets_the_only_new_category(desk):
    labels = [f"new {number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda label: book_use_case(desk, label, MAY, reason=label, by="ada"), labels))
    assert len(desk.use_cases()) == sum(isinstance(one, UseCase) for one in found) == 1
    assert len(change_orders(desk)) == 7


def test_a_client_without_a_model_of_ours_books_no_category(tmp_path, monkeypatch):
    configured(tmp_path / "configs", monkeypatch)
    desk = open_desk("northwind")
    with pytest.raises(NoChampionError, match="never onboarded"):
        variant(desk, LABEL, SEEDS, MAY, reason="x")
    assert not list(desk.store.keys(""))


def test_a_release_from_before_labels_had_a_version_is_read_as_the_first(desk, tmp_path):
    folder = desk.registry.fetch("1", tmp_path / "release")
    path = folder / "release.json"
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in raw.items() if key not in ("label_set", "blocks")}))
    assert (read_manifest(folder).label_set, read_manifest(folder).blocks) == (1, ())


def test_begun_categories_are_listed(desk, capsys):
    assert main(["variants", "northwind", "--as-of", "2026-05-05"]) == 0
    assert capsys.readouterr().out == "northwind: no new category is under way, and nothing suggests one\n"
    variant(desk, LABEL, SEEDS, MAY, reason="rentals have begun")
    capsys.readouterr()
    assert main(["variants", "northwind", "--as-of", "2026-05-05"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"{KEY} waits until \d+ cases are reviewed", line)
    assert main(["variants", "northwind", "--as-of", "2026-05-03"]) == 0  # a day before it was begun
    assert capsys.readouterr().out == "northwind: no new category is under way, and nothing suggests one\n"


def test_personal_data_in_examples_is_counted(desk):
    variant(desk, LABEL, [*SEEDS, "Rent me a tent and write to ada@example.com"], MAY, reason="rentals have begun")
    (begun,) = rounds(desk, desk.use_cases()[0])
    assert (begun.redacted, begun.redacted_texts) == ({PersonalData.E_MAIL: 1}, 1)
    assert str(begun).endswith("; redacted: e-mail 1")
