# SPDX-License-Identifier: Apache-2.0
"""Spend caps on the wire."""

from collections.abc import Mapping, Sequence
from typing import Final

from meshkit.page import Page
from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key
from purser.ledger.v1 import ledger_admin_pb2 as pb
from purser.ledger.v1 import ledger_pb2 as gate_pb
from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.domain.gate.commands import RemoveSpendCap, SetSpendCap
from services.ledger.domain.gate.spend_cap import CapUse, CustomerSpendCap
from services.ledger.domain.gate.windows import ROLLING_HOURS_MAX, CapWindow
from services.ledger.wire.amounts import total_to_wire

_WINDOWS: Final[Mapping[int, CapWindow]] = {
    pb.CAP_WINDOW_UNSPECIFIED: CapWindow.BILLING_PERIOD,
    pb.CAP_WINDOW_BILLING_PERIOD: CapWindow.BILLING_PERIOD,
    pb.CAP_WINDOW_DAY: CapWindow.DAY,
    pb.CAP_WINDOW_WEEK: CapWindow.WEEK,
    pb.CAP_WINDOW_MONTH: CapWindow.MONTH,
    pb.CAP_WINDOW_ROLLING: CapWindow.ROLLING,
}


def set_from_wire(request: pb.SetSpendCapRequest) -> SetSpendCap:
    fields = Fields()
    command = SetSpendCap(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetSpendCap", request),
        customer=fields.text("customer", request.customer),
        credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
        group_key=fields.text("group_key", request.group_key, max_length=64),
        group_value=fields.text("group_value", request.group_value, required=False),
        limit=Credits(fields.micros("limit_micros", request.limit_micros)),
        window=fields.choice("window", request.window, _WINDOWS),
        hours=request.window_hours,
        is_shadow=request.is_shadow,
    )
    if request.window == pb.CAP_WINDOW_ROLLING:
        if not 1 <= request.window_hours <= ROLLING_HOURS_MAX:
            fields.add("window_hours", f"must be 1 to {ROLLING_HOURS_MAX} for a rolling window")
    elif request.window_hours:
        fields.add("window_hours", "is only for a rolling window")
    fields.check()
    return command


def set_to_wire(answer: CustomerSpendCap) -> pb.SetSpendCapResponse:
    return pb.SetSpendCapResponse(spend_cap=_cap_to_wire(answer))


def remove_from_wire(request: pb.RemoveSpendCapRequest) -> RemoveSpendCap:
    fields = Fields()
    command = RemoveSpendCap(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RemoveSpendCap", request),
        customer=fields.text("customer", request.customer),
        spend_cap_id=fields.text("spend_cap_id", request.spend_cap_id),
    )
    fields.check()
    return command


def list_from_wire(request: pb.ListSpendCapsRequest) -> tuple[str, Page]:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    page = page_from_wire(fields, request, _filters(customer), keys=(text_key,) * 4)
    fields.check()
    return customer, page


def list_to_wire(rows: Sequence[CustomerSpendCap], page: Page, customer: str) -> pb.ListSpendCapsResponse:
    shown, token = page_to_wire(
        rows,
        page,
        _filters(customer),
        lambda row: (
            row.cap.credit_type_id,
            row.cap.group_key,
            row.cap.group_value,
            row.cap.spend_cap_id,
        ),
        _cap_to_wire,
    )
    return pb.ListSpendCapsResponse(spend_caps=shown, next_page_token=token)


def _filters(customer: str) -> dict[str, str]:
    return {"list": "spend_caps", "customer": customer}


def _cap_to_wire(one: CustomerSpendCap) -> pb.SpendCap:
    return pb.SpendCap(
        spend_cap_id=one.cap.spend_cap_id,
        customer_id=one.customer_id,
        credit_type_id=one.cap.credit_type_id,
        group_key=one.cap.group_key,
        group_value=one.cap.group_value,
        limit_micros=one.cap.limit.micros,
        window=f"CAP_WINDOW_{one.cap.window.name}",
        create_time=timestamp(one.cap.create_time),
        window_hours=one.cap.hours,
        is_shadow=one.cap.is_shadow,
    )


def cap_use_to_wire(use: CapUse) -> gate_pb.SpendCapUse:
    return gate_pb.SpendCapUse(
        spend_cap_id=use.cap.spend_cap_id,
        group_key=use.cap.group_key,
        group_value=use.group_value,
        limit_micros=use.cap.limit.micros,
        used_micros=total_to_wire(use.used),
        window_start_time=timestamp(use.window.start),
        window_end_time=timestamp(use.window.end),
        window_hours=use.cap.hours,
    )
