# SPDX-License-Identifier: Apache-2.0
"""Domain objects of Contract, with a default for whatever a test does not care about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from meshkit.quantity import MICROS, Ratio
from services.contract.domain.billing import charges
from services.contract.domain.billing.price import Rounding, SeatRate
from services.contract.domain.billing.state import BillingState, next_due
from services.contract.domain.contract import (
    BillingFrequency,
    Contract,
    SeatInvoicing,
    SeatProration,
    Subscription,
)
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    ProductId,
    RateCardId,
    SeatChangeId,
    SubscriptionId,
)
from services.contract.domain.invoice import InvoiceLine
from services.contract.domain.seats.timeline import SeatChange, Timeline

SUBSCRIPTION = SubscriptionId("sub_1")
CONTRACT = ContractId("con_1")
CARD = RateCardId("rcd_1")


def day(month: int, number: int, year: int = 2025) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


JUNE = day(6, 1)


def a_rate(
    dollars: int = 100, start: datetime = JUNE, end: datetime | None = None, rate_id: str = "rat_1"
) -> SeatRate:
    return SeatRate(
        rate_id=rate_id,
        currency_code="USD",
        price=Ratio(dollars * MICROS, MICROS),
        effective_time=start,
        end_time=end,
    )


def a_change(at: datetime, delta: int, sequence: int = 1) -> SeatChange:
    return SeatChange(
        seat_change_id=SeatChangeId(f"chg_{sequence}"),
        subscription_id=SUBSCRIPTION,
        sequence=sequence,
        effective_time=at,
        quantity_delta=delta,
        create_time=at,
    )


def a_count(at: datetime, quantity: int, sequence: int = 1) -> SeatChange:
    """An absolute count."""
    return replace(a_change(at, 0, sequence), new_quantity=quantity)


def a_timeline(opening: int, *changes: tuple[datetime, int]) -> Timeline:
    timeline = Timeline(opening_quantity=opening)
    for sequence, (at, delta) in enumerate(changes, start=1):
        timeline = timeline.with_change(a_change(at, delta, sequence))
    return timeline


def a_billing_state(
    quantity: int = 4,
    *,
    start: datetime = JUNE,
    end: datetime | None = None,
    frequency: BillingFrequency = BillingFrequency.ANNUAL,
    is_prorated: bool = True,
    invoicing: SeatInvoicing = SeatInvoicing.BILL_IMMEDIATELY,
    rounding: Rounding = Rounding.HALF_UP,
    rates: Sequence[SeatRate] = (a_rate(),),
    **more: Any,
) -> BillingState:
    """A billing state without a billed period. more: of the subscription."""
    subscription = Subscription(
        subscription_id=SUBSCRIPTION,
        product_id=ProductId("prd_1"),
        product_name="Team Plan",
        billing_frequency=frequency,
        proration=SeatProration(is_prorated=is_prorated, invoicing=invoicing, rounding=rounding),
        initial_quantity=quantity,
        rates=tuple(rates),
        **more,
    )
    contract = Contract(
        contract_id=CONTRACT,
        customer_id=CustomerId("cus_1"),
        version=1,
        name="",
        rate_card_id=CARD,
        start_time=start,
        end_time=end,
        subscriptions=(subscription,),
        grant_schedules=(),
        create_time=start,
    )
    timeline = Timeline(opening_quantity=quantity)
    return BillingState(contract=contract, subscription=subscription, timeline=timeline, billed=None)


def changed(state: BillingState, at: datetime, delta: int) -> BillingState:
    """The state with one more change of seats; nothing is charged for it."""
    sequence = state.subscription.changes + 1
    return replace(
        state,
        subscription=replace(state.subscription, changes=sequence),
        timeline=state.timeline.with_change(a_change(at, delta, sequence)),
    )


def counted(state: BillingState, at: datetime, quantity: int) -> BillingState:
    """The state with one more absolute count; nothing is charged for it."""
    sequence = state.subscription.changes + 1
    return replace(
        state,
        subscription=replace(state.subscription, changes=sequence),
        timeline=state.timeline.with_change(a_count(at, quantity, sequence)),
    )


def billed_through(
    state: BillingState, at: datetime
) -> tuple[BillingState, list[tuple[datetime, InvoiceLine]]]:
    """Bill everything due up to `at`, as the due run does: the state after, and what was charged when."""
    charged: list[tuple[datetime, InvoiceLine]] = []
    while (due := next_due(state)) is not None and due <= at:
        result = charges.charge_due(state, due, state.subscription.rates)
        charged += [(due, line) for line in result.lines]
        state = result.state
    return state, charged


def received(
    state: BillingState, at: datetime, delta: int, *, now: datetime
) -> tuple[BillingState, list[InvoiceLine]]:
    """Let a change come in at `now`, as ChangeSeats does: the state after, and what was charged at once."""
    state, _ = billed_through(state, now)
    result = charges.charge_increases(changed(state, at, delta), through=now, due=now)
    return result.state, list(result.lines)
