# SPDX-License-Identifier: Apache-2.0
"""The commands, one per rpc that writes, and the results of the operations.

fingerprint: the hash of the request as received. It shows whether a repeated request_id has another body.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meshkit.quantity import Credits, Money
from services.contract.domain.auto_top_up import AutoTopUp, AutoTopUpTerms
from services.contract.domain.collection import SEND, InvoiceCollection
from services.contract.domain.contract import (
    BillingFrequency,
    CollectionSchedule,
    ContractNow,
    EndOption,
    MoneyBack,
    SeatProration,
    SubscriptionNow,
)
from services.contract.domain.customer import Customer, SuspensionReason
from services.contract.domain.dunning import Dunning
from services.contract.domain.ids import (
    AutoTopUpId,
    ContractId,
    CreditTypeId,
    CustomerId,
    GrantScheduleId,
    InvoiceId,
    InvoicePaymentId,
    PlanChangeId,
    ProductId,
    RateCardId,
    SeatChangeId,
    SeatId,
    SubscriptionId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.invoice import Invoice, InvoiceLine
from services.contract.domain.invoice_credits import AccountCreditEntry, CreditNote, CreditNoteLine
from services.contract.domain.invoice_life import InvoicePayment
from services.contract.domain.invoice_parties import BillingDetails, InvoiceParties, Party
from services.contract.domain.invoice_refunds import InvoiceRefund
from services.contract.domain.invoice_taxes import TaxTerms
from services.contract.domain.overage import OverageTerms
from services.contract.domain.payment_setups import PaymentSetup
from services.contract.domain.payments import PaymentMethod, PaymentState
from services.contract.domain.plan_change import IncludedCredits, PlanChange, UnusedShare
from services.contract.domain.refunds import DisputeOutcome, TopUpRefund
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
    NO_NAMES,
    NamedSeats,
    SeatCounts,
    SeatNames,
    SeatStep,
    SharedPool,
)
from services.contract.domain.seats.timeline import SeatChange
from services.contract.domain.seats.voids import SeatVoid
from services.contract.domain.term import Term
from services.contract.domain.top_up import (
    PAYMENT_WINDOW_DEFAULT,
    PaymentGate,
    PaymentOutcome,
    TopUp,
    TopUpTerms,
)
from services.contract.domain.usage.progress import InvoiceUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCustomer:
    request_id: str
    fingerprint: bytes
    name: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCustomerAliases:
    request_id: str
    fingerprint: bytes
    customer: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendCustomer:
    request_id: str
    fingerprint: bytes
    customer: str
    reason: SuspensionReason = SuspensionReason.OPERATOR
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCustomer:
    """reason None: lifts all suspensions."""

    request_id: str
    fingerprint: bytes
    customer: str
    reason: SuspensionReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveCustomer:
    request_id: str
    fingerprint: bytes
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchiveCustomer:
    request_id: str
    fingerprint: bytes
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendCustomer:
    request_id: str
    fingerprint: bytes
    customer: str


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
class PlanTerms:
    """A change of plan from `contract_id` to the contract that these terms describe."""

    contract_id: ContractId
    name: str
    rate_card_id: RateCardId
    end_time: datetime | None
    subscriptions: tuple[SubscriptionTerms, ...]
    grant_schedules: tuple[GrantScheduleTerms, ...]
    included_credits: IncludedCredits
    money_back: MoneyBack
    accept_unprorated: bool
    overage: tuple[OverageTerms, ...] = ()

    def contract(self, customer_id: CustomerId, *, start_time: datetime) -> CreateContract:
        """Return the terms of the new contract. Its id is that of no request."""
        return CreateContract(
            request_id="",
            fingerprint=b"",
            customer=customer_id,
            name=self.name,
            rate_card_id=self.rate_card_id,
            start_time=start_time,
            end_time=self.end_time,
            subscriptions=self.subscriptions,
            grant_schedules=self.grant_schedules,
            overage=self.overage,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlan:
    request_id: str
    fingerprint: bytes
    plan: PlanTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChangeMade:
    """The stored response to ChangePlan: a repeated request gets the change as it is then."""

    plan_change_id: PlanChangeId


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnswer:
    """The Ledger's answer to a change of plan."""

    unused: tuple[UnusedShare, ...]
    apply_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPreview:
    """What the Ledger would do at a change of plan. granted: at once, by schedule of the new contract."""

    unused: tuple[UnusedShare, ...]
    granted: tuple[Credits, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedPlan:
    """What a change of plan would charge, give back and grant. off_due: taken off unpaid invoices by credit notes."""

    change: PlanChange
    lines: tuple[InvoiceLine, ...]
    total: Money
    off_due: Money
    granted: tuple[Credits, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPlan:
    """A change of plan, the contract that it began, and that contract's first invoice, if one was due at its start."""

    change: PlanChange
    contract: ContractNow
    invoice: Invoice | None


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
class SeatRequest:
    """A seat change from effective_time (None: now) on. At most one of new_quantity and quantity_delta is set.

    Neither: only names change. subscription_id None: the only subscription of the contract.
    """

    contract_id: ContractId
    subscription_id: SubscriptionId | None
    new_quantity: int | None
    quantity_delta: int | None
    effective_time: datetime | None
    names: SeatNames = NO_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSeats:
    request_id: str
    fingerprint: bytes
    seats: SeatRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSeatChange:
    """A change, and the seats in force right after it on the current timeline."""

    change: SeatChange
    quantity_after: int
    names: SeatNames = NO_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsMoved:
    """invoice: what was charged immediately; None if nothing was."""

    listed: ListedSeatChange
    subscription: SubscriptionNow
    invoice: Invoice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidSeatChange:
    """money_back: of the seats of a change that took effect more than 24 h ago."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    seat_change_id: SeatChangeId
    money_back: MoneyBack = MoneyBack.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSeats:
    """seat_ids: have a seat from now on, or from the contract's start if that is later."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    subscription_id: SubscriptionId | None
    named: NamedSeats
    seat_ids: tuple[SeatId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSharedPoolAccess:
    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    subscription_id: SubscriptionId | None
    shared_pool: SharedPool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionChanged:
    """A subscription after its seats were named, its access to shared credits set, or a change of it voided."""

    subscription: SubscriptionNow


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidedSeatChange:
    """A subscription without a change. settlement: the money of a change that was in effect; None: there is none."""

    subscription: SubscriptionNow
    settlement: SeatVoid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSeats:
    """assigned: a page, by seat id, of the steps by which the ids got their seats. counts: of all seats."""

    assigned: tuple[SeatStep, ...]
    counts: SeatCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleCredits:
    """Credits that one grant schedule adds for a seat change."""

    grant_schedule_id: str
    credit_type_id: str
    amount: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatPreview:
    quantity_after: int
    lines: tuple[InvoiceLine, ...]
    total: Money
    credits: tuple[ScheduleCredits, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTopUp:
    """Exactly one of top_up_pack_id and terms is set. payment_window: from the order until it expires."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    top_up_pack_id: TopUpPackId | None
    terms: TopUpTerms | None
    payment_gate: PaymentGate
    payment_window: timedelta = PAYMENT_WINDOW_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveTopUpPayment:
    """error_code, error_message: why it was DECLINED or FAILED; may be empty."""

    request_id: str
    fingerprint: bytes
    top_up_id: TopUpId
    outcome: PaymentOutcome
    payment_reference: str
    error_code: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTopUp:
    request_id: str
    fingerprint: bytes
    top_up_id: TopUpId


@dataclass(frozen=True, slots=True, kw_only=True)
class PayTopUp:
    """payment_method_id: the provider's; empty: the customer's saved one."""

    request_id: str
    fingerprint: bytes
    top_up_id: TopUpId
    payment_method_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayInvoice:
    """payment_method_id: the provider's; empty: the customer's saved one."""

    request_id: str
    fingerprint: bytes
    invoice_id: InvoiceId
    payment_method_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundInvoicePayment:
    """invoice_payment_id None: the invoice's only payment. amount: > 0; None: the rest of it."""

    request_id: str
    fingerprint: bytes
    invoice_id: InvoiceId
    invoice_payment_id: InvoicePaymentId | None
    amount: Money | None
    with_credit_note: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInvoiceCollection:
    request_id: str
    fingerprint: bytes
    contract_id: ContractId
    collection: InvoiceCollection


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTopUp:
    """amount: > 0; None: all that is refundable."""

    request_id: str
    fingerprint: bytes
    top_up_id: TopUpId
    amount: Money | None
    reason: str
    accept_debt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTopUpChargeback:
    """A dispute about a payment that the vendor took. amount: > 0; None unless it is OPENED."""

    request_id: str
    fingerprint: bytes
    top_up_id: TopUpId
    chargeback_id: str
    amount: Money | None
    outcome: DisputeOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePaymentSetup:
    request_id: str
    fingerprint: bytes
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAutoTopUp:
    """The payment gate of the terms is that of customers' own orders, whatever it says."""

    request_id: str
    fingerprint: bytes
    terms: AutoTopUpTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableAutoTopUp:
    request_id: str
    fingerprint: bytes
    auto_top_up_id: AutoTopUpId


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPaymentMethod:
    """provider_customer_id, payment_method_id: the provider's ids."""

    request_id: str
    fingerprint: bytes
    customer: str
    provider_customer_id: str
    payment_method_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpAndInvoice:
    top_up: TopUp
    invoice: Invoice


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalizeInvoice:
    """taxes: of this invoice; none: the customer's."""

    request_id: str
    fingerprint: bytes
    invoice_id: InvoiceId
    taxes: tuple[TaxTerms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidInvoice:
    """regenerate: put the charges on a new draft."""

    request_id: str
    fingerprint: bytes
    invoice_id: InvoiceId
    reason: str
    regenerate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceVoided:
    invoice: Invoice
    regenerated: Invoice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceSeats:
    """Charges billed periods at the prices that are valid now."""

    request_id: str
    fingerprint: bytes
    contract_id: ContractId


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsRepriced:
    """invoice: with the differences; None if there are none."""

    invoice: Invoice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordInvoicePayment:
    """payment_time None: now."""

    request_id: str
    fingerprint: bytes
    invoice_id: InvoiceId
    amount: Money
    reference: str
    payment_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceAttempt:
    """What came of an attempt to pay an invoice. state: of its payment at the provider."""

    invoice: Invoice
    state: PaymentState
    dunning: Dunning | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePaymentRefunded:
    """A refund of an invoice's payment, and the invoice after it."""

    invoice: Invoice
    refund: InvoiceRefund


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePaid:
    invoice: Invoice
    payment: InvoicePayment


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDetails:
    """An invoice with what has happened to it. usage: that it shows; None: it shows none."""

    invoice: Invoice
    payments: tuple[InvoicePayment, ...]
    credit_notes: tuple[CreditNote, ...]
    parties: InvoiceParties | None
    usage: InvoiceUsage | None = None
    refunds: tuple[InvoiceRefund, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCreditNote:
    """Exactly one of amount and lines is given."""

    request_id: str
    fingerprint: bytes
    invoice_id: InvoiceId
    amount: Money | None
    lines: tuple[CreditNoteLine, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceCredited:
    credit_note: CreditNote
    invoice: Invoice


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCredit:
    """balances: what is left, by currency. entries: a page of the changes."""

    balances: tuple[Money, ...]
    entries: tuple[AccountCreditEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBillingDetails:
    request_id: str
    fingerprint: bytes
    customer: str
    billing_details: BillingDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingDetailsSet:
    customer_id: CustomerId
    billing_details: BillingDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSellerDetails:
    request_id: str
    fingerprint: bytes
    seller: Party


# What is stored for a repeated request; the format of each: store/formats.py.
Response = (
    Customer
    | ContractCreated
    | ContractNow
    | SeatsMoved
    | TopUpAndInvoice
    | Invoice
    | InvoiceVoided
    | SeatsRepriced
    | InvoicePaid
    | PlanChangeMade
    | ScheduleChanged
    | SubscriptionChanged
    | InvoiceCredited
    | BillingDetailsSet
    | Party
    | PaymentMethod
    | PaymentSetup
    | InvoiceAttempt
    | InvoicePaymentRefunded
    | TopUpRefund
    | AutoTopUp
)
