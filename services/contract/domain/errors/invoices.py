# SPDX-License-Identifier: Apache-2.0
"""What is wrong with an invoice, or with money for it."""

from meshkit.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    InvalidFields,
    NotFound,
)


class InvoiceNotFound(NotFound):
    """No invoice has the id."""

    reason = "INVOICE_NOT_FOUND"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} does not exist; ListInvoices lists all", invoice_id=invoice_id
        )


class InvoiceAlreadyFinalized(FailedPrecondition):
    """The invoice was issued before."""

    reason = "INVOICE_ALREADY_FINALIZED"

    def __init__(self, *, invoice_id: str, number: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} was issued already, under the number {number!r}",
            invoice_id=invoice_id,
            number=number,
        )


class InvoiceNotFinalized(FailedPrecondition):
    """The invoice is still a draft."""

    reason = "INVOICE_NOT_FINALIZED"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} is a draft; issue it first with FinalizeInvoice", invoice_id=invoice_id
        )


class InvoiceVoid(FailedPrecondition):
    """The invoice was cancelled."""

    reason = "INVOICE_VOID"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(f"invoice {invoice_id!r} is void, which is final", invoice_id=invoice_id)


class InvoiceAlreadyPaid(FailedPrecondition):
    """Nothing is due any more."""

    reason = "INVOICE_ALREADY_PAID"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} is paid; a credit note gives money back", invoice_id=invoice_id
        )


class InvoiceHasPayments(FailedPrecondition):
    """A part of the invoice was paid or credited, so it can no longer be cancelled."""

    reason = "INVOICE_HAS_PAYMENTS"

    def __init__(self, *, invoice_id: str, settled_micros: str) -> None:
        super().__init__(
            f"of invoice {invoice_id!r}, {settled_micros} micros are paid or credited already;"
            " a credit note takes off the rest",
            invoice_id=invoice_id,
            settled_micros=settled_micros,
        )


class InvoiceZero(FailedPrecondition):
    """An invoice without a line that is not 0 is not issued."""

    reason = "INVOICE_ZERO"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"every line of invoice {invoice_id!r} is 0, so there is nothing to issue", invoice_id=invoice_id
        )


class InvoiceCreditsGranted(FailedPrecondition):
    """The seats that the invoice charges have brought credits."""

    reason = "INVOICE_CREDITS_GRANTED"

    def __init__(self, *, invoice_id: str, subscription_id: str) -> None:
        super().__init__(
            f"the seats of subscription {subscription_id!r} on invoice {invoice_id!r} have brought credits; use"
            " `regenerate` or a credit note, or take the seats back with EndContract or VoidSeatChange",
            invoice_id=invoice_id,
            subscription_id=subscription_id,
        )


class PaymentExceedsDue(FailedPrecondition):
    """More than what is due cannot be paid."""

    reason = "PAYMENT_EXCEEDS_DUE"

    def __init__(self, *, invoice_id: str, due_micros: str) -> None:
        super().__init__(
            f"only {due_micros} micros of invoice {invoice_id!r} are due",
            invoice_id=invoice_id,
            due_micros=due_micros,
        )


class PaymentAlreadyRecorded(AlreadyExists):
    """The invoice has a payment of this reference."""

    reason = "PAYMENT_ALREADY_RECORDED"

    def __init__(self, *, invoice_id: str, reference: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} already has a payment {reference!r}; another payment needs another reference",
            invoice_id=invoice_id,
            reference=reference,
        )


class CreditExceedsInvoice(FailedPrecondition):
    """Credit notes cannot take off more than the invoice, or its line, charged."""

    reason = "CREDIT_EXCEEDS_INVOICE"

    def __init__(self, *, invoice_id: str, left_micros: str, invoice_line_id: str = "") -> None:
        of = (
            f"line {invoice_line_id!r} of invoice {invoice_id!r}"
            if invoice_line_id
            else f"invoice {invoice_id!r}"
        )
        super().__init__(
            f"credit notes have left {left_micros} micros of {of}; take off at most that",
            invoice_id=invoice_id,
            invoice_line_id=invoice_line_id,
            left_micros=left_micros,
        )


class DocumentTooLarge(FailedPrecondition):
    """The document does not fit into a response."""

    reason = "DOCUMENT_TOO_LARGE"

    def __init__(self, *, invoice_id: str, size: str) -> None:
        super().__init__(
            f"the document of invoice {invoice_id!r} has {size} bytes, more than a response can hold;"
            " GetInvoice returns its facts",
            invoice_id=invoice_id,
            size=size,
        )


class PdfUnavailable(FailedPrecondition):
    """This installation lacks a library that PDF needs."""

    reason = "PDF_UNAVAILABLE"

    def __init__(self, *, details: str) -> None:
        super().__init__(
            f"PDF needs the system's library Pango ({details}); install it (Debian: libpango-1.0-0,"
            " libpangoft2-1.0-0), or ask for HTML",
            details=details,
        )


class InvoicePaymentNotFound(NotFound):
    """The invoice has no such payment, or has several and none was named."""

    reason = "INVOICE_PAYMENT_NOT_FOUND"

    def __init__(self, *, invoice_id: str, invoice_payment_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} has no payment {invoice_payment_id!r}; name one, unless it has only one",
            invoice_id=invoice_id,
            invoice_payment_id=invoice_payment_id,
        )


class PaymentOfTopUp(FailedPrecondition):
    """The payment was the condition for credits, which are taken back with it."""

    reason = "PAYMENT_OF_TOP_UP"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(f"the payment is that of top-up {top_up_id!r}; use RefundTopUp", top_up_id=top_up_id)


class RefundExceedsPayment(FailedPrecondition):
    """More than what is left of a payment cannot be given back."""

    reason = "REFUND_EXCEEDS_PAYMENT"

    def __init__(self, *, invoice_payment_id: str, left_micros: str) -> None:
        super().__init__(
            f"only {left_micros} micros of payment {invoice_payment_id!r} are left to give back",
            invoice_payment_id=invoice_payment_id,
            left_micros=left_micros,
        )


class AmountTooLarge(InvalidFields):
    """The seats of a contract together cost more than an invoice can hold."""

    def __init__(self, *, micros: int) -> None:
        message = f"together cost {micros} micros, more than an invoice can hold"
        super().__init__((FieldViolation("subscriptions", message),))
