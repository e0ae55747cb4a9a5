# SPDX-License-Identifier: Apache-2.0
"""Payments through a provider on the wire."""

from typing import Final

from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import payments_pb2 as pb
from services.contract.domain.commands.top_ups import PayTopUp, SetPaymentMethod, TopUpAndInvoice
from services.contract.domain.ids import TopUpId
from services.contract.domain.payments import PaymentMethod, PaymentState, TopUpPayment
from services.contract.wire.invoices import invoice_to_wire
from services.contract.wire.top_ups import top_up_to_wire
from services.contract.wire.values import money_to_wire, return_url

STATES: Final = {
    PaymentState.NEW: pb.PAYMENT_STATE_NEW,
    PaymentState.OPEN: pb.PAYMENT_STATE_OPEN,
    PaymentState.ACTION_REQUIRED: pb.PAYMENT_STATE_ACTION_REQUIRED,
    PaymentState.PROCESSING: pb.PAYMENT_STATE_PROCESSING,
    PaymentState.SUCCEEDED: pb.PAYMENT_STATE_SUCCEEDED,
    PaymentState.CANCELLED: pb.PAYMENT_STATE_CANCELLED,
    PaymentState.REFUND_DUE: pb.PAYMENT_STATE_REFUND_DUE,
    PaymentState.REFUNDED: pb.PAYMENT_STATE_REFUNDED,
}


def set_method_from_wire(request: pb.SetPaymentMethodRequest) -> SetPaymentMethod:
    fields = Fields()
    command = SetPaymentMethod(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetPaymentMethod", request),
        customer=fields.text("customer", request.customer),
        provider_customer_id=fields.text("provider_customer_id", request.provider_customer_id),
        payment_method_id=fields.text("payment_method_id", request.payment_method_id),
    )
    fields.check()
    return command


def pay_from_wire(request: pb.PayTopUpRequest) -> PayTopUp:
    fields = Fields()
    command = PayTopUp(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("PayTopUp", request),
        top_up_id=TopUpId(fields.text("top_up_id", request.top_up_id)),
        payment_method_id=fields.text("payment_method_id", request.payment_method_id, required=False),
        return_url=return_url(fields, request.return_url),
    )
    fields.check()
    return command


def get_from_wire(request: pb.GetTopUpPaymentRequest) -> TopUpId:
    fields = Fields()
    top_up_id = TopUpId(fields.text("top_up_id", request.top_up_id))
    fields.check()
    return top_up_id


def get_method_from_wire(request: pb.GetPaymentMethodRequest) -> str:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    fields.check()
    return customer


def set_method_to_wire(method: PaymentMethod) -> pb.SetPaymentMethodResponse:
    return pb.SetPaymentMethodResponse(payment_method=_method_to_wire(method))


def get_method_to_wire(method: PaymentMethod | None) -> pb.GetPaymentMethodResponse:
    return pb.GetPaymentMethodResponse(payment_method=None if method is None else _method_to_wire(method))


def pay_to_wire(paid: TopUpAndInvoice) -> pb.PayTopUpResponse:
    return pb.PayTopUpResponse(top_up=top_up_to_wire(paid.top_up), invoice=invoice_to_wire(paid.invoice))


def get_to_wire(found: TopUpPayment) -> pb.GetTopUpPaymentResponse:
    payment, action = found.payment, found.action
    return pb.GetTopUpPaymentResponse(
        state=STATES[payment.state],
        amount=money_to_wire(payment.amount),
        provider_payment_id=payment.provider_payment_id,
        client_secret="" if action is None else action.client_secret,
        redirect_url="" if action is None else action.redirect_url,
    )


def _method_to_wire(method: PaymentMethod) -> pb.PaymentMethod:
    return pb.PaymentMethod(
        customer_id=method.customer_id,
        provider_customer_id=method.provider_customer_id,
        payment_method_id=method.payment_method_id,
        label=method.label,
        update_time=timestamp(method.update_time),
    )
