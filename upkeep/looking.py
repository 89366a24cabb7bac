"""What did a client's requests look like, by its own base model?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from upkeep.base_model import Base, resolve_base
from upkeep.config import Client
from upkeep.desk import Desk
from upkeep.encoder import Encoder, embed_all, load_encoder
from upkeep.inputs import Inputs, look, vocabulary
from upkeep.log import Outcome, Prediction, lot
from upkeep.periods import Window
from upkeep.tally import opinions
from upkeep.themes import LEAST, MOST, Theme, Trouble, find_themes
from upkeep.truth import settle

LOOKED_AT = 300
"""So many requests of a week are embedded: a new topic with 15 % of the traffic is seen on them."""


def look_at_week(desk: Desk, window: Window, *, until: datetime) -> Inputs | None:
    """What the window's requests look like, on a sample; None where there are none. Raises BaseModelError."""
    sampled = desk.sample_log(window, until=until).predictions
    texts = [one.input for one in sorted(sampled, key=lambda one: lot(one.id))[:LOOKED_AT]]
    if not texts:
        return None
    encoder, base = _encoder(resolve_base(desk.client.base_model), desk.recipe.max_tokens, desk.recipe.precision)
    known = vocabulary(case.text for case in desk.cases() if case.valid_from is None or case.valid_from < until)
    return look(texts, embed_all(encoder, texts), known=known, base=base)


def themes_of(desk: Desk, weeks: Sequence[Window], *, until: datetime) -> tuple[Theme, ...]:
    """What went wrong in some weeks, by theme, on a sample of their requests. Raises BaseModelError."""
    troubles: list[Trouble] = []
    others: list[str] = []
    for window in weeks:
        sampled = desk.sample_log(window, until=until)
        for one in sampled.predictions:
            trouble = _trouble(desk.client, window.key, one, sampled.outcomes.get(one.id, []))
            if trouble:
                troubles.append(trouble)
            else:
                others.append(one.input)
    troubles = troubles[-MOST:]
    if len(troubles) < LEAST:
        return ()
    encoder, _ = _encoder(resolve_base(desk.client.base_model), desk.recipe.max_tokens, desk.recipe.precision)
    embeddings = embed_all(encoder, [one.text for one in troubles])
    return tuple(find_themes(troubles, embeddings, weeks=[window.key for window in weeks], others=others))


def _trouble(client: Client, week: str, one: Prediction, said: Sequence[Outcome]) -> Trouble | None:
    """A request that was answered wrong or handed to a person, else None."""
    counted = opinions(said, client.free_text)
    truth = settle(one, counted, out_of_scope=client.out_of_scope_label) if counted else None
    wrong = truth is not None and not truth.right
    if not wrong and one.automatic:
        return None
    given = None if client.free_text else one.output
    return Trouble(week, one.input, wrong, given, truth.answer if truth and not client.free_text else None)


@lru_cache(maxsize=1)  # the clients of an agency mostly share one base model
def _encoder(base: Base, max_tokens: int, precision: str) -> tuple[Encoder, str]:
    return load_encoder(base, max_tokens=max_tokens, precision=precision), base.digest
