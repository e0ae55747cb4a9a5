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
from purser.ledger.v1 import self_service_pb2 as own
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.gate.commands import RemoveSpendCap, SetSpendCap, SetTimeZone
from services.ledger.domain.gate.spend_cap import (
    CapOwner,
    CapUse,
    CustomerSpendCap,
    CustomerTimeZone,
    GroupValue,
)
from services.ledger.domain.gate.subjects import (
    CUSTOMER,
    CapScope,
    group_of,
    of_group,
    of_product,
    product_of,
    scope_of,
)
from services.ledger.domain.gate.windows import ROLLING_HOURS_MAX, CapWindow, is_zone
from services.ledger.wire.amounts import total_to_wire

_WINDOWS: Final[Mapping[int, CapWindow]] = {
    pb.CAP_WINDOW_UNSPECIFIED: CapWindow.BILLING_PERIOD,
    pb.CAP_WINDOW_BILLING_PERIOD: CapWindow.BILLING_PERIOD,
    pb.CAP_WINDOW_DAY: CapWindow.DAY,
    pb.CAP_WINDOW_WEEK: CapWindow.WEEK,
    pb.CAP_WINDOW_MONTH: CapWindow.MONTH,
    pb.CAP_WINDOW_ROLLING: CapWindow.ROLLING,
}


_SCOPES: Final[Mapping[int, CapScope]] = {
    gate_pb.CAP_SCOPE_UNSPECIFIED: CapScope.GROUP_VALUE,
    gate_pb.CAP_SCOPE_GROUP_VALUE: CapScope.GROUP_VALUE,
    gate_pb.CAP_SCOPE_PRODUCT: CapScope.PRODUCT,
    gate_pb.CAP_SCOPE_CUSTOMER: CapScope.CUSTOMER,
    gate_pb.CAP_SCOPE_GROUP: CapScope.GROUP,
}


def set_from_wire(request: pb.SetSpendCapRequest) -> SetSpendCap:
    return _set_from_wire(request, CapOwner.VENDOR, fingerprint("SetSpendCap", request))


def set_own_from_wire(request: own.SetOwnSpendCapRequest) -> SetSpendCap:
    return _set_from_wire(request, CapOwner.CUSTOMER, fingerprint("SetOwnSpendCap", request))


def _set_from_wire(
    request: pb.SetSpendCapRequest | own.SetOwnSpendCapRequest, owner: CapOwner, body_hash: bytes
) -> SetSpendCap:
    fields = Fields()
    group_key, group_value = _subject(fields, request)
    command = SetSpendCap(
        request_id=fields.request_id(request.request_id),
        fingerprint=body_hash,
        customer=fields.text("customer", request.customer),
        credit_type_id=CreditTypeId(fields.text("credit_type_id", request.credit_type_id)),
        group_key=group_key,
        group_value=group_value,
        limit=Credits(fields.micros("limit_micros", request.limit_micros)),
        window=fields.choice("window", request.window, _WINDOWS),
        hours=request.window_hours,
        owner=owner,
        is_shadow=isinstance(request, pb.SetSpendCapRequest) and request.is_shadow,
    )
    if request.window == pb.CAP_WINDOW_ROLLING:
        if not 1 <= request.window_hours <= ROLLING_HOURS_MAX:
            fields.add("window_hours", f"must be 1 to {ROLLING_HOURS_MAX} for a rolling window")
    elif request.window_hours:
        fields.add("window_hours", "is only for a rolling window")
    fields.check()
    return command


def _subject(fields: Fields, request: pb.SetSpendCapRequest | own.SetOwnSpendCapRequest) -> GroupValue:
    """Return what a request caps. A field that its scope does not have must be empty."""
    scope = fields.choice("scope", request.scope, _SCOPES)
    if scope is not CapScope.GROUP_VALUE:
        for name in ("group_key", "group_value"):
            if getattr(request, name):
                fields.add(name, "is only for the scope GROUP_VALUE")
    if scope is not CapScope.PRODUCT and request.product_id:
        fields.add("product_id", "is only for the scope PRODUCT")
    if scope is not CapScope.GROUP and request.cap_group_id:
        fields.add("cap_group_id", "is only for the scope GROUP")
    match scope:
        case CapScope.GROUP_VALUE:
            group_key = fields.text("group_key", request.group_key, max_length=64)
            return group_key, fields.text("group_value", request.group_value, required=False)
        case CapScope.PRODUCT:
            return of_product(ProductId(fields.text("product_id", request.product_id)))
        case CapScope.CUSTOMER:
            return CUSTOMER
        case CapScope.GROUP:
            return of_group(fields.text("cap_group_id", request.cap_group_id))


def set_to_wire(answer: CustomerSpendCap) -> pb.SetSpendCapResponse:
    return pb.SetSpendCapResponse(spend_cap=_cap_to_wire(answer))


def set_own_to_wire(answer: CustomerSpendCap) -> own.SetOwnSpendCapResponse:
    return own.SetOwnSpendCapResponse(spend_cap=_cap_to_wire(answer))


def zone_from_wire(request: pb.SetTimeZoneRequest) -> SetTimeZone:
    fields = Fields()
    command = SetTimeZone(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetTimeZone", request),
        customer=fields.text("customer", request.customer),
        time_zone=fields.text("time_zone", request.time_zone, max_length=64),
    )
    if request.time_zone and not is_zone(request.time_zone):
        fields.add("time_zone", 'must be an IANA time zone, such as "Europe/Berlin"')
    fields.check()
    return command


def zone_to_wire(answer: CustomerTimeZone) -> pb.SetTimeZoneResponse:
    return pb.SetTimeZoneResponse(customer_id=answer.customer_id, time_zone=answer.time_zone)


def remove_own_from_wire(request: own.RemoveOwnSpendCapRequest) -> RemoveSpendCap:
    fields = Fields()
    command = RemoveSpendCap(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RemoveOwnSpendCap", request),
        customer=fields.text("customer", request.customer),
        spend_cap_id=fields.text("spend_cap_id", request.spend_cap_id),
        owner=CapOwner.CUSTOMER,
    )
    fields.check()
    return command


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


def list_to_wire(
    rows: Sequence[CustomerSpendCap], page: Page, customer: str, time_zone: str
) -> pb.ListSpendCapsResponse:
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
    return pb.ListSpendCapsResponse(spend_caps=shown, next_page_token=token, time_zone=time_zone)


def _filters(customer: str) -> dict[str, str]:
    return {"list": "spend_caps", "customer": customer}


def _cap_to_wire(one: CustomerSpendCap) -> pb.SpendCap:
    subject = (one.cap.group_key, one.cap.group_value)
    return pb.SpendCap(
        spend_cap_id=one.cap.spend_cap_id,
        customer_id=one.customer_id,
        credit_type_id=one.cap.credit_type_id,
        group_key=one.cap.group_key,
        group_value=one.cap.group_value if one.cap.group_key else "",
        limit_micros=one.cap.limit.micros,
        window=f"CAP_WINDOW_{one.cap.window.name}",
        create_time=timestamp(one.cap.create_time),
        window_hours=one.cap.hours,
        scope=f"CAP_SCOPE_{scope_of(subject).name}",
        product_id=product_of(subject),
        cap_group_id=group_of(subject),
        owner=f"CAP_OWNER_{one.cap.owner.name}",
        is_shadow=one.cap.is_shadow,
    )


def cap_use_to_wire(use: CapUse) -> gate_pb.SpendCapUse:
    return gate_pb.SpendCapUse(
        spend_cap_id=use.cap.spend_cap_id,
        group_key=use.cap.group_key,
        group_value=use.group_value if use.cap.group_key else "",
        limit_micros=use.cap.limit.micros,
        used_micros=total_to_wire(use.used),
        window_start_time=timestamp(use.window.start),
        window_end_time=timestamp(use.window.end),
        window_hours=use.cap.hours,
        scope=f"CAP_SCOPE_{scope_of(use.subject).name}",
        product_id=product_of(use.subject),
        cap_group_id=group_of(use.subject),
        owner=f"CAP_OWNER_{use.cap.owner.name}",
    )
