# SPDX-License-Identifier: Apache-2.0
"""Top-ups on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields, optional_timestamp, span, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.top_ups import (
    CancelTopUp,
    OrderTopUp,
    ResolveTopUpPayment,
    TopUpAndInvoice,
)
from services.contract.domain.ids import ContractId, ProductId, TopUpId, TopUpPackId
from services.contract.domain.schedules import PRIORITY_MAX
from services.contract.domain.top_up import (
    AMOUNT_MAX,
    LIFETIME_MAX,
    LIFETIME_MIN,
    PAYMENT_WINDOW_DEFAULT,
    PAYMENT_WINDOW_MAX,
    PAYMENT_WINDOW_MIN,
    PRIORITY_DEFAULT,
    PaymentError,
    PaymentGate,
    PaymentOutcome,
    TopUp,
    TopUpStatus,
    TopUpTerms,
)
from services.contract.wire.invoices import invoice_to_wire
from services.contract.wire.schedules import custom_credit_type
from services.contract.wire.values import NEWEST_FIRST, by_number, money, money_to_wire

GATES: Final = {
    PaymentGate.NONE: pb.PAYMENT_GATE_NONE,
    PaymentGate.EXTERNAL: pb.PAYMENT_GATE_EXTERNAL,
    PaymentGate.STRIPE: pb.PAYMENT_GATE_STRIPE,
}
_OUTCOMES: Final = {
    PaymentOutcome.PAID: pb.PAYMENT_OUTCOME_PAID,
    PaymentOutcome.FAILED: pb.PAYMENT_OUTCOME_FAILED,
    PaymentOutcome.DECLINED: pb.PAYMENT_OUTCOME_DECLINED,
    PaymentOutcome.REFUNDED: pb.PAYMENT_OUTCOME_REFUNDED,
}
_STATUSES: Final = {
    TopUpStatus.PENDING_PAYMENT: pb.TOP_UP_STATUS_PENDING_PAYMENT,
    TopUpStatus.PAID: pb.TOP_UP_STATUS_PAID,
    TopUpStatus.FAILED: pb.TOP_UP_STATUS_FAILED,
    TopUpStatus.CANCELLED: pb.TOP_UP_STATUS_CANCELLED,
    TopUpStatus.EXPIRED: pb.TOP_UP_STATUS_EXPIRED,
    TopUpStatus.REFUND_DUE: pb.TOP_UP_STATUS_REFUND_DUE,
    TopUpStatus.REFUNDED: pb.TOP_UP_STATUS_REFUNDED,
}


def order_from_wire(request: pb.OrderTopUpRequest) -> OrderTopUp:
    fields = Fields()
    top_up_pack_id, terms = None, None
    match request.WhichOneof("what"):
        case "top_up_pack_id":
            top_up_pack_id = TopUpPackId(fields.text("top_up_pack_id", request.top_up_pack_id))
        case "terms":
            terms = _terms_from_wire(fields, request.terms)
        case _:
            fields.add("what", "is required: top_up_pack_id or terms")
    command = OrderTopUp(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("OrderTopUp", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        top_up_pack_id=top_up_pack_id,
        terms=terms,
        payment_gate=fields.choice("payment_gate", request.payment_gate, by_number(GATES)),
        payment_window=fields.duration(
            "payment_window",
            request.payment_window,
            request.HasField("payment_window"),
            default=PAYMENT_WINDOW_DEFAULT,
            minimum=PAYMENT_WINDOW_MIN,
            maximum=PAYMENT_WINDOW_MAX,
        ),
    )
    fields.check()
    return command


def resolve_from_wire(request: pb.ResolveTopUpPaymentRequest) -> ResolveTopUpPayment:
    fields = Fields()
    command = ResolveTopUpPayment(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ResolveTopUpPayment", request),
        top_up_id=TopUpId(fields.text("top_up_id", request.top_up_id)),
        outcome=fields.choice("outcome", request.outcome, by_number(_OUTCOMES)),
        payment_reference=fields.text("payment_reference", request.payment_reference, required=False),
        error_code=fields.text("error_code", request.error_code, required=False),
        error_message=fields.text("error_message", request.error_message, required=False),
    )
    fields.check()
    return command


def cancel_from_wire(request: pb.CancelTopUpRequest) -> CancelTopUp:
    fields = Fields()
    command = CancelTopUp(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CancelTopUp", request),
        top_up_id=TopUpId(fields.text("top_up_id", request.top_up_id)),
    )
    fields.check()
    return command


def get_from_wire(request: pb.GetTopUpRequest) -> TopUpId:
    fields = Fields()
    top_up_id = TopUpId(fields.text("top_up_id", request.top_up_id))
    fields.check()
    return top_up_id


def list_from_wire(request: pb.ListTopUpsRequest) -> tuple[ContractId, Page]:
    fields = Fields()
    contract_id = ContractId(fields.text("contract_id", request.contract_id))
    page = page_from_wire(fields, request, _list_of(request), newest_first=request.newest_first)
    fields.check()
    return contract_id, page


def order_to_wire(ordered: TopUpAndInvoice) -> pb.OrderTopUpResponse:
    return pb.OrderTopUpResponse(
        top_up=top_up_to_wire(ordered.top_up), invoice=invoice_to_wire(ordered.invoice)
    )


def resolve_to_wire(resolved: TopUpAndInvoice) -> pb.ResolveTopUpPaymentResponse:
    return pb.ResolveTopUpPaymentResponse(
        top_up=top_up_to_wire(resolved.top_up), invoice=invoice_to_wire(resolved.invoice)
    )


def cancel_to_wire(cancelled: TopUpAndInvoice) -> pb.CancelTopUpResponse:
    return pb.CancelTopUpResponse(
        top_up=top_up_to_wire(cancelled.top_up), invoice=invoice_to_wire(cancelled.invoice)
    )


def list_to_wire(rows: Sequence[TopUp], page: Page, request: pb.ListTopUpsRequest) -> pb.ListTopUpsResponse:
    shown, token = page_to_wire(rows, page, _list_of(request), lambda row: (row.top_up_id,), top_up_to_wire)
    return pb.ListTopUpsResponse(top_ups=shown, next_page_token=token)


def top_up_to_wire(top_up: TopUp) -> pb.TopUp:
    return pb.TopUp(
        top_up_id=top_up.top_up_id,
        contract_id=top_up.contract_id,
        customer_id=top_up.customer_id,
        top_up_pack_id=top_up.top_up_pack_id or "",
        terms=_terms_to_wire(top_up.terms),
        payment_gate=GATES[top_up.payment_gate],
        status=_STATUSES[top_up.status],
        invoice_id=top_up.invoice_id,
        payment_reference=top_up.payment_reference,
        create_time=timestamp(top_up.create_time),
        resolve_time=optional_timestamp(top_up.resolve_time),
        expire_time=optional_timestamp(top_up.expire_time),
        last_payment_error=error_to_wire(top_up.last_payment_error),
    )


def error_to_wire(error: PaymentError | None) -> pb.PaymentError | None:
    if error is None:
        return None
    return pb.PaymentError(code=error.code, message=error.message, create_time=timestamp(error.create_time))


def _terms_from_wire(fields: Fields, terms: pb.TopUpTerms) -> TopUpTerms:
    has_lifetime = terms.HasField("lifetime")
    lifetime = fields.duration(
        "terms.lifetime",
        terms.lifetime,
        has_lifetime,
        default=LIFETIME_MAX,
        minimum=LIFETIME_MIN,
        maximum=LIFETIME_MAX,
    )
    return TopUpTerms(
        product_id=ProductId(fields.text("terms.product_id", terms.product_id)),
        credit_type_id=custom_credit_type(fields, "terms.credit_type_id", terms.credit_type_id),
        amount=Credits(
            fields.micros("terms.amount_micros", terms.amount_micros, minimum=1, maximum=AMOUNT_MAX.micros)
        ),
        price=money(fields, "terms.price", terms.price, terms.HasField("price"), minimum=0),
        priority=fields.count(
            "terms.priority", terms.priority or PRIORITY_DEFAULT, minimum=1, maximum=PRIORITY_MAX
        ),
        lifetime=lifetime if has_lifetime else None,
    )


def _terms_to_wire(terms: TopUpTerms) -> pb.TopUpTerms:
    return pb.TopUpTerms(
        product_id=terms.product_id,
        credit_type_id=terms.credit_type_id,
        amount_micros=terms.amount.micros,
        price=money_to_wire(terms.price),
        priority=terms.priority,
        lifetime=None if terms.lifetime is None else span(terms.lifetime),
    )


def _list_of(request: pb.ListTopUpsRequest) -> dict[str, str]:
    filters = {"list": "top_ups", "contract_id": request.contract_id}
    return filters | NEWEST_FIRST if request.newest_first else filters
