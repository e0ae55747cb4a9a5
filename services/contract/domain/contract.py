# SPDX-License-Identifier: Apache-2.0
"""Contracts: the seats that a customer has signed for, and the credits included with them."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import assert_never

from meshkit.period import Cadence, Period
from meshkit.quantity import Money
from services.contract.domain.billing.price import Rounding
from services.contract.domain.billing.tiers import SeatPrice
from services.contract.domain.collection import SEND, InvoiceCollection
from services.contract.domain.errors.contracts import (
    ContractEnded,
    ContractNotStarted,
    EndBeforeNow,
    GrantScheduleNotFound,
    SubscriptionNotFound,
)
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    GrantScheduleId,
    ProductId,
    RateCardId,
    SubscriptionId,
)
from services.contract.domain.overage import OverageLimit
from services.contract.domain.schedules import GrantSchedule, PeriodProration
from services.contract.domain.seats.naming import NamedSeats
from services.contract.domain.term import Term

SUBSCRIPTIONS_MAX = 20
GRANT_SCHEDULES_MAX = 20


class BillingFrequency(Enum):
    """How often seats are billed."""

    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    ANNUAL = "ANNUAL"

    @property
    def cadence(self) -> Cadence:
        """How long one period of this frequency is."""
        match self:
            case BillingFrequency.WEEKLY:
                return Cadence(days=7)
            case BillingFrequency.MONTHLY:
                return Cadence(months=1)
            case BillingFrequency.QUARTERLY:
                return Cadence(months=3)
            case BillingFrequency.ANNUAL:
                return Cadence(months=12)
            case _:
                assert_never(self)


class CollectionSchedule(Enum):
    """When a billing period is charged: at its start, or at its end."""

    ADVANCE = "ADVANCE"
    ARREARS = "ARREARS"


class SeatInvoicing(Enum):
    """When a seat increase inside a period is charged: on a separate invoice, or on the next period's invoice."""

    BILL_IMMEDIATELY = "BILL_IMMEDIATELY"
    BILL_ON_NEXT_COLLECTION_DATE = "BILL_ON_NEXT_COLLECTION_DATE"


class EndOption(Enum):
    """Where EndContract sets the end. AT_TIME: at an instant, or now."""

    AT_TIME = "AT_TIME"
    PERIOD_END = "PERIOD_END"
    PERIOD_START = "PERIOD_START"
    NEVER = "NEVER"
    TERM_END = "TERM_END"


class MoneyBack(Enum):
    """Whether what was paid for the rest of the open billing period comes back, as far as its credits are unused."""

    CREDIT_UNUSED = "CREDIT_UNUSED"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatProration:
    """How seats that are added inside a period are charged."""

    is_prorated: bool = False
    invoicing: SeatInvoicing = SeatInvoicing.BILL_IMMEDIATELY
    rounding: Rounding = Rounding.HALF_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A contract's seats. `initial_quantity` is in force from the contract's start; seat changes follow.

    rates: the Catalog's prices of this product and frequency that had not ended when they were last read.
    periods_billed: number of periods charged, from the first; billed_from: start of the last one. changes: number of
    seat changes received. interval_count: a billing period has that many weeks, months, quarters or years. anchor_time:
    the instant from which periods are counted, at or before the contract's start; None: the start. named: how its seats
    are named; None: they are only counted.
    """

    subscription_id: SubscriptionId
    product_id: ProductId
    product_name: str
    billing_frequency: BillingFrequency
    proration: SeatProration
    initial_quantity: int
    rates: tuple[SeatPrice, ...]
    periods_billed: int = 0
    billed_from: datetime | None = None
    changes: int = 0
    collection_schedule: CollectionSchedule = CollectionSchedule.ADVANCE
    interval_count: int = 1
    anchor_time: datetime | None = None
    named: NamedSeats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A signed contract, in force in [start_time, end_time). end_time None: open-ended.

    version: grows with each change that the Ledger must receive, except seat changes. next_due_time: the next
    instant at which there is something to bill; None: never. accept_time: when it was signed, or its end set last;
    None: by an earlier version. term: None: none was agreed. overage: by credit type; the gate denies in the others.
    end_money_back: what the end was set with; None: there is none, or it was not set by EndContract. settles_end: the
    end is to come, and money is settled when it passes. collection: of its invoices.
    """

    contract_id: ContractId
    customer_id: CustomerId
    version: int
    name: str
    rate_card_id: RateCardId
    start_time: datetime
    end_time: datetime | None
    subscriptions: tuple[Subscription, ...]
    grant_schedules: tuple[GrantSchedule, ...]
    create_time: datetime
    next_due_time: datetime | None = None
    accept_time: datetime | None = None
    term: Term | None = None
    overage: tuple[OverageLimit, ...] = ()
    end_money_back: MoneyBack | None = None
    settles_end: bool = False
    collection: InvoiceCollection = SEND

    def is_over(self, at: datetime) -> bool:
        return self.end_time is not None and self.end_time <= at


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionNow:
    """A subscription as it is at an instant. assigned_quantity: seats that a seat id has."""

    subscription: Subscription
    quantity: int
    unit_price: Money
    current_period: Period
    assigned_quantity: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractNow:
    """A contract as it is at an instant."""

    contract: Contract
    subscriptions: tuple[SubscriptionNow, ...]


def unprorated_schedules(contract: Contract) -> list[int]:
    """Return the positions of grant schedules that grant whole credits where their seats pay a share.

    Source: services/contract/README.md, "Money for seats".
    """
    pays_share = {one.subscription_id: one.proration.is_prorated for one in contract.subscriptions}
    return [
        position
        for position, schedule in enumerate(contract.grant_schedules)
        if schedule.subscription_id is not None
        and (
            schedule.terms.period_proration is not PeriodProration.FIRST_AND_LAST
            or (pays_share[schedule.subscription_id] and not schedule.terms.prorates_increases)
        )
    ]


def refuse_over(contract: Contract, *, at: datetime) -> None:
    """Raise ContractEnded if the contract has ended by `at`."""
    if contract.end_time is not None and contract.is_over(at):
        raise ContractEnded(contract_id=contract.contract_id, end_time=contract.end_time.isoformat())


def is_in_force(contract: Contract, *, at: datetime) -> bool:
    """Return whether something can be bought on a contract at `at`."""
    return contract.start_time <= at and not contract.is_over(at)


def refuse_not_in_force(contract: Contract, *, at: datetime) -> None:
    """Raise ContractNotStarted or ContractEnded unless the contract is in force at `at`."""
    refuse_over(contract, at=at)
    if at < contract.start_time:
        raise ContractNotStarted(contract_id=contract.contract_id, start_time=contract.start_time.isoformat())


def end_of(contract: Contract, end_time: datetime | None, *, at: datetime) -> datetime:
    """Return when a contract ends if its end is set to `end_time` (None: now).

    A contract that has not started by then ends at its start: it is never in force.
    Raises ContractEnded, EndBeforeNow.
    """
    refuse_over(contract, at=at)
    if end_time is not None and end_time < at:
        raise EndBeforeNow(end_time=end_time.isoformat(), now_time=at.isoformat())
    return max(end_time or at, contract.start_time)


def find_subscription(contract: Contract, subscription_id: SubscriptionId | None) -> Subscription:
    """Return a subscription of the contract; None means its only one. Raises SubscriptionNotFound."""
    for subscription in contract.subscriptions:
        is_only = subscription_id is None and len(contract.subscriptions) == 1
        if is_only or subscription.subscription_id == subscription_id:
            return subscription
    raise SubscriptionNotFound(contract_id=contract.contract_id, subscription_id=subscription_id or "")


def find_schedule(contract: Contract, grant_schedule_id: GrantScheduleId) -> GrantSchedule:
    """Return a grant schedule of the contract. Raises GrantScheduleNotFound."""
    for schedule in contract.grant_schedules:
        if schedule.grant_schedule_id == grant_schedule_id:
            return schedule
    raise GrantScheduleNotFound(contract_id=contract.contract_id, grant_schedule_id=grant_schedule_id)
