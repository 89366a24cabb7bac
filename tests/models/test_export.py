"""A release without Upkeep: merged as the documentation says, and a classifier read by transformers and PEFT alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chatty import chat_base, client, later, lessons, recipe  # noqa: F401 -- a fixture
from tests.models.test_shared_base import TEXTS, base, release  # noqa: F401 -- a fixture
from upkeep.training.sft import teach

DOC = Path(__file__).parents[2] / "docs" / "writing.md"


def test_a_merged_release_is_an_ordinary_model_that_writes_the_same(chat_base, tmp_path):  # noqa: F811
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = teach(chat_base, lessons(), client=client(), recipe=recipe(), seed=0)
    made.model.save(tmp_path / "release")
    (code,) = re.findall(r"```python\n(from peft.*?)```", DOC.read_text(), re.DOTALL)
    for written, here in (
        ("/models/llama-3.2-1b-instruct", chat_base.folder),
        ("release/adapter", tmp_path / "release" / "adapter"),
        ('"merged"', f'"{tmp_path / "merged"}"'),
    ):
        assert written in code
        code = code.replace(written, str(here))
    exec(code, {})
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    asked = [text for text, _ in later()][:10]
    for text, expected in zip(asked, made.model.answer(asked), strict=True):
        told = [{"role": "user", "content": text}]
        prompt = tokenizer.apply_chat_template(told, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        written = model.generate(**prompt, max_new_tokens=24, do_sample=False, pad_token_id=0)
        answer = tokenizer.decode(written[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
        assert answer.strip() == expected.output


def test_a_released_adapter_goes_on_its_base_s_own_folder_and_names_no_other_place(chat_base, tmp_path, monkeypatch):  # noqa: F811
    from peft import AutoPeftModelForCausalLM, PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = teach(chat_base, lessons(), client=client(), recipe=recipe(), seed=0)
    made.model.save(tmp_path / "release")
    adapter = tmp_path / "release" / "adapter"
    given = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(chat_base.folder), adapter)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"'\./base'"):
        AutoPeftModelForCausalLM.from_pretrained(adapter)
    (tmp_path / "elsewhere" / "base").symlink_to(chat_base.folder)
    found = AutoPeftModelForCausalLM.from_pretrained(adapter)
    tokenizer = AutoTokenizer.from_pretrained(chat_base.folder)
    request = later()[0][0]
    for model in (given, found):
        told = [{"role": "user", "content": request}]
        prompt = tokenizer.apply_chat_template(told, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        written = model.eval().generate(**prompt, max_new_tokens=24, do_sample=False, pad_token_id=0)
        answer = tokenizer.decode(written[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
        assert answer.strip() == made.model.answer([request])[0].output
    for path in (path for path in (tmp_path / "release").rglob("*") if path.is_file()):
        assert not any(str(place).encode() in path.read_bytes() for place in (chat_base.folder.parent, tmp_path))


def test_a_classifier_s_folder_is_read_by_transformers_and_peft_alone(base, tmp_path):  # noqa: F811
    import json

    import torch
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    made = release(base, tmp_path / "release", seed=0)
    model = PeftModel.from_pretrained(AutoModel.from_pretrained(base.folder), tmp_path / "release" / "adapter").eval()
    batch = AutoTokenizer.from_pretrained(base.folder)(TEXTS, padding=True, return_tensors="pt")
    head = load_file(tmp_path / "release" / "head.safetensors")
    labels = json.loads((tmp_path / "release" / "release.json").read_text())["labels"]
    with torch.inference_mode():
        hidden, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)
        pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
        chances = torch.softmax(pooled @ head["weight"].T + head["bias"], dim=1)
    for row, one in zip(chances, made.answer(TEXTS), strict=True):
        assert labels[int(row.argmax())] == one.output
        assert float(row.max()) == pytest.approx(one.confidence, abs=1e-5)
