# SPDX-License-Identifier: Apache-2.0
"""Rows to start from: a customer with a contract, written by the store itself."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from meshkit.period import Period
from meshkit.quantity import MICROS, Credits, Money, Ratio
from services.contract.domain.billing.coverage import Charge
from services.contract.domain.billing.price import Rounding, SeatRate
from services.contract.domain.billing.state import BilledPeriod
from services.contract.domain.contract import (
    BillingFrequency,
    CollectionSchedule,
    Contract,
    SeatInvoicing,
    SeatProration,
    Subscription,
)
from services.contract.domain.customer import Customer
from services.contract.domain.ids import (
    ContractId,
    CreditTypeId,
    CustomerId,
    GrantScheduleId,
    InvoiceId,
    InvoiceLineId,
    ProductId,
    RateCardId,
    SeatChangeId,
    SubscriptionId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.invoice import (
    WHOLE,
    Invoice,
    InvoiceLine,
    InvoiceLineKind,
    InvoiceStatus,
    total_of,
)
from services.contract.domain.schedules import (
    GrantFrequency,
    GrantSchedule,
    GrantTerms,
    PeriodProration,
    Rollover,
    ScheduleEdition,
)
from services.contract.domain.seats.timeline import SeatChange
from services.contract.domain.top_up import PaymentGate, TopUp, TopUpStatus, TopUpTerms
from services.contract.store import Transaction
from tests.support.catalog import JUNE
from tests.support.contract import day

ACME = Customer(
    customer_id=CustomerId("cus_1"),
    name="Acme",
    aliases=("acme", "crm:42"),
    version=1,
    create_time=JUNE,
)
RATE = SeatRate(
    rate_id="rat_1",
    currency_code="USD",
    price=Ratio(100 * MICROS, MICROS),
    effective_time=JUNE,
    end_time=day(7, 1, 2030),
)
SEATS = Subscription(
    subscription_id=SubscriptionId("sub_1"),
    product_id=ProductId("prd_1"),
    product_name="Team Plan",
    billing_frequency=BillingFrequency.ANNUAL,
    proration=SeatProration(
        is_prorated=True,
        invoicing=SeatInvoicing.BILL_ON_NEXT_COLLECTION_DATE,
        rounding=Rounding.CEILING,
    ),
    initial_quantity=4,
    collection_schedule=CollectionSchedule.ARREARS,
    interval_count=2,
    anchor_time=day(5, 15),
    rates=(RATE, replace(RATE, rate_id="rat_2", effective_time=day(7, 1, 2030), end_time=None)),
)
TERMS = GrantTerms(
    unit_amount=Credits.of(100),
    priority=1,
    prorates_increases=True,
    period_proration=PeriodProration.LAST,
    commit_duration=2,
    scope_product_ids=(ProductId("prd_3"), ProductId("prd_0")),
    rollover=Rollover(fraction_millionths=500_000, cap=Credits.of(50), duration=3),
)
SCHEDULE = GrantSchedule(
    grant_schedule_id=GrantScheduleId("sch_1"),
    product_id=ProductId("prd_2"),
    credit_type_id=CreditTypeId("crt_1"),
    subscription_id=SEATS.subscription_id,
    frequency=GrantFrequency.WEEKLY,
    interval_count=2,
    anchor_time=JUNE,
    end_time=day(5, 1, 2031),
    terms=TERMS,
    editions=(
        ScheduleEdition(
            effective_time=day(7, 1, 2030), terms=replace(TERMS, unit_amount=Credits.of(200), rollover=None)
        ),
    ),
)
CONTRACT = Contract(
    contract_id=ContractId("con_1"),
    customer_id=ACME.customer_id,
    version=1,
    name="Year one",
    rate_card_id=RateCardId("rcd_1"),
    start_time=JUNE,
    end_time=day(6, 1, 2031),
    subscriptions=(SEATS, replace(SEATS, subscription_id=SubscriptionId("sub_0"))),
    grant_schedules=(
        SCHEDULE,
        replace(
            SCHEDULE,
            grant_schedule_id=GrantScheduleId("sch_0"),
            subscription_id=None,
            end_time=None,
            terms=replace(TERMS, scope_product_ids=(), rollover=None),
            editions=(),
        ),
    ),
    create_time=JUNE,
    accept_time=day(6, 2),
)
YEAR = Period(JUNE, day(6, 1, 2026))
BILLED = BilledPeriod(
    period=YEAR, rate=RATE, charges=(Charge(seats=4, span=YEAR),), charged_micros=400 * MICROS
)


def a_change(sequence: int, at: datetime, delta: int) -> SeatChange:
    return SeatChange(
        seat_change_id=SeatChangeId(f"chg_{sequence}"),
        subscription_id=SEATS.subscription_id,
        sequence=sequence,
        effective_time=at,
        quantity_delta=delta,
        create_time=JUNE,
    )


def a_count(sequence: int, at: datetime, quantity: int) -> SeatChange:
    return replace(a_change(sequence, at, 0), new_quantity=quantity)


def a_line(
    number: int = 1,
    kind: InvoiceLineKind = InvoiceLineKind.SUBSCRIPTION,
    span: Period = YEAR,
    seats: int = 4,
) -> InvoiceLine:
    return InvoiceLine(
        invoice_line_id=InvoiceLineId(f"lin_{number}"),
        kind=kind,
        product_id=SEATS.product_id,
        description="Team Plan: 4 seats",
        quantity=seats,
        unit_price=Money.of("USD", 100),
        share=WHOLE,
        exact_micros=seats * 100 * MICROS,
        total=Money.of("USD", 100 * seats),
        subscription_id=SEATS.subscription_id,
        span=span,
        billing_period_start=YEAR.start,
    )


def an_invoice(
    *lines: InvoiceLine,
    invoice_id: str = "inv_1",
    issue_time: datetime = JUNE,
    status: InvoiceStatus = InvoiceStatus.OPEN,
) -> Invoice:
    return Invoice(
        invoice_id=InvoiceId(invoice_id),
        customer_id=ACME.customer_id,
        contract_id=CONTRACT.contract_id,
        status=status,
        lines=lines,
        total=total_of(lines),
        issue_time=issue_time,
        finalize_time=issue_time if status is InvoiceStatus.OPEN else None,
        number="",
        paid=Money.zero("USD"),
        credited=Money.zero("USD"),
        void_time=None,
        void_reason="",
    )


def a_purchase_line(number: int = 9) -> InvoiceLine:
    return replace(
        a_line(number, InvoiceLineKind.TOP_UP, seats=1),
        subscription_id=None,
        span=None,
        billing_period_start=None,
    )


A_TOP_UP = TopUp(
    top_up_id=TopUpId("top_1"),
    contract_id=CONTRACT.contract_id,
    customer_id=ACME.customer_id,
    top_up_pack_id=TopUpPackId("pck_1"),
    terms=TopUpTerms(
        product_id=ProductId("prd_2"),
        credit_type_id=CreditTypeId("crt_1"),
        amount=Credits.of(1_000),
        price=Money.of("USD", 80),
        priority=100,
        lifetime=timedelta(days=365, microseconds=1),
    ),
    payment_gate=PaymentGate.EXTERNAL,
    status=TopUpStatus.PENDING_PAYMENT,
    invoice_id=InvoiceId("inv_9"),
    payment_reference="",
    create_time=JUNE,
    resolve_time=None,
    expire_time=day(7, 2),
    last_payment_error=None,
)


async def write_contract(tx: Transaction, contract: Contract = CONTRACT) -> None:
    await tx.customers.insert(ACME)
    await tx.contracts.insert(contract)


async def write_billed(tx: Transaction, subscriptions: Sequence[Subscription] = (SEATS,)) -> None:
    """Charge the first year of the subscriptions."""
    for one in subscriptions:
        await tx.billing.insert_period(one.subscription_id, BILLED)
        await tx.contracts.save_subscription(replace(one, periods_billed=1, billed_from=YEAR.start))
