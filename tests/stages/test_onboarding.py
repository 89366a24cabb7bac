"""Does a client begin with the files that were given last, and with no others once there is a model?"""

from __future__ import annotations

import codecs
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import texts
from tests.audited import agreed
from tests.small_client import configure
from upkeep import records
from upkeep.base_model import resolve_base
from upkeep.cases.case import Case, Item, valid_at
from upkeep.commands.readiness import golden_notes
from upkeep.conversations import Role, Turn, as_text
from upkeep.desk import LAUNCH, LAUNCH_CASES, Desk, open_desk
from upkeep.errors import AlreadyExistsError, BaseModelError, NotEnoughDataError, StoreError
from upkeep.redaction import PersonalData
from upkeep.stages.locking import locked_items
from upkeep.stages.onboarding import REDACTED, Redaction, not_trained_on, onboard
from upkeep.stages.release import in_service, release_log
from upkeep.stages.snapshot import taught_texts

BEGUN = datetime(2026, 2, 2, 9, tzinfo=UTC)
NO_DIGITS = str.maketrans("0123456789", "ghijklmnop")


def text(number: int) -> str:
    """A text that is nearly no other number's and has nothing to redact."""
    return texts.text(number).translate(NO_DIGITS)


CASES = [texts.case(n, ["order_status", "refund_status"][n % 2], text_of=text(n)) for n in range(40)]
GOLDEN = [Item("g1", text(100), "order_status"), Item("g2", text(101), "refund_status")]


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    configure(tmp_path / "configs", monkeypatch)
    return open_desk("northwind")


def begin(desk: Desk, cases=CASES, golden=GOLDEN, *, progress=lambda *_: None):
    return onboard(desk, cases=cases, golden=golden, as_of=BEGUN, seed=0, progress=progress)


def locked(desk: Desk) -> set[str]:
    return {one.text for one in locked_items(desk)}


def test_a_run_that_failed_is_made_good_with_corrected_files_and_other_ones_are_refused_then(desk):
    one_label = [replace(one, answer="order_status") for one in CASES]
    with pytest.raises(NotEnoughDataError, match=r"labels with cases\): have 1, need 2"):
        begin(desk, one_label)
    more = [*GOLDEN, Item("g3", CASES[7].text, CASES[7].answer)]
    made = begin(desk, golden=more)
    assert set(made.labels) == {"order_status", "refund_status"}
    assert in_service(desk) == made.version
    kept = 39 - made.trained_on  # one of the 40 is a golden item too
    others = f"{kept} kept to fit the threshold, 1 nearly an evaluation item"
    assert not_trained_on(desk, made, 40) == others
    assert not_trained_on(desk, made, 42) == f"{others}, 2 with the text of another"
    assert locked(desk) == {one.text for one in more}
    assert CASES[7].text not in taught_texts(desk, LAUNCH)
    registry = desk.registry.client
    tried = registry.search_runs([desk.registry.experiment()], "tags.`upkeep.stage` = 'training'")
    (run,) = (one for one in tried if one.info.status == "FINISHED")
    assert run.data.metrics["mix/other new cases"] == made.trained_on
    told = Path(registry.download_artifacts(run.info.run_id, "training-data.md")).read_text(encoding="utf-8")
    assert f"- made up of {made.trained_on} other new cases (100.0%)\n" in told

    before = {key: desk.store.read(key) for key in desk.store.keys("")}
    assert begin(desk, golden=more) == made
    # of a run that failed between MLflow's alias and the pointer, the next one writes the pointer
    desk.store.delete("releases/current.json")
    assert begin(desk, golden=more) == made
    assert {key: desk.store.read(key) for key in desk.store.keys("")} == before
    for cases, golden, key in ((one_label, more, "cases/launch.jsonl"), (CASES, GOLDEN, "evaluation/golden.jsonl")):
        wanted = rf"client northwind: onboarded already, found other rows than the \d+ in .*/{key}, expected the same"
        with pytest.raises(AlreadyExistsError, match=wanted):
            begin(desk, cases, golden)
    assert {key: desk.store.read(key) for key in desk.store.keys("")} == before
    assert len(release_log(desk)) == 1


def test_personal_data_in_answers_is_counted_and_told(tmp_path, monkeypatch):
    writer = agreed(tmp_path, monkeypatch, task="generation", training="lora-chat")
    with pytest.raises(BaseModelError, match="no chat template"):  # the demo's base model: what is kept is kept before
        begin(writer, [replace(one, answer="Call +49 30 901820.") for one in CASES], [replace(GOLDEN[0], answer="No.")])
    hidden = records.load(writer.store, REDACTED, Redaction)
    assert (hidden.cases, hidden.golden, hidden.answers) == (0, 0, 40)
    assert str(hidden) == (
        "personal data taken out of 0 cases and 0 golden items; out of 40 answers (phone 40): "
        "redaction.keep names what answers are to say"
    )


def test_personal_data_is_taken_out_of_cases_and_golden_items_before_they_are_stored(tmp_path, monkeypatch):
    writer = agreed(tmp_path, monkeypatch, task="generation", training="lora-chat")
    said = "Write to ada@example.org about my tent"
    with pytest.raises(BaseModelError, match="no chat template"):
        begin(writer, [replace(CASES[0], text=said), *CASES[1:]], [replace(GOLDEN[0], text=f"{said} pole")])
    assert records.load_rows(writer.store, LAUNCH_CASES, Case)[0].text == "Write to [e-mail] about my tent"
    assert b'"Write to [e-mail] about my tent pole"' in writer.store.read("evaluation/golden.jsonl")
    assert not [key for key in writer.store.keys("") if b"ada@" in writer.store.read(key)]
    hidden = records.load(writer.store, REDACTED, Redaction)
    assert (hidden.cases, hidden.golden, hidden.counts[PersonalData.E_MAIL]) == (1, 1, 1)


def test_a_golden_item_agreed_later_may_be_a_conversation_and_is_read_without_personal_data(tmp_path, monkeypatch):
    writer = agreed(tmp_path, monkeypatch, task="generation", training="lora-chat", labels=[], relabel=[])
    talk = [("user", "Where is it?"), ("assistant", "Your mail?"), ("user", "ada@example.org")]
    later = {
        "id": "g2", "text": [{"role": role, "content": said} for role, said in talk], "answer": "Ring +49 30 901820.",
    }  # fmt: skip
    lines = [records.dump_rows([Item("g1", text(100), "Yes.")]), json.dumps(later).encode()]
    writer.store.write("evaluation/golden.jsonl", b"".join(lines))
    first, second = writer.golden()
    assert first == Item("g1", text(100), "Yes.")
    told = [Turn(Role(role), said.replace("ada@example.org", "[e-mail]")) for role, said in talk]
    assert second == Item("g2", as_text(told), "Ring [phone].")
    writer.store.write("evaluation/golden.jsonl", json.dumps({**later, "text": []}).encode())
    with pytest.raises(StoreError, match=r"golden\.jsonl line 1: text is missing or empty, expected a non-empty"):
        writer.golden()


def test_a_golden_item_agreed_later_is_read_as_the_first_ones_were(desk):
    dates = {"valid_from": "2026-03-01", "valid_to": "2026-11-09T12:00Z", "by": {"vip": True, "city": "Bonn"}}
    later = {"id": "g2 ", "text": " Where is it?", "answer": "order_status "} | dates
    first = records.dump_rows([Item("g1", text(100), "order_status", by={"channel": "mail"})])
    desk.store.write("evaluation/golden.jsonl", codecs.BOM_UTF8 + first + b"\r\n" + json.dumps(later).encode() + b"\n")
    noon = datetime(2026, 11, 9, 12, tzinfo=UTC)
    assert desk.golden() == [
        Item("g1", text(100), "order_status", by={"channel": "mail"}),
        Item("g2", "Where is it?", "order_status", datetime(2026, 3, 1, tzinfo=desk.zone), noon,
             {"vip": "true", "city": "Bonn"}),
    ]  # fmt: skip
    assert [one.id for one in valid_at(desk.golden(), noon)] == ["g1"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"valid_to": "next month"}, "valid_to: found 'next month', expected a day or a time such as 2026-11-23"),
        ({"by": "mail"}, "by is 'mail', expected an object with a text for each key"),
        ({"id": "g1"}, "id 'g1' is that of line 1 too, expected each once"),
    ],
)
def test_what_is_wrong_in_a_golden_item_agreed_later_is_told_with_file_and_line(desk, wrong, says):
    line = {"id": "g2", "text": "Where is it?", "answer": "order_status"} | wrong
    first = records.dump_rows([Item("g1", text(100), "order_status")])
    desk.store.write("evaluation/golden.jsonl", first + b"\n" + json.dumps(line).encode())
    with pytest.raises(StoreError, match=rf"northwind/evaluation/golden\.jsonl line 3: {says}"):
        desk.golden()
    assert [says in note for note in golden_notes(desk)] == [True]


def test_what_a_run_that_was_stopped_had_locked_is_locked_no_more(desk):
    def stopped(what: str, done: int, of: int) -> None:
        if what.startswith("fine-tuning"):
            raise KeyboardInterrupt

    slip = Item("g2", CASES[7].text, CASES[7].answer)
    with pytest.raises(KeyboardInterrupt):
        begin(desk, golden=[GOLDEN[0], slip], progress=stopped)
    assert locked(desk) == {GOLDEN[0].text, slip.text}
    with pytest.raises(KeyboardInterrupt):
        begin(desk, progress=stopped)
    assert locked(desk) == {one.text for one in GOLDEN}
    assert CASES[7].text in taught_texts(desk, LAUNCH)


def test_a_registered_version_is_as_large_as_its_adapter_and_not_as_its_base_model(desk, tmp_path):
    made = begin(desk)
    release = desk.registry.fetch(made.version, tmp_path / "fetched")
    version = release.parents[1]
    logged = {
        path.relative_to(version).as_posix(): path.stat().st_size for path in version.rglob("*") if path.is_file()
    }
    weights = {name: size for name, size in logged.items() if name.endswith((".safetensors", ".bin", ".pt", ".pth"))}
    base = sum(path.stat().st_size for path in resolve_base(desk.client.base_model).folder.glob("*.safetensors"))
    assert set(weights) == {"artifacts/release/adapter/adapter_model.safetensors", "artifacts/release/head.safetensors"}
    assert sum(logged.values()) < base / 4
