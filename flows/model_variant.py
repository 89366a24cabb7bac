"""A model of its own for a part of one client's requests, from what is known of them to a decision."""

from __future__ import annotations

import json
from datetime import datetime

from prefect import flow, get_run_logger
from pydantic import BaseModel

from flows.moment import moment
from flows.naming import by_day
from tasks.finetuning import finetune
from tasks.model_variant import begin, check, compare_both, start
from upkeep.cases.model_variant import Part
from upkeep.desk import LAUNCH
from upkeep.entitlement import NO_REASON, ChangeOrder, given_reason
from upkeep.stages.decisions import Decision
from upkeep.stages.sole_training import sole_training


class Example(BaseModel):
    """A request with its right answer."""

    text: str
    answer: str


@flow(flow_run_name=by_day("model variant {variant} of {client} {day}"))
def model_variant(
    client: str,
    variant: str,
    key: str,
    value: str,
    *,
    examples: list[Example] | None = None,
    golden: list[Example] | None = None,
    as_of: datetime | None = None,
    reason: str = NO_REASON,
    by: str = "",
    approve: bool = False,
) -> Decision | ChangeOrder:
    """Train a model of its own for a part of a client's requests, and put it into service where it is better there.

    What the tier does not include becomes a change order instead. Run again it goes on where
    it is, and begins anew with further examples or on a day after it did not win.

    Args:
        client: a client in configs/clients.
        variant: another one, with a config and a store of its own, that the variant is from then on.
        key: the metadata key, one of the client's review_by, by which the part is known.
        value: its value in the part's requests.
        examples: requests of the part with their answers, besides those that the client has.
        golden: the same to compare on; none of them is trained on.
        as_of: act as if it were then; empty: now.
        reason: why, for the record.
        by: who wants it, or approves.
        approve: put it into service whatever the verdict is; the record says so.
    """
    at, reason = moment(as_of), given_reason(reason)
    check(client, variant, Part(key, value))
    waits = get_run_logger().info
    with sole_training(variant, LAUNCH, waits=waits):
        with sole_training(client, variant, waits=waits):  # what it is compared on is locked there
            begun = begin(
                client, variant, Part(key, value), at, cases=_written(examples), golden=_written(golden),
                reason=reason, by=by, approve=approve,
            )  # fmt: skip
        if isinstance(begun, ChangeOrder):
            return begun
        finetune(variant, LAUNCH, begun.as_of)
        decision = compare_both(client, variant, begun)
        return start(variant, decision, at, approve=approve, by=by, reason=reason)


def _written(examples: list[Example] | None) -> bytes:
    """The examples as a file has them, so that they are read as one is."""
    lines = [{"id": f"example-{n}", **one.model_dump()} for n, one in enumerate(examples or [], start=1)]
    return "\n".join(json.dumps(line) for line in lines).encode()
