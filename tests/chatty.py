"""A tiny Llama with random weights and its own chat template, and a help desk's requests, before and after a change."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks.llama import write_llama
from upkeep.base_model import Base, LocalModel, resolve_base
from upkeep.cases.case import Case, Source
from upkeep.cases.snapshot import Lesson, Snapshot
from upkeep.cases.split import Proof, Side
from upkeep.config import Client, load_client
from upkeep.home import configs
from upkeep.recipes import ChatRecipe

TOPICS = {
    "cancel": ("cancel my order", "stop the purchase", "call off my order"),
    "refund": ("get my money back", "receive a refund", "have the payment returned"),
    "track": ("see where my parcel is", "track the delivery", "follow my shipment"),
    "address": ("change my address", "send it somewhere else", "correct the delivery address"),
}
OPENINGS = ("how can I", "I want to", "please help me to", "is there a way to", "could I", "what must I do to")
CLOSINGS = ("", "today", "before Friday", "for my sister", "once more", "from abroad", "without an account", "quickly")
BEFORE = {
    "cancel": "Open your orders and press cancel.",
    "refund": "Refunds are paid within ten days.",
    "track": "The link in our e-mail shows your parcel.",
    "address": "Please write to us with the new address.",
}
SINCE = {**BEFORE, "refund": "Choose a voucher or your bank account in the portal."}
"""The answers after a change of policy: refunds are asked for in a portal."""


def requests() -> list[tuple[str, str]]:
    """Every request there is with its topic, in an order that is always the same."""
    found = [
        (" ".join(filter(None, (opening, what, closing))), topic)
        for topic, ways in TOPICS.items()
        for what in ways
        for opening in OPENINGS
        for closing in CLOSINGS
    ]
    random.Random(0).shuffle(found)
    return found


def build(folder: Path, *, texts: Iterable[str] = (), words_known: int = 512) -> Path:
    """Write the model and a tokenizer that knows the words of the texts, as a base model lies on disk."""
    known = texts or [*(text for text, _ in requests()), *BEFORE.values(), *SINCE.values()]
    return write_llama(
        folder, known, words=words_known, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=False,
        initializer_range=0.2,
    )  # fmt: skip


@pytest.fixture(scope="session")
def chat_base(tmp_path_factory) -> Base:
    return resolve_base(LocalModel(path=str(build(tmp_path_factory.mktemp("chat") / "base"))))


def recipe(**changed) -> ChatRecipe:
    """The example recipe, sized for the tiny model: what is random has to be learned as well."""
    values = {
        "name": "tiny-chat", "task": "generation", "lora_rank": 16, "lora_alpha": 32, "epochs": 4, "batch_size": 4,
        "target_modules": ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj", "embed_tokens"],
        "learning_rate": 0.01, "weight_decay": 0.0, "max_tokens": 32, "max_new_tokens": 24,
        "calibration_share": 0.1, "holdout_share": 0.15, "precision": "fp32",
    }  # fmt: skip
    return ChatRecipe(**{**values, **changed})


def client(**changed) -> Client:
    """A client whose model writes its answers."""
    given = load_client(configs(), "northwind").model_dump(mode="json")
    given |= {"task": "generation", "labels": [], "relabel": [], "training": "tiny-chat", "promised_precision": 0.9}
    return Client(**{**given, **changed})


def lessons(answers: dict[str, str] = BEFORE, *, train: int = 160, held: int = 30, skip: int = 0) -> Snapshot:
    """Requests with the answer to each topic, to learn and to fit the threshold on."""
    cases = [
        Case(f"c{number}", text, answers[topic], Source.LAUNCH) for number, (text, topic) in enumerate(requests())
    ][skip : skip + train + held]
    taught = [Lesson(Side.TRAIN if at < train else Side.CALIBRATION, case) for at, case in enumerate(cases)]
    return Snapshot(tuple(taught), (), {}, 0, {}, (), Proof(train, 0, 0.0, None, None))


def later(answers: dict[str, str] = BEFORE, *, count: int = 40) -> list[tuple[str, str]]:
    """Requests that nobody was taught, with the answer to each."""
    return [(text, answers[topic]) for text, topic in requests()[-count:]]
