# SPDX-License-Identifier: Apache-2.0
"""Refunds of the payments of invoices on the wire."""

from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import payments_pb2 as pb
from services.contract.domain.commands.invoices import InvoicePaymentRefunded, RefundInvoicePayment
from services.contract.domain.ids import InvoiceId, InvoicePaymentId
from services.contract.wire.invoices import invoice_refund_to_wire, invoice_to_wire
from services.contract.wire.values import money


def refund_from_wire(request: pb.RefundInvoicePaymentRequest) -> RefundInvoicePayment:
    fields = Fields()
    payment_id = fields.text("invoice_payment_id", request.invoice_payment_id, required=False)
    command = RefundInvoicePayment(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RefundInvoicePayment", request),
        invoice_id=InvoiceId(fields.text("invoice_id", request.invoice_id)),
        invoice_payment_id=InvoicePaymentId(payment_id) if payment_id else None,
        amount=money(fields, "amount", request.amount, True, minimum=1)
        if request.HasField("amount")
        else None,
        with_credit_note=request.with_credit_note,
        reason=fields.text("reason", request.reason),
    )
    fields.check()
    return command


def refund_to_wire(done: InvoicePaymentRefunded) -> pb.RefundInvoicePaymentResponse:
    return pb.RefundInvoicePaymentResponse(
        invoice=invoice_to_wire(done.invoice), refund=invoice_refund_to_wire(done.refund)
    )
