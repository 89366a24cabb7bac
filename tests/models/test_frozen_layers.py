"""Do the frozen layers run once for a text, and does nobody notice?"""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AlbertConfig, AutoConfig, AutoModel

from upkeep.base_model import resolve_base
from upkeep.desk import open_desk
from upkeep.errors import BaseModelError
from upkeep.models import frozen_layers as frozen
from upkeep.models.encoder import load_encoder
from upkeep.models.frozen_layers import FrozenLayers, layers_of
from upkeep.training.adapter_layers import set_dropout

TEXTS = ["Where is my parcel?", "I was charged twice for the tent I sent back last week", "refund"]
OTHERS = [
    "hello",
    "A much longer request than all the others, so that its batch is padded by other lengths than before",
]


@pytest.fixture
def encoder():
    loaded = load_encoder(resolve_base(open_desk("northwind").client.base_model), max_tokens=64, precision="fp32")
    lora = LoraConfig(r=2, target_modules=["query"], layers_to_transform=[4, 5], task_type="FEATURE_EXTRACTION")
    torch.manual_seed(0)
    loaded.model = get_peft_model(loaded.model, lora).eval()
    return loaded


def runs(encoder) -> list[int]:
    """Counts how often the first layer runs."""
    counted: list[int] = []
    layer = encoder.model.base_model.model.encoder.layer[0]
    layer.register_forward_hook(lambda *_: counted.append(1))
    return counted


def gradients(encoder, texts) -> list[torch.Tensor]:
    encoder.model.zero_grad()
    encoder.embed(texts)[:, 0].sum().backward()
    return [weight.grad for weight in encoder.model.parameters() if weight.grad is not None]


def test_a_known_text_gives_the_same_embedding_without_the_frozen_layers(encoder):
    plain = encoder.embed(TEXTS)
    counted = runs(encoder)
    encoder.frozen = FrozenLayers(encoder.model, 4)
    first = encoder.embed(TEXTS)
    assert len(counted) == 1
    again = encoder.embed(TEXTS)
    assert len(counted) == 1
    torch.testing.assert_close(first, plain)
    torch.testing.assert_close(again, plain)


@pytest.mark.parametrize("kind", ["mpnet", "deberta-v2", "modernbert", "xlm-roberta"])
def test_so_it_does_on_encoders_of_other_makes(encoder, kind):
    config = AutoConfig.for_model(
        kind, vocab_size=30_530, hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64,
        relative_attention=True, pos_att_type=["p2c", "c2p"], pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    encoder.model = AutoModel.from_config(config, attn_implementation="eager").eval()
    encoder.tokenizer.model_input_names = ["input_ids", "attention_mask"]
    plain = encoder.embed(TEXTS)
    encoder.frozen = FrozenLayers(encoder.model, 2)
    encoder.embed(TEXTS)
    ran: list[int] = []
    encoder.frozen.layers[0].register_forward_hook(lambda *_: ran.append(1))
    torch.testing.assert_close(encoder.embed(TEXTS), plain)
    assert not ran


def test_a_known_text_may_come_with_others_in_another_order(encoder):
    plain = encoder.embed([OTHERS[1], TEXTS[0], OTHERS[0]])
    encoder.frozen = FrozenLayers(encoder.model, 4)
    encoder.embed(TEXTS)
    encoder.embed(OTHERS)
    counted = runs(encoder)
    torch.testing.assert_close(encoder.embed([OTHERS[1], TEXTS[0], OTHERS[0]]), plain)
    assert not counted


def test_what_is_trained_gets_the_same_gradients_from_remembered_layers(encoder):
    plain = gradients(encoder, TEXTS)
    encoder.frozen = FrozenLayers(encoder.model, 4)
    with torch.inference_mode():
        encoder.embed(TEXTS)
    known = gradients(encoder, TEXTS)
    assert len(plain) == 4  # query's A and B in two layers
    assert any(grad.abs().sum() > 0 for grad in plain)
    torch.testing.assert_close(known, plain)


def test_no_more_is_remembered_than_the_limit_and_the_rest_runs_through_all_layers(encoder, monkeypatch):
    monkeypatch.setattr(frozen, "LIMIT", 1)
    plain = encoder.embed(TEXTS)
    counted = runs(encoder)
    encoder.frozen = FrozenLayers(encoder.model, 4)
    for _ in range(2):
        torch.testing.assert_close(encoder.embed(TEXTS), plain)
    assert len(counted) == 2
    assert list(encoder.frozen.known) == TEXTS[:1]  # the one that passed the limit is the last


def test_the_layers_are_back_in_their_place_after_an_error(encoder):
    encoder.frozen = FrozenLayers(encoder.model, 4)
    encoder.embed(TEXTS)
    before = list(encoder.frozen.layers)
    mask = encoder.tokenizer(TEXTS, padding=True, return_tensors="pt")["attention_mask"]
    with pytest.raises(ZeroDivisionError), encoder.frozen.passing(TEXTS, mask):
        1 / 0  # noqa: B018
    assert list(encoder.frozen.layers) == before


def test_only_layers_that_learn_leave_values_out_and_only_while_they_learn(encoder):
    plain = encoder.embed(TEXTS)
    set_dropout(encoder.model, 4, 0.5)
    shares = [
        {module.p for module in layer.modules() if isinstance(module, torch.nn.Dropout)}
        for layer in encoder.model.base_model.model.encoder.layer
    ]
    assert shares == [{0.0}] * 4 + [{0.5}] * 2
    assert torch.equal(encoder.embed(TEXTS), plain)
    encoder.model.train()
    assert not torch.allclose(encoder.embed(TEXTS), encoder.embed(TEXTS), atol=0.01)


def test_a_model_whose_layers_are_one_that_is_used_again_is_refused():
    config = AlbertConfig(hidden_size=8, embedding_size=8, num_attention_heads=2, intermediate_size=8, vocab_size=30)
    with pytest.raises(BaseModelError, match="found no list of 12 layers in AlbertModel, expected one for each"):
        layers_of(AutoModel.from_config(config))
