"""Many clients' models on one base: each answers through its own adapter, and memory grows by adapters."""

from __future__ import annotations

import gc
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from peft import LoraConfig, PeftConfig, get_peft_model
from transformers import BertConfig, BertModel

from tests.chatty import BEFORE, SINCE, chat_base, client, lessons, recipe, requests  # noqa: F401 -- a fixture
from upkeep.base_model import Base, resolve_base
from upkeep.config import load_client
from upkeep.home import configs
from upkeep.models.classifier import Classifier, _shared
from upkeep.models.encoder import load_encoder
from upkeep.models.loading import load_release
from upkeep.models.manifest import Manifest
from upkeep.models.shared_base import save_adapter
from upkeep.training.sft import teach

TEXTS = [text for text, _ in requests()[:20]]


@pytest.fixture(scope="module")
def base() -> Base:
    return resolve_base(load_client(configs(), "northwind").base_model)


def release(base: Base, folder: Path, *, seed: int, module: str = "query", precision: str = "fp32") -> Classifier:
    """A client's classifier that nobody trained: an adapter and a head drawn by chance, alone on its base."""
    import torch
    from peft import LoraConfig, get_peft_model

    encoder = load_encoder(base, max_tokens=32, precision=precision)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        lora = LoraConfig(r=4, target_modules=[module], init_lora_weights=False, task_type="FEATURE_EXTRACTION")
        encoder.model = get_peft_model(encoder.model, lora)
        head = torch.nn.Linear(encoder.width, 3 + seed)
    labels = tuple(f"client {seed} label {at}" for at in range(3 + seed))
    made = Classifier(encoder, head, Manifest(labels, "oos", 0.3, base.reference, base.digest, 32, precision, ""))
    made.save(folder)
    return made


def weights(model: Classifier) -> set[int]:
    """Where in memory the base's weights are."""
    parameters = model.encoder.model.shared.model.named_parameters()
    return {weight.data_ptr() for name, weight in parameters if "lora" not in name}


def test_models_on_one_base_answer_as_each_would_alone(base, tmp_path):
    modules = ["query", "value", "dense"]
    alone = [release(base, tmp_path / str(seed), seed=seed, module=module) for seed, module in enumerate(modules)]
    expected = [one.answer(TEXTS) for one in alone]
    shared = [load_release(tmp_path / str(seed), base) for seed in range(3)]
    for turn in (0, 2, 1, 1, 0, 2):
        assert shared[turn].answer(TEXTS) == expected[turn]
    assert weights(shared[0]) == weights(shared[1]) == weights(shared[2])


def test_no_client_gets_another_s_answers_however_many_ask_at_once(base, tmp_path):
    expected = [release(base, tmp_path / str(seed), seed=seed).answer(TEXTS) for seed in range(3)]
    shared = [load_release(tmp_path / str(seed), base) for seed in range(3)]
    with ThreadPoolExecutor(6) as people:
        asked = [(turn % 3, people.submit(shared[turn % 3].answer, TEXTS)) for turn in range(48)]
        assert all(said.result() == expected[whose] for whose, said in asked)


def test_threads_that_load_at_once_load_a_base_once_and_spoil_nothing_of_the_process(base, tmp_path):
    import torch

    expected = [release(base, tmp_path / str(seed), seed=seed, precision="bf16").answer(TEXTS) for seed in range(3)]
    _shared.cache_clear()
    for _ in range(2):
        with ThreadPoolExecutor(3) as threads:
            models = list(threads.map(lambda seed: load_release(tmp_path / str(seed), base), range(3)))
        assert torch.get_default_dtype() is torch.float32
        assert len({id(one.encoder.model.shared) for one in models}) == 1
        assert [one.answer(TEXTS) for one in models] == expected


def test_memory_grows_by_the_adapter_only_and_shrinks_when_a_model_is_let_go(base, tmp_path):
    for seed in range(3):
        release(base, tmp_path / str(seed), seed=seed)
    first = load_release(tmp_path / "0", base)
    host = first.encoder.model.shared
    gc.collect()

    def parameters() -> int:
        return sum(weight.numel() for weight in host.model.parameters())

    one = parameters()
    second = load_release(tmp_path / "1", base)
    assert parameters() - one == 6 * 2 * 4 * 384  # six layers, two matrices of rank 4
    expected = first.answer(TEXTS)
    del second
    gc.collect()
    third = load_release(tmp_path / "2", base)
    assert len(host.model.peft_config) == len(host.held)
    assert parameters() - one == 6 * 2 * 4 * 384
    assert first.answer(TEXTS) == expected
    assert third.answer(TEXTS) != expected


def test_a_model_that_was_loaded_is_saved_with_its_own_adapter_and_no_other(base, tmp_path):
    expected = [release(base, tmp_path / str(seed), seed=seed).answer(TEXTS) for seed in range(2)]
    shared = [load_release(tmp_path / str(seed), base) for seed in range(2)]
    with tempfile.TemporaryDirectory() as scratch:
        again = shared[1].save(Path(scratch) / "again")
        shared[0].answer(TEXTS)
        assert again == shared[1].manifest
        assert sorted(path.name for path in Path(scratch).rglob("*.safetensors")) == [
            "adapter_model.safetensors", "head.safetensors",
        ]  # fmt: skip
        assert load_release(Path(scratch) / "again", base).answer(TEXTS) == expected[1]


def test_other_precisions_and_bases_are_not_shared(base, tmp_path):
    release(base, tmp_path / "0", seed=0)
    release(base, tmp_path / "1", seed=1, precision="bf16")
    full, half = (load_release(tmp_path / str(seed), base) for seed in range(2))
    assert full.encoder.model.shared is not half.encoder.model.shared


def test_models_that_write_share_their_base_too(chat_base, tmp_path):  # noqa: F811
    for name, answers in (("before", BEFORE), ("since", SINCE)):
        made = teach(chat_base, lessons(answers), client=client(), recipe=recipe(), seed=0)
        made.model.save(tmp_path / name)
    old, new = (load_release(tmp_path / name, chat_base) for name in ("before", "since"))
    assert old.model.shared is new.model.shared
    asked = [text for text, topic in requests()[-40:] if topic == "refund"]
    for _ in range(2):
        assert {one.output for one in old.answer(asked)} == {BEFORE["refund"]}
        assert {one.output for one in new.answer(asked)} == {SINCE["refund"]}


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ("ada/encoder@" + 40 * "a", ("ada/encoder", 40 * "a")),
        ("folder:made@" + 40 * "a", ("./made@" + 40 * "a", None)),
        ("folder:gpt2", ("./gpt2", None)),
        ("package:carried/model", ("./carried/model", None)),
        ("package:carried/.", ("./carried", None)),
    ],
)
def test_a_saved_adapter_names_its_base_as_other_libraries_do_and_none_but_the_hub_s_as_on_the_hub(
    base, found, tmp_path
):
    config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    model = get_peft_model(BertModel(config), LoraConfig(r=1, target_modules=["query"]))
    save_adapter(model, tmp_path, base=base)
    saved = PeftConfig.from_pretrained(str(tmp_path))
    assert (saved.base_model_name_or_path, saved.revision) == found
