"""A client with three registered versions that nobody trained: an untrained adapter and heads drawn by chance."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.small_client import configure
from upkeep import records
from upkeep.base_model import resolve_base
from upkeep.cases.case import Item
from upkeep.cases.split import Locked
from upkeep.desk import GOLDEN, Desk, open_desk
from upkeep.entitlement import UseCase
from upkeep.evaluation.comparison import Verdict
from upkeep.evaluation.verdict import ItemResult, VerdictTerms, verdict
from upkeep.models.classifier import Classifier
from upkeep.models.encoder import load_encoder
from upkeep.models.manifest import Manifest
from upkeep.stages.challengers import Challenger
from upkeep.stages.decisions import Decision
from upkeep.stages.evaluation import save_outcomes
from upkeep.stages.registered import DIGEST
from upkeep.stages.release import CURRENT, launch, publish, release_log, release_of
from upkeep.stages.variant import Round

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BEGUN = datetime(2026, 2, 2, 9, tzinfo=UTC)
DECIDED = BEGUN + timedelta(days=28)
LABELS = ("order_status", "refund_status", "repair_parts")
TERMS = VerdictTerms(margin=0.03, minimum_items=200, same_weights=False, reload_exact=True)
# 250 right by both, 40 fixed, 5 broken, 5 wrong by both: a clear gain
OUTCOMES = [
    ItemResult("golden", f"item {n}", champion, challenger, id=f"g{n}")
    for n, (champion, challenger) in enumerate(
        [(True, True)] * 250 + [(False, True)] * 40 + [(True, False)] * 5 + [(False, False)] * 5
    )
]


@pytest.fixture(scope="session", name="template")
def released_template(tmp_path_factory) -> Path:
    """A home with a client whose version 1 is in service and whose decision for version 2 waits."""
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPKEEP_HOME", str(folder / "home"))
        configure(folder / "configs", patch, promotion="manual", release_webhook="app")
        desk = open_desk("northwind")
        three_versions(desk)
        decide(desk)
    return folder


@pytest.fixture(name="desk")
def released_desk(template, tmp_path, monkeypatch) -> Desk:
    return copied(template, tmp_path / "copy", monkeypatch)


def copied(template: Path, folder: Path, monkeypatch) -> Desk:
    shutil.copytree(template, folder)
    monkeypatch.setenv("UPKEEP_HOME", str(folder / "home"))
    monkeypatch.setenv("UPKEEP_CONFIGS", str(folder / "configs"))
    desk = open_desk("northwind")
    records.save(desk.store, CURRENT, release_of(desk, release_log(desk)[-1]))  # it is in another place
    return desk


def three_versions(desk: Desk) -> None:
    """Version 1 in service, 2 and 3 registered and published."""
    agree(desk, [Item(f"g{n}", f"Where is my order number {n}?", LABELS[n % 3]) for n in range(40)])
    for seed in range(3):
        version = register(desk, seed)
        publish(desk, version)
        if version == "1":
            launch(desk, version, at=BEGUN)


def agree(desk: Desk, golden: list[Item]) -> None:
    """Agree on a golden set that is locked already."""
    records.save_rows(desk.store, GOLDEN, golden)
    records.save_rows(desk.store, "evaluation/locked/launch.jsonl", [Locked(one.id, one.text, BEGUN) for one in golden])


def register(desk: Desk, seed: int, threshold: float = 0.3) -> str:
    import torch
    from peft import LoraConfig, get_peft_model

    base = resolve_base(desk.client.base_model)
    encoder = load_encoder(base, max_tokens=32, precision="fp32")
    torch.manual_seed(seed)
    lora = LoraConfig(r=2, target_modules=["query"], layers_to_transform=[1], task_type="FEATURE_EXTRACTION")
    encoder.model = get_peft_model(encoder.model, lora)
    manifest = Manifest(
        LABELS, "oos", threshold, base.reference, base.digest, 32, "fp32", f"data {seed}",
        client=desk.client.client, base_settings_digest=base.settings_digest,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch, desk.registry.run(f"training {seed}", {}) as run:
        folder = Path(scratch) / "release"
        made = Classifier(encoder, torch.nn.Linear(encoder.width, len(LABELS)), manifest).save(folder)
        version = desk.registry.register(
            run, folder, base_model=desk.client.base_model.model_dump(), about="a test", tags={DIGEST: f"data {seed}"}
        )
    challenger = Challenger(
        period=f"made-{version}", as_of=BEGUN, version=version, labels=LABELS, new_labels=(), waiting_labels={},
        trained_on=0, superseded=0, training_digest=f"data {seed}", weights_digest=made.weights_digest,
        threshold=threshold, expected_automatic=0.0, reload_exact=True,
        content_digest=made.content_digest,
    )  # fmt: skip
    records.save(desk.store, f"challengers/made-{version}.json", challenger)
    return version


def decide(
    desk: Desk,
    period: str = "2026-03",
    *,
    challenger: str = "2",
    champion: str = "1",
    at: datetime = DECIDED,
    terms: VerdictTerms = TERMS,
    outcomes: list[ItemResult] = OUTCOMES,
) -> Decision:
    """A decision, as `compare_models` would leave it."""
    found = verdict(outcomes, terms)
    made = Decision(
        period=period,
        as_of=at,
        reason="scheduled",
        champion=champion,
        challenger=challenger,
        verdict=found.judgement.verdict,
        reasons=found.judgement.reasons,
        compared=found.compared,
        metrics={},
        terms=terms,
        evidence=save_outcomes(desk, period, outcomes),
        code="test",
    )
    records.save(desk.store, f"decisions/{period}.json", made)
    assert (made.verdict is Verdict.PROMOTE) == (terms == TERMS and outcomes == OUTCOMES)
    return made


def gift_card_begun(desk: Desk) -> str:
    """A new category that was booked and whose past requests were looked for; the key of its first round."""
    key = "2026-Q1-variant-gift-card"
    records.save(desk.store, "use-cases/claims/2026-Q1-1.json", UseCase("2026-Q1", BEGUN, "gift_card", "asked", "ada"))
    records.save(desk.store, f"use-cases/rounds/{key}.json", Round(key, 1, "gift_card", BEGUN, 3, 0, 0, 0))
    for part in ("cases", "folded"):
        records.save_rows(desk.store, f"{part}/{key}.jsonl", ())
    return key


def swapped(outcomes: list[ItemResult]) -> list[ItemResult]:
    """The same with the two models changed over."""
    return [one._replace(champion=one.challenger, challenger=one.champion) for one in outcomes]


def changed(terms: VerdictTerms = TERMS, **values) -> VerdictTerms:
    return replace(terms, **values)
