"""The example of a client's application answers with the model in service, whatever happens to it."""

from __future__ import annotations

import importlib.util
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tests.released import DECIDED, released_desk, released_template  # noqa: F401 -- fixtures
from tests.s3 import new_bucket, s3_endpoint  # noqa: F401 -- a fixture
from upkeep.adapters.store import open_store
from upkeep.base_model import LocalModel
from upkeep.errors import NotFoundError, UpkeepError
from upkeep.records import load, save
from upkeep.release import Release
from upkeep.stages.approval import approve
from upkeep.stages.finetuning import load_model
from upkeep.stages.release import put_into_service, release_log, roll_back

FILE = Path(__file__).parents[1] / "docs" / "application.py"
REQUESTS = [f"Where is parcel {n}, and who pays for it?" for n in range(12)]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("application", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(application) -> list[str]:
    application.look()
    return [application.answer(text).output for text in REQUESTS]


def right(desk, version: str) -> list[str]:
    return [one.output for one in load_model(desk, version).answer(REQUESTS)]


def test_an_application_takes_over_a_new_model_and_the_way_back_without_a_restart(desk, example):
    application = example.Application(desk.store, desk.client.base_model)
    first = outputs(application)
    assert first == right(desk, "1")
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    second = outputs(application)
    assert (second, application.release.number) == (right(desk, "2"), 2)
    assert second != first
    roll_back(desk, by="bob", reason="complaints", at=DECIDED + timedelta(days=1))
    assert (outputs(application), application.release.number) == (first, len(release_log(desk)))


def test_an_application_takes_over_another_change_that_has_the_number_of_one_lost_in_a_restore(desk, example):
    application = example.Application(desk.store, desk.client.base_model)
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    assert outputs(application) == right(desk, "2")
    desk.store.delete("releases/log/000002.json")  # the copy of before is back
    change = {"instead_of": "1", "decision": "2026-03-b", "evidence": None, "by": "bob", "reason": "better"}
    put_into_service(desk, "3", at=DECIDED, **change)
    assert (outputs(application), application.release.number) == (right(desk, "3"), 2)


def test_an_application_stays_with_its_model_while_a_new_one_is_damaged(desk, example, capsys):
    application = example.Application(desk.store, desk.client.base_model)
    first = outputs(application)
    approve(desk, "2026-03", by="ada", reason="looks right", at=DECIDED)
    key = "releases/models/2/head.safetensors"
    whole = desk.store.read(key)
    desk.store.write(key, whole[:-1])
    assert outputs(application) == first
    expected = "still on release 1: release 2: head.safetensors is not the file that was released\n"
    assert capsys.readouterr().err == expected
    desk.store.write(key, whole)
    assert outputs(application) == right(desk, "2")


def test_of_two_bases_with_the_same_weights_it_takes_the_one_with_the_release_s_tokenizer(desk, example, tmp_path):
    own = desk.client.base_model
    other = Path(shutil.copytree(own.path, tmp_path / "other"))
    told = json.loads((other / "tokenizer.json").read_text()) | {"normalizer": None}
    (other / "tokenizer.json").write_text(json.dumps(told))
    assert outputs(example.Application(desk.store, LocalModel(path=str(other)), own)) == right(desk, "1")
    with pytest.raises(UpkeepError, match=r"folder:other with .*: digest of the base's config, tokenizer and chat"):
        outputs(example.Application(desk.store, LocalModel(path=str(other))))


def test_another_client_s_release_is_not_taken_over(desk, example):
    pointer = load(desk.store, "releases/current.json", Release)
    save(desk.store, "releases/current.json", replace(pointer, client="globex"))
    with pytest.raises(UpkeepError, match="says client 'northwind', expected 'globex'"):
        outputs(example.Application(desk.store, desk.client.base_model))


def test_from_s3_it_is_the_same(desk, example, s3_endpoint):  # noqa: F811
    store = open_store(f"s3://{new_bucket(s3_endpoint)}/northwind", endpoint=s3_endpoint)
    for key in desk.store.keys(""):
        store.write(key, desk.store.read(key))
    there = replace(desk, store=store)
    application = example.Application(store, desk.client.base_model)
    first = outputs(application)
    with ThreadPoolExecutor(2) as pool:  # two who approve at once have approved once
        made = pool.map(lambda by: approve(there, "2026-03", by=by, reason="looks right", at=DECIDED), ["ada", "bob"])
    assert len({one.applied_by for one in made}) == 1
    assert outputs(application) == right(desk, "2")
    roll_back(there, by="bob", reason="complaints", at=DECIDED)
    assert (outputs(application), application.release.folder) == (first, f"{store.uri}/releases/models/1")


def test_an_application_answers_on_the_base_model_of_the_release_and_refuses_where_it_has_not_got_it(
    desk, example, tmp_path
):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "model.safetensors").write_bytes(b"abc")
    new = LocalModel(path=str(tmp_path / "new"))
    assert outputs(example.Application(desk.store, new, desk.client.base_model)) == right(desk, "1")
    with pytest.raises(UpkeepError, match=r"release 1 stands on folder:small-encoder .*'folder:new with"):
        example.Application(desk.store, new).look()


def test_an_application_of_a_client_without_a_model_says_so(desk, example):
    desk.store.delete("releases/current.json")
    with pytest.raises(NotFoundError, match="no such file"):
        example.Application(desk.store, desk.client.base_model).answer("hello")


def test_the_example_runs_as_its_first_lines_say(desk, example, tmp_path, monkeypatch, capsys):
    named, base = tmp_path / "base_model.yaml", desk.client.base_model.model_dump()
    for given in ({"client": "acme", "base_model": base}, base):  # the client's config will do
        named.write_text(yaml.safe_dump(given))
        monkeypatch.setattr("sys.argv", ["application.py", desk.store.uri, str(named)])
        monkeypatch.setattr("sys.stdin", REQUESTS[:2])
        example.main()
        assert len(capsys.readouterr().out.splitlines()) == 2


def test_requests_of_several_threads_wait_for_the_first_model_and_where_none_can_be_loaded_each_is_told(desk, example):
    application = example.Application(desk.store, desk.client.base_model)
    with ThreadPoolExecutor(4) as people:
        first = [one.output for one in people.map(application.answer, REQUESTS)]
    assert first == right(desk, "1")
    none = example.Application(open_store(str(desk.store.folder / "nothing")), desk.client.base_model)
    for _ in range(2):
        with pytest.raises(UpkeepError):
            none.answer(REQUESTS[0])
