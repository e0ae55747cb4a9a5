# SPDX-License-Identifier: Apache-2.0
"""Commands about contracts, their terms, schedules and ends."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.contract.domain.collection import SEND, InvoiceCollection
from services.contract.domain.contract import (
    BillingFrequency,
    CollectionSchedule,
    ContractNow,
    EndOption,
    MoneyBack,
    SeatProration,
)
from services.contract.domain.ids import (
    ContractId,
    CreditTypeId,
    GrantScheduleId,
    ProductId,
    RateCardId,
    SeatId,
)
from services.contract.domain.invoice import Invoice
from services.contract.domain.overage import OverageTerms
from services.contract.domain.plan_change import PlanChange
from services.contract.domain.schedules import (
    Allocation,
    GrantAlignment,
    GrantFrequency,
    GrantSchedule,
    GrantTerms,
    PeriodProration,
    Rollover,
    TermsEdit,
)
from services.contract.domain.seats.naming import (
    NamedSeats,
)
from services.contract.domain.term import Term


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionTerms:
    """At most one of anchor_time and anchor_day is set. Neither: periods are counted from the contract's start.

    named None: seats are only counted, and there are no initial_seat_ids.
    """

    product_id: ProductId
    billing_frequency: BillingFrequency
    initial_quantity: int
    proration: SeatProration
    collection_schedule: CollectionSchedule = CollectionSchedule.ADVANCE
    interval_count: int = 1
    anchor_time: datetime | None = None
    anchor_day: int | None = None
    named: NamedSeats | None = None
    initial_seat_ids: tuple[SeatId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantScheduleTerms:
    """subscription_index: position in the contract's subscriptions; None: not linked to seats.

    anchor_time None: the contract's start, or what the billing periods are counted from.
    """

    product_id: ProductId
    credit_type_id: CreditTypeId
    unit_amount: Credits
    subscription_index: int | None
    frequency: GrantFrequency
    anchor_time: datetime | None
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: tuple[ProductId, ...]
    interval_count: int = 1
    alignment: GrantAlignment = GrantAlignment.OWN_ANCHOR
    rollover: Rollover | None = None
    allocation: Allocation = Allocation.POOLED

    @property
    def terms(self) -> GrantTerms:
        return GrantTerms(
            unit_amount=self.unit_amount,
            priority=self.priority,
            prorates_increases=self.prorates_increases,
            period_proration=self.period_proration,
            commit_duration=self.commit_duration,
            scope_product_ids=self.scope_product_ids,
            rollover=self.rollover,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateContract:
    """end_time None: open-ended, or as the term says; it is None if there is a term."""

    request_id: str
    fingerprint: bytes
    customer: str
    name: str
    rate_card_id: RateCardId
    start_time: datetime
    end_time: datetime | None
    subscriptions: tuple[SubscriptionTerms, ...]
    grant_schedules: tuple[GrantScheduleTerms, ...]
    term: Term | None = None
    overage: tuple[OverageTerms, ...] = ()
    collection: InvoiceCollection = SEND


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractCreated:
    contract: ContractNow
    invoices: tuple[Invoice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndContract:
    """end_time None: now. It is None unless end_option is AT_TIME."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    end_time: datetime | None
    end_option: EndOption = EndOption.AT_TIME
    ignores_term: bool = False
    money_back: MoneyBack = MoneyBack.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedContract:
    """A contract with its end. settlement: the money of an end now; None: there is nothing to settle."""

    contract: ContractNow
    settlement: PlanChange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOveragePolicy:
    """overage: empty: a hard stop."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    overage: tuple[OverageTerms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditGrantSchedule:
    """effective_time None: for the periods that begin after now."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    grant_schedule_id: GrantScheduleId
    effective_time: datetime | None
    edit: TermsEdit


@dataclass(frozen=True, slots=True, kw_only=True)
class EndGrantSchedule:
    """end_time None: now. removes_end: it ends with its contract."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    grant_schedule_id: GrantScheduleId
    end_time: datetime | None
    removes_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChanged:
    """A grant schedule after it was edited or ended."""

    grant_schedule: GrantSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInvoiceCollection:
    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    collection: InvoiceCollection
