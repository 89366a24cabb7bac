"""One log decides which model is in service; the alias, the pointer and the decision follow it whatever happens."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from importlib import metadata
from pathlib import Path

import pytest

from tests.receivers import webhook
from tests.released import BEGUN, DECIDED, SECRET, copied, decide, register, released_desk, released_template  # noqa: F401 -- fixtures
from tests.small_client import configure
from upkeep import records
from upkeep.__main__ import main
from upkeep.adapters.registry import Registry
from upkeep.adapters.store import open_store
from upkeep.base_model import resolve_base
from upkeep.desk import LAUNCH, Desk, open_desk
from upkeep.errors import DecisionError, NoChampionError, PersonError, ReleaseError, StoreError
from upkeep.release import Action, Entry, KnownAnswer, answers_differ, replaced, spread_evenly
from upkeep.stages.announcing import announce
from upkeep.stages.approval import approve
from upkeep.stages.challengers import Challenger
from upkeep.stages.decisions import decision
from upkeep.stages.finetuning import new_labels, train_challenger
from upkeep.stages.release import (
    CURRENT,
    apply_log,
    current_release,
    in_service,
    launch,
    newer_in_service,
    put_into_service,
    release_log,
    roll_back,
)
from upkeep.store import address


def entry(number: int, action: Action, version: str, previous: str | None) -> Entry:
    return Entry(number, BEGUN, action, version, previous, "ada", "", "test")


def test_a_rollback_leads_to_the_model_that_the_present_one_took_the_place_of():
    log = [entry(1, Action.LAUNCH, "1", None), entry(2, Action.PROMOTE, "4", "1"), entry(3, Action.PROMOTE, "5", "4")]
    assert replaced(log, client="acme") == "4"
    back = [*log, entry(4, Action.ROLLBACK, "4", "5")]
    assert replaced(back, client="acme") == "1"  # and not to the one that was just taken out
    with pytest.raises(DecisionError, match="client acme: version 1 replaced no other, nothing to go back to"):
        replaced([*back, entry(5, Action.ROLLBACK, "1", "4")], client="acme")


def test_a_model_answers_as_it_did_where_labels_are_the_same_and_confidences_close():
    known = [KnownAnswer("a", "x", 0.90), KnownAnswer("b", "x", 0.90), KnownAnswer("c", "x", 0.90)]
    assert answers_differ(known, [("x", 0.905), ("x", 0.87), ("y", 0.90)]) == [
        "'b': x (0.87), expected x (0.90)",
        "'c': y (0.90), expected x (0.90)",
    ]
    assert answers_differ(known[:1], [("x", 0.93)]) == ["'a': x (0.93), expected x (0.90)"]


def test_a_text_that_a_model_writes_may_differ_in_a_few_words_and_a_label_in_none():
    known = [KnownAnswer("a", "your parcel is on its way and will be there on Monday", 0.9)]
    close, other = known[0].output.replace("there", "here"), "your parcel is lost"
    assert answers_differ(known, [(close, 0.9)], written=True) == []  # 10 of 11 words on either side
    assert len(answers_differ(known, [(other, 0.9)], written=True)) == 1
    assert len(answers_differ(known, [(close, 0.9)])) == 1


def test_known_inputs_are_spread_over_all_texts():
    assert spread_evenly([str(n) for n in range(25)], 10) == ["0", "2", "5", "7", "10", "12", "15", "17", "20", "22"]
    assert spread_evenly(["a", "b"], 10) == ["a", "b"]
    assert spread_evenly([], 10) == []


def test_what_mlflow_installs_for_a_model_are_libraries_as_they_are_here_and_no_stranger_s_package(desk, tmp_path):
    desk.registry.fetch("1", tmp_path)
    wanted = next(tmp_path.rglob("requirements.txt")).read_text(encoding="utf-8").split()
    assert "upkeep" not in wanted  # on the index that is another project
    assert f"peft=={metadata.version('peft')}" in wanted
    assert all("==" in one and "+" not in one for one in wanted)  # not torch==2.13.0+cpu, which no index has


def agree(desk: Desk, version: str) -> None:
    """The log, the alias and the pointer say the same."""
    pointer = current_release(desk)
    assert pointer is not None
    said = (in_service(desk), desk.registry.version("champion"), pointer.version, pointer.number)
    assert said == (version, version, version, len(release_log(desk)))


def test_an_application_finds_all_it_needs_in_the_store(desk):
    agree(desk, "1")
    pointer = current_release(desk)
    assert (pointer.client, pointer.action, pointer.previous, pointer.schema_version) == (
        "northwind",
        "launch",
        None,
        1,
    )
    assert pointer.labels == ("order_status", "refund_status", "repair_parts")
    assert set(pointer.files) >= {"adapter/adapter_model.safetensors", "head.safetensors", "release.json"}
    for name, digest in pointer.files.items():
        assert hashlib.sha256(Path(pointer.folder, name).read_bytes()).hexdigest() == digest
    assert (pointer.since, pointer.model, pointer.task) == (desk.local(BEGUN), "models:/northwind/1", "classification")
    assert (pointer.threshold, pointer.out_of_scope_label, pointer.training_digest) == (0.3, "oos", "data 0")
    base = resolve_base(desk.client.base_model)
    assert (pointer.base, pointer.base_digest) == (base.reference, base.digest)


def test_a_promotion_is_done_once_and_says_who_and_why(desk):
    made = approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert (made.applied, made.applied_by, made.challenger) == (True, "ada", "2")
    agree(desk, "2")
    assert approve(desk, "2026-03", by="bob", reason="me too", at=DECIDED) == made
    begun, promoted = release_log(desk)
    assert (begun.action, begun.by, begun.previous) == (Action.LAUNCH, "onboarding", None)
    assert (promoted.number, promoted.by, promoted.reason, promoted.decision) == (2, "ada", "looks right", "2026-03")
    assert promoted.evidence == made.evidence == hashlib.sha256(desk.store.read("outcomes/2026-03.jsonl")).hexdigest()
    assert str(promoted) == "2026-03-02 10:00 promote: version 2 in place of 1, by ada: looks right"


def test_of_two_promotions_at_once_one_is_carried_out(desk):
    decide(desk, "2026-03-b", challenger="3")

    def one(period: str) -> str:
        try:
            return approve(open_desk("northwind"), period, by="ada", reason="", at=DECIDED).challenger
        except DecisionError as exc:
            return str(exc)

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(one, ["2026-03", "2026-03-b"]))
    assert len(release_log(desk)) == 2
    winner = in_service(desk)
    assert winner in said
    assert sum(len(line) > 1 for line in said) == 1, said
    apply_log(desk)
    agree(desk, winner)


def test_a_rollback_restores_the_model_before_and_keeps_who_and_why(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    later = DECIDED + timedelta(days=3)
    with pytest.raises(PersonError):
        roll_back(desk, by="", reason="complaints about refunds", at=later)
    done = roll_back(desk, by="bob", reason="complaints about refunds", at=later)
    assert (done.version, done.previous, done.by, done.reason) == ("1", "2", "bob", "complaints about refunds")
    agree(desk, "1")
    tags = desk.registry.client.get_model_version("northwind", "2").tags
    assert tags["upkeep.rolled_back"] == f"{done.at.isoformat()} by bob: complaints about refunds"
    # the same decision does not put it back, a rollback to it by name does
    with pytest.raises(DecisionError, match="was in service and is no more; `upkeep rollback northwind --to 2 --by"):
        approve(desk, "2026-03", by="ada", reason="again", at=later)
    agree(desk, "1")
    with pytest.raises(DecisionError, match="version 1 replaced no other, nothing to go back to"):
        roll_back(desk, by="bob", reason="more", at=later)
    roll_back(desk, by="bob", reason="it was the shop", at=later, to="2")
    agree(desk, "2")
    for to in ("3", "2"):  # never in service, and in service now
        with pytest.raises(DecisionError, match=rf"cannot go back to version {to}, expected one of \['1'\]"):
            roll_back(desk, by="bob", reason="x", at=later, to=to)


class Quicker:
    """A store in which somebody else adds the log's next entry first."""

    def __init__(self, store, theirs: Entry) -> None:
        self.store, self.theirs = store, theirs

    def __getattr__(self, name: str):
        return getattr(self.store, name)

    def create(self, key: str, data: bytes) -> None:
        self.store.create(key, records.dump(self.theirs))
        self.store.create(key, data)


@pytest.mark.parametrize(("theirs", "decided"), [("2", "2026-03"), ("3", "2026-04")])
def test_who_comes_second_is_told_who_was_quicker_unless_that_was_the_same_change(desk, theirs, decided):
    change = {"instead_of": "1", "evidence": None, "reason": "looks right"}
    first = Entry(2, desk.local(BEGUN), Action.PROMOTE, theirs, "1", "bob", "looks right", "test", decision=decided)
    quick = replace(desk, store=Quicker(desk.store, first))
    if theirs == "2":
        assert put_into_service(quick, "2", decision="2026-03", at=DECIDED, by="ada", **change) == first
    else:
        with pytest.raises(DecisionError, match=r"somebody else was quicker: .* version 3 in place of 1, by bob: "):
            put_into_service(quick, "2", decision="2026-03", at=DECIDED, by="ada", **change)
        with pytest.raises(DecisionError, match="it compared with version 1, but 3 is in service now"):
            put_into_service(desk, "2", decision="2026-03", at=DECIDED, by="ada", **change)
    assert release_log(desk)[1:] == [first]


def test_a_retrain_as_of_the_moment_of_the_model_in_service_is_none_too_late_nor_is_any_after_a_first_model(desk):
    assert newer_in_service(desk, BEGUN) is None
    assert newer_in_service(desk, BEGUN - timedelta(seconds=1)).version == "1"
    made = records.load(desk.store, "challengers/made-1.json", Challenger)
    records.save(desk.store, f"challengers/{LAUNCH}.json", replace(made, period=LAUNCH, as_of=desk.local(DECIDED)))
    desk.store.delete("challengers/made-1.json")
    assert newer_in_service(desk, BEGUN) is None


class FullDisk:
    """A store that refuses the pointer."""

    def __init__(self, store) -> None:
        self.store = store

    def __getattr__(self, name: str):
        return getattr(self.store, name)

    def write(self, key: str, data: bytes) -> None:
        if key == "releases/current.json":
            raise StoreError(f"{key}: no space left")
        self.store.write(key, data)


class NoTags(Registry):
    """A registry that takes no tags."""

    def tag(self, version: str, values) -> None:
        raise StoreError(f"MLflow: 503 for version {version}")


def test_a_rollback_that_failed_on_the_way_goes_back_one_model_and_no_further_when_it_is_run_again(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    decide(desk, "2026-04", challenger="3", champion="2", at=DECIDED)
    approve(desk, "2026-04", by="ada", reason="looks right", at=DECIDED)
    with pytest.raises(StoreError, match="no space left"):
        roll_back(replace(desk, store=FullDisk(desk.store)), by="bob", reason="complaints", at=DECIDED)
    assert (in_service(desk), current_release(desk).version) == ("2", "3")
    tagless = replace(desk, registry=NoTags(desk.registry.name, desk.registry.uri))
    done = roll_back(tagless, by="bob", reason="complaints", at=DECIDED + timedelta(minutes=1))
    assert (done.version, done.at) == ("2", desk.local(DECIDED))
    agree(desk, "2")
    assert roll_back(desk, by="bob", reason="complaints", at=DECIDED, to="2") == done
    assert desk.registry.tags("3")["upkeep.rolled_back"].endswith(" by bob: complaints")
    assert roll_back(desk, by="bob", reason="complaints", at=DECIDED, to="1").version == "1"
    assert len(release_log(desk)) == 5


def test_a_model_that_answers_otherwise_than_it_did_does_not_come_back(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    key = "releases/models/1/known.jsonl"
    known = records.load_rows(desk.store, key, KnownAnswer)
    assert len(known) == 10
    other = next(label for label in ("order_status", "refund_status") if label != known[0].output)
    records.save_rows(desk.store, key, [replace(known[0], output=other), *known[1:]])
    with pytest.raises(ReleaseError, match="version 1 answers 1 of 10 known inputs otherwise"):
        roll_back(desk, by="bob", reason="complaints", at=DECIDED)
    agree(desk, "2")


def test_a_damaged_release_does_not_come_back(desk):
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    key = "releases/models/1/head.safetensors"
    desk.store.write(key, desk.store.read(key)[:-4] + b"\0\0\0\1")
    with pytest.raises(ReleaseError, match=r"head\.safetensors does not say what it said .*: SHA-256 is"):
        roll_back(desk, by="bob", reason="complaints", at=DECIDED)
    agree(desk, "2")


def test_an_alias_moved_by_hand_follows_the_log_again(desk):
    desk.registry.promote("3")
    apply_log(desk)
    agree(desk, "1")


def test_a_client_from_before_the_log_begins_it_with_its_champion(desk):
    for key in [*desk.store.keys("releases/log/"), "releases/current.json"]:
        desk.store.delete(key)
    assert apply_log(desk) is None
    assert in_service(desk) == "1"
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert [(one.version, one.by) for one in release_log(desk)] == [("1", "adopted"), ("2", "ada")]
    agree(desk, "2")


def test_a_client_from_before_the_log_can_go_back(desk):
    made = approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    for key in [*desk.store.keys("releases/log/"), "releases/current.json"]:
        desk.store.delete(key)
    records.save(desk.store, "decisions/2026-03.json", replace(made, applied=True, applied_by="ada"))  # as it was then
    assert approve(desk, "2026-03", by="bob", reason="again", at=DECIDED).applied_by == "ada"
    roll_back(desk, by="bob", reason="complaints", at=DECIDED)
    assert [(one.version, one.previous) for one in release_log(desk)] == [("2", "1"), ("1", "2")]
    agree(desk, "1")


def test_a_client_without_a_model_has_none_in_service(tmp_path, monkeypatch):
    configure(tmp_path / "configs", monkeypatch)
    empty = open_desk("northwind")
    assert (apply_log(empty), current_release(empty)) == (None, None)
    with pytest.raises(NoChampionError, match="onboard the client first"):
        in_service(empty)


def test_the_pointer_of_a_store_that_has_moved_names_the_new_place(desk):
    place = current_release(desk).folder
    records.save(desk.store, "releases/current.json", replace(current_release(desk), folder="/old/releases/models/1"))
    apply_log(desk)
    assert current_release(desk).folder == place


@pytest.mark.parametrize("damaged", [b"", b'{"client": "northwind"}', b"\xff"])
def test_a_damaged_pointer_is_pointed_out_and_written_afresh_from_the_log(desk, damaged, capsys):
    whole = desk.store.read(CURRENT)
    desk.store.write(CURRENT, damaged)
    assert main(["check"]) == 0
    mended = "the next review, retrain, approval or rollback writes a damaged one afresh"
    said = f"the version in service cannot be read ({mended}): {address(desk.store, CURRENT)}: not a Release: "
    assert said in capsys.readouterr().out
    apply_log(desk)
    assert desk.store.read(CURRENT) == whole


def test_launching_again_changes_nothing(desk):
    assert launch(desk, "3", at=DECIDED) == release_log(desk)[0]
    agree(desk, "1")


class Mortal:
    """Counts the steps that leave something behind, and dies by SIGKILL before or after one of them."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.done = at, after, 0

    def step(self, act, *given, **named):
        if self.done == self.at and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = act(*given, **named)
        if self.done == self.at and self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1
        return result


class MortalStore:
    """A store whose every change is a step."""

    def __init__(self, store, life: Mortal) -> None:
        self.store, self.life = store, life

    def __getattr__(self, name: str):
        return getattr(self.store, name)

    def write(self, key: str, data: bytes) -> None:
        self.life.step(self.store.write, key, data)

    def create(self, key: str, data: bytes) -> None:
        self.life.step(self.store.create, key, data)


class MortalRegistry(Registry):
    """A registry whose every change is a step."""

    life: Mortal

    def promote(self, version: str) -> None:
        self.life.step(super().promote, version)

    def tag(self, version: str, values) -> None:
        self.life.step(super().tag, version, values)


def mortal(desk: Desk, life: Mortal) -> Desk:
    registry = MortalRegistry(desk.registry.name, desk.registry.uri)
    registry.life = life
    return replace(desk, store=MortalStore(desk.store, life), registry=registry)


def work(desk: Desk, address_of) -> None:
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    announce(desk, address_of, patience=0.1)


def steps() -> Iterator[tuple[int, bool]]:
    """Before and after each of the eight steps, four times over: 64 deaths."""
    yield from ((at, after) for _ in range(4) for at in range(8) for after in (False, True))


def test_a_run_that_is_killed_at_any_step_is_made_good_by_the_next_one(template, tmp_path, monkeypatch):
    import mlflow  # noqa: F401 -- once, not in every child

    with webhook() as (url, got):
        address = url.replace("json://", "http://").partition("?")[0]
        addresses = {"app": address, "app-secret": SECRET}.__getitem__
        for number, (at, after) in enumerate(steps()):
            folder = tmp_path / str(number)
            desk = copied(template, folder, monkeypatch)
            got.clear()
            child = os.fork()
            if child == 0:
                try:
                    work(mortal(desk, Mortal(at, after=after)), addresses)
                finally:
                    os._exit(0)
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status), f"step {at} was never reached"
            assert os.WTERMSIG(status) == signal.SIGKILL

            work(desk, addresses)
            agree(desk, "2")
            assert [(one.action, one.version) for one in release_log(desk)] == [("launch", "1"), ("promote", "2")]
            assert decision(desk, "2026-03").applied_by == "ada"
            # a message may come twice, when death came between its delivery and the note of it: the same one
            assert len(got) in (1, 2)
            assert got[-1] == got[0]
            assert got[0]["data"]["version"] == "2"
            shutil.rmtree(folder)


def test_there_are_eight_steps_and_no_more(template, tmp_path, monkeypatch):
    desk = copied(template, tmp_path / "whole", monkeypatch)
    life = Mortal(-1, after=False)
    with webhook() as (url, got):
        address = url.replace("json://", "http://").partition("?")[0]
        work(mortal(desk, life), {"app": address, "app-secret": SECRET}.__getitem__)
    assert (life.done, len(got)) == (8, 1)


def test_a_tag_and_the_alias_may_be_set_by_many_at_once(desk):
    with ThreadPoolExecutor(8) as many:
        for key in range(5):
            list(many.map(lambda _, key=key: desk.registry.tag("2", {f"upkeep.test{key}": "x"}), range(8)))
        list(many.map(lambda _: desk.registry.promote("2"), range(8)))
    assert desk.registry.tags("2")["upkeep.test4"] == "x"
    assert desk.registry.champion() == "2"


def test_a_tag_that_cannot_be_set_is_an_error(desk):
    with pytest.raises(StoreError):
        desk.registry.tag("99", {"upkeep.test": "x"})
    with pytest.raises(StoreError):
        desk.registry.promote("99")


def test_a_shell_that_names_another_mlflow_is_asked_whether_it_is_the_right_one(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    before = list(desk.store.keys(""))
    with pytest.raises(StoreError, match=r"other\.db: .*northwind not found; is MLFLOW_TRACKING_URI set to the server"):
        approve(open_desk("northwind"), "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert list(desk.store.keys("")) == before


def test_a_retrain_in_a_shell_that_names_another_mlflow_ends_before_anything_is_written(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    before, elsewhere = list(desk.store.keys("")), open_desk("northwind")
    named = (
        r"other\.db has no version 1 of 'northwind', which the release log names as in service; is MLFLOW_TRACKING_URI"
    )
    with pytest.raises(StoreError, match=f"client northwind: MLflow at .*{named}"):
        train_challenger(elsewhere, "2026-04", DECIDED, seed=0)
    other = replace(elsewhere, store=open_store(str(tmp_path / "other")))
    assert register(other, seed=7) == "1"  # each MLflow counts from 1
    named = r"has another version 1 than .* in service: taught data 7, expected data 0; is"
    with pytest.raises(StoreError, match=named):
        train_challenger(elsewhere, "2026-04", DECIDED, seed=0)
    assert list(desk.store.keys("")) == before


def test_a_shell_that_names_another_mlflow_puts_none_of_its_models_into_service(desk, tmp_path, monkeypatch):
    for key in list(desk.store.keys("releases/models/2/")):  # as it is before a version's promotion
        desk.store.delete(key)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    elsewhere = open_desk("northwind")
    other = replace(elsewhere, store=open_store(str(tmp_path / "other")))
    assert [register(other, seed) for seed in (10, 11)] == ["1", "2"]
    other.registry.promote("1")
    before = list(desk.store.keys(""))
    with pytest.raises(
        StoreError, match=r"another version 2 than the client's, which was taught data 1 with .* is MLFLOW"
    ):
        approve(elsewhere, "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert list(desk.store.keys("")) == before
    assert in_service(desk) == "1"


def test_a_challenger_whose_version_is_in_another_mlflow_is_not_taken_for_this_one_s(desk):
    made = records.load(desk.store, "challengers/made-2.json", Challenger)
    assert train_challenger(desk, "made-2", DECIDED, seed=0) == made
    records.save(desk.store, "challengers/2026-04.json", replace(made, training_digest="data 7"))
    named = (
        "another version 2 than challengers/2026-04.json names: taught data 1, expected data 7; is MLFLOW_TRACKING_URI"
    )
    with pytest.raises(StoreError, match=named):
        train_challenger(desk, "2026-04", DECIDED, seed=0)
    records.save(desk.store, "challengers/2026-04.json", replace(made, version="9"))
    with pytest.raises(StoreError, match=r"no version 9 of 'northwind', which challengers/2026-04\.json names; is"):
        train_challenger(desk, "2026-04", DECIDED, seed=0)


def test_a_label_is_new_that_neither_the_config_nor_the_version_in_service_has(desk):
    served = records.load(desk.store, "challengers/made-1.json", Challenger)
    assert new_labels(desk, (*served.labels, "oos", "rental")) == ("rental",)
    records.save(desk.store, "challengers/made-1.json", replace(served, labels=(*served.labels, "rental")))
    assert new_labels(desk, (*served.labels, "oos", "rental", "leasing")) == ("leasing",)
