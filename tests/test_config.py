"""Every YAML in the repository is valid, and an error says file, key, found and expected."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deployments.schema import load_project
from upkeep.__main__ import main
from upkeep.base_model import SOON_READ
from upkeep.config import client_names, load_agreement, load_client
from upkeep.demo.tickets import history
from upkeep.errors import ConfigError
from upkeep.home import home
from upkeep.recipes import load_recipe
from upkeep.tiers import SERVED, load_tiers

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
UNREADABLE = Path("/proc/self/mem")


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
    assert [tiers[number].schedule.get("brief") for number in (1, 2, 3)] == [None, None, "quarterly"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tier": "gold"}, ["tier", "gold", "integer"]),
        ({"tier": 7}, ["tier is 7", "expected one of [1, 2, 3]"]),
        ({"colour": "red"}, ["colour", "unknown key", "base_model"]),
        ({"thresholds": {"accuracy": 1.4}}, ["thresholds.accuracy", "1.4", "less than or equal to 1"]),
        ({"time_zone": "Mars/Olympus"}, ["time_zone", "Mars/Olympus", "Europe/Berlin"]),
        ({"labels": ["a", "a", "b"]}, ["labels", "'a'", "listed twice"]),
        ({"labels": ["u\u0308", "\u00fc", "b"]}, ["labels", "'ü'", "listed twice"]),
        ({"labels": ["a"]}, ["labels", "found 1", "at least 2"]),
        ({"log": {"values": {"automatic": {"bot": "true"}}}}, ["values.automatic.bot is 'true'", "true or false"]),
        ({"log": {"values": {"source": {"zendesk": "ticket"}}}}, ["values.source.zendesk is 'ticket'", "'escalation'"]),
        ({"log": {"values": {"output": {"yes": True}}}}, ["values.output.yes is True", "a text"]),
        ({"labels": ["a", "b "]}, ["labels.1: found 'b '", "without spaces around it"]),
        ({"labels": ["a", ""]}, ["labels.1: found ''", "without spaces around it"]),
        ({"out_of_scope_label": ""}, ["out_of_scope_label: found ''", "without spaces around it"]),
        ({"store": "s3:/bucket/acme"}, ["store: found 's3:/bucket/acme'", "but for s3://", "folder under UPKEEP_HOME"]),
        ({"review_by": "channel"}, ["review_by: found 'channel', expected: a list (metadata keys"]),
        ({"redaction": {"kinds": "iban"}}, ["redaction.kinds: found 'iban', expected: a list"]),
        ({"thresholds": 0.8}, ["thresholds: found 0.8, expected: a mapping of keys to values"]),
        ({"log": {"predictions": "id"}}, ["log.predictions: found 'id', expected: a mapping of keys to values"]),
        ({"store": "gs://bucket/acme"}, ["store: found 'gs://bucket/acme'", "but for s3://"]),
        ({"store": "file:acme"}, ["store: found 'file:acme'", "but for s3://"]),
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
            ["relabel.0.now: unknown key, expected one of ['new', 'old', 'since', 'text', 'theme']"],
        ),
        ({"relabel": [{"old": "a", "new": "a", "since": "2026-01-01"}]}, ["relabel", "both 'a'"]),
        (
            {"task": "generation", "relabel": [{"old": "a", "new": "b", "since": "2026-01-01", "theme": ["a tent"]}]},
            ["eyes: found none, expected an encoder: relabel.0 is for a theme"],
        ),
        (
            {"new_labels": "hold", "relabel": [{"old": "cancel_order", "new": "cancel", "since": "2026-01-01"}]},
            ["relabel.0.new: found 'cancel'", "of labels ['order_status'", "or 'oos': new_labels is 'hold'"],
        ),
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


def changed(folder: Path, client: str, **keys) -> Path:
    """A copy of the configs, made at the first call, in which a client has other values."""
    if not folder.exists():
        shutil.copytree(CONFIGS, folder)
    path = folder / "clients" / f"{client}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | keys))
    return folder


def test_under_hold_a_rename_may_lead_over_a_label_that_is_renamed_in_turn(tmp_path):
    rules = [
        {"old": "a", "new": "b", "since": "2026-01-01"},
        {"old": "b", "new": "order_status", "since": "2026-02-01"},
        {"old": "c", "new": "oos", "since": "2026-02-01"},
    ]
    folder = changed(tmp_path / "configs", "northwind", new_labels="hold", relabel=rules)
    assert len(load_client(folder, "northwind").relabel) == 3


def test_an_old_label_that_is_nowhere_else_is_pointed_out_and_no_error(tmp_path, monkeypatch, capsys):
    # `labels` has only the new name after a rename, and cases from before it have the old one
    rules = [
        {"old": "cancel_order", "new": "cancellation", "since": "2026-01-01"},
        {"old": "cancellation", "new": "stop_order", "since": "2026-02-01"},
        {"old": "track_order", "new": "order_status", "since": "2026-02-01"},
    ]
    monkeypatch.setenv("UPKEEP_CONFIGS", str(changed(tmp_path / "configs", "northwind", relabel=rules)))
    assert main(["check"]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "look at" in line]
    assert len(notes) == 1
    assert "relabel.2.old: found 'track_order', expected one of ['cancel_order', 'cancellation'" in notes[0]


@pytest.mark.parametrize(
    "stores",
    [
        ("clients/shared", "clients/shared/"),
        ("clients/shared", "clients/other/../shared"),
        ("clients/shared", "{home}/clients/shared"),
        ("clients/shared", "file://{home}/clients/shared/log"),
        ("s3://bucket/shared", "s3://bucket/shared/"),
        ("s3://bucket", "s3://bucket/shared"),
    ],
)
def test_two_clients_whose_stores_hold_each_other_are_an_error_that_names_both(tmp_path, monkeypatch, capsys, stores):
    folder = changed(tmp_path / "configs", "brightbill", store=stores[0])
    changed(folder, "clearline", store=stores[1].format(home=home()))
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder))
    assert main(["check"]) == 1
    said = capsys.readouterr().err
    assert f"{folder}/clients/clearline.yaml: store is" in said
    assert f"brightbill.yaml has '{stores[0]}'" in said
    assert "expected stores of which none is another or lies in another" in said


@pytest.mark.parametrize("stores", [("clients/a", "clients/ab"), ("s3://bucket/a", "s3://other/a"), ("a", "s3://a")])
def test_stores_beside_each_other_are_valid(tmp_path, monkeypatch, stores):
    folder = changed(tmp_path / "configs", "brightbill", store=stores[0])
    changed(folder, "clearline", store=stores[1])
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder))
    assert main(["check"]) == 0


def test_one_prefix_on_two_servers_is_two_stores(tmp_path, monkeypatch):
    folder = changed(tmp_path / "configs", "brightbill", store="s3://b/x", store_endpoint="http://127.0.0.1:9")
    changed(folder, "clearline", store="s3://b/x")
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder))
    assert main(["check"]) == 0


def test_nobody_is_onboarded_into_another_clients_store_though_a_third_config_is_broken(tmp_path, monkeypatch, capsys):
    folder = changed(tmp_path / "configs", "clearline", store="clients/northwind")
    (folder / "clients" / "brightbill.yaml").write_text("a: [")
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder))
    assert main(["onboard", "clearline", "--cases", "none.jsonl", "--golden", "none.jsonl"]) == 1
    assert "northwind.yaml has 'clients/northwind'" in capsys.readouterr().err


@pytest.mark.parametrize("keys", [{"redaction": {"by": "acme.own:it"}}, {"writing": {"judge": "acme.own:it"}}])
def test_a_function_that_cannot_be_imported_is_found_by_check(tmp_path, monkeypatch, capsys, keys):
    folder = changed(tmp_path / "configs", "northwind", **keys)
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder))
    assert main(["check"]) == 1
    ((section, named),) = keys.items()
    wanted = f"upkeep: {folder}/clients/northwind.yaml: {section}.{next(iter(named))}: found 'acme.own:it', expected"
    assert capsys.readouterr().err.startswith(wanted)


@pytest.mark.parametrize(
    ("base_model", "says"),
    [
        ({"package": "not_there", "sha256": "0" * 64}, "package not_there is not installed"),
        ({"path": "models/nowhere"}, "base model folder:nowhere: no folder"),
    ],
)
def test_a_base_model_that_this_machine_lacks_is_pointed_out_and_no_error(
    tmp_path, monkeypatch, capsys, base_model, says
):
    folder = changed(tmp_path / "configs", "northwind", base_model=base_model)
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder))
    assert main(["check"]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "look at" in line]
    assert len(notes) == 1
    assert says in notes[0]


def test_a_base_model_with_another_digest_than_agreed_is_pointed_out_unless_it_takes_long_to_read(
    tmp_path, monkeypatch, capsys
):
    weights = tmp_path / "base" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"abc")
    model = {"path": str(weights.parent), "sha256": "0" * 64}
    monkeypatch.setenv("UPKEEP_CONFIGS", str(changed(tmp_path / "configs", "northwind", base_model=model)))
    assert main(["check"]) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if "look at" in line]
    assert "look at base model folder:base: SHA-256 of its weights is ba7816bf" in note  # of FIPS 180-2's example
    assert note.endswith(f", expected {'0' * 64}")
    os.truncate(weights, SOON_READ + 1)  # a file with a hole, which takes no room
    assert main(["check"]) == 0
    assert "look at" not in capsys.readouterr().out


def test_a_channel_without_an_address_is_pointed_out_and_no_error(tmp_path, monkeypatch, capsys):
    channels = {"alert_channels": ["ops-mail", "chat"], "release_webhook": "shop"}
    monkeypatch.setenv("UPKEEP_CONFIGS", str(changed(tmp_path / "configs", "northwind", **channels)))
    monkeypatch.setenv("UPKEEP_CHANNEL_CHAT", "json://chat.example/hook")
    assert main(["check"]) == 0
    notes = [line.strip() for line in capsys.readouterr().out.splitlines() if "look at" in line]
    assert [one.partition(";")[0] for one in notes] == [
        "look at channel ops-mail: UPKEEP_CHANNEL_OPS_MAIL is not set here",
        "look at channel shop: UPKEEP_CHANNEL_SHOP is not set here",
    ]


def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path):
    folder = changed(tmp_path / "configs", "northwind")
    path = folder / "clients" / "northwind.yaml"
    written = path.read_text()
    lines = written.count("\n")
    path.write_text(f"{written}relabel:\n  - {{old: cancel_order, new: order_status, since: 2026-05-01}}\n")
    first = written.splitlines().index("relabel:") + 1
    with pytest.raises(ConfigError, match=f"northwind.yaml line {lines + 1}: relabel: found again after line {first},"):
        load_client(folder, "northwind")
    path.write_text(f"{written}alarms: {{weekly_spread_pp: 3, weekly_spread_pp: 2}}\n")
    with pytest.raises(ConfigError, match=f"northwind.yaml line {lines + 1}: weekly_spread_pp: found again"):
        load_client(folder, "northwind")


def test_a_key_that_comes_in_by_a_merge_too_stands_there_once(tmp_path):
    folder = changed(tmp_path / "configs", "northwind")
    with (folder / "clients" / "northwind.yaml").open("a") as file:
        file.write("audit: {<<: {random: 7, unsure: 1}, random: 9}\n")
    audit = load_client(folder, "northwind").audit
    assert (audit.random, audit.unsure) == (9, 1)


@pytest.mark.parametrize("place", ["clients/beta", "clients/northwind", "training/beta"])
def test_a_file_with_another_ending_is_an_error_and_holds_up_no_other_client(tmp_path, monkeypatch, capsys, place):
    folder = changed(tmp_path / "configs", "northwind")
    path = folder / f"{place}.yml"
    path.write_text("client: beta")
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder))
    assert main(["check"]) == 1
    wanted = f"{path}: found a file that ends in .yml, expected {path.stem}.yaml; rename it"
    assert capsys.readouterr().err == f"upkeep: {wanted}\n"
    assert path.parent.name == "training" or path.stem in client_names(folder)  # dispatch says that it leaves it out
    assert load_agreement(folder, "brightbill")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not YAML"),
        ("- a\n- b\n", "found list"),
        ("", "found NoneType"),
        ("a: 2026-02-30", "not YAML: day is out of range"),
    ],
)
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
        ("tiers.yaml", "  3:\n", "  4:\n", ["tiers.4: found a tier without a flow", "expected one of [1, 2, 3]"]),
        ("tiers.yaml", "review: weekly", "review: monthly", ["tiers.1.schedule.review: found 'monthly'", "['weekly']"]),
        (
            "tiers.yaml",
            "report: monthly",
            "retrain: monthly",
            ["tiers.1.schedule.retrain: found 'monthly', expected no retrain, which flow tier1 does not do"],
        ),
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


@pytest.mark.skipif(not UNREADABLE.exists(), reason="needs a file that root cannot read either")
def test_a_config_that_cannot_be_read_is_one_that_is_wrong(tmp_path):
    (tmp_path / "tiers.yaml").symlink_to(UNREADABLE)
    with pytest.raises(ConfigError, match=r"tiers\.yaml: cannot be read: Input/output error"):
        load_tiers(tmp_path)


def test_a_tier_may_schedule_what_prefect_yaml_starts_and_nothing_else():
    started = {tuple(one.parameters.values()) for one in load_project().deployments if one.schedules}
    assert started == {(work, cadence) for tier in SERVED.values() for work in tier for cadence in tier[work]}


def test_every_key_without_a_default_must_be_there(tmp_path):
    shutil.copytree(CONFIGS, tmp_path / "configs")
    path = tmp_path / "configs" / "clients" / "northwind.yaml"
    raw = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({key: raw[key] for key in raw if key not in ("store", "time_zone")}))
    with pytest.raises(ConfigError) as caught:
        load_client(tmp_path / "configs", "northwind")
    lines = str(caught.value).splitlines()
    assert lines == [f"{path}: {key}: missing, expected a value" for key in ("time_zone", "store")]
