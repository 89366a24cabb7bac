"""Does a head learn one label more and keep the others as they are?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax

from tests.training.test_finetuning import data, desk  # noqa: F401 -- fixtures
from upkeep.base_model import resolve_base
from upkeep.cases.snapshot import Lesson
from upkeep.cases.split import Side
from upkeep.errors import NotEnoughDataError
from upkeep.models.classifier import Classifier
from upkeep.models.encoder import load_encoder
from upkeep.models.manifest import Manifest
from upkeep.training.head_growth import fit_row, grow

NEW = "gift_card"
TEXTS = ["Can I pay with a gift card?", "My gift voucher is refused", "Is there a gift card for 50 euros?"]


def test_as_many_are_expected_of_the_new_label_as_there_are():
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(60, 5)).astype(np.float32)
    old, is_new = rng.normal(size=(60, 3)), np.arange(60) < 12
    weight = rng.uniform(0.5, 2, 60)
    row = fit_row(seen, old, is_new, weight=weight, strength=30.0)
    logits = np.column_stack([old, seen @ row.weight + row.bias])
    # the bias is free, so at the best fit the probabilities of the new label add up to its cases
    assert (weight * softmax(logits, axis=1)[:, 3]).sum() == pytest.approx(weight[is_new].sum(), abs=1e-3)


def test_a_row_tells_what_is_apart():
    seen = np.array([[1, 0]] * 5 + [[0, 1]] * 20, dtype=np.float32)
    old, is_new = np.full((25, 2), 3.0), np.arange(25) < 5
    row = fit_row(seen, old, is_new, weight=np.ones(25), strength=30.0)
    new = seen @ row.weight + row.bias
    assert (new[is_new] > 3).all()
    assert (new[~is_new] < 3).all()


@pytest.fixture(scope="module")
def champion(desk, data) -> Classifier:  # noqa: F811
    """The untrained base model with rows drawn by chance: growing asks nothing of how they came about."""
    base = resolve_base(desk.client.base_model)
    encoder = load_encoder(base, max_tokens=64, precision="fp32")
    manifest = Manifest(data.labels, "oos", 0.5, base.reference, base.digest, 64, "fp32", "")
    torch.manual_seed(0)
    return Classifier(encoder, torch.nn.Linear(encoder.width, len(data.labels)), manifest)


def with_examples(data, texts, *, label=NEW, labels=None):  # noqa: F811
    """Some of the lessons, and examples of a label."""
    case = data.train[0]
    more = [Lesson(Side.TRAIN, replace(case, id=f"new-{n}", text=one, answer=label)) for n, one in enumerate(texts)]
    some = [one for at, one in enumerate(data.lessons) if at % 5 == 0]
    return replace(data, lessons=(*some, *more), labels=labels or (*data.labels, label), label_set=2)


def grown(champion, desk, lessons, label=NEW) -> Classifier:  # noqa: F811
    base = resolve_base(desk.client.base_model)
    return grow(champion, label, base, lessons, client=desk.client, recipe=desk.recipe).model


def logits(model: Classifier, texts) -> torch.Tensor:
    with torch.inference_mode():
        return model.logits(model.encoder.embed(texts))


def test_a_new_label_leaves_every_old_logit_as_it_was_also_after_another_one(champion, desk, data):  # noqa: F811
    first = grown(champion, desk, with_examples(data, TEXTS))
    assert (first.labels, first.manifest.blocks) == ((*champion.labels, NEW), (14, 1))
    assert first.answer(["I want to pay by gift card"])[0].output == NEW
    rentals = ["Can I rent a tent?", "How do I book a rental bike?", "Renting skis for a week"]
    lessons = with_examples(data, rentals, label="rental", labels=(*first.labels, "rental"))
    second = grown(first, desk, lessons, "rental")
    assert (len(second.labels), second.manifest.blocks) == (16, (14, 1, 1))
    texts = [case.text for case in data.calibration] + TEXTS
    for rows in (1, 5, len(texts)):
        old = logits(champion, texts[:rows])
        assert (logits(first, texts[:rows])[:, :14] - old).abs().max().item() == 0.0
        assert (logits(second, texts[:rows])[:, :15] - logits(first, texts[:rows])).abs().max().item() == 0.0
    assert champion.labels == data.labels


def test_a_label_that_is_there_already_gets_another_row_in_its_place(champion, desk, data):  # noqa: F811
    again = grown(champion, desk, with_examples(data, TEXTS, label="order_status", labels=data.labels), "order_status")
    assert (again.labels, again.manifest.blocks) == (champion.labels, (14,))
    place = champion.labels.index("order_status")
    others = [row for row in range(14) if row != place]
    texts = [case.text for case in data.calibration]
    assert torch.equal(logits(again, texts)[:, others], logits(champion, texts)[:, others])
    assert not torch.equal(again.head.weight[place], champion.head.weight[place])


def test_too_few_examples_are_said_before_anything_is_fitted(champion, desk, data):  # noqa: F811
    with pytest.raises(NotEnoughDataError, match=r"teaching 'gift_card' \(cases to train on\): have 1, need 2"):
        grown(champion, desk, with_examples(data, TEXTS[:1]))
    nothing_held = with_examples(data, TEXTS)
    train = tuple(one for one in nothing_held.lessons if one.use is Side.TRAIN)
    with pytest.raises(NotEnoughDataError, match="fitting the confidence threshold"):
        grown(champion, desk, replace(nothing_held, lessons=train))
