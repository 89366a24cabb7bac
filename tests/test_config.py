"""Every YAML in the repository is valid, and an error says file, key, found and expected."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deployments.schema import load_project
from upkeep.config import client_names, load_agreement, load_client, load_recipe, load_tiers
from upkeep.demo.tickets import history
from upkeep.errors import ConfigError

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"


def validate(path: Path) -> object:
    """The loader a YAML file is meant for; a file nobody loads has no business in the repository."""
    match path.parts:
        case ("configs", "tiers.yaml"):
            return load_tiers(CONFIGS)
        case ("configs", "clients", _):
            return load_agreement(CONFIGS, path.stem)
        case ("configs", "training", _):
            return load_recipe(CONFIGS, path.stem)
        case ("prefect.yaml",):
            return load_project()
        case ("upkeep", "demo", "themes", "manner.yaml"):
            return yaml.safe_load((ROOT / path).read_text())
        case ("upkeep", "demo", "themes", _):
            from datetime import date

            return history(path.stem, seed=0, start=date(2026, 1, 1), months=1, per_month=10)
        case _:
            raise AssertionError(f"{path}: no loader knows this file")


def test_every_yaml_in_the_repository_is_valid():
    listed = subprocess.run(
        ["git", "ls-files", "*.yaml", "*.yml"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [Path(line) for line in listed.stdout.splitlines()]
    assert len(files) >= 7
    for path in files:
        assert validate(path)


def test_the_tiers_include_what_the_contract_says():
    tiers = load_tiers(CONFIGS).tiers
    assert [tiers[number].retrain for number in (1, 2, 3)] == [None, "quarterly", "monthly"]
    assert all(tier.schedule["review"] == "weekly" and tier.schedule["report"] == "monthly" for tier in tiers.values())
    assert all(tier.alerts for tier in tiers.values())
    assert tiers[2].integration_update.count == 1
    assert tiers[2].new_use_case is None
    assert (tiers[3].new_use_case.count, tiers[3].strategy_session.per, tiers[3].priority_response) == (
        1,
        "quarterly",
        True,
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tier": "gold"}, ["tier", "gold", "integer"]),
        ({"tier": 7}, ["tier is 7", "expected one of [1, 2, 3]"]),
        ({"colour": "red"}, ["colour", "unknown key", "base_model"]),
        ({"thresholds": {"accuracy": 1.4}}, ["thresholds.accuracy", "1.4", "less than or equal to 1"]),
        ({"time_zone": "Mars/Olympus"}, ["time_zone", "Mars/Olympus", "Europe/Berlin"]),
        ({"labels": ["a", "a", "b"]}, ["labels", "'a'", "listed twice"]),
        ({"labels": ["a"]}, ["labels", "found 1", "at least 2"]),
        ({"promotion": "maybe"}, ["promotion", "maybe", "'automatic' or 'manual'"]),
        ({"training": "magic"}, ["training", "magic", "lora-encoder"]),
        ({"client": "other"}, ["client", "'other'", "northwind"]),
        ({"base_model": {"hub": "org/name", "revision": "main"}}, ["base_model.revision: found 'main'", "full commit"]),
        (
            {"base_model": {"hub": "org/name", "revison": "x"}},
            ["base_model.revison: unknown key", "['hub', 'revision']"],
        ),
        ({"base_model": {"name": "bert"}}, ["base_model: found {'name'", "one of ['package', 'path', 'hub']"]),
        ({"thresholds": {"acuracy": 0.9}}, ["thresholds.acuracy: unknown key", "['accuracy', 'auto_resolution', 'esc"]),
        (
            {"relabel": [{"old": "a", "now": "b"}]},
            ["relabel.0.now: unknown key, expected one of ['new', 'old', 'since']"],
        ),
        ({"relabel": [{"old": "a", "new": "a", "since": "2026-01-01"}]}, ["relabel", "both 'a'"]),
    ],
)
def test_a_wrong_client_config_says_file_key_found_and_expected(tmp_path, change, says):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    path = tmp_path / "configs" / "clients" / "northwind.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(ConfigError) as caught:
        load_agreement(tmp_path / "configs", "northwind")
    for part in [str(path), *says]:
        assert part in str(caught.value)
    assert "Value error" not in str(caught.value)
    assert "Northwind" not in str(caught.value)  # what is right is not repeated


@pytest.mark.parametrize(("text", "says"), [("a: [", "not YAML"), ("- a\n- b\n", "found list"), ("", "found NoneType")])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text, says):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    (tmp_path / "configs" / "clients" / "northwind.yaml").write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_client(tmp_path / "configs", "northwind")


def test_a_missing_client_lists_those_there_are():
    with pytest.raises(ConfigError, match=r"nobody.yaml: no such file, expected one of .*clearline"):
        load_client(CONFIGS, "nobody")
    assert client_names(CONFIGS) == ["brightbill", "clearline", "northwind"]


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "tiers.yaml",
            "retrain: quarterly",
            "retrain: yearly",
            ["tiers.2.schedule.retrain", "'yearly'", "'quarterly'"],
        ),
        ("tiers.yaml", "report: monthly", "repotr: monthly", ["tiers.1.schedule.repotr", "'repotr'", "'report'"]),
        ("tiers.yaml", "{count: 1,", "{count: 0,", ["tiers.2.integration_update.count: found 0", "or equal to 1"]),
        (
            "training/lora-encoder.yaml",
            "lora_rank:",
            "lora_rnak:",
            ["lora_rnak: unknown key", "'lora_rank'", "missing"],
        ),
        ("training/lora-encoder.yaml", "precision: auto", "precision: fp16", ["'fp16'", "'auto', 'bf16' or 'fp32'"]),
        ("training/lora-encoder.yaml", "name: lora-encoder", "name: lora", ["name is 'lora'", "'lora-encoder'"]),
    ],
)
def test_a_wrong_tier_or_recipe_says_file_key_found_and_expected(tmp_path, file, old, new, says):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    path = tmp_path / "configs" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_agreement(tmp_path / "configs", "northwind")
    for part in [str(path), *says]:
        assert part in str(caught.value)


def test_every_key_without_a_default_must_be_there(tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    path = tmp_path / "configs" / "clients" / "northwind.yaml"
    raw = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({key: raw[key] for key in raw if key not in ("store", "time_zone")}))
    with pytest.raises(ConfigError) as caught:
        load_client(tmp_path / "configs", "northwind")
    lines = str(caught.value).splitlines()
    assert lines == [f"{path}: {key}: missing, expected a value" for key in ("time_zone", "store")]
