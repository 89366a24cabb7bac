"""Do answers move when a publisher revises them? On bitext's two versions of what is right for the same requests."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.chatty import build, client, recipe
from upkeep.base_model import LocalModel, resolve_base
from upkeep.cases.case import Case, Source
from upkeep.cases.snapshot import Lesson, Snapshot
from upkeep.cases.split import Proof, Side
from upkeep.metrics.closeness import closeness, duel
from upkeep.training.sft import teach

DATA = Path(os.environ.get("UPKEEP_DATA", "../shared/data")) / "bitext_support" / "bitext_support.parquet"
INTENTS = ("cancel_order", "track_refund", "delivery_period", "get_invoice", "payment_issue")
TRAIN, HELD, LATER = 300, 30, 40


@pytest.fixture(scope="module")
def revised() -> list[dict[str, str]]:
    """Requests of five intents that both versions answer: text, v1 and v2."""
    if not DATA.is_file():
        pytest.skip(f"no {DATA}: set UPKEEP_DATA to the shared data")
    import pyarrow.parquet as pq

    answers: dict[str, dict[str, str]] = {}
    for row in pq.read_table(DATA, columns=["text", "label", "response", "split"]).to_pylist():
        if row["label"] in INTENTS:
            answers.setdefault(row["text"], {"text": row["text"]})[row["split"]] = row["response"]
    both = [one for one in answers.values() if {"v1", "v2"} <= one.keys()]
    random.Random(0).shuffle(both)
    return both


def lessons(rows: list[dict[str, str]], version: str) -> Snapshot:
    cases = [Case(f"c{at}", one["text"], one[version], Source.LAUNCH) for at, one in enumerate(rows[: TRAIN + HELD])]
    taught = [Lesson(Side.TRAIN if at < TRAIN else Side.CALIBRATION, case) for at, case in enumerate(cases)]
    return Snapshot(tuple(taught), (), {}, 0, {}, (), Proof(TRAIN, 0, 0.0, None, None))


def test_answers_move_from_the_first_version_to_the_second(revised, tmp_path):
    texts = [text for one in revised for text in one.values()]
    base = resolve_base(LocalModel(path=str(build(tmp_path / "base", texts=texts, words_known=1500))))
    asked = revised[TRAIN + HELD :][:LATER]
    how = recipe(epochs=6, max_tokens=64, max_new_tokens=80)
    close = {}
    for version in ("v1", "v2"):
        made = teach(base, lessons(revised, version), client=client(), recipe=how, seed=0)
        answers = made.model.answer([one["text"] for one in asked])
        for agreed in ("v1", "v2"):
            close[version, agreed] = [
                closeness(answer.output, one[agreed]) for answer, one in zip(answers, asked, strict=True)
            ]
    assert sum(one.token_f1 for one in close["v1", "v1"]) / LATER > 0.85
    old, new = (duel("later", champion=close["v1", agreed], challenger=close["v2", agreed]) for agreed in ("v1", "v2"))
    assert old.losses > 35  # of 40 answers are no longer the first version's
    assert new.wins > 30
    assert new.p_value < 0.001
    # the same answers, measured against both versions: closer to the second
    both = duel("later", champion=close["v2", "v1"], challenger=close["v2", "v2"])
    assert both.wins > 30
    assert "closer to the agreed answer: challenger" in str(both)
