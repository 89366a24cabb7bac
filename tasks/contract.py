"""What the contract says, as tasks: what is due, what is included, what becomes a change order."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from upkeep.desk import open_desk
from upkeep.entitlement import Booking, ChangeOrder, Claim
from upkeep.errors import ConfigError
from upkeep.monitoring.review import Review
from upkeep.stages.contract import book_retrain, due, goes_on, is_included, open_order, order_if_extra
from upkeep.stages.contract import book_service as book_on_contract
from upkeep.tiers import Service, Work


@task(task_run_name="contract of {client}")
def due_work(client: str, as_of: datetime, *, tier: int, only: list[Work] | None) -> list[Work]:
    """The work due for a client on the day of `as_of`; `only` asks for certain work whatever the day.

    Raises ConfigError where the client has another tier or the tier does not include the work.
    """
    desk = open_desk(client)
    if desk.client.tier != tier:
        raise ConfigError(f"client {client}: tier is {desk.client.tier}, expected {tier}; run the flow of its tier")
    extra = [work for work in only or [] if work not in desk.tier.schedule]
    if extra:
        raise ConfigError(f"client {client}: tier {tier} includes {list(desk.tier.schedule)}, not {extra}")
    work = due(desk, as_of) if only is None else list(only)
    if not work:
        get_run_logger().info("%s: nothing is due on %s", client, desk.local(as_of).date())
    return work


@task(task_run_name="retrain of {client} included?")
def ask(client: str, as_of: datetime, reason: str) -> Claim | ChangeOrder:
    """What the contract says to a retrain: nothing is booked yet, and what it does not include is a change order."""
    desk = open_desk(client)
    answer = is_included(desk, as_of, reason)
    if isinstance(answer, Claim):
        return answer
    opened = open_order(desk, answer, as_of)
    tell_order(client, opened)
    return opened


@task(task_run_name="book retrain for {client}")
def book(client: str, as_of: datetime, reason: str) -> Claim | ChangeOrder:
    """Book a retrain on the contract, or open a change order where the contract does not include it."""
    desk = open_desk(client)
    answer = book_retrain(desk, as_of, reason)
    if isinstance(answer, Claim):
        going_on = goes_on(desk, answer, as_of)
        get_run_logger().info("%s: %s", client, going_on or f"retrain of {answer.period} is included")
    else:
        tell_order(client, answer)
    return answer


@task(task_run_name="order for {client}?")
def order(client: str, found: Review) -> ChangeOrder | None:
    """Open a change order where a review recommends a retrain that the contract does not include."""
    answer = order_if_extra(open_desk(client), found)
    if answer:
        tell_order(client, answer)
    return answer


@task(task_run_name="book {service} for {client}")
def book_service(client: str, service: Service, as_of: datetime, *, by: str, reason: str) -> Booking | ChangeOrder:
    """Book what people did on the contract, or open a change order where the contract does not include it."""
    desk = open_desk(client)
    there = desk.bookings()
    answer = book_on_contract(desk, service, as_of, reason=reason, by=by)
    if isinstance(answer, ChangeOrder):
        tell_order(client, answer)
    else:
        get_run_logger().info("%s: %s%s", client, "already written down: " if answer in there else "", answer)
    return answer


def tell_order(client: str, order: ChangeOrder) -> None:
    """Say on the run's page what is a change order, and why."""
    get_run_logger().info("%s: %s", client, order)
    included = f"Next included: {order.next_included:%Y-%m-%d}." if order.next_included else ""
    create_markdown_artifact(
        key=f"change-order-{client}",
        markdown=f"# Change order {order.period}: {client}\n\nFor {order.work}: {order.reason}\n\n"
        f"{order.why_extra}. {included}",
        description=f"{client}: {order.work} that the contract does not include",
    )
