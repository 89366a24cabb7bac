"""A release is known by all that its answers hang on, and one from before that is still read."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chatty import chat_base, client, lessons, recipe  # noqa: F401 -- a fixture
from tests.models.test_shared_base import TEXTS, base, release  # noqa: F401 -- a fixture
from upkeep.base_model import Base, LocalModel, resolve_base
from upkeep.errors import ReleaseError
from upkeep.models.classifier import WEIGHTS, Classifier
from upkeep.models.loading import load_release
from upkeep.models.manifest import read_manifest, sealed
from upkeep.models.reload import answers_in_fresh_process
from upkeep.training.sft import teach

NEW = ("client", "base_settings_digest", "file_digests", "content_digest")
"""What releases did not say once."""


def rewrite(path: Path, **changed: object) -> None:
    """Change a JSON file; what becomes None goes."""
    told = json.loads(path.read_text()) | changed
    gone = [key for key in changed if changed[key] is None]
    path.write_text(json.dumps({key: told[key] for key in told if key not in gone}))


def as_of_before(folder: Path) -> None:
    rewrite(folder / "release.json", **dict.fromkeys(NEW))


@pytest.fixture(name="made")
def made_release(base, tmp_path) -> Path:  # noqa: F811
    whole = release(base, tmp_path / "release", seed=0)
    whole.manifest = replace(whole.manifest, client="acme", base_settings_digest=base.settings_digest)
    whole.save(tmp_path / "release")
    return tmp_path / "release"


@pytest.fixture(name="retokenized")
def base_with_another_tokenizer(base, tmp_path) -> Base:  # noqa: F811
    """The same weights behind a tokenizer that does not lower the case."""
    folder = shutil.copytree(base.folder, tmp_path / "retokenized")
    told = json.loads((folder / "tokenizer.json").read_text())
    told["normalizer"] = None
    (folder / "tokenizer.json").write_text(json.dumps(told))
    return resolve_base(LocalModel(path=str(folder)))


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("adapter/adapter_config.json", {"lora_alpha": 64}),
        ("adapter/adapter_config.json", {"use_rslora": True}),
        ("release.json", {"threshold": 0.1}),
        ("release.json", {"labels": ["b", "a", "c"]}),
        ("release.json", {"client": "globex"}),
    ],
)
def test_a_release_that_would_answer_otherwise_with_the_same_weights_is_refused(made, base, file, changed):  # noqa: F811
    rewrite(made / file, **changed)
    with pytest.raises(ReleaseError, match=f"{file} does not say what it said when it was written: SHA-256 is"):
        load_release(made, base)


FILES = ["release.json", "adapter/adapter_config.json", "adapter/adapter_model.safetensors", "head.safetensors"]


@pytest.mark.parametrize("file", FILES)
def test_of_a_release_one_byte_of_which_was_changed_it_is_told_which_file_that_is(made, base, file):  # noqa: F811
    told = read_manifest(made).file_digests
    assert sorted(told) == sorted(FILES[1:])
    raw = (made / file).read_bytes()
    for at in range(0, len(raw), len(raw) // 40):
        (made / file).write_bytes(raw[:at] + bytes([raw[at] ^ 0x20]) + raw[at + 1 :])
        try:
            answers = load_release(made, base, client="acme").answer(TEXTS[:1])
        except ReleaseError as exc:
            assert file in str(exc)  # noqa: PT017
            assert "expected" in str(exc) or "no release manifest" in str(exc)  # noqa: PT017
            continue
        (made / file).write_bytes(raw)  # what says where the base lay, or is a space between two words, says nothing
        assert file.endswith(".json")
        assert load_release(made, base).answer(TEXTS[:1]) == answers
    if file.endswith(".safetensors"):
        digest = hashlib.sha256((made / file).read_bytes()).hexdigest()
        with pytest.raises(ReleaseError, match=f"{file} does not .*: SHA-256 is {digest}, expected {told[file]}"):
            load_release(made, base)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "damaged, expected a JSON object"),
        ("[1]", "damaged, expected a JSON object"),
        ('{"schema_version": 1}', "no release manifest: KeyError: 'labels'"),
        ('{"schema_version": 1, "labels": ["a"]}', "no release manifest: TypeError: .* missing 7 required"),
        ('{"schema_version": 1, "labels": ["a"], "task": "cooking"}', "'cooking' is not a valid Task"),
    ],
)
def test_a_manifest_that_is_none_is_told_with_its_place_and_what_is_wrong(tmp_path, text, found):
    (tmp_path / "release.json").write_text(text)
    with pytest.raises(ReleaseError, match=rf"{tmp_path}/release\.json: .*{found}"):
        read_manifest(tmp_path)


def test_so_another_process_notices_an_adapter_that_goes_on_its_base_otherwise(made, base):  # noqa: F811
    rewrite(made / "adapter" / "adapter_config.json", lora_alpha=64)
    with pytest.raises(ReleaseError, match=r"by another process: ReleaseError: .*adapter_config.json does not say"):
        answers_in_fresh_process(made, base, TEXTS)


def test_where_the_base_lay_and_what_wrote_the_adapter_may_be_said_otherwise(made, base):  # noqa: F811
    expected = load_release(made, base).answer(TEXTS)
    rewrite(made / "adapter/adapter_config.json", base_model_name_or_path="/somewhere/else", peft_version="99.0")
    assert load_release(made, base).answer(TEXTS) == expected


def test_its_modules_come_in_any_order_as_peft_keeps_them_in_a_set(made):
    found = set()
    for modules in (["query", "value"], ["value", "query"], ["query", "key"]):
        rewrite(made / "adapter/adapter_config.json", target_modules=modules)
        found.add(sealed(read_manifest(made), made, WEIGHTS).content_digest)
    assert len(found) == 2


def test_the_same_model_has_the_same_digest_wherever_its_base_lies(base, tmp_path):  # noqa: F811
    moved = resolve_base(LocalModel(path=str(shutil.copytree(base.folder, tmp_path / "moved"))))
    here, there = (release(one, tmp_path / one.folder.name, seed=0).manifest for one in (base, moved))
    assert here.base != there.base
    assert here.content_digest == there.content_digest != ""


def test_on_the_same_weights_behind_another_tokenizer_it_is_refused(made, base, retokenized):  # noqa: F811
    assert retokenized.digest == base.digest
    told = f"config, tokenizer and chat template is {retokenized.settings_digest}, expected {base.settings_digest}"
    with pytest.raises(ReleaseError, match=told):
        load_release(made, retokenized)


def test_a_release_from_before_is_known_by_its_weights_as_it_was_then(made, base, retokenized):  # noqa: F811
    expected = load_release(made, base).answer(TEXTS)
    as_of_before(made)
    assert load_release(made, base, client="acme").answer(TEXTS) == expected
    assert load_release(made, retokenized).labels  # what its base's were nobody noted
    head = made / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(ReleaseError, match="the weights are not those that"):
        load_release(made, base)


def test_one_from_before_that_is_saved_again_says_all(made, base, tmp_path):  # noqa: F811
    as_of_before(made)
    Classifier.load(made, base).save(tmp_path / "again")
    assert read_manifest(tmp_path / "again").content_digest


def test_another_client_s_release_is_not_served(made, base):  # noqa: F811
    assert load_release(made, base, client="acme").manifest.client == "acme"
    with pytest.raises(ReleaseError, match="says client 'acme', expected 'globex'"):
        load_release(made, base, client="globex")


def test_a_model_that_writes_stands_on_its_base_s_chat_template(chat_base, tmp_path):  # noqa: F811
    teach(chat_base, lessons(), client=client(), recipe=recipe(epochs=1), seed=0).model.save(tmp_path / "release")
    made = read_manifest(tmp_path / "release")
    assert (made.client, made.base_settings_digest) == ("northwind", chat_base.settings_digest)
    folder = shutil.copytree(chat_base.folder, tmp_path / "base")
    (folder / "chat_template.jinja").write_text("{% for one in messages %}{{ one.content }}{% endfor %}")
    other = resolve_base(LocalModel(path=str(folder)))
    with pytest.raises(ReleaseError, match=f"chat template is {other.settings_digest}"):
        load_release(tmp_path / "release", other)
