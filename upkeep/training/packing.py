"""Do lessons in one sequence see each other in this model?

Positions that begin anew keep them apart in an attention that asks for positions. A state that runs on through the
sequence (Mamba and other hybrid models) does not ask, and neither do some older models (ALiBi).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from upkeep.hardware import dtype
from upkeep.models.chat import NOT_LEARNED, Pack, unpacked
from upkeep.training.trainer import Lessons, collate

if TYPE_CHECKING:
    import torch

NOT_PACKED = "lessons not packed: in this base model those of one sequence would see each other"
NOISE = {"torch.float32": 1e-4, "torch.bfloat16": 0.02}
"""How far two losses over the same tokens may lie apart by rounding. A lesson that sees itself lies farther off: what
comes next has just been there."""


def kept_apart(model: Any, lessons: Lessons, *, precision: str) -> Lessons:
    """The same lessons; each in a sequence of its own where another in its sequence would change its loss."""
    alone = Lessons(*([one for pack in packs for one in unpacked(pack)] for packs in lessons))
    room = max((len(pack.tokens) for pack in lessons.train), default=0)
    twice = [one for one in alone.train if 2 * len(one.tokens) <= room and _learned(one)]
    if len(alone.train) == len(lessons.train) or not twice:
        return lessons
    longest = max(twice, key=lambda one: len(one.tokens))
    both = Pack(*(part + part for part in longest))
    apart = abs(_loss(model, both) - _loss(model, longest))
    return lessons if apart <= NOISE[str(dtype(precision))] else alone


def _learned(lesson: Pack) -> bool:
    return any(label != NOT_LEARNED for label in lesson.labels)


def _loss(model: Any, lesson: Pack) -> float:
    import torch

    training = model.training
    model.eval()
    batch: dict[str, torch.Tensor] = {name: part.to(model.device) for name, part in collate([lesson]).items()}
    with torch.no_grad():
        loss = float(model(**batch).loss)
    model.train(training)
    return loss
