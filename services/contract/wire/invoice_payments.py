# SPDX-License-Identifier: Apache-2.0
"""Payments of invoices through the provider on the wire."""

from typing import Final

from meshkit.rpc.fields import Fields, optional_timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import payments_pb2 as pb
from services.contract.domain.commands.invoices import InvoiceAttempt, PayInvoice
from services.contract.domain.dunning import Dunning, DunningStatus
from services.contract.domain.ids import InvoiceId
from services.contract.domain.invoice_charges import InvoicePaymentNow
from services.contract.wire.invoices import invoice_to_wire
from services.contract.wire.payments import STATES
from services.contract.wire.top_ups import error_to_wire
from services.contract.wire.values import money_to_wire, return_url

_STATUSES: Final = {
    DunningStatus.COLLECTING: pb.DUNNING_STATUS_COLLECTING,
    DunningStatus.CARRIED: pb.DUNNING_STATUS_CARRIED,
    DunningStatus.STOPPED: pb.DUNNING_STATUS_STOPPED,
    DunningStatus.SETTLED: pb.DUNNING_STATUS_SETTLED,
}


def pay_from_wire(request: pb.PayInvoiceRequest) -> PayInvoice:
    fields = Fields()
    command = PayInvoice(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("PayInvoice", request),
        invoice_id=InvoiceId(fields.text("invoice_id", request.invoice_id)),
        payment_method_id=fields.text("payment_method_id", request.payment_method_id, required=False),
        return_url=return_url(fields, request.return_url),
    )
    fields.check()
    return command


def get_from_wire(request: pb.GetInvoicePaymentRequest) -> InvoiceId:
    fields = Fields()
    invoice_id = InvoiceId(fields.text("invoice_id", request.invoice_id))
    fields.check()
    return invoice_id


def pay_to_wire(attempt: InvoiceAttempt) -> pb.PayInvoiceResponse:
    return pb.PayInvoiceResponse(
        invoice=invoice_to_wire(attempt.invoice),
        state=STATES[attempt.state],
        dunning=None if attempt.dunning is None else _dunning_to_wire(attempt.dunning),
    )


def get_to_wire(found: InvoicePaymentNow) -> pb.GetInvoicePaymentResponse:
    charge, action = found.charge, found.action
    return pb.GetInvoicePaymentResponse(
        state=STATES[charge.state],
        amount=money_to_wire(charge.amount),
        invoice_ids=[one.invoice_id for one in charge.parts],
        provider_payment_id=charge.provider_payment_id,
        client_secret="" if action is None else action.client_secret,
        redirect_url="" if action is None else action.redirect_url,
        dunning=None if found.dunning is None else _dunning_to_wire(found.dunning),
    )


def _dunning_to_wire(dunning: Dunning) -> pb.Dunning:
    return pb.Dunning(
        status=_STATUSES[dunning.status],
        attempts=dunning.attempts,
        next_attempt_time=optional_timestamp(dunning.next_time),
        last_payment_error=error_to_wire(dunning.last_error),
        suspends=dunning.is_overdue,
    )
