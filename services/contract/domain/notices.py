# SPDX-License-Identifier: Apache-2.0
"""Notices for the Ledger, in order per customer. Each contains everything that the Ledger needs to apply it.

Those for Alert are in events.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits, Money
from services.contract.domain.auto_top_up import AutoTopUp, AutoTopUpStatus
from services.contract.domain.contract import Contract
from services.contract.domain.customer import Customer
from services.contract.domain.events import VendorEvent
from services.contract.domain.free_credits import FreeSchedule, free_schedules
from services.contract.domain.ids import (
    AutoTopUpId,
    ContractId,
    CreditTypeId,
    CustomerId,
    PlanChangeId,
    ProductId,
    RateCardId,
    RefundId,
    SeatChangeId,
    SeatId,
    SeatVoidId,
    SubscriptionId,
    TopUpId,
)
from services.contract.domain.invoice import Invoice
from services.contract.domain.plan_change import IncludedCredits, PaidSeats, PlanChange
from services.contract.domain.refunds import TopUpRefund, to_void
from services.contract.domain.schedules import GrantSchedule
from services.contract.domain.seats.naming import NO_NAMES, NamedSeats, SeatNames
from services.contract.domain.seats.timeline import SeatChange
from services.contract.domain.seats.voids import SeatVoid
from services.contract.domain.top_up import TopUp


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerChanged:
    customer_id: CustomerId
    version: int
    aliases: tuple[str, ...]
    is_suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsAtStart:
    """Seat ids of the start follow as the first change of the seats."""

    subscription_id: SubscriptionId
    initial_quantity: int
    named: NamedSeats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverageAllowed:
    """cap: of a usage period; None: no limit."""

    credit_type_id: CreditTypeId
    cap: Credits | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractChanged:
    """accept_time: when these terms were accepted; None: of a contract or notice that an earlier version wrote.

    overage: by credit type; the gate denies in the others. free: those of the schedules that are free.
    """

    customer_id: CustomerId
    contract_id: ContractId
    version: int
    rate_card_id: RateCardId
    start_time: datetime
    end_time: datetime | None
    subscriptions: tuple[SeatsAtStart, ...]
    grant_schedules: tuple[GrantSchedule, ...]
    accept_time: datetime | None
    overage: tuple[OverageAllowed, ...]
    free: tuple[FreeSchedule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsChanged:
    """quantity_delta counts unless new_quantity is set. accept_time None: in notices of earlier versions.

    is_void: the change does not count any more. Of one kind with the change, so that it never arrives before it.
    seat_void_id, paid: of a void whose money is settled by the Ledger's answer.
    """

    customer_id: CustomerId
    subscription_id: SubscriptionId
    seat_change_id: SeatChangeId
    sequence: int
    effective_time: datetime
    quantity_delta: int
    new_quantity: int | None
    accept_time: datetime | None
    names: SeatNames = NO_NAMES
    is_void: bool = False
    seat_void_id: SeatVoidId | None = None
    paid: PaidSeats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpPaid:
    """cost_basis: what was paid. The grant is in force in [effective_time, expire_time). expire_time None: forever.

    pays_debts: the Ledger gets the currency, so that a part can pay what is owed.
    """

    customer_id: CustomerId
    top_up_id: TopUpId
    product_id: ProductId
    credit_type_id: CreditTypeId
    amount: Credits
    cost_basis: Money
    priority: int
    effective_time: datetime
    expire_time: datetime | None
    pays_debts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRefunded:
    """voided_at_least: how much of the top-up's grant shall be voided in all; None: all of its rest.

    accept_debt: what of it was spent is owed, in this currency.
    """

    customer_id: CustomerId
    refund_id: RefundId
    top_up_id: TopUpId
    voided_at_least: Credits | None
    accept_debt: bool
    currency_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRefundReversed:
    """The money of a refund that accepted a debt is back."""

    customer_id: CustomerId
    refund_id: RefundId
    top_up_id: TopUpId


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpLevelChanged:
    """The Ledger reports what remains, once for each version, and each time it crosses the threshold."""

    customer_id: CustomerId
    auto_top_up_id: AutoTopUpId
    version: int
    is_active: bool
    credit_type_id: CreditTypeId
    threshold: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSeats:
    """The seat ids of a subscription from its contract's start."""

    subscription_id: SubscriptionId
    seat_ids: tuple[SeatId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged:
    """One contract ends and another begins; begun None: none begins. paid: what the Ledger needs to answer.

    first_seats: of the contract that begins, so that rests can go to them; they follow as changes of the seats, too.
    """

    customer_id: CustomerId
    plan_change_id: PlanChangeId
    ended: ContractChanged
    begun: ContractChanged | None
    included_credits: IncludedCredits
    paid: tuple[PaidSeats, ...]
    first_seats: tuple[FirstSeats, ...] = ()


# The format of each, named as the notice's kind: store/formats.py.
Payload = (
    CustomerChanged
    | ContractChanged
    | SeatsChanged
    | TopUpPaid
    | TopUpRefunded
    | TopUpRefundReversed
    | TopUpLevelChanged
    | PlanChanged
    | VendorEvent
)


def top_up_refunded(
    refund: TopUpRefund, invoice: Invoice, granted: Credits, earlier: Sequence[TopUpRefund]
) -> TopUpRefunded:
    """Return what the Ledger shall do for a PENDING refund. earlier: the top-up's other refunds."""
    return TopUpRefunded(
        customer_id=refund.customer_id,
        refund_id=refund.refund_id,
        top_up_id=refund.top_up_id,
        voided_at_least=None if refund.asked is None else to_void(invoice, granted, refund.asked, earlier),
        accept_debt=refund.accept_debt,
        currency_code=invoice.total.currency_code,
    )


def refund_reversed(refund: TopUpRefund) -> TopUpRefundReversed:
    return TopUpRefundReversed(
        customer_id=refund.customer_id, refund_id=refund.refund_id, top_up_id=refund.top_up_id
    )


def customer_changed(customer: Customer) -> CustomerChanged:
    return CustomerChanged(
        customer_id=customer.customer_id,
        version=customer.version,
        aliases=customer.aliases,
        is_suspended=customer.is_suspended,
    )


def contract_changed(contract: Contract) -> ContractChanged:
    return ContractChanged(
        customer_id=contract.customer_id,
        contract_id=contract.contract_id,
        version=contract.version,
        rate_card_id=contract.rate_card_id,
        start_time=contract.start_time,
        end_time=contract.end_time,
        subscriptions=tuple(
            SeatsAtStart(
                subscription_id=one.subscription_id, initial_quantity=one.initial_quantity, named=one.named
            )
            for one in contract.subscriptions
        ),
        grant_schedules=contract.grant_schedules,
        accept_time=contract.accept_time,
        overage=tuple(
            OverageAllowed(credit_type_id=one.credit_type_id, cap=one.credits_cap) for one in contract.overage
        ),
        free=free_schedules(contract),
    )


def plan_changed(
    change: PlanChange,
    *,
    ended: Contract,
    begun: Contract | None,
    first_seats: Iterable[FirstSeats] = (),
) -> PlanChanged:
    return PlanChanged(
        customer_id=change.customer_id,
        plan_change_id=change.plan_change_id,
        ended=contract_changed(ended),
        begun=None if begun is None else contract_changed(begun),
        included_credits=change.included_credits,
        paid=change.paid,
        first_seats=tuple(first_seats),
    )


def seats_changed(
    customer_id: CustomerId,
    change: SeatChange,
    names: SeatNames,
    *,
    is_void: bool = False,
    settlement: SeatVoid | None = None,
) -> SeatsChanged:
    return SeatsChanged(
        customer_id=customer_id,
        subscription_id=change.subscription_id,
        seat_change_id=change.seat_change_id,
        sequence=change.sequence,
        effective_time=change.effective_time,
        quantity_delta=change.quantity_delta,
        new_quantity=change.new_quantity,
        accept_time=change.create_time,
        names=names,
        is_void=is_void,
        seat_void_id=None if settlement is None else settlement.seat_void_id,
        paid=None if settlement is None else settlement.paid,
    )


def top_up_paid(top_up: TopUp, *, at: datetime) -> TopUpPaid:
    """Return the grant of a top-up that was paid at `at`."""
    terms = top_up.terms
    return TopUpPaid(
        customer_id=top_up.customer_id,
        top_up_id=top_up.top_up_id,
        product_id=terms.product_id,
        credit_type_id=terms.credit_type_id,
        amount=terms.amount,
        cost_basis=terms.price,
        priority=terms.priority,
        effective_time=at,
        expire_time=None if terms.lifetime is None else at + terms.lifetime,
        pays_debts=True,
    )


def top_up_level_changed(auto: AutoTopUp) -> TopUpLevelChanged:
    return TopUpLevelChanged(
        customer_id=auto.customer_id,
        auto_top_up_id=auto.auto_top_up_id,
        version=auto.version,
        is_active=auto.status is not AutoTopUpStatus.DISABLED,
        credit_type_id=auto.credit_type_id,
        threshold=auto.terms.threshold,
    )
