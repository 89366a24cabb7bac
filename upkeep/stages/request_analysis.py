"""What did a client's requests look like, beside what its model was taught?"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import NamedTuple

from upkeep import records
from upkeep.cases.case import Case
from upkeep.config import Client
from upkeep.conversations import asked
from upkeep.desk import LAUNCH_CASES, Desk
from upkeep.errors import NotFoundError
from upkeep.log.entries import Outcome, Prediction, draw_order
from upkeep.log.tally import opinions
from upkeep.log.truth import Truth, truth_of
from upkeep.monitoring.edge_cases import EdgeCase, Edges, Familiar, familiar, find_edges
from upkeep.monitoring.input_shift import Inputs, describe_inputs, vocabulary
from upkeep.monitoring.themes import LEAST, MOST, NotedRequest, Theme, find_themes, follow, hardly_labelled
from upkeep.periods import Cadence, Window, period
from upkeep.redaction import redact_answer
from upkeep.stages.release import release_log
from upkeep.stages.request_encoder import RequestEncoder, request_encoder
from upkeep.stages.snapshot import lessons_of
from upkeep.statistics.rates import Rate

LOOKED_AT = 300
"""So many requests of a week are embedded: a new topic with 15 % of the traffic is seen on them."""
FAMILIAR_TEXTS = 2000
"""Requests are compared with so many training texts at most, chosen by chance."""
FAMILIAR = "looks/familiar.npz"


class WeekAnalysis(NamedTuple):
    """A week's requests: what they look like together, and the odd ones."""

    inputs: Inputs
    edges: Edges


@dataclass(frozen=True, slots=True)
class TrackedThemes:
    """What kept going wrong in the weeks up to a review, by theme, the most frequent first.

    `unusual` are those of edge cases that are in none of `themes`: they were answered, and nobody has said that they
    were answered wrong. They are for people to read; who asks what goes wrong leaves them out.
    """

    week: str
    as_of: datetime
    themes: tuple[Theme, ...]
    unusual: tuple[Theme, ...] = ()


class Grouped(NamedTuple):
    """Some weeks' requests by theme: those that went wrong or to a person, and the edge cases among the others."""

    troubled: tuple[Theme, ...]
    unusual: tuple[Theme, ...]


def analyse_week(desk: Desk, window: Window, *, until: datetime) -> WeekAnalysis | None:
    """What the window's requests look like, on a sample; None where there are none. Raises BaseModelError."""
    sampled = desk.sample_log(window, until=until)
    requests = sorted(sampled.predictions, key=lambda one: draw_order(one.id))[:LOOKED_AT]
    if not requests:
        return None
    taught = {asked(text) for text in _taught(desk, min(window.end, until))}
    words, eyes = vocabulary(taught), request_encoder(desk)
    embeddings = eyes.embed([asked(one.input) for one in requests])
    truths = {one.id: _truth(desk.client, one, sampled.outcomes.get(one.id, [])) for one in requests}
    edges = find_edges(
        requests,
        embeddings,
        truths={id: truth for id, truth in truths.items() if truth},
        labels=_labels(desk.client, sampled.predictions),
        known_words=words,
        known=_familiar(desk, taught, eyes),
        redaction=desk.client.redaction,
        by=desk.client.review_by,
    )
    inputs = [one.input for one in requests]
    return WeekAnalysis(describe_inputs(inputs, embeddings, known=words, base=eyes.base.digest), edges)


def edges_key(week: str) -> str:
    """Where a week's edge cases stand in the store."""
    return f"edge-cases/{week}.jsonl"


def edge_cases(desk: Desk, window: Window, *, until: datetime) -> Sequence[EdgeCase]:
    """A week's edge cases, the oddest first: as its review listed them, or looked for where it has not been reviewed.

    Raises BaseModelError.
    """
    try:
        return records.load_rows(desk.store, edges_key(window.key), EdgeCase)
    except NotFoundError:
        seen = analyse_week(desk, window, until=until)
        return seen.edges.cases if seen else ()


def track_themes(desk: Desk, weeks: Sequence[Window], *, until: datetime) -> TrackedThemes:
    """What went wrong or was unusual in some weeks, with its earlier counts; recorded as themes/<newest week>.json.

    Raises BaseModelError.
    """
    newest = weeks[-1].key
    key = f"themes/{newest}.json"
    done = records.load_if_there(desk.store, key, TrackedThemes)
    if done:
        return done
    before = [records.load(desk.store, one, TrackedThemes) for one in _tracked(desk, weeks[-1].start)[-len(weeks) :]]
    found = themes_of(desk, weeks, until=until)
    troubled = follow(found.troubled, [one.themes for one in before])
    unusual = follow(found.unusual, [one.unusual for one in before])
    tracked = TrackedThemes(newest, until, tuple(troubled), tuple(unusual))
    records.save(desk.store, key, tracked)
    return tracked


def tracked_themes(desk: Desk, moment: datetime) -> TrackedThemes | None:
    """The newest record of themes of a week that had ended by a moment; None where there is none."""
    keys = _tracked(desk, moment)
    return records.load(desk.store, keys[-1], TrackedThemes) if keys else None


def _tracked(desk: Desk, moment: datetime) -> list[str]:
    """Where the themes of weeks that had ended by a moment are recorded, the oldest first."""
    current = period(moment, Cadence.WEEKLY, desk.zone).key
    return [key for key in desk.store.keys("themes/") if key < f"themes/{current}"]


def themes_of(desk: Desk, weeks: Sequence[Window], *, until: datetime) -> Grouped:
    """What went wrong in some weeks, and what was unusual, by theme; of each week as many requests at most, by chance.

    What is unusual is what the weeks' reviews listed. A week without a list is no week without any: it is left out.
    Raises BaseModelError.
    """
    troubles: list[NotedRequest] = []
    unusual: list[NotedRequest] = []
    ordinary: list[str] = []
    answered: dict[str, Rate] = {}
    listed = {window.key: _listed(desk, window) for window in weeks}
    for window in weeks:
        sampled, odd = desk.sample_log(window, until=until), listed[window.key] or ()
        told = {
            one.id: _noted(desk.client, window.key, one, sampled.outcomes.get(one.id, []), odd)
            for one in sampled.predictions
        }
        automatic = [one for one in sampled.predictions if one.automatic]
        answered[window.key] = Rate.of(
            bool(_truth(desk.client, one, sampled.outcomes.get(one.id, []))) for one in automatic
        )
        ordinary += [one.input for one in sampled.predictions if told[one.id] is None]
        noted = [one for _, one in sorted((draw_order(id), one) for id, one in told.items() if one)]
        troubles += [one for one in noted if one.troubled][: MOST // len(weeks)]
        unusual += [one for one in noted if not one.troubled]
    others = [*ordinary, *(one.text for one in unusual)]
    known = [key for key, odd in listed.items() if odd is not None]
    troubled = _grouped(desk, troubles, [*listed], others, unlabelled=hardly_labelled(answered))
    return Grouped(troubled, _grouped(desk, unusual, known, ordinary))


def _grouped(
    desk: Desk,
    noted: Sequence[NotedRequest],
    weeks: Sequence[str],
    others: Sequence[str],
    *,
    unlabelled: Collection[str] = (),
) -> tuple[Theme, ...]:
    if len(noted) < LEAST:
        return ()
    embeddings = request_encoder(desk).embed([asked(one.text) for one in noted])
    hide = desk.client.redaction
    return tuple(find_themes(noted, embeddings, weeks=weeks, others=others, redaction=hide, unlabelled=unlabelled))


def _listed(desk: Desk, window: Window) -> set[str] | None:
    """The ids of a week's edge cases; None where its review listed none because nobody could look."""
    try:
        return {one.id for one in records.load_rows(desk.store, edges_key(window.key), EdgeCase)}
    except NotFoundError:
        return None


def _taught(desk: Desk, moment: datetime) -> set[str]:
    """The texts that the model in service just before a moment was taught; none where it was never taught by us.

    Where that is not on record they are those that the client began with.
    """
    served = [one.version for one in release_log(desk) if one.at < moment]
    lessons = lessons_of(desk, served[-1]) if served else []
    if not lessons and desk.store.exists(LAUNCH_CASES):
        return {case.text for case in records.load_rows(desk.store, LAUNCH_CASES, Case)}
    return {one.case.text for one in lessons}


def _familiar(desk: Desk, taught: Collection[str], eyes: RequestEncoder) -> Familiar:
    """The training texts as embeddings, read back where the same were embedded before."""
    import numpy as np

    texts = sorted(taught, key=draw_order)[:FAMILIAR_TEXTS]
    digest = hashlib.sha256("\n".join([eyes.base.digest, eyes.base.settings_digest, *texts]).encode()).hexdigest()
    try:
        with np.load(BytesIO(desk.store.read(FAMILIAR)), allow_pickle=False) as kept:
            if str(kept["digest"]) == digest:
                return Familiar(kept["embeddings"].astype(np.float32), float(kept["ordinary"]))
    except NotFoundError:
        pass
    known = familiar(eyes.embed(texts))
    buffer = BytesIO()
    np.savez(buffer, digest=digest, embeddings=known.embeddings.astype(np.float16), ordinary=known.ordinary)
    desk.store.write(FAMILIAR, buffer.getvalue())
    return Familiar(known.embeddings.astype(np.float16).astype(np.float32), known.ordinary)


def _labels(client: Client, answered: Sequence[Prediction]) -> set[str]:
    """The labels that the model has, agreed or learned since; none where its answers are texts."""
    return set() if client.free_text else {*client.labels, *(one.output for one in answered if one.output)}


def _truth(client: Client, one: Prediction, said: Sequence[Outcome]) -> Truth | None:
    counted = opinions(said, client.free_text)
    return truth_of(one, counted, out_of_scope=client.out_of_scope_label) if counted else None


def _noted(
    client: Client, week: str, one: Prediction, said: Sequence[Outcome], odd: Collection[str]
) -> NotedRequest | None:
    """A request that was answered wrong, handed to a person or listed as an edge case, else None."""
    truth, unusual = _truth(client, one, said), one.id in odd
    wrong = truth is not None and not truth.right
    troubled = wrong or not one.automatic
    if not troubled and not unusual:
        return None
    if client.free_text:
        return NotedRequest(week, one.input, wrong, None, None, unusual, troubled, not one.automatic)
    labels = {*client.answers, one.output or ""}
    answer = truth.answer if truth else None
    right = None if answer is None else redact_answer(answer, client.redaction, labels=labels)
    given = one.output if wrong or one.automatic else None
    return NotedRequest(week, one.input, wrong, given, right, unusual, troubled, not one.automatic)
