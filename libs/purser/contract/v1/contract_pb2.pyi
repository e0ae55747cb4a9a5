import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.type.v1 import billing_period_pb2 as _billing_period_pb2
from purser.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SuspensionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUSPENSION_REASON_UNSPECIFIED: _ClassVar[SuspensionReason]
    SUSPENSION_REASON_OPERATOR: _ClassVar[SuspensionReason]
    SUSPENSION_REASON_PAYMENT_OVERDUE: _ClassVar[SuspensionReason]
    SUSPENSION_REASON_PAYMENT_DISPUTED: _ClassVar[SuspensionReason]
    SUSPENSION_REASON_INVOICE_UNPAID: _ClassVar[SuspensionReason]
    SUSPENSION_REASON_IN_DEBT: _ClassVar[SuspensionReason]

class BillingFrequency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BILLING_FREQUENCY_UNSPECIFIED: _ClassVar[BillingFrequency]
    BILLING_FREQUENCY_MONTHLY: _ClassVar[BillingFrequency]
    BILLING_FREQUENCY_ANNUAL: _ClassVar[BillingFrequency]
    BILLING_FREQUENCY_WEEKLY: _ClassVar[BillingFrequency]
    BILLING_FREQUENCY_QUARTERLY: _ClassVar[BillingFrequency]

class CollectionSchedule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLLECTION_SCHEDULE_UNSPECIFIED: _ClassVar[CollectionSchedule]
    COLLECTION_SCHEDULE_ADVANCE: _ClassVar[CollectionSchedule]
    COLLECTION_SCHEDULE_ARREARS: _ClassVar[CollectionSchedule]

class QuantityManagement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUANTITY_MANAGEMENT_UNSPECIFIED: _ClassVar[QuantityManagement]
    QUANTITY_MANAGEMENT_QUANTITY_ONLY: _ClassVar[QuantityManagement]
    QUANTITY_MANAGEMENT_SEAT_BASED: _ClassVar[QuantityManagement]

class SharedPoolAccess(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHARED_POOL_ACCESS_UNSPECIFIED: _ClassVar[SharedPoolAccess]
    SHARED_POOL_ACCESS_NOBODY: _ClassVar[SharedPoolAccess]
    SHARED_POOL_ACCESS_EVERYONE: _ClassVar[SharedPoolAccess]
    SHARED_POOL_ACCESS_LISTED: _ClassVar[SharedPoolAccess]

class SeatInvoicing(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEAT_INVOICING_UNSPECIFIED: _ClassVar[SeatInvoicing]
    SEAT_INVOICING_BILL_IMMEDIATELY: _ClassVar[SeatInvoicing]
    SEAT_INVOICING_BILL_ON_NEXT_COLLECTION_DATE: _ClassVar[SeatInvoicing]

class Rounding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUNDING_UNSPECIFIED: _ClassVar[Rounding]
    ROUNDING_HALF_UP: _ClassVar[Rounding]
    ROUNDING_FLOOR: _ClassVar[Rounding]
    ROUNDING_CEILING: _ClassVar[Rounding]

class PeriodProration(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERIOD_PRORATION_UNSPECIFIED: _ClassVar[PeriodProration]
    PERIOD_PRORATION_FIRST_AND_LAST: _ClassVar[PeriodProration]
    PERIOD_PRORATION_FIRST: _ClassVar[PeriodProration]
    PERIOD_PRORATION_LAST: _ClassVar[PeriodProration]
    PERIOD_PRORATION_NONE: _ClassVar[PeriodProration]

class Allocation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALLOCATION_UNSPECIFIED: _ClassVar[Allocation]
    ALLOCATION_POOLED: _ClassVar[Allocation]
    ALLOCATION_INDIVIDUAL: _ClassVar[Allocation]

class GrantFrequency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRANT_FREQUENCY_UNSPECIFIED: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_MONTHLY: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_ANNUAL: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_DAILY: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_WEEKLY: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_QUARTERLY: _ClassVar[GrantFrequency]

class GrantAlignment(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRANT_ALIGNMENT_UNSPECIFIED: _ClassVar[GrantAlignment]
    GRANT_ALIGNMENT_OWN_ANCHOR: _ClassVar[GrantAlignment]
    GRANT_ALIGNMENT_BILLING_PERIODS: _ClassVar[GrantAlignment]

class CollectionMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLLECTION_METHOD_UNSPECIFIED: _ClassVar[CollectionMethod]
    COLLECTION_METHOD_SEND: _ClassVar[CollectionMethod]
    COLLECTION_METHOD_CHARGE_AUTOMATICALLY: _ClassVar[CollectionMethod]

class AfterLastRetry(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AFTER_LAST_RETRY_UNSPECIFIED: _ClassVar[AfterLastRetry]
    AFTER_LAST_RETRY_NOTHING: _ClassVar[AfterLastRetry]
    AFTER_LAST_RETRY_SUSPEND: _ClassVar[AfterLastRetry]

class OverageMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERAGE_MODE_UNSPECIFIED: _ClassVar[OverageMode]
    OVERAGE_MODE_HARD_STOP: _ClassVar[OverageMode]
    OVERAGE_MODE_OVERAGE: _ClassVar[OverageMode]

class ContractWarningType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTRACT_WARNING_TYPE_UNSPECIFIED: _ClassVar[ContractWarningType]
    CONTRACT_WARNING_TYPE_CREDITS_NOT_PRORATED: _ClassVar[ContractWarningType]

class EndOption(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    END_OPTION_UNSPECIFIED: _ClassVar[EndOption]
    END_OPTION_PERIOD_END: _ClassVar[EndOption]
    END_OPTION_PERIOD_START: _ClassVar[EndOption]
    END_OPTION_NEVER: _ClassVar[EndOption]
    END_OPTION_TERM_END: _ClassVar[EndOption]

class IncludedCredits(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INCLUDED_CREDITS_UNSPECIFIED: _ClassVar[IncludedCredits]
    INCLUDED_CREDITS_VOID: _ClassVar[IncludedCredits]
    INCLUDED_CREDITS_KEEP: _ClassVar[IncludedCredits]
    INCLUDED_CREDITS_ROLL: _ClassVar[IncludedCredits]

class MoneyBack(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MONEY_BACK_UNSPECIFIED: _ClassVar[MoneyBack]
    MONEY_BACK_CREDIT_UNUSED: _ClassVar[MoneyBack]
    MONEY_BACK_NONE: _ClassVar[MoneyBack]

class PlanChangeStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLAN_CHANGE_STATUS_UNSPECIFIED: _ClassVar[PlanChangeStatus]
    PLAN_CHANGE_STATUS_PENDING: _ClassVar[PlanChangeStatus]
    PLAN_CHANGE_STATUS_APPLIED: _ClassVar[PlanChangeStatus]

class PaymentGate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_GATE_UNSPECIFIED: _ClassVar[PaymentGate]
    PAYMENT_GATE_NONE: _ClassVar[PaymentGate]
    PAYMENT_GATE_EXTERNAL: _ClassVar[PaymentGate]
    PAYMENT_GATE_STRIPE: _ClassVar[PaymentGate]

class TopUpStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOP_UP_STATUS_UNSPECIFIED: _ClassVar[TopUpStatus]
    TOP_UP_STATUS_PENDING_PAYMENT: _ClassVar[TopUpStatus]
    TOP_UP_STATUS_PAID: _ClassVar[TopUpStatus]
    TOP_UP_STATUS_FAILED: _ClassVar[TopUpStatus]
    TOP_UP_STATUS_CANCELLED: _ClassVar[TopUpStatus]
    TOP_UP_STATUS_EXPIRED: _ClassVar[TopUpStatus]
    TOP_UP_STATUS_REFUND_DUE: _ClassVar[TopUpStatus]
    TOP_UP_STATUS_REFUNDED: _ClassVar[TopUpStatus]

class PaymentOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_OUTCOME_UNSPECIFIED: _ClassVar[PaymentOutcome]
    PAYMENT_OUTCOME_PAID: _ClassVar[PaymentOutcome]
    PAYMENT_OUTCOME_FAILED: _ClassVar[PaymentOutcome]
    PAYMENT_OUTCOME_DECLINED: _ClassVar[PaymentOutcome]
    PAYMENT_OUTCOME_REFUNDED: _ClassVar[PaymentOutcome]

class TopUpRefundStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOP_UP_REFUND_STATUS_UNSPECIFIED: _ClassVar[TopUpRefundStatus]
    TOP_UP_REFUND_STATUS_PENDING: _ClassVar[TopUpRefundStatus]
    TOP_UP_REFUND_STATUS_REFUSED: _ClassVar[TopUpRefundStatus]
    TOP_UP_REFUND_STATUS_DUE: _ClassVar[TopUpRefundStatus]
    TOP_UP_REFUND_STATUS_RETURNED: _ClassVar[TopUpRefundStatus]
    TOP_UP_REFUND_STATUS_DISPUTED: _ClassVar[TopUpRefundStatus]
    TOP_UP_REFUND_STATUS_REVERSED: _ClassVar[TopUpRefundStatus]

class TopUpRefundCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOP_UP_REFUND_CAUSE_UNSPECIFIED: _ClassVar[TopUpRefundCause]
    TOP_UP_REFUND_CAUSE_REQUEST: _ClassVar[TopUpRefundCause]
    TOP_UP_REFUND_CAUSE_PROVIDER: _ClassVar[TopUpRefundCause]
    TOP_UP_REFUND_CAUSE_CHARGEBACK: _ClassVar[TopUpRefundCause]

class DisputeOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPUTE_OUTCOME_UNSPECIFIED: _ClassVar[DisputeOutcome]
    DISPUTE_OUTCOME_OPENED: _ClassVar[DisputeOutcome]
    DISPUTE_OUTCOME_WON: _ClassVar[DisputeOutcome]
    DISPUTE_OUTCOME_LOST: _ClassVar[DisputeOutcome]

class InvoiceStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INVOICE_STATUS_UNSPECIFIED: _ClassVar[InvoiceStatus]
    INVOICE_STATUS_DRAFT: _ClassVar[InvoiceStatus]
    INVOICE_STATUS_FINALIZED: _ClassVar[InvoiceStatus]
    INVOICE_STATUS_VOID: _ClassVar[InvoiceStatus]
    INVOICE_STATUS_OPEN: _ClassVar[InvoiceStatus]
    INVOICE_STATUS_PAID: _ClassVar[InvoiceStatus]
    INVOICE_STATUS_STATEMENT: _ClassVar[InvoiceStatus]

class InvoiceLineKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INVOICE_LINE_KIND_UNSPECIFIED: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_SUBSCRIPTION: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_SEAT_INCREASE: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_TOP_UP: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_PLAN_CREDIT: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_ACCOUNT_CREDIT: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_TAX: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_PLAN_CHARGE: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_OVERAGE: _ClassVar[InvoiceLineKind]
    INVOICE_LINE_KIND_PRICE_CORRECTION: _ClassVar[InvoiceLineKind]

class InvoiceRefundCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INVOICE_REFUND_CAUSE_UNSPECIFIED: _ClassVar[InvoiceRefundCause]
    INVOICE_REFUND_CAUSE_REQUESTED: _ClassVar[InvoiceRefundCause]
    INVOICE_REFUND_CAUSE_PROVIDER: _ClassVar[InvoiceRefundCause]
    INVOICE_REFUND_CAUSE_CHARGEBACK: _ClassVar[InvoiceRefundCause]

class InvoiceRefundStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INVOICE_REFUND_STATUS_UNSPECIFIED: _ClassVar[InvoiceRefundStatus]
    INVOICE_REFUND_STATUS_DUE: _ClassVar[InvoiceRefundStatus]
    INVOICE_REFUND_STATUS_RETURNED: _ClassVar[InvoiceRefundStatus]

class CreditSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDIT_SOURCE_UNSPECIFIED: _ClassVar[CreditSource]
    CREDIT_SOURCE_INCLUDED: _ClassVar[CreditSource]
    CREDIT_SOURCE_TOP_UP: _ClassVar[CreditSource]
    CREDIT_SOURCE_PROMOTIONAL: _ClassVar[CreditSource]
    CREDIT_SOURCE_ROLLOVER: _ClassVar[CreditSource]

class UsageDetail(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USAGE_DETAIL_UNSPECIFIED: _ClassVar[UsageDetail]
    USAGE_DETAIL_GROUP_AND_GRANT: _ClassVar[UsageDetail]
    USAGE_DETAIL_PRODUCT_AND_GRANT: _ClassVar[UsageDetail]
    USAGE_DETAIL_PRODUCT_AND_KIND: _ClassVar[UsageDetail]

class DocumentFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOCUMENT_FORMAT_UNSPECIFIED: _ClassVar[DocumentFormat]
    DOCUMENT_FORMAT_HTML: _ClassVar[DocumentFormat]
    DOCUMENT_FORMAT_PDF: _ClassVar[DocumentFormat]

class AccountCreditCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_CREDIT_CAUSE_UNSPECIFIED: _ClassVar[AccountCreditCause]
    ACCOUNT_CREDIT_CAUSE_CREDIT_NOTE: _ClassVar[AccountCreditCause]
    ACCOUNT_CREDIT_CAUSE_USED: _ClassVar[AccountCreditCause]
    ACCOUNT_CREDIT_CAUSE_RETURNED: _ClassVar[AccountCreditCause]
    ACCOUNT_CREDIT_CAUSE_EXCESS: _ClassVar[AccountCreditCause]
    ACCOUNT_CREDIT_CAUSE_PAID_OUT: _ClassVar[AccountCreditCause]
    ACCOUNT_CREDIT_CAUSE_OVERPAID: _ClassVar[AccountCreditCause]
SUSPENSION_REASON_UNSPECIFIED: SuspensionReason
SUSPENSION_REASON_OPERATOR: SuspensionReason
SUSPENSION_REASON_PAYMENT_OVERDUE: SuspensionReason
SUSPENSION_REASON_PAYMENT_DISPUTED: SuspensionReason
SUSPENSION_REASON_INVOICE_UNPAID: SuspensionReason
SUSPENSION_REASON_IN_DEBT: SuspensionReason
BILLING_FREQUENCY_UNSPECIFIED: BillingFrequency
BILLING_FREQUENCY_MONTHLY: BillingFrequency
BILLING_FREQUENCY_ANNUAL: BillingFrequency
BILLING_FREQUENCY_WEEKLY: BillingFrequency
BILLING_FREQUENCY_QUARTERLY: BillingFrequency
COLLECTION_SCHEDULE_UNSPECIFIED: CollectionSchedule
COLLECTION_SCHEDULE_ADVANCE: CollectionSchedule
COLLECTION_SCHEDULE_ARREARS: CollectionSchedule
QUANTITY_MANAGEMENT_UNSPECIFIED: QuantityManagement
QUANTITY_MANAGEMENT_QUANTITY_ONLY: QuantityManagement
QUANTITY_MANAGEMENT_SEAT_BASED: QuantityManagement
SHARED_POOL_ACCESS_UNSPECIFIED: SharedPoolAccess
SHARED_POOL_ACCESS_NOBODY: SharedPoolAccess
SHARED_POOL_ACCESS_EVERYONE: SharedPoolAccess
SHARED_POOL_ACCESS_LISTED: SharedPoolAccess
SEAT_INVOICING_UNSPECIFIED: SeatInvoicing
SEAT_INVOICING_BILL_IMMEDIATELY: SeatInvoicing
SEAT_INVOICING_BILL_ON_NEXT_COLLECTION_DATE: SeatInvoicing
ROUNDING_UNSPECIFIED: Rounding
ROUNDING_HALF_UP: Rounding
ROUNDING_FLOOR: Rounding
ROUNDING_CEILING: Rounding
PERIOD_PRORATION_UNSPECIFIED: PeriodProration
PERIOD_PRORATION_FIRST_AND_LAST: PeriodProration
PERIOD_PRORATION_FIRST: PeriodProration
PERIOD_PRORATION_LAST: PeriodProration
PERIOD_PRORATION_NONE: PeriodProration
ALLOCATION_UNSPECIFIED: Allocation
ALLOCATION_POOLED: Allocation
ALLOCATION_INDIVIDUAL: Allocation
GRANT_FREQUENCY_UNSPECIFIED: GrantFrequency
GRANT_FREQUENCY_MONTHLY: GrantFrequency
GRANT_FREQUENCY_ANNUAL: GrantFrequency
GRANT_FREQUENCY_DAILY: GrantFrequency
GRANT_FREQUENCY_WEEKLY: GrantFrequency
GRANT_FREQUENCY_QUARTERLY: GrantFrequency
GRANT_ALIGNMENT_UNSPECIFIED: GrantAlignment
GRANT_ALIGNMENT_OWN_ANCHOR: GrantAlignment
GRANT_ALIGNMENT_BILLING_PERIODS: GrantAlignment
COLLECTION_METHOD_UNSPECIFIED: CollectionMethod
COLLECTION_METHOD_SEND: CollectionMethod
COLLECTION_METHOD_CHARGE_AUTOMATICALLY: CollectionMethod
AFTER_LAST_RETRY_UNSPECIFIED: AfterLastRetry
AFTER_LAST_RETRY_NOTHING: AfterLastRetry
AFTER_LAST_RETRY_SUSPEND: AfterLastRetry
OVERAGE_MODE_UNSPECIFIED: OverageMode
OVERAGE_MODE_HARD_STOP: OverageMode
OVERAGE_MODE_OVERAGE: OverageMode
CONTRACT_WARNING_TYPE_UNSPECIFIED: ContractWarningType
CONTRACT_WARNING_TYPE_CREDITS_NOT_PRORATED: ContractWarningType
END_OPTION_UNSPECIFIED: EndOption
END_OPTION_PERIOD_END: EndOption
END_OPTION_PERIOD_START: EndOption
END_OPTION_NEVER: EndOption
END_OPTION_TERM_END: EndOption
INCLUDED_CREDITS_UNSPECIFIED: IncludedCredits
INCLUDED_CREDITS_VOID: IncludedCredits
INCLUDED_CREDITS_KEEP: IncludedCredits
INCLUDED_CREDITS_ROLL: IncludedCredits
MONEY_BACK_UNSPECIFIED: MoneyBack
MONEY_BACK_CREDIT_UNUSED: MoneyBack
MONEY_BACK_NONE: MoneyBack
PLAN_CHANGE_STATUS_UNSPECIFIED: PlanChangeStatus
PLAN_CHANGE_STATUS_PENDING: PlanChangeStatus
PLAN_CHANGE_STATUS_APPLIED: PlanChangeStatus
PAYMENT_GATE_UNSPECIFIED: PaymentGate
PAYMENT_GATE_NONE: PaymentGate
PAYMENT_GATE_EXTERNAL: PaymentGate
PAYMENT_GATE_STRIPE: PaymentGate
TOP_UP_STATUS_UNSPECIFIED: TopUpStatus
TOP_UP_STATUS_PENDING_PAYMENT: TopUpStatus
TOP_UP_STATUS_PAID: TopUpStatus
TOP_UP_STATUS_FAILED: TopUpStatus
TOP_UP_STATUS_CANCELLED: TopUpStatus
TOP_UP_STATUS_EXPIRED: TopUpStatus
TOP_UP_STATUS_REFUND_DUE: TopUpStatus
TOP_UP_STATUS_REFUNDED: TopUpStatus
PAYMENT_OUTCOME_UNSPECIFIED: PaymentOutcome
PAYMENT_OUTCOME_PAID: PaymentOutcome
PAYMENT_OUTCOME_FAILED: PaymentOutcome
PAYMENT_OUTCOME_DECLINED: PaymentOutcome
PAYMENT_OUTCOME_REFUNDED: PaymentOutcome
TOP_UP_REFUND_STATUS_UNSPECIFIED: TopUpRefundStatus
TOP_UP_REFUND_STATUS_PENDING: TopUpRefundStatus
TOP_UP_REFUND_STATUS_REFUSED: TopUpRefundStatus
TOP_UP_REFUND_STATUS_DUE: TopUpRefundStatus
TOP_UP_REFUND_STATUS_RETURNED: TopUpRefundStatus
TOP_UP_REFUND_STATUS_DISPUTED: TopUpRefundStatus
TOP_UP_REFUND_STATUS_REVERSED: TopUpRefundStatus
TOP_UP_REFUND_CAUSE_UNSPECIFIED: TopUpRefundCause
TOP_UP_REFUND_CAUSE_REQUEST: TopUpRefundCause
TOP_UP_REFUND_CAUSE_PROVIDER: TopUpRefundCause
TOP_UP_REFUND_CAUSE_CHARGEBACK: TopUpRefundCause
DISPUTE_OUTCOME_UNSPECIFIED: DisputeOutcome
DISPUTE_OUTCOME_OPENED: DisputeOutcome
DISPUTE_OUTCOME_WON: DisputeOutcome
DISPUTE_OUTCOME_LOST: DisputeOutcome
INVOICE_STATUS_UNSPECIFIED: InvoiceStatus
INVOICE_STATUS_DRAFT: InvoiceStatus
INVOICE_STATUS_FINALIZED: InvoiceStatus
INVOICE_STATUS_VOID: InvoiceStatus
INVOICE_STATUS_OPEN: InvoiceStatus
INVOICE_STATUS_PAID: InvoiceStatus
INVOICE_STATUS_STATEMENT: InvoiceStatus
INVOICE_LINE_KIND_UNSPECIFIED: InvoiceLineKind
INVOICE_LINE_KIND_SUBSCRIPTION: InvoiceLineKind
INVOICE_LINE_KIND_SEAT_INCREASE: InvoiceLineKind
INVOICE_LINE_KIND_TOP_UP: InvoiceLineKind
INVOICE_LINE_KIND_PLAN_CREDIT: InvoiceLineKind
INVOICE_LINE_KIND_ACCOUNT_CREDIT: InvoiceLineKind
INVOICE_LINE_KIND_TAX: InvoiceLineKind
INVOICE_LINE_KIND_PLAN_CHARGE: InvoiceLineKind
INVOICE_LINE_KIND_OVERAGE: InvoiceLineKind
INVOICE_LINE_KIND_PRICE_CORRECTION: InvoiceLineKind
INVOICE_REFUND_CAUSE_UNSPECIFIED: InvoiceRefundCause
INVOICE_REFUND_CAUSE_REQUESTED: InvoiceRefundCause
INVOICE_REFUND_CAUSE_PROVIDER: InvoiceRefundCause
INVOICE_REFUND_CAUSE_CHARGEBACK: InvoiceRefundCause
INVOICE_REFUND_STATUS_UNSPECIFIED: InvoiceRefundStatus
INVOICE_REFUND_STATUS_DUE: InvoiceRefundStatus
INVOICE_REFUND_STATUS_RETURNED: InvoiceRefundStatus
CREDIT_SOURCE_UNSPECIFIED: CreditSource
CREDIT_SOURCE_INCLUDED: CreditSource
CREDIT_SOURCE_TOP_UP: CreditSource
CREDIT_SOURCE_PROMOTIONAL: CreditSource
CREDIT_SOURCE_ROLLOVER: CreditSource
USAGE_DETAIL_UNSPECIFIED: UsageDetail
USAGE_DETAIL_GROUP_AND_GRANT: UsageDetail
USAGE_DETAIL_PRODUCT_AND_GRANT: UsageDetail
USAGE_DETAIL_PRODUCT_AND_KIND: UsageDetail
DOCUMENT_FORMAT_UNSPECIFIED: DocumentFormat
DOCUMENT_FORMAT_HTML: DocumentFormat
DOCUMENT_FORMAT_PDF: DocumentFormat
ACCOUNT_CREDIT_CAUSE_UNSPECIFIED: AccountCreditCause
ACCOUNT_CREDIT_CAUSE_CREDIT_NOTE: AccountCreditCause
ACCOUNT_CREDIT_CAUSE_USED: AccountCreditCause
ACCOUNT_CREDIT_CAUSE_RETURNED: AccountCreditCause
ACCOUNT_CREDIT_CAUSE_EXCESS: AccountCreditCause
ACCOUNT_CREDIT_CAUSE_PAID_OUT: AccountCreditCause
ACCOUNT_CREDIT_CAUSE_OVERPAID: AccountCreditCause

class Suspension(_message.Message):
    __slots__ = ("reason", "note", "create_time")
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    reason: SuspensionReason
    note: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[_Union[SuspensionReason, str]] = ..., note: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Party(_message.Message):
    __slots__ = ("name", "address_lines", "tax_ids")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_LINES_FIELD_NUMBER: _ClassVar[int]
    TAX_IDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    address_lines: _containers.RepeatedScalarFieldContainer[str]
    tax_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., address_lines: _Optional[_Iterable[str]] = ..., tax_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class TaxTerms(_message.Message):
    __slots__ = ("name", "rate_micros", "amount")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RATE_MICROS_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    rate_micros: int
    amount: _money_pb2.Money
    def __init__(self, name: _Optional[str] = ..., rate_micros: _Optional[int] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class BillingDetails(_message.Message):
    __slots__ = ("party", "time_zone", "language", "taxes")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TAXES_FIELD_NUMBER: _ClassVar[int]
    party: Party
    time_zone: str
    language: str
    taxes: _containers.RepeatedCompositeFieldContainer[TaxTerms]
    def __init__(self, party: _Optional[_Union[Party, _Mapping]] = ..., time_zone: _Optional[str] = ..., language: _Optional[str] = ..., taxes: _Optional[_Iterable[_Union[TaxTerms, _Mapping]]] = ...) -> None: ...

class SetBillingDetailsRequest(_message.Message):
    __slots__ = ("request_id", "customer", "billing_details")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    BILLING_DETAILS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    billing_details: BillingDetails
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., billing_details: _Optional[_Union[BillingDetails, _Mapping]] = ...) -> None: ...

class SetBillingDetailsResponse(_message.Message):
    __slots__ = ("billing_details",)
    BILLING_DETAILS_FIELD_NUMBER: _ClassVar[int]
    billing_details: BillingDetails
    def __init__(self, billing_details: _Optional[_Union[BillingDetails, _Mapping]] = ...) -> None: ...

class SetSellerDetailsRequest(_message.Message):
    __slots__ = ("request_id", "seller")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    seller: Party
    def __init__(self, request_id: _Optional[str] = ..., seller: _Optional[_Union[Party, _Mapping]] = ...) -> None: ...

class SetSellerDetailsResponse(_message.Message):
    __slots__ = ("seller",)
    SELLER_FIELD_NUMBER: _ClassVar[int]
    seller: Party
    def __init__(self, seller: _Optional[_Union[Party, _Mapping]] = ...) -> None: ...

class GetSellerDetailsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSellerDetailsResponse(_message.Message):
    __slots__ = ("seller",)
    SELLER_FIELD_NUMBER: _ClassVar[int]
    seller: Party
    def __init__(self, seller: _Optional[_Union[Party, _Mapping]] = ...) -> None: ...

class Customer(_message.Message):
    __slots__ = ("customer_id", "name", "aliases", "is_suspended", "create_time", "suspensions", "archive_time")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    IS_SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SUSPENSIONS_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    name: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    is_suspended: bool
    create_time: _timestamp_pb2.Timestamp
    suspensions: _containers.RepeatedCompositeFieldContainer[Suspension]
    archive_time: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., name: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., is_suspended: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., suspensions: _Optional[_Iterable[_Union[Suspension, _Mapping]]] = ..., archive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateCustomerRequest(_message.Message):
    __slots__ = ("request_id", "name", "aliases")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateCustomerResponse(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ...) -> None: ...

class GetCustomerRequest(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: str
    def __init__(self, customer: _Optional[str] = ...) -> None: ...

class GetCustomerResponse(_message.Message):
    __slots__ = ("customer", "billing_details")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    BILLING_DETAILS_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    billing_details: BillingDetails
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ..., billing_details: _Optional[_Union[BillingDetails, _Mapping]] = ...) -> None: ...

class ListCustomersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "with_archived", "search")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    WITH_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    with_archived: bool
    search: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., with_archived: _Optional[bool] = ..., search: _Optional[str] = ...) -> None: ...

class ListCustomersResponse(_message.Message):
    __slots__ = ("customers", "next_page_token")
    CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customers: _containers.RepeatedCompositeFieldContainer[Customer]
    next_page_token: str
    def __init__(self, customers: _Optional[_Iterable[_Union[Customer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SetCustomerAliasesRequest(_message.Message):
    __slots__ = ("request_id", "customer", "aliases")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ...) -> None: ...

class SetCustomerAliasesResponse(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ...) -> None: ...

class RenameCustomerRequest(_message.Message):
    __slots__ = ("request_id", "customer", "name")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    name: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class RenameCustomerResponse(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ...) -> None: ...

class SuspendCustomerRequest(_message.Message):
    __slots__ = ("request_id", "customer", "reason", "note")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    reason: SuspensionReason
    note: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., reason: _Optional[_Union[SuspensionReason, str]] = ..., note: _Optional[str] = ...) -> None: ...

class SuspendCustomerResponse(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ...) -> None: ...

class ResumeCustomerRequest(_message.Message):
    __slots__ = ("request_id", "customer", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    reason: SuspensionReason
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., reason: _Optional[_Union[SuspensionReason, str]] = ...) -> None: ...

class ResumeCustomerResponse(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ...) -> None: ...

class ArchiveCustomerRequest(_message.Message):
    __slots__ = ("request_id", "customer")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ...) -> None: ...

class ArchiveCustomerResponse(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ...) -> None: ...

class UnarchiveCustomerRequest(_message.Message):
    __slots__ = ("request_id", "customer")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ...) -> None: ...

class UnarchiveCustomerResponse(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ...) -> None: ...

class ResendCustomerRequest(_message.Message):
    __slots__ = ("request_id", "customer")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ...) -> None: ...

class ResendCustomerResponse(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: Customer
    def __init__(self, customer: _Optional[_Union[Customer, _Mapping]] = ...) -> None: ...

class SharedPool(_message.Message):
    __slots__ = ("access", "seat_ids")
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    access: SharedPoolAccess
    seat_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, access: _Optional[_Union[SharedPoolAccess, str]] = ..., seat_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SeatProration(_message.Message):
    __slots__ = ("is_prorated", "invoicing", "rounding")
    IS_PRORATED_FIELD_NUMBER: _ClassVar[int]
    INVOICING_FIELD_NUMBER: _ClassVar[int]
    ROUNDING_FIELD_NUMBER: _ClassVar[int]
    is_prorated: bool
    invoicing: SeatInvoicing
    rounding: Rounding
    def __init__(self, is_prorated: _Optional[bool] = ..., invoicing: _Optional[_Union[SeatInvoicing, str]] = ..., rounding: _Optional[_Union[Rounding, str]] = ...) -> None: ...

class SubscriptionTerms(_message.Message):
    __slots__ = ("product_id", "billing_frequency", "collection_schedule", "quantity_management", "initial_quantity", "proration", "interval_count", "anchor_time", "anchor_day", "seat_group_key", "initial_seat_ids", "shared_pool")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    BILLING_FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MANAGEMENT_FIELD_NUMBER: _ClassVar[int]
    INITIAL_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_TIME_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_DAY_FIELD_NUMBER: _ClassVar[int]
    SEAT_GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    INITIAL_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    SHARED_POOL_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    billing_frequency: BillingFrequency
    collection_schedule: CollectionSchedule
    quantity_management: QuantityManagement
    initial_quantity: int
    proration: SeatProration
    interval_count: int
    anchor_time: _timestamp_pb2.Timestamp
    anchor_day: int
    seat_group_key: str
    initial_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    shared_pool: SharedPool
    def __init__(self, product_id: _Optional[str] = ..., billing_frequency: _Optional[_Union[BillingFrequency, str]] = ..., collection_schedule: _Optional[_Union[CollectionSchedule, str]] = ..., quantity_management: _Optional[_Union[QuantityManagement, str]] = ..., initial_quantity: _Optional[int] = ..., proration: _Optional[_Union[SeatProration, _Mapping]] = ..., interval_count: _Optional[int] = ..., anchor_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., anchor_day: _Optional[int] = ..., seat_group_key: _Optional[str] = ..., initial_seat_ids: _Optional[_Iterable[str]] = ..., shared_pool: _Optional[_Union[SharedPool, _Mapping]] = ...) -> None: ...

class Rollover(_message.Message):
    __slots__ = ("fraction_millionths", "cap_micros", "duration")
    FRACTION_MILLIONTHS_FIELD_NUMBER: _ClassVar[int]
    CAP_MICROS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    fraction_millionths: int
    cap_micros: int
    duration: int
    def __init__(self, fraction_millionths: _Optional[int] = ..., cap_micros: _Optional[int] = ..., duration: _Optional[int] = ...) -> None: ...

class GrantScheduleEdition(_message.Message):
    __slots__ = ("effective_time", "unit_amount_micros", "priority", "prorates_increases", "period_proration", "commit_duration", "scope_product_ids", "rollover")
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNIT_AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PRORATES_INCREASES_FIELD_NUMBER: _ClassVar[int]
    PERIOD_PRORATION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_DURATION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    ROLLOVER_FIELD_NUMBER: _ClassVar[int]
    effective_time: _timestamp_pb2.Timestamp
    unit_amount_micros: int
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: _containers.RepeatedScalarFieldContainer[str]
    rollover: Rollover
    def __init__(self, effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., unit_amount_micros: _Optional[int] = ..., priority: _Optional[int] = ..., prorates_increases: _Optional[bool] = ..., period_proration: _Optional[_Union[PeriodProration, str]] = ..., commit_duration: _Optional[int] = ..., scope_product_ids: _Optional[_Iterable[str]] = ..., rollover: _Optional[_Union[Rollover, _Mapping]] = ...) -> None: ...

class GrantScheduleTerms(_message.Message):
    __slots__ = ("product_id", "credit_type_id", "unit_amount_micros", "subscription_index", "frequency", "anchor_time", "allocation", "priority", "prorates_increases", "period_proration", "commit_duration", "scope_product_ids", "interval_count", "alignment", "rollover")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_INDEX_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_TIME_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PRORATES_INCREASES_FIELD_NUMBER: _ClassVar[int]
    PERIOD_PRORATION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_DURATION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    ROLLOVER_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    credit_type_id: str
    unit_amount_micros: int
    subscription_index: int
    frequency: GrantFrequency
    anchor_time: _timestamp_pb2.Timestamp
    allocation: Allocation
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: _containers.RepeatedScalarFieldContainer[str]
    interval_count: int
    alignment: GrantAlignment
    rollover: Rollover
    def __init__(self, product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., unit_amount_micros: _Optional[int] = ..., subscription_index: _Optional[int] = ..., frequency: _Optional[_Union[GrantFrequency, str]] = ..., anchor_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., allocation: _Optional[_Union[Allocation, str]] = ..., priority: _Optional[int] = ..., prorates_increases: _Optional[bool] = ..., period_proration: _Optional[_Union[PeriodProration, str]] = ..., commit_duration: _Optional[int] = ..., scope_product_ids: _Optional[_Iterable[str]] = ..., interval_count: _Optional[int] = ..., alignment: _Optional[_Union[GrantAlignment, str]] = ..., rollover: _Optional[_Union[Rollover, _Mapping]] = ...) -> None: ...

class Subscription(_message.Message):
    __slots__ = ("subscription_id", "product_id", "billing_frequency", "collection_schedule", "quantity_management", "quantity", "proration", "unit_price", "current_period", "interval_count", "anchor_time", "seat_group_key", "shared_pool", "assigned_quantity")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    BILLING_FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MANAGEMENT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_PERIOD_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_TIME_FIELD_NUMBER: _ClassVar[int]
    SEAT_GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    SHARED_POOL_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    product_id: str
    billing_frequency: BillingFrequency
    collection_schedule: CollectionSchedule
    quantity_management: QuantityManagement
    quantity: int
    proration: SeatProration
    unit_price: _money_pb2.Money
    current_period: _billing_period_pb2.BillingPeriod
    interval_count: int
    anchor_time: _timestamp_pb2.Timestamp
    seat_group_key: str
    shared_pool: SharedPool
    assigned_quantity: int
    def __init__(self, subscription_id: _Optional[str] = ..., product_id: _Optional[str] = ..., billing_frequency: _Optional[_Union[BillingFrequency, str]] = ..., collection_schedule: _Optional[_Union[CollectionSchedule, str]] = ..., quantity_management: _Optional[_Union[QuantityManagement, str]] = ..., quantity: _Optional[int] = ..., proration: _Optional[_Union[SeatProration, _Mapping]] = ..., unit_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., current_period: _Optional[_Union[_billing_period_pb2.BillingPeriod, _Mapping]] = ..., interval_count: _Optional[int] = ..., anchor_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seat_group_key: _Optional[str] = ..., shared_pool: _Optional[_Union[SharedPool, _Mapping]] = ..., assigned_quantity: _Optional[int] = ...) -> None: ...

class GrantSchedule(_message.Message):
    __slots__ = ("grant_schedule_id", "product_id", "credit_type_id", "unit_amount_micros", "subscription_id", "frequency", "anchor_time", "allocation", "priority", "prorates_increases", "period_proration", "commit_duration", "scope_product_ids", "interval_count", "end_time", "rollover", "editions")
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_TIME_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PRORATES_INCREASES_FIELD_NUMBER: _ClassVar[int]
    PERIOD_PRORATION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_DURATION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ROLLOVER_FIELD_NUMBER: _ClassVar[int]
    EDITIONS_FIELD_NUMBER: _ClassVar[int]
    grant_schedule_id: str
    product_id: str
    credit_type_id: str
    unit_amount_micros: int
    subscription_id: str
    frequency: GrantFrequency
    anchor_time: _timestamp_pb2.Timestamp
    allocation: Allocation
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: _containers.RepeatedScalarFieldContainer[str]
    interval_count: int
    end_time: _timestamp_pb2.Timestamp
    rollover: Rollover
    editions: _containers.RepeatedCompositeFieldContainer[GrantScheduleEdition]
    def __init__(self, grant_schedule_id: _Optional[str] = ..., product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., unit_amount_micros: _Optional[int] = ..., subscription_id: _Optional[str] = ..., frequency: _Optional[_Union[GrantFrequency, str]] = ..., anchor_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., allocation: _Optional[_Union[Allocation, str]] = ..., priority: _Optional[int] = ..., prorates_increases: _Optional[bool] = ..., period_proration: _Optional[_Union[PeriodProration, str]] = ..., commit_duration: _Optional[int] = ..., scope_product_ids: _Optional[_Iterable[str]] = ..., interval_count: _Optional[int] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rollover: _Optional[_Union[Rollover, _Mapping]] = ..., editions: _Optional[_Iterable[_Union[GrantScheduleEdition, _Mapping]]] = ...) -> None: ...

class ContractTerm(_message.Message):
    __slots__ = ("months", "renews", "notice_days")
    MONTHS_FIELD_NUMBER: _ClassVar[int]
    RENEWS_FIELD_NUMBER: _ClassVar[int]
    NOTICE_DAYS_FIELD_NUMBER: _ClassVar[int]
    months: int
    renews: bool
    notice_days: int
    def __init__(self, months: _Optional[int] = ..., renews: _Optional[bool] = ..., notice_days: _Optional[int] = ...) -> None: ...

class Contract(_message.Message):
    __slots__ = ("contract_id", "customer_id", "name", "rate_card_id", "start_time", "end_time", "subscriptions", "grant_schedules", "create_time", "term", "overage_policy", "end_money_back", "invoice_collection")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_POLICY_FIELD_NUMBER: _ClassVar[int]
    END_MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    INVOICE_COLLECTION_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    customer_id: str
    name: str
    rate_card_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    subscriptions: _containers.RepeatedCompositeFieldContainer[Subscription]
    grant_schedules: _containers.RepeatedCompositeFieldContainer[GrantSchedule]
    create_time: _timestamp_pb2.Timestamp
    term: ContractTerm
    overage_policy: OveragePolicy
    end_money_back: MoneyBack
    invoice_collection: InvoiceCollection
    def __init__(self, contract_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., name: _Optional[str] = ..., rate_card_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscriptions: _Optional[_Iterable[_Union[Subscription, _Mapping]]] = ..., grant_schedules: _Optional[_Iterable[_Union[GrantSchedule, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., term: _Optional[_Union[ContractTerm, _Mapping]] = ..., overage_policy: _Optional[_Union[OveragePolicy, _Mapping]] = ..., end_money_back: _Optional[_Union[MoneyBack, str]] = ..., invoice_collection: _Optional[_Union[InvoiceCollection, _Mapping]] = ...) -> None: ...

class InvoiceCollection(_message.Message):
    __slots__ = ("method", "retry_days", "after_last_retry", "suspend_in_debt")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    RETRY_DAYS_FIELD_NUMBER: _ClassVar[int]
    AFTER_LAST_RETRY_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_IN_DEBT_FIELD_NUMBER: _ClassVar[int]
    method: CollectionMethod
    retry_days: _containers.RepeatedScalarFieldContainer[int]
    after_last_retry: AfterLastRetry
    suspend_in_debt: bool
    def __init__(self, method: _Optional[_Union[CollectionMethod, str]] = ..., retry_days: _Optional[_Iterable[int]] = ..., after_last_retry: _Optional[_Union[AfterLastRetry, str]] = ..., suspend_in_debt: _Optional[bool] = ...) -> None: ...

class SetInvoiceCollectionRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "invoice_collection")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_COLLECTION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    invoice_collection: InvoiceCollection
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., invoice_collection: _Optional[_Union[InvoiceCollection, _Mapping]] = ...) -> None: ...

class SetInvoiceCollectionResponse(_message.Message):
    __slots__ = ("contract",)
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    contract: Contract
    def __init__(self, contract: _Optional[_Union[Contract, _Mapping]] = ...) -> None: ...

class OveragePolicy(_message.Message):
    __slots__ = ("mode", "limits")
    MODE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    mode: OverageMode
    limits: _containers.RepeatedCompositeFieldContainer[OverageLimit]
    def __init__(self, mode: _Optional[_Union[OverageMode, str]] = ..., limits: _Optional[_Iterable[_Union[OverageLimit, _Mapping]]] = ...) -> None: ...

class OverageLimit(_message.Message):
    __slots__ = ("credit_type_id", "cap_micros", "fiat_cap", "fiat_per_credit_micros")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    CAP_MICROS_FIELD_NUMBER: _ClassVar[int]
    FIAT_CAP_FIELD_NUMBER: _ClassVar[int]
    FIAT_PER_CREDIT_MICROS_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    cap_micros: int
    fiat_cap: _money_pb2.Money
    fiat_per_credit_micros: int
    def __init__(self, credit_type_id: _Optional[str] = ..., cap_micros: _Optional[int] = ..., fiat_cap: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., fiat_per_credit_micros: _Optional[int] = ...) -> None: ...

class SetOveragePolicyRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "overage_policy")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_POLICY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    overage_policy: OveragePolicy
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., overage_policy: _Optional[_Union[OveragePolicy, _Mapping]] = ...) -> None: ...

class SetOveragePolicyResponse(_message.Message):
    __slots__ = ("contract",)
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    contract: Contract
    def __init__(self, contract: _Optional[_Union[Contract, _Mapping]] = ...) -> None: ...

class CreateContractRequest(_message.Message):
    __slots__ = ("request_id", "customer", "name", "rate_card_id", "start_time", "end_time", "subscriptions", "grant_schedules", "term", "overage_policy", "invoice_collection")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_POLICY_FIELD_NUMBER: _ClassVar[int]
    INVOICE_COLLECTION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    name: str
    rate_card_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    subscriptions: _containers.RepeatedCompositeFieldContainer[SubscriptionTerms]
    grant_schedules: _containers.RepeatedCompositeFieldContainer[GrantScheduleTerms]
    term: ContractTerm
    overage_policy: OveragePolicy
    invoice_collection: InvoiceCollection
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., name: _Optional[str] = ..., rate_card_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscriptions: _Optional[_Iterable[_Union[SubscriptionTerms, _Mapping]]] = ..., grant_schedules: _Optional[_Iterable[_Union[GrantScheduleTerms, _Mapping]]] = ..., term: _Optional[_Union[ContractTerm, _Mapping]] = ..., overage_policy: _Optional[_Union[OveragePolicy, _Mapping]] = ..., invoice_collection: _Optional[_Union[InvoiceCollection, _Mapping]] = ...) -> None: ...

class ContractWarning(_message.Message):
    __slots__ = ("warning_type", "field", "message")
    WARNING_TYPE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    warning_type: ContractWarningType
    field: str
    message: str
    def __init__(self, warning_type: _Optional[_Union[ContractWarningType, str]] = ..., field: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class CreateContractResponse(_message.Message):
    __slots__ = ("contract", "invoices", "warnings")
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    INVOICES_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    contract: Contract
    invoices: _containers.RepeatedCompositeFieldContainer[Invoice]
    warnings: _containers.RepeatedCompositeFieldContainer[ContractWarning]
    def __init__(self, contract: _Optional[_Union[Contract, _Mapping]] = ..., invoices: _Optional[_Iterable[_Union[Invoice, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[ContractWarning, _Mapping]]] = ...) -> None: ...

class GetContractRequest(_message.Message):
    __slots__ = ("contract_id",)
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    def __init__(self, contract_id: _Optional[str] = ...) -> None: ...

class GetContractResponse(_message.Message):
    __slots__ = ("contract",)
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    contract: Contract
    def __init__(self, contract: _Optional[_Union[Contract, _Mapping]] = ...) -> None: ...

class ProductScope(_message.Message):
    __slots__ = ("product_ids",)
    PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    product_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, product_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class EditGrantScheduleRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "grant_schedule_id", "effective_time", "unit_amount_micros", "priority", "prorates_increases", "period_proration", "commit_duration", "scope", "rollover", "removes_rollover")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNIT_AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PRORATES_INCREASES_FIELD_NUMBER: _ClassVar[int]
    PERIOD_PRORATION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_DURATION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    ROLLOVER_FIELD_NUMBER: _ClassVar[int]
    REMOVES_ROLLOVER_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    grant_schedule_id: str
    effective_time: _timestamp_pb2.Timestamp
    unit_amount_micros: int
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope: ProductScope
    rollover: Rollover
    removes_rollover: bool
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., grant_schedule_id: _Optional[str] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., unit_amount_micros: _Optional[int] = ..., priority: _Optional[int] = ..., prorates_increases: _Optional[bool] = ..., period_proration: _Optional[_Union[PeriodProration, str]] = ..., commit_duration: _Optional[int] = ..., scope: _Optional[_Union[ProductScope, _Mapping]] = ..., rollover: _Optional[_Union[Rollover, _Mapping]] = ..., removes_rollover: _Optional[bool] = ...) -> None: ...

class EditGrantScheduleResponse(_message.Message):
    __slots__ = ("grant_schedule",)
    GRANT_SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    grant_schedule: GrantSchedule
    def __init__(self, grant_schedule: _Optional[_Union[GrantSchedule, _Mapping]] = ...) -> None: ...

class EndGrantScheduleRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "grant_schedule_id", "end_time", "removes_end")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    REMOVES_END_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    grant_schedule_id: str
    end_time: _timestamp_pb2.Timestamp
    removes_end: bool
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., grant_schedule_id: _Optional[str] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., removes_end: _Optional[bool] = ...) -> None: ...

class EndGrantScheduleResponse(_message.Message):
    __slots__ = ("grant_schedule",)
    GRANT_SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    grant_schedule: GrantSchedule
    def __init__(self, grant_schedule: _Optional[_Union[GrantSchedule, _Mapping]] = ...) -> None: ...

class ListContractsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListContractsResponse(_message.Message):
    __slots__ = ("contracts", "next_page_token")
    CONTRACTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    contracts: _containers.RepeatedCompositeFieldContainer[Contract]
    next_page_token: str
    def __init__(self, contracts: _Optional[_Iterable[_Union[Contract, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class EndContractRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "end_time", "end_option", "ignores_term", "money_back")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    END_OPTION_FIELD_NUMBER: _ClassVar[int]
    IGNORES_TERM_FIELD_NUMBER: _ClassVar[int]
    MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    end_time: _timestamp_pb2.Timestamp
    end_option: EndOption
    ignores_term: bool
    money_back: MoneyBack
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_option: _Optional[_Union[EndOption, str]] = ..., ignores_term: _Optional[bool] = ..., money_back: _Optional[_Union[MoneyBack, str]] = ...) -> None: ...

class EndContractResponse(_message.Message):
    __slots__ = ("contract", "settlement")
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_FIELD_NUMBER: _ClassVar[int]
    contract: Contract
    settlement: PlanChange
    def __init__(self, contract: _Optional[_Union[Contract, _Mapping]] = ..., settlement: _Optional[_Union[PlanChange, _Mapping]] = ...) -> None: ...

class PlanCredit(_message.Message):
    __slots__ = ("subscription_id", "period", "charged", "time_left", "credits_unused")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    CHARGED_FIELD_NUMBER: _ClassVar[int]
    TIME_LEFT_FIELD_NUMBER: _ClassVar[int]
    CREDITS_UNUSED_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    period: _billing_period_pb2.BillingPeriod
    charged: _money_pb2.Money
    time_left: Fraction
    credits_unused: Fraction
    def __init__(self, subscription_id: _Optional[str] = ..., period: _Optional[_Union[_billing_period_pb2.BillingPeriod, _Mapping]] = ..., charged: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., time_left: _Optional[_Union[Fraction, _Mapping]] = ..., credits_unused: _Optional[_Union[Fraction, _Mapping]] = ...) -> None: ...

class PlanChange(_message.Message):
    __slots__ = ("plan_change_id", "customer_id", "ended_contract_id", "begun_contract_id", "change_time", "included_credits", "money_back", "status", "invoice_id", "credits", "apply_time", "credit_note_ids")
    PLAN_CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ENDED_CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    BEGUN_CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_CREDITS_FIELD_NUMBER: _ClassVar[int]
    MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    APPLY_TIME_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTE_IDS_FIELD_NUMBER: _ClassVar[int]
    plan_change_id: str
    customer_id: str
    ended_contract_id: str
    begun_contract_id: str
    change_time: _timestamp_pb2.Timestamp
    included_credits: IncludedCredits
    money_back: MoneyBack
    status: PlanChangeStatus
    invoice_id: str
    credits: _containers.RepeatedCompositeFieldContainer[PlanCredit]
    apply_time: _timestamp_pb2.Timestamp
    credit_note_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, plan_change_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., ended_contract_id: _Optional[str] = ..., begun_contract_id: _Optional[str] = ..., change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., included_credits: _Optional[_Union[IncludedCredits, str]] = ..., money_back: _Optional[_Union[MoneyBack, str]] = ..., status: _Optional[_Union[PlanChangeStatus, str]] = ..., invoice_id: _Optional[str] = ..., credits: _Optional[_Iterable[_Union[PlanCredit, _Mapping]]] = ..., apply_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., credit_note_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ChangePlanRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "name", "rate_card_id", "end_time", "subscriptions", "grant_schedules", "included_credits", "money_back", "accept_unprorated", "overage_policy")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_CREDITS_FIELD_NUMBER: _ClassVar[int]
    MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_UNPRORATED_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_POLICY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    name: str
    rate_card_id: str
    end_time: _timestamp_pb2.Timestamp
    subscriptions: _containers.RepeatedCompositeFieldContainer[SubscriptionTerms]
    grant_schedules: _containers.RepeatedCompositeFieldContainer[GrantScheduleTerms]
    included_credits: IncludedCredits
    money_back: MoneyBack
    accept_unprorated: bool
    overage_policy: OveragePolicy
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., name: _Optional[str] = ..., rate_card_id: _Optional[str] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscriptions: _Optional[_Iterable[_Union[SubscriptionTerms, _Mapping]]] = ..., grant_schedules: _Optional[_Iterable[_Union[GrantScheduleTerms, _Mapping]]] = ..., included_credits: _Optional[_Union[IncludedCredits, str]] = ..., money_back: _Optional[_Union[MoneyBack, str]] = ..., accept_unprorated: _Optional[bool] = ..., overage_policy: _Optional[_Union[OveragePolicy, _Mapping]] = ...) -> None: ...

class ChangePlanResponse(_message.Message):
    __slots__ = ("plan_change", "contract", "invoice")
    PLAN_CHANGE_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    plan_change: PlanChange
    contract: Contract
    invoice: Invoice
    def __init__(self, plan_change: _Optional[_Union[PlanChange, _Mapping]] = ..., contract: _Optional[_Union[Contract, _Mapping]] = ..., invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class PreviewPlanChangeRequest(_message.Message):
    __slots__ = ("contract_id", "rate_card_id", "end_time", "subscriptions", "grant_schedules", "included_credits", "money_back", "accept_unprorated", "overage_policy")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_CREDITS_FIELD_NUMBER: _ClassVar[int]
    MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_UNPRORATED_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_POLICY_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    rate_card_id: str
    end_time: _timestamp_pb2.Timestamp
    subscriptions: _containers.RepeatedCompositeFieldContainer[SubscriptionTerms]
    grant_schedules: _containers.RepeatedCompositeFieldContainer[GrantScheduleTerms]
    included_credits: IncludedCredits
    money_back: MoneyBack
    accept_unprorated: bool
    overage_policy: OveragePolicy
    def __init__(self, contract_id: _Optional[str] = ..., rate_card_id: _Optional[str] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscriptions: _Optional[_Iterable[_Union[SubscriptionTerms, _Mapping]]] = ..., grant_schedules: _Optional[_Iterable[_Union[GrantScheduleTerms, _Mapping]]] = ..., included_credits: _Optional[_Union[IncludedCredits, str]] = ..., money_back: _Optional[_Union[MoneyBack, str]] = ..., accept_unprorated: _Optional[bool] = ..., overage_policy: _Optional[_Union[OveragePolicy, _Mapping]] = ...) -> None: ...

class PreviewPlanChangeResponse(_message.Message):
    __slots__ = ("lines", "total", "credits", "granted_micros", "off_due")
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    GRANTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    OFF_DUE_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[InvoiceLine]
    total: _money_pb2.Money
    credits: _containers.RepeatedCompositeFieldContainer[PlanCredit]
    granted_micros: _containers.RepeatedScalarFieldContainer[int]
    off_due: _money_pb2.Money
    def __init__(self, lines: _Optional[_Iterable[_Union[InvoiceLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., credits: _Optional[_Iterable[_Union[PlanCredit, _Mapping]]] = ..., granted_micros: _Optional[_Iterable[int]] = ..., off_due: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class GetPlanChangeRequest(_message.Message):
    __slots__ = ("plan_change_id",)
    PLAN_CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    plan_change_id: str
    def __init__(self, plan_change_id: _Optional[str] = ...) -> None: ...

class GetPlanChangeResponse(_message.Message):
    __slots__ = ("plan_change",)
    PLAN_CHANGE_FIELD_NUMBER: _ClassVar[int]
    plan_change: PlanChange
    def __init__(self, plan_change: _Optional[_Union[PlanChange, _Mapping]] = ...) -> None: ...

class ListPlanChangesRequest(_message.Message):
    __slots__ = ("contract_id", "page_size", "page_token")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    page_size: int
    page_token: str
    def __init__(self, contract_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPlanChangesResponse(_message.Message):
    __slots__ = ("plan_changes", "next_page_token")
    PLAN_CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    plan_changes: _containers.RepeatedCompositeFieldContainer[PlanChange]
    next_page_token: str
    def __init__(self, plan_changes: _Optional[_Iterable[_Union[PlanChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PlanOffer(_message.Message):
    __slots__ = ("plan_offer_id", "name", "description", "rate_card_id", "subscriptions", "grant_schedules", "included_credits", "money_back", "accept_unprorated", "overage_policy", "customer_ids", "create_time", "archive_time")
    PLAN_OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_CREDITS_FIELD_NUMBER: _ClassVar[int]
    MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_UNPRORATED_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_POLICY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_IDS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    plan_offer_id: str
    name: str
    description: str
    rate_card_id: str
    subscriptions: _containers.RepeatedCompositeFieldContainer[SubscriptionTerms]
    grant_schedules: _containers.RepeatedCompositeFieldContainer[GrantScheduleTerms]
    included_credits: IncludedCredits
    money_back: MoneyBack
    accept_unprorated: bool
    overage_policy: OveragePolicy
    customer_ids: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    archive_time: _timestamp_pb2.Timestamp
    def __init__(self, plan_offer_id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., rate_card_id: _Optional[str] = ..., subscriptions: _Optional[_Iterable[_Union[SubscriptionTerms, _Mapping]]] = ..., grant_schedules: _Optional[_Iterable[_Union[GrantScheduleTerms, _Mapping]]] = ..., included_credits: _Optional[_Union[IncludedCredits, str]] = ..., money_back: _Optional[_Union[MoneyBack, str]] = ..., accept_unprorated: _Optional[bool] = ..., overage_policy: _Optional[_Union[OveragePolicy, _Mapping]] = ..., customer_ids: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreatePlanOfferRequest(_message.Message):
    __slots__ = ("request_id", "name", "description", "rate_card_id", "subscriptions", "grant_schedules", "included_credits", "money_back", "accept_unprorated", "overage_policy", "customers")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_CREDITS_FIELD_NUMBER: _ClassVar[int]
    MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_UNPRORATED_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_POLICY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    description: str
    rate_card_id: str
    subscriptions: _containers.RepeatedCompositeFieldContainer[SubscriptionTerms]
    grant_schedules: _containers.RepeatedCompositeFieldContainer[GrantScheduleTerms]
    included_credits: IncludedCredits
    money_back: MoneyBack
    accept_unprorated: bool
    overage_policy: OveragePolicy
    customers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., rate_card_id: _Optional[str] = ..., subscriptions: _Optional[_Iterable[_Union[SubscriptionTerms, _Mapping]]] = ..., grant_schedules: _Optional[_Iterable[_Union[GrantScheduleTerms, _Mapping]]] = ..., included_credits: _Optional[_Union[IncludedCredits, str]] = ..., money_back: _Optional[_Union[MoneyBack, str]] = ..., accept_unprorated: _Optional[bool] = ..., overage_policy: _Optional[_Union[OveragePolicy, _Mapping]] = ..., customers: _Optional[_Iterable[str]] = ...) -> None: ...

class CreatePlanOfferResponse(_message.Message):
    __slots__ = ("plan_offer",)
    PLAN_OFFER_FIELD_NUMBER: _ClassVar[int]
    plan_offer: PlanOffer
    def __init__(self, plan_offer: _Optional[_Union[PlanOffer, _Mapping]] = ...) -> None: ...

class GetPlanOfferRequest(_message.Message):
    __slots__ = ("plan_offer_id",)
    PLAN_OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    plan_offer_id: str
    def __init__(self, plan_offer_id: _Optional[str] = ...) -> None: ...

class GetPlanOfferResponse(_message.Message):
    __slots__ = ("plan_offer",)
    PLAN_OFFER_FIELD_NUMBER: _ClassVar[int]
    plan_offer: PlanOffer
    def __init__(self, plan_offer: _Optional[_Union[PlanOffer, _Mapping]] = ...) -> None: ...

class ListPlanOffersRequest(_message.Message):
    __slots__ = ("with_archived", "page_size", "page_token")
    WITH_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    with_archived: bool
    page_size: int
    page_token: str
    def __init__(self, with_archived: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPlanOffersResponse(_message.Message):
    __slots__ = ("plan_offers", "next_page_token")
    PLAN_OFFERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    plan_offers: _containers.RepeatedCompositeFieldContainer[PlanOffer]
    next_page_token: str
    def __init__(self, plan_offers: _Optional[_Iterable[_Union[PlanOffer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ArchivePlanOfferRequest(_message.Message):
    __slots__ = ("request_id", "plan_offer_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    plan_offer_id: str
    def __init__(self, request_id: _Optional[str] = ..., plan_offer_id: _Optional[str] = ...) -> None: ...

class ArchivePlanOfferResponse(_message.Message):
    __slots__ = ("plan_offer",)
    PLAN_OFFER_FIELD_NUMBER: _ClassVar[int]
    plan_offer: PlanOffer
    def __init__(self, plan_offer: _Optional[_Union[PlanOffer, _Mapping]] = ...) -> None: ...

class SeatTransfer(_message.Message):
    __slots__ = ("from_seat_id", "to_seat_id")
    FROM_SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    TO_SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    from_seat_id: str
    to_seat_id: str
    def __init__(self, from_seat_id: _Optional[str] = ..., to_seat_id: _Optional[str] = ...) -> None: ...

class SeatChange(_message.Message):
    __slots__ = ("seat_change_id", "subscription_id", "effective_time", "quantity_delta", "quantity_after", "create_time", "new_quantity", "assign_seat_ids", "unassign_seat_ids", "transfers")
    SEAT_CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_DELTA_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_AFTER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    NEW_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    UNASSIGN_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    seat_change_id: str
    subscription_id: str
    effective_time: _timestamp_pb2.Timestamp
    quantity_delta: int
    quantity_after: int
    create_time: _timestamp_pb2.Timestamp
    new_quantity: int
    assign_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    unassign_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    transfers: _containers.RepeatedCompositeFieldContainer[SeatTransfer]
    def __init__(self, seat_change_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quantity_delta: _Optional[int] = ..., quantity_after: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., new_quantity: _Optional[int] = ..., assign_seat_ids: _Optional[_Iterable[str]] = ..., unassign_seat_ids: _Optional[_Iterable[str]] = ..., transfers: _Optional[_Iterable[_Union[SeatTransfer, _Mapping]]] = ...) -> None: ...

class ChangeSeatsRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "subscription_id", "new_quantity", "quantity_delta", "effective_time", "assign_seat_ids", "unassign_seat_ids", "transfers")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_DELTA_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    UNASSIGN_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    subscription_id: str
    new_quantity: int
    quantity_delta: int
    effective_time: _timestamp_pb2.Timestamp
    assign_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    unassign_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    transfers: _containers.RepeatedCompositeFieldContainer[SeatTransfer]
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., new_quantity: _Optional[int] = ..., quantity_delta: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., assign_seat_ids: _Optional[_Iterable[str]] = ..., unassign_seat_ids: _Optional[_Iterable[str]] = ..., transfers: _Optional[_Iterable[_Union[SeatTransfer, _Mapping]]] = ...) -> None: ...

class ChangeSeatsResponse(_message.Message):
    __slots__ = ("seat_change", "subscription", "invoice")
    SEAT_CHANGE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    seat_change: SeatChange
    subscription: Subscription
    invoice: Invoice
    def __init__(self, seat_change: _Optional[_Union[SeatChange, _Mapping]] = ..., subscription: _Optional[_Union[Subscription, _Mapping]] = ..., invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class VoidSeatChangeRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "seat_change_id", "money_back")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SEAT_CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    MONEY_BACK_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    seat_change_id: str
    money_back: MoneyBack
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., seat_change_id: _Optional[str] = ..., money_back: _Optional[_Union[MoneyBack, str]] = ...) -> None: ...

class VoidSeatChangeResponse(_message.Message):
    __slots__ = ("subscription", "settlement")
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_FIELD_NUMBER: _ClassVar[int]
    subscription: Subscription
    settlement: SeatVoid
    def __init__(self, subscription: _Optional[_Union[Subscription, _Mapping]] = ..., settlement: _Optional[_Union[SeatVoid, _Mapping]] = ...) -> None: ...

class SeatVoid(_message.Message):
    __slots__ = ("seat_void_id", "seat_change_id", "void_time", "quantity", "status", "credit", "invoice_id", "credit_note_ids", "apply_time")
    SEAT_VOID_ID_FIELD_NUMBER: _ClassVar[int]
    SEAT_CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    VOID_TIME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTE_IDS_FIELD_NUMBER: _ClassVar[int]
    APPLY_TIME_FIELD_NUMBER: _ClassVar[int]
    seat_void_id: str
    seat_change_id: str
    void_time: _timestamp_pb2.Timestamp
    quantity: int
    status: PlanChangeStatus
    credit: PlanCredit
    invoice_id: str
    credit_note_ids: _containers.RepeatedScalarFieldContainer[str]
    apply_time: _timestamp_pb2.Timestamp
    def __init__(self, seat_void_id: _Optional[str] = ..., seat_change_id: _Optional[str] = ..., void_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quantity: _Optional[int] = ..., status: _Optional[_Union[PlanChangeStatus, str]] = ..., credit: _Optional[_Union[PlanCredit, _Mapping]] = ..., invoice_id: _Optional[str] = ..., credit_note_ids: _Optional[_Iterable[str]] = ..., apply_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListSeatChangesRequest(_message.Message):
    __slots__ = ("contract_id", "subscription_id", "page_size", "page_token")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    subscription_id: str
    page_size: int
    page_token: str
    def __init__(self, contract_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSeatChangesResponse(_message.Message):
    __slots__ = ("seat_changes", "next_page_token")
    SEAT_CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    seat_changes: _containers.RepeatedCompositeFieldContainer[SeatChange]
    next_page_token: str
    def __init__(self, seat_changes: _Optional[_Iterable[_Union[SeatChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class NameSeatsRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "subscription_id", "seat_group_key", "seat_ids", "shared_pool")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    SEAT_GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    SHARED_POOL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    subscription_id: str
    seat_group_key: str
    seat_ids: _containers.RepeatedScalarFieldContainer[str]
    shared_pool: SharedPool
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., seat_group_key: _Optional[str] = ..., seat_ids: _Optional[_Iterable[str]] = ..., shared_pool: _Optional[_Union[SharedPool, _Mapping]] = ...) -> None: ...

class NameSeatsResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: Subscription
    def __init__(self, subscription: _Optional[_Union[Subscription, _Mapping]] = ...) -> None: ...

class SetSharedPoolAccessRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "subscription_id", "shared_pool")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    SHARED_POOL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    subscription_id: str
    shared_pool: SharedPool
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., shared_pool: _Optional[_Union[SharedPool, _Mapping]] = ...) -> None: ...

class SetSharedPoolAccessResponse(_message.Message):
    __slots__ = ("subscription",)
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    subscription: Subscription
    def __init__(self, subscription: _Optional[_Union[Subscription, _Mapping]] = ...) -> None: ...

class ListSeatsRequest(_message.Message):
    __slots__ = ("contract_id", "subscription_id", "at_time", "page_size", "page_token")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    AT_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    subscription_id: str
    at_time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, contract_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., at_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Seat(_message.Message):
    __slots__ = ("seat_id", "assign_time")
    SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_TIME_FIELD_NUMBER: _ClassVar[int]
    seat_id: str
    assign_time: _timestamp_pb2.Timestamp
    def __init__(self, seat_id: _Optional[str] = ..., assign_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListSeatsResponse(_message.Message):
    __slots__ = ("seats", "next_page_token", "quantity", "unassigned_quantity")
    SEATS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNASSIGNED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    seats: _containers.RepeatedCompositeFieldContainer[Seat]
    next_page_token: str
    quantity: int
    unassigned_quantity: int
    def __init__(self, seats: _Optional[_Iterable[_Union[Seat, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., quantity: _Optional[int] = ..., unassigned_quantity: _Optional[int] = ...) -> None: ...

class PreviewSeatChangeRequest(_message.Message):
    __slots__ = ("contract_id", "subscription_id", "new_quantity", "quantity_delta", "effective_time")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_DELTA_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    subscription_id: str
    new_quantity: int
    quantity_delta: int
    effective_time: _timestamp_pb2.Timestamp
    def __init__(self, contract_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., new_quantity: _Optional[int] = ..., quantity_delta: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SeatChangeCredits(_message.Message):
    __slots__ = ("grant_schedule_id", "credit_type_id", "amount_micros")
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    grant_schedule_id: str
    credit_type_id: str
    amount_micros: int
    def __init__(self, grant_schedule_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., amount_micros: _Optional[int] = ...) -> None: ...

class PreviewSeatChangeResponse(_message.Message):
    __slots__ = ("quantity_after", "lines", "total", "credits")
    QUANTITY_AFTER_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    quantity_after: int
    lines: _containers.RepeatedCompositeFieldContainer[InvoiceLine]
    total: _money_pb2.Money
    credits: _containers.RepeatedCompositeFieldContainer[SeatChangeCredits]
    def __init__(self, quantity_after: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[InvoiceLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., credits: _Optional[_Iterable[_Union[SeatChangeCredits, _Mapping]]] = ...) -> None: ...

class PaymentError(_message.Message):
    __slots__ = ("code", "message", "create_time")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TopUp(_message.Message):
    __slots__ = ("top_up_id", "contract_id", "customer_id", "top_up_pack_id", "terms", "payment_gate", "status", "invoice_id", "payment_reference", "create_time", "resolve_time", "expire_time", "last_payment_error")
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_PACK_ID_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_GATE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_PAYMENT_ERROR_FIELD_NUMBER: _ClassVar[int]
    top_up_id: str
    contract_id: str
    customer_id: str
    top_up_pack_id: str
    terms: TopUpTerms
    payment_gate: PaymentGate
    status: TopUpStatus
    invoice_id: str
    payment_reference: str
    create_time: _timestamp_pb2.Timestamp
    resolve_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    last_payment_error: PaymentError
    def __init__(self, top_up_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., top_up_pack_id: _Optional[str] = ..., terms: _Optional[_Union[TopUpTerms, _Mapping]] = ..., payment_gate: _Optional[_Union[PaymentGate, str]] = ..., status: _Optional[_Union[TopUpStatus, str]] = ..., invoice_id: _Optional[str] = ..., payment_reference: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resolve_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_payment_error: _Optional[_Union[PaymentError, _Mapping]] = ...) -> None: ...

class TopUpTerms(_message.Message):
    __slots__ = ("product_id", "credit_type_id", "amount_micros", "price", "priority", "lifetime")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    credit_type_id: str
    amount_micros: int
    price: _money_pb2.Money
    priority: int
    lifetime: _duration_pb2.Duration
    def __init__(self, product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., amount_micros: _Optional[int] = ..., price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., priority: _Optional[int] = ..., lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class OrderTopUpRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "top_up_pack_id", "terms", "payment_gate", "payment_window")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_PACK_ID_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_GATE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    top_up_pack_id: str
    terms: TopUpTerms
    payment_gate: PaymentGate
    payment_window: _duration_pb2.Duration
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., top_up_pack_id: _Optional[str] = ..., terms: _Optional[_Union[TopUpTerms, _Mapping]] = ..., payment_gate: _Optional[_Union[PaymentGate, str]] = ..., payment_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class OrderTopUpResponse(_message.Message):
    __slots__ = ("top_up", "invoice")
    TOP_UP_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    top_up: TopUp
    invoice: Invoice
    def __init__(self, top_up: _Optional[_Union[TopUp, _Mapping]] = ..., invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class ResolveTopUpPaymentRequest(_message.Message):
    __slots__ = ("request_id", "top_up_id", "outcome", "payment_reference", "error_code", "error_message")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    top_up_id: str
    outcome: PaymentOutcome
    payment_reference: str
    error_code: str
    error_message: str
    def __init__(self, request_id: _Optional[str] = ..., top_up_id: _Optional[str] = ..., outcome: _Optional[_Union[PaymentOutcome, str]] = ..., payment_reference: _Optional[str] = ..., error_code: _Optional[str] = ..., error_message: _Optional[str] = ...) -> None: ...

class ResolveTopUpPaymentResponse(_message.Message):
    __slots__ = ("top_up", "invoice")
    TOP_UP_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    top_up: TopUp
    invoice: Invoice
    def __init__(self, top_up: _Optional[_Union[TopUp, _Mapping]] = ..., invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class CancelTopUpRequest(_message.Message):
    __slots__ = ("request_id", "top_up_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    top_up_id: str
    def __init__(self, request_id: _Optional[str] = ..., top_up_id: _Optional[str] = ...) -> None: ...

class CancelTopUpResponse(_message.Message):
    __slots__ = ("top_up", "invoice")
    TOP_UP_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    top_up: TopUp
    invoice: Invoice
    def __init__(self, top_up: _Optional[_Union[TopUp, _Mapping]] = ..., invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class GetTopUpRequest(_message.Message):
    __slots__ = ("top_up_id",)
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    top_up_id: str
    def __init__(self, top_up_id: _Optional[str] = ...) -> None: ...

class GetTopUpResponse(_message.Message):
    __slots__ = ("top_up", "refunds")
    TOP_UP_FIELD_NUMBER: _ClassVar[int]
    REFUNDS_FIELD_NUMBER: _ClassVar[int]
    top_up: TopUp
    refunds: _containers.RepeatedCompositeFieldContainer[TopUpRefund]
    def __init__(self, top_up: _Optional[_Union[TopUp, _Mapping]] = ..., refunds: _Optional[_Iterable[_Union[TopUpRefund, _Mapping]]] = ...) -> None: ...

class RefundedCredits(_message.Message):
    __slots__ = ("granted_micros", "spent_micros", "held_micros", "expired_micros", "voided_micros")
    GRANTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    SPENT_MICROS_FIELD_NUMBER: _ClassVar[int]
    HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_MICROS_FIELD_NUMBER: _ClassVar[int]
    VOIDED_MICROS_FIELD_NUMBER: _ClassVar[int]
    granted_micros: int
    spent_micros: int
    held_micros: int
    expired_micros: int
    voided_micros: int
    def __init__(self, granted_micros: _Optional[int] = ..., spent_micros: _Optional[int] = ..., held_micros: _Optional[int] = ..., expired_micros: _Optional[int] = ..., voided_micros: _Optional[int] = ...) -> None: ...

class TopUpRefund(_message.Message):
    __slots__ = ("refund_id", "top_up_id", "asked", "reason", "status", "amount", "credits", "refundable", "credit_note_id", "create_time", "apply_time", "return_time", "accept_debt", "cause", "provider_refund_id", "owed_micros")
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    REFUNDABLE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    APPLY_TIME_FIELD_NUMBER: _ClassVar[int]
    RETURN_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_DEBT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    OWED_MICROS_FIELD_NUMBER: _ClassVar[int]
    refund_id: str
    top_up_id: str
    asked: _money_pb2.Money
    reason: str
    status: TopUpRefundStatus
    amount: _money_pb2.Money
    credits: RefundedCredits
    refundable: _money_pb2.Money
    credit_note_id: str
    create_time: _timestamp_pb2.Timestamp
    apply_time: _timestamp_pb2.Timestamp
    return_time: _timestamp_pb2.Timestamp
    accept_debt: bool
    cause: TopUpRefundCause
    provider_refund_id: str
    owed_micros: int
    def __init__(self, refund_id: _Optional[str] = ..., top_up_id: _Optional[str] = ..., asked: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reason: _Optional[str] = ..., status: _Optional[_Union[TopUpRefundStatus, str]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., credits: _Optional[_Union[RefundedCredits, _Mapping]] = ..., refundable: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., credit_note_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., apply_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., return_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., accept_debt: _Optional[bool] = ..., cause: _Optional[_Union[TopUpRefundCause, str]] = ..., provider_refund_id: _Optional[str] = ..., owed_micros: _Optional[int] = ...) -> None: ...

class ReportTopUpChargebackRequest(_message.Message):
    __slots__ = ("request_id", "top_up_id", "chargeback_id", "dispute_outcome", "amount")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    CHARGEBACK_ID_FIELD_NUMBER: _ClassVar[int]
    DISPUTE_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    top_up_id: str
    chargeback_id: str
    dispute_outcome: DisputeOutcome
    amount: _money_pb2.Money
    def __init__(self, request_id: _Optional[str] = ..., top_up_id: _Optional[str] = ..., chargeback_id: _Optional[str] = ..., dispute_outcome: _Optional[_Union[DisputeOutcome, str]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class ReportTopUpChargebackResponse(_message.Message):
    __slots__ = ("refund",)
    REFUND_FIELD_NUMBER: _ClassVar[int]
    refund: TopUpRefund
    def __init__(self, refund: _Optional[_Union[TopUpRefund, _Mapping]] = ...) -> None: ...

class RefundTopUpRequest(_message.Message):
    __slots__ = ("request_id", "top_up_id", "amount", "reason", "accept_debt")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_DEBT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    top_up_id: str
    amount: _money_pb2.Money
    reason: str
    accept_debt: bool
    def __init__(self, request_id: _Optional[str] = ..., top_up_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reason: _Optional[str] = ..., accept_debt: _Optional[bool] = ...) -> None: ...

class RefundTopUpResponse(_message.Message):
    __slots__ = ("refund",)
    REFUND_FIELD_NUMBER: _ClassVar[int]
    refund: TopUpRefund
    def __init__(self, refund: _Optional[_Union[TopUpRefund, _Mapping]] = ...) -> None: ...

class ListTopUpsRequest(_message.Message):
    __slots__ = ("contract_id", "page_size", "page_token", "newest_first")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    page_size: int
    page_token: str
    newest_first: bool
    def __init__(self, contract_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., newest_first: _Optional[bool] = ...) -> None: ...

class ListTopUpsResponse(_message.Message):
    __slots__ = ("top_ups", "next_page_token")
    TOP_UPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    top_ups: _containers.RepeatedCompositeFieldContainer[TopUp]
    next_page_token: str
    def __init__(self, top_ups: _Optional[_Iterable[_Union[TopUp, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Fraction(_message.Message):
    __slots__ = ("numerator", "denominator")
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    numerator: int
    denominator: int
    def __init__(self, numerator: _Optional[int] = ..., denominator: _Optional[int] = ...) -> None: ...

class InvoiceLine(_message.Message):
    __slots__ = ("invoice_line_id", "kind", "product_id", "description", "quantity", "unit_price", "fraction", "exact_micros", "total", "period", "subscription_id", "carried_micros")
    INVOICE_LINE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    EXACT_MICROS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIED_MICROS_FIELD_NUMBER: _ClassVar[int]
    invoice_line_id: str
    kind: InvoiceLineKind
    product_id: str
    description: str
    quantity: int
    unit_price: _money_pb2.Money
    fraction: Fraction
    exact_micros: int
    total: _money_pb2.Money
    period: _billing_period_pb2.BillingPeriod
    subscription_id: str
    carried_micros: int
    def __init__(self, invoice_line_id: _Optional[str] = ..., kind: _Optional[_Union[InvoiceLineKind, str]] = ..., product_id: _Optional[str] = ..., description: _Optional[str] = ..., quantity: _Optional[int] = ..., unit_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., fraction: _Optional[_Union[Fraction, _Mapping]] = ..., exact_micros: _Optional[int] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., period: _Optional[_Union[_billing_period_pb2.BillingPeriod, _Mapping]] = ..., subscription_id: _Optional[str] = ..., carried_micros: _Optional[int] = ...) -> None: ...

class Invoice(_message.Message):
    __slots__ = ("invoice_id", "customer_id", "contract_id", "status", "lines", "total", "issue_time", "finalize_time", "number", "amount_paid", "amount_credited", "amount_due", "void_time", "void_reason")
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    ISSUE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINALIZE_TIME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_PAID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_CREDITED_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_DUE_FIELD_NUMBER: _ClassVar[int]
    VOID_TIME_FIELD_NUMBER: _ClassVar[int]
    VOID_REASON_FIELD_NUMBER: _ClassVar[int]
    invoice_id: str
    customer_id: str
    contract_id: str
    status: InvoiceStatus
    lines: _containers.RepeatedCompositeFieldContainer[InvoiceLine]
    total: _money_pb2.Money
    issue_time: _timestamp_pb2.Timestamp
    finalize_time: _timestamp_pb2.Timestamp
    number: str
    amount_paid: _money_pb2.Money
    amount_credited: _money_pb2.Money
    amount_due: _money_pb2.Money
    void_time: _timestamp_pb2.Timestamp
    void_reason: str
    def __init__(self, invoice_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., status: _Optional[_Union[InvoiceStatus, str]] = ..., lines: _Optional[_Iterable[_Union[InvoiceLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., issue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finalize_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., number: _Optional[str] = ..., amount_paid: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., amount_credited: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., amount_due: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., void_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., void_reason: _Optional[str] = ...) -> None: ...

class InvoicePayment(_message.Message):
    __slots__ = ("invoice_payment_id", "invoice_id", "amount", "reference", "payment_time", "create_time")
    INVOICE_PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    invoice_payment_id: str
    invoice_id: str
    amount: _money_pb2.Money
    reference: str
    payment_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, invoice_payment_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reference: _Optional[str] = ..., payment_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListInvoicesRequest(_message.Message):
    __slots__ = ("customer", "contract_id", "page_size", "page_token", "newest_first")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    customer: str
    contract_id: str
    page_size: int
    page_token: str
    newest_first: bool
    def __init__(self, customer: _Optional[str] = ..., contract_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., newest_first: _Optional[bool] = ...) -> None: ...

class ListInvoicesResponse(_message.Message):
    __slots__ = ("invoices", "next_page_token")
    INVOICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    invoices: _containers.RepeatedCompositeFieldContainer[Invoice]
    next_page_token: str
    def __init__(self, invoices: _Optional[_Iterable[_Union[Invoice, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetInvoiceRequest(_message.Message):
    __slots__ = ("invoice_id",)
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    invoice_id: str
    def __init__(self, invoice_id: _Optional[str] = ...) -> None: ...

class GetInvoiceResponse(_message.Message):
    __slots__ = ("invoice", "payments", "credit_notes", "seller", "buyer", "usage", "refunds")
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTES_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    REFUNDS_FIELD_NUMBER: _ClassVar[int]
    invoice: Invoice
    payments: _containers.RepeatedCompositeFieldContainer[InvoicePayment]
    credit_notes: _containers.RepeatedCompositeFieldContainer[CreditNote]
    seller: Party
    buyer: Party
    usage: InvoiceUsage
    refunds: _containers.RepeatedCompositeFieldContainer[InvoiceRefund]
    def __init__(self, invoice: _Optional[_Union[Invoice, _Mapping]] = ..., payments: _Optional[_Iterable[_Union[InvoicePayment, _Mapping]]] = ..., credit_notes: _Optional[_Iterable[_Union[CreditNote, _Mapping]]] = ..., seller: _Optional[_Union[Party, _Mapping]] = ..., buyer: _Optional[_Union[Party, _Mapping]] = ..., usage: _Optional[_Union[InvoiceUsage, _Mapping]] = ..., refunds: _Optional[_Iterable[_Union[InvoiceRefund, _Mapping]]] = ...) -> None: ...

class InvoiceRefund(_message.Message):
    __slots__ = ("refund_id", "invoice_id", "invoice_payment_id", "amount", "cause", "reason", "status", "credit_note_id", "create_time", "return_time", "provider_refund_id", "reverse_time")
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_PAYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RETURN_TIME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    REVERSE_TIME_FIELD_NUMBER: _ClassVar[int]
    refund_id: str
    invoice_id: str
    invoice_payment_id: str
    amount: _money_pb2.Money
    cause: InvoiceRefundCause
    reason: str
    status: InvoiceRefundStatus
    credit_note_id: str
    create_time: _timestamp_pb2.Timestamp
    return_time: _timestamp_pb2.Timestamp
    provider_refund_id: str
    reverse_time: _timestamp_pb2.Timestamp
    def __init__(self, refund_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., invoice_payment_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cause: _Optional[_Union[InvoiceRefundCause, str]] = ..., reason: _Optional[str] = ..., status: _Optional[_Union[InvoiceRefundStatus, str]] = ..., credit_note_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., return_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., provider_refund_id: _Optional[str] = ..., reverse_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UsagePayment(_message.Message):
    __slots__ = ("credit_source", "product_id", "source_id", "effective_time", "credits_micros")
    CREDIT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    credit_source: CreditSource
    product_id: str
    source_id: str
    effective_time: _timestamp_pb2.Timestamp
    credits_micros: int
    def __init__(self, credit_source: _Optional[_Union[CreditSource, str]] = ..., product_id: _Optional[str] = ..., source_id: _Optional[str] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., credits_micros: _Optional[int] = ...) -> None: ...

class UsageLine(_message.Message):
    __slots__ = ("credit_type_id", "product_id", "product_name", "group_value", "quantity_micros", "credits_micros", "paid_by", "overage_micros", "uncovered_micros")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    PAID_BY_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    UNCOVERED_MICROS_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    product_id: str
    product_name: str
    group_value: str
    quantity_micros: int
    credits_micros: int
    paid_by: _containers.RepeatedCompositeFieldContainer[UsagePayment]
    overage_micros: int
    uncovered_micros: int
    def __init__(self, credit_type_id: _Optional[str] = ..., product_id: _Optional[str] = ..., product_name: _Optional[str] = ..., group_value: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., paid_by: _Optional[_Iterable[_Union[UsagePayment, _Mapping]]] = ..., overage_micros: _Optional[int] = ..., uncovered_micros: _Optional[int] = ...) -> None: ...

class CoveredPool(_message.Message):
    __slots__ = ("credit_type_id", "sequence")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    sequence: int
    def __init__(self, credit_type_id: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class InvoiceUsage(_message.Message):
    __slots__ = ("period", "group_key", "detail", "lines", "refresh_time", "covered", "covered_time")
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TIME_FIELD_NUMBER: _ClassVar[int]
    COVERED_FIELD_NUMBER: _ClassVar[int]
    COVERED_TIME_FIELD_NUMBER: _ClassVar[int]
    period: _billing_period_pb2.BillingPeriod
    group_key: str
    detail: UsageDetail
    lines: _containers.RepeatedCompositeFieldContainer[UsageLine]
    refresh_time: _timestamp_pb2.Timestamp
    covered: _containers.RepeatedCompositeFieldContainer[CoveredPool]
    covered_time: _timestamp_pb2.Timestamp
    def __init__(self, period: _Optional[_Union[_billing_period_pb2.BillingPeriod, _Mapping]] = ..., group_key: _Optional[str] = ..., detail: _Optional[_Union[UsageDetail, str]] = ..., lines: _Optional[_Iterable[_Union[UsageLine, _Mapping]]] = ..., refresh_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., covered: _Optional[_Iterable[_Union[CoveredPool, _Mapping]]] = ..., covered_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetInvoiceDocumentRequest(_message.Message):
    __slots__ = ("invoice_id", "format")
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    invoice_id: str
    format: DocumentFormat
    def __init__(self, invoice_id: _Optional[str] = ..., format: _Optional[_Union[DocumentFormat, str]] = ...) -> None: ...

class GetInvoiceDocumentResponse(_message.Message):
    __slots__ = ("content", "content_type", "file_name")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    content_type: str
    file_name: str
    def __init__(self, content: _Optional[bytes] = ..., content_type: _Optional[str] = ..., file_name: _Optional[str] = ...) -> None: ...

class FinalizeInvoiceRequest(_message.Message):
    __slots__ = ("request_id", "invoice_id", "taxes")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    TAXES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    invoice_id: str
    taxes: _containers.RepeatedCompositeFieldContainer[TaxTerms]
    def __init__(self, request_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., taxes: _Optional[_Iterable[_Union[TaxTerms, _Mapping]]] = ...) -> None: ...

class FinalizeInvoiceResponse(_message.Message):
    __slots__ = ("invoice",)
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    invoice: Invoice
    def __init__(self, invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class VoidInvoiceRequest(_message.Message):
    __slots__ = ("request_id", "invoice_id", "reason", "regenerate")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REGENERATE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    invoice_id: str
    reason: str
    regenerate: bool
    def __init__(self, request_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., reason: _Optional[str] = ..., regenerate: _Optional[bool] = ...) -> None: ...

class VoidInvoiceResponse(_message.Message):
    __slots__ = ("invoice", "regenerated")
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    REGENERATED_FIELD_NUMBER: _ClassVar[int]
    invoice: Invoice
    regenerated: Invoice
    def __init__(self, invoice: _Optional[_Union[Invoice, _Mapping]] = ..., regenerated: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class RepriceSeatsRequest(_message.Message):
    __slots__ = ("request_id", "contract_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ...) -> None: ...

class RepriceSeatsResponse(_message.Message):
    __slots__ = ("invoice",)
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    invoice: Invoice
    def __init__(self, invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class RecordInvoicePaymentRequest(_message.Message):
    __slots__ = ("request_id", "invoice_id", "amount", "reference", "payment_time")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TIME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    invoice_id: str
    amount: _money_pb2.Money
    reference: str
    payment_time: _timestamp_pb2.Timestamp
    def __init__(self, request_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reference: _Optional[str] = ..., payment_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecordInvoicePaymentResponse(_message.Message):
    __slots__ = ("payment", "invoice")
    PAYMENT_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    payment: InvoicePayment
    invoice: Invoice
    def __init__(self, payment: _Optional[_Union[InvoicePayment, _Mapping]] = ..., invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class CreditNoteLine(_message.Message):
    __slots__ = ("invoice_line_id", "amount")
    INVOICE_LINE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    invoice_line_id: str
    amount: _money_pb2.Money
    def __init__(self, invoice_line_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class CreditNote(_message.Message):
    __slots__ = ("credit_note_id", "invoice_id", "number", "finalize_time", "amount", "tax", "amount_off_due", "account_credit", "reason", "lines")
    CREDIT_NOTE_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FINALIZE_TIME_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    TAX_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_OFF_DUE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_CREDIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    credit_note_id: str
    invoice_id: str
    number: str
    finalize_time: _timestamp_pb2.Timestamp
    amount: _money_pb2.Money
    tax: _money_pb2.Money
    amount_off_due: _money_pb2.Money
    account_credit: _money_pb2.Money
    reason: str
    lines: _containers.RepeatedCompositeFieldContainer[CreditNoteLine]
    def __init__(self, credit_note_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., number: _Optional[str] = ..., finalize_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., tax: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., amount_off_due: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., account_credit: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reason: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[CreditNoteLine, _Mapping]]] = ...) -> None: ...

class CreateCreditNoteRequest(_message.Message):
    __slots__ = ("request_id", "invoice_id", "amount", "lines", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    invoice_id: str
    amount: _money_pb2.Money
    lines: _containers.RepeatedCompositeFieldContainer[CreditNoteLine]
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., invoice_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[CreditNoteLine, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class CreateCreditNoteResponse(_message.Message):
    __slots__ = ("credit_note", "invoice")
    CREDIT_NOTE_FIELD_NUMBER: _ClassVar[int]
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    credit_note: CreditNote
    invoice: Invoice
    def __init__(self, credit_note: _Optional[_Union[CreditNote, _Mapping]] = ..., invoice: _Optional[_Union[Invoice, _Mapping]] = ...) -> None: ...

class AccountCreditEntry(_message.Message):
    __slots__ = ("account_credit_entry_id", "amount", "balance_after", "cause", "document_id", "create_time")
    ACCOUNT_CREDIT_ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    BALANCE_AFTER_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    account_credit_entry_id: str
    amount: _money_pb2.Money
    balance_after: _money_pb2.Money
    cause: AccountCreditCause
    document_id: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, account_credit_entry_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., balance_after: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cause: _Optional[_Union[AccountCreditCause, str]] = ..., document_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAccountCreditsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAccountCreditsResponse(_message.Message):
    __slots__ = ("balances", "entries", "next_page_token")
    BALANCES_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    balances: _containers.RepeatedCompositeFieldContainer[_money_pb2.Money]
    entries: _containers.RepeatedCompositeFieldContainer[AccountCreditEntry]
    next_page_token: str
    def __init__(self, balances: _Optional[_Iterable[_Union[_money_pb2.Money, _Mapping]]] = ..., entries: _Optional[_Iterable[_Union[AccountCreditEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
