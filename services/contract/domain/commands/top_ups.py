# SPDX-License-Identifier: Apache-2.0
"""Commands about top-ups and payment methods."""

from dataclasses import dataclass
from datetime import timedelta

from meshkit.quantity import Money
from services.contract.domain.auto_top_up import AutoTopUpTerms
from services.contract.domain.ids import (
    AutoTopUpId,
    ContractId,
    TopUpId,
    TopUpPackId,
)
from services.contract.domain.invoice import Invoice
from services.contract.domain.refunds import DisputeOutcome
from services.contract.domain.top_up import (
    PAYMENT_WINDOW_DEFAULT,
    PaymentGate,
    PaymentOutcome,
    TopUp,
    TopUpTerms,
)


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
    """payment_method_id: the provider's; empty: the customer's saved one.

    return_url: where the payer comes back to after confirming; empty: nobody is present.
    """

    request_id: str
    fingerprint: bytes
    top_up_id: TopUpId
    payment_method_id: str
    return_url: str = ""


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
