"""Are many texts embedded as each by itself, with little padding?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from time import sleep

import numpy as np
import pytest

from upkeep.base_model import resolve_base
from upkeep.desk import open_desk
from upkeep.models import encoder as module
from upkeep.models.encoder import Encoder, embed_all, load_encoder

WORDS = ["a b c d e f g h i j k l", "unquestionably interesting", "where is it, and when will it be here?", "order?"]
TEXTS = [f"{'well ' * (at % 5)}{WORDS[at % 4]}" for at in range(24)]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(resolve_base(open_desk("northwind").client.base_model), max_tokens=64, precision="fp32")


def test_a_text_s_length_is_that_of_its_tokens_up_to_what_is_read(encoder):
    long = "parcel " * 300
    assert encoder.lengths(["a b c d", "parcel", long]).tolist() == [6, 3, 64]  # with a mark at both ends
    assert encoder.token_counts([long]).tolist() == [302]
    assert encoder.lengths([]).shape == (0,)


def test_texts_are_embedded_with_those_of_as_many_tokens_and_each_as_by_itself(encoder, monkeypatch):
    monkeypatch.setattr(module, "SCORING_BATCH", 4)
    padded: list[int] = []
    handle = encoder.model.register_forward_pre_hook(
        lambda _, __, given: padded.append(int((given["attention_mask"] == 0).sum())), with_kwargs=True
    )
    found = embed_all(encoder, TEXTS)
    handle.remove()
    assert len(padded) == 6
    assert sum(padded) <= encoder.lengths(TEXTS).sum() // 10
    alone = np.concatenate([encoder.embed([text]).detach().numpy() for text in TEXTS])
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_models_that_share_a_tokenizer_never_ask_it_at_once_as_it_keeps_how_it_pads_and_cuts(encoder):
    alone, overlapping = Lock(), []

    def watched(*asked, **how):
        overlapping.append(not alone.acquire(blocking=False))
        try:
            sleep(0.002)
            return encoder.tokenizer(*asked, **how)
        finally:
            if not overlapping[-1]:
                alone.release()

    shared = replace(encoder, tokenizer=watched)
    short = replace(shared, max_tokens=8)
    with ThreadPoolExecutor(6) as people:
        asked = [people.submit(one, TEXTS[:8]) for one in 8 * [shared.lengths, shared.embed, short.embed]]
        assert all(len(said.result()) == 8 for said in asked)
    assert not any(overlapping)
