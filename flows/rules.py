"""A person's answer to a relabel rule that a review proposes."""

from __future__ import annotations

from datetime import date, datetime

from prefect import flow

from flows.moment import moment
from flows.naming import by_day
from tasks.rules import answer as write_down
from upkeep.cases.relabel_rules import Found, Ruling


@flow(flow_run_name=by_day("{answer} rule {rule} of {client}"))
def rules(
    client: str,
    rule: str,
    by: str,
    *,
    answer: Ruling = Ruling.ACCEPT,
    since: date | None = None,
    as_of: datetime | None = None,
) -> Found:
    """Accept a rule, so that the next retrain unlearns the old answer, or refuse it.

    Args:
        client: a client in configs/clients.
        rule: its id, eight letters and digits, as the review tells it.
        by: your name, for the record.
        answer: accept or refuse.
        since: the day from which the new answer is right; empty: the day that the review found.
        as_of: act as if it were then; empty: now.
    """
    return write_down(client, rule, answer, moment(as_of), by=by, since=since)
