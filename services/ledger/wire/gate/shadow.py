# SPDX-License-Identifier: Apache-2.0
"""Shadow mode on the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from meshkit.page import Page
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key
from purser.ledger.v1 import ledger_admin_pb2 as pb
from purser.ledger.v1 import ledger_pb2 as gate_pb
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.gate.commands import SetShadowMode
from services.ledger.domain.gate.decision import ShadowDenial
from services.ledger.domain.gate.shadow import EVERY_PRODUCT, ShadowDenials, ShadowMode
from services.ledger.wire.amounts import reason_to_wire

_DAY = timedelta(days=1)
_KEYS = 8


@dataclass(frozen=True, slots=True)
class DenialsQuery:
    """What a report is asked for. first, last: UTC days, both included. customer: None for all."""

    customer: str | None
    first: date
    last: date
    page: Page

    @property
    def filters(self) -> dict[str, str]:
        return _filters(self.customer or "", self.first, self.last)


def set_from_wire(request: pb.SetShadowModeRequest) -> SetShadowMode:
    fields = Fields()
    command = SetShadowMode(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetShadowMode", request),
        customer=fields.text("customer", request.customer),
        product_id=ProductId(fields.text("product_id", request.product_id))
        if request.product_id
        else EVERY_PRODUCT,
        is_on=request.is_on,
    )
    fields.check()
    return command


def set_to_wire(mode: ShadowMode) -> pb.SetShadowModeResponse:
    return pb.SetShadowModeResponse(shadow_mode=_mode_to_wire(mode))


def modes_from_wire(request: pb.ListShadowModesRequest) -> str:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    fields.check()
    return customer


def modes_to_wire(modes: Sequence[ShadowMode]) -> pb.ListShadowModesResponse:
    return pb.ListShadowModesResponse(shadow_modes=map(_mode_to_wire, modes))


def denials_from_wire(request: pb.ListShadowDenialsRequest) -> DenialsQuery:
    fields = Fields()
    customer = fields.text("customer", request.customer) if request.customer else None
    start = fields.time("start_time", request.start_time, request.HasField("start_time"))
    end = fields.time("end_time", request.end_time, request.HasField("end_time"))
    for name, instant in (("start_time", start), ("end_time", end)):
        if instant.astimezone(UTC).time() != time():
            fields.add(name, "must be midnight UTC")
    if end <= start:
        fields.add("end_time", "must be after start_time")
    first, last = start.date(), (end - _DAY).date() if end > start else start.date()
    page = page_from_wire(
        fields,
        request,
        _filters(customer or "", first, last),
        keys=(text_key, day_key, *(text_key,) * (_KEYS - 2)),
    )
    fields.check()
    return DenialsQuery(customer, first, last, page)


def denials_to_wire(rows: Sequence[ShadowDenials], query: DenialsQuery) -> pb.ListShadowDenialsResponse:
    shown, token = page_to_wire(rows, query.page, query.filters, _key_of, _denials_to_wire)
    return pb.ListShadowDenialsResponse(shadow_denials=shown, next_page_token=token)


def day_key(key: str) -> date:
    """Return a sort key that is a day in ISO 8601. Raises ValueError for one that no row has."""
    return date.fromisoformat(key)


def shadow_denial_to_wire(denial: ShadowDenial) -> gate_pb.ShadowDenial:
    return gate_pb.ShadowDenial(
        denial_reason=reason_to_wire(denial.reason),
        spend_cap_id=denial.spend_cap_id,
        concurrency_cap_id=denial.concurrency_cap_id,
        missing_micros=denial.missing.micros,
    )


def _filters(customer: str, first: date, last: date) -> dict[str, str]:
    return {
        "list": "shadow_denials",
        "customer": customer,
        "first": first.isoformat(),
        "last": last.isoformat(),
    }


def _mode_to_wire(mode: ShadowMode) -> pb.ShadowMode:
    return pb.ShadowMode(
        customer_id=mode.customer_id,
        product_id=mode.product_id,
        is_on=mode.is_on,
        update_time=timestamp(mode.update_time),
    )


def _key_of(line: ShadowDenials) -> tuple[str, ...]:
    return (
        line.customer_id,
        line.day.isoformat(),
        line.credit_type_id,
        line.reason.value,
        line.cap_id,
        line.product_id,
        *line.subject,
    )


def _denials_to_wire(line: ShadowDenials) -> pb.ShadowDenials:
    group_key, group_value = line.subject
    return pb.ShadowDenials(
        customer_id=line.customer_id,
        day=timestamp(datetime.combine(line.day, time(), UTC)),
        credit_type_id=line.credit_type_id,
        denial_reason=reason_to_wire(line.reason),
        cap_id=line.cap_id,
        product_id=line.product_id,
        group_key=group_key,
        group_value=group_value if group_key else "",
        denials=line.denials,
        credits_micros=line.credits.micros,
        first_time=timestamp(line.first_time),
        last_time=timestamp(line.last_time),
    )
