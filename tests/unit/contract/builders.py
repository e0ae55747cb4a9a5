# SPDX-License-Identifier: Apache-2.0
"""Domain objects of Contract, with a default for whatever a test does not care about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from meshkit.quantity import MICROS, Ratio
from services.contract.domain.billing import state as billing
from services.contract.domain.billing.price import Rounding, SeatRate
from services.contract.domain.billing.state import Account
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


def a_timeline(opening: int, *changes: tuple[datetime, int]) -> Timeline:
    timeline = Timeline(opening_quantity=opening)
    for sequence, (at, delta) in enumerate(changes, start=1):
        timeline = timeline.with_change(a_change(at, delta, sequence))
    return timeline


def an_account(
    quantity: int = 4,
    *,
    start: datetime = JUNE,
    end: datetime | None = None,
    frequency: BillingFrequency = BillingFrequency.ANNUAL,
    is_prorated: bool = True,
    invoicing: SeatInvoicing = SeatInvoicing.BILL_IMMEDIATELY,
    rounding: Rounding = Rounding.HALF_UP,
    rates: Sequence[SeatRate] = (a_rate(),),
) -> Account:
    """An account of which nothing is billed yet."""
    subscription = Subscription(
        subscription_id=SUBSCRIPTION,
        product_id=ProductId("prd_1"),
        product_name="Team Plan",
        billing_frequency=frequency,
        proration=SeatProration(is_prorated=is_prorated, invoicing=invoicing, rounding=rounding),
        initial_quantity=quantity,
        rates=tuple(rates),
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
    return Account(contract=contract, subscription=subscription, timeline=timeline, billed=None)


def changed(account: Account, at: datetime, delta: int) -> Account:
    """The account with one more change of seats; nothing is charged for it."""
    sequence = account.subscription.changes + 1
    return replace(
        account,
        subscription=replace(account.subscription, changes=sequence),
        timeline=account.timeline.with_change(a_change(at, delta, sequence)),
    )


def settled_through(account: Account, at: datetime) -> tuple[Account, list[tuple[datetime, InvoiceLine]]]:
    """Bill everything due up to `at`, as the due run does: the account after, and what was charged when."""
    charged: list[tuple[datetime, InvoiceLine]] = []
    while (due := billing.next_due(account)) is not None and due <= at:
        settled = billing.settle(account, due, account.subscription.rates)
        charged += [(due, line) for line in settled.lines]
        account = settled.account
    return account, charged


def received(
    account: Account, at: datetime, delta: int, *, now: datetime
) -> tuple[Account, list[InvoiceLine]]:
    """Let a change come in at `now`, as ChangeSeats does: the account after, and what was charged at once."""
    account, _ = settled_through(account, now)
    settled = billing.charge_increases(changed(account, at, delta), through=now, due=now)
    return settled.account, list(settled.lines)
