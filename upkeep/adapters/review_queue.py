"""How do people review cases in MLflow?

offer("acme", "2026-W07", questions, labels=config.labels, uri=uri)  # -> the page on which they answer
collect("acme", "2026-W07", uri=uri)                                 # -> what they answered so far

One review queue per batch in the client's experiment `<client>/cases`; each question is a trace, written at once
because MLflow's own queue of traces discards what does not fit. MLflow calls review queues experimental, and its public
functions for them take no address: only this module knows them.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from upkeep.adapters.addresses import shown_address
from upkeep.adapters.registry import Registry, speaking
from upkeep.errors import NotFoundError, StoreError

if TYPE_CHECKING:
    from mlflow.entities import Assessment, Span, TraceInfo
    from mlflow.tracing.client import TracingClient

PART = "cases"
ACCEPT, CHANGE, REJECT = "accept", "change", "reject"
DECISION, ANSWER = "Decision", "Right answer"
"""The questions' names, by which MLflow keeps the answers."""

ELSEWHERE = "(in another list)"
OPTIONS, OPTION_LENGTH = 10, 64
"""MLflow takes no more options in a drop-down, and none that is longer."""

PART_LENGTH = 300
"""The page shows 1,000 characters: this many of each of the answers and the reason leave room for all three."""
CUT = "*Whole: View full trace*"
"""Where the page has the rest."""

CHUNK, MILLISECOND = 100, 1_000_000
BATCH_TAG, ID_TAG = "upkeep.batch", "upkeep.question"


@dataclass(frozen=True, slots=True)
class Shown:
    """A question as a reviewer sees it; personal data is redacted already."""

    id: str
    text: str
    offered: str
    """The answer that is said to be right."""
    why: str
    given: str
    """What the model answered."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a person said of a question last."""

    id: str
    decision: str
    """Empty where only a right answer was given."""
    answers: tuple[str, ...]
    """What was given as the right answer, whatever the decision; each list may have one."""
    comment: str
    by: str
    """`default` where the server has no users."""
    at: datetime


def available(uri: str) -> bool:
    """Is there a server, and so a page? A database file has none."""
    return uri.startswith(("http://", "https://"))


def offer(
    client: str, batch: str, questions: Sequence[Shown], *, labels: Sequence[str], uri: str, days: int | None = None
) -> str:
    """Put a batch before the reviewers, in the order given, and return the page's address.

    Offering it again adds what is missing and keeps what was answered. Without labels the right answer is free text.
    The page says for how many `days` answers on it are looked for, where not for ever. Raises StoreError.
    """
    too_long = [label for label in labels if len(label) > OPTION_LENGTH]
    if too_long:
        raise StoreError(f"client {client}: label {too_long[0]!r} is longer than MLflow's {OPTION_LENGTH} characters")
    with speaking(uri, f"client {client}: review queue {batch!r} cannot be offered at {uri}"):
        mlflow, experiment = _connect(client, uri)
        queue = _queue(mlflow, experiment, batch, _questions(labels, days))
        there = set(_items(mlflow, queue))
        wanted = {_trace_id(client, batch, question): question for question in questions}
        # the page shows the newest on top
        now = time.time_ns()
        missing = [
            (trace, _span(trace, batch, question, now - position * MILLISECOND))
            for position, (trace, question) in enumerate(wanted.items())
            if trace not in there
        ]
        for start in range(0, len(missing), CHUNK):
            traces, spans = zip(*missing[start : start + CHUNK], strict=True)
            mlflow.log_spans(experiment, list(spans))
            mlflow._add_items_to_review_queue(queue, item_ids=list(traces))
    return f"{shown_address(uri).rstrip('/')}/#/experiments/{experiment}/review-queue?selectedQueueId={queue}"


def collect(client: str, batch: str, *, uri: str) -> list[Reviewed]:
    """Everything people have submitted so far and not moved back to do, oldest first.

    Of several answers to a question the newest counts. Raises NotFoundError when the batch was never offered, and
    StoreError.
    """
    with speaking(uri, f"client {client}: review queue {batch!r} cannot be read at {uri}"):
        mlflow, experiment = _connect(client, uri)
        queue = _absent_is_none(lambda: mlflow._get_review_queue_by_name(experiment, batch))
        if queue is None:
            raise NotFoundError(
                f"client {client}: no review queue {batch!r} at {shown_address(uri)}; offer the batch first"
            )
        done = set(_items(mlflow, queue.queue_id, status="complete"))
        traces = _pages(mlflow.search_traces, locations=[experiment], include_spans=False,
                        filter_string=f"tags.`{BATCH_TAG}` = '{batch}'", max_results=CHUNK)  # fmt: skip
        found = [_reviewed(trace.info) for trace in traces if trace.info.trace_id in done]
    return sorted((one for one in found if one is not None), key=lambda one: (one.at, one.id))


def _connect(client: str, uri: str) -> tuple[TracingClient, str]:
    experiment = Registry(client, uri).experiment(PART)
    from mlflow.tracing.client import TracingClient

    return TracingClient(uri), experiment


def _queue(mlflow: TracingClient, experiment: str, batch: str, questions: Iterable[tuple[str, Any, str]]) -> str:
    """The id of the batch's queue, made with its questions at the first use."""
    schemas = [_schema(mlflow, experiment, *question) for question in questions]
    queue = _absent_is_none(lambda: mlflow._get_review_queue_by_name(experiment, batch))
    if queue is None:
        queue = mlflow._create_review_queue(experiment, name=batch, queue_type="custom", schema_ids=schemas)
    return str(queue.queue_id)


def _questions(labels: Sequence[str], days: int | None) -> Iterator[tuple[str, Any, str]]:
    """Name, input and instruction of each question, the page's last first: it shows the newest on top."""
    from mlflow.genai.label_schemas import InputCategorical, InputText

    lists = _lists(labels)
    for number, options in reversed(list(enumerate(lists, start=1))):
        name = ANSWER if number == 1 else f"{ANSWER} {number}"
        which = f": {options[0]} to {options[-2]}" if len(lists) > 1 else ""
        yield name, InputCategorical(options=options), f"For {CHANGE} only{which}."
    if not lists:
        yield f"{ANSWER} in words", InputText(), f"For {CHANGE} only."
    meaning = (
        f"{ACCEPT}: the answer said to be right is right, and no other is chosen. {CHANGE}: another answer is right. "
        f"{REJECT}: the case is not to be learnt from."
    )
    if days is not None:
        meaning += f" Answers here count for {days} days; later ones only in the batch's file, sent back."
    yield DECISION, InputCategorical(options=[ACCEPT, CHANGE, REJECT]), meaning


def _lists(labels: Sequence[str]) -> list[list[str]]:
    """The labels in drop-downs; of several, each has a way to say no, since a choice cannot be taken back."""
    if len(labels) <= OPTIONS:
        return [list(labels)] if labels else []
    ordered, size = sorted(labels, key=str.casefold), OPTIONS - 1
    return [[*ordered[start : start + size], ELSEWHERE] for start in range(0, len(ordered), size)]


def _schema(mlflow: TracingClient, experiment: str, name: str, input_: Any, instruction: str) -> str:
    """The id of a question, with today's labels."""
    schema = _absent_is_none(lambda: mlflow._get_label_schema_by_name(experiment, name))
    if schema is None:
        kind = "feedback" if name == DECISION else "expectation"
        schema = mlflow._create_label_schema(
            experiment, name=name, type=kind, input=input_, instruction=instruction, enable_comment=name == DECISION
        )
    elif (schema.input, schema.instruction) != (input_, instruction):
        mlflow._update_label_schema(schema.schema_id, input=input_, instruction=instruction)
    return str(schema.schema_id)


def _span(trace: str, batch: str, question: Shown, at: int) -> Span:
    """The question as a chat, of which MLflow's page shows the last message of either side, as Markdown."""
    from mlflow.entities import Span

    parts = {"The model answered": question.given, "Said to be right": question.offered, "Why": question.why}
    shown = _fitting(parts)
    answer = "\n\n".join(
        [*([] if shown == parts else [CUT]), *(f"**{name}:** {_plain(part)}" for name, part in shown.items())]
    )
    attributes = {
        "mlflow.traceRequestId": json.dumps(trace),
        "mlflow.spanInputs": json.dumps({"messages": [{"role": "user", "content": _plain(question.text)}]}),
        "mlflow.spanOutputs": json.dumps({**parts, "messages": [{"role": "assistant", "content": answer}]}),
        f"mlflow.traceTag.{BATCH_TAG}": batch,
        f"mlflow.traceTag.{ID_TAG}": question.id,
    }
    return Span.from_dict(
        {
            "name": "case",
            "trace_id": trace,
            "span_id": trace[-16:],
            "parent_span_id": "",
            "start_time_unix_nano": at,
            "end_time_unix_nano": at,
            "attributes": attributes,
            "status": {"code": "STATUS_CODE_OK"},
        }
    )


def _fitting(parts: dict[str, str]) -> dict[str, str]:
    """All of each where there is room for all, else of each the beginning."""
    if sum(map(len, parts.values())) <= len(parts) * PART_LENGTH:
        return parts
    return {name: part if len(part) <= PART_LENGTH else f"{part[:PART_LENGTH]}…" for name, part in parts.items()}


def _plain(text: str) -> str:
    """Markdown that shows the text as it is: no headings, no lost line breaks, and no images fetched from elsewhere."""
    escaped = re.sub(r"[\\`*#\[\]<>!|~&]|\b_|_\b|^[-+=]", r"\\\g<0>", text, flags=re.MULTILINE)
    return escaped.replace("\n", "  \n")


def _reviewed(trace: TraceInfo) -> Reviewed | None:
    """What the person who answered last says, or None when nobody answered our questions."""
    answers = [one for one in trace.assessments if one.valid is not False and one.name.startswith((DECISION, ANSWER))]
    if not answers:
        return None
    answers.sort(key=_time)
    last, by = answers[-1], _by(answers[-1])
    own = {one.name: one for one in answers if _by(one) == by}
    decided = own.pop(DECISION, None)
    chosen = {_value(one) for one in own.values()} - {ELSEWHERE, ""}
    return Reviewed(
        id=trace.tags[ID_TAG],
        decision=_value(decided) if decided else "",
        answers=tuple(sorted(chosen)),
        comment=(decided and decided.rationale) or "",
        by=by,
        at=datetime.fromtimestamp(_time(last) / 1000, UTC),
    )


def _time(one: Assessment) -> int:
    return int(one.last_update_time_ms or one.create_time_ms or 0)


def _by(one: Assessment) -> str:
    return one.source.source_id or ""


def _value(one: Assessment) -> str:
    """Of a feedback or an expectation; MLflow's common class has no value."""
    return str(getattr(one, "value", ""))


def _items(mlflow: TracingClient, queue: str, **only: str) -> Iterator[str]:
    return (item.item_id for item in _pages(mlflow._list_review_queue_items, queue_id=queue, **only))


def _pages(call: Callable[..., Any], **arguments: object) -> Iterator[Any]:
    """Everything a listing has, page by page."""
    token = None
    while True:
        page = call(**arguments, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _trace_id(client: str, batch: str, question: Shown) -> str:
    """The same for the same question, so that a trace that was written and not yet queued is written over."""
    return f"tr-{hashlib.sha256(json.dumps([client, batch, question.id]).encode()).hexdigest()[:32]}"


def _absent_is_none(call: Callable[[], Any]) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return call()
    except MlflowException as exc:
        if exc.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
