"""What did a client's requests of one week look like, by its own base model?"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from upkeep.base_model import Base, resolve_base
from upkeep.desk import Desk
from upkeep.encoder import Encoder, embed_all, load_encoder
from upkeep.inputs import Inputs, look, vocabulary
from upkeep.log import lot
from upkeep.periods import Window

LOOKED_AT = 300
"""So many requests of a week are embedded: a shift of a tenth of the traffic is seen on them."""


def look_at_week(desk: Desk, window: Window, *, until: datetime) -> Inputs | None:
    """What the window's requests look like, on a sample; None where there are none. Raises BaseModelError."""
    sampled = desk.sample_log(window, until=until).predictions
    texts = [one.input for one in sorted(sampled, key=lambda one: lot(one.id))[:LOOKED_AT]]
    if not texts:
        return None
    encoder, base = _encoder(resolve_base(desk.client.base_model), desk.recipe.max_tokens, desk.recipe.precision)
    known = vocabulary(case.text for case in desk.cases() if case.valid_from is None or case.valid_from < until)
    return look(texts, embed_all(encoder, texts), known=known, base=base)


@lru_cache(maxsize=1)  # the clients of an agency mostly share one base model
def _encoder(base: Base, max_tokens: int, precision: str) -> tuple[Encoder, str]:
    return load_encoder(base, max_tokens=max_tokens, precision=precision), base.digest
