# SPDX-License-Identifier: Apache-2.0
"""Commands about invoices, their payments and credit notes."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Money
from services.contract.domain.dunning import Dunning
from services.contract.domain.ids import (
    InvoiceId,
    InvoicePaymentId,
)
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_credits import AccountCreditEntry, CreditNote, CreditNoteLine
from services.contract.domain.invoice_life import InvoicePayment
from services.contract.domain.invoice_parties import InvoiceParties
from services.contract.domain.invoice_refunds import InvoiceRefund
from services.contract.domain.invoice_taxes import TaxTerms
from services.contract.domain.payments import PaymentState
from services.contract.domain.usage.progress import InvoiceUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class PayInvoice:
    """payment_method_id: the provider's; empty: the customer's saved one.

    return_url: where the payer comes back to after confirming; empty: nobody is present.
    """

    request_id: str
    fingerprint: bytes
    invoice_id: InvoiceId
    payment_method_id: str
    return_url: str = ""


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
