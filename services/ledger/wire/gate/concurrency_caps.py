# SPDX-License-Identifier: Apache-2.0
"""Concurrency caps on the wire."""

from collections.abc import Sequence
from typing import Any, Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key
from purser.ledger.v1 import ledger_admin_pb2 as pb
from purser.ledger.v1 import ledger_pb2 as gate_pb
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.gate.commands import RemoveConcurrencyCap, SetConcurrencyCap
from services.ledger.domain.gate.in_flight import (
    WHOLE_CUSTOMER,
    CustomerConcurrencyCap,
    InFlightUse,
    product_of_subject,
    subject_of_product,
)
from services.ledger.domain.gate.spend_cap import GroupValue

# The most holds that a cap may allow; without a cap there is no limit.
HOLDS_MAX: Final = 100_000


def set_from_wire(request: pb.SetConcurrencyCapRequest) -> SetConcurrencyCap:
    fields = Fields()
    command = SetConcurrencyCap(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetConcurrencyCap", request),
        customer=fields.text("customer", request.customer),
        credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
        subject=_subject_from_wire(fields, request),
        holds_max=fields.count("holds_max", request.holds_max, minimum=0, maximum=HOLDS_MAX),
        is_shadow=request.is_shadow,
    )
    fields.check()
    return command


def _subject_from_wire(fields: Fields, request: pb.SetConcurrencyCapRequest) -> GroupValue:
    which = request.WhichOneof("subject")
    if which == "group_key":
        group_key = fields.text("group_key", request.group_key, max_length=64)
        return group_key, fields.text("group_value", request.group_value, required=False)
    if request.group_value:
        fields.add("group_value", "must be empty without group_key")
    if which is None:
        return WHOLE_CUSTOMER
    return subject_of_product(ProductId(fields.text("product_id", request.product_id)))


def set_to_wire(answer: CustomerConcurrencyCap) -> pb.SetConcurrencyCapResponse:
    return pb.SetConcurrencyCapResponse(concurrency_cap=_cap_to_wire(answer))


def remove_from_wire(request: pb.RemoveConcurrencyCapRequest) -> RemoveConcurrencyCap:
    fields = Fields()
    command = RemoveConcurrencyCap(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RemoveConcurrencyCap", request),
        customer=fields.text("customer", request.customer),
        concurrency_cap_id=fields.text("concurrency_cap_id", request.concurrency_cap_id),
    )
    fields.check()
    return command


def list_from_wire(request: pb.ListConcurrencyCapsRequest) -> tuple[str, Page]:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    page = page_from_wire(fields, request, _filters(customer), keys=(text_key,) * 3)
    fields.check()
    return customer, page


def list_to_wire(
    rows: Sequence[CustomerConcurrencyCap], page: Page, customer: str
) -> pb.ListConcurrencyCapsResponse:
    shown, token = page_to_wire(
        rows, page, _filters(customer), lambda row: (row.cap.credit_type_id, *row.cap.subject), _cap_to_wire
    )
    return pb.ListConcurrencyCapsResponse(concurrency_caps=shown, next_page_token=token)


def in_flight_use_to_wire(use: InFlightUse) -> gate_pb.ConcurrencyCapUse:
    return gate_pb.ConcurrencyCapUse(
        concurrency_cap_id=use.cap.concurrency_cap_id,
        **_subject_to_wire(use.subject),
        holds_max=use.cap.holds_max,
        open_holds=use.open_holds,
        free_time=optional_timestamp(use.free_time if use.is_full else None),
    )


def _filters(customer: str) -> dict[str, str]:
    return {"list": "concurrency_caps", "customer": customer}


def _cap_to_wire(one: CustomerConcurrencyCap) -> pb.ConcurrencyCap:
    return pb.ConcurrencyCap(
        concurrency_cap_id=one.cap.concurrency_cap_id,
        customer_id=one.customer_id,
        credit_type_id=one.cap.credit_type_id,
        **_subject_to_wire(one.cap.subject),
        holds_max=one.cap.holds_max,
        create_time=timestamp(one.cap.create_time),
        is_shadow=one.cap.is_shadow,
    )


def _subject_to_wire(subject: GroupValue) -> dict[str, Any]:
    group_key, group_value = subject
    if group_key:
        return {"group_key": group_key, "group_value": group_value}
    product_id = product_of_subject(subject)
    return {} if product_id is None else {"product_id": product_id}
